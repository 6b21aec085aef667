package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// Only a deploy may be repeatable: to switch twice is not to switch.
func TestQuickRemedyIsNeverRepeated(t *testing.T) {
	w := newReleased(quickRemedies, func(w *world) { w.plan.Deploy.Repeatable = true })
	w.deployed.ends["deploy.switch"] = []ending{unfinished}
	var next approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.choose(env, "rollback", "kim", "switch"), noting(&next, w.reject(env, "next", "kim"))}
	})
	failedRollback(t, err, workflows.ErrorUnclear)
	require.Len(t, w.only("run"), 1)
	require.Equal(t, "Leave it as it is", next.Reject, "nobody knows whether there is anything to switch back")
}

func TestCommandThatWasRefusedIsNotUndone(t *testing.T) {
	w := newReleased(quickRemedies)
	w.deployed.ends["deploy.switch"] = []ending{{failure: "green is not well"}}
	var next approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.choose(env, "rollback", "kim", "switch"), noting(&next, w.reject(env, "next", "kim"))}
	})
	failedRollback(t, err, workflows.ErrorUnhealthy)
	require.Equal(t, "Leave it as it is", next.Reject)
	require.Len(t, w.only("run"), 1)
}

func TestAllQuickRemediesAreUndone(t *testing.T) {
	w := newReleased(quickRemedies, func(w *world) {
		w.deployed.sick["v4 without the flag"], w.deployed.sick["v4 switched"] = "still 500", "still 500"
	})
	var last approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.choose(env, "rollback", "kim", "flagOff"), w.choose(env, "next", "kim", "switch"), noting(&last, w.reject(env, "next", "rebecca"))}
	})
	failedRollback(t, err, workflows.ErrorUntouched)
	require.Equal(t, "Switch back, and turn the flag on again", last.Reject)
	require.Equal(t, []string{"run ./switch.sh green as " + last.ID + "-switchBack", "run ./flag.sh on as " + last.ID + "-flagOn"}, w.only("run")[2:])
}

func TestFlagThatIsStillOffIsTold(t *testing.T) {
	w := newReleased(quickRemedies, func(w *world) { w.deployed.sick["v4 without the flag"] = "still 500" })
	var undo approval.Request
	r, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.choose(env, "rollback", "kim", "flagOff"), w.choose(env, "next", "kim", "deploy:v2"), noting(&undo, w.reject(env, "undo", "kim"))}
	})
	require.NoError(t, err)
	require.Contains(t, r.Sentence, "; the flag is still off")
	require.Equal(t, "Turn the flag on again", undo.Approve)
}

func TestEvidenceThatCannotBeReadIsNotMissing(t *testing.T) {
	w := newReleased(func(w *world) { w.deployed.recordErr = mended("access denied") })
	var plan approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{noting(&plan, w.reject(env, "rollback", "kim"))}
	})
	require.Error(t, err)
	require.Equal(t, "NOT KNOWN: which releases were seen to be well is not known: read what is known of releases: access denied", fact(t, plan.Facts, "Evidence"))
}

// A network error is inconclusive, also about a release.
func TestReleaseThatNobodyCanLookAtIsNotBad(t *testing.T) {
	blind := errors.New("no route to host")
	t.Run("in a rollback", func(t *testing.T) {
		w := newReleased()
		env := w.env(t)
		done := play(t, env, turn{"rollback", func(b *approval.Book) {
			w.deployed.blind = blind
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
		}}, turn{"next", func(b *approval.Book) {
			w.deployed.blind = nil
			w.chooses(env, b, "kim", "ran")
		}})
		r, err := w.rollBack(t, env, workflows.RollbackInput{})
		require.NoError(t, err)
		done()
		require.Equal(t, []release.State{release.Unknown, release.Healthy}, states(r))
		require.Contains(t, r.Changes[0].Sentence, "nobody could look whether the service is well: ")
		require.True(t, r.Changes[1].Looked)
		require.Equal(t, []string{"v2 deployed proven", "v4 left disproven"}, w.findings(2))
	})
	t.Run("while it is watched", func(t *testing.T) {
		w := newWatched(func(w *world) { w.deployed.blind = blind })
		env := w.env(t)
		after(env, 30*time.Minute, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.deployed.blind = nil
		})
		_, err := watchReleases(t, env)
		require.NoError(t, err)
		require.Equal(t, []string{"v4 watched proven"}, w.findings(2))
	})
}

func TestGoingForwardSaysSo(t *testing.T) {
	w := newReleased(func(w *world) {
		w.deployed.tag = "v2"
		w.deployed.sick["v2"] = "v2 answers 500"
		w.deployed.between = release.Comparison{Gained: 2}
	})
	delete(w.deployed.sick, "v4")
	var plan approval.Request
	r, err := w.attempt(t, workflows.RollbackInput{To: "v4"}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{noting(&plan, w.approve(env, "rollback", "kim"))}
	})
	require.NoError(t, err)
	require.Equal(t, "Deploy v4 of where2eat, which is newer than v2", plan.What)
	require.Equal(t, "none; it has 2 commits that v2 does not have", fact(t, plan.Facts, "Commits given up"))
	require.Equal(t, release.Healthy, r.State)
	require.Equal(t, []string{"v4 deployed proven"}, w.findings(2), "nobody went back from v2")
}

// Whoever started it by hand in the Temporal UI may be the one who approves it.
func TestTwoMustAgreeWhereNobodyVouchesForWhoAsked(t *testing.T) {
	w := newReleased()
	env := w.env(t)
	var alone *approval.Answer
	done := play(t, env, turn{"rollback", func(b *approval.Book) {
		alone = update(t, env, "first", w.vouched(env, b, "kim", approval.Approve))
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
	}})
	execute(env, workflows.TypeRollback, workflows.RollbackInput{Service: "where2eat"})
	require.NoError(t, env.GetWorkflowError())
	done()
	require.Equal(t, "counted: 1 of 2 approvals", alone.Text)
}

// An earlier attempt may have started it: what a later one fails with says nothing.
func TestCommandMayHaveBeenStartedBefore(t *testing.T) {
	w := newReleased()
	w.deployed.ends["deploy.deploy"] = []ending{{err: errors.New("the worker died")}, {err: recovery.NewFault(recovery.Permanent, errors.New("read config: line 3"), "")}}
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.approve(env, "rollback", "kim"), w.choose(env, "next", "kim", "leave")}
	})
	r := failedRollback(t, err, workflows.ErrorUnclear)
	require.Contains(t, r.Sentence, "nobody knows whether deploy.deploy ran to its end: run deploy.deploy: read config: line 3")
}
