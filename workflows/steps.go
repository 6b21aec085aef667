package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Activities are named through nil pointers; the worker registers filled structs.
var (
	plans         *activities.Plans
	backups       *activities.Backups
	verifications *activities.Verifications
	restores      *activities.Restores
	approvals     *activities.Approvals
	cards         *activities.Cards
	locks         *activities.Locks
	drills        *activities.Drills
	changes       *activities.Changes
	choices       *activities.Choices
	destinations  *activities.Destinations
	copies        *activities.Copies
	prunes        *activities.Prunes
	digests       *activities.Digests
	pings         *activities.Pings
	releases      *activities.Releases
	evidence      *activities.Evidence
	hosts         *activities.Hosts
)

// loadPlan is the first step of every run.
func loadPlan(ctx workflow.Context, t *teller, service string, plan *recovery.Plan) error {
	t.now(ctx, "reading the configuration")
	return step{
		name: "read configuration", options: quick(QueueLifeboat), activity: plans.LoadPlan, giveUp: planGiveUp,
		input: func(int) any { return activities.LoadPlanInput{Service: service} },
	}.run(ctx, t, plan)
}
