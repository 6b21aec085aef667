package activities_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const service = "where2eat"

// memory is a destination in memory. What it does not implement fails the test.
type memory struct {
	activities.Store
	name      string
	silent    func() error // says why it does not answer
	manifests map[recovery.SetID]*recovery.Manifest
	proofs    []recovery.Proof
	objects   map[string]string
	refuse    error             // what writing fails with
	writeErr  error             // what each write of bytes fails with
	sealed    func(n int) error // what the sealing of the nth object fails with, once all is written
	seals     int
	check     func(ctx context.Context) error
	pruned    []recovery.SetID // of which there are tombstones
	lastErr   error            // what the look for the last restore fails with
	limit     int              // of the newest list
	received  []string
	sent      []string
	adopted   []string
	decided   map[string]bool // requests; true: by another run
	documents map[string]string
}

func newMemory(name string) *memory {
	return &memory{
		name: name, silent: func() error { return nil }, check: context.Context.Err, manifests: map[recovery.SetID]*recovery.Manifest{}, objects: map[string]string{},
		decided: map[string]bool{}, documents: map[string]string{},
	}
}

// bay is where destinations are opened.
type bay map[string]*memory

func newBay(names ...string) bay {
	b := bay{}
	for _, name := range names {
		b[name] = newMemory(name)
	}
	return b
}

func (b bay) OpenStore(ctx context.Context, dest recovery.DestinationSpec, _ recovery.EncryptionSpec) (activities.Store, error) {
	m := b[dest.Name]
	if err := m.silent(); err != nil {
		return nil, err
	}
	return m, ctx.Err()
}

func specs(names ...string) []recovery.DestinationSpec {
	var all []recovery.DestinationSpec
	for _, name := range names {
		all = append(all, recovery.DestinationSpec{Name: name, URL: "file:///" + name})
	}
	return all
}

func (m *memory) away() {
	m.silent = func() error { return errors.New("connection to " + m.name + " refused") }
}
func (m *memory) Close() error { return nil }

func (m *memory) Check(ctx context.Context) error { return m.check(ctx) }

func (m *memory) Tombstones(context.Context, string) ([]recovery.SetID, error) { return m.pruned, nil }

func (m *memory) LastTried(context.Context, string) (last time.Time, err error) {
	for _, p := range m.proofs {
		if p.Tried >= recovery.LevelRestored && p.Started.After(last) {
			last = p.Started
		}
	}
	return last, m.lastErr
}

func (m *memory) Commit(context.Context, *recovery.Manifest) error { return m.refuse }

// failing is where no byte can be written.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func (m *memory) Seal(_ context.Context, key string, _ int64, fill func(io.Writer) error) (recovery.Object, error) {
	m.seals++
	var b strings.Builder
	var to io.Writer = &b
	if m.writeErr != nil {
		to = failing{m.writeErr}
	}
	if err := fill(to); err != nil {
		return recovery.Object{}, err
	}
	if m.sealed != nil && m.sealed(m.seals) != nil {
		return recovery.Object{}, m.sealed(m.seals)
	}
	m.objects[key] = b.String()
	return object(key, b.String()), m.refuse
}

// add keeps a set with one source, whose object is its only content.
func (m *memory) add(set recovery.SetID, source, content string) *recovery.Manifest {
	a := recovery.Artefact{Source: source, Kind: recovery.KindPostgres, Set: set, Snapshot: set.Time(), Dump: object(source+".1.dump.zst.age", content)}
	m.manifests[set] = &recovery.Manifest{Format: recovery.ManifestFormat, Service: service, Set: set, Created: set.Time(), Artefacts: []recovery.Artefact{a}}
	m.objects[a.Key(service, a.Dump)] = content
	return m.manifests[set]
}

func object(name, content string) recovery.Object {
	return recovery.Object{Role: recovery.RoleDump, Name: name, Size: int64(len(content)), SHA256: "sum of " + content}
}

// prove adds a proof that was begun then.
func (m *memory) prove(set recovery.SetID, level recovery.Level, verdict recovery.Verdict, begun time.Time) {
	m.proofs = append(m.proofs, recovery.Proof{
		Format: recovery.ProofFormat, Service: service, Set: set, Copy: m.name, Kind: recovery.ProofRestore, Tried: level, Level: level, Verdict: verdict,
		Sentence: fmt.Sprintf("set %s is %s", set, verdict), Started: begun, Ended: begun.Add(time.Minute),
	})
}

