package workflows_test

import (
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

func TestRollbackToAReleaseThatWasNamed(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(w *world)
		to       string
		standing string
	}{
		"a good one":               {quickRemedies, "v1", "v1 (c0ffeev), good: passed its checks for 10m, 2026-11-19 18:00 UTC"},
		"one that nobody has seen": {quickRemedies, "v3", "v3 (c0ffeev), UNPROVEN"},
		"a bad one": {
			func(w *world) {
				w.seen("v3", release.Left, recovery.Disproven, time.Hour).Sentence = "people went back from it to v2"
			},
			"v3", "v3 (c0ffeev), BAD: people went back from it to v2, 2026-11-22 17:00 UTC",
		},
		"one of which nobody knows whether it is there": {
			func(w *world) { w.deployed.tagsErr = mended("no repository") }, "v0", "v0, UNPROVEN",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(c.change)
			var plan approval.Request
			r, err := w.attempt(t, workflows.RollbackInput{To: c.to}, func(env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{noting(&plan, w.approve(env, "rollback", "kim"))}
			})
			require.NoError(t, err)
			require.Equal(t, "Roll back where2eat from v4 to "+c.to, plan.What)
			require.Empty(t, plan.Choices, "no quick remedy is offered")
			require.Equal(t, c.standing, fact(t, plan.Facts, "Goes back to"))
			require.Equal(t, []string{"v4 " + c.to}, w.deployed.compared)
			require.Equal(t, release.Healthy, r.State)
			require.Equal(t, c.to, w.deployed.tag)
		})
	}
}

func TestRollbackWithoutEvidence(t *testing.T) {
	w := newReleased(noEvidence)
	var plan approval.Request
	var without *approval.Answer
	env := w.env(t)
	done := play(t, env, turn{"rollback", func(b *approval.Book) {
		plan = b.Request
		without = update(t, env, "click", w.vouched(env, b, "kim", approval.Approve))
		w.chooses(env, b, "kim", "deploy:v1")
	}})
	r, err := w.rollBack(t, env, workflows.RollbackInput{})
	require.NoError(t, err)
	done()
	require.Equal(t, "Roll back where2eat from v4: choose how", plan.What)
	require.Equal(t, "Choose…", plan.Approve)
	require.Equal(t, "NONE: no other release was seen to be well", fact(t, plan.Facts, "Evidence"))
	require.Equal(t, []approval.Choice{
		{Key: "deploy:v3", Label: "Deploy v3", Detail: "UNPROVEN; gives up 2 commits"}, {Key: "deploy:v2", Label: "Deploy v2", Detail: "UNPROVEN; gives up 2 commits"}, {Key: "deploy:v1", Label: "Deploy v1", Detail: "UNPROVEN; gives up 2 commits"},
	}, plan.Choices)
	require.False(t, without.Accepted)
	require.Equal(t, `choose one of deploy:v3 (Deploy v3), deploy:v2 (Deploy v2), deploy:v1 (Deploy v1): write "choice":"deploy:v3"`, without.Text)
	require.Equal(t, []string{"run ./deploy.sh --tag v1 as " + plan.ID + "-deploy"}, w.only("run"))
	require.Equal(t, release.Healthy, r.State)
	require.Equal(t, []string{"v4 v3", "v4 v2", "v4 v1", "v4 v1"}, w.deployed.compared, "what is given up is that of the release that was chosen")
}

func TestRollbackWithManyReleasesAndNoEvidence(t *testing.T) {
	w := newReleased(noEvidence, func(w *world) {
		for _, tag := range []string{"u9", "u8", "u7", "u6", "u5", "u4"} {
			w.deployed.tags = append(w.deployed.tags, release.Tag{Tag: tag})
		}
	})
	var plan approval.Request
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{noting(&plan, w.reject(env, "rollback", "kim"))}
	})
	require.Error(t, err)
	require.Equal(t, []string{"deploy:v3", "deploy:v2", "deploy:v1", "deploy:u9", "deploy:u8", "deploy:u7", "deploy:u6", "deploy:u5"}, keys(plan), "the newest ones")
}

