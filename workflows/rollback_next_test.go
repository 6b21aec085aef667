package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// v2IsSick is a world in which the release that is gone back to is not well either.
func v2IsSick(w *world) { w.deployed.sick["v2"] = "v2 answers 500" }

const v2Failed = "v2 is deployed, v4 before; the service is not well: v2 answers 500"

func TestTargetThatIsNotWellIsAskedAbout(t *testing.T) {
	w := newReleased(v2IsSick)
	var next approval.Request
	r, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.approve(env, "rollback", "kim"), noting(&next, w.choose(env, "next", "rebecca", "deploy:v1"))}
	})
	require.NoError(t, err)

	require.Equal(t, "Roll back where2eat: what next?", next.What)
	require.Equal(t, "Choose…", next.Approve)
	require.Equal(t, "Put back v4", next.Reject)
	require.Equal(t, "sam", next.RequestedBy)
	require.Equal(t, []approval.Choice{
		{Key: "again", Label: "Once more", Detail: "run deploy.deploy again v2"},
		{Key: "deploy:v1", Label: "Deploy v1", Detail: "good: passed its checks for 10m, 2026-11-19 18:00 UTC; gives up 2 commits"},
		{Key: "leave", Label: "Leave it as it is", Detail: "and end this rollback"},
	}, next.Choices)
	require.Equal(t, []approval.Fact{
		{Label: "What happened", Value: v2Failed},
		{Label: "Deployed now", Value: "v2"},
		{Label: "The command's last words", Value: "step 2"},
		{Label: "If you refuse", Value: "put back v4"},
	}, next.Facts)
	require.Equal(t, v2Failed, w.board.loud()[0], "it is loud")
	require.Equal(t, []string{"kim", "rebecca"}, mentionedBy(w, v2Failed))

	require.Equal(t, release.Healthy, r.State)
	require.Regexp(t, `^v1 is deployed, v4 before; the service is well since .*; given up: 2 commits$`, r.Sentence)
	require.Equal(t, []string{"v4 v2", "v2 v1", "v4 v1"}, w.deployed.compared, "what is given up is that of the release that runs")
	require.Equal(t, []release.State{release.Unhealthy, release.Healthy}, states(r))
	require.Equal(t, []string{"run ./deploy.sh --tag v2 as default-test-run-id-1-deploy", "run ./deploy.sh --tag v1 as " + next.ID + "-deploy"}, w.only("run"))
	require.Equal(t, []string{"v2 deployed disproven", "v1 deployed proven", "v4 left disproven"}, w.findings(2))
	require.Equal(t, "the service is not well: v2 answers 500", w.deployed.records[2].Sentence)
}

func states(r *release.Rollback) []release.State {
	var states []release.State
	for _, c := range r.Changes {
		states = append(states, c.State)
	}
	return states
}

// mentionedBy names who is mentioned by a note.
func mentionedBy(w *world, text string) []string {
	for _, n := range w.board.notes {
		if n.Text == text {
			return n.Mention
		}
	}
	return nil
}

