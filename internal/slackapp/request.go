package slackapp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// The verbs of a request's buttons.
const (
	actionApprove = "approve"
	actionType    = "approve-typed"  // approves once a text was typed
	actionChoose  = "approve-choose" // approves once one thing was chosen
	actionReject  = "reject"
	actionSnooze  = "snooze"
	actionDetails = "details"
)

// reference is what a button carries: handlers remember nothing. It holds no
// secret; who may decide what is checked where the decision counts.
type reference struct {
	Workflow string `json:"workflow"`
	RunID    string `json:"run"`
	Request  string `json:"request"`
	Digest   string `json:"digest"`
	// What a form repeats, because it must open before anything slow is asked.
	What    string `json:"what,omitempty"`
	Where   string `json:"where,omitempty"`
	Confirm string `json:"confirm,omitempty"`
}

func (ref *reference) run() recovery.RunRef {
	return recovery.RunRef{WorkflowID: ref.Workflow, RunID: ref.RunID}
}

// compact writes JSON, and does not escape what HTML would mind.
func compact(v any) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// value writes the reference for a button; false if the request's names are so
// long that Slack would not take it.
func (ref reference) value() (string, bool) {
	for _, room := range []int{150, 60, 20} {
		ref.What, ref.Where = clip(line(ref.What), room), clip(line(ref.Where), room)
		text, err := compact(ref)
		if err == nil && len(text) <= maxValue {
			return text, true
		}
	}
	return "", false
}

func readReference(text string) (reference, error) {
	var ref reference
	if err := json.Unmarshal([]byte(text), &ref); err != nil {
		return ref, fmt.Errorf("read button: %w", err)
	}
	return ref, nil
}

// request shows what is to be decided, with the buttons to do it.
func (r renderer) request(b *approval.Book, share int) []slack.Block {
	q := &b.Request
	blocks := []slack.Block{section("*" + escape(line(q.What), 600/share) + "*\n" + escape(line(q.Where), 400/share))}
	if len(q.Facts) > 0 {
		blocks = append(blocks, section(stack(factLines(q.Facts, 300/share), (maxSection-100)/share)))
	}
	if len(q.Choices) > 0 {
		blocks = append(blocks, section("*To choose from:*\n"+stack(choiceLines(q.Choices, share), (maxSection-100)/share)))
	}
	if votes := r.votes(b, share); len(votes) > 0 {
		blocks = append(blocks, section(stack(votes, maxSection/share)))
	}
	return append(blocks, small(r.terms(b)), controls(q))
}

func factLines(list []approval.Fact, limit int) []markup {
	lines := make([]markup, len(list))
	for i, f := range list {
		lines[i] = "*" + escape(line(f.Label), 100) + ":* " + escape(line(f.Value), limit)
	}
	return lines
}

// terms says who must decide until when.
func (r renderer) terms(b *approval.Book) markup {
	q := &b.Request
	text := markup("Nobody vouches for who asked")
	if q.RequestedBy != "" {
		text = "Asked by " + r.person(q.RequestedBy)
	}
	text += markup(" · needs " + count(q.Needed(), "approval"))
	if have := b.Approvals(); have > 0 {
		text += markup(fmt.Sprintf(", has %d", have))
	}
	text += " of " + escape(strings.Join(q.MayApprove(), ", "), 200)
	text += " · expires " + moment(q.Expires, dayAndTime)
	if refused := len(b.Refusals) + b.MoreRefusals; refused > 0 {
		text += markup(" · " + count(refused, "decision") + " refused, see Details")
	}
	return text
}