// A service that is down tells nobody which release it is.
func TestRollbackOfAServiceThatIsDown(t *testing.T) {
	w := newReleased(func(w *world) { w.deployed.telling = true })
	var plan approval.Request
	var said string
	env := w.env(t)
	done := play(t, env, turn{"rollback", func(b *approval.Book) {
		plan = b.Request
		said = doneLike(t, env, "what is deployed is not known")
		w.chooses(env, b, "rebecca", "deploy:v1")
	}})
	r, err := w.rollBack(t, env, workflows.RollbackInput{})
	require.NoError(t, err)
	done()
	require.Equal(t, "what is deployed is not known: ask which release is deployed: connection refused", said)
	require.Equal(t, "Roll back where2eat: choose how", plan.What)
	require.Equal(t, []string{"deploy:v2", "deploy:v1"}, keys(plan), "the newest good one may be the one that is down")
	require.Equal(t, "NOT KNOWN: it could not be asked", fact(t, plan.Facts, "Deployed now"))
	require.Empty(t, w.deployed.compared)
	require.Equal(t, release.Healthy, r.State)
	require.Regexp(t, `^v1 is deployed; the service is well since `, r.Sentence)
	require.Equal(t, "v1", w.deployed.tag)
	require.Equal(t, []string{"v1 deployed proven"}, w.findings(2), "nobody knows which release is bad")
}

func TestQuickRemediesComeFirst(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		want   []approval.Choice
	}{
		"that can be undone": {func(*world) {}, []approval.Choice{
			{Key: "flagOff", Label: "Turn the flag off", Detail: "the release stays; can be undone"},
			{Key: "switch", Label: "Switch to the other one (blue/green)", Detail: "nothing is deployed; can be undone"},
			{Key: "deploy:v2", Label: "Deploy v2", Detail: "good: passed its checks for 10m, 2026-11-20 18:00 UTC"},
		}},
		"that cannot": {func(w *world) { w.plan.Deploy.FlagOn, w.plan.Deploy.Switch = nil, nil }, []approval.Choice{
			{Key: "flagOff", Label: "Turn the flag off", Detail: "the release stays; cannot be undone from here"},
			{Key: "deploy:v2", Label: "Deploy v2", Detail: "good: passed its checks for 10m, 2026-11-20 18:00 UTC"},
		}},
		"and nothing else": {func(w *world) { w.deployed.tags, w.plan.Deploy.Switch = w.deployed.tags[:1], nil; noEvidence(w) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(quickRemedies, c.change)
			var plan approval.Request
			_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{noting(&plan, w.reject(env, "rollback", "kim"))}
			})
			require.Error(t, err)
			require.Equal(t, c.want, plan.Choices)
			if c.want == nil {
				require.Equal(t, "Roll back where2eat from v4", plan.What)
				require.Equal(t, "Turn the flag off", plan.Approve)
			}
		})
	}
}