func TestWhatToDoNext(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(w *world)
		turns    func(w *world, env *testsuite.TestWorkflowEnvironment) []turn
		kind     string // of the error
		state    release.State
		sentence string
		tag      string // that runs in the end
		runs     int
	}{
		"refused: what was there is put back": {
			func(*world) {}, func(w *world, env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{w.reject(env, "next", "rebecca")}
			},
			workflows.ErrorUntouched, release.Undone, `v4 is deployed; the service is not well: the service did not pass "log in"`, "v4", 2,
		},
		"refused, and it is well now": {
			func(w *world) { delete(w.deployed.sick, "v4") }, func(w *world, env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{w.reject(env, "next", "rebecca")}
			},
			workflows.ErrorUntouched, release.Undone, `v4 is deployed; the service is well since `, "v4", 2,
		},
		"nobody decides": {
			func(*world) {}, func(*world, *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{{"next", func(*approval.Book) {}}}
			},
			workflows.ErrorUnhealthy, release.Unhealthy, v2Failed + "; nobody decided in time what to do next", "v2", 1,
		},
		"left as it is": {
			func(*world) {}, func(w *world, env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{w.choose(env, "next", "kim", "leave")}
			},
			workflows.ErrorUnhealthy, release.Unhealthy, v2Failed + "; left as it is by kim", "v2", 1,
		},
		"cancelled": {
			func(*world) {}, func(_ *world, env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{{"next", func(*approval.Book) { env.CancelWorkflow() }}}
			},
			workflows.ErrorUnhealthy, release.Unhealthy, v2Failed + "; what to do next was not decided: cancelled", "v2", 1,
		},
		"once more, and it works": {
			func(*world) {}, func(w *world, env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{{"next", func(b *approval.Book) { delete(w.deployed.sick, "v2"); w.chooses(env, b, "kim", "again") }}}
			},
			"", release.Healthy, "v2 is deployed, v4 before; the service is well since ", "v2", 2,
		},
		"once more in vain, then back": {
			func(*world) {}, func(w *world, env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{w.choose(env, "next", "kim", "again"), w.reject(env, "next", "kim")}
			},
			workflows.ErrorUntouched, release.Undone, "v4 is deployed; ", "v4", 3,
		},
		"what was there cannot be put back, and is left so": {
			func(w *world) { w.deployed.ends["deploy.deploy"] = []ending{{}, {failure: "it ended with 1"}} },
			func(w *world, env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{w.reject(env, "next", "kim"), w.choose(env, "next", "kim", "leave")}
			},
			workflows.ErrorUnhealthy, release.Refused, "deploy.deploy did not work: it ended with 1; left as it is by kim", "v2", 2,
		},
		"putting it back is tried once more": {
			func(w *world) { w.deployed.ends["deploy.deploy"] = []ending{{}, {failure: "it ended with 1"}} },
			func(w *world, env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{w.reject(env, "next", "kim"), w.choose(env, "next", "kim", "again")}
			},
			workflows.ErrorUntouched, release.Undone, "v4 is deployed; ", "v4", 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(v2IsSick, c.change)
			r, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
				return append([]turn{w.approve(env, "rollback", "kim")}, c.turns(w, env)...)
			})
			if c.kind != "" {
				r = failedRollback(t, err, c.kind)
				require.Equal(t, card.Failed, w.board.last().State)
				loud := w.board.loud()
				require.Equal(t, r.Sentence, loud[len(loud)-1])
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, c.state, r.State)
			require.Equal(t, c.sentence, r.Sentence[:min(len(r.Sentence), len(c.sentence))])
			require.Equal(t, c.tag, w.deployed.tag)
			require.Len(t, w.only("run"), c.runs)
			require.NotContains(t, w.findings(2), "v4 deployed proven", "putting it back says nothing of it")
			require.NotContains(t, w.findings(2), "v4 deployed disproven")
		})
	}
}

// What the first approval allowed is done; each further step needs its own.
func TestEachStepHasItsOwnApproval(t *testing.T) {
	w := newReleased(v2IsSick)
	var first approval.Decision
	var answer *approval.Answer
	env := w.env(t)
	done := play(t, env, turn{"rollback", func(b *approval.Book) {
		first = w.vouched(env, b, "kim", approval.Approve)
		env.SignalWorkflow(workflows.Decide, first)
	}}, turn{"next", func(*approval.Book) { answer = update(t, env, "again", first) }}, w.choose(env, "next", "kim", "leave"))
	_, err := w.rollBack(t, env, workflows.RollbackInput{})
	require.Error(t, err)
	done()
	require.False(t, answer.Accepted)
	require.Contains(t, answer.Text, "this request is not open any more")
	require.Len(t, w.only("run"), 1)
}

// What somebody deployed while people thought is not replaced unasked.
func TestPuttingBackLooksWhatIsDeployed(t *testing.T) {
	w := newReleased(v2IsSick)
	var again approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.approve(env, "rollback", "kim"), {"next", func(b *approval.Book) {
			w.deployed.tag = "v3"
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Reject))
		}}, noting(&again, w.reject(env, "next", "kim"))}
	})
	require.Equal(t, "this run did nothing: v3 is deployed now, not v2", fact(t, again.Facts, "What happened"))
	r := failedRollback(t, err, workflows.ErrorUntouched)
	require.Equal(t, []release.State{release.Unhealthy, release.Stale, release.Unhealthy}, states(r))
	require.Equal(t, "v4", w.deployed.tag)
	require.Len(t, w.only("run"), 2)
}

