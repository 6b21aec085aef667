package release

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// tagForm is the form of tags: what Git and container registries name releases by,
// and nothing that a command could take for an option.
var tagForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+:@/-]{0,199}$`)

// CheckTag says whether a tag may be handed to commands. Two dots in a row are
// refused as Git refuses them: a command may use the tag as a part of a path.
func CheckTag(tag string) error {
	if !tagForm.MatchString(tag) || strings.Contains(tag, "..") {
		return fmt.Errorf("read tag %q: use 1 to 200 letters, digits and . _ + : @ / -, beginning with a letter or digit, without two dots in a row", tag)
	}
	return nil
}

// Tag is a release that can be deployed.
type Tag struct {
	Tag    string `json:"tag"`
	Commit string `json:"commit,omitempty"` // empty: not known
}

// moved says whether the same tag names another commit in other. Commits may be
// shortened; one that is not known differs from none.
func (t Tag) moved(other Tag) bool {
	return !strings.HasPrefix(t.Commit, other.Commit) && !strings.HasPrefix(other.Commit, t.Commit)
}

// Kind says how a release was tried.
type Kind string

// The kinds of record.
const (
	// Watched: it ran in production while its checks were watched.
	Watched Kind = "watched"
	// Deployed: a rollback deployed it.
	Deployed Kind = "deployed"
	// Left: people went back from it. Its verdict is disproven.
	Left Kind = "left"
	// Remedied: a flag was turned off, or the service switched back, while it ran.
	Remedied Kind = "remedied"
	// Staged: it was deployed to staging, and tested there.
	Staged Kind = "staged"
)

// RecordFormat is the version of the records that this code writes.
const RecordFormat = 1

// Record is one finding about a release. Records are signed, and kept for ever.
type Record struct {
	Format   int                `json:"format"`
	Service  string             `json:"service"`
	Tag      string             `json:"tag"`
	Commit   string             `json:"commit,omitempty"`
	Kind     Kind               `json:"kind"`
	Verdict  recovery.Verdict   `json:"verdict"` // proven: it was well; disproven: it was not
	At       time.Time          `json:"at"`
	Since    time.Time          `json:"since,omitzero"`     // watched: when it was first seen
	For      recovery.Duration  `json:"for,omitempty"`      // how long it passed its checks
	Checks   int                `json:"checks,omitempty"`   // how often they were made
	Sentence string             `json:"sentence,omitempty"` // for a person: why it is not well, what was done
	Took     recovery.Duration  `json:"took,omitempty"`     // deployed: from the approval until it was well; staged: until its tests ended
	By       string             `json:"by,omitempty"`       // who approved that
	Run      recovery.RunRef    `json:"run"`
	Config   recovery.ConfigRef `json:"config"`
}

// release is the release that the record is about.
func (r *Record) release() Tag { return Tag{Tag: r.Tag, Commit: r.Commit} }

// began is when its release was first seen.
func (r *Record) began() time.Time {
	if r.Since.IsZero() {
		return r.At
	}
	return r.Since
}

// Key is where the record stands: keys sort by time.
func (r *Record) Key() string {
	return Prefix(r.Service) + r.At.UTC().Format("20060102T150405.000Z") + "-" + string(r.Kind) + ".json"
}

// Prefix holds all records of a service's releases.
func Prefix(service string) string { return service + "/releases/" }

// document is the name of records among signed files.
const document = "release"

// Encode writes the signed file of a record.
func (r *Record) Encode(key recovery.SigningKey) ([]byte, error) {
	return recovery.SignDocument(document, r, key)
}

// Decode reads the file of a record that somebody trusted has signed.
func Decode(data []byte, trusted []recovery.PublicKey) (*Record, error) {
	compact, err := recovery.VerifyDocument(document, data, trusted)
	if err != nil {
		return nil, fmt.Errorf("read record of a release: %w", err)
	}
	var r Record
	if err := json.Unmarshal(compact, &r); err != nil {
		return nil, fmt.Errorf("read record of a release: %w", err)
	}
	if r.Format != RecordFormat {
		return nil, fmt.Errorf("read record of a release: its format is %d, this version of Lifeboat reads %d", r.Format, RecordFormat)
	}
	return &r, nil
}
