package release

import (
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// StagedRelease is the result of trying a release on staging.
type StagedRelease struct {
	Service  string            `json:"service"`
	Release  Tag               `json:"release"`
	Verdict  recovery.Verdict  `json:"verdict"`
	Sentence string            `json:"sentence"`
	Output   string            `json:"output,omitempty"` // the end of what the tests, or the deploy, wrote
	Deploy   recovery.Duration `json:"deploy"`           // how long each took
	Test     recovery.Duration `json:"test,omitempty"`
}

// Overview lists the releases of a service with what is known of them.
type Overview struct {
	Service  string    `json:"service"`
	Current  Tag       `json:"current,omitzero"`
	Releases []Release `json:"releases"` // the newest first
	// Unknown says what could not be learnt, and why.
	Unknown []string `json:"unknown,omitempty"`
}
