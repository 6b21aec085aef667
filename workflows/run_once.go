package workflows

import (
	"fmt"
	"strconv"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// commandOnce is a command of a service that runs at most once under its key.
type commandOnce struct {
	plan    recovery.Plan
	command recovery.CommandSpec
	key     string
	expect  string // the release that must be deployed when it begins; empty: whatever is
	// repeatable: where nobody knows how it ended, it may be begun anew.
	repeatable bool
}

// repeats bounds how often a repeatable command is begun.
const repeats = 3

// run runs the command to its end. An error means that it was not started.
func (o commandOnce) run(ctx workflow.Context, t *teller) (*recovery.CommandOutcome, error) {
	for i := 1; ; i++ {
		key := o.key
		if i > 1 {
			key += "." + strconv.Itoa(i)
		}
		outcome, err := o.try(ctx, t, key)
		// Where nobody here has started it, somebody else has, and it may be running.
		if err != nil || outcome.Known || outcome.Instead != "" || outcome.Started.IsZero() || !o.repeatable || i == repeats {
			return outcome, err
		}
		t.did(ctx, fmt.Sprintf("%s is run again, as it may be: %s", o.command.Name, outcome.Why))
	}
}

func (o commandOnce) try(ctx workflow.Context, t *teller, key string) (*recovery.CommandOutcome, error) {
	var outcome recovery.CommandOutcome
	attempts := 0
	err := step{
		name: "run " + o.command.Name, options: urgent(HostQueue(o.plan.Host)), activity: hosts.RunOnce, giveUp: o.plan.GiveUpAfter.Std(),
		input: func(attempt int) any {
			attempts = attempt
			return activities.RunOnceInput{Plan: o.plan, Command: o.command, Key: key, Attempt: attempt, Expect: o.expect}
		},
	}.run(ctx, t, &outcome)
	switch {
	case err == nil || temporal.IsCanceledError(err):
		return &outcome, err
	case attempts > 1 || errorType(err) == activities.ErrorUnavailable: // a worker that died may have started it
		return &recovery.CommandOutcome{Why: reason(err)}, nil
	}
	return nil, err
}
