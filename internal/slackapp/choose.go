package slackapp

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/lifeboat-run/lifeboat/internal/approval"
)

// inputChoice is the input in which an approver chooses.
const inputChoice = "choice"

// openChoose opens the form in which an approver chooses. The choices may be more than
// a button carries, and the form cannot wait for the run that knows them: so it comes
// first.
func (a *App) openChoose(ctx context.Context, c click, p private) {
	view := a.open(ctx, c.who, c.trigger, message("Choose", "Looking it up…", p))
	c.ack(nil)
	if view != "" {
		a.update(ctx, view, a.chooseForm(ctx, p))
	}
}

func (a *App) chooseForm(ctx context.Context, p private) slack.ModalViewRequest {
	b, refusal := a.look(ctx, p.Ref)
	if b == nil {
		return message("Choose", refusal, p)
	}
	q := &b.Request
	if q.Digest != p.Ref.Digest {
		return message("Choose", "The plan has changed since it was shown: look at the newest card.", p)
	}
	blocks := []slack.Block{section("*" + escape(line(q.What), 600) + "*\n" + escape(line(q.Where), 600))}
	if votes := a.render.votes(b, 1); len(votes) > 0 { // all must choose the same
		blocks = append(blocks, section(stack(votes, maxSection)))
	}
	input, left := choiceInput(q.Choices)
	more := small(escape(fmt.Sprintf("%s that Slack cannot show: starter decide %s approve --choose KEY", count(left, "choice"), q.Run.WorkflowID), maxText))
	if input == nil {
		return form(formMessage, "Choose", "", p, append(blocks, more)...)
	}
	blocks = append(blocks, input)
	if left > 0 {
		blocks = append(blocks, more)
	}
	if p.Ref.Confirm != "" {
		blocks = append(blocks, confirmInput(p.Ref.Confirm)...)
	}
	return form(formChoose, "Choose", "Approve", p, blocks...)
}

// choiceInput offers as many choices as Slack can show, and says how many are left.
func choiceInput(choices []approval.Choice) (input slack.Block, left int) {
	var options []*slack.OptionBlockObject
	for _, c := range choices {
		if c.Key == "" || length(c.Key) > maxOptionValue || len(options) == maxOptions {
			continue
		}
		option := slack.NewOptionBlockObject(c.Key, plainText(c.Label, maxOption), nil)
		if line(c.Detail) != "" {
			option.Description = plainText(c.Detail, maxOption)
		}
		options = append(options, option)
	}
	var element slack.BlockElement
	switch {
	case len(options) == 0:
		return nil, len(choices)
	case len(options) > maxRadio:
		element = slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText("Choose one", maxHeader), inputChoice, options...)
	default:
		radio := slack.NewRadioButtonsBlockElement(inputChoice, options...)
		if len(choices) == 1 {
			radio.InitialOption = options[0]
		}
		element = radio
	}
	return slack.NewInputBlock(inputChoice, plainText("What shall be done", maxHeader), nil, element), len(choices) - len(options)
}

func (a *App) submitChoice(ctx context.Context, s submission) {
	key := s.values[inputChoice].SelectedOption.Value
	if key == "" {
		s.ack(wrong(inputChoice, "Choose one: nothing was approved."))
		return
	}
	typed := strings.TrimSpace(s.values[inputConfirm].Value)
	if typed != s.form.Ref.Confirm {
		s.ack(wrong(inputConfirm, notTyped(s.form.Ref.Confirm)))
		return
	}
	a.submitDecision(ctx, s, approval.Decision{Verdict: approval.Approve, Choice: key, Confirm: typed}, inputChoice)
}

// look asks a run for a request that is open. Without one, the refusal says why.
func (a *App) look(ctx context.Context, ref *reference) (*approval.Book, markup) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	books, err := a.desk.PendingOf(ctx, ref.run())
	if err != nil {
		return nil, "This cannot be looked up now: " + escape(err.Error(), 600)
	}
	i := slices.IndexFunc(books, func(b approval.Book) bool { return b.Request.ID == ref.Request })
	if i < 0 {
		return nil, "This request is not open any more."
	}
	return &books[i], ""
}

// choiceLines lists what an approver chooses from.
func choiceLines(choices []approval.Choice, share int) []markup {
	lines := make([]markup, len(choices))
	for i, c := range choices {
		lines[i] = "• " + escape(line(c.Label), 150/share)
		if detail := line(c.Detail); detail != "" {
			lines[i] += " — " + escape(detail, 300/share)
		}
	}
	return lines
}

// chosen says what a vote chose; empty if there was nothing to choose.
func chosen(q *approval.Request, v *approval.Vote, share int) markup {
	if v.Choice == "" {
		return ""
	}
	label := v.Choice
	if c, ok := q.Choose(v.Choice); ok {
		label = c.Label
	}
	return ": " + escape(line(label), 150/share)
}
