package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// lost is a command of which nobody knows how it ended; it did what it is for.
var lost = ending{lost: "the host was restarted"}

// unfinished is one that did not.
var unfinished = ending{lost: "the host was restarted", idle: true}

const nobodyKnows = "nobody knows whether deploy.deploy ran to its end: the host was restarted"

func TestCommandOfWhichNobodyKnowsHowItEnded(t *testing.T) {
	for name, c := range map[string]struct {
		end      ending
		answers  []string // "reject", or a choice
		kind     string
		states   []release.State
		sentence string
		tag      string
		runs     int
	}{
		"it ran": {
			lost,
			[]string{"ran"},
			"",
			[]release.State{release.Unknown, release.Healthy},
			"v2 is deployed, v4 before; the service is well since ", "v2", 1,
		},
		"it is said to have run, and did not": {
			unfinished,
			[]string{"ran", "leave"},
			workflows.ErrorUnhealthy,
			[]release.State{release.Unknown, release.Refused},
			"deploy.deploy did not do it: v4 is deployed now, not v2; left as it is by kim", "v4", 1,
		},
		"it is said to have run, did not, and runs once more": {
			unfinished,
			[]string{"ran", "again"},
			"",
			[]release.State{release.Unknown, release.Refused, release.Healthy},
			"v2 is deployed, v4 before; the service is well since ", "v2", 2,
		},
		"once more": {
			unfinished,
			[]string{"again"},
			"",
			[]release.State{release.Unknown, release.Healthy},
			"v2 is deployed, v4 before; the service is well since ", "v2", 2,
		},
		"refused": {
			lost,
			[]string{"reject"},
			workflows.ErrorUntouched,
			[]release.State{release.Unknown, release.Unhealthy},
			"v4 is deployed; the service is not well: ", "v4", 2,
		},
		"left": {
			lost,
			[]string{"leave"},
			workflows.ErrorUnclear,
			[]release.State{release.Unknown},
			nobodyKnows + "; left as it is by kim", "v2", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased()
			w.deployed.ends["deploy.deploy"] = []ending{c.end}
			var next approval.Request
			r, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
				turns := []turn{w.approve(env, "rollback", "kim")}
				for _, answer := range c.answers {
					then := w.choose(env, "next", "kim", answer)
					if answer == "reject" {
						then = w.reject(env, "next", "kim")
					}
					if len(turns) == 1 {
						then = noting(&next, then)
					}
					turns = append(turns, then)
				}
				return turns
			})
			if c.kind != "" {
				r = failedRollback(t, err, c.kind)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, []string{"ran", "again", "deploy:v1", "leave"}, keys(next))
			require.Equal(t, nobodyKnows, fact(t, next.Facts, "What happened"))
			require.NotEmpty(t, fact(t, next.Facts, "How it is"))
			require.Equal(t, nobodyKnows, w.board.loud()[0])
			require.Equal(t, c.states, states(r))
			require.Equal(t, c.sentence, r.Sentence[:min(len(r.Sentence), len(c.sentence))])
			require.Equal(t, c.tag, w.deployed.tag)
			require.Len(t, w.only("run"), c.runs)
		})
	}
}

// A quick remedy that was lost can be undone like any other once it is known that it
// helped.
func TestQuickRemedyOfWhichNobodyKnewHowItEnded(t *testing.T) {
	w := newReleased(quickRemedies)
	w.deployed.ends["deploy.flagOff"] = []ending{lost}
	r, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.choose(env, "rollback", "kim", "flagOff"), w.choose(env, "next", "kim", "ran"), w.approve(env, "undo", "kim")}
	})
	require.NoError(t, err)
	require.Equal(t, release.Undone, r.State)
	require.Equal(t, []string{"run ./flag.sh off as default-test-run-id-1-flagOff", "run ./flag.sh on as default-test-run-id-3-flagOn"}, w.only("run"))
	require.Equal(t, "turning the flag off", w.deployed.records[2].Sentence)
}

// What puts back what was there, and is lost, is still that when it is found to have
// run.
func TestPuttingBackOfWhichNobodyKnewHowItEnded(t *testing.T) {
	w := newReleased(v2IsSick)
	w.deployed.ends["deploy.deploy"] = []ending{{}, lost}
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.approve(env, "rollback", "kim"), w.reject(env, "next", "kim"), w.choose(env, "next", "kim", "ran")}
	})
	r := failedRollback(t, err, workflows.ErrorUntouched)
	require.Equal(t, release.Undone, r.State)
	require.Equal(t, []string{"v2 deployed disproven"}, w.findings(2))
}

