// Package faults_test kills and starves real processes in the middle of real
// runs, and wants every run to end right all the same.
package faults_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }

// ballast makes every step of a run long enough to be hit: rows that hardly
// compress, with an index.
const ballast = `
create table ballast as select g id, (select string_agg(md5(g::text || i::text), '') from generate_series(1, 32) i) filler from generate_series(1, 200000) g;
alter table ballast add primary key (id);
create index on ballast (left(filler, 200));
alter table ballast owner to where2eat;
`

// newRig is a Lifeboat whose service has a database of a few hundred megabytes.
func newRig(t *testing.T) *rig.Rig {
	t.Helper()
	r := rig.New(t)
	r.Exec(sandbox.Database, ballast)
	return r
}

// run is a BackupAndVerify that goes on in the background.
type run struct {
	t   *testing.T
	rig *rig.Rig
	client.WorkflowRun
	client client.Client
}

func start(t *testing.T, r *rig.Rig) *run {
	t.Helper()
	c := r.Client()
	w, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: workflows.QueueLifeboat},
		workflows.TypeBackupAndVerify, workflows.BackupAndVerifyInput{Service: sandbox.Service})
	require.NoError(t, err)
	return &run{t: t, rig: r, WorkflowRun: w, client: c}
}

// status asks the run what it does; ok is false while no worker answers.
func (r *run) status() (s workflows.Status, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	value, err := r.client.QueryWorkflow(ctx, r.GetID(), r.GetRunID(), workflows.QueryStatus)
	return s, err == nil && value.Get(&s) == nil
}

// await waits until an activity of the type is being run by a worker.
func (r *run) await(activity string) {
	r.t.Helper()
	r.awaitThat("the step "+activity, func() bool {
		s, ok := r.status()
		return ok && s.Running != "" && slices.Contains(r.pending(s.Running), activity)
	})
}

func (r *run) awaitThat(what string, reached func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !reached() {
		require.True(r.t, time.Now().Before(deadline), "the run did not come to %s", what)
		time.Sleep(20 * time.Millisecond)
	}
}

// pending lists the types of a workflow's activities that have been started.
func (r *run) pending(id string) []string {
	d, err := r.client.DescribeWorkflowExecution(context.Background(), id, "")
	if err != nil {
		return nil
	}
	var types []string
	for _, a := range d.GetPendingActivities() {
		if a.GetLastStartedTime() != nil {
			types = append(types, a.GetActivityType().GetName())
		}
	}
	return types
}

// endsProven waits for the end and checks that nothing is left of what was hit.
func (r *run) endsProven() *recovery.Report {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var report recovery.Report
	require.NoError(r.t, r.Get(ctx, &report))
	require.Equal(r.t, recovery.LevelProven, report.Level, report.Sentence)
	r.rig.RequireClean(report.Set)
	return &report
}

// A worker that is killed in the middle of a step, and started again, ends the
// run proven, with exactly one set more and nothing left behind.
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i, moment := range []struct {
		name  string
		await func(*run)
	}{
		{"dump", func(r *run) { r.await("DumpSource") }},
		{"upload", func(r *run) {
			r.awaitThat("an upload", func() bool { return len(r.rig.Uploads()) > 0 })
		}},
		{"read-back", func(r *run) { r.await("ReadBack") }},
		{"restore", func(r *run) {
			r.await("RestoreArtefact")
			r.awaitThat("a staging database", func() bool {
				return r.rig.Query(r.rig.Staging, "postgres", "select count(*) from pg_database where datname like 'lifeboat%'") != "0"
			})
		}},
	} {
		t.Run(moment.name, func(t *testing.T) {
			w := r.StartWorker()
			running := start(t, r)
			moment.await(running)
			w.Kill()
			again := r.StartWorker()
			running.endsProven()
			require.Len(t, r.Sets(), i+1)
			require.Zero(t, again.Stop())
		})
	}
}

// An attempt that was given up, because its worker stopped answering, and that
// goes on uploading later, changes nothing.
func TestZombieAttemptChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	zombie := r.StartWorker()
	running := start(t, r)
	running.awaitThat("an upload", func() bool { return len(r.Uploads()) > 0 })
	zombie.Signal(syscall.SIGSTOP)
	w := r.StartWorker()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var report recovery.Report
	require.NoError(t, running.Get(ctx, &report))
	require.Equal(t, recovery.LevelProven, report.Level)
	before := r.Manifest(report.Set)
	require.Greater(t, before.Artefacts[0].Attempt, 1)

	zombie.Signal(syscall.SIGCONT)
	require.Zero(t, zombie.Stop(), "it stops what it still did")
	require.Equal(t, before, r.Manifest(report.Set))
	require.Equal(t, []recovery.SetID{report.Set}, r.Sets())
	out := r.Starter("verify", sandbox.Service)
	require.Zero(t, out.Code, out.Stderr)
	next := r.Backup()
	r.RequireClean(next.Set)
	r.RequireClean(report.Set)
	require.Zero(t, w.Stop())
}

// The destination is gone for half a minute in the middle of the upload.
func TestDestinationGoneForAWhile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.StartWorker()
	running := start(t, r)
	running.awaitThat("an upload", func() bool { return len(r.Uploads()) > 0 })
	r.S3.Stop()
	gone := time.Now()
	running.awaitThat("the trouble being shown", func() bool {
		s, ok := running.status()
		return ok && strings.Contains(s.Trouble, "dump app: ") && strings.Contains(s.Trouble, "next try")
	})
	time.Sleep(time.Until(gone.Add(30 * time.Second)))
	require.NoError(t, r.S3.Restart(context.Background()))
	running.endsProven()
	require.Len(t, r.Sets(), 1)
}

// PostgreSQL is restarted in the middle of the dump.
func TestPostgresRestartedDuringTheDump(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.StartWorker()
	running := start(t, r)
	running.awaitThat("an upload", func() bool { return len(r.Uploads()) > 0 })
	require.NoError(t, r.Production.Restart(context.Background()))
	report := running.endsProven()
	require.Greater(t, r.Manifest(report.Set).Artefacts[0].Attempt, 1)
}

// A worker that is told to stop in the middle of a dump stops soon, and the next
// one goes on at once: it does not wait for a heartbeat that will not come.
func TestWorkerStoppedDuringTheDump(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := r.StartWorker()
	running := start(t, r)
	running.awaitThat("an upload", func() bool { return len(r.Uploads()) > 0 })
	require.Zero(t, w.Stop())
	r.StartWorker()
	report := running.endsProven()
	require.NotContains(t, r.History(workflows.BackupID(sandbox.Service)), "TIMEOUT_TYPE_HEARTBEAT")
	require.Equal(t, 2, r.Manifest(report.Set).Artefacts[0].Attempt)
}

// Cancelling a run from outside cleans up: nothing is committed, nothing is left.
func TestCancelledRunLeavesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.StartWorker()
	running := start(t, r)
	running.awaitThat("an upload", func() bool { return len(r.Uploads()) > 0 })
	require.NoError(t, running.client.CancelWorkflow(context.Background(), running.GetID(), running.GetRunID()))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	require.ErrorContains(t, running.Get(ctx, nil), "canceled")
	require.Empty(t, r.Sets())
	require.Empty(t, r.Uploads())
	objects, err := os.ReadDir(r.ObjectFile(recovery.SetsPrefix(sandbox.Service)))
	if err == nil {
		require.Empty(t, objects)
	} else {
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}
