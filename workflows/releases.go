package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// Releases lists the releases of a service with what is known of them. It changes
// nothing.
func Releases(ctx workflow.Context, in ReleaseInput) (*release.Overview, error) {
	t, err := newTeller(ctx, TypeReleases, in.Service)
	if err != nil {
		return nil, err
	}
	known, err := listReleases(ctx, t, in)
	if err != nil {
		t.outcome(ctx, "failed")
		return nil, plainError(err)
	}
	t.outcome(ctx, "listed")
	return known, nil
}

func listReleases(ctx workflow.Context, t *teller, in ReleaseInput) (*release.Overview, error) {
	if err := checkInput(in.Service, in.malformed); err != nil {
		return nil, err
	}
	var plan recovery.Plan
	if err := loadPlan(ctx, t, in.Service, &plan); err != nil {
		return nil, err
	}
	if err := needDeploy(plan); err != nil {
		return nil, err
	}
	known, _, err := overview(ctx, t, plan)
	return &known, err
}