// controls are the buttons of an open request.
func controls(q *approval.Request) slack.Block {
	ref := reference{Workflow: q.Run.WorkflowID, RunID: q.Run.RunID, Request: q.ID, Digest: q.Digest}
	details, ok := ref.value()
	ref.What, ref.Where = q.What, q.Where
	reject, rejectOK := ref.value()
	ref.Confirm = q.Confirm
	approve, approveOK := ref.value()
	if !ok || !rejectOK || !approveOK {
		return small(escape("This request's names are too long for buttons. Decide it by: starter decide "+q.Run.WorkflowID, maxText))
	}
	buttons := []slack.BlockElement{
		approveButton(q, approve),
		slack.NewButtonBlockElement(actionReject, reject, plainText(orElse(q.Reject, "Reject"), maxButton)),
	}
	if q.Snooze > 0 {
		buttons = append(buttons, slack.NewButtonBlockElement(actionSnooze, details, plainText("Ask again in "+q.Snooze.String(), maxButton)))
	}
	buttons = append(buttons, slack.NewButtonBlockElement(actionDetails, details, plainText("Details", maxButton)))
	return slack.NewActionBlock(clip("request/"+q.ID, maxBlockID), buttons...)
}

func approveButton(q *approval.Request, value string) *slack.ButtonBlockElement {
	label := orElse(q.Approve, "Approve")
	if len(q.Choices) > 0 {
		label = orElse(q.Approve, "Choose…")
	}
	button := slack.NewButtonBlockElement(actionApprove, value, plainText(label, maxButton)).WithStyle(slack.StylePrimary)
	if q.Destructive {
		button.WithStyle(slack.StyleDanger)
	}
	switch {
	case len(q.Choices) > 0: // the form that opens is the second question
		button.ActionID = actionChoose
	case q.Confirm != "": // and so it is here
		button.ActionID = actionType
	case q.Destructive:
		button.WithConfirm(slack.NewConfirmationBlockObject(
			plainText("Are you sure?", maxConfirmTitle), plainText(q.What+" "+q.Where, maxConfirmText),
			plainText(label, maxButton), plainText("Cancel", maxButton)).WithStyle(slack.StyleDanger))
	}
	return button
}

func orElse(text, fallback string) string {
	if line(text) == "" {
		return fallback
	}
	return text
}

// decisions tells how settled requests ended, the newest few.
func (r renderer) decisions(books []approval.Book, share int) markup {
	entries, books := newest(books, max(1, 3/share))
	for i := range books {
		b := &books[i]
		lines := append([]markup{"*" + escape(line(b.Request.What), 300/share) + "*"}, r.votes(b, share)...)
		if end := outcome(b); end != "" {
			lines = append(lines, end)
		}
		entries = append(entries, stack(lines, 900/share))
	}
	return stack(entries, maxSection)
}

// votes tells who decided what, in order.
func (r renderer) votes(b *approval.Book, share int) []markup {
	lines := make([]markup, len(b.Votes))
	approvals := 0
	for i := range b.Votes {
		v := &b.Votes[i]
		text := r.person(v.By) + " " + moment(v.At, timeOnly)
		switch v.Verdict {
		case approval.Reject:
			text = "Rejected by " + text
			if v.Reason != "" {
				text += ": " + escape(line(v.Reason), 500/share)
			}
		case approval.Snooze:
			text = "Put off for " + markup(b.Request.Snooze.String()) + " by " + text
		case approval.Approve, approval.Undecided:
			approvals++
			text = "Approved by " + text + markup(fmt.Sprintf(" (%d of %d)", approvals, b.Request.Needed())) + chosen(&b.Request, v, share)
		}
		lines[i] = text + remarks(v)
	}
	return lines
}

// remarks says by which door a vote came, where that matters.
func remarks(v *approval.Vote) markup {
	var text markup
	switch {
	case !v.Verified:
		text = " · Temporal, unverified"
	case v.Via == approval.ViaCLI:
		text = " · by starter"
	}
	if v.Self {
		text += " · asked for it, too"
	}
	return text
}

// outcome says how a request ended if the votes do not.
func outcome(b *approval.Book) markup {
	switch b.Outcome {
	case approval.Expired:
		return "Expired " + moment(b.Settled, dayAndTime) + ": nobody decided in time, so it was not approved"
	case approval.Superseded:
		return "Superseded: the plan changed and is asked again"
	case approval.Withdrawn:
		return "Withdrawn: the run ended before it was decided"
	case approval.Open:
		return "Not decided: the run ended"
	case approval.Approved, approval.Rejected, approval.Snoozed:
	}
	return ""
}
