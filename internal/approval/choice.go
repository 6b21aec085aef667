package approval

import (
	"fmt"
	"strings"
)

// Choice is one of several things that an approver may choose.
type Choice struct {
	Key    string `json:"key"`              // what a decision names it by
	Label  string `json:"label"`            // a few words: "Deploy v1.2"
	Detail string `json:"detail,omitempty"` // one line more
}

// Choose finds the choice that a key names: the only one, if key is empty. ok is false
// if it names none.
func (r *Request) Choose(key string) (c Choice, ok bool) {
	if key == "" && len(r.Choices) == 1 {
		return r.Choices[0], true
	}
	for _, c := range r.Choices {
		if c.Key == key {
			return c, true
		}
	}
	return Choice{}, false
}

// listedChoices bounds the choices that a sentence lists.
const listedChoices = 10

// ListChoices names the choices in one line, each by its key and what it does.
func (r *Request) ListChoices() string {
	var list []string
	for i, c := range r.Choices {
		if i == listedChoices {
			list = append(list, fmt.Sprintf("and %d more", len(r.Choices)-i))
			break
		}
		list = append(list, fmt.Sprintf("%s (%s)", c.Key, c.Label))
	}
	return strings.Join(list, ", ")
}

// refuseChoice says why an approval does not count for what it chooses; empty if it
// does.
func (b *Book) refuseChoice(d Decision) string {
	r := &b.Request
	if len(r.Choices) == 0 {
		if d.Choice != "" { // it was meant for another request
			return "there is nothing to choose here: look at the newest card and decide again"
		}
		return ""
	}
	chosen, ok := r.Choose(d.Choice)
	switch {
	case d.Choice == "" && !ok:
		return fmt.Sprintf(`choose one of %s: write "choice":%q`, r.ListChoices(), r.Choices[0].Key)
	case !ok:
		return fmt.Sprintf("there is no choice %q: choose one of %s", clip(d.Choice, 100), r.ListChoices())
	}
	for _, v := range b.Votes {
		if v.Verdict == Approve && v.Choice != chosen.Key {
			first, _ := r.Choose(v.Choice)
			return fmt.Sprintf("%s chose “%s”: choose the same, or reject", v.By, first.Label)
		}
	}
	return ""
}

// changesChoice says whether somebody who approved approves again, choosing another.
func (v Vote) changesChoice(d Decision) bool {
	return v.Verdict == Approve && d.Verdict == Approve && v.Choice != "" && d.Choice != "" && v.Choice != d.Choice
}

// Chosen is the key of what the people who approved have chosen; empty if there was
// nothing to choose, or nobody approved yet.
func (b *Book) Chosen() string {
	for _, v := range b.Votes {
		if v.Verdict == Approve {
			return v.Choice
		}
	}
	return ""
}
