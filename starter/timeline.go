package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func (c *cli) timelineCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "timeline RUN",
		Short: "Tell who did what in a run, and when",
		Long: `Tell who did what in a run, and when, from the run's own history in Temporal: who
asked for it, what people decided and what was refused, each step with how long it
took and what went wrong, and how it ended. What its child workflows did is told
with it.

` + exitCodes(exitReached, exitFailed, exitUsage, exitUnreachable),
		Example: "  starter timeline RestoreDrill/where2eat/20261122T180000.000Z\n  starter timeline change/where2eat --json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.timeline(cmd.Context(), args[0]) },
	}
}

// moment is one line of a timeline.
type moment struct {
	At   time.Time `json:"at"`
	Run  string    `json:"run"` // workflow id
	What string    `json:"what"`
}

func (c *cli) timeline(ctx context.Context, run string) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	temporalClient, err := dial(ctx, cfg)
	if err != nil {
		return err
	}
	defer temporalClient.Close()
	t := &timeline{client: temporalClient}
	if err := t.read(ctx, run, ""); err != nil {
		return unreachable("read the history of "+run, err)
	}
	slices.SortStableFunc(t.moments, func(a, b moment) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	if c.json {
		return c.printJSON(t.moments)
	}
	for _, m := range t.moments {
		who := ""
		if m.Run != run {
			who = m.Run + ": "
		}
		if err := c.printf("%s  %s%s\n", m.At.UTC().Format("2006-01-02 15:04:05"), who, m.What); err != nil {
			return err
		}
	}
	return nil
}

// timeline collects what a run and its children did.
type timeline struct {
	client  client.Client
	moments []moment
}

// read reads the history of one run; the newest of that id, if runID is empty.
func (t *timeline) read(ctx context.Context, id, runID string) error {
	r := &reader{id: id, steps: map[int64]step{}, asked: map[string]string{}}
	events := t.client.GetWorkflowHistory(ctx, id, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return err
		}
		r.event(event)
	}
	t.moments = append(t.moments, r.moments...)
	for _, child := range r.children {
		if err := t.read(ctx, child.GetWorkflowId(), child.GetRunId()); err != nil {
			return err
		}
	}
	return nil
}

// reader reads the events of one run.
type reader struct {
	id       string
	moments  []moment
	steps    map[int64]step    // by the event that scheduled them
	asked    map[string]string // what an Update's sender decided
	children []*common.WorkflowExecution
}

type step struct {
	name  string
	begun time.Time
}

// quiet are the steps of which people know already, or that say nothing.
var quiet = []string{"PostCard", "PostNote", "CheckClaim", "IsHeld"}

func (r *reader) add(e *history.HistoryEvent, format string, args ...any) {
	r.moments = append(r.moments, moment{At: e.GetEventTime().AsTime().UTC(), Run: r.id, What: fmt.Sprintf(format, args...)})
}

func (r *reader) event(e *history.HistoryEvent) {
	switch e.GetEventType() {
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		r.add(e, "begun%s", requestedBy(e.GetWorkflowExecutionStartedEventAttributes().GetInput()))
	case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		a := e.GetActivityTaskScheduledEventAttributes()
		if !slices.Contains(quiet, a.GetActivityType().GetName()) {
			r.steps[e.GetEventId()] = step{name: cmp.Or(text(e.GetUserMetadata().GetSummary()), a.GetActivityType().GetName()), begun: e.GetEventTime().AsTime()}
		}
	case enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		r.ended(e, e.GetActivityTaskCompletedEventAttributes().GetScheduledEventId(), "")
	case enums.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		a := e.GetActivityTaskFailedEventAttributes()
		r.ended(e, a.GetScheduledEventId(), innermost(a.GetFailure()))
	case enums.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		r.ended(e, e.GetActivityTaskTimedOutEventAttributes().GetScheduledEventId(), "the worker that ran it stopped answering")
	case enums.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		r.ended(e, e.GetActivityTaskCanceledEventAttributes().GetScheduledEventId(), "cancelled")
	case enums.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
		r.children = append(r.children, e.GetChildWorkflowExecutionStartedEventAttributes().GetWorkflowExecution())
	default:
		r.decided(e)
	}
}

// ended tells that a step ended, and how.
func (r *reader) ended(e *history.HistoryEvent, scheduled int64, trouble string) {
	s, ok := r.steps[scheduled]
	if !ok {
		return
	}
	took := e.GetEventTime().AsTime().Sub(s.begun).Round(10 * time.Millisecond)
	if trouble == "" {
		r.add(e, "%s (%s)", s.name, took)
		return
	}
	r.add(e, "%s FAILED after %s: %s", s.name, took, trouble)
}

// decided tells what people sent, and how the run ended.
func (r *reader) decided(e *history.HistoryEvent) {
	switch e.GetEventType() {
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		a := e.GetWorkflowExecutionUpdateAcceptedEventAttributes()
		r.asked[a.GetAcceptedRequest().GetMeta().GetUpdateId()] = decisionText(a.GetAcceptedRequest().GetInput().GetArgs())
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		a := e.GetWorkflowExecutionUpdateCompletedEventAttributes()
		var answer approval.Answer
		if converter.GetDefaultDataConverter().FromPayloads(a.GetOutcome().GetSuccess(), &answer) == nil {
			r.add(e, "%s: %s", r.asked[a.GetMeta().GetUpdateId()], answer.Text)
		}
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		if a := e.GetWorkflowExecutionSignaledEventAttributes(); a.GetSignalName() == workflows.Decide {
			r.add(e, "%s, as a signal claims", decisionText(a.GetInput()))
		}
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		r.add(e, "asked to cancel")
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		r.add(e, "ended well")
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		r.add(e, "ended: %s", innermost(e.GetWorkflowExecutionFailedEventAttributes().GetFailure()))
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		r.add(e, "ended: cancelled")
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		r.add(e, "terminated: nothing was cleaned up")
	default: // the rest is Temporal's own business
	}
}

func decisionText(args *common.Payloads) string {
	var d approval.Decision
	if err := converter.GetDefaultDataConverter().FromPayloads(args, &d); err != nil || d.Verdict == approval.Undecided {
		return "a decision that cannot be read"
	}
	out := fmt.Sprintf("%s by %s", d.Verdict, cmp.Or(d.By, "nobody"))
	if d.Via != "" {
		out += " (" + d.Via + ")"
	}
	if d.Choice != "" {
		out += ", who chose " + d.Choice
	}
	if d.Reason != "" {
		out += ", because " + d.Reason
	}
	return out
}

// requestedBy says who asked for a run, as its input claims.
func requestedBy(input *common.Payloads) string {
	var in struct {
		Requested *approval.Claim `json:"requested"`
	}
	if converter.GetDefaultDataConverter().FromPayloads(input, &in) != nil || in.Requested == nil {
		return ""
	}
	return ", as its input says asked for by " + in.Requested.By + " (" + in.Requested.Via + ")"
}

func text(p *common.Payload) string {
	var s string
	if p == nil || converter.GetDefaultDataConverter().FromPayload(p, &s) != nil {
		return ""
	}
	return s
}

// innermost is the message that says what went wrong, without Temporal's layers.
func innermost(f *failure.Failure) string {
	for f.GetCause() != nil {
		f = f.GetCause()
	}
	return strings.TrimSpace(f.GetMessage())
}
