package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

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

	services    []string // of the config
	servicesErr error

	dumpErrs  map[string][]error // by source, one for each attempt
	dumped    map[string]int     // attempts by source
	committed *recovery.Manifest
	manifests map[recovery.SetID]*recovery.Manifest // at the destination main
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

	outside   // what drills and restores need besides
	elsewhere // the other destinations, and what happens to all of them
	deployed  deployment

	mu    sync.Mutex
	log   []string  // what was done to production, in order
	start time.Time // of the next run

	resetFrom    string   // the id of the run that the next one was reset from
	elsewhereRun []string // ids of runs that are going on besides
	clock        func() time.Time
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
			Destination:  recovery.DestinationSpec{Name: "main", URL: "file:///backups"},
			Destinations: []recovery.DestinationSpec{{Name: "main", URL: "file:///backups"}},
			TimeZone:     "UTC",
			Encryption:   recovery.EncryptionSpec{Recipients: []string{"age1"}, Identities: "file:age.key"},
			Staging:      recovery.StagingSpec{PostgresURL: "env:STAGING", Folder: "/staging"},
			Smoke:        &recovery.SmokeSpec{Start: []string{"./where2eat"}},
			Verify:       recovery.VerifyAfterBackup, GiveUpAfter: recovery.Duration(30 * time.Minute),
		},
		services: []string{"where2eat"},
		dumpErrs: map[string][]error{}, dumped: map[string]int{}, readBackErr: map[string]error{}, version: "15.18",
		smoke:     recovery.SmokeProof{Verdict: recovery.Proven, Steps: []recovery.SmokeStep{{Name: "log in", OK: true}}},
		manifests: map[recovery.SetID]*recovery.Manifest{}, outside: newOutside(), elsewhere: newElsewhere(), deployed: newDeployment(),
		start: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC),
	}
}

// did notes what a step did to the outside, in order.
func (w *world) did(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

// env is a Temporal test environment in which the real activities act on w. A
// workflow of the test's own is called Outer there.
func (w *world) env(t *testing.T, outer ...any) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	workflows.Register(env)
	for _, o := range outer {
		env.RegisterWorkflowWithOptions(o, workflow.RegisterOptions{Name: "Outer"})
	}
	env.RegisterActivity(&activities.Plans{Configs: w})
	env.RegisterActivity(&activities.Backups{Sources: w, Stores: w})
	env.RegisterActivity(&activities.Verifications{Stores: w})
	env.RegisterActivity(&activities.Restores{Stores: w, Staging: w})
	env.RegisterActivity(&activities.Approvals{Keys: w, Stores: w})
	env.RegisterActivity(&activities.Cards{Board: w})
	env.RegisterActivity(&activities.Locks{Runs: w})
	env.RegisterActivity(&activities.Drills{Stores: w})
	env.RegisterActivity(&activities.Choices{Stores: w})
	env.RegisterActivity(&activities.Destinations{Stores: w})
	env.RegisterActivity(&activities.Copies{Stores: w})
	env.RegisterActivity(&activities.Prunes{Stores: w, Runs: w})
	env.RegisterActivity(&activities.Digests{Configs: w, Survey: &fakeSurvey{w}, Mailer: w})
	env.RegisterActivity(&activities.Pings{Switches: w})
	env.RegisterActivity(&activities.Changes{Lives: w, Staging: w, Services: w})
	env.RegisterActivity(&activities.Releases{Deploys: w})
	env.RegisterActivity(&activities.Evidence{Stores: w})
	env.RegisterActivity(&activities.Hosts{Commands: w, Deploys: w, Stores: w})
	w.identify(env)
	env.SetStartTime(w.start)
	w.clock = env.Now
	w.start = w.start.Add(24 * time.Hour) // the next run is another day's
	return env
}

// backup runs BackupAndVerify to its end.
func (w *world) backup(t *testing.T, in any) (*recovery.Report, error) {
	t.Helper()
	env := w.env(t)
	execute(env, workflows.TypeBackupAndVerify, in)
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

// Plan knows only one service well; the others have nothing to be copied.
func (w *world) Plan(_ context.Context, service string) (*recovery.Plan, error) {
	if slices.Contains(w.services, service) && service != w.plan.Service {
		return &recovery.Plan{Service: service}, nil
	}
	return &w.plan, w.planErr
}

func (w *world) Services(context.Context) ([]string, error) { return w.services, w.servicesErr }

func (w *world) OpenSource(_ context.Context, spec recovery.SourceSpec) (activities.Source, error) {
	return &fakeSource{world: w, spec: spec}, nil
}

func (w *world) SweepCopies(context.Context, []recovery.SourceSpec, recovery.SetID) error { return nil }

func (w *world) Digest(context.Context) (*recovery.DigestSpec, error) { return &w.digestTo, nil }

func (w *world) OpenCopy(_ context.Context, _ *recovery.Plan, ref activities.CopyRef) (activities.Copy, error) {
	return &fakeCopy{world: w, ref: ref}, nil
}

func (w *world) Sweep(context.Context, *recovery.Plan) ([]string, error) { return nil, nil }

func (w *world) Release(context.Context, *recovery.Plan, activities.CopyRef) error { return nil }

func (w *world) Smoke(_ context.Context, _ *recovery.Plan, copies map[string]activities.Copy) (*recovery.SmokeProof, error) {
	w.did("try out %d copies", len(copies))
	return &w.smoke, w.smokeErr
}
