package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

var where2eat = workflows.BackupAndVerifyInput{Service: "where2eat"}

// anything matches every argument of an activity.
const anything = mock.Anything

// failure returns the type, the message and the report of a playbook's error.
func failure(t *testing.T, err error) (kind, message string, report *recovery.Report) {
	t.Helper()
	app := appError(t, err)
	if app.HasDetails() {
		require.NoError(t, app.Details(&report))
	}
	return app.Type(), app.Message(), report
}

func appError(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	return app
}

func TestBackupAndVerifyProves(t *testing.T) {
	w := newWorld()
	report, err := w.backup(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, recovery.LevelProven, report.Level)
	require.Equal(t, recovery.Proven, report.Verdict)
	require.True(t, *report.FingerprintEqual)
	require.Len(t, report.Artefacts, 2)
	require.Contains(t, report.Sentence, "is PROVEN")
	require.True(t, report.RPO.Met)
	require.True(t, report.RTO.Met)

	require.Equal(t, report.Set, w.committed.Set)
	require.Len(t, w.proofs, 1)
	require.Equal(t, recovery.ProofRestore, w.proofs[0].Kind)
	require.ElementsMatch(t, []string{"app", "notes"}, w.dropped, "staging is cleaned up")
	require.Equal(t, []string{"older sets", "this set"}, w.swept)
}

func TestBackupAndVerifyRefusesBadInput(t *testing.T) {
	for name, c := range map[string]struct{ input, want string }{
		"empty":       {`null`, `service is missing: give a JSON object such as {"service":"where2eat"}`},
		"no service":  {`{}`, `service is missing`},
		"string":      {`"where2eat"`, `read input "where2eat"`},
		"misspelt":    {`{"servce":"where2eat"}`, `unknown field "servce"`},
		"wrong level": {`{"service":"where2eat","level":"best"}`, `read level "best": use one of`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newWorld().backup(t, json.RawMessage(c.input))
			kind, message, _ := failure(t, err)
			require.Equal(t, workflows.ErrorBadInput, kind)
			require.Contains(t, message, c.want)
		})
	}
}

func TestUnknownPlaybookNamesTheKnown(t *testing.T) {
	env := newWorld().env(t)
	env.ExecuteWorkflow("BackupAndVerfy", where2eat)
	kind, message, _ := failure(t, env.GetWorkflowError())
	require.Equal(t, workflows.ErrorBadInput, kind)
	require.Equal(t, `start playbook "BackupAndVerfy": there is no such playbook; there are BackupAndVerify, CatchUp, Digest, Prune, Releases, Restore, RestoreDrill, Rollback, SmokeDeploy, Verify, WatchReleases`, message)
}

func TestUnknownServiceStopsAtOnce(t *testing.T) {
	w := newWorld()
	w.planErr = recovery.NewFault(recovery.Permanent, errors.New(`find service "where2et"`), "the config knows where2eat")
	_, err := w.backup(t, where2eat)
	_, message, _ := failure(t, err)
	require.Contains(t, message, "the config knows where2eat")
}

func TestDumpIsRetriedWhileTheSourceDoesNotAnswer(t *testing.T) {
	w := newWorld()
	refused := errors.New("connection refused")
	w.dumpErrs["app"] = []error{refused, refused, refused}
	env := w.env(t)
	var during workflows.Status
	env.RegisterDelayedCallback(func() {
		value, err := env.QueryWorkflow(workflows.QueryStatus)
		require.NoError(t, err)
		require.NoError(t, value.Get(&during))
	}, 5*time.Second)
	env.ExecuteWorkflow(workflows.TypeBackupAndVerify, where2eat)
	_, err := reportOf(t, env)
	require.NoError(t, err)
	require.Equal(t, 4, w.dumped["app"])
	require.Contains(t, during.Trouble, "dump app: ")
	require.Contains(t, during.Trouble, "connection refused; next try")
	a, _ := w.committed.Artefact("app")
	require.Equal(t, 4, a.Attempt, "the manifest names the attempt that won")
	require.Equal(t, "app.4.dump.zst.age", a.Dump.Name)
}

func TestDumpGivesUp(t *testing.T) {
	w := newWorld()
	for range 100 {
		w.dumpErrs["app"] = append(w.dumpErrs["app"], errors.New("connection refused"))
		w.dumpErrs["notes"] = append(w.dumpErrs["notes"], errors.New("database is locked"))
	}
	_, err := w.backup(t, where2eat)
	kind, message, _ := failure(t, err)
	require.Equal(t, activities.ErrorUnavailable, kind)
	require.Regexp(t, `no recovery set was made: dump app: gave up after 3\dm.*connection refused; dump notes: gave up after`, message)
	require.Nil(t, w.committed)
}

