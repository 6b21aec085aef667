package app

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

const (
	maxFailed    = 20  // kinds of failures of a service that are told
	failedLooked = 100 // runs that are looked through for them
)

// failedRuns lists the runs of a service that ended badly after from, newest first.
// Runs that a run started are part of it, but for copies: those it does not wait for.
// What people decided against did not fail. Of runs that failed alike only the newest
// is listed.
func failedRuns(ctx context.Context, c client.Client, namespace, service string, from time.Time) ([]recovery.FailedRun, error) {
	query := fmt.Sprintf(`%s = %q AND ExecutionStatus IN ("Failed", "Terminated", "TimedOut") AND CloseTime > %q`,
		workflows.AttributeService.GetName(), service, from.UTC().Format(time.RFC3339))
	listed, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, Query: query, PageSize: failedLooked})
	if err != nil {
		return nil, fmt.Errorf("list the runs of %s that failed: %w", service, err)
	}
	var failed []recovery.FailedRun
	at := map[string]int{} // by what makes runs alike
	for _, e := range listed.GetExecutions() {
		copied := e.GetType().GetName() == workflows.TypeReplicate
		if e.GetParentExecution() != nil && !copied {
			continue
		}
		reason, decided, err := whyFailed(ctx, c, e)
		if err != nil {
			return nil, err
		}
		if decided {
			continue
		}
		run := recovery.FailedRun{
			Playbook: e.GetType().GetName(), WorkflowID: e.GetExecution().GetWorkflowId(), At: e.GetCloseTime().AsTime(), Reason: reason,
		}
		if first, known := at[alike(run)]; known {
			failed[first].Alike++
			continue
		}
		if len(failed) < maxFailed {
			at[alike(run)] = len(failed)
			failed = append(failed, run)
		}
	}
	return failed, nil
}

// alike is the same for runs that one line tells: those of a playbook for the same
// reason, and copies to the same destination, whose reasons name their sets.
func alike(run recovery.FailedRun) string {
	if run.Playbook == workflows.TypeReplicate {
		return run.Playbook + " to " + path.Base(run.WorkflowID)
	}
	return run.Playbook + ": " + run.Reason
}

// whyFailed reads how a run ended; decided is true if people wanted it so.
func whyFailed(ctx context.Context, c client.Client, e *workflow.WorkflowExecutionInfo) (reason string, decided bool, err error) {
	switch e.GetStatus() {
	case enums.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return "somebody terminated it", false, nil
	case enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return "it took too long", false, nil
	}
	ended := c.GetWorkflow(ctx, e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId()).Get(ctx, nil)
	if failure, ok := errors.AsType[*temporal.ApplicationError](ended); ok {
		return failure.Message(), failure.Type() == workflows.ErrorNotApproved, nil
	}
	if _, ok := errors.AsType[*temporal.WorkflowExecutionError](ended); !ok && ended != nil {
		return "", false, fmt.Errorf("ask how run %s ended: %w", e.GetExecution().GetWorkflowId(), ended)
	}
	return "it does not say why", false, nil
}
