package approval

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Verdict is what one person decides.
type Verdict int

// The verdicts.
const (
	Undecided Verdict = iota
	Approve
	Reject
	Snooze // put it off: where the request allows that
)

var verdictNames = []string{"", "approve", "reject", "snooze"}

// String returns the name used in JSON and on the command line.
func (v Verdict) String() string {
	if v < 0 || int(v) >= len(verdictNames) {
		return ""
	}
	return verdictNames[v]
}

// MarshalText writes the name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a name.
func (v *Verdict) UnmarshalText(text []byte) error {
	for i, name := range verdictNames {
		if string(text) == name {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("read verdict %q: write approve, reject or snooze", text)
}

// The doors that vouch for who uses them. Whatever else a decision claims to come
// by, it came by Temporal.
const (
	ViaSlack    = "slack"
	ViaCLI      = "cli"
	ViaTemporal = "temporal"
)

// Claim says who did something, and which door vouches for it.
type Claim struct {
	By    string    `json:"by"`
	Via   string    `json:"via,omitempty"`
	At    time.Time `json:"at,omitzero"`
	Proof string    `json:"proof,omitempty"` // HMAC-SHA256 by the door's key, hexadecimal
}

// Vouch returns the claim with the proof that a door saw who did what subject
// says.
func (c Claim) Vouch(key []byte, subject string) Claim {
	c.Proof = c.proof(key, subject)
	return c
}

// Vouched says whether a door that has the key made the claim.
func (c Claim) Vouched(key []byte, subject string) bool {
	return len(key) > 0 && c.Proof != "" && hmac.Equal([]byte(c.Proof), []byte(c.proof(key, subject)))
}

func (c Claim) proof(key []byte, subject string) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range []string{"lifeboat/claim/1", subject, c.By, c.Via, c.At.UTC().Format(time.RFC3339Nano)} {
		_, _ = fmt.Fprintf(mac, "%d:%s\n", len(part), part) // lengths, so that no part can pass for another
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// StartSubject is what a door vouches for when a person starts a playbook: which,
// under which id, with which input. input must be without the claim itself.
func StartSubject(playbook, workflowID string, input any) string {
	digest, err := Digest(input)
	if err != nil { // an input that is no JSON starts nothing
		digest = err.Error()
	}
	return "start\n" + playbook + "\n" + workflowID + "\n" + digest
}

// Decision is what one person sends: by a button, by the CLI, or as a signal from
// the Temporal UI, where {"verdict":"approve","by":"rebecca"} is enough.
type Decision struct {
	Request string  `json:"request,omitempty"` // may be left out: then it is for the request that is open
	Digest  string  `json:"digest,omitempty"`  // of the plan that was shown
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"`
	Confirm string  `json:"confirm,omitempty"` // what was typed to confirm
	Choice  string  `json:"choice,omitempty"`  // the key of what is chosen, where there are choices
	Claim

	malformed error
}

// UnmarshalJSON keeps a wrong shape for Take to answer: an error here would get
// no answer at all, and no record.
func (d *Decision) UnmarshalJSON(data []byte) error {
	type plain Decision
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	*d = Decision{}
	if err := decoder.Decode((*plain)(d)); err != nil {
		d.malformed = errors.New(clip(strings.TrimPrefix(err.Error(), "json: "), 120))
	}
	return nil
}

// Subject is what a door vouches for when a person decides.
func (d Decision) Subject() string {
	var b strings.Builder
	for _, part := range []string{"decide", d.Request, d.Digest, d.Verdict.String(), d.Reason, d.Confirm, d.Choice} {
		b.WriteString(strconv.Itoa(len(part)) + ":" + part + "\n")
	}
	return b.String()
}

// Vouch returns the decision with a door's proof of who made it.
func (d Decision) Vouch(key []byte) Decision {
	d.Claim = d.Claim.Vouch(key, d.Subject())
	return d
}

// Vouched says whether a door that has the key saw who made the decision.
func (d Decision) Vouched(key []byte) bool { return d.Claim.Vouched(key, d.Subject()) }
