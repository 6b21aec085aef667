package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// failing ends as its input says, as a run of a service.
func failing(ctx workflow.Context, how string) error {
	if err := workflow.UpsertTypedSearchAttributes(ctx, workflows.AttributeService.ValueSet("where2eat")); err != nil {
		return err
	}
	switch how {
	case "fail":
		return temporal.NewNonRetryableApplicationError("dump notes: it is locked", workflows.ErrorFailed, nil)
	case "reject":
		return temporal.NewNonRetryableApplicationError("rejected by sam", workflows.ErrorNotApproved, nil)
	case "parent":
		child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: "child"})
		_ = workflow.ExecuteChildWorkflow(child, "failing", "fail").Get(ctx, nil)
		for _, place := range []string{"1/second", "2/second", "2/third"} {
			copied := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: "replicate/" + place})
			_ = workflow.ExecuteChildWorkflow(copied, workflows.TypeReplicate, "copy").Get(ctx, nil)
		}
	case "copy":
		return temporal.NewNonRetryableApplicationError(workflow.GetInfo(ctx).WorkflowExecution.ID+" does not hold", workflows.ErrorDisproven, nil)
	case "wait":
		return workflow.Sleep(ctx, time.Hour)
	}
	return nil
}

func TestSurveyOfTemporal(t *testing.T) {
	h := newHouse(t)
	s := startScheduler(t)
	h.rest = fmt.Sprintf("temporal: { address: %q, namespace: %q }\n", s.server.Address, s.server.Namespace)
	h.keep(4*time.Hour+30*time.Minute, recovery.LevelProven, recovery.ProofRestore, "main", "second")
	_, err := s.client.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: s.server.Namespace, SearchAttributes: map[string]enums.IndexedValueType{workflows.AttributeService.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD},
	})
	require.NoError(t, err)
	w := worker.New(s.client, "survey", worker.Options{})
	w.RegisterWorkflowWithOptions(failing, workflow.RegisterOptions{Name: "failing"})
	w.RegisterWorkflowWithOptions(failing, workflow.RegisterOptions{Name: workflows.TypeReplicate})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	ctx := t.Context()
	for _, id := range []string{"fail", "again fail", "reject", "parent", "wait", "well"} {
		how := id[strings.LastIndex(id, " ")+1:]
		run, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: "survey"}, "failing", how)
		require.NoError(t, err)
		if how != "wait" {
			_ = run.Get(ctx, nil)
		}
	}
	require.Eventually(t, func() bool { // it says for which service it runs in its first task
		d, err := s.client.DescribeWorkflowExecution(ctx, "wait", "")
		return err == nil && d.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()[workflows.AttributeService.GetName()] != nil
	}, 30*time.Second, 20*time.Millisecond)
	require.NoError(t, s.client.TerminateWorkflow(ctx, "wait", "", "the test wants it"))

	survey := h.survey(s.client)
	look := func() *recovery.Digest {
		d, err := survey.Digest(ctx, time.Now())
		require.NoError(t, err)
		return d
	}
	told := func() map[string]string {
		failed := map[string]string{}
		for _, f := range look().Services[0].Failed {
			failed[f.WorkflowID] = fmt.Sprintf("%s: %s, %d more", f.Playbook, f.Reason, f.Alike)
		}
		return failed
	}
	want := map[string]string{
		"again fail":         "failing: dump notes: it is locked, 1 more",
		"wait":               "failing: somebody terminated it, 0 more",
		"replicate/2/second": "Replicate: replicate/2/second does not hold, 1 more",
		"replicate/2/third":  "Replicate: replicate/2/third does not hold, 0 more",
	}
	listed := func() bool { // the server's list may lag behind the runs
		runs := 0
		for _, f := range look().Services[0].Failed {
			runs += 1 + f.Alike
		}
		return runs >= 6
	}
	require.Eventually(t, listed, 30*time.Second, 100*time.Millisecond)
	require.Equal(t, want, told())

	d := look()
	require.Zero(t, d.Services[0].NextDrill, "Temporal has no schedule")
	require.Len(t, d.Problems, 1)
	require.Contains(t, d.Problems[0], "starter schedules plan")

	cfg, err := h.config()
	require.NoError(t, err)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	s.apply(app.Schedules([]*recovery.Plan{plan}, cfg.DigestPlan()))
	d = look()
	require.Empty(t, d.Problems)
	require.False(t, d.Services[0].NextDrill.IsZero())

	s.client.Close()
	d = look()
	require.Len(t, d.Problems, 1)
	require.Contains(t, d.Problems[0], "Temporal")
	require.False(t, d.Services[0].NextDrill.IsZero(), "the config says it")
}