func TestRepeatableCommandIsRunAgainByItself(t *testing.T) {
	for name, c := range map[string]struct {
		ends  []ending
		keys  []string
		state release.State
	}{
		"the second works":                {[]ending{unfinished}, []string{"", ".2"}, release.Healthy},
		"the third works":                 {[]ending{unfinished, unfinished}, []string{"", ".2", ".3"}, release.Healthy},
		"three are enough":                {[]ending{unfinished, unfinished, unfinished}, []string{"", ".2", ".3"}, release.Unknown},
		"one that failed is not repeated": {[]ending{unfinished, {failure: "it ended with 1"}}, []string{"", ".2"}, release.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(func(w *world) { w.plan.Deploy.Repeatable = true })
			w.deployed.ends["deploy.deploy"] = c.ends
			env := w.env(t)
			play(t, env, w.approve(env, "rollback", "kim"))
			r, err := w.rollBack(t, env, workflows.RollbackInput{})
			if err != nil {
				require.NoError(t, appError(t, err).Details(&r))
			}
			require.Equal(t, c.state, r.State)
			var want []string
			for _, suffix := range c.keys {
				want = append(want, "run ./deploy.sh --tag v2 as default-test-run-id-1-deploy"+suffix)
			}
			require.Equal(t, want, w.only("run"))
			require.Equal(t, "deploy.deploy is run again, as it may be: the host was restarted", doneLike(t, env, "deploy.deploy is run again"))
		})
	}
}

// A worker that dies does not make the command run again: whoever asks next is told
// how it ended.
func TestCommandWhoseWorkerDies(t *testing.T) {
	w := newReleased()
	env := w.env(t)
	hosts := activities.Hosts{Commands: w, Deploys: w, Stores: w}
	tries := 0
	env.OnActivity("RunOnce", anything, anything).Return(func(ctx context.Context, in activities.RunOnceInput) (*recovery.CommandOutcome, error) {
		outcome, err := hosts.RunOnce(ctx, in)
		if tries++; tries == 1 {
			return nil, temporal.NewApplicationError("the worker is going down", activities.ErrorInterrupted)
		}
		return outcome, err
	})
	play(t, env, w.approve(env, "rollback", "kim"))
	r, err := w.rollBack(t, env, workflows.RollbackInput{})
	require.NoError(t, err)
	require.Equal(t, release.Healthy, r.State)
	require.Equal(t, 2, tries)
	require.Len(t, w.only("run"), 1)
}

func TestCommandThatDoesNotStart(t *testing.T) {
	t.Run("at first: nothing was changed", func(t *testing.T) {
		w := newReleased()
		w.deployed.ends["deploy.deploy"] = []ending{{err: mended("./deploy.sh is not there")}}
		_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
			return []turn{w.approve(env, "rollback", "kim")}
		})
		app := appError(t, err)
		require.Equal(t, activities.ErrorPermanent, app.Type())
		require.Equal(t, "run deploy.deploy: ./deploy.sh is not there", app.Message())
		require.False(t, app.HasDetails())
		require.Equal(t, []string{"failed: run deploy.deploy: ./deploy.sh is not there"}, w.board.loud())
		require.Equal(t, card.Failed, w.board.last().State)
		require.Empty(t, w.findings(2))
	})
	t.Run("later: it is asked again", func(t *testing.T) {
		w := newReleased(v2IsSick)
		w.deployed.ends["deploy.deploy"] = []ending{{}, {err: mended("./deploy.sh is not there")}}
		_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
			return []turn{w.approve(env, "rollback", "kim"), w.choose(env, "next", "kim", "deploy:v1"), w.choose(env, "next", "kim", "leave")}
		})
		r := failedRollback(t, err, workflows.ErrorUnhealthy)
		require.Equal(t, []release.State{release.Unhealthy, release.Refused}, states(r))
		require.Equal(t, "nothing was done: run deploy.deploy: ./deploy.sh is not there; left as it is by kim", r.Sentence)
		require.Equal(t, "v2", w.deployed.tag)
	})
	t.Run("nobody answers for half an hour: it may have", func(t *testing.T) {
		w := newReleased()
		var ends []ending
		for range 100 {
			ends = append(ends, ending{err: errors.New("connection refused")})
		}
		w.deployed.ends["deploy.deploy"] = ends
		_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
			return []turn{w.approve(env, "rollback", "kim"), w.choose(env, "next", "kim", "leave")}
		})
		r := failedRollback(t, err, workflows.ErrorUnclear)
		require.Regexp(t, `^nobody knows whether deploy.deploy ran to its end: run deploy.deploy: gave up after 3\dm\S*: connection refused; left as it is by kim$`, r.Sentence)
	})
}

