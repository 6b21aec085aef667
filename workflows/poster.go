package workflows

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// poster shows one run to people: one card, always in its newest state, and a
// thread of notes. It never holds the run up: what could not be posted when the
// run ends is left to DeliverCard.
type poster struct {
	teller *teller
	gate   *gate
	card   card.Card // what does not follow from the status
	noted  int       // notes made so far
	said   int       // finished parts that are in the thread
	mail   delivery
	stale  bool // the card was not posted in its newest state
	ending bool
	ended  bool // the coroutine has returned
}

// delivery is what is posted: it outlives the run.
type delivery struct {
	Ref   card.Ref    `json:"ref"`
	Card  card.Card   `json:"card"`
	Notes []card.Note `json:"notes,omitempty"` // not posted yet, oldest first
	// Unsure is true if a try may have posted without our knowing.
	Unsure bool `json:"unsure,omitempty"`
	// Tried is true if the first of the notes may be in the thread already: its text
	// must not change any more.
	Tried bool `json:"tried,omitempty"`
}

const (
	// postEvery keeps within Slack's limit of about one message a second.
	postEvery = 1500 * time.Millisecond
	// lastPost bounds the wait at a run's end for a Slack that has answered so far.
	lastPost = 20 * time.Second
	// postAgain and maxPostAgain bound the pause after a try that failed.
	postAgain    = 5 * time.Second
	maxPostAgain = 5 * time.Minute
	// deliverFor is how long DeliverCard tries, at last once in maxDeliverPause: longer
	// than any outage, and as long as a history may grow.
	deliverFor      = 90 * 24 * time.Hour
	maxDeliverPause = time.Hour
)

// startPoster begins to show a run, if its plan says where.
func startPoster(ctx workflow.Context, t *teller, g *gate, title, by string) {
	if g.plan.Slack == nil || t.poster != nil {
		return
	}
	t.poster = &poster{teller: t, gate: g, stale: true, card: t.newCard(ctx, title, card.Working, "")}
	t.poster.card.By = by
	t.poster.mail.Unsure = wasReset(ctx)
	// On a context of its own: a cancelled run is shown to its end.
	own, _ := workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(own, "poster", t.poster.run)
}

// newCard is the card of this run.
func (t *teller) newCard(ctx workflow.Context, title string, state card.State, line string) card.Card {
	info := workflow.GetInfo(ctx)
	run := recovery.RunRef{WorkflowID: info.WorkflowExecution.ID, RunID: info.WorkflowExecution.RunID}
	return card.Card{
		// The id of the original run: a run that is reset goes on with its card.
		Key: run.WorkflowID + "/" + info.OriginalRunID, Run: run, Playbook: t.playbook, Service: t.status.Service,
		Title: title, State: state, Line: line, Started: info.WorkflowStartTime.UTC(),
	}
}

// poke says that the card is not the newest state any more.
func (p *poster) poke() { p.stale = true }

// note adds a message to the thread of the run's card, for people to see.
func (t *teller) note(ctx workflow.Context, text string, mention ...string) {
	t.say(ctx, text, mention, false)
}

// shout is a note that the whole channel sees.
func (t *teller) shout(ctx workflow.Context, text string, mention ...string) {
	t.say(ctx, text, mention, true)
}

func (t *teller) say(ctx workflow.Context, text string, mention []string, loud bool) {
	workflow.GetLogger(ctx).Info("note", "text", text)
	if t.poster != nil {
		t.poster.tell() // what was done before comes before
		t.poster.note(text, mention, loud)
	}
}

// maxNote is how long quiet notes grow when they wait together, in bytes.
const maxNote = 2500

// note queues a message. Quiet ones that wait are joined, because Slack takes only
// about one a second.
func (p *poster) note(text string, mention []string, loud bool) {
	n := len(p.mail.Notes)
	quiet := !loud && len(mention) == 0
	if quiet && (n > 1 || n == 1 && !p.mail.Tried) {
		last := &p.mail.Notes[n-1]
		if !last.Loud && len(last.Mention) == 0 && len(last.Text)+len(text) < maxNote {
			last.Text += "\n" + text
			return
		}
	}
	slices.Sort(mention)
	p.noted++
	p.mail.Notes = append(p.mail.Notes, card.Note{Key: strconv.Itoa(p.noted), Text: text, Mention: slices.Compact(mention), Loud: loud})
}