func TestWhatIsOlderDoesNotDependOnPuttingBack(t *testing.T) {
	w := newReleased(v2IsSick)
	w.deployed.ends["deploy.deploy"] = []ending{{}, {failure: "it ended with 1"}}
	var next approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.approve(env, "rollback", "kim"), w.reject(env, "next", "kim"), noting(&next, w.choose(env, "next", "kim", "leave"))}
	})
	failedRollback(t, err, workflows.ErrorUnhealthy)
	require.Equal(t, []string{"again", "deploy:v1", "leave"}, keys(next), "v2 was tried")
}

func TestNoQuickRemedyIsOfferedWhereAReleaseWasNamed(t *testing.T) {
	w := newReleased(v2IsSick, quickRemedies)
	var next approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{To: "v2"}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.approve(env, "rollback", "kim"), noting(&next, w.choose(env, "next", "kim", "leave"))}
	})
	failedRollback(t, err, workflows.ErrorUnhealthy)
	require.Equal(t, []string{"again", "deploy:v1", "leave"}, keys(next))
}

func TestNothingOlderIsOffered(t *testing.T) {
	w := newReleased(func(w *world) { w.deployed.sick["v1"] = "v1 answers 500" })
	var next approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{To: "v1"}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.approve(env, "rollback", "kim"), noting(&next, w.choose(env, "next", "kim", "leave"))}
	})
	failedRollback(t, err, workflows.ErrorUnhealthy)
	require.Equal(t, []string{"again", "leave"}, keys(next), "there is no older one")
}

func TestQuickRemedyThatDoesNotHelp(t *testing.T) {
	for name, c := range map[string]struct {
		turns func(w *world, env *testsuite.TestWorkflowEnvironment, next *approval.Request) []turn
		kind  string
		state release.State
		runs  []string
		left  string // what the quick remedy has left
		found []string
	}{
		"it is undone": {
			func(w *world, env *testsuite.TestWorkflowEnvironment, next *approval.Request) []turn {
				return []turn{noting(next, w.reject(env, "next", "kim"))}
			},
			workflows.ErrorUntouched, release.Undone,
			[]string{"run ./flag.sh off", "run ./flag.sh on"},
			"",
			[]string{},
		},
		"the good release helps": {
			func(w *world, env *testsuite.TestWorkflowEnvironment, next *approval.Request) []turn {
				return []turn{noting(next, w.choose(env, "next", "kim", "deploy:v2"))}
			},
			"", release.Healthy,
			[]string{"run ./flag.sh off", "run ./deploy.sh --tag v2"},
			" without the flag",
			[]string{"v2 deployed proven", "v4 left disproven"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(quickRemedies, func(w *world) { w.deployed.sick["v4 without the flag"] = "still 500" })
			var next approval.Request
			r, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
				return append([]turn{w.choose(env, "rollback", "kim", "flagOff")}, c.turns(w, env, &next)...)
			})
			if c.kind != "" {
				r = failedRollback(t, err, c.kind)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, "Turn the flag on again", next.Reject)
			require.Equal(t, []string{"again", "deploy:v2", "switch", "leave"}, keys(next))
			require.Equal(t, "the flag is off; the service is not well: still 500", fact(t, next.Facts, "What happened"))
			require.Equal(t, c.state, r.State)
			for i, run := range w.only("run") {
				require.Contains(t, run, c.runs[i]+" as ")
			}
			require.Len(t, w.only("run"), len(c.runs))
			require.Equal(t, c.left, w.deployed.remedied)
			require.Equal(t, c.found, append([]string{}, w.findings(2)...), "what did not help is no remedy")
		})
	}
}

func TestQuickRemedyThatCannotBeUndoneIsLeftWhenItIsRefused(t *testing.T) {
	w := newReleased(quickRemedies, func(w *world) {
		w.plan.Deploy.FlagOn = nil
		w.deployed.sick["v4 without the flag"] = "still 500"
	})
	var next approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.choose(env, "rollback", "kim", "flagOff"), noting(&next, w.reject(env, "next", "kim"))}
	})
	r := failedRollback(t, err, workflows.ErrorUnhealthy)
	require.Equal(t, "Leave it as it is", next.Reject)
	require.Equal(t, "leave it as it is", fact(t, next.Facts, "If you refuse"))
	require.Equal(t, "the flag is off; the service is not well: still 500; left as it is by kim", r.Sentence)
	require.Len(t, w.only("run"), 1)
}

