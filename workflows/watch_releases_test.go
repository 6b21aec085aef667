package workflows_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// newWatched is newReleased with a v4 that is well.
func newWatched(change ...func(w *world)) *world {
	return newReleased(append([]func(w *world){func(w *world) { delete(w.deployed.sick, "v4") }}, change...)...)
}

// watchReleases runs WatchReleases to its end.
func watchReleases(t *testing.T, env *testsuite.TestWorkflowEnvironment) (*workflows.WatchedReleases, error) {
	t.Helper()
	execute(env, workflows.TypeWatchReleases, workflows.ReleaseInput{Service: "where2eat"})
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return nil, err
	}
	var r *workflows.WatchedReleases
	return r, env.GetWorkflowResult(&r)
}

// suffers says what a release suffers from, after a while; empty: it is well.
func (w *world) suffers(env *testsuite.TestWorkflowEnvironment, wait time.Duration, tag, from string) {
	after(env, wait, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.deployed.sick[tag] = from
	})
}

// deploys deploys a release after a while, as people do without asking anybody.
func (w *world) deploys(env *testsuite.TestWorkflowEnvironment, wait time.Duration, tag string) {
	after(env, wait, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.deployed.tag = tag
	})
}

func TestReleaseThatStaysWellIsGood(t *testing.T) {
	w := newWatched()
	env := w.env(t)
	begun := env.Now()
	var early, late string
	after(env, 5*time.Minute, func() { early = status(t, env).Doing })
	after(env, 20*time.Minute, func() { late = status(t, env).Doing })
	r, err := watchReleases(t, env)
	require.NoError(t, err)
	require.Equal(t, []string{"v4 watched proven"}, w.findings(2), "it is recorded once")
	record := w.deployed.records[2]
	require.WithinDuration(t, begun.Add(10*time.Minute), record.At, time.Minute, "after the time that is asked for")
	require.Equal(t, begun.UTC(), record.Since.UTC())
	require.GreaterOrEqual(t, record.For.Std(), 10*time.Minute)
	require.Equal(t, 21, record.Checks)
	require.Equal(t, "c0ffeev4", record.Commit)
	require.Equal(t, release.Tag{Tag: "v4", Commit: "c0ffeev4"}, r.Current)
	require.Equal(t, []string{"v4 is good: it passed its checks for " + record.For.String()}, r.Found)
	require.Equal(t, "watching v4: it must pass its checks for 10m", early)
	require.Equal(t, "v4 runs, and is good; waiting for the next release", late)
	require.WithinDuration(t, begun.Add(time.Hour), env.Now(), time.Minute)
	require.Empty(t, w.board.cards, "a good release troubles nobody")
	require.Equal(t, "ended: watched", status(t, env).Doing)

	good, ok := release.LastGood(release.List(w.deployed.tags, release.Tag{Tag: "v5"}, w.deployed.records))
	require.True(t, ok)
	require.Equal(t, "v4", good.Tag.Tag, "so that it can be gone back to")
}

func TestReleaseThatIsNotWellIsBad(t *testing.T) {
	w := newReleased()
	env := w.env(t)
	begun := env.Now()
	r, err := watchReleases(t, env)
	require.NoError(t, err)
	require.Equal(t, []string{"v4 watched disproven"}, w.findings(2), "it is recorded once")
	record := w.deployed.records[2]
	const why = `it did not pass its checks: the service did not pass "log in"`
	require.Equal(t, why, record.Sentence)
	require.Equal(t, []string{"v4 is bad: " + why}, r.Found)
	require.Len(t, w.board.cards, 1, "people are told once")
	c := w.board.last()
	require.Equal(t, "Release v4 of where2eat", c.Title)
	require.Equal(t, card.Failed, c.State)
	require.Equal(t, "v4 is not well: "+why, c.Line)
	require.Equal(t, []string{"rebecca"}, c.Mention)
	require.Equal(t, []string{"to go back to the last good release: /lifeboat rollback where2eat"}, c.Done)
	require.WithinDuration(t, begun.Add(90*time.Minute), env.Now(), time.Minute, "it is watched on, in case that it recovers")
}

