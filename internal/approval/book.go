package approval

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Outcome is how a request ended.
type Outcome int

// The outcomes. Only Approved lets the step go on.
const (
	Open Outcome = iota
	Approved
	Rejected
	Expired    // nobody decided in time
	Superseded // the plan changed: it is asked again
	Withdrawn  // the run ended before anybody decided
	Snoozed    // put off: it is asked again later
)

var outcomeNames = []string{"open", "approved", "rejected", "expired", "superseded", "withdrawn", "snoozed"}

// String returns the name used in JSON.
func (o Outcome) String() string {
	if o < 0 || int(o) >= len(outcomeNames) {
		return outcomeNames[Open]
	}
	return outcomeNames[o]
}

// MarshalText writes the name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads a name.
func (o *Outcome) UnmarshalText(text []byte) error {
	i := slices.Index(outcomeNames, string(text))
	if i < 0 {
		return fmt.Errorf("read outcome %q: use one of %q", text, outcomeNames)
	}
	*o = Outcome(i)
	return nil
}

// Vote is a decision that counts.
type Vote struct {
	By       string    `json:"by"`
	Via      string    `json:"via"`
	Verified bool      `json:"verified"` // a door vouched for who it was
	Verdict  Verdict   `json:"verdict"`
	Reason   string    `json:"reason,omitempty"`
	Choice   string    `json:"choice,omitempty"` // the key of what was chosen
	At       time.Time `json:"at"`
	// Self marks an approval by whoever asked for the step, as a one-person team's
	// policy allows after its waiting time.
	Self bool `json:"self,omitempty"`
}

// Refusal is a decision that does not count, and why.
type Refusal struct {
	By      string    `json:"by,omitempty"` // as claimed
	Via     string    `json:"via"`
	Verdict Verdict   `json:"verdict"`
	At      time.Time `json:"at"`
	Why     string    `json:"why"`
}

// maxRefusals bounds the refusals that are kept; more are counted.
const maxRefusals = 50

// Book is a request with all that was decided about it.
type Book struct {
	Request      Request   `json:"request"`
	Votes        []Vote    `json:"votes,omitempty"`
	Refusals     []Refusal `json:"refusals,omitempty"`
	MoreRefusals int       `json:"moreRefusals,omitempty"`
	Outcome      Outcome   `json:"outcome"`
	Settled      time.Time `json:"settled,omitzero"`
}

// Answer is what a door tells whoever decided.
type Answer struct {
	Accepted bool    `json:"accepted"`
	Text     string  `json:"text"`
	Outcome  Outcome `json:"outcome"`
}

// Take counts a decision that arrived at a time, or refuses it and says why.
// verified says whether a door vouches for who made it. A refusal changes nothing
// but the record.
func (b *Book) Take(at time.Time, d Decision, verified bool) Answer {
	d.Via = via(d, verified)
	// Whatever is claimed comes from outside.
	d.By, d.Request, d.Reason = clip(d.By, 100), clip(d.Request, 100), clip(strings.TrimSpace(d.Reason), 1000)
	if why := b.refuse(at, d, verified); why != "" {
		b.record(Refusal{By: d.By, Via: d.Via, Verdict: d.Verdict, At: at, Why: why})
		return Answer{Text: why, Outcome: b.Outcome}
	}
	_, may := b.Request.selfFrom(d.By)
	vote := Vote{By: d.By, Via: d.Via, Verified: verified, Verdict: d.Verdict, Reason: d.Reason, At: at}
	if d.Verdict == Approve {
		chosen, _ := b.Request.Choose(d.Choice)
		vote.Self, vote.Choice = may && b.Request.RequestedBy == d.By, chosen.Key
	}
	b.Votes = append(b.Votes, vote)
	switch {
	case d.Verdict == Reject:
		b.settle(Rejected, at)
	case d.Verdict == Snooze:
		b.settle(Snoozed, at)
	case b.Approvals() >= b.Request.Needed():
		b.settle(Approved, at)
	default:
		return Answer{Accepted: true, Text: fmt.Sprintf("counted: %d of %d approvals", b.Approvals(), b.Request.Needed())}
	}
	return Answer{Accepted: true, Text: b.Outcome.String() + " by " + d.By, Outcome: b.Outcome}
}

