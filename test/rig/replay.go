package rig

import (
	"context"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/workflows"
)

// replay replays every run of the test that has ended: code that would do something
// else the second time fails the test. The history of a run that goes on may end in
// the middle of a task, which cannot be compared.
func (r *Rig) replay() {
	r.t.Helper()
	c := r.Client()
	listed, err := c.ListWorkflow(context.Background(), &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: "default", Query: `ExecutionStatus != "Running"`,
	})
	require.NoError(r.t, err)
	for _, e := range listed.GetExecutions() {
		run := workflow.Execution{ID: e.GetExecution().GetWorkflowId(), RunID: e.GetExecution().GetRunId()}
		replayer := worker.NewWorkflowReplayer()
		workflows.Register(replayer)
		require.NoError(r.t, replayer.ReplayWorkflowExecution(context.Background(), c.WorkflowService(), quiet{}, "default", run), run.ID)
	}
}