func TestBadReleaseWithoutAnybodyToTell(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		cards  int
	}{
		"no Slack":            {func(w *world) { w.plan.Slack = nil }, 0},
		"nobody may go back":  {func(w *world) { w.plan.Approvals.Rollback = nil }, 1},
		"it was known before": {func(w *world) { w.seen("v4", release.Watched, recovery.Disproven, time.Hour) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(c.change)
			_, err := watchReleases(t, w.env(t))
			require.NoError(t, err)
			require.Len(t, w.board.cards, c.cards)
			for _, c := range w.board.cards {
				require.Empty(t, c.Done)
			}
			require.Equal(t, recovery.Disproven, w.deployed.records[2].Verdict)
			require.Len(t, w.deployed.records, 3)
		})
	}
}

func TestReleaseThatBecomesGood(t *testing.T) {
	for name, before := range map[string]func(w *world){
		"bad in this hour":       func(*world) {},
		"bad in an earlier hour": func(w *world) { w.seen("v4", release.Watched, recovery.Disproven, time.Hour) },
		"people went back from it": func(w *world) {
			w.seen("v4", release.Watched, recovery.Proven, 2*time.Hour)
			w.seen("v4", release.Left, recovery.Disproven, time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(before)
			env := w.env(t)
			w.suffers(env, 20*time.Minute, "v4", "")
			_, err := watchReleases(t, env)
			require.NoError(t, err)
			findings := w.findings(2)
			require.Equal(t, "v4 watched proven", findings[len(findings)-1])
			list := release.List(w.deployed.tags, release.Tag{Tag: "v4"}, w.deployed.records)
			require.Equal(t, release.Good, list[0].Standing)
		})
	}
}

// A stumble is no verdict: it must be well for the whole time, without a break.
func TestReleaseThatStumbles(t *testing.T) {
	w := newWatched()
	env := w.env(t)
	begun := env.Now()
	w.suffers(env, 6*time.Minute, "v4", "502")
	w.suffers(env, 6*time.Minute+45*time.Second, "v4", "")
	_, err := watchReleases(t, env)
	require.NoError(t, err)
	require.Equal(t, []string{"v4 watched proven"}, w.findings(2))
	require.WithinDuration(t, begun.Add(17*time.Minute), w.deployed.records[2].At, time.Minute)
	require.Less(t, w.deployed.records[2].For.Std(), 11*time.Minute)
}

// While production is changed, it may well not answer.
func TestNothingIsHeldAgainstAReleaseWhileProductionIsChanged(t *testing.T) {
	w := newReleased()
	env := w.env(t)
	w.held = slices.Repeat([]bool{true}, 100)
	w.suffers(env, 30*time.Minute, "v4", "")
	r, err := watchReleases(t, env)
	require.NoError(t, err)
	require.Equal(t, []string{"v4 watched proven"}, w.findings(2))
	require.Len(t, r.Found, 1)
	require.Empty(t, w.board.cards)
	require.Less(t, len(w.held), 100, "it was looked at")
}

func TestNewReleaseIsNoticed(t *testing.T) {
	w := newWatched()
	env := w.env(t)
	begun := env.Now()
	w.deploys(env, 20*time.Minute, "v5")
	w.deploys(env, 35*time.Minute, "v6")
	w.suffers(env, 0, "v6", "404")
	w.deploys(env, 45*time.Minute, "v5")
	var watching string
	after(env, 24*time.Minute, func() { watching = status(t, env).Doing })
	r, err := watchReleases(t, env)
	require.NoError(t, err)
	require.Equal(t, []string{"v4 watched proven", "v5 watched proven", "v6 watched disproven", "v5 watched proven"}, w.findings(2))
	require.Equal(t, "watching v5: it must pass its checks for 10m", watching)
	require.WithinDuration(t, begun.Add(20*time.Minute), w.deployed.records[3].Since, 2*time.Minute)
	require.Equal(t, "v5", r.Current.Tag)
	require.Contains(t, strings.Join(status(t, env).Done, "\n"), "v5 runs now: watching it")
}

