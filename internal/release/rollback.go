package release

import (
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Remedy is one way to get rid of a bad release.
type Remedy string

// The remedies, and what undoes the quick ones.
const (
	Deploy     Remedy = "deploy"
	FlagOff    Remedy = "flagOff"
	FlagOn     Remedy = "flagOn"
	Switch     Remedy = "switch"
	SwitchBack Remedy = "switchBack"
)

// Undo is what undoes a quick remedy; empty: nothing does.
func (r Remedy) Undo() Remedy {
	return map[Remedy]Remedy{FlagOff: FlagOn, Switch: SwitchBack}[r]
}

// Args is the remedy's command in the config; empty if it has none.
func (r Remedy) Args(d *recovery.DeploySpec) []string {
	return map[Remedy][]string{
		Deploy: d.Deploy, FlagOff: d.FlagOff, FlagOn: d.FlagOn, Switch: d.Switch, SwitchBack: d.SwitchBack,
	}[r]
}

// State is what a rollback left.
type State string

// The states.
const (
	Healthy   State = "healthy"   // the service is well, and stayed so
	Unhealthy State = "unhealthy" // it ran, and the service is not well
	Refused   State = "refused"   // the command ended badly
	Unknown   State = "unknown"   // nobody knows whether the command ran to its end
	Stale     State = "stale"     // nothing was done: what is deployed is not what the plan said
	Untouched State = "untouched" // nothing was done
	Undone    State = "undone"    // what was there before was put back
)

// Change is one remedy that was applied, and how the service was afterwards.
type Change struct {
	Remedy   Remedy            `json:"remedy"`
	To       Tag               `json:"to,omitzero"`      // deploy
	Looked   bool              `json:"looked,omitempty"` // it had run already: only its effect was looked at
	State    State             `json:"state"`
	Sentence string            `json:"sentence"`         // for a person
	Output   string            `json:"output,omitempty"` // the end of what the command wrote, secrets masked
	Approved time.Time         `json:"approved"`
	Ran      recovery.Duration `json:"ran,omitempty"`    // how long the command took
	Took     recovery.Duration `json:"took,omitempty"`   // from the approval until the service was well
	Stayed   recovery.Duration `json:"stayed,omitempty"` // how long it was seen to stay so
	Checks   int               `json:"checks,omitempty"`
}

// Rollback is the result of the playbook.
type Rollback struct {
	Service  string    `json:"service"`
	From     Tag       `json:"from"`
	State    State     `json:"state"`
	Sentence string    `json:"sentence"`
	By       string    `json:"by,omitempty"`      // who asked, if a door vouches for it
	Commits  int       `json:"commits,omitempty"` // between the two releases
	Changes  []Change  `json:"changes,omitempty"` // in the order in which they were made
	UndoTil  time.Time `json:"undoTil,omitzero"`  // until when the quick remedy can be undone by a button
}

// Last is the newest change; nil if there was none.
func (r *Rollback) Last() *Change {
	if len(r.Changes) == 0 {
		return nil
	}
	return &r.Changes[len(r.Changes)-1]
}

// Comparison says what lies between two releases.
type Comparison struct {
	// Commits are those that are given up, the newest first, at most MaxCommits: "1a2b3c4
	// the subject". More counts the rest.
	Commits []string `json:"commits,omitempty"`
	More    int      `json:"more,omitempty"`
	// Gained counts those that come back because the two releases are on different lines.
	Gained   int      `json:"gained,omitempty"`
	Unknown  string   `json:"unknown,omitempty"` // why the commits are not known
	Warnings []string `json:"warnings,omitempty"`
	// Unwarned says why it is not known what makes it risky; empty if it is.
	Unwarned string `json:"unwarned,omitempty"`
}

// MaxCommits bounds the commits that are named.
const MaxCommits = 10
