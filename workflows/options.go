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

// quick suits steps of a few small requests: configuration, manifests, proofs. It
// costs little to try one again when its worker seems to be gone.
func quick(queue string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: 5 * time.Minute,
		HeartbeatTimeout:    10 * time.Second,
		RetryPolicy:         once,
	}
}

// long suits steps that move a whole database: as long as it takes, noticed
// within half a minute when the worker dies. The heartbeat is long enough to
// survive a restart of the Temporal server.
func long(queue string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: 48 * time.Hour,
		HeartbeatTimeout:    30 * time.Second,
		RetryPolicy:         once,
		WaitForCancellation: true, // so that clean-up never races the step it cleans up after
	}
}

// urgent suits steps during which the service is down: a dead worker is noticed
// soon.
func urgent(queue string) workflow.ActivityOptions {
	o := long(queue)
	o.HeartbeatTimeout = 10 * time.Second
	return o
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
	// elsewhereAfter is how long a dump is tried before the run looks whether its
	// destination is to blame, where there is another one.
	elsewhereAfter = 2 * time.Minute
	// copyGiveUp bounds a try to copy a set, before the run waits for a destination that
	// does not answer, and copyFor all tries together: longer than any outage that
	// somebody does something about.
	copyGiveUp = 2 * time.Minute
	copyFor    = 14 * 24 * time.Hour
	// maxCopyPause is the longest pause between two tries to copy.
	maxCopyPause = time.Hour
	// pruneWaits is how long a prune waits for what reads the sets: tomorrow's removes
	// the same.
	pruneWaits = 6 * time.Hour
	// awaitFor is how long one step waits for a destination.
	awaitFor = time.Hour
	// outageFor is how long an outage is watched: by then the destination is no
	// destination any more.
	outageFor = 90 * 24 * time.Hour
	// outageAfter is how long a destination must not answer before people are told.
	outageAfter = 5 * time.Minute

	// cleanGiveUp bounds clean-up, which runs also after a cancel.
	cleanGiveUp = 10 * time.Minute

	// downGiveUp bounds a step for which the service is down.
	downGiveUp = 2 * time.Minute

	// askGiveUp bounds the question which release is deployed: a service that is down may
	// not be able to say.
	askGiveUp = 30 * time.Second
	// recordGiveUp bounds keeping a finding: it holds nobody up.
	recordGiveUp = 2 * time.Minute

	// heldFor is how long an attempt must have gone on to count as new trouble when
	// it fails: longer than a heartbeat takes to be missed.
	heldFor = 2 * time.Minute
	// maxHeld bounds such attempts: a step that never gets to its end is given up.
	maxHeld = 5

	// firstInLine is the first pause of a run that waits in line.
	firstInLine = 5 * time.Second

	firstPause = 2 * time.Second
	maxPause   = time.Minute
)

// checkClaim suits looking at a claim while somebody waits for the answer.
func checkClaim() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:              QueueLifeboat,
		ScheduleToCloseTimeout: time.Minute,
		StartToCloseTimeout:    20 * time.Second,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, MaximumAttempts: 5},
	}
}

// posting suits one request to Slack, which may make us wait for half a minute.
// Trying again is the poster's business: by then there may be something newer.
func posting() workflow.ActivityOptions {
	o := quick(QueueLifeboat)
	o.StartToCloseTimeout, o.ScheduleToStartTimeout = time.Minute, 5*time.Minute
	o.Summary = "tell Slack"
	return o
}
