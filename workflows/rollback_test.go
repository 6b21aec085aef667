package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func TestRollbackToTheLastGoodRelease(t *testing.T) {
	w := newReleased(func(w *world) {
		w.deployed.between.Warnings = []string{"migration 12 cannot be undone", "the flag search is new"}
		w.seen("v4", release.Watched, recovery.Disproven, time.Hour).Sentence = "it did not pass its checks"
	})
	env := w.env(t)
	outcomes := noteOutcomes(env)
	var plan approval.Request
	done := play(t, env, noting(&plan, w.approve(env, "rollback", "rebecca")))
	r, err := w.rollBack(t, env, workflows.RollbackInput{})
	require.NoError(t, err)
	done()

	require.Equal(t, "Roll back where2eat from v4 to v2", plan.What)
	require.Equal(t, "Roll back", plan.Approve)
	require.Equal(t, "Do nothing", plan.Reject)
	require.Equal(t, "PRODUCTION: where2eat on host web1", plan.Where)
	require.Equal(t, "sam", plan.RequestedBy)
	require.True(t, plan.Destructive)
	require.Empty(t, plan.Choices, "there is nothing to choose")
	require.Empty(t, plan.Confirm, "one click is enough")
	require.Equal(t, []approval.Fact{
		{Label: "Deployed now", Value: "v4 (c0ffeev), BAD: it did not pass its checks, 2026-11-22 17:00 UTC"},
		{Label: "Goes back to", Value: "v2 (c0ffeev), good: passed its checks for 10m, 2026-11-20 18:00 UTC"},
		{Label: "Commits given up", Value: "2: c0ffeev4 Log in by mail; c0ffeev3 Show the menu"},
		{Label: "Risks", Value: "migration 12 cannot be undone; the flag search is new"},
		{Label: "Expected to take", Value: "not known: this is the first rollback"},
	}, plan.Facts)

	require.Equal(t, []string{"run ./deploy.sh --tag v2 as " + plan.ID + "-deploy"}, w.only("run"), "once, under the key of the approval")
	require.Equal(t, "v2", w.deployed.tag)
	require.Equal(t, []string{"decide rollback: approved"}, w.only("decide"), "there is nothing to undo")

	require.Equal(t, release.Healthy, r.State)
	require.Equal(t, "sam", r.By)
	require.Equal(t, release.Tag{Tag: "v4", Commit: "c0ffeev4"}, r.From)
	require.Equal(t, 2, r.Commits)
	require.True(t, r.UndoTil.IsZero())
	require.Regexp(t, `^v2 is deployed, v4 before; the service is well since \S+ after the approval, and stayed so for 1m \(\d+ checks\); given up: 2 commits$`, r.Sentence)
	require.Len(t, r.Changes, 1)
	change := r.Last()
	require.Equal(t, release.Deploy, change.Remedy)
	require.Equal(t, took, change.Ran.Std())
	require.Equal(t, "step 1\nstep 2\n", change.Output)
	require.GreaterOrEqual(t, change.Stayed.Std(), time.Minute)
	require.Equal(t, w.decisions[0].Settled, change.Approved)

	require.Equal(t, []string{"v2 deployed proven", "v4 left disproven"}, w.findings(3))
	deployed, leaving := w.deployed.records[3], w.deployed.records[4]
	require.Equal(t, change.Took, deployed.Took)
	require.Equal(t, change.Stayed, deployed.For)
	require.Equal(t, change.Checks, deployed.Checks)
	require.Equal(t, "rebecca", deployed.By)
	require.Equal(t, workflows.ChangeID("where2eat"), deployed.Run.WorkflowID)
	require.Equal(t, release.RecordFormat, deployed.Format)
	require.Equal(t, "people went back from it to v2", leaving.Sentence)
	require.Equal(t, "c0ffeev4", leaving.Commit)

	require.Equal(t, "healthy", (*outcomes)[len(*outcomes)-1])
	require.Equal(t, r.Sentence, status(t, env).RolledBack.Sentence, "who waits for it reads the same")
	require.Equal(t, card.Done, w.board.last().State)
	require.Equal(t, r.Sentence, w.board.last().Line)
	require.Equal(t, "Roll back where2eat", w.board.last().Title)
	require.Equal(t, []string{r.Sentence}, w.board.loud())
}

