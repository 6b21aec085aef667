package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// thawAgain is how often it is looked whether a set was fetched from cold storage,
// which takes hours.
const thawAgain = 15 * time.Minute

// thaw fetches a set from cold storage, if it lies there, and waits until it can be
// read.
func thaw(ctx workflow.Context, t *teller, plan *recovery.Plan, m *recovery.Manifest) error {
	if !plan.Destination.Cold() {
		return nil
	}
	for {
		state, err := lookCold(ctx, t, plan, m, true)
		if err != nil || state.Ready {
			return err
		}
		t.now(ctx, fmt.Sprintf("fetching %s from cold storage (%s): up to %s", m.Set, state.Class, state.Expected))
		timer := workflow.NewTimerWithOptions(ctx, thawAgain, workflow.TimerOptions{Summary: "wait for cold storage"})
		if err := timer.Get(ctx, nil); err != nil {
			return err
		}
	}
}

// lookCold says whether a set can be read now; with fetch it asks for what cannot.
func lookCold(ctx workflow.Context, t *teller, plan *recovery.Plan, m *recovery.Manifest, fetch bool) (*recovery.Thawing, error) {
	var state recovery.Thawing
	err := step{
		name: "look whether " + string(m.Set) + " is in cold storage", options: quick(QueueLifeboat), activity: choices.ThawSet, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.ThawSetInput{Manifest: *m, Fetch: fetch, Destination: plan.Destination, Encryption: plan.Encryption}
		},
	}.run(ctx, t, &state)
	return &state, err
}

// coldFacts says in a plan that a set must be fetched from cold storage first, and for
// how long that makes everybody wait.
func coldFacts(ctx workflow.Context, t *teller, plan *recovery.Plan, set recovery.SetID) ([]approval.Fact, error) {
	if !plan.Destination.Cold() {
		return nil, nil
	}
	var m recovery.Manifest
	if err := loadManifest(ctx, t, *plan, set, &m); err != nil {
		return nil, err
	}
	state, err := lookCold(ctx, t, plan, &m, false)
	if err != nil || state.Ready {
		return nil, err
	}
	return []approval.Fact{{Label: "In cold storage", Value: fmt.Sprintf("%s: up to %s until it can be read", state.Class, state.Expected)}}, nil
}
