package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// restoreApproved plays a restore whose request is approved each time that people are
// asked; from then on second does not answer, if it is silent. It returns the ids of the requests.
func restoreApproved(t *testing.T, w *world, in workflows.RestoreInput, silent bool, times int) (ids []string, r *recovery.Restoration, err error) {
	t.Helper()
	in = w.bySam(in)
	step := "restore"
	if in.Beside {
		step = "restore beside"
	}
	env := w.env(t)
	w.await(env)
	approveIt := turn{step, func(b *approval.Book) {
		if silent {
			w.silence("second", w.clock().Add(forever))
		}
		ids = append(ids, b.Request.ID)
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
	}}
	var turns []turn
	for range times {
		turns = append(turns, approveIt)
	}
	w.plan.Approvals.Undo, w.plan.Approvals.Drop = nil, nil
	done := play(t, env, turns...)
	r, err = restore(t, env, in)
	done()
	return ids, r, err
}

// After a reset, signals are applied again. Whether an approval was used may be known
// only where nobody answers: then people are asked once more, by a name of which no
// signal can be there.
func TestResetAsksOnceMoreWhereItIsNotKnown(t *testing.T) {
	w := newCopiedProduction(t)
	w.resetFrom = "first-run"
	ids, r, err := restoreApproved(t, w, workflows.RestoreInput{}, true, 2)
	require.NoError(t, err)
	require.Equal(t, recovery.StateRestored, r.State)
	require.Equal(t, []string{"first-run-1", "default-test-run-id-2"}, ids)
	require.Len(t, w.only("swap"), 1)
	require.Equal(t, []approval.Outcome{approval.Approved, approval.Approved}, w.outcomes())
}

func TestSignalThatIsAppliedAgainDoesNotDecideTheNewRequest(t *testing.T) {
	w := newCopiedProduction(t)
	w.resetFrom = "first-run"
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	w.await(env)
	var first approval.Decision
	var answer *approval.Answer
	done := play(t, env, turn{"restore", func(b *approval.Book) {
		w.silence("second", w.clock().Add(forever))
		first = w.vouched(env, b, "kim", approval.Approve)
		env.SignalWorkflow(workflows.Decide, first)
	}}, turn{"restore", func(*approval.Book) {
		answer = update(t, env, "again", first)
	}}, w.reject(env, "restore", "rebecca"))
	_, err := restore(t, env, in)
	done()
	require.False(t, answer.Accepted)
	require.Contains(t, answer.Text, "this request is not open any more: first-run-1")
	kind, _, _ := failure(t, err)
	require.Equal(t, workflows.ErrorNotApproved, kind)
	require.Empty(t, w.only("swap"))
}

func TestOneApprovalIsEnough(t *testing.T) {
	for name, c := range map[string]struct {
		reset  string
		silent bool
		in     workflows.RestoreInput
		id     string
	}{
		"of a run that was not reset":             {"", true, workflows.RestoreInput{}, "default-test-run-id-1"},
		"after a reset, where each answers":       {"first-run", false, workflows.RestoreInput{}, "first-run-1"},
		"after a reset, of what destroys nothing": {"first-run", true, workflows.RestoreInput{Beside: true}, "first-run-1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCopiedProduction(t)
			w.resetFrom = c.reset
			ids, _, err := restoreApproved(t, w, c.in, c.silent, 1)
			require.NoError(t, err)
			require.Equal(t, []string{c.id}, ids)
		})
	}
}

func TestRejectionAfterAResetIsNotAskedAgain(t *testing.T) {
	w := newCopiedProduction(t)
	w.resetFrom = "first-run"
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	w.await(env)
	done := play(t, env, turn{"restore", func(b *approval.Book) {
		w.silence("second", w.clock().Add(forever))
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Reject))
	}})
	_, err := restore(t, env, in)
	done()
	_, message, _ := failure(t, err)
	require.Equal(t, "rejected by kim: not now; production is untouched", message)
	require.Len(t, w.outcomes(), 1)
}
