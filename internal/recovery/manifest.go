package recovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ManifestFormat is the version of the manifest this code writes.
const ManifestFormat = 1

// Manifest describes a recovery set. It is a pure function of the run's state,
// so that writing it twice writes the same bytes.
type Manifest struct {
	Format    int             `json:"format"`
	Service   string          `json:"service"`
	Set       SetID           `json:"set"`
	Created   time.Time       `json:"created"`
	Run       RunRef          `json:"run"`
	Config    ConfigRef       `json:"config"`
	Purpose   Purpose         `json:"purpose,omitempty"`
	Artefacts []Artefact      `json:"artefacts"`
	Failures  []SourceFailure `json:"failures,omitempty"`
}

// Purpose says why a set was made. Only sets without one are backups that drills
// and objectives look at.
type Purpose string

// The purposes of the sets that a restore makes.
const (
	PurposeSafety   Purpose = "safety"   // of production, just before it was replaced
	PurposeSetAside Purpose = "setAside" // of what was replaced, just before it was removed
)

// Words says for people what a set was made as.
func (p Purpose) Words() string {
	switch p {
	case PurposeSafety:
		return "safety backup of a restore"
	case PurposeSetAside:
		return "what a restore had set aside"
	}
	return "backup"
}

// RunRef names the Temporal run that did something.
type RunRef struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
}

// Artefact is what one source left in a set.
type Artefact struct {
	Source        string          `json:"source"`
	Kind          string          `json:"kind"`
	Set           SetID           `json:"set"` // in whose folder the objects lie: this set, or an earlier one
	Attempt       int             `json:"attempt"`
	Tables        []string        `json:"tables,omitempty"` // the chosen ones; empty: all
	Snapshot      time.Time       `json:"snapshot"`         // as of when the data is
	Dump          Object          `json:"dump"`
	Companions    []Object        `json:"companions,omitempty"`
	Mode          FingerprintMode `json:"fingerprintMode"`
	Fingerprint   string          `json:"fingerprint,omitempty"` // digest of the fingerprint
	Tool          string          `json:"tool"`
	ServerVersion string          `json:"serverVersion,omitempty"`
	Extensions    []Extension     `json:"extensions,omitempty"`
	Roles         []string        `json:"roles,omitempty"`
}

// The roles an object can have in an artefact.
const (
	RoleDump        = "dump"        // what restores the data
	RoleFingerprint = "fingerprint" // JSON of the Fingerprint
	RoleDatabase    = "database"    // SQL: roles, and the settings of the database itself
)

// Object is one sealed object of an artefact. Sizes are in bytes.
type Object struct {
	Role      string `json:"role"`
	Name      string `json:"name"` // inside the set's folder
	PlainSize int64  `json:"plainSize"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256"` // of the sealed bytes, hexadecimal
}

// Extension is an extension that a dump refers to.
type Extension struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// SourceFailure records a source that could not be dumped. A set that has one is
// never proven.
type SourceFailure struct {
	Source string `json:"source"`
	Error  string `json:"error"`
}

// Objects lists the dump and its companions.
func (a *Artefact) Objects() []Object {
	return append([]Object{a.Dump}, a.Companions...)
}

// Companion finds the companion with a role.
func (a *Artefact) Companion(role string) (Object, bool) {
	for _, o := range a.Companions {
		if o.Role == role {
			return o, true
		}
	}
	return Object{}, false
}

// Room is how many bytes on a disk restoring the artefact needs, about: for a
// database its rows, indexes, and the log that is written on the way; for a file
// itself, and the one that it is set beside.
func (a *Artefact) Room() int64 {
	if a.Kind == KindPostgres {
		return 3 * a.Dump.PlainSize
	}
	return 2 * a.Dump.PlainSize
}

// Key is where an object of the artefact stands at the destination.
func (a *Artefact) Key(service string, o Object) string {
	return SetPrefix(service, a.Set) + o.Name
}

// Size adds up the sealed bytes of the set.
func (m *Manifest) Size() int64 {
	var n int64
	for _, a := range m.Artefacts {
		for _, o := range a.Objects() {
			n += o.Size
		}
	}
	return n
}

// Artefact finds the artefact of a source.
func (m *Manifest) Artefact(source string) (Artefact, bool) {
	for _, a := range m.Artefacts {
		if a.Source == source {
			return a, true
		}
	}
	return Artefact{}, false
}

// Validate checks what a reader relies on, so that a manifest made by someone
// else leads nowhere it should not.
func (m *Manifest) Validate() error {
	var errs []error
	if m.Format != ManifestFormat {
		errs = append(errs, fmt.Errorf("read format %d: this version of Lifeboat reads format %d", m.Format, ManifestFormat))
	}
	if _, err := ParseSetID(string(m.Set)); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, CheckName("service", m.Service))
	if len(m.Artefacts) == 0 {
		errs = append(errs, errors.New("read artefacts: there is none"))
	}
	for i := range m.Artefacts {
		a := &m.Artefacts[i]
		errs = append(errs, CheckName("source", a.Source))
		if _, err := ParseSetID(string(a.Set)); err != nil {
			errs = append(errs, err)
		}
		for _, o := range a.Objects() {
			errs = append(errs, checkObjectName(o.Name))
		}
	}
	return errors.Join(errs...)
}

// EncodeManifest writes the signed file that commits a set.
func EncodeManifest(m *Manifest, key SigningKey) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("check manifest: %w", err)
	}
	return sign(documentManifest, m, key)
}

// DecodeManifest reads and checks a signed manifest. The error is Damaged: a
// manifest that is unsigned, signed by an unknown key or malformed proves nothing.
func DecodeManifest(data []byte, trusted []PublicKey) (*Manifest, error) {
	payload, err := verify(documentManifest, data, trusted)
	if err != nil {
		return nil, NewFault(Damaged, fmt.Errorf("read manifest: %w", err), "")
	}
	var m Manifest
	if err := json.Unmarshal(payload, &m); err != nil {
		return nil, NewFault(Damaged, fmt.Errorf("read manifest: %w", err), "")
	}
	if m.Format > ManifestFormat {
		return nil, NewFault(Permanent, fmt.Errorf("read manifest: it is of format %d", m.Format), "update Lifeboat: this version reads format 1")
	}
	if err := m.Validate(); err != nil {
		return nil, NewFault(Damaged, fmt.Errorf("read manifest: %w", err), "")
	}
	return &m, nil
}