// What counts against giveUpAfter is trouble, not the time that an attempt went
// well: a dump that fails after 40 minutes is tried again.
func TestLongAttemptIsTriedAgain(t *testing.T) {
	w := newWorld()
	w.plan.Sources = w.plan.Sources[:1]
	env := w.env(t)
	tried := 0
	env.OnActivity("DumpSource", mock.Anything, mock.Anything).After(40 * time.Minute).Return(
		func(_ context.Context, in activities.DumpSourceInput) (*recovery.Artefact, error) {
			if tried++; tried < 3 {
				return nil, errors.New("connection reset")
			}
			return &recovery.Artefact{Source: "app", Kind: recovery.KindPostgres, Set: in.Set, Attempt: in.Attempt, Mode: recovery.FingerprintOff, Dump: recovery.Object{Name: "app.3.dump.zst.age"}}, nil
		})
	env.ExecuteWorkflow(workflows.TypeBackupAndVerify, where2eat)
	report, err := reportOf(t, env)
	require.NoError(t, err)
	require.Equal(t, 3, tried)
	require.Contains(t, report.Sentence, "NOT compared with the source", "its fingerprint is off")
}

func TestStepThatNeverEndsIsGivenUp(t *testing.T) {
	w := newWorld()
	w.plan.Sources = w.plan.Sources[:1]
	env := w.env(t)
	env.OnActivity("DumpSource", mock.Anything, mock.Anything).After(40*time.Minute).Return(nil, errors.New("connection reset")).Times(6)
	env.ExecuteWorkflow(workflows.TypeBackupAndVerify, where2eat)
	_, err := reportOf(t, env)
	_, message, _ := failure(t, err)
	require.Contains(t, message, "dump app: gave up after 6 long attempts: connection reset")
}

func TestPermanentErrorIsNotRetried(t *testing.T) {
	w := newWorld()
	w.dumpErrs["app"] = []error{recovery.NewFault(recovery.Permanent, errors.New("password refused for user app"), "mend APP_URL")}
	_, err := w.backup(t, where2eat)
	kind, message, report := failure(t, err)
	require.Equal(t, 1, w.dumped["app"])
	require.Equal(t, workflows.ErrorDisproven, kind, "a set without one of its sources is never green")
	require.Contains(t, message, "app was not backed up: dump app: password refused for user app (mend APP_URL)")
	require.Equal(t, recovery.LevelReadBack, report.Level)
	require.Len(t, w.committed.Failures, 1)
}

func TestDamageIsDisproven(t *testing.T) {
	w := newWorld()
	w.readBackErr["notes.1.db.zst.age"] = recovery.NewFault(recovery.Damaged, errors.New("its SHA-256 is not the one in the manifest"), "")
	_, err := w.backup(t, where2eat)
	kind, message, report := failure(t, err)
	require.Equal(t, workflows.ErrorDisproven, kind)
	require.Contains(t, message, "notes.1.db.zst.age of notes: its SHA-256 is not the one in the manifest")
	require.Equal(t, recovery.LevelStored, report.Level)
	require.Equal(t, recovery.Disproven, w.proofs[0].Verdict, "bad news is written down too")
	require.Empty(t, w.dropped, "nothing was restored")
}

func TestDifferencesAreNamed(t *testing.T) {
	w := newWorld()
	w.got = func(source string, f *recovery.Fingerprint) {
		if source == "app" {
			f.Data[0].Rows = 6
		}
	}
	_, err := w.backup(t, where2eat)
	kind, message, report := failure(t, err)
	require.Equal(t, workflows.ErrorDisproven, kind)
	require.Contains(t, message, "table public.app: 7 rows in the backup, 6 restored")
	require.False(t, *report.FingerprintEqual)
	require.Equal(t, recovery.LevelReadBack, report.Level)
}

func TestRewordedDefinitionIsNoFalseAlarm(t *testing.T) {
	w := newWorld()
	w.got = func(_ string, f *recovery.Fingerprint) { f.Definitions[0].Text = "t2" }
	t.Run("explained by one restore", func(t *testing.T) {
		w.plan.Sources = w.plan.Sources[:1]
		w.reworded = fingerprintOf("app")
		w.reworded.Definitions[0].Text = "t2"
		_, err := w.backup(t, where2eat)
		require.NoError(t, err)
	})
	t.Run("not explained", func(t *testing.T) {
		w.reworded = fingerprintOf("app")
		_, err := w.backup(t, where2eat)
		kind, message, _ := failure(t, err)
		require.Equal(t, workflows.ErrorDisproven, kind)
		require.Contains(t, message, "TABLE public.app: is worded differently")
	})
	t.Run("another server version", func(t *testing.T) {
		w.version = "16.4"
		_, err := w.backup(t, where2eat)
		kind, _, _ := failure(t, err)
		require.Equal(t, workflows.ErrorInconclusive, kind)
	})
}

