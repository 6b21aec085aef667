package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// A rollback makes its plan once nothing else changes production.
func TestRollbackWaitsForWhatChangesProduction(t *testing.T) {
	w := newReleased()
	w.held = []bool{true, true}
	env := w.env(t)
	begun := env.Now()
	var said string
	after(env, 8*time.Second, func() { said = status(t, env).Doing })
	done := play(t, env, turn{"rollback", func(b *approval.Book) {
		require.WithinDuration(t, begun.Add(15*time.Second), b.Request.Asked, 2*time.Second)
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
	}})
	_, err := w.rollBack(t, env, workflows.RollbackInput{})
	require.NoError(t, err)
	done()
	require.Equal(t, "waiting for change/where2eat to end", said)
}

func childOf(ctx workflow.Context, id string) workflow.Context {
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: id, TaskQueue: workflows.QueueLifeboat, ParentClosePolicy: enums.PARENT_CLOSE_POLICY_ABANDON,
	})
}

func statusOf(t *testing.T, env *testsuite.TestWorkflowEnvironment, id string) workflows.Status {
	t.Helper()
	value, err := env.QueryWorkflowByID(id, workflows.QueryStatus)
	require.NoError(t, err)
	var s workflows.Status
	require.NoError(t, value.Get(&s))
	return s
}

// decideIn lets somebody decide, after a while, the request that the run of that id
// waits with.
func (w *world) decideIn(t *testing.T, env *testsuite.TestWorkflowEnvironment, id string, wait time.Duration, name string, verdict approval.Verdict) {
	t.Helper()
	after(env, wait, func() {
		value, err := env.QueryWorkflowByID(id, workflows.QueryPending)
		require.NoError(t, err)
		var books []approval.Book
		require.NoError(t, value.Get(&books))
		require.Len(t, books, 1)
		require.NoError(t, env.SignalWorkflowByID(id, workflows.Decide, w.vouched(env, &books[0], name, verdict)))
	})
}

// busyFor says for a while that a child's id is taken, as the server does.
func busyFor(tries int) func() error {
	return func() error {
		if tries--; tries >= 0 {
			return temporal.NewNonRetryableApplicationError("change/where2eat is already running", workflows.ErrorBusy, nil)
		}
		return nil
	}
}

func TestRemedyWaitsForTheLock(t *testing.T) {
	w := newReleased()
	env := w.env(t)
	s := watch(env)
	busy := busyFor(2)
	var began time.Time
	env.OnWorkflow(workflows.TypeChangeRelease, anything, anything).Return(func(ctx workflow.Context, in workflows.ChangeReleaseInput) (*release.Change, error) {
		if err := busy(); err != nil {
			return nil, err
		}
		began = workflow.Now(ctx)
		return &release.Change{Remedy: in.Remedy, To: in.To, State: release.Healthy, Sentence: "the service is well"}, nil
	})
	var approved time.Time
	var said string
	done := play(t, env, turn{"rollback", func(b *approval.Book) {
		approved = env.Now()
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
		after(env, 8*time.Second, func() { said = status(t, env).Doing })
	}})
	r, err := w.rollBack(t, env, workflows.RollbackInput{})
	require.NoError(t, err)
	done()
	require.Equal(t, release.Healthy, r.State)
	require.Equal(t, "waiting for change/where2eat to end", said)
	require.WithinDuration(t, approved.Add(15*time.Second), began, 2*time.Second)
	lock := workflows.ChangeID("where2eat")
	require.Equal(t, []string{lock, lock, lock}, s.ids("change"))
}

// A remedy and a restore have the same lock, so that one waits for the other.
func TestRestoreWaitsForTheLock(t *testing.T) {
	w := newProduction(t, onlyApp)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	s := watch(env)
	busy := busyFor(2)
	env.OnWorkflow(workflows.TypeChangeData, anything, anything).Return(func(workflow.Context, workflows.ChangeDataInput) (*recovery.Restoration, error) {
		return &recovery.Restoration{State: recovery.StateUntouched, Sentence: "production is untouched: it was its turn"}, busy()
	})
	var said string
	done := play(t, env, turn{"restore", func(b *approval.Book) {
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
		after(env, 8*time.Second, func() { said = status(t, env).Doing })
	}})
	_, err := restore(t, env, in)
	require.Equal(t, "production is untouched: it was its turn", left(t, err, workflows.ErrorUntouched).Sentence)
	done()
	require.Equal(t, "waiting for change/where2eat to end", said)
	lock := workflows.ChangeID("where2eat")
	require.Equal(t, []string{lock, lock, lock}, s.ids("change"))
}

// Another playbook may roll back: the gate is that of the rollback itself, and the
// rollback goes on when whoever started it ends.
func TestRollbackIsStartedByAnotherPlaybook(t *testing.T) {
	for name, waits := range map[string]bool{"that waits for it": true, "that ends meanwhile": false} {
		t.Run(name, func(t *testing.T) {
			w := newReleased()
			const id = "Rollback/where2eat/child"
			env := w.env(t, func(ctx workflow.Context) (*release.Rollback, error) {
				child := workflow.ExecuteChildWorkflow(childOf(ctx, id), workflows.TypeRollback, workflows.RollbackInput{
					Service: "where2eat", Requested: &approval.Claim{By: "sam"}, // a playbook of ours is believed
				})
				if !waits {
					return nil, child.GetChildWorkflowExecution().Get(ctx, nil)
				}
				var r release.Rollback
				err := child.Get(ctx, &r)
				return &r, err
			})
			w.decideIn(t, env, id, 10*time.Minute, "kim", approval.Approve)
			var endedFirst bool
			after(env, 5*time.Minute, func() { endedFirst = env.IsWorkflowCompleted() })
			env.ExecuteWorkflow("Outer")
			require.NoError(t, env.GetWorkflowError())
			require.NoError(t, env.GetWorkflowErrorByID(id))
			require.Equal(t, !waits, endedFirst)
			r := *statusOf(t, env, id).RolledBack
			require.Equal(t, release.Healthy, r.State)
			require.Equal(t, "v2", w.deployed.tag)
			require.Equal(t, id, w.decisions[0].Request.Run.WorkflowID)
			require.Equal(t, "sam", r.By)
			if waits {
				var told release.Rollback
				require.NoError(t, env.GetWorkflowResult(&told))
				require.Equal(t, r, told)
			}
		})
	}
}
