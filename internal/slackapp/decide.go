package slackapp

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/lifeboat-run/lifeboat/internal/approval"
)

// handOver is how long the Desk has to take a decision or a start: Slack wants an
// acknowledgement within 3 s, and gets it once the Desk has it.
const handOver = 2 * time.Second

// click is the use of a button or menu by somebody the config knows.
type click struct {
	who     asker
	name    string
	action  *slack.BlockAction
	trigger string // opens one form, within 3 s
	view    string // id of the form it was in, if any
	ack     acknowledge
}

func (a *App) click(ctx context.Context, c click) {
	switch c.action.ActionID {
	case actionApprove, actionType, actionChoose, actionReject, actionSnooze, actionDetails:
		a.requestClick(ctx, c)
	case actionBackup, actionDrill, actionRollback:
		a.startClick(ctx, c)
	case actionRestore:
		a.openRestore(ctx, c.who, c.trigger, c.action.Value, c.ack)
	case actionCheck:
		a.openChecklist(ctx, c)
	case actionService:
		c.ack(nil)
		a.chooseSet(ctx, c.view, private{Who: c.who, Service: c.action.SelectedOption.Value})
	default:
		c.ack(nil)
	}
}

// requestClick is a click on a button of a request.
func (a *App) requestClick(ctx context.Context, c click) {
	ref, err := readReference(c.action.Value)
	if err != nil {
		c.ack(nil)
		a.log.Warn("cannot read a click", zap.Error(err))
		return
	}
	form := private{Who: c.who, Ref: &ref}
	label := c.action.Text.Text
	switch c.action.ActionID {
	case actionApprove, actionSnooze:
		d := approval.Decision{Verdict: approval.Approve}
		if c.action.ActionID == actionSnooze {
			d.Verdict = approval.Snooze
		}
		answer, err := a.decide(ctx, c.name, &ref, d)
		if err != nil {
			a.answer(ctx, c.who, notTaken(err))
			c.ack(nil)
			return
		}
		c.ack(nil)
		a.answer(ctx, c.who, answered(answer))
	case actionType:
		a.open(ctx, c.who, c.trigger, confirmForm(label, form))
		c.ack(nil)
	case actionChoose:
		a.openChoose(ctx, c, form)
	case actionReject:
		a.open(ctx, c.who, c.trigger, rejectForm(label, form))
		c.ack(nil)
	case actionDetails:
		view := a.open(ctx, c.who, c.trigger, message("Details", "Looking it up…", form))
		c.ack(nil)
		if view != "" {
			a.update(ctx, view, a.details(ctx, form))
		}
	}
}

// decide hands a decision over.
func (a *App) decide(ctx context.Context, name string, ref *reference, d approval.Decision) (approval.Answer, error) {
	d.Request, d.Digest = ref.Request, ref.Digest
	d.By, d.Via = name, approval.ViaSlack
	ctx, cancel := context.WithTimeout(ctx, handOver)
	defer cancel()
	answer, err := a.desk.Decide(ctx, ref.run(), d)
	if err != nil {
		a.log.Warn("could not hand a decision over", zap.String("by", name), zap.String("request", ref.Request), zap.Error(err))
	} else if !answer.Accepted {
		a.log.Info("a decision was refused", zap.String("by", name), zap.String("request", ref.Request), zap.String("why", answer.Text))
	}
	return answer, err
}

func notTaken(err error) markup {
	return "Your decision could not be handed over, and does not count yet: " + escape(err.Error(), 600) +
		"\nTry again, or decide by `starter decide`."
}

// answered says what became of a decision.
func answered(answer approval.Answer) markup {
	text := escape(answer.Text, 1000)
	switch {
	case answer.Accepted && text == "":
		return "Your decision was taken."
	case answer.Accepted:
		return "Your decision was taken: " + text
	case text == "":
		return "Your decision does not count."
	}
	return "Your decision does not count: " + text
}

// The inputs of the forms to decide: each the id of its block and of its action.
const (
	inputReason  = "reason"
	inputConfirm = "confirm"
	maxReason    = 500
)

func rejectForm(label string, p private) slack.ModalViewRequest {
	input := slack.NewPlainTextInputBlockElement(plainText("What should happen instead?", maxHeader), inputReason).
		WithMultiline(true).WithMaxLength(maxReason)
	return form(formReject, "Reject", orElse(label, "Reject"), p,
		section("*"+escape(p.Ref.What, 600)+"*\n"+escape(p.Ref.Where, 600)),
		slack.NewInputBlock(inputReason, plainText("Reason", maxHeader), nil, input))
}

// confirmForm asks to type what will be replaced.
func confirmForm(label string, p private) slack.ModalViewRequest {
	about := section("*" + escape(p.Ref.What, 600) + "*\n" + escape(p.Ref.Where, 600))
	return form(formConfirm, "Are you sure?", orElse(label, "Approve"), p, append([]slack.Block{about}, confirmInput(p.Ref.Confirm)...)...)
}

func confirmInput(text string) []slack.Block {
	input := slack.NewPlainTextInputBlockElement(nil, inputConfirm).WithMaxLength(maxHeader)
	return []slack.Block{
		section("⚠️ This replaces data."),
		slack.NewInputBlock(inputConfirm, plainText(fmt.Sprintf("Type %q to confirm", text), 2*maxHeader), nil, input),
	}
}

func notTyped(text string) string { return fmt.Sprintf("That is not %q: nothing was approved.", text) }

// submitDecision takes a form in which somebody decided.
func (a *App) submitDecision(ctx context.Context, s submission, d approval.Decision, field string) {
	answer, err := a.decide(ctx, s.name, s.form.Ref, d)
	if err != nil { // the form stays open, to be submitted again
		s.ack(wrong(field, "This could not be handed over, and does not count yet: "+err.Error()))
		return
	}
	if !answer.Accepted && d.Choice != "" { // another choice may count
		s.ack(wrong(field, "This does not count: "+answer.Text))
		return
	}
	s.ack(nil)
	a.answer(ctx, s.who, answered(answer))
}

func (a *App) submitReason(ctx context.Context, s submission) {
	reason := strings.TrimSpace(s.values[inputReason].Value)
	if reason == "" {
		s.ack(wrong(inputReason, "A rejection needs a reason: whoever asked wants to know what to do instead."))
		return
	}
	a.submitDecision(ctx, s, approval.Decision{Verdict: approval.Reject, Reason: reason}, inputReason)
}

func (a *App) submitConfirmation(ctx context.Context, s submission) {
	typed := strings.TrimSpace(s.values[inputConfirm].Value) // phones add spaces
	if typed != s.form.Ref.Confirm {
		s.ack(wrong(inputConfirm, notTyped(s.form.Ref.Confirm)))
		return
	}
	a.submitDecision(ctx, s, approval.Decision{Verdict: approval.Approve, Confirm: typed}, inputConfirm)
}

// details shows all there is to know about a request.
func (a *App) details(ctx context.Context, p private) slack.ModalViewRequest {
	b, refusal := a.look(ctx, p.Ref)
	if b == nil {
		return message("Details", refusal, p)
	}
	return form(formMessage, "Details", "", p, a.render.details(b)...)
}

// queryTimeout bounds what the Desk is asked to show.
const queryTimeout = 15 * time.Second

func (a *App) pending(ctx context.Context) ([]approval.Book, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return a.desk.Pending(ctx)
}
