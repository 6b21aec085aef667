package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// runs asks Temporal about runs.
type runs struct {
	client client.Client
}

// Holds implements activities.Runs: it says whether a workflow of that id is
// running.
func (r *runs) Holds(ctx context.Context, workflowID string) (bool, error) {
	return r.running(ctx, recovery.RunRef{WorkflowID: workflowID})
}

// Running implements activities.Runs: it lists the ids of a service's runs of some
// types, as far as Temporal's list of runs knows them already.
func (r *runs) Running(ctx context.Context, service string, types []string) ([]string, error) {
	query := fmt.Sprintf("%s = '%s' AND ExecutionStatus = 'Running' AND WorkflowType IN ('%s')", workflows.AttributeService.GetName(), service, strings.Join(types, "', '"))
	page, err := r.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 20})
	if err != nil {
		return nil, fmt.Errorf("ask Temporal what is running: %w", err)
	}
	var ids []string
	for _, run := range page.GetExecutions() {
		ids = append(ids, run.GetExecution().GetWorkflowId())
	}
	return ids, nil
}

// running says whether a run is still going on. A run that Temporal does not
// know has ended.
func (r *runs) running(ctx context.Context, run recovery.RunRef) (bool, error) {
	d, err := r.client.DescribeWorkflowExecution(ctx, run.WorkflowID, run.RunID)
	var notFound *serviceerror.NotFound
	var invalid *serviceerror.InvalidArgument
	switch {
	case errors.As(err, &notFound), errors.As(err, &invalid): // invalid: no run id of Temporal's
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ask Temporal about run %s: %w", run.WorkflowID, err)
	}
	return d.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}