// run posts until the run ends and all was posted.
func (p *poster) run(ctx workflow.Context) {
	defer func() { p.ended = true }()
	pause := postAgain
	for {
		err := workflow.Await(ctx, func() bool { return p.stale || len(p.mail.Notes) > 0 || p.ending })
		if err != nil || p.ending && !p.stale && len(p.mail.Notes) == 0 {
			return
		}
		wait := postEvery
		if p.stale {
			p.refresh()
		}
		if p.mail.post(ctx, &p.stale) != nil {
			wait, pause = pause, min(2*pause, maxPostAgain)
			if p.ending {
				return // DeliverCard goes on
			}
		} else {
			pause = postAgain
		}
		ended := p.ending
		if _, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
			Timeout: wait, TimerOptions: workflow.TimerOptions{Summary: "next post"},
		}, func() bool { return p.ending && !ended }); err != nil {
			return
		}
	}
}

// refresh makes the card from what the run is doing now.
func (p *poster) refresh() {
	s := &p.teller.status
	c := p.card
	c.Line, c.Trouble, c.Done, c.Facts = s.Doing, s.Trouble, s.Done, p.teller.shown
	c.Decided = slices.Clone(p.gate.earlier)
	if b := p.gate.book; b != nil {
		copied := *b
		if b.Outcome == approval.Open {
			c.Open, c.State, c.Facts = &copied, card.Waiting, nil // the request has its own
		} else {
			c.Decided = append(c.Decided, copied)
		}
	}
	p.mail.Card = c
	p.tell()
}

// tell makes notes of the finished parts that are not in the thread yet.
func (p *poster) tell() {
	for done := p.teller.status.Done; p.said < len(done); p.said++ {
		p.note(done[p.said], nil, false)
	}
}

// post makes one request: the card first, then the notes, one at a time.
func (d *delivery) post(ctx workflow.Context, stale *bool) error {
	options := workflow.WithActivityOptions(ctx, posting())
	var err error
	switch {
	case *stale:
		*stale = false
		var ref card.Ref
		in := activities.PostCardInput{Ref: d.Ref, Card: d.Card, Again: d.Unsure}
		if err = workflow.ExecuteActivity(options, cards.PostCard, in).Get(ctx, &ref); err == nil {
			d.Ref = ref
		} else {
			*stale = true
		}
	case len(d.Notes) > 0:
		note := d.Notes[0]
		d.Tried = true
		in := activities.PostNoteInput{Ref: d.Ref, Note: note, Again: d.Unsure}
		if err = workflow.ExecuteActivity(options, cards.PostNote, in).Get(ctx, nil); err == nil {
			d.Notes, d.Tried = d.Notes[1:], false
		}
	}
	d.Unsure = err != nil
	if err != nil {
		workflow.GetLogger(ctx).Warn("post to Slack", "error", err)
	}
	return err
}

// finish shows how the run ended, and leaves to DeliverCard what Slack does not
// take soon.
func (p *poster) finish(ctx workflow.Context, state card.State, line string) {
	ctx, _ = workflow.NewDisconnectedContext(ctx) // never cancelled: DeliverCard would be, too
	p.card.State = state
	p.teller.status.Doing = line
	p.stale, p.ending = true, true
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: lastPost, TimerOptions: workflow.TimerOptions{Summary: "last post"},
	}, func() bool { return p.ended })
	if err != nil {
		workflow.GetLogger(ctx).Error("wait for the last post", "error", err)
	}
	if p.ended && !p.stale && len(p.mail.Notes) == 0 {
		return
	}
	p.refresh()
	p.mail.Unsure = true
	leaveToDeliver(ctx, CardID(p.mail.Card.Run), p.mail)
}

// leaveToDeliver leaves a card and its notes to a run of their own, which posts them
// whenever Slack takes them.
func leaveToDeliver(ctx workflow.Context, id string, mail delivery) {
	options := workflow.ChildWorkflowOptions{
		WorkflowID: id, StaticSummary: "card of " + mail.Card.Run.WorkflowID, TaskQueue: QueueLifeboat,
		ParentClosePolicy: enums.PARENT_CLOSE_POLICY_ABANDON,
	}
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), TypeDeliverCard, mail)
	if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("leave the card to be delivered", "error", err)
	}
}

// DeliverCard posts what Slack did not take while the run went on.
func DeliverCard(ctx workflow.Context, mail delivery) error {
	begun := workflow.Now(ctx)
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("**Card** of %s: waits for Slack", mail.Card.Run.WorkflowID))
	stale := true
	for pause := postAgain; stale || len(mail.Notes) > 0; {
		wait := postEvery
		if err := mail.post(ctx, &stale); err != nil {
			if workflow.Now(ctx).Sub(begun) > deliverFor {
				return plainError(err)
			}
			wait, pause = pause, min(2*pause, maxDeliverPause)
		}
		timer := workflow.NewTimerWithOptions(ctx, wait, workflow.TimerOptions{Summary: "next post"})
		if err := timer.Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}
