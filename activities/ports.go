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
	"time"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// Configs gives the resolved configuration of services.
type Configs interface {
	// Plan fails with a Permanent fault that names the known services if there is
	// no such service, or all problems of the configuration.
	Plan(ctx context.Context, service string) (*recovery.Plan, error)
	// Services names all services.
	Services(ctx context.Context) ([]string, error)
	// Digest says who gets the digest of all services.
	Digest(ctx context.Context) (*recovery.DigestSpec, error)
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

	// Check says whether the destination answers and can be used.
	Check(ctx context.Context) error

	// Commit writes the guide, then the signed manifest: from then on the set
	// exists. Committing the same manifest again is success.
	Commit(ctx context.Context, m *recovery.Manifest) error
	// Artefacts returns, of each source, the newest artefact that a new set may refer
	// to: one of a backup that nothing has disproven.
	Artefacts(ctx context.Context, service string) ([]recovery.Artefact, error)
	// Manifest reads and checks the manifest of a set.
	Manifest(ctx context.Context, service string, set recovery.SetID) (*recovery.Manifest, error)
	// SignedManifest is Manifest together with its bytes as they are stored.
	SignedManifest(ctx context.Context, service string, set recovery.SetID) (*recovery.Manifest, []byte, error)
	// Adopt makes a set exist here whose objects were copied from elsewhere, by its
	// manifest as it was signed. Adopting it again is success.
	Adopt(ctx context.Context, m *recovery.Manifest, signed []byte) error
	// Send writes the sealed bytes of an object to w. It fails with a Damaged fault
	// unless all of them are as wanted; what w got before that must not be kept.
	Send(ctx context.Context, key string, want recovery.Object, w io.Writer, progress func(bytes int64)) error
	// Receive keeps what fill writes under key, if it is as wanted. If the very same
	// object is there, fill is not called; another one there is a Damaged fault.
	Receive(ctx context.Context, key string, want recovery.Object, progress func(bytes int64), fill func(w io.Writer) error) error
	// Holdings lists all sets of a service, for retention, newest first.
	Holdings(ctx context.Context, service string) ([]recovery.Holding, error)
	// Prune removes a set: nothing at all if a part of it may not be removed yet.
	Prune(ctx context.Context, t *recovery.Tombstone) (*recovery.PrunedSet, error)
	// Reclass moves the objects that lie in a set's folder to a storage class.
	Reclass(ctx context.Context, service string, set recovery.SetID, class string) (moved int, err error)
	// Thaw asks for the objects of a set that must be fetched from cold storage, unless
	// only asked about, and says whether all can be read.
	Thaw(ctx context.Context, m *recovery.Manifest, fetch bool) (*recovery.Thawing, error)
	// AbortStale removes uploads that were begun longer ago than olderThan.
	AbortStale(ctx context.Context, olderThan recovery.Duration) (removed int, err error)
	// Summaries returns the newest sets of a service, at most limit, and the wanted one
	// if it is named and is there, newest first.
	Summaries(ctx context.Context, service string, wanted recovery.SetID, limit int) ([]recovery.SetSummary, error)
	// LastTried is when a restore of any set of a service was last tried here.
	LastTried(ctx context.Context, service string) (time.Time, error)
	// Tombstones lists the sets of a service that were removed here by intent.
	Tombstones(ctx context.Context, service string) ([]recovery.SetID, error)
	// Decide records a settled request once. It returns false if another run's record
	// stands there already.
	Decide(ctx context.Context, b *approval.Book) (fresh bool, err error)
	// Claim records who starts a command that runs at most once. It returns false if
	// somebody else did before.
	Claim(ctx context.Context, c *recovery.Claim) (mine bool, err error)
	// Record keeps a finding about a release. Keeping it again is success.
	Record(ctx context.Context, r *release.Record) error
	// Records returns the newest findings about a service's releases, at most limit, the
	// oldest first.
	Records(ctx context.Context, service string, limit int) ([]release.Record, error)
	// Write writes a document for people. Writing it again is success.
	Write(ctx context.Context, key string, content []byte) error
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
	// Beside is true for a copy beside production, which is to take its place; the
	// others are on staging.
	Beside bool `json:"beside,omitempty"`
}

// Staging is where copies are made and tried out.
type Staging interface {
	OpenCopy(ctx context.Context, plan *recovery.Plan, ref CopyRef) (Copy, error)
	// Release removes what is left of a copy's run once the copy is dropped; it may be
	// called again.
	Release(ctx context.Context, plan *recovery.Plan, ref CopyRef) error
	// Sweep removes the copies of runs that have ended.
	Sweep(ctx context.Context, plan *recovery.Plan) (dropped []string, err error)
	// Smoke starts the service on the copies, with the environment of smoke tests
	// alone, and runs its journey and checks.
	Smoke(ctx context.Context, plan *recovery.Plan, copies map[string]Copy) (*recovery.SmokeProof, error)
}

