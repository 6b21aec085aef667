package workflows

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// gate lets a run go on only if people decide so. Decisions come by the signal and
// the Update named Decide; what they mean is internal/approval's business.
type gate struct {
	teller   *teller
	plan     *recovery.Plan // set once it is loaded
	book     *approval.Book // of the newest request, nil if nothing was asked
	earlier  []approval.Book
	asked    int
	checking int // decisions whose door is being looked at
}

// startedWithin is how far the time of a claim who started a run may be from the
// start, for clocks that differ and a Temporal that did not answer at once.
const startedWithin = 15 * time.Minute

// newGate registers the handlers. It must be called before the run blocks for the
// first time, so that no decision is lost.
func newGate(ctx workflow.Context, t *teller) (*gate, error) {
	g := &gate{teller: t, plan: &recovery.Plan{}}
	err := workflow.SetQueryHandlerWithOptions(ctx, QueryPending, func() ([]approval.Book, error) { return g.pending(), nil },
		workflow.QueryHandlerOptions{Description: "what waits for a decision"})
	if err != nil {
		return nil, fmt.Errorf("register query: %w", err)
	}
	const description = `approve or reject: {"verdict":"approve","by":"your name"}`
	err = workflow.SetUpdateHandlerWithOptions(ctx, Decide, func(ctx workflow.Context, d approval.Decision) (approval.Answer, error) { return g.take(ctx, d), nil },
		workflow.UpdateHandlerOptions{Description: description})
	if err != nil {
		return nil, fmt.Errorf("register update: %w", err)
	}
	decisions := workflow.GetSignalChannelWithOptions(ctx, Decide, workflow.SignalChannelOptions{Description: description})
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var d approval.Decision
			if !decisions.Receive(ctx, &d) {
				return
			}
			// Each on its own, so that one whose door cannot be looked at holds up no other.
			workflow.Go(ctx, func(ctx workflow.Context) { g.take(ctx, d) })
		}
	})
	return g, nil
}

// pending lists the open request, if there is one.
func (g *gate) pending() []approval.Book {
	if g.book == nil || g.book.Outcome != approval.Open {
		return []approval.Book{}
	}
	return []approval.Book{*g.book}
}

// take counts a decision, or refuses it and says why.
func (g *gate) take(ctx workflow.Context, d approval.Decision) approval.Answer {
	arrived := workflow.Now(ctx)
	if g.book == nil {
		workflow.GetLogger(ctx).Warn("decision refused: nothing waits for one", "by", d.By)
		return approval.Answer{Text: "nothing waits for a decision yet: the run is still making its plan"}
	}
	verified := false
	if d.Proof != "" {
		g.checking++
		verified = g.vouched(ctx, d.Subject(), d.Claim)
		g.checking--
	}
	answer := g.book.Take(arrived, d, verified)
	if !answer.Accepted {
		workflow.GetLogger(ctx).Warn("decision refused", "request", g.book.Request.ID, "by", d.By, "via", d.Via, "verified", verified, "why", answer.Text)
	}
	g.teller.show(ctx)
	return answer
}

// vouched asks whether one of our doors made a claim. If that cannot be found out,
// it did not.
func (g *gate) vouched(ctx workflow.Context, subject string, claim approval.Claim) bool {
	if g.plan.Approvals.Key == "" || claim.Proof == "" {
		return false
	}
	var ok bool
	in := activities.CheckClaimInput{Key: g.plan.Approvals.Key, Subject: subject, Claim: claim}
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, checkClaim()), approvals.CheckClaim, in).Get(ctx, &ok)
	if err != nil {
		workflow.GetLogger(ctx).Error("check who decided", "error", err)
	}
	return ok && err == nil
}

// ask asks people to decide, reminds them, and waits until it is decided. Only
// Approved lets the step go on. The returned error is a cancel, or that the decision
// could not be recorded.
func (g *gate) ask(ctx workflow.Context, r approval.Request) (*approval.Book, error) {
	return g.settle(ctx, r, true)
}

// offer is ask without a word to anybody: of what people may do, and need not.
func (g *gate) offer(ctx workflow.Context, r approval.Request) (*approval.Book, error) {
	return g.settle(ctx, r, false)
}

func (g *gate) settle(ctx workflow.Context, r approval.Request, aloud bool) (*approval.Book, error) {
	if why := r.Impossible(); why != "" {
		return nil, badInput("ask for a decision on %s of %s: %s", r.Step, g.plan.Service, why)
	}
	for doubtful := false; ; {
		g.open(ctx, r, doubtful)
		if aloud {
			g.remind(ctx, "waits for a decision", g.book.Request.MayApprove())
		}
		err := g.wait(ctx, aloud)
		if err != nil {
			g.book.Close(approval.Withdrawn, workflow.Now(ctx).UTC())
		}
		g.teller.waitFor(ctx, "")
		recorded, recordErr := g.record(ctx)
		// After a reset, a destination that does not answer may be the one that knows of an
		// approval that was used.
		doubtful = !doubtful && r.Destructive && wasReset(ctx) && len(recorded.Unasked) > 0
		fresh := recorded.Fresh && !doubtful
		switch {
		case err != nil:
			return nil, err
		case recordErr != nil:
			return nil, recordErr
		case fresh || g.book.Outcome != approval.Approved:
			g.teller.did(ctx, decided(*g.book))
			return g.book, nil
		}
		// The signals of a run that was reset are applied again: its approval was used.
		g.teller.did(ctx, "an approval that another run has used does not count again")
		g.book.Outcome = approval.Superseded
	}
}