// The time that counts is that from the approval until the service is well.
func TestRollbackTellsHowLongItTook(t *testing.T) {
	w := newReleased()
	w.plan.Live.Timeout = recovery.Duration(time.Minute)
	w.deployed.sick["v2"] = "connection refused"
	env := w.env(t)
	play(t, env, turn{"rollback", func(b *approval.Book) {
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
		after(env, 25*time.Second, func() { w.mu.Lock(); defer w.mu.Unlock(); delete(w.deployed.sick, "v2") })
	}})
	r, err := w.rollBack(t, env, workflows.RollbackInput{})
	require.NoError(t, err)
	require.InDelta(t, 28*time.Second, r.Last().Took.Std(), float64(4*time.Second), "it came up meanwhile")
	require.GreaterOrEqual(t, r.Last().Stayed.Std(), time.Minute)
	require.Equal(t, r.Last().Took, w.deployed.records[2].Took)
}

func TestRollbackExpectsWhatItTookBefore(t *testing.T) {
	w := newReleased(func(w *world) {
		w.seen("v1", release.Deployed, recovery.Proven, 60*time.Hour).Took = recovery.Duration(50 * time.Second)
	})
	var plan approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{noting(&plan, w.reject(env, "rollback", "kim"))}
	})
	require.Error(t, err)
	require.Equal(t, "50s, as the last rollback did", fact(t, plan.Facts, "Expected to take"))
}

func TestRollbackPlanSaysWhatIsNotKnown(t *testing.T) {
	for name, c := range map[string]struct {
		change      func(w *world)
		label, want string
	}{
		"no commit between":       {func(w *world) { w.deployed.between = release.Comparison{} }, "Commits given up", "none"},
		"many commits":            {func(w *world) { w.deployed.between.More = 31 }, "Commits given up", "33: c0ffeev4 Log in by mail; c0ffeev3 Show the menu; and 31 more"},
		"on different lines":      {func(w *world) { w.deployed.between.Gained = 1 }, "Commits given up", "2: c0ffeev4 Log in by mail; c0ffeev3 Show the menu (and 1 commit that it does not have)"},
		"commits are not known":   {func(w *world) { w.deployed.between = release.Comparison{Unknown: "there is no Git repository"} }, "Commits given up", "not known: there is no Git repository"},
		"no risk":                 {func(*world) {}, "Risks", "none was found"},
		"risks are not known":     {func(w *world) { w.deployed.between.Unwarned = "warn.sh ended with 2" }, "Risks", "not known: warn.sh ended with 2"},
		"they cannot be compared": {func(w *world) { w.deployed.compareErr = mended("git is not there") }, "Commits given up", "not known: compare v4 with v2: git is not there"},
		"nor warned of":           {func(w *world) { w.deployed.compareErr = mended("git is not there") }, "Risks", "not known: compare v4 with v2: git is not there"},
		"what is deployed is odd": {func(w *world) { w.deployed.tag = "hotfix" }, "Deployed now", "hotfix (c0ffeeh)"},
		"nothing is known of it":  {func(*world) {}, "Deployed now", "v4 (c0ffeev), UNPROVEN"},
		"tags cannot be listed":   {func(w *world) { w.deployed.tagsErr = mended("no repository") }, "Goes back to", "v2 (c0ffeev), good: passed its checks for 10m, 2026-11-20 18:00 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(c.change)
			var plan approval.Request
			_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{noting(&plan, w.reject(env, "rollback", "kim"))}
			})
			require.Error(t, err)
			require.Equal(t, c.want, fact(t, plan.Facts, c.label))
		})
	}
}

