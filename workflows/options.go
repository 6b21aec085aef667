package workflows

import (
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Each step is one activity attempt; retrying is the workflow's own loop
// (attempts.go), because the workflow must know of a failure at once to show it,
// and numbers each attempt.
var once = &temporal.RetryPolicy{MaximumAttempts: 1}

// quick suits steps of a few small requests: configuration, manifests, proofs.
// The heartbeat is long enough to survive a restart of the Temporal server.
func quick(queue string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: 5 * time.Minute,
		HeartbeatTimeout:    30 * time.Second,
		RetryPolicy:         once,
	}
}

// long suits steps that move a whole database: as long as it takes, noticed
// within half a minute when the worker dies.
func long(queue string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: 48 * time.Hour,
		HeartbeatTimeout:    30 * time.Second,
		RetryPolicy:         once,
		WaitForCancellation: true, // so that clean-up never races the step it cleans up after
	}
}

// janitor suits sweeping: it must not hold a run up for long.
func janitor(queue string) workflow.ActivityOptions {
	o := quick(queue)
	o.ScheduleToStartTimeout, o.StartToCloseTimeout = time.Minute, time.Minute
	return o
}

// lock starts a child whose fixed id is a lock. It outlives its parent, and a
// second start is refused while it runs.
func lock(id, summary string) workflow.ChildWorkflowOptions {
	return workflow.ChildWorkflowOptions{
		WorkflowID:            id,
		StaticSummary:         summary,
		TaskQueue:             QueueLifeboat,
		ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WaitForCancellation:   true,
	}
}

const (
	// planGiveUp bounds the wait for a worker that can read the configuration.
	planGiveUp = 5 * time.Minute
	// cleanGiveUp bounds clean-up, which runs also after a cancel.
	cleanGiveUp = 10 * time.Minute

	// heldFor is how long an attempt must have gone on to count as new trouble when
	// it fails: longer than a heartbeat takes to be missed.
	heldFor = 2 * time.Minute
	// maxHeld bounds such attempts: a step that never gets to its end is given up.
	maxHeld = 5

	firstPause = 2 * time.Second
	maxPause   = time.Minute
)