// open makes the request the one that waits.
// anew gives it an id that no run before a reset can have used.
func (g *gate) open(ctx workflow.Context, r approval.Request, anew bool) {
	if g.book != nil {
		g.book.Close(approval.Superseded, workflow.Now(ctx))
		g.earlier = append(g.earlier, *g.book)
	}
	info := workflow.GetInfo(ctx)
	now := workflow.Now(ctx).UTC()
	g.asked++
	// The first run's id stays when a run is reset: its requests are the same ones.
	r.ID = strings.ReplaceAll(info.OriginalRunID, "/", "-") + "-" + strconv.Itoa(g.asked)
	if anew {
		r.ID = strings.ReplaceAll(info.WorkflowExecution.RunID, "/", "-") + "-" + strconv.Itoa(g.asked)
	}
	r.Run = recovery.RunRef{WorkflowID: info.WorkflowExecution.ID, RunID: info.WorkflowExecution.RunID}
	r.Service = g.plan.Service
	r.Asked, r.Expires = now, now.Add(r.Policy.Expires.Std())
	g.book = &approval.Book{Request: r}
	g.teller.waitFor(ctx, fmt.Sprintf("%s; %s, until %s", r.What, strings.Join(r.MayApprove(), " or "), day(r.Expires)))
}

// wait returns when the request is settled, and lets it expire. If it is asked
// aloud, people are reminded at half and at four fifths of the time.
func (g *gate) wait(ctx workflow.Context, aloud bool) error {
	r := &g.book.Request
	whole := r.Expires.Sub(r.Asked)
	marks := []struct {
		at     time.Time
		remind func()
	}{
		{r.Asked.Add(whole / 2), func() { g.remind(ctx, "still waits for a decision", r.MayApprove()) }},
		{r.Asked.Add(whole * 4 / 5), func() { g.remind(ctx, "nobody has decided yet", append(r.MayApprove(), r.Policy.Escalate...)) }},
		{r.Expires, func() {}},
	}
	if !aloud {
		marks = marks[2:]
	}
	for _, mark := range marks {
		settled, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
			Timeout: mark.at.Sub(workflow.Now(ctx)), TimerOptions: workflow.TimerOptions{Summary: "decision on " + r.Step},
		}, func() bool { return g.book.Outcome != approval.Open })
		if err != nil || settled {
			return err
		}
		mark.remind()
	}
	// A decision that arrived in time may still be looked at.
	if err := workflow.Await(ctx, func() bool { return g.checking == 0 }); err != nil {
		return err
	}
	g.book.Close(approval.Expired, workflow.Now(ctx).UTC())
	return nil
}

func (g *gate) remind(ctx workflow.Context, what string, people []string) {
	r := &g.book.Request
	g.teller.note(ctx, fmt.Sprintf("%s: %s. It expires %s, and then counts as not approved.", r.What, what, day(r.Expires)), people...)
}

func wasReset(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.OriginalRunID != info.WorkflowExecution.RunID
}

// record writes a settled request to the buckets, before anybody acts on it, and says
// whether another run has used the request.
func (g *gate) record(ctx workflow.Context) (recorded activities.RecordedDecision, err error) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	book := *g.book // as it is now: later refusals must not make it another document
	err = step{
		name: "record the decision", options: quick(QueueLifeboat), activity: approvals.RecordDecision, giveUp: g.plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.RecordDecisionInput{Destinations: g.plan.Destinations, Encryption: g.plan.Encryption, Book: book}
		},
	}.run(ctx, g.teller, &recorded)
	return recorded, err
}

// decided says how a request ended: "drill approved: rebecca by slack".
func decided(b approval.Book) string {
	var by []string
	for _, v := range b.Votes {
		who := v.By + " by " + v.Via
		if !v.Verified {
			who = v.By + " (Temporal, unverified)"
		}
		if v.Self {
			who += ", who asked for it"
		}
		if v.Reason != "" {
			who += ": " + v.Reason
		}
		by = append(by, who)
	}
	text := b.Request.Step + " " + b.Outcome.String()
	if len(by) > 0 {
		text += ": " + strings.Join(by, "; ")
	}
	return text
}

// finish waits until every handler has answered, so that no decision is left
// without an answer.
func (g *gate) finish(ctx workflow.Context) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) && g.checking == 0 }); err != nil {
		workflow.GetLogger(ctx).Error("wait for handlers", "error", err)
	}
}

// requester is the person who asked for the run, as far as a door vouches for it;
// empty: nobody does. A claim holds for one playbook and one id, and only just after
// it was made: one that was seen in another run is worth nothing.
// unclaimed is the run's input without the claim.
func (g *gate) requester(ctx workflow.Context, playbook string, unclaimed any, claim *approval.Claim) string {
	info := workflow.GetInfo(ctx)
	switch {
	case claim != nil && info.ParentWorkflowExecution != nil:
		return claim.By // one of our own playbooks says so: nobody else can start a child
	case claim == nil, info.WorkflowStartTime.Sub(claim.At).Abs() > startedWithin:
		return ""
	case !g.vouched(ctx, approval.StartSubject(playbook, info.WorkflowExecution.ID, unclaimed), *claim):
		return ""
	}
	return claim.By
}

// notApproved ends a playbook that people decided against, or that nobody decided
// in time.
func notApproved(b *approval.Book, left string) error {
	why := "nobody decided in time"
	if b.Outcome == approval.Rejected {
		why = "rejected"
		for _, v := range b.Votes {
			if v.Verdict == approval.Reject {
				why = fmt.Sprintf("rejected by %s: %s", v.By, v.Reason)
			}
		}
	}
	return temporal.NewNonRetryableApplicationError(why+"; "+left, ErrorNotApproved, nil)
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
