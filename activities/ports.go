// Package activities holds the steps of the playbooks. A step is thin: it calls
// one dependency, tells how far it is, and says what an error means. What it
// depends on is declared here as small interfaces; internal/app supplies them.
//
// An activity's name in a workflow history is the bare name of its method:
// renaming one breaks running executions.
package activities

import (
	"context"
	"io"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Configs gives the resolved configuration of services.
type Configs interface {
	// Plan fails with a Permanent fault that names the known services if there is
	// no such service, or all problems of the configuration.
	Plan(ctx context.Context, service string) (*recovery.Plan, error)
}

// Source is something that can be dumped.
type Source interface {
	// Estimate returns about how many bytes a dump will have, for choosing part sizes.
	Estimate(ctx context.Context) (int64, error)
	// Dump writes the whole dump to w, or fails. It ends what earlier attempts of
	// the same job left running, calls progress with the bytes so far, and never
	// reports success for a dump that was cut short.
	Dump(ctx context.Context, job recovery.DumpJob, w io.Writer, progress func(bytes int64)) (*recovery.Dump, error)
}

// Sources opens sources; secrets are resolved where the step runs.
type Sources interface {
	OpenSource(ctx context.Context, spec recovery.SourceSpec) (Source, error)
	// SweepCopies removes what dumps of other sets left on this host.
	SweepCopies(ctx context.Context, specs []recovery.SourceSpec, current recovery.SetID) error
}

// Store keeps sealed objects at one destination.
type Store interface {
	// Seal writes what fill writes, sealed, to key. The object exists only if fill
	// and the upload succeeded; otherwise nothing is left.
	Seal(ctx context.Context, key string, sizeHint int64, fill func(w io.Writer) error) (recovery.Object, error)
	// Unseal opens the object and hands its plain bytes to use. It fails with a
	// Damaged fault unless size and digest of all sealed bytes are as wanted; what
	// use was given before that must not be trusted.
	Unseal(ctx context.Context, key string, want recovery.Object, use func(r io.Reader) error) error
	// ReadBack is Unseal with a negative control: the same bytes, damaged in
	// memory, must fail to open.
	ReadBack(ctx context.Context, key string, want recovery.Object, progress func(bytes int64)) error
	// Peek is Unseal for a reader that wants only the beginning; nothing is verified.
	Peek(ctx context.Context, key string, use func(r io.Reader) error) error
	// Digest fetches the object and checks size and digest without opening it.
	Digest(ctx context.Context, key string, want recovery.Object, progress func(bytes int64)) error

	// Commit writes the guide, then the signed manifest: from then on the set
	// exists. Committing the same manifest again is success.
	Commit(ctx context.Context, m *recovery.Manifest) error
	// Newest returns the id of the newest committed set, ErrNotFound if there is none.
	Newest(ctx context.Context, service string) (recovery.SetID, error)
	// Manifest reads and checks the manifest of a set.
	Manifest(ctx context.Context, service string, set recovery.SetID) (*recovery.Manifest, error)
	// Prove appends a proof to the verification log. Appending it again is success.
	Prove(ctx context.Context, p *recovery.Proof) error
	// SweepSets removes what earlier runs left half-done among the sets older than
	// current, and says what it could not remove.
	SweepSets(ctx context.Context, service string, current recovery.SetID) (removed int, left []string, err error)
	// SweepSet removes what lost attempts left of a set; if it was never committed,
	// all of it.
	SweepSet(ctx context.Context, service string, set recovery.SetID) (removed int, left []string, err error)
	Close() error
}

// Stores opens destinations.
type Stores interface {
	OpenStore(ctx context.Context, dest recovery.DestinationSpec, enc recovery.EncryptionSpec) (Store, error)
}

// Copy is one artefact restored to staging.
type Copy interface {
	// Preflight fails with a Permanent fault naming what staging lacks.
	Preflight(ctx context.Context) error
	// Restore makes the copy anew from the dump's plain bytes.
	Restore(ctx context.Context, database []byte, dump io.Reader, progress func(bytes int64)) (*recovery.Restored, error)
	// Fingerprint reads the copy the way the source was read.
	Fingerprint(ctx context.Context) (*recovery.Fingerprint, error)
	// Definitions returns the fingerprint of the dump's definitions after one
	// restore, or nil if this kind of source never re-words a definition.
	Definitions(ctx context.Context, dump io.Reader) (*recovery.Fingerprint, error)
	// ServerVersion is the version of the server that holds the copy, empty if none.
	ServerVersion(ctx context.Context) (string, error)
	// Query runs a read-only query and returns its first value as text.
	Query(ctx context.Context, query string) (string, error)
	// Address is what the service needs to use the copy. It may hold a secret.
	Address() string
	// Drop removes the copy and all that was made for it; it may be called again.
	Drop(ctx context.Context) error
}

// CopyRef names a copy: which artefact, for which run, at which attempt.
type CopyRef struct {
	Artefact recovery.Artefact `json:"artefact"`
	Run      recovery.RunRef   `json:"run"`
	Attempt  int               `json:"attempt"`
}

// Staging is where copies are made and tried out.
type Staging interface {
	OpenCopy(ctx context.Context, plan *recovery.Plan, ref CopyRef) (Copy, error)
	// Release removes what is left of a run on staging once its copies are dropped;
	// it may be called again.
	Release(ctx context.Context, plan *recovery.Plan, run recovery.RunRef) error
	// Sweep removes the copies of runs that have ended.
	Sweep(ctx context.Context, plan *recovery.Plan) (dropped []string, err error)
	// Smoke starts the service on the copies, with staging's environment alone,
	// and runs its journey and checks.
	Smoke(ctx context.Context, plan *recovery.Plan, copies map[string]Copy) (*recovery.SmokeProof, error)
}
