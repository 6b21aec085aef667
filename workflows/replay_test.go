package workflows_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/workflows"
)

// TestReplay replays committed histories of real runs. A change that breaks one
// breaks runs that are going on while a worker is upgraded. New ones are recorded
// with test/histories from a release, not from the branch that is tested.
func TestReplay(t *testing.T) {
	histories, err := filepath.Glob("testdata/histories/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, histories)
	for _, history := range histories {
		t.Run(filepath.Base(history), func(t *testing.T) {
			replayer := worker.NewWorkflowReplayer()
			workflows.Register(replayer)
			file, err := os.Open(history)
			require.NoError(t, err)
			defer func() { require.NoError(t, file.Close()) }()
			recorded, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
			require.NoError(t, err)
			// Under its own id: the ids of children are made from it.
			run := recorded.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
			require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(nil, recorded, worker.ReplayWorkflowHistoryOptions{
				OriginalExecution: workflow.Execution{ID: run.GetWorkflowId(), RunID: run.GetOriginalExecutionRunId()},
			}))
		})
	}
}
