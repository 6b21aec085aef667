package recovery

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// KeyDrill is a rehearsal of losing all keys but those of the recovery kit: what
// could be opened with them at one destination.
type KeyDrill struct {
	Destination string        `json:"destination"` // its URL
	By          string        `json:"by"`
	Started     time.Time     `json:"started"`
	Ended       time.Time     `json:"ended"`
	Sets        []KeyDrillSet `json:"sets"`            // the newest of each service
	Error       string        `json:"error,omitempty"` // what kept the drill from looking at sets at all
}

// KeyDrillSet is a set that was to be opened.
type KeyDrillSet struct {
	Service string    `json:"service"`
	Set     SetID     `json:"set,omitempty"` // empty: there is none
	Created time.Time `json:"created,omitzero"`
	Objects int       `json:"objects"` // that were opened
	Size    int64     `json:"size"`    // of them, in sealed bytes
	Took    Duration  `json:"took"`
	Missing []string  `json:"missing,omitempty"` // sources that the set does not hold
	Error   string    `json:"error,omitempty"`   // why it could not be opened; empty: it was
}

// Passed says whether the newest set of every service was opened, and there was one.
func (d *KeyDrill) Passed() bool {
	for _, s := range d.Sets {
		if s.Error != "" {
			return false
		}
	}
	return d.Error == "" && len(d.Sets) > 0
}

// Documents of key-loss drills stand at the destination that was used. Those of
// drills that failed have a name of their own, so that a listing tells the two apart:
//
//	drills/keys/<time>.md
//	drills/keys/<time>.failed.md
const (
	// KeyDrillsPrefix holds the documents of key-loss drills.
	KeyDrillsPrefix = "drills/keys/"
	keyDrillTime    = "2006-01-02T150405Z"
)

// Key is where the drill's document stands.
func (d *KeyDrill) Key() string {
	result := ""
	if !d.Passed() {
		result = ".failed"
	}
	return KeyDrillsPrefix + d.Started.UTC().Format(keyDrillTime) + result + ".md"
}

// PassedKeyDrill reads from the key of a document when a drill that went well began;
// false if it did not, or if the key is none of a drill.
func PassedKeyDrill(key string) (time.Time, bool) {
	t, err := time.Parse(keyDrillTime, strings.TrimSuffix(path.Base(key), ".md"))
	return t, err == nil && strings.HasPrefix(key, KeyDrillsPrefix)
}

// Markdown writes the document, for people.
func (d *KeyDrill) Markdown() string {
	var b strings.Builder
	result := "PASSED"
	if !d.Passed() {
		result = "FAILED"
	}
	fmt.Fprintf(&b, "# Key-loss drill: %s\n\nWith nothing but the recovery kit, the newest set of every service was to be opened.\n\n", result)
	fmt.Fprintf(&b, "| | |\n|---|---|\n| Destination | %s |\n| By | %s |\n| Begun | %s |\n| Ended | %s |\n", cell(d.Destination), cell(d.By), stamp(d.Started), stamp(d.Ended))
	if d.Error != "" {
		fmt.Fprintf(&b, "| Error | %s |\n", cell(d.Error))
	}
	if len(d.Sets) > 0 {
		b.WriteString("\n| service | set | made | objects | size | took | result |\n|---|---|---|---|---|---|---|\n")
	}
	for _, s := range d.Sets {
		made := "-"
		if !s.Created.IsZero() {
			made = stamp(s.Created)
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %d | %s | %s | %s |\n", s.Service, s.Set, made, s.Objects, Bytes(s.Size), s.Took, cell(s.Result()))
	}
	return b.String()
}

// Result says in words what came of the set.
func (s *KeyDrillSet) Result() string {
	switch {
	case s.Error != "":
		return "NOT OPENED: " + s.Error
	case len(s.Missing) > 0:
		return "opened; it does not hold " + strings.Join(s.Missing, ", ")
	}
	return "opened"
}