// Live is a production source that a restore replaces.
type Live interface {
	// Inspect says what is there now, and why it cannot be replaced.
	Inspect(ctx context.Context) (*recovery.LiveState, error)
	// Beside is the name of a copy of this source beside it, Aside the name that what
	// is there now gets when it is replaced.
	Beside(ref CopyRef) (string, error)
	Aside(stamp string) string
	// Identity tells what stands under a name; ErrNotFound if nothing does.
	Identity(ctx context.Context, name string) (string, error)
	// Swap puts one in the place of the other, completely or not at all. Asked again,
	// it finds that it was done.
	Swap(ctx context.Context, s recovery.Swap, stopped bool) (*recovery.Swapped, error)
	// Keep gives a copy beside it a lasting name, and says where it is.
	Keep(ctx context.Context, ref CopyRef) (name, where string, err error)
	// SweepBeside removes the copies beside it that other runs of the same workflow id
	// made: that id is a lock, so they have ended.
	SweepBeside(ctx context.Context, current recovery.RunRef) error
	// Drop removes what has that name and identity, and never what is live.
	Drop(ctx context.Context, name, identity string) error
}

// Lives opens production sources for restores.
type Lives interface {
	OpenLive(ctx context.Context, plan *recovery.Plan, source string) (Live, error)
	// OfferKey makes a key for one copy on this host: its public part, and a reference
	// to the private one that this host can read. The same copy gets the same key.
	OfferKey(ctx context.Context, plan *recovery.Plan, ref CopyRef) (*recovery.EncryptionSpec, error)
}

// Services acts on the running services of this host.
type Services interface {
	// RunCommand runs one of the service's commands; one that ends badly is a Permanent
	// fault with the last line it wrote.
	RunCommand(ctx context.Context, plan *recovery.Plan, command string) error
	// SwitchDatabase runs the source's own command with the address of a database.
	SwitchDatabase(ctx context.Context, plan *recovery.Plan, source, database string) error
	// CheckLive waits until the running service answers, and runs its journey.
	CheckLive(ctx context.Context, plan *recovery.Plan) (*recovery.SmokeProof, error)
}

// Deploys knows the releases of the services of this host.
type Deploys interface {
	// Current is the release that is deployed.
	Current(ctx context.Context, plan *recovery.Plan) (*release.Tag, error)
	// Tags lists the releases that can be deployed, the newest first; none if nobody
	// knows them.
	Tags(ctx context.Context, plan *recovery.Plan) ([]release.Tag, error)
	// Compare says what lies between the deployed release and another one.
	Compare(ctx context.Context, plan *recovery.Plan, from, to release.Tag) (*release.Comparison, error)
}

// Commands runs commands of services on this host.
type Commands interface {
	// RunOnce runs a command to its end, at most once under its key, however often it is
	// asked to and whoever dies meanwhile. Before the start, claim must say that nobody
	// else has started it; its nonce is the same when it is asked again on this host. If
	// ctx ends, the command runs on, and whoever asks next waits for it.
	RunOnce(ctx context.Context, plan *recovery.Plan, c recovery.CommandSpec, key string, claim func(ctx context.Context, nonce string) (mine bool, err error)) (*recovery.CommandOutcome, error)
}

// Keys reads the key with which doors vouch for people.
type Keys interface {
	ApprovalKey(ctx context.Context, ref string) ([]byte, error)
}

// Board shows cards to people.
type Board interface {
	// PostCard posts a card or edits the one at ref. If an earlier try may have
	// posted it, it looks for that first.
	PostCard(ctx context.Context, ref card.Ref, c card.Card, again bool) (card.Ref, error)
	// PostNote posts a message in a card's thread, once.
	PostNote(ctx context.Context, ref card.Ref, n card.Note, again bool) error
}

// Runs asks Temporal about runs.
type Runs interface {
	// Holds says whether a workflow of that id is running.
	Holds(ctx context.Context, workflowID string) (bool, error)
	// Running lists the ids of the runs of those types that work for a service.
	Running(ctx context.Context, service string, types []string) ([]string, error)
}

// Survey finds out how all services stand.
type Survey interface {
	Digest(ctx context.Context, now time.Time) (*recovery.Digest, error)
}

// Mailer sends mail. The server that it is sent by is its own business.
type Mailer interface {
	// Mail sends a text; key tells a mail that was sent already.
	Mail(ctx context.Context, key, to, subject, text string) error
}

// Switches pings the dead man's switches that watch over playbooks.
type Switches interface {
	Ping(ctx context.Context, ref string, signal, text string) error
}