func TestRollbackThatIsNotApproved(t *testing.T) {
	for name, c := range map[string]struct {
		decide func(w *world, env *testsuite.TestWorkflowEnvironment) []turn
		want   string
	}{
		"rejected": {func(w *world, env *testsuite.TestWorkflowEnvironment) []turn {
			return []turn{w.reject(env, "rollback", "kim")}
		}, "rejected by kim: not now; nothing was changed"},
		"expired": {func(*world, *testsuite.TestWorkflowEnvironment) []turn {
			return []turn{{"rollback", func(*approval.Book) {}}}
		}, "nobody decided in time; nothing was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased()
			_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn { return c.decide(w, env) })
			kind, message, _ := failure(t, err)
			require.Equal(t, workflows.ErrorNotApproved, kind)
			require.Equal(t, c.want, message)
			require.Equal(t, card.Cancelled, w.board.last().State)
			require.Empty(t, w.only("run"))
			require.Equal(t, "v4", w.deployed.tag)
			require.Empty(t, w.findings(2))
		})
	}
}

func TestRollbackThatIsRefusedAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		in     workflows.RollbackInput
		want   string
	}{
		"nobody may decide": {
			func(w *world) { w.plan.Approvals.Rollback = nil },
			workflows.RollbackInput{},
			"roll back where2eat: nobody may decide it: write approvals.policies.rollback into the config",
		},
		"nobody knows how it is deployed": {
			func(w *world) { w.plan.Deploy = nil },
			workflows.RollbackInput{},
			"look at the releases of where2eat: the config does not say how it is deployed: write deploy and live into it, as docs/rollback.md shows",
		},
		"nobody knows when it is well": {
			func(w *world) { w.plan.Live = nil },
			workflows.RollbackInput{},
			"look at the releases of where2eat: the config does not say how it is deployed: write deploy and live into it, as docs/rollback.md shows",
		},
		"an odd tag": {func(*world) {}, workflows.RollbackInput{To: "v2; reboot"}, `read input: to: read tag "v2; reboot": use 1 to 200 letters`},
		"an unknown tag": {
			func(*world) {},
			workflows.RollbackInput{To: "v9"},
			`roll back where2eat: there is no release "v9"; the newest are v4, v3, v2, v1`,
		},
		"what is deployed": {func(*world) {}, workflows.RollbackInput{To: "v4"}, "roll back where2eat: v4 is deployed already"},
		"no other release": {
			func(w *world) { w.deployed.tags = w.deployed.tags[:1]; noEvidence(w) },
			workflows.RollbackInput{},
			`roll back where2eat: no other release is known: name one by "to", or write deploy.repo or deploy.releases into the config`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(c.change)
			_, err := w.rollBack(t, w.env(t), c.in)
			kind, message, _ := failure(t, err)
			require.Equal(t, workflows.ErrorBadInput, kind)
			require.Contains(t, message, c.want)
			require.Empty(t, w.log, "nothing was done, nobody was asked")
		})
	}
}

// A bucket that is away keeps nobody from rolling back.
func TestRollbackWhoseFindingsCannotBeRecorded(t *testing.T) {
	w := newReleased()
	env := w.env(t)
	play(t, env, turn{"rollback", func(b *approval.Book) {
		w.deployed.recordErr = errors.New("connection refused")
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
	}})
	r, err := w.rollBack(t, env, workflows.RollbackInput{})
	require.NoError(t, err)
	require.Equal(t, release.Healthy, r.State)
	require.Less(t, r.Last().Took.Std(), time.Minute, "it is no part of the time")
	require.Empty(t, w.findings(2))
	require.Regexp(t, `^what was found about v2 could not be recorded: record what was found about v2: gave up after 2m\S*: .*connection refused$`, doneLike(t, env, "what was found about v2"))
}