// via is the door by which a decision came: that which vouches for it.
func via(d Decision, verified bool) string {
	if verified {
		return d.Via
	}
	return ViaTemporal
}

// refuse says why a decision does not count; empty if it does.
func (b *Book) refuse(at time.Time, d Decision, verified bool) string {
	r := &b.Request
	voted := slices.IndexFunc(b.Votes, func(v Vote) bool { return v.By == d.By })
	switch {
	case d.malformed != nil:
		return fmt.Sprintf(`this is not a decision (%v): send {"verdict":"approve","by":"your name"} or {"verdict":"reject","by":"your name","reason":"…"}`, d.malformed)
	case d.Request != "" && d.Request != r.ID:
		return "this request is not open any more: " + d.Request
	case d.Verdict.String() == "":
		return `the verdict is missing: write "approve" or "reject"`
	case d.Verdict == Snooze && r.Snooze == 0:
		return "this cannot be put off: approve or reject it"
	case d.By == "":
		return `who decides is missing: write "by":"your name"`
	case verified && d.Request == "":
		return "the decision does not say which request it is for: look at the newest card and decide again"
	case d.Digest != "" && d.Digest != r.Digest, d.Digest == "" && verified:
		return "the plan has changed since it was shown: look at the newest card and decide again"
	case voted >= 0 && b.Votes[voted].changesChoice(d):
		first, _ := r.Choose(b.Votes[voted].Choice)
		return fmt.Sprintf("your first decision stands: you chose “%s”", first.Label)
	case voted >= 0 && b.Votes[voted].Verdict == d.Verdict:
		return "your decision was counted already"
	case voted >= 0:
		return "your first decision stands: " + b.Votes[voted].Verdict.String()
	case b.Outcome != Open:
		return "this was decided already: " + b.Outcome.String()
	case !at.Before(r.Expires):
		return "this request has expired, and counts as not approved"
	case !slices.Contains(r.Policy.Approvers, d.By):
		return fmt.Sprintf("%s may not decide this; %s may", d.By, names(r.MayApprove()))
	case !verified && d.Proof != "" && !r.Policy.Unverified:
		return "it could not be checked who sent this: try again; if it stays so, approvals.key is not the same for the door and for the worker"
	case !verified && !r.Policy.Unverified:
		return "a decision sent through Temporal is not enough here, because nobody vouches for who sent it: use the button in Slack, or starter decide"
	}
	switch {
	case d.Verdict == Reject && d.Reason == "":
		return "a rejection needs a reason"
	case d.Verdict != Approve:
		return ""
	}
	if verified && d.At.Before(at) {
		at = d.At // an approval that was too early is so still when it is sent again
	}
	return b.refuseApproval(at, d)
}

func (b *Book) refuseApproval(at time.Time, d Decision) string {
	r := &b.Request
	from, ok := r.selfFrom(d.By)
	switch {
	case !ok && r.RequestedBy == "":
		return fmt.Sprintf("it is not known who asked for this: %s may have, and may not approve it alone", d.By)
	case !ok:
		return fmt.Sprintf("%s asked for this and may not approve it; %s may", d.By, names(r.MayApprove()))
	case at.Before(from):
		return fmt.Sprintf("%s may approve this alone from %s on: time to think again", d.By, from.UTC().Format("15:04:05 MST"))
	case r.Confirm != "" && d.Confirm != r.Confirm:
		return fmt.Sprintf("this replaces data: confirm it by typing %q", r.Confirm)
	}
	return b.refuseChoice(d)
}

func (b *Book) record(r Refusal) {
	r.Why = clip(r.Why, 300)
	if len(b.Refusals) >= maxRefusals {
		b.MoreRefusals++
		return
	}
	b.Refusals = append(b.Refusals, r)
}

func clip(text string, longest int) string {
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// Approvals counts the approvals so far.
func (b *Book) Approvals() int {
	n := 0
	for _, v := range b.Votes {
		if v.Verdict == Approve {
			n++
		}
	}
	return n
}

// Close ends a request that nobody decided; one that was decided stays so.
func (b *Book) Close(outcome Outcome, at time.Time) {
	if b.Outcome == Open {
		b.settle(outcome, at)
	}
}

func (b *Book) settle(outcome Outcome, at time.Time) {
	b.Outcome, b.Settled = outcome, at
}
