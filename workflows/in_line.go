package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
)

// waitForChange waits in line behind whatever changes the service's production.
func waitForChange(ctx workflow.Context, t *teller, service string) error {
	return standInLine(ctx, t, ChangeID(service), func() (bool, error) { return changeHeld(ctx, t, service) })
}

// changeHeld says whether the service's production is being changed.
func changeHeld(ctx workflow.Context, t *teller, service string) (held bool, err error) {
	err = step{
		name: "look whether production is being changed", options: quick(QueueLifeboat), activity: locks.IsHeld, giveUp: planGiveUp,
		input: func(int) any { return activities.LockInput{ID: ChangeID(service)} },
	}.run(ctx, t, &held)
	return held, err
}

// inLine runs a locked child as soon as its lock is free.
func inLine(ctx workflow.Context, t *teller, id, workflowType string, in, out any) error {
	return standInLine(ctx, t, id, func() (bool, error) {
		err := inChild(ctx, t, id, workflowType, in, out)
		if errorType(err) == ErrorBusy {
			return true, nil
		}
		return false, err
	})
}

// standInLine calls try until it no longer says that the lock is busy: less and
// less often, so that a wait of hours does not fill the history.
func standInLine(ctx workflow.Context, t *teller, id string, try func() (busy bool, err error)) error {
	for pause := firstInLine; ; pause = min(2*pause, maxPause) {
		if busy, err := try(); err != nil || !busy {
			return err
		}
		t.now(ctx, "waiting for "+id+" to end")
		timer := workflow.NewTimerWithOptions(ctx, pause, workflow.TimerOptions{Summary: "wait in line"})
		if err := timer.Get(ctx, nil); err != nil {
			return err
		}
	}
}

// inChild runs a locked child to its end and follows what it tells. If the lock
// is taken it refuses and says by what.
func inChild(ctx workflow.Context, t *teller, id, workflowType string, in, out any) error {
	stop := t.follow(ctx, id)
	defer stop()
	t.show(ctx)
	err := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, lock(id, workflowType+" of "+t.status.Service)), workflowType, in).Get(ctx, out)
	if _, ok := errors.AsType[*temporal.ChildWorkflowExecutionAlreadyStartedError](err); ok {
		return temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("%s is already running: wait for it to end, or look at it in the Temporal UI", id), ErrorBusy, nil)
	}
	return err
}
