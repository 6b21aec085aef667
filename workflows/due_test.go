package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

var due = workflows.BackupAndVerifyInput{Service: "where2eat", Due: true}

// busyError is that of a child whose id is taken.
var busyError = temporal.NewNonRetryableApplicationError("backup/where2eat is already running", workflows.ErrorBusy, nil)

// newDue is a world in which both sources were backed up years ago. Since then app
// has fallen due; notes is dumped only by hand. What is due at which time of day,
// the step's own tests say: it looks at the machine's clock.
func newDue(t *testing.T) (w *world, earlier recovery.SetID) {
	t.Helper()
	w = newWorld()
	w.start = time.Date(2020, 11, 22, 4, 0, 0, 0, time.UTC)
	w.plan.Sources[0].Every = recovery.Cadence{Every: "1h"}
	w.plan.Sources[1].Every = recovery.Cadence{Every: "never"}
	report, err := w.backup(t, due)
	require.NoError(t, err)
	require.Len(t, w.committed.Artefacts, 2, "what has no backup yet is due")
	w.log, w.proofs, w.dumped = nil, nil, map[string]int{}
	return w, report.Set
}

func TestDueBackupDumpsWhatIsDue(t *testing.T) {
	w, earlier := newDue(t)
	report, err := w.backup(t, due)
	require.NoError(t, err)
	require.Equal(t, recovery.LevelProven, report.Level, "it is proven as a whole")
	require.Equal(t, []string{"dump app"}, w.only("dump"))
	require.NotEqual(t, earlier, report.Set)
	app, _ := w.committed.Artefact("app")
	notes, _ := w.committed.Artefact("notes")
	require.Equal(t, report.Set, app.Set)
	require.Equal(t, earlier, notes.Set, "it refers to what lies in the folder of the earlier set")
	require.Equal(t, earlier.Time(), notes.Snapshot, "which is as old as it was")
	require.Empty(t, w.committed.Failures)
}

func TestDueBackupSaysWhatItRefersTo(t *testing.T) {
	w, _ := newDue(t)
	env := w.env(t)
	env.ExecuteWorkflow(workflows.TypeBackupAndVerify, due)
	require.NoError(t, env.GetWorkflowError())
	require.Contains(t, status(t, env).Done, "notes is not due: the set refers to what was dumped 2020-11-22 04:00 UTC")
}

func TestNothingIsDue(t *testing.T) {
	w, _ := newDue(t)
	w.also("second")
	w.plan.Sources[0].Every = recovery.Cadence{Every: "never"}
	env := w.env(t)
	s := watch(env)
	execute(env, workflows.TypeBackupAndVerify, due)
	report, err := reportOf(t, env)
	require.NoError(t, err)
	require.Equal(t, "nothing of where2eat is due: every source was backed up since its cadence last fell due", report.Sentence)
	require.Empty(t, report.Set)
	require.Equal(t, []string{workflows.BackupID("where2eat")}, s.children, "nothing is verified, nothing is copied")
	require.Empty(t, w.log)
	require.Empty(t, w.proofs)
	require.Len(t, w.manifests, 1, "there is no set")
}

// A set of references alone would hold nothing new, and look like a backup.
func TestDueBackupOfWhichAllDumpsFail(t *testing.T) {
	w, _ := newDue(t)
	w.dumpErrs["app"] = []error{recovery.NewFault(recovery.Permanent, errors.New("password refused"), "mend APP_URL")}
	_, err := w.backup(t, due)
	_, message, _ := failure(t, err)
	require.Equal(t, "no recovery set was made: dump app: password refused (mend APP_URL)", message)
	require.Len(t, w.manifests, 1)
	require.Empty(t, w.only("commit"))
	require.Empty(t, w.proofs)
}

func TestBackupByHandDumpsAll(t *testing.T) {
	w, _ := newDue(t)
	_, err := w.backup(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, []string{"dump app", "dump /srv/notes.db"}, w.only("dump"))
}

// What a restore replaces must all be in its safety backup.
func TestSafetyBackupDumpsAll(t *testing.T) {
	w, _ := newDue(t)
	w.plan.Sources[0].Every = recovery.Cadence{Every: "never"}
	out, err := backupService(t, w, workflows.BackupServiceInput{Service: "where2eat", Purpose: recovery.PurposeSafety})
	require.NoError(t, err)
	for _, a := range out.Manifest.Artefacts {
		require.Equal(t, out.Manifest.Set, a.Set)
	}
	require.Len(t, out.Manifest.Artefacts, 2)
}

// A source that is not due where the run works may be due where it goes on.
func TestDueIsLookedUpAgainElsewhere(t *testing.T) {
	w, _ := newDue(t)
	w.also("second")
	w.before = func(what string) {
		if what == "dump app" && w.dumped["app"] == 1 {
			w.silence("main", w.clock().Add(3*time.Hour))
		}
	}
	report, s, _, err := w.backupTo(t, due)
	require.NoError(t, err)
	require.Equal(t, "second", report.Copy)
	require.Equal(t, 2, s.steps["PlanSet"])
	for _, a := range w.committed.Artefacts {
		require.Equal(t, report.Set, a.Set, "the second has no earlier sets to refer to")
	}
	require.Len(t, w.committed.Artefacts, 2)
}

// A backup that somebody started by hand must not cost the one that is due.
func TestDueBackupWaitsForAnother(t *testing.T) {
	w, _ := newDue(t)
	env := w.env(t)
	busy := 2
	env.OnWorkflow(workflows.TypeBackupService, anything, anything).Return(func(_ workflow.Context, in workflows.BackupServiceInput) (*workflows.BackupServiceResult, error) {
		require.True(t, in.Due)
		if busy--; busy >= 0 {
			return nil, busyError
		}
		return &workflows.BackupServiceResult{Plan: w.plan, Manifest: *w.committed}, nil
	})
	begun := env.Now()
	env.ExecuteWorkflow(workflows.TypeBackupAndVerify, due)
	_, err := reportOf(t, env)
	require.NoError(t, err)
	require.Negative(t, busy)
	require.Greater(t, env.Now().Sub(begun), 14*time.Second, "5 s and 10 s later")
}

func TestBackupByHandDoesNotWaitForAnother(t *testing.T) {
	w, _ := newDue(t)
	env := w.env(t)
	env.OnWorkflow(workflows.TypeBackupService, anything, anything).Return(nil, busyError)
	env.ExecuteWorkflow(workflows.TypeBackupAndVerify, where2eat)
	kind, _, _ := failure(t, env.GetWorkflowError())
	require.Equal(t, workflows.ErrorBusy, kind)
}
