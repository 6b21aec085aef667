package workflows_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

var drillWhere2eat = workflows.RestoreDrillInput{Service: "where2eat"}

// drillEnv is about to drill, in a world whose drills people decide.
func drillEnv(t *testing.T, change ...func(w *world)) (*world, *testsuite.TestWorkflowEnvironment) {
	t.Helper()
	w := newTeam()
	w.proven(t)
	for _, c := range change {
		c(w)
	}
	return w, w.env(t)
}

// drill runs RestoreDrill to its end.
func drill(t *testing.T, env *testsuite.TestWorkflowEnvironment, in any) (*recovery.Drill, error) {
	t.Helper()
	execute(env, workflows.TypeRestoreDrill, in)
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return nil, err
	}
	var d *recovery.Drill
	return d, env.GetWorkflowResult(&d)
}

func TestGateLetsAnApprovedStepRun(t *testing.T) {
	w, env := drillEnv(t)
	done := play(t, env, w.approve(env, "drill", "rebecca"))
	d, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	done()
	require.Equal(t, []string{"drill approved: rebecca by slack"}, d.Decided)
	require.Equal(t, []string{"decide drill: approved", "try out 2 copies"}, w.log, "it is recorded before it is acted on")

	require.Len(t, w.decisions, 1)
	b := w.decisions[0]
	require.Equal(t, "where2eat", b.Request.Service)
	require.Equal(t, workflows.TypeRestoreDrill, b.Request.Playbook)
	require.NotEmpty(t, b.Request.Digest)
	require.Equal(t, b.Request.Asked.Add(10*time.Hour), b.Request.Expires)
	require.True(t, b.Votes[0].Verified)
	require.Equal(t, approval.ViaSlack, b.Votes[0].Via)
}

func TestGateAnswersAnUpdate(t *testing.T) {
	w, env := drillEnv(t)
	var answer *approval.Answer
	play(t, env, turn{"drill", func(b *approval.Book) {
		answer = update(t, env, "click", w.vouched(env, b, "rebecca", approval.Approve))
	}})
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.Equal(t, &approval.Answer{Accepted: true, Text: "approved by rebecca", Outcome: approval.Approved}, answer)
}

func TestGateShowsForWhomItWaits(t *testing.T) {
	w, env := drillEnv(t)
	var during workflows.Status
	play(t, env, turn{"drill", func(b *approval.Book) {
		during = status(t, env)
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
	}})
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.Regexp(t, `^Rehearse the restore of where2eat from set 20261122T180000Z-\w+; kim or rebecca, until 2026-11-24 0\d:\d\d UTC$`, during.Waiting)
	require.Empty(t, status(t, env).Waiting)
	require.Nil(t, pending(t, env))
}

func TestRejectedStepDoesNotRun(t *testing.T) {
	w, env := drillEnv(t)
	play(t, env, w.reject(env, "drill", "kim"))
	_, err := drill(t, env, drillWhere2eat)
	kind, message, _ := failure(t, err)
	require.Equal(t, workflows.ErrorNotApproved, kind)
	require.Equal(t, "rejected by kim: not now; the drill was not started", message)
	require.Equal(t, []string{"decide drill: rejected"}, w.log)
	require.Empty(t, w.dropped, "nothing was restored")
}

func TestExpiredStepDoesNotRun(t *testing.T) {
	w, env := drillEnv(t)
	_, err := drill(t, env, drillWhere2eat)
	kind, message, _ := failure(t, err)
	require.Equal(t, workflows.ErrorNotApproved, kind)
	require.Equal(t, "nobody decided in time; the drill was not started", message)
	require.Equal(t, []string{"decide drill: expired"}, w.log)

	// Slack takes a note at a time; the reminders are among them.
	type told struct {
		text   string
		people []string
	}
	var reminders []told
	for _, n := range w.board.notes {
		if len(n.Mention) > 0 {
			reminders = append(reminders, told{n.Text[len(n.Text)-len("It expires 2026-11-24 04:00 UTC, and then counts as not approved."):], n.Mention})
		}
	}
	require.Len(t, reminders, 3)
	const ends = "It expires 2026-11-24 04:00 UTC, and then counts as not approved."
	require.Equal(t, told{ends, []string{"kim", "rebecca"}}, reminders[0], "as it is asked")
	require.Equal(t, told{ends, []string{"kim", "rebecca"}}, reminders[1], "at half of the time")
	require.Equal(t, told{ends, []string{"ann", "kim", "rebecca"}}, reminders[2], "at four fifths of it")
}

func TestPeopleAreRemindedInTime(t *testing.T) {
	w, env := drillEnv(t)
	noted := map[string]int{}
	for name, at := range map[string]time.Duration{"before half": 4*time.Hour + 58*time.Minute, "after half": 5*time.Hour + 2*time.Minute, "after four fifths": 8*time.Hour + 2*time.Minute} {
		after(env, at, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, n := range w.board.notes {
				if len(n.Mention) > 0 {
					noted[name]++
				}
			}
		})
	}
	_, err := drill(t, env, drillWhere2eat)
	require.Error(t, err)
	require.Equal(t, map[string]int{"before half": 1, "after half": 2, "after four fifths": 3}, noted)
}

