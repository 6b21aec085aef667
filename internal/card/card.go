// Package card describes what people are shown of a run, whatever shows it. It is
// pure.
package card

import (
	"time"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// State says how a run is going.
type State string

// The states.
const (
	Working   State = "working"
	Waiting   State = "waiting" // for a person
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Card is the newest state of one run. All texts are plain: whoever shows them
// escapes them.
type Card struct {
	Key      string          `json:"key"` // unique for each run; tells a card that was posted already
	Run      recovery.RunRef `json:"run"`
	Playbook string          `json:"playbook"`
	Service  string          `json:"service"`
	Title    string          `json:"title"` // "Restore where2eat"
	State    State           `json:"state"`
	Line     string          `json:"line"` // what goes on, or how it ended: one sentence
	Trouble  string          `json:"trouble,omitempty"`
	Facts    []approval.Fact `json:"facts,omitempty"`
	Done     []string        `json:"done,omitempty"` // finished parts, oldest first
	// Open is the request that waits for a decision now: it has the buttons.
	Open    *approval.Book  `json:"open,omitempty"`
	Decided []approval.Book `json:"decided,omitempty"` // settled requests, oldest first
	Mention []string        `json:"mention,omitempty"` // people who must look
	Started time.Time       `json:"started"`
	By      string          `json:"by,omitempty"` // who asked for the run
}

// Note is one message in the thread of a card. It is posted once.
type Note struct {
	Key     string   `json:"key"` // unique among the notes of the card
	Text    string   `json:"text"`
	Mention []string `json:"mention,omitempty"`
	Loud    bool     `json:"loud,omitempty"` // shown in the channel as well
}

// Ref is where a card was posted.
type Ref struct {
	Channel string `json:"channel"`
	Message string `json:"message"`
}