// What people agree to is the release that they were shown as deployed.
func TestRollbackAsksAgainIfAnotherReleaseWasDeployed(t *testing.T) {
	w := newReleased()
	var digests, froms []string
	turnOf := func(env *testsuite.TestWorkflowEnvironment, meanwhile string) turn {
		return turn{"rollback", func(b *approval.Book) {
			digests, froms = append(digests, b.Request.Digest), append(froms, b.Request.What)
			w.deployed.tag = meanwhile
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
		}}
	}
	env := w.env(t)
	done := play(t, env, turnOf(env, "v3"), turnOf(env, "v3"))
	r, err := w.rollBack(t, env, workflows.RollbackInput{})
	require.NoError(t, err)
	done()
	require.NotEqual(t, digests[0], digests[1])
	require.Equal(t, []string{"Roll back where2eat from v4 to v2", "Roll back where2eat from v3 to v2"}, froms)
	require.Equal(t, "this run did nothing: v3 is deployed now, not v4: asking again", doneLike(t, env, "this run did nothing"))
	require.Len(t, w.only("run"), 1, "the first approval ran nothing")
	require.Equal(t, []release.State{release.Healthy}, states(r))
	require.Equal(t, "v3", r.From.Tag)
	require.Equal(t, []string{"v2 deployed proven", "v3 left disproven"}, w.findings(2))
}

func TestWhatToDoNextIsAskedAgainIfAnotherReleaseWasDeployed(t *testing.T) {
	w := newReleased(v2IsSick)
	r, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.approve(env, "rollback", "kim"), {"next", func(b *approval.Book) {
			w.deployed.tag = "v3"
			w.chooses(env, b, "kim", "deploy:v1")
		}}, w.choose(env, "next", "kim", "again")}
	})
	require.NoError(t, err)
	require.Equal(t, []release.State{release.Unhealthy, release.Stale, release.Healthy}, states(r))
	require.Equal(t, "this run did nothing: v3 is deployed now, not v2", r.Changes[1].Sentence)
	require.Equal(t, "v1", w.deployed.tag)
	require.Len(t, w.only("run"), 2)
}

func TestCommandThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		end      ending
		sentence string
		tag      string
	}{
		"it ends badly":                {ending{failure: "it ended with 1"}, "deploy.deploy did not work: it ended with 1", "v4"},
		"it ends well and did nothing": {ending{idle: true}, "deploy.deploy did not do it: v4 is deployed now, not v2", "v4"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased()
			w.deployed.ends["deploy.deploy"] = []ending{c.end}
			var next approval.Request
			r, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{w.approve(env, "rollback", "kim"), noting(&next, w.choose(env, "next", "kim", "again"))}
			})
			require.NoError(t, err)
			require.Equal(t, c.sentence, fact(t, next.Facts, "What happened"))
			require.Equal(t, "v4", fact(t, next.Facts, "Deployed now"))
			require.Equal(t, "step 2", fact(t, next.Facts, "The command's last words"))
			require.Equal(t, `the service is not well: the service did not pass "log in"`, fact(t, next.Facts, "How it is"))
			require.Equal(t, []string{"again", "deploy:v1", "leave"}, keys(next))
			require.Equal(t, []release.State{release.Refused, release.Healthy}, states(r))
			require.Equal(t, c.sentence, w.board.loud()[0])
			require.Equal(t, []string{"v2 deployed proven", "v4 left disproven"}, w.findings(2), "a command that failed says nothing of the release")
		})
	}
}

func TestRefusingPutsBackTheQuickRemedyToo(t *testing.T) {
	w := newReleased(v2IsSick, quickRemedies, func(w *world) {
		w.deployed.sick["v4 without the flag"] = "still 500"
		w.deployed.sick["v2 without the flag"] = "still 500"
	})
	var last approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.choose(env, "rollback", "kim", "flagOff"), w.choose(env, "next", "kim", "deploy:v2"), noting(&last, w.reject(env, "next", "rebecca"))}
	})
	r := failedRollback(t, err, workflows.ErrorUntouched)
	require.Equal(t, "Put back v4, and turn the flag on again", last.Reject)
	require.Equal(t, []string{
		"run ./flag.sh off as default-test-run-id-1-flagOff", "run ./deploy.sh --tag v2 as default-test-run-id-2-deploy",
		"run ./deploy.sh --tag v4 as " + last.ID + "-deploy", "run ./flag.sh on as " + last.ID + "-flagOn",
	}, w.only("run"))
	require.Equal(t, release.Undone, r.State)
	require.Regexp(t, `^v4 is deployed; the service is not well: .*; the flag is on again; the service is not well: `, r.Sentence)
}