// What decides nothing is answered and recorded, and the run goes on to wait.
func TestGateRefuses(t *testing.T) {
	door := func(w *world, env *testsuite.TestWorkflowEnvironment, b *approval.Book, change func(d *approval.Decision)) approval.Decision {
		d := w.vouched(env, b, "rebecca", approval.Approve)
		change(&d)
		return d
	}
	for name, c := range map[string]struct {
		send func(w *world, env *testsuite.TestWorkflowEnvironment, b *approval.Book) any
		want string
		via  string
	}{
		"an outsider": {
			func(w *world, env *testsuite.TestWorkflowEnvironment, b *approval.Book) any {
				return w.vouched(env, b, "eve", approval.Approve)
			}, "eve may not decide this; kim or rebecca may", approval.ViaSlack,
		},
		"a signal from the Temporal UI": {
			func(*world, *testsuite.TestWorkflowEnvironment, *approval.Book) any {
				return json.RawMessage(`{"verdict":"approve","by":"rebecca"}`)
			}, "a decision sent through Temporal is not enough here", approval.ViaTemporal,
		},
		"a claim to come from Slack, without proof": {
			func(w *world, env *testsuite.TestWorkflowEnvironment, b *approval.Book) any {
				return door(w, env, b, func(d *approval.Decision) { d.Proof = "" })
			}, "a decision sent through Temporal is not enough here", approval.ViaTemporal,
		},
		"a claim to come from Slack, with the proof of another": {
			func(w *world, env *testsuite.TestWorkflowEnvironment, b *approval.Book) any {
				return door(w, env, b, func(d *approval.Decision) { d.Proof = w.vouched(env, b, "kim", approval.Approve).Proof })
			}, "it could not be checked who sent this", approval.ViaTemporal,
		},
		"another plan": {
			func(w *world, env *testsuite.TestWorkflowEnvironment, b *approval.Book) any {
				return door(w, env, b, func(d *approval.Decision) { d.Digest = "d0"; *d = d.Vouch(w.key) })
			}, "the plan has changed since it was shown", approval.ViaSlack,
		},
		"another request": {
			func(w *world, env *testsuite.TestWorkflowEnvironment, b *approval.Book) any {
				return door(w, env, b, func(d *approval.Decision) { d.Request = "earlier"; *d = d.Vouch(w.key) })
			}, "this request is not open any more: earlier", approval.ViaSlack,
		},
		"no decision at all": {
			func(*world, *testsuite.TestWorkflowEnvironment, *approval.Book) any {
				return json.RawMessage(`["approve"]`)
			},
			"this is not a decision (", approval.ViaTemporal,
		},
		"nothing": {
			func(*world, *testsuite.TestWorkflowEnvironment, *approval.Book) any { return nil },
			"the verdict is missing", approval.ViaTemporal,
		},
		"while the key cannot be read": {
			func(w *world, env *testsuite.TestWorkflowEnvironment, b *approval.Book) any {
				w.keyErr = errors.New("read secret: no such file")
				return w.vouched(env, b, "rebecca", approval.Approve)
			}, "it could not be checked who sent this", approval.ViaTemporal,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, env := drillEnv(t)
			var answer *approval.Answer
			var still *approval.Book
			done := play(t, env,
				turn{"drill", func(b *approval.Book) { env.SignalWorkflow(workflows.Decide, c.send(w, env, b)) }},
				turn{"drill", func(b *approval.Book) { answer = update(t, env, "again", c.send(w, env, b)) }},
				turn{"drill", func(b *approval.Book) {
					still = b
					w.keyErr = nil
					env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Reject))
				}})
			_, err := drill(t, env, drillWhere2eat)
			done()
			require.Contains(t, answer.Text, c.want)
			require.False(t, answer.Accepted)
			require.Equal(t, approval.Open, answer.Outcome)
			require.Empty(t, still.Votes)
			require.Len(t, still.Refusals, 2)
			for _, r := range still.Refusals {
				require.Contains(t, r.Why, c.want)
				require.Equal(t, c.via, r.Via)
			}
			_, message, _ := failure(t, err)
			require.Contains(t, message, "rejected by kim", "the one that counts still does")
			require.Len(t, w.decisions[0].Refusals, 2, "they stand in the record")
		})
	}
}

func TestSecondDecisionsChangeNothing(t *testing.T) {
	w, env := drillEnv(t, func(w *world) { w.plan.Approvals.Drill.Needed = 2 })
	var twice, other *approval.Answer
	done := play(t, env,
		w.approve(env, "drill", "rebecca"),
		turn{"drill", func(b *approval.Book) {
			twice = update(t, env, "twice", w.vouched(env, b, "rebecca", approval.Approve))
		}},
		turn{"drill", func(b *approval.Book) { other = update(t, env, "other", w.vouched(env, b, "rebecca", approval.Reject)) }},
		w.approve(env, "drill", "kim"))
	d, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	done()
	require.Equal(t, "your decision was counted already", twice.Text)
	require.Equal(t, "your first decision stands: approve", other.Text)
	require.Equal(t, []string{"drill approved: rebecca by slack; kim by slack"}, d.Decided)
}