func (m *memory) Summaries(_ context.Context, _ string, wanted recovery.SetID, limit int) ([]recovery.SetSummary, error) {
	m.limit = limit
	var all []recovery.SetSummary
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(m.manifests))) {
		if len(all) >= limit && id != wanted {
			continue
		}
		var proofs []recovery.Proof
		for _, p := range m.proofs {
			if p.Set == id {
				proofs = append(proofs, p)
			}
		}
		all = append(all, recovery.Summarize(id, m.manifests[id], proofs, nil))
	}
	return all, nil
}

func (m *memory) Artefacts(context.Context, string) ([]recovery.Artefact, error) {
	if m.refuse != nil {
		return nil, m.refuse
	}
	newest := map[string]recovery.Artefact{}
	for _, id := range slices.Sorted(maps.Keys(m.manifests)) {
		for _, a := range m.manifests[id].Artefacts {
			newest[a.Source] = a
		}
	}
	return slices.Collect(maps.Values(newest)), nil
}

func (m *memory) SignedManifest(_ context.Context, _ string, set recovery.SetID) (*recovery.Manifest, []byte, error) {
	manifest, there := m.manifests[set]
	if !there {
		return nil, nil, fmt.Errorf("read manifest at %s: %w", m.name, recovery.ErrNotFound)
	}
	return manifest, []byte("signed at " + m.name), nil
}

func (m *memory) Adopt(_ context.Context, manifest *recovery.Manifest, signed []byte) error {
	for _, a := range manifest.Artefacts {
		for _, o := range a.Objects() {
			if _, there := m.objects[a.Key(service, o)]; !there {
				return errors.New("adopted before all was there")
			}
		}
	}
	m.manifests[manifest.Set] = manifest
	m.adopted = append(m.adopted, string(signed))
	return nil
}

// errDamaged is a stored object that is not what was stored.
var errDamaged = recovery.NewFault(recovery.Damaged, errors.New("its SHA-256 is not the one in the manifest"), "")

func (m *memory) Send(_ context.Context, key string, want recovery.Object, w io.Writer, progress func(int64)) error {
	content, there := m.objects[key]
	if !there {
		return fmt.Errorf("read %s at %s: %w", key, m.name, recovery.ErrNotFound)
	}
	if _, err := io.WriteString(w, content); err != nil {
		return err
	}
	progress(int64(len(content)))
	if "sum of "+content != want.SHA256 {
		return errDamaged
	}
	m.sent = append(m.sent, key[strings.LastIndex(key, "/")+1:])
	return nil
}

func (m *memory) Receive(_ context.Context, key string, want recovery.Object, _ func(int64), fill func(io.Writer) error) error {
	if content, there := m.objects[key]; there && "sum of "+content == want.SHA256 {
		return nil
	} else if there {
		return errDamaged
	}
	var b strings.Builder
	var to io.Writer = &b
	if m.writeErr != nil {
		to = failing{m.writeErr}
	}
	if err := fill(to); err != nil {
		return err
	}
	if m.refuse != nil {
		return m.refuse
	}
	m.objects[key] = b.String()
	m.received = append(m.received, key[strings.LastIndex(key, "/")+1:])
	return nil
}

func (m *memory) Decide(_ context.Context, b *approval.Book) (bool, error) {
	if m.refuse != nil {
		return false, m.refuse
	}
	if m.decided[b.Request.ID] {
		return false, nil
	}
	m.decided[b.Request.ID] = false
	return true, nil
}

func (m *memory) Write(_ context.Context, key string, content []byte) error {
	if m.refuse != nil {
		return m.refuse
	}
	m.documents[key] = string(content)
	return nil
}

// run runs one step.
func run[Out any](t *testing.T, step, in any) (out Out, err error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(step)
	value, err := env.ExecuteActivity(step, in)
	if err != nil {
		return out, err
	}
	require.NoError(t, value.Get(&out))
	return out, nil
}

// fails says what kind of error a step ended with, and its text.
func fails(t *testing.T, err error) (kind, message string) {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	return app.Type(), app.Message()
}
