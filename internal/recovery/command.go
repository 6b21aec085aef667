package recovery

import "time"

// CommandSpec is one command that runs on a service's host.
type CommandSpec struct {
	Name    string            `json:"name"` // the setting that it comes from, such as deploy.deploy
	Args    []string          `json:"args"`
	Dir     string            `json:"dir,omitempty"`
	Env     map[string]string `json:"env,omitempty"` // values may be references to secrets
	Timeout Duration          `json:"timeout"`
}

// CommandOutcome says how a command ended that runs at most once.
type CommandOutcome struct {
	// Known is false if nobody knows how it ended: it was started and runs no more, or
	// somebody else has started it. Why says so.
	Known bool   `json:"known"`
	Why   string `json:"why,omitempty"`
	// Instead is the release that is deployed instead of the expected one: because of it
	// nothing was started.
	Instead string `json:"instead,omitempty"`
	// Failure says how it ended badly; empty: well.
	Failure  string    `json:"failure,omitempty"`
	Output   string    `json:"output,omitempty"` // the end of what it wrote, secrets masked
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
}

// Took is how long the command ran.
func (o *CommandOutcome) Took() Duration {
	if o.Started.IsZero() || o.Finished.Before(o.Started) {
		return 0
	}
	return Duration(o.Finished.Sub(o.Started).Round(time.Millisecond))
}

// Claim says who was the first to start a command that runs at most once: the nonce
// is made by whoever is about to start it.
type Claim struct {
	Key     string `json:"key"`
	Service string `json:"service"`
	Command string `json:"command"` // its name
	Nonce   string `json:"nonce"`
}