func TestComplaintsWithEqualDataAreInconclusive(t *testing.T) {
	w := newWorld()
	w.complaints = []string{"pg_restore: error: could not execute query"}
	_, err := w.backup(t, where2eat)
	kind, message, report := failure(t, err)
	require.Equal(t, workflows.ErrorInconclusive, kind)
	require.Contains(t, message, "the restore complained: pg_restore: error")
	require.True(t, *report.FingerprintEqual)
}

func TestStagingThatCannotHoldItIsInconclusive(t *testing.T) {
	w := newWorld()
	w.prepareErr = recovery.NewFault(recovery.Permanent, errors.New("extension postgis is not available on staging"), "install it")
	_, err := w.backup(t, where2eat)
	kind, message, report := failure(t, err)
	require.Equal(t, workflows.ErrorInconclusive, kind)
	require.Contains(t, message, "extension postgis is not available on staging (install it)")
	require.Equal(t, recovery.LevelReadBack, report.Level)
}

func TestServiceThatFailsOnRestoredDataIsDisproven(t *testing.T) {
	w := newWorld()
	w.smoke = recovery.SmokeProof{Verdict: recovery.Disproven, Sentence: `the service did not pass "log in"`}
	_, err := w.backup(t, where2eat)
	kind, message, report := failure(t, err)
	require.Equal(t, workflows.ErrorDisproven, kind)
	require.Contains(t, message, `the service did not pass "log in"`)
	require.Equal(t, recovery.LevelRestored, report.Level)
	require.ElementsMatch(t, []string{"app", "notes"}, w.dropped)
}

func TestWithoutTheKeyTheLevelStaysStored(t *testing.T) {
	w := newWorld()
	w.plan.Encryption.Identities = ""
	report, err := w.backup(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, recovery.LevelStored, report.Level)
	require.Equal(t, recovery.ProofDigest, w.proofs[0].Kind)
	require.Contains(t, report.Sentence, "is STORED")
}

func TestVerifyOnScheduleStopsAtReadBack(t *testing.T) {
	w := newWorld()
	w.plan.Verify = recovery.VerifyOnSchedule
	report, err := w.backup(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, recovery.LevelReadBack, report.Level)
	require.Equal(t, recovery.LevelReadBack, report.Target)
}

func TestRestoreIsRetriedWithACopyOfItsOwn(t *testing.T) {
	w := newWorld()
	w.restoreErr = []error{errors.New("connection lost")}
	report, err := w.backup(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, recovery.LevelProven, report.Level)
}

func TestCancelCleansUp(t *testing.T) {
	w := newWorld()
	for range 100 {
		w.dumpErrs["app"] = append(w.dumpErrs["app"], errors.New("connection refused"))
	}
	env := w.env(t)
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	env.ExecuteWorkflow(workflows.TypeBackupAndVerify, where2eat)
	_, err := reportOf(t, env)
	require.True(t, temporal.IsCanceledError(err), err)
	require.Equal(t, []string{"older sets", "this set"}, w.swept)
	require.Nil(t, w.committed)
}

func TestVerify(t *testing.T) {
	run := func(t *testing.T, w *world, in workflows.VerifyInput) (*recovery.Report, error) {
		env := w.env(t)
		env.ExecuteWorkflow(workflows.TypeVerify, in)
		return reportOf(t, env)
	}
	w := newWorld()
	t.Run("no set", func(t *testing.T) {
		_, err := run(t, w, workflows.VerifyInput{Service: "where2eat"})
		_, message, _ := failure(t, err)
		require.Contains(t, message, "`starter sets where2eat` lists the sets that are there")
	})
	made, err := w.backup(t, where2eat)
	require.NoError(t, err)
	t.Run("newest", func(t *testing.T) {
		report, err := run(t, w, workflows.VerifyInput{Service: "where2eat"})
		require.NoError(t, err)
		require.Equal(t, made.Set, report.Set)
	})
	t.Run("malformed id", func(t *testing.T) {
		_, err := run(t, w, workflows.VerifyInput{Service: "where2eat", Set: "latest"})
		kind, message, _ := failure(t, err)
		require.Equal(t, workflows.ErrorBadInput, kind)
		require.Contains(t, message, `read set id "latest"`)
	})
	t.Run("unreadable manifest", func(t *testing.T) {
		w.manifestErr = recovery.NewFault(recovery.Damaged, errors.New("read manifest: it is not signed"), "")
		_, err := run(t, w, workflows.VerifyInput{Service: "where2eat", Set: made.Set})
		kind, message, _ := failure(t, err)
		require.Equal(t, workflows.ErrorDisproven, kind)
		require.Contains(t, message, "is DISPROVEN")
		require.Contains(t, message, "it is not signed")
	})
}
