package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Registry is the part of a worker, or of a replayer, that takes workflows.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
	RegisterDynamicWorkflow(w any, options workflow.DynamicRegisterOptions)
}

// Register registers every playbook under its name, and answers any other name
// with the names there are.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(BackupAndVerify, workflow.RegisterOptions{Name: TypeBackupAndVerify})
	r.RegisterWorkflowWithOptions(Verify, workflow.RegisterOptions{Name: TypeVerify})
	r.RegisterWorkflowWithOptions(BackupService, workflow.RegisterOptions{Name: TypeBackupService})
	r.RegisterWorkflowWithOptions(VerifySet, workflow.RegisterOptions{Name: TypeVerifySet})
	r.RegisterWorkflowWithOptions(RestoreDrill, workflow.RegisterOptions{Name: TypeRestoreDrill})
	r.RegisterWorkflowWithOptions(Restore, workflow.RegisterOptions{Name: TypeRestore})
	r.RegisterWorkflowWithOptions(ChangeData, workflow.RegisterOptions{Name: TypeChangeData})
	r.RegisterWorkflowWithOptions(Rollback, workflow.RegisterOptions{Name: TypeRollback})
	r.RegisterWorkflowWithOptions(ChangeRelease, workflow.RegisterOptions{Name: TypeChangeRelease})
	r.RegisterWorkflowWithOptions(Releases, workflow.RegisterOptions{Name: TypeReleases})
	r.RegisterWorkflowWithOptions(WatchReleases, workflow.RegisterOptions{Name: TypeWatchReleases})
	r.RegisterWorkflowWithOptions(SmokeDeploy, workflow.RegisterOptions{Name: TypeSmokeDeploy})
	r.RegisterWorkflowWithOptions(StageRelease, workflow.RegisterOptions{Name: TypeStageRelease})
	r.RegisterWorkflowWithOptions(Replicate, workflow.RegisterOptions{Name: TypeReplicate})
	r.RegisterWorkflowWithOptions(CatchUp, workflow.RegisterOptions{Name: TypeCatchUp})
	r.RegisterWorkflowWithOptions(WatchDestination, workflow.RegisterOptions{Name: TypeWatchDestination})
	r.RegisterWorkflowWithOptions(Prune, workflow.RegisterOptions{Name: TypePrune})
	r.RegisterWorkflowWithOptions(Digest, workflow.RegisterOptions{Name: TypeDigest})
	r.RegisterWorkflowWithOptions(DeliverCard, workflow.RegisterOptions{Name: TypeDeliverCard})
	r.RegisterDynamicWorkflow(unknownPlaybook, workflow.DynamicRegisterOptions{})
}

var playbooks = []string{TypeBackupAndVerify, TypeVerify, TypeRestoreDrill, TypeRestore, TypePrune, TypeDigest, TypeCatchUp, TypeRollback, TypeReleases, TypeWatchReleases, TypeSmokeDeploy}

// unknownPlaybook fails a mistyped workflow type at once; without it, such a run
// would stay "Running" for ever.
func unknownPlaybook(ctx workflow.Context, _ converter.EncodedValues) (any, error) {
	name := workflow.GetInfo(ctx).WorkflowType.Name
	known := slices.Sorted(slices.Values(playbooks))
	return nil, temporal.NewNonRetryableApplicationError(
		fmt.Sprintf("start playbook %q: there is no such playbook; there are %s", name, strings.Join(known, ", ")), ErrorBadInput, nil)
}