func TestWatchEndsAfterItsHour(t *testing.T) {
	for name, c := range map[string]struct {
		during func(w *world, env *testsuite.TestWorkflowEnvironment)
		lasts  time.Duration
		found  []string
	}{
		"it is known that it is good": {func(*world, *testsuite.TestWorkflowEnvironment) {}, time.Hour, []string{"v4 watched proven"}},
		"a new one, just before the end": {
			func(w *world, env *testsuite.TestWorkflowEnvironment) { w.deploys(env, 55*time.Minute, "v5") },
			66 * time.Minute,
			[]string{"v4 watched proven", "v5 watched proven"},
		},
		"it comes and goes": {
			func(w *world, env *testsuite.TestWorkflowEnvironment) {
				for i := range 50 {
					w.suffers(env, time.Duration(i)*4*time.Minute, "v4", map[bool]string{true: "502"}[i%2 == 0])
				}
			}, 90 * time.Minute, []string{"v4 watched disproven"},
		},
		"it is never known what runs": {
			func(w *world, _ *testsuite.TestWorkflowEnvironment) {
				w.deployed.mute = errors.New("connection refused")
			},
			90 * time.Minute,
			[]string{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatched()
			env := w.env(t)
			begun := env.Now()
			c.during(w, env)
			_, err := watchReleases(t, env)
			require.NoError(t, err)
			require.WithinDuration(t, begun.Add(c.lasts), env.Now(), 2*time.Minute)
			require.Equal(t, c.found, append([]string{}, w.findings(2)...))
		})
	}
}

// What is known already is not found out again.
func TestWatchOfAReleaseThatIsKnownToBeGood(t *testing.T) {
	w := newReleased(func(w *world) { w.seen("v4", release.Watched, recovery.Proven, time.Hour) })
	env := w.env(t)
	s := watch(env)
	_, err := watchReleases(t, env)
	require.NoError(t, err)
	require.Empty(t, w.only("check"), "not even if it is not well now: what is bad about it people will know")
	require.Empty(t, w.findings(3))
	require.LessOrEqual(t, s.steps["CurrentRelease"], 61, "one look a minute")
	require.Empty(t, status(t, env).Done)
}

func TestWatchOfATagThatWasMoved(t *testing.T) {
	w := newWatched(func(w *world) { w.seen("v4", release.Watched, recovery.Proven, time.Hour).Commit = "another" })
	_, err := watchReleases(t, w.env(t))
	require.NoError(t, err)
	require.Equal(t, []string{"v4 watched proven"}, w.findings(3), "it is another release")
}

// What is deployed may not be known for a while: a service that is down may not tell.
func TestWatchWhileTheReleaseIsNotKnown(t *testing.T) {
	t.Run("from the beginning", func(t *testing.T) {
		w := newWatched(func(w *world) { w.deployed.mute = errors.New("connection refused") })
		env := w.env(t)
		var said string
		after(env, 10*time.Minute, func() {
			said = status(t, env).Doing
			w.mu.Lock()
			defer w.mu.Unlock()
			w.deployed.mute = nil
		})
		_, err := watchReleases(t, env)
		require.NoError(t, err)
		require.Regexp(t, `^(waiting until it is known which release runs: ask which release is deployed: gave up after \S+: connection refused|asking which release is deployed)$`, said)
		require.Equal(t, []string{"v4 watched proven"}, w.findings(2))
	})
	t.Run("when it goes down", func(t *testing.T) {
		w := newWatched(func(w *world) { w.deployed.telling = true })
		env := w.env(t)
		w.suffers(env, 5*time.Minute, "v4", "connection refused")
		_, err := watchReleases(t, env)
		require.NoError(t, err)
		require.Equal(t, []string{"v4 watched disproven"}, w.findings(2), "it is the one that ran")
	})
}

