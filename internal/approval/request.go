// Package approval holds the rules by which people decide a dangerous step. It is
// pure: what time it is and who vouches for whom, its callers say.
//
// The zero value of every type here means "not decided".
package approval

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Request asks people to decide one step of one run.
type Request struct {
	ID       string          `json:"id"` // unique among all runs
	Run      recovery.RunRef `json:"run"`
	Service  string          `json:"service"`
	Playbook string          `json:"playbook"`
	Step     string          `json:"step"`   // "restore", "undo", …
	Digest   string          `json:"digest"` // of the plan that is shown: see Digest
	What     string          `json:"what"`   // one line: what will be done
	Where    string          `json:"where"`  // one line: to what
	Facts    []Fact          `json:"facts,omitempty"`
	Approve  string          `json:"approve"` // what the buttons say
	Reject   string          `json:"reject"`

	RequestedBy string `json:"requestedBy,omitempty"` // a person's name; empty: nobody vouches for who asked
	// Destructive steps ask "are you sure?", and are decided strictly where nobody vouches
	// for who asked.
	Destructive bool `json:"destructive,omitempty"`
	// Confirm is what an approver must type, word for word; empty: nothing.
	Confirm string            `json:"confirm,omitempty"`
	Snooze  recovery.Duration `json:"snooze,omitempty"` // how long it may be put off; zero: not at all
	// Choices are what an approver chooses from; all who approve must choose the same.
	// Empty: there is nothing to choose.
	Choices []Choice            `json:"choices,omitempty"`
	Policy  recovery.PolicySpec `json:"policy"`
	Asked   time.Time           `json:"asked"`
	Expires time.Time           `json:"expires"`
}

// Fact is one labelled line of a plan.
type Fact struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// Digest names a plan by its content: the SHA-256 of its JSON, in hexadecimal. The
// same plan has the same JSON, so that a workflow may ask for it.
//
//workflowcheck:ignore
func Digest(plan any) (string, error) {
	data, err := json.Marshal(plan)
	if err != nil {
		return "", fmt.Errorf("digest plan: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Needed is how many people must approve. Where nobody vouches for who asked, any
// approver may have: then at least two must agree, unless there is only one.
func (r *Request) Needed() int {
	needed := max(r.Policy.Needed, 1)
	if r.strict() {
		needed = max(needed, min(2, len(r.Policy.Approvers)))
	}
	return needed
}

// strict says whether any approver may be who asked, of a step that is not to be taken
// lightly.
func (r *Request) strict() bool { return r.RequestedBy == "" && (r.Destructive || r.Confirm != "") }

// selfFrom is from when a person may approve although they asked, or may have
// asked, for the step themselves; ok is false if they never may.
func (r *Request) selfFrom(name string) (from time.Time, ok bool) {
	asked := r.RequestedBy == name
	if r.strict() && len(r.Policy.Approvers) == 1 {
		asked = true // the only approver may well be who asked
	}
	switch {
	case !asked:
		return time.Time{}, true
	case r.Policy.SelfAfter > 0:
		return r.Asked.Add(r.Policy.SelfAfter.Std()), true
	}
	return time.Time{}, false
}

// MayApprove lists the people who may approve, whoever asked.
func (r *Request) MayApprove() []string {
	return slices.DeleteFunc(slices.Clone(r.Policy.Approvers), func(name string) bool {
		_, ok := r.selfFrom(name)
		return !ok
	})
}

// Impossible says why the request can never be approved; empty if it can.
func (r *Request) Impossible() string {
	may := r.MayApprove()
	if len(may) >= r.Needed() {
		return ""
	}
	who, why := "nobody", "nobody vouches for who asked"
	if len(may) > 0 {
		who = "only " + names(may)
	}
	if r.RequestedBy != "" {
		why = r.RequestedBy + " asked for it"
	}
	return fmt.Sprintf("approvals needed: %d, but %s may give one, because %s: let somebody else ask, or change the policy", r.Needed(), who, why)
}

// names writes "rebecca or sam".
func names(list []string) string {
	switch len(list) {
	case 0:
		return "nobody"
	case 1:
		return list[0]
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}
