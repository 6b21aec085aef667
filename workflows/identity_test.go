package workflows_test

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// originally gives runs the id of the run that they were reset from, as the server
// does: their own, unless they were reset. The test environment leaves it empty.
type originally struct {
	interceptor.WorkerInterceptorBase
	world *world
}

func (o *originally) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &identity{interceptor.WorkflowInboundInterceptorBase{Next: next}, o.world}
}

type identity struct {
	interceptor.WorkflowInboundInterceptorBase
	world *world
}

func (i *identity) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	info := workflow.GetInfo(ctx)
	info.OriginalRunID = info.WorkflowExecution.RunID
	if i.world.resetFrom != "" && info.ParentWorkflowExecution == nil {
		info.OriginalRunID = i.world.resetFrom
	}
	return i.Next.ExecuteWorkflow(ctx, in)
}

// identify gives the runs of a test environment their original ids, and lets them
// signal runs that are going on elsewhere.
func (w *world) identify(env *testsuite.TestWorkflowEnvironment) {
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&originally{world: w}}})
	env.OnSignalExternalWorkflow(anything, anything, anything, anything, anything).Return(func(_, id, _, name string, _ any) error {
		if !slices.Contains(w.elsewhereRun, id) {
			return errors.New("unable to signal " + id + ": there is no such run")
		}
		w.did("signal %s: %s", id, name)
		return nil
	}).Maybe()
}
