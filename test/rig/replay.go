package rig

import (
	"context"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/workflows"
)

// replay replays what every run of the test has done so far: code that would do
// something else the second time fails the test.
func (r *Rig) replay() {
	r.t.Helper()
	c := r.Client()
	listed, err := c.ListWorkflow(context.Background(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default"})
	require.NoError(r.t, err)
	for _, e := range listed.GetExecutions() {
		run := workflow.Execution{ID: e.GetExecution().GetWorkflowId(), RunID: e.GetExecution().GetRunId()}
		replayer := worker.NewWorkflowReplayer()
		workflows.Register(replayer)
		require.NoError(r.t, replayer.ReplayWorkflowExecution(context.Background(), c.WorkflowService(), quiet{}, "default", run), run.ID)
	}
}
