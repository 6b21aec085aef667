package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// Status is what a run is doing, for the query of that name and for the
// playbook that started it.
type Status struct {
	Service string         `json:"service"`
	Set     recovery.SetID `json:"set,omitempty"`
	Doing   string         `json:"doing"`
	Done    []string       `json:"done,omitempty"`
	// Waiting says for whose decision the run waits, and until when.
	Waiting string `json:"waiting,omitempty"`
	// Trouble is the error that is being waited out, with when it is tried again
	// and when given up; empty while all is well.
	Trouble string `json:"trouble,omitempty"`
	// Restored is set once production was restored, while the run goes on to offer the
	// way back.
	Restored *recovery.Restoration `json:"restored,omitempty"`
	// RolledBack is set once a rollback has ended well, while the run goes on to offer
	// the way back.
	RolledBack *release.Rollback `json:"rolledBack,omitempty"`
	// Running is the child workflow that does the work now, if there is one.
	Running string `json:"running,omitempty"`
}

// details renders at most 8 short lines of Markdown for the Temporal UI.
func (s Status) details(playbook string) string {
	lines := []string{fmt.Sprintf("**%s** of %s", playbook, s.Service)}
	if s.Set != "" {
		lines = append(lines, "Set: "+string(s.Set))
	}
	lines = append(lines, "Now: "+s.Doing)
	if s.Waiting != "" {
		lines = append(lines, "Waiting for a decision: "+s.Waiting)
	}
	if s.Trouble != "" {
		lines = append(lines, "Waiting: "+s.Trouble)
	}
	if s.Running != "" {
		lines = append(lines, "Workflow: "+s.Running)
	}
	for _, d := range slices.Backward(s.Done) { // the newest first: the panel is small
		if len(lines) == 8 {
			break
		}
		lines = append(lines, "Done: "+d)
	}
	return strings.Join(lines, "\n\n")
}

// waitingFor is the value of LifeboatWaiting.
func (s Status) waitingFor() string {
	switch {
	case s.Waiting != "":
		return WaitingForApproval
	case s.Trouble != "":
		return WaitingForRetry
	}
	return ""
}

// teller keeps a run's Status and shows it wherever people look.
type teller struct {
	playbook string
	status   Status
	waiting  string  // the value of LifeboatWaiting
	poster   *poster // shows the run to people, nil if nobody is shown
	shown    []approval.Fact
	left     bool // the run that started this one does not follow it
}

// newTeller registers the query and sets the search attributes of a run. It must
// be called before the run blocks for the first time.
func newTeller(ctx workflow.Context, playbook, service string) (*teller, error) {
	t := &teller{playbook: playbook, status: Status{Service: service, Doing: "starting"}}
	err := workflow.SetQueryHandlerWithOptions(ctx, QueryStatus, func() (Status, error) { return t.status, nil },
		workflow.QueryHandlerOptions{Description: "what this run is doing, and what it waits for"})
	if err != nil {
		return nil, fmt.Errorf("register query: %w", err)
	}
	err = workflow.UpsertTypedSearchAttributes(ctx, AttributeService.ValueSet(service), AttributePlaybook.ValueSet(playbook), AttributeOutcome.ValueSet("running"))
	if err != nil {
		return nil, fmt.Errorf("set search attributes: %w", err)
	}
	return t, nil
}

// now says what the run does next; what it did before is done.
func (t *teller) now(ctx workflow.Context, doing string) {
	t.status.Doing, t.status.Trouble = doing, ""
	t.show(ctx)
}

// did records a finished part.
func (t *teller) did(ctx workflow.Context, what string) {
	t.status.Done = append(t.status.Done, what)
	t.show(ctx)
}

// facts are what people are shown of the run's plan.
func (t *teller) facts(ctx workflow.Context, facts ...approval.Fact) {
	t.shown = facts
	t.show(ctx)
}

// waitFor says for whose decision the run waits; empty means that it was made.
func (t *teller) waitFor(ctx workflow.Context, what string) {
	t.status.Waiting = what
	t.show(ctx)
}

// trouble says what is being waited out; empty means it has passed.
func (t *teller) trouble(ctx workflow.Context, what string) {
	if t.status.Trouble != what {
		t.status.Trouble = what
		t.show(ctx)
	}
}

// outcome sets the search attribute that lists can be filtered by.
func (t *teller) outcome(ctx workflow.Context, outcome string) {
	t.status.Doing, t.status.Trouble, t.status.Waiting, t.status.Running = "ended: "+outcome, "", "", ""
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeOutcome.ValueSet(outcome)); err != nil {
		workflow.GetLogger(ctx).Error("set search attributes", "error", err)
	}
	t.show(ctx)
}

func (t *teller) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, t.status.details(t.playbook))
	if waiting := t.status.waitingFor(); waiting != t.waiting {
		t.waiting = waiting
		update := AttributeWaiting.ValueUnset()
		if waiting != "" {
			update = AttributeWaiting.ValueSet(waiting)
		}
		if err := workflow.UpsertTypedSearchAttributes(ctx, update); err != nil {
			workflow.GetLogger(ctx).Error("set search attributes", "error", err)
		}
	}
	if t.poster != nil {
		t.poster.poke()
	}
	if parent := workflow.GetInfo(ctx).ParentWorkflowExecution; parent != nil && !t.left {
		// The parent may be gone: then nobody is there to be told, which is fine.
		workflow.SignalExternalWorkflow(ctx, parent.ID, parent.RunID, signalChildStatus, t.status)
	}
}

// follow shows the statuses of the child that this run waits for, until the
// returned function is called.
func (t *teller) follow(ctx workflow.Context, child string) (stop func()) {
	t.status.Running = child
	before := slices.Clone(t.status.Done)
	take := func(s Status) {
		t.status.Set, t.status.Doing, t.status.Trouble = s.Set, s.Doing, s.Trouble
		t.status.Done = slices.Concat(before, s.Done)
		t.show(ctx)
	}
	following, cancel := workflow.WithCancel(ctx)
	statuses := workflow.GetSignalChannel(ctx, signalChildStatus)
	workflow.Go(following, func(ctx workflow.Context) {
		selector := workflow.NewSelector(ctx)
		selector.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
		selector.AddReceive(statuses, func(c workflow.ReceiveChannel, _ bool) {
			var s Status
			c.Receive(ctx, &s)
			take(s)
		})
		for ctx.Err() == nil {
			selector.Select(ctx)
		}
	})
	return func() {
		cancel()
		var s Status
		for statuses.ReceiveAsync(&s) { // what came together with the child's end
			take(s)
			s = Status{}
		}
		t.status.Running = ""
	}
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 MST") }

func errorType(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Type()
	}
	return ""
}
