package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

const (
	lookEvery = time.Second
	// noWorkerAfter is how long a run may tell nothing before a person is told that
	// no worker seems to be there.
	noWorkerAfter = 10 * time.Second
)

// follower tells what a run does until it ends.
type follower struct {
	cli    *cli
	client client.Client
	run    client.WorkflowRun
	until  func(*workflows.Status) bool // may be nil: to the end
	// pending lists what the run waits for, so that its plan is shown; may be nil.
	pending func(context.Context, recovery.RunRef) ([]approval.Book, error)

	said     int    // finished parts that were told
	doing    string // the last line about what goes on
	trouble  string
	waiting  string
	planned  string // the request whose plan was told
	drawn    bool   // a line is being drawn over on the terminal
	silent   time.Time
	noWorker bool
}

// follow waits for the end of the run and reads its result, or the details of its
// error, into result. It ends with ctx, and when until says so; the run goes on
// then.
func (f *follower) follow(ctx context.Context, result any) error {
	ended := make(chan error, 1)
	go func() {
		err := f.run.Get(ctx, result)
		var failed *temporal.ApplicationError
		if errors.As(err, &failed) && failed.HasDetails() {
			// Details of another shape are no result.
			_ = failed.Details(result)
		}
		ended <- err
	}()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	f.silent = f.cli.now()
	for {
		select {
		case err := <-ended:
			f.wipe()
			if ctx.Err() != nil {
				return context.Canceled
			}
			return err
		case <-ticker.C:
			status := f.look(ctx)
			if f.until != nil && status != nil && f.until(status) {
				f.wipe()
				return nil
			}
		}
	}
}

// look asks the run for its status. A run that does not answer is no error: the
// worker may be restarting.
func (f *follower) look(ctx context.Context) *workflows.Status {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	value, err := f.client.QueryWorkflow(ctx, f.run.GetID(), f.run.GetRunID(), workflows.QueryStatus)
	var status workflows.Status
	if err == nil {
		err = value.Get(&status)
	}
	if err != nil {
		if !f.noWorker && f.cli.now().Sub(f.silent) > noWorkerAfter {
			f.noWorker = true
			f.tell("no worker answers: start one with `worker`; the run waits for it")
		}
		return nil
	}
	f.silent, f.noWorker = f.cli.now(), false
	f.show(ctx, status, f.heartbeat(ctx, status.Running))
	return &status
}

// show tells what is new.
func (f *follower) show(ctx context.Context, s workflows.Status, beat activities.Progress) {
	for ; f.said < len(s.Done); f.said++ {
		f.tell(s.Done[f.said])
	}
	if s.Trouble != f.trouble {
		f.trouble = s.Trouble
		if s.Trouble != "" {
			f.tell("waiting: " + s.Trouble)
		}
	}
	if s.Waiting != f.waiting {
		f.waiting = s.Waiting
		if s.Waiting != "" {
			f.tellWaiting(ctx, s.Waiting)
		}
	}
	doing := s.Doing
	if f.cli.progress {
		if beat.Bytes > 0 {
			doing = fmt.Sprintf("%s: %s, %s/s", beat.Doing, recovery.Bytes(beat.Bytes), recovery.Bytes(beat.BytesPerSecond))
		}
		f.draw(doing)
		return
	}
	if doing != f.doing {
		f.doing = doing
		f.tell(doing)
	}
}

// tellWaiting tells what waits for a decision: each plan once, if it can be had.
func (f *follower) tellWaiting(ctx context.Context, waiting string) {
	f.tell("waits for a decision: " + waiting)
	if f.pending != nil {
		books, err := f.pending(ctx, recovery.RunRef{WorkflowID: f.run.GetID(), RunID: f.run.GetRunID()})
		if err == nil && len(books) > 0 {
			if id := books[0].Request.ID; id != f.planned {
				f.planned = id
				f.tell(strings.ReplaceAll(strings.TrimSpace(describeRequest(&books[0], f.cli.now())), "\n", "\n  "))
			}
			return
		}
	}
	f.tell("decide it in Slack, or as `starter pending` says")
}

// heartbeat returns the progress of the step that runs in the child now.
func (f *follower) heartbeat(ctx context.Context, child string) activities.Progress {
	var progress activities.Progress
	if child == "" || !f.cli.progress {
		return progress
	}
	d, err := f.client.DescribeWorkflowExecution(ctx, child, "")
	if err != nil {
		return progress
	}
	for _, a := range d.GetPendingActivities() {
		if payloads := a.GetHeartbeatDetails(); payloads != nil {
			if converter.GetDefaultDataConverter().FromPayloads(payloads, &progress) == nil {
				return progress
			}
		}
	}
	return progress
}

// tell writes a line that stays.
func (f *follower) tell(line string) {
	f.wipe()
	f.cli.notef("  %s", line)
}

// draw writes over the last drawn line.
func (f *follower) draw(line string) {
	f.wipe()
	_, _ = fmt.Fprintf(f.cli.stderr, "  … %s", line)
	f.drawn = true
}

func (f *follower) wipe() {
	if f.drawn {
		_, _ = fmt.Fprint(f.cli.stderr, "\r\x1b[K")
		f.drawn = false
	}
}