// Another host that took part has started it: then nobody here runs it.
func TestCommandThatAnotherHostHasStarted(t *testing.T) {
	w := newReleased()
	w.deployed.claims["default-test-run-id-1-deploy"] = "nonce of another host"
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.approve(env, "rollback", "kim"), w.choose(env, "next", "kim", "leave")}
	})
	r := failedRollback(t, err, workflows.ErrorUnclear)
	require.Equal(t, "nobody knows whether deploy.deploy ran to its end: another host has started it; left as it is by kim", r.Sentence)
	require.Empty(t, w.only("run"))
}

func TestCancelBeforeTheCommand(t *testing.T) {
	for name, c := range map[string]struct {
		step    string // that goes on as it is cancelled
		after   time.Duration
		decided string
	}{
		"while it waits for a decision":           {"", time.Minute, "decide rollback: withdrawn"},
		"while it looks whether it may still run": {"CurrentRelease", 3*time.Hour + time.Minute, "decide rollback: approved"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased()
			env := w.env(t)
			if c.step != "" {
				env.OnActivity(c.step, anything, anything).After(2*time.Hour).Return(&release.Tag{Tag: "v4"}, nil)
				after(env, 2*time.Hour+time.Minute, func() {
					env.SignalWorkflow(workflows.Decide, w.vouched(env, pending(t, env), "kim", approval.Approve))
				})
			}
			after(env, c.after, env.CancelWorkflow)
			_, err := w.rollBack(t, env, workflows.RollbackInput{})
			require.True(t, temporal.IsCanceledError(err), err)
			require.Equal(t, []string{c.decided}, w.only("decide"))
			require.Equal(t, "cancelled; nothing was changed", w.board.last().Line)
			require.Equal(t, card.Cancelled, w.board.last().State)
			require.Empty(t, w.only("run"))
			require.Equal(t, "v4", w.deployed.tag)
		})
	}
}

func TestRemedyThatIsCancelledBeforeItsFirstStep(t *testing.T) {
	w := newReleased()
	env := w.env(t)
	after(env, 0, env.CancelWorkflow)
	env.ExecuteWorkflow(workflows.TypeChangeRelease, workflows.ChangeReleaseInput{Plan: w.plan, Remedy: release.Deploy, To: release.Tag{Tag: "v2"}, Key: "k"})
	require.True(t, temporal.IsCanceledError(env.GetWorkflowError()))
	require.Empty(t, w.log)
}

// A command that runs is not cut: what became of it is told.
func TestCancelWhileTheCommandRuns(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(w *world)
		kind     string
		state    release.State
		sentence string
	}{
		"it helps":    {func(*world) {}, "", release.Healthy, "v2 is deployed, v4 before; the service is well since "},
		"it does not": {v2IsSick, workflows.ErrorUnhealthy, release.Unhealthy, v2Failed + "; what to do next was not decided: cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(c.change)
			env := w.env(t)
			hosts := activities.Hosts{Commands: w, Deploys: w, Stores: w}
			env.OnActivity("RunOnce", anything, anything).After(5 * time.Minute).Return(hosts.RunOnce)
			play(t, env, w.approve(env, "rollback", "kim"))
			after(env, 2*time.Minute, env.CancelWorkflow)
			r, err := w.rollBack(t, env, workflows.RollbackInput{})
			if c.kind != "" {
				r = failedRollback(t, err, c.kind)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, c.state, r.State)
			require.Equal(t, c.sentence, r.Sentence[:min(len(r.Sentence), len(c.sentence))])
			require.Len(t, w.only("run"), 1)
			require.Equal(t, "v2", w.deployed.tag)
			require.NotZero(t, r.Last().Checks, "it was seen how the service is")
		})
	}
}
