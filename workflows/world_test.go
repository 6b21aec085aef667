package workflows_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// world is a make-believe outside: a service with two sources, a destination and
// a staging server, each of which can be told to fail. The activities are the
// real ones.
type world struct {
	plan    recovery.Plan
	planErr error

	dumpErrs  map[string][]error // by source, one for each attempt
	dumped    map[string]int     // attempts by source
	committed *recovery.Manifest
	commitErr []error
	proofs    []recovery.Proof
	swept     []string

	manifestErr error
	readBackErr map[string]error // by object key
	restoreErr  []error
	complaints  []string
	prepareErr  error
	got         func(source string, f *recovery.Fingerprint) // changes what the copy holds
	reworded    *recovery.Fingerprint
	version     string
	smoke       recovery.SmokeProof
	smokeErr    error
	dropped     []string
}

func newWorld() *world {
	return &world{
		plan: recovery.Plan{
			Service: "where2eat", Owner: "rebecca", Host: "web1",
			Objectives: recovery.Objectives{Availability: 0.995, RTO: recovery.Duration(time.Hour), RPO: recovery.Duration(24 * time.Hour)},
			Sources: []recovery.SourceSpec{
				{Name: "app", Kind: recovery.KindPostgres, URL: "env:APP_URL", Fingerprint: recovery.FingerprintContent},
				{Name: "notes", Kind: recovery.KindSQLite, Path: "/srv/notes.db", Fingerprint: recovery.FingerprintContent},
			},
			Destination: recovery.DestinationSpec{Name: "main", URL: "file:///backups"},
			Encryption:  recovery.EncryptionSpec{Recipients: []string{"age1"}, Identities: "file:age.key"},
			Staging:     recovery.StagingSpec{PostgresURL: "env:STAGING", Folder: "/staging"},
			Smoke:       &recovery.SmokeSpec{Start: []string{"./where2eat"}},
			Verify:      recovery.VerifyAfterBackup, GiveUpAfter: recovery.Duration(30 * time.Minute),
		},
		dumpErrs: map[string][]error{}, dumped: map[string]int{}, readBackErr: map[string]error{}, version: "15.18",
		smoke: recovery.SmokeProof{Verdict: recovery.Proven, Steps: []recovery.SmokeStep{{Name: "log in", OK: true}}},
	}
}

// env is a Temporal test environment in which the real activities act on w.
func (w *world) env(t *testing.T) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	workflows.Register(env)
	env.RegisterActivity(&activities.Plans{Configs: w})
	env.RegisterActivity(&activities.Backups{Sources: w, Stores: w})
	env.RegisterActivity(&activities.Verifications{Stores: w})
	env.RegisterActivity(&activities.Restores{Stores: w, Staging: w})
	env.SetStartTime(time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC))
	return env
}

// backup runs BackupAndVerify to its end.
func (w *world) backup(t *testing.T, in any) (*recovery.Report, error) {
	t.Helper()
	env := w.env(t)
	env.ExecuteWorkflow(workflows.TypeBackupAndVerify, in)
	return reportOf(t, env)
}

func reportOf(t *testing.T, env *testsuite.TestWorkflowEnvironment) (*recovery.Report, error) {
	t.Helper()
	require.True(t, env.IsWorkflowCompleted())
	var report *recovery.Report
	err := env.GetWorkflowError()
	if err == nil {
		err = env.GetWorkflowResult(&report)
	}
	return report, err
}

func (w *world) Plan(context.Context, string) (*recovery.Plan, error) { return &w.plan, w.planErr }

func (w *world) OpenSource(_ context.Context, spec recovery.SourceSpec) (activities.Source, error) {
	return &fakeSource{world: w, spec: spec}, nil
}

func (w *world) SweepCopies(context.Context, []recovery.SourceSpec, recovery.SetID) error { return nil }

func (w *world) OpenStore(context.Context, recovery.DestinationSpec, recovery.EncryptionSpec) (activities.Store, error) {
	return &fakeStore{world: w}, nil
}

func (w *world) OpenCopy(_ context.Context, _ *recovery.Plan, ref activities.CopyRef) (activities.Copy, error) {
	return &fakeCopy{world: w, ref: ref}, nil
}

func (w *world) Sweep(context.Context, *recovery.Plan) ([]string, error) { return nil, nil }

func (w *world) Release(context.Context, *recovery.Plan, recovery.RunRef) error { return nil }

func (w *world) Smoke(context.Context, *recovery.Plan, map[string]activities.Copy) (*recovery.SmokeProof, error) {
	return &w.smoke, w.smokeErr
}

type fakeSource struct {
	world *world
	spec  recovery.SourceSpec
}

func (s *fakeSource) Estimate(context.Context) (int64, error) { return 1000, nil }

func (s *fakeSource) Dump(_ context.Context, job recovery.DumpJob, w io.Writer, progress func(int64)) (*recovery.Dump, error) {
	s.world.dumped[s.spec.Name]++
	if err := next(s.world.dumpErrs, s.spec.Name); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, "dump of "+s.spec.Name); err != nil {
		return nil, err
	}
	progress(1000)
	return &recovery.Dump{
		Snapshot: job.Set.Time(), PlainSize: 1000, Tool: "tool 1", ServerVersion: "15.18", Fingerprint: fingerprintOf(s.spec.Name),
	}, nil
}