func TestUnverifiedDecisionCountsWhereThePolicySaysSo(t *testing.T) {
	_, env := drillEnv(t, func(w *world) { w.plan.Approvals.Drill.Unverified = true })
	play(t, env, turn{"drill", func(*approval.Book) {
		env.SignalWorkflow(workflows.Decide, json.RawMessage(`{"verdict":"approve","by":"rebecca","via":"slack"}`))
	}})
	d, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.Equal(t, []string{"drill approved: rebecca (Temporal, unverified)"}, d.Decided)
}

func TestDecisionBeforeAnythingWasAsked(t *testing.T) {
	w, env := drillEnv(t, func(w *world) { w.held = []bool{true} })
	var answer *approval.Answer
	after(env, time.Second, func() {
		answer = update(t, env, "early", json.RawMessage(`{"verdict":"approve","by":"rebecca"}`))
		require.Nil(t, pending(t, env))
	})
	done := play(t, env, w.approve(env, "drill", "rebecca"))
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	done()
	require.Equal(t, "nothing waits for a decision yet: the run is still making its plan", answer.Text)
}

// A decision that is being looked at when the time is up arrived in time.
func TestDecisionInFlightAtExpiryCounts(t *testing.T) {
	w, env := drillEnv(t)
	env.OnActivity("CheckClaim", anything, anything).After(30*time.Second).Return(true, nil)
	var expires time.Time
	play(t, env, turn{"drill", func(b *approval.Book) {
		expires = b.Request.Expires
		after(env, expires.Sub(env.Now())-10*time.Second, func() {
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
		})
	}})
	d, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.True(t, d.Started.After(expires), "%s is after %s", d.Started, expires)
	require.True(t, w.decisions[0].Votes[0].At.Before(expires))
}

func TestDecisionAfterExpiryDoesNotCount(t *testing.T) {
	w, env := drillEnv(t)
	// One in time, whose door is looked at for long, keeps the request open; it is refused.
	env.OnActivity("CheckClaim", anything, anything).After(30*time.Second).Return(true, nil)
	var late *approval.Answer
	play(t, env, turn{"drill", func(b *approval.Book) {
		left := b.Request.Expires.Sub(env.Now())
		after(env, left-10*time.Second, func() {
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "eve", approval.Approve))
		})
		after(env, left+10*time.Second, func() {
			late = update(t, env, "late", w.vouched(env, b, "rebecca", approval.Approve))
		})
	}})
	_, err := drill(t, env, drillWhere2eat)
	_, message, _ := failure(t, err)
	require.Contains(t, message, "nobody decided in time")
	require.Equal(t, "this request has expired, and counts as not approved", late.Text)
	require.Len(t, w.decisions[0].Refusals, 2)
}

func TestCancelWhileWaitingWithdraws(t *testing.T) {
	w, env := drillEnv(t)
	play(t, env, turn{"drill", func(*approval.Book) { env.CancelWorkflow() }})
	_, err := drill(t, env, drillWhere2eat)
	require.True(t, temporal.IsCanceledError(err), err)
	require.Equal(t, []string{"decide drill: withdrawn"}, w.log)
	require.Equal(t, "cancelled; staging is cleaned up", w.board.last().Line)
}

// When a run is reset, Temporal applies its signals again: an approval that was
// used does not count again.
func TestApprovalIsUsedOnce(t *testing.T) {
	w, env := drillEnv(t)
	var first, second approval.Book
	done := play(t, env,
		turn{"drill", func(b *approval.Book) {
			first = *b
			w.used[b.Request.ID] = true
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
		}},
		turn{"drill", func(b *approval.Book) {
			second = *b
			env.SignalWorkflow(workflows.Decide, w.vouched(env, &first, "kim", approval.Approve))
		}},
		w.approve(env, "drill", "kim"))
	d, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	done()
	require.NotEqual(t, first.Request.ID, second.Request.ID)
	require.Equal(t, first.Request.Digest, second.Request.Digest)
	require.Equal(t, []string{"drill approved: kim by slack"}, d.Decided)
	require.Equal(t, []string{"decide drill: approved", "decide drill: approved", "try out 2 copies"}, w.log)
	require.Equal(t, approval.Superseded, w.board.last().Decided[0].Outcome, "and the card says so")
}

func TestStepDoesNotRunUnlessItsDecisionIsRecorded(t *testing.T) {
	w, env := drillEnv(t, func(w *world) { w.decideErr = errors.New("bucket does not answer") })
	play(t, env, w.approve(env, "drill", "rebecca"))
	_, err := drill(t, env, drillWhere2eat)
	_, message, _ := failure(t, err)
	require.Contains(t, message, "record the decision: gave up after ")
	require.NotContains(t, w.log, "try out 2 copies")
	require.Empty(t, w.dropped)
}
