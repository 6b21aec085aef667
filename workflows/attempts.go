package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
)

// step is one activity of a playbook, tried until it succeeds, fails for good,
// or giveUp has passed.
type step struct {
	name     string // "dump app": shown in the UI and in errors
	options  workflow.ActivityOptions
	activity any
	input    func(attempt int) any // nil: the activity takes none
	giveUp   time.Duration
}

// run tries the step and reads its result into out, which may be nil. While an
// error is waited out, the run's status tells it.
func (s step) run(ctx workflow.Context, t *teller, out any) error {
	var failing time.Time // since when; an attempt that held for a while begins anew
	held := 0             // how many did
	pause := firstPause
	for attempt := 1; ; attempt++ {
		begun := workflow.Now(ctx)
		options := s.options
		options.Summary = s.name
		if attempt > 1 {
			options.Summary = fmt.Sprintf("%s, attempt %d", s.name, attempt)
		}
		if options.ScheduleToStartTimeout == 0 {
			options.ScheduleToStartTimeout = s.giveUp
		}
		var in []any
		if s.input != nil {
			in = []any{s.input(attempt)}
		}
		err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), s.activity, in...).Get(ctx, out)
		if err == nil {
			t.trouble(ctx, "")
			return nil
		}
		now := workflow.Now(ctx)
		if now.Sub(begun) > heldFor {
			failing, held = time.Time{}, held+1
		}
		if failing.IsZero() {
			failing, pause = now, firstPause
		}
		if final := s.final(ctx, err, now.Sub(failing), held); final != nil {
			t.trouble(ctx, "")
			return final
		}
		if errorType(err) == activities.ErrorInterrupted {
			continue // the worker is going down: the next one takes over at once
		}
		t.trouble(ctx, fmt.Sprintf("%s: %s; next try %s, gives up %s", s.name, reason(err), clock(now.Add(pause)), clock(failing.Add(s.giveUp))))
		timer := workflow.NewTimerWithOptions(ctx, pause, workflow.TimerOptions{Summary: "try again: " + s.name})
		if err := timer.Get(ctx, nil); err != nil {
			return err
		}
		pause = min(2*pause, maxPause)
	}
}

// final returns the error to end with, or nil if the step is worth trying again.
func (s step) final(ctx workflow.Context, err error, tried time.Duration, held int) error {
	if temporal.IsCanceledError(err) || ctx.Err() != nil {
		return err
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) && timeout.TimeoutType() == enums.TIMEOUT_TYPE_SCHEDULE_TO_START {
		return stepError(fmt.Sprintf("%s: no worker took this step from the queue %q: start a worker that serves it", s.name, s.options.TaskQueue), activities.ErrorUnavailable)
	}
	switch kind := errorType(err); kind {
	case activities.ErrorPermanent, activities.ErrorDamaged:
		return stepError(s.name+": "+reason(err), kind, blame(err)...)
	}
	if held > maxHeld {
		return stepError(fmt.Sprintf("%s: gave up after %d long attempts: %s", s.name, held, reason(err)), activities.ErrorUnavailable, blame(err)...)
	}
	if tried >= s.giveUp {
		return stepError(fmt.Sprintf("%s: gave up after %s: %s", s.name, tried.Round(time.Second), reason(err)), activities.ErrorUnavailable, blame(err)...)
	}
	return nil
}

func stepError(message, kind string, details ...any) error {
	return temporal.NewNonRetryableApplicationError(message, kind, nil, details...)
}

// blame is what an activity's error says in its details of whose error it is.
func blame(err error) []any {
	var b activities.Blame
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok && app.HasDetails() && app.Details(&b) == nil && b.Destination != "" {
		return []any{b}
	}
	return nil
}

// reason is what a person needs of an activity's error: its own words, without
// Temporal's wrapping.
func reason(err error) string {
	if _, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return "the worker that ran it stopped answering"
	}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Message()
	}
	return err.Error()
}
