package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

var dueDrill = workflows.RestoreDrillInput{Service: "where2eat", Scheduled: true}

// outcomes are those of the decisions that stand in the bucket.
func (w *world) outcomes() []approval.Outcome {
	var all []approval.Outcome
	for _, b := range w.decisions {
		all = append(all, b.Outcome)
	}
	return all
}

func TestDrillThatIsDueMayBePutOff(t *testing.T) {
	w, env := drillEnv(t)
	var asked []approval.Request
	note := func(then turn) turn {
		return turn{then.step, func(b *approval.Book) { asked = append(asked, b.Request); then.do(b) }}
	}
	done := play(t, env, note(w.putOff(env, "kim")), note(w.putOff(env, "rebecca")), note(w.approve(env, "drill", "kim")))
	d, err := drill(t, env, dueDrill)
	require.NoError(t, err)
	done()
	require.Equal(t, recovery.LevelProven, d.Report.Level)
	require.Equal(t, []string{"drill snoozed: kim by slack", "drill snoozed: rebecca by slack", "drill approved: kim by slack"}, d.Decided)
	require.Equal(t, []approval.Outcome{approval.Snoozed, approval.Snoozed, approval.Approved}, w.outcomes(), "each is recorded")
	for i, r := range asked {
		require.Equal(t, 24*time.Hour, r.Snooze.Std())
		require.Equal(t, "Skip this one", r.Reject)
		require.Contains(t, r.What, ": the drill is due")
		require.Equal(t, r.Asked.Add(10*time.Hour), r.Expires, "it may be decided as long as the first time")
		if i > 0 {
			require.WithinDuration(t, asked[i-1].Asked.Add(24*time.Hour), r.Asked, time.Minute, "it is asked again a day later")
			require.NotEqual(t, asked[i-1].ID, r.ID)
		}
	}
	require.Len(t, w.only("try"), 1)
	var waiting, putOff bool
	for _, c := range w.board.cards {
		waiting = waiting || c.State == card.Waiting
		putOff = putOff || c.Open == nil && c.Line == "put off until "+asked[1].Asked.UTC().Format("2006-01-02 15:04 MST")
	}
	require.True(t, waiting)
	require.True(t, putOff, "the card says until when")
}

// After a day there may be a better set.
func TestDrillThatWasPutOffTakesTheNewestSet(t *testing.T) {
	w, env := drillEnv(t)
	newer := *w.committed
	newer.Set, newer.Created = "20261124T030000Z-000000", newer.Created.Add(33*time.Hour)
	proof := w.proofs[0]
	proof.Set = newer.Set
	done := play(t, env, turn{"drill", func(b *approval.Book) {
		w.keep("main", &newer)
		w.proofs = append(w.proofs, proof)
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Snooze))
	}}, w.approve(env, "drill", "kim"))
	d, err := drill(t, env, dueDrill)
	require.NoError(t, err)
	done()
	require.Equal(t, newer.Set, d.Report.Set)
}

func TestDecisionWhileADrillIsPutOff(t *testing.T) {
	w, env := drillEnv(t)
	var answer *approval.Answer
	var doing string
	play(t, env, turn{"drill", func(b *approval.Book) {
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Snooze))
		after(env, time.Hour, func() {
			doing = status(t, env).Doing
			require.Nil(t, pending(t, env))
			answer = update(t, env, "late", w.vouched(env, b, "rebecca", approval.Approve))
		})
	}}, w.approve(env, "drill", "kim"))
	_, err := drill(t, env, dueDrill)
	require.NoError(t, err)
	require.Regexp(t, `^put off until 2026-11-24 18:\d\d UTC$`, doing)
	require.False(t, answer.Accepted)
	require.Equal(t, "this was decided already: snoozed", answer.Text)
}

func TestDrillThatIsDueMayBeSkipped(t *testing.T) {
	w, env := drillEnv(t)
	play(t, env, w.putOff(env, "rebecca"), w.reject(env, "drill", "kim"))
	_, err := drill(t, env, dueDrill)
	kind, message, _ := failure(t, err)
	require.Equal(t, workflows.ErrorNotApproved, kind)
	require.Equal(t, "rejected by kim: not now; the drill was not started", message)
	require.Equal(t, []approval.Outcome{approval.Snoozed, approval.Rejected}, w.outcomes())
	last := w.decisions[1]
	require.Equal(t, "not now", last.Votes[0].Reason, "who skips it says why")
	require.Equal(t, "kim", last.Votes[0].By)
	require.Empty(t, w.only("try"))
	require.Equal(t, card.Cancelled, w.board.last().State)
}

func TestDrillThatIsDueExpires(t *testing.T) {
	w, env := drillEnv(t)
	play(t, env, w.putOff(env, "kim"))
	_, err := drill(t, env, dueDrill)
	kind, message, _ := failure(t, err)
	require.Equal(t, workflows.ErrorNotApproved, kind)
	require.Equal(t, "nobody decided in time; the drill was not started", message, "a decision to put it off is none to start it")
	require.Equal(t, []approval.Outcome{approval.Snoozed, approval.Expired}, w.outcomes())
}

func TestDrillThatAPersonAskedForIsNotPutOff(t *testing.T) {
	w, env := drillEnv(t)
	var answer *approval.Answer
	var asked approval.Request
	done := play(t, env, turn{"drill", func(b *approval.Book) {
		asked = b.Request
		answer = update(t, env, "snooze", w.vouched(env, b, "kim", approval.Snooze))
	}}, w.approve(env, "drill", "kim"))
	d, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	done()
	require.Zero(t, asked.Snooze)
	require.Equal(t, "Not now", asked.Reject)
	require.False(t, answer.Accepted)
	require.Equal(t, "this cannot be put off: approve or reject it", answer.Text)
	require.Equal(t, []string{"drill approved: kim by slack"}, d.Decided)
}

func TestDrillThatIsDueAndThatNobodyDecides(t *testing.T) {
	w, env := drillEnv(t, noPolicy)
	_, err := drill(t, env, dueDrill)
	require.NoError(t, err)
	require.Len(t, w.only("try"), 1)
}