func TestQuickRemedyIsUndone(t *testing.T) {
	for key, c := range map[string]struct{ did, button, run, undo, sentence, undone string }{
		"flagOff": {" without the flag", "Turn the flag on again", "run ./flag.sh off as ", "run ./flag.sh on as ", "the flag is off; the service is well since ", "the flag is on again; "},
		"switch":  {" switched", "Switch back", "run ./switch.sh blue as ", "run ./switch.sh green as ", "switched; the service is well since ", "switched back; "},
	} {
		t.Run(key, func(t *testing.T) {
			w := newReleased(quickRemedies)
			var plan, offer approval.Request
			var meanwhile workflows.Status
			var state string
			env := w.env(t)
			outcomes := noteOutcomes(env)
			done := play(t, env, noting(&plan, w.choose(env, "rollback", "kim", key)), turn{"undo", func(b *approval.Book) {
				offer, meanwhile, state = b.Request, status(t, env), w.deployed.remedied
				env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
			}})
			r, err := w.rollBack(t, env, workflows.RollbackInput{})
			require.NoError(t, err, "they wanted it so")
			done()
			require.Equal(t, c.did, state)
			require.Empty(t, w.deployed.remedied)
			require.Equal(t, []string{c.run + plan.ID + "-" + key, c.undo + offer.ID + "-" + map[string]string{"flagOff": "flagOn", "switch": "switchBack"}[key]}, w.only("run"))

			require.Equal(t, release.Healthy, meanwhile.RolledBack.State)
			require.Equal(t, r.UndoTil, meanwhile.RolledBack.UndoTil)
			require.Zero(t, meanwhile.RolledBack.Commits, "nothing was deployed")
			require.Contains(t, meanwhile.RolledBack.Sentence, c.sentence)
			require.Contains(t, *outcomes, "healthy", "it shows before the offer ends")
			require.Equal(t, "Undo it: "+c.button, offer.What)
			require.Equal(t, c.button, offer.Approve)
			require.Equal(t, "Keep it so", offer.Reject)
			require.Equal(t, "Lifeboat", offer.RequestedBy, "so that each approver may decide")
			require.Equal(t, offer.Asked.Add(24*time.Hour), offer.Expires)
			require.Equal(t, meanwhile.RolledBack.Sentence, fact(t, offer.Facts, "Done"))
			require.NotEqual(t, plan.Digest, offer.Digest)

			require.Equal(t, release.Undone, r.State)
			require.Equal(t, c.undone+"the service is not well: the service did not pass \"log in\"", r.Sentence, "it is told, not judged")
			require.Equal(t, "undone", (*outcomes)[len(*outcomes)-1])
			require.Equal(t, card.Done, w.board.last().State)
			require.Equal(t, []string{"v4 remedied inconclusive"}, w.findings(2))
		})
	}
}

func TestQuickRemedyIsKept(t *testing.T) {
	for name, decide := range map[string]func(w *world, env *testsuite.TestWorkflowEnvironment) turn{
		"it is rejected": func(w *world, env *testsuite.TestWorkflowEnvironment) turn { return w.reject(env, "undo", "kim") },
		"it expires":     func(*world, *testsuite.TestWorkflowEnvironment) turn { return turn{"undo", func(*approval.Book) {}} },
		"the run is cancelled": func(_ *world, env *testsuite.TestWorkflowEnvironment) turn {
			return turn{"undo", func(*approval.Book) { env.CancelWorkflow() }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(quickRemedies)
			r, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{w.choose(env, "rollback", "kim", "flagOff"), decide(w, env)}
			})
			require.NoError(t, err)
			require.Equal(t, release.Healthy, r.State)
			require.Len(t, w.only("run"), 1)
			require.Equal(t, card.Done, w.board.last().State)
			for _, n := range w.board.notes {
				require.NotContains(t, n.Text, "Undo it", "nobody is urged to undo")
			}
		})
	}
}

func TestUndoOfAQuickRemedyThatDoesNotWork(t *testing.T) {
	w := newReleased(quickRemedies)
	w.deployed.ends["deploy.flagOn"] = []ending{{failure: "it ended with 3"}}
	_, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
		return []turn{w.choose(env, "rollback", "kim", "flagOff"), w.approve(env, "undo", "kim")}
	})
	r := failedRollback(t, err, workflows.ErrorUnclear)
	require.Regexp(t, `^the flag is off; the service is well since .*; deploy.flagOn did not work: it ended with 3$`, r.Sentence)
	require.Equal(t, " without the flag", w.deployed.remedied)
}

func TestQuickRemedyThatCannotBeUndoneEndsAtOnce(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"there is no command for it": func(w *world) { w.plan.Deploy.FlagOn = nil },
		"there is no time for it":    func(w *world) { w.plan.UndoFor = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newReleased(quickRemedies, change)
			r, err := w.attempt(t, workflows.RollbackInput{}, func(env *testsuite.TestWorkflowEnvironment) []turn {
				return []turn{w.choose(env, "rollback", "kim", "flagOff")}
			})
			require.NoError(t, err)
			require.Equal(t, release.Healthy, r.State)
			require.True(t, r.UndoTil.IsZero())
			require.Equal(t, []string{"decide rollback: approved"}, w.only("decide"))
			require.Equal(t, []string{"v4 remedied inconclusive"}, w.findings(2))
			require.Equal(t, "turning the flag off", w.deployed.records[2].Sentence)
		})
	}
}