// A history does not hold more than 50,000 events, and Temporal warns from 10,000 on; a look has about 17.
func TestWatchOfABadReleaseStaysSmall(t *testing.T) {
	for _, goodAfter := range []time.Duration{time.Second, time.Minute, 24 * time.Hour} {
		t.Run(goodAfter.String(), func(t *testing.T) {
			w := newReleased(func(w *world) { w.plan.Deploy.GoodAfter = recovery.Duration(goodAfter) })
			env := w.env(t)
			s := watch(env)
			_, err := watchReleases(t, env)
			require.NoError(t, err)
			require.Less(t, 17*s.steps["CheckLive"], 10_000)
			require.Less(t, 2*s.steps["IsHeld"], s.steps["CheckLive"], "each trial begins anew")
			require.Equal(t, []string{"v4 watched disproven"}, w.findings(2))
		})
	}
}

func TestWatchThatCannotRecord(t *testing.T) {
	w := newWatched(func(w *world) { w.deployed.tag = "v5" })
	env := w.env(t)
	after(env, 5*time.Minute, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.deployed.recordErr = errors.New("no space left")
	})
	_, err := watchReleases(t, env)
	require.NoError(t, err)
	require.Empty(t, w.findings(2))
	require.Contains(t, doneLike(t, env, "what was found about v5 could not be recorded"), "no space left")
}

func TestWatchThatIsCancelled(t *testing.T) {
	w := newWatched()
	env := w.env(t)
	after(env, 5*time.Minute, env.CancelWorkflow)
	_, err := watchReleases(t, env)
	require.True(t, temporal.IsCanceledError(err), err)
	require.Equal(t, "ended: cancelled", status(t, env).Doing)
	require.Empty(t, w.findings(2))
}

func TestReleasesAreListed(t *testing.T) {
	w := newReleased(func(w *world) {
		w.seen("v4", release.Watched, recovery.Disproven, time.Hour).Sentence = "it did not pass its checks"
	})
	w.deployed.compareErr = errors.New("nobody asks for this")
	list := func(t *testing.T) (*release.Overview, error) {
		env := w.env(t)
		execute(env, workflows.TypeReleases, workflows.ReleaseInput{Service: "where2eat"})
		if err := env.GetWorkflowError(); err != nil {
			return nil, err
		}
		var known *release.Overview
		return known, env.GetWorkflowResult(&known)
	}
	known, err := list(t)
	require.NoError(t, err)
	require.Equal(t, "where2eat", known.Service)
	require.Equal(t, "v4", known.Current.Tag)
	var shown []string
	for _, r := range known.Releases {
		shown = append(shown, strings.TrimSpace(r.Tag.Tag+" "+r.Standing.String()+" "+r.Why))
	}
	require.Equal(t, []string{"v4 bad it did not pass its checks", "v3 unproven", "v2 good passed its checks for 10m", "v1 good passed its checks for 10m"}, shown)
	require.Empty(t, known.Unknown)
	require.Empty(t, w.log, "nothing is changed")

	w.deployed.mute, w.deployed.tagsErr, w.deployed.recordErr = mended("down"), mended("no repository"), mended("access denied")
	known, err = list(t)
	require.NoError(t, err)
	require.Equal(t, []string{
		"what is deployed is not known: ask which release is deployed: down", "which releases can be deployed is not known: list releases: no repository",
		"which releases were seen to be well is not known: read what is known of releases: access denied",
	}, known.Unknown)

	w.plan.Live = nil
	_, err = list(t)
	kind, _, _ := failure(t, err)
	require.Equal(t, workflows.ErrorBadInput, kind)
}
