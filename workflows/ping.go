package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
)

// ping tells the dead man's switch of a playbook how it goes, if switches has one for
// it. A switch that does not answer holds nothing up for long: it notices by itself.
func (t *teller) ping(ctx workflow.Context, switches map[string]string, playbook, signal, text string) {
	ref := switches[playbook]
	if ref == "" {
		return
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	options := workflow.ActivityOptions{
		TaskQueue: QueueLifeboat, StartToCloseTimeout: 15 * time.Second, ScheduleToCloseTimeout: time.Minute, Summary: "ping the dead man's switch",
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 2 * time.Second, MaximumAttempts: 3},
	}
	in := activities.PingInput{Switch: ref, Signal: signal, Text: text}
	if err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), pings.PingSwitch, in).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("ping the dead man's switch", "error", err)
	}
}

// pingEnd tells the switch how a run ended. One that was cancelled, or that people
// decided against, says nothing.
func (t *teller) pingEnd(ctx workflow.Context, switches map[string]string, playbook string, err error) {
	switch {
	case err == nil:
		t.ping(ctx, switches, playbook, activities.PingSuccess, "")
	case !temporal.IsCanceledError(err) && errorType(err) != ErrorNotApproved:
		t.ping(ctx, switches, playbook, activities.PingFail, reason(err))
	}
}