func fingerprintOf(source string) *recovery.Fingerprint {
	return &recovery.Fingerprint{
		Mode:        recovery.FingerprintContent,
		Data:        []recovery.DataSum{{Kind: "table", Schema: "public", Name: source, Rows: 7, Sum: "aa"}},
		Definitions: []recovery.DefinitionSum{{Kind: "TABLE", Schema: "public", Name: source, Text: "t1"}},
	}
}

func next(errs map[string][]error, name string) error {
	if len(errs[name]) == 0 {
		return nil
	}
	err := errs[name][0]
	errs[name] = errs[name][1:]
	return err
}

type fakeStore struct{ world *world }

func (s *fakeStore) Seal(_ context.Context, _ string, _ int64, fill func(io.Writer) error) (recovery.Object, error) {
	var b strings.Builder
	err := fill(&b)
	return recovery.Object{PlainSize: int64(b.Len()), Size: int64(b.Len()), SHA256: "00"}, err
}

func (s *fakeStore) Unseal(_ context.Context, key string, _ recovery.Object, use func(io.Reader) error) error {
	source, _, _ := strings.Cut(key[strings.LastIndex(key, "/")+1:], ".")
	if strings.Contains(key, "fingerprint") {
		content, err := fingerprintOf(source).Encode()
		if err != nil {
			return err
		}
		return use(strings.NewReader(string(content)))
	}
	return use(strings.NewReader("dump of " + source))
}

func (s *fakeStore) ReadBack(_ context.Context, key string, _ recovery.Object, _ func(int64)) error {
	return s.world.readBackErr[key[strings.LastIndex(key, "/")+1:]]
}

func (s *fakeStore) Peek(ctx context.Context, key string, use func(io.Reader) error) error {
	return s.Unseal(ctx, key, recovery.Object{}, use)
}

func (s *fakeStore) Digest(ctx context.Context, key string, o recovery.Object, p func(int64)) error {
	return s.ReadBack(ctx, key, o, p)
}

func (s *fakeStore) Commit(_ context.Context, m *recovery.Manifest) error {
	if len(s.world.commitErr) > 0 {
		err := s.world.commitErr[0]
		s.world.commitErr = s.world.commitErr[1:]
		return err
	}
	s.world.committed = m
	return nil
}

func (s *fakeStore) Newest(context.Context, string) (recovery.SetID, error) {
	if s.world.committed == nil {
		return "", errors.Join(errors.New("no set of where2eat"), recovery.ErrNotFound)
	}
	return s.world.committed.Set, nil
}

func (s *fakeStore) Manifest(context.Context, string, recovery.SetID) (*recovery.Manifest, error) {
	return s.world.committed, s.world.manifestErr
}

func (s *fakeStore) Prove(_ context.Context, p *recovery.Proof) error {
	s.world.proofs = append(s.world.proofs, *p)
	return nil
}

func (s *fakeStore) SweepSets(context.Context, string, recovery.SetID) (int, []string, error) {
	s.world.swept = append(s.world.swept, "older sets")
	return 0, nil, nil
}

func (s *fakeStore) SweepSet(context.Context, string, recovery.SetID) (int, []string, error) {
	s.world.swept = append(s.world.swept, "this set")
	return 0, nil, nil
}

func (s *fakeStore) Close() error { return nil }

type fakeCopy struct {
	world *world
	ref   activities.CopyRef
}

func (c *fakeCopy) Preflight(context.Context) error { return c.world.prepareErr }

func (c *fakeCopy) Restore(_ context.Context, _ []byte, dump io.Reader, _ func(int64)) (*recovery.Restored, error) {
	if len(c.world.restoreErr) > 0 {
		err := c.world.restoreErr[0]
		c.world.restoreErr = c.world.restoreErr[1:]
		if err != nil {
			return nil, err
		}
	}
	n, err := io.Copy(io.Discard, dump)
	return &recovery.Restored{PlainSize: n, Complaints: c.world.complaints}, err
}

func (c *fakeCopy) Fingerprint(context.Context) (*recovery.Fingerprint, error) {
	f := fingerprintOf(c.ref.Artefact.Source)
	if c.world.got != nil {
		c.world.got(c.ref.Artefact.Source, f)
	}
	return f, nil
}

func (c *fakeCopy) Definitions(context.Context, io.Reader) (*recovery.Fingerprint, error) {
	return c.world.reworded, nil
}

func (c *fakeCopy) ServerVersion(context.Context) (string, error) { return c.world.version, nil }
func (c *fakeCopy) Query(context.Context, string) (string, error) { return "", nil }
func (c *fakeCopy) Address() string                               { return "nowhere" }
func (c *fakeCopy) Drop(context.Context) error {
	c.world.dropped = append(c.world.dropped, c.ref.Artefact.Source)
	return nil
}
