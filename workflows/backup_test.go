package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// backupService runs BackupService alone.
func backupService(t *testing.T, w *world, in workflows.BackupServiceInput) (*workflows.BackupServiceResult, error) {
	t.Helper()
	env := w.env(t)
	env.ExecuteWorkflow(workflows.TypeBackupService, in)
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return nil, err
	}
	var out *workflows.BackupServiceResult
	return out, env.GetWorkflowResult(&out)
}

func TestBackupWaitsWhileProductionIsChanged(t *testing.T) {
	w := newWorld()
	w.held = []bool{true, true, true}
	begun := w.start
	out, err := backupService(t, w, workflows.BackupServiceInput{Service: "where2eat"})
	require.NoError(t, err)
	require.Equal(t, begun.Add((5+10+20)*time.Second), out.Manifest.Created, "it looks again less and less often")
	require.Empty(t, out.Manifest.Purpose)
}

// The backup that a restore makes of production cannot wait for that restore.
func TestSafetyBackupDoesNotWait(t *testing.T) {
	w := newWorld()
	w.held = []bool{true}
	out, err := backupService(t, w, workflows.BackupServiceInput{Service: "where2eat", Purpose: recovery.PurposeSafety})
	require.NoError(t, err)
	require.Equal(t, recovery.PurposeSafety, out.Manifest.Purpose)
	require.Equal(t, recovery.PurposeSafety, w.committed.Purpose)
	require.Len(t, w.held, 1, "nobody looked")
}

func TestBackupOfWhatWasSetAside(t *testing.T) {
	w := newWorld()
	for name, c := range map[string]struct {
		instead map[string]string
		want    []string
	}{
		"a database":         {map[string]string{"app": "before_app"}, []string{"dump before_app"}},
		"a file":             {map[string]string{"notes": "/srv/notes.db.before"}, []string{"dump /srv/notes.db.before"}},
		"both":               {map[string]string{"app": "before_app", "notes": "/srv/notes.db.before"}, []string{"dump before_app", "dump /srv/notes.db.before"}},
		"nothing in special": {nil, []string{"dump app", "dump /srv/notes.db"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.log = nil
			out, err := backupService(t, w, workflows.BackupServiceInput{Service: "where2eat", Purpose: recovery.PurposeSetAside, Instead: c.instead})
			require.NoError(t, err)
			require.Equal(t, c.want, w.only("dump"))
			require.Len(t, out.Manifest.Artefacts, len(c.want))
			require.Empty(t, out.Manifest.Failures, "what is not named is left out")
		})
	}
}

func TestOnlyABackupThatAPersonAskedForHasACard(t *testing.T) {
	w := newTeam()
	_, err := w.backup(t, where2eat)
	require.NoError(t, err)
	require.Zero(t, w.board.tries)

	claim := approval.Claim{By: "kim", Via: approval.ViaSlack, At: w.start}.Vouch(w.key, approval.StartSubject(workflows.TypeBackupAndVerify, runID(workflows.TypeBackupAndVerify), where2eat))
	_, err = w.backup(t, workflows.BackupAndVerifyInput{Service: "where2eat", Requested: &claim})
	require.NoError(t, err)
	last := w.board.last()
	require.Equal(t, "Backup of where2eat", last.Title)
	require.Equal(t, "kim", last.By)
	require.Equal(t, card.Done, last.State)
	require.Contains(t, last.Line, "is PROVEN")
	require.Contains(t, last.Done, "app read back in 0s, negative control passed")
}

func TestCardSaysHowABackupEnded(t *testing.T) {
	requested := workflows.BackupAndVerifyInput{Service: "where2eat", Requested: &approval.Claim{By: "kim"}}
	t.Run("failed", func(t *testing.T) {
		w := newTeam()
		w.smoke = recovery.SmokeProof{Verdict: recovery.Disproven, Sentence: `the service did not pass "log in"`}
		_, err := w.backup(t, requested)
		require.Error(t, err)
		require.Equal(t, card.Failed, w.board.last().State)
		require.Contains(t, w.board.last().Line, "is DISPROVEN")
		require.Empty(t, w.board.last().By, "nobody vouches for who asked")
	})
	t.Run("cancelled", func(t *testing.T) {
		w := newTeam()
		for range 100 {
			w.dumpErrs["app"] = append(w.dumpErrs["app"], errors.New("connection refused"))
		}
		env := w.env(t)
		after(env, time.Minute, env.CancelWorkflow)
		env.ExecuteWorkflow(workflows.TypeBackupAndVerify, requested)
		require.True(t, temporal.IsCanceledError(env.GetWorkflowError()))
		require.Equal(t, card.Cancelled, w.board.last().State)
	})
	t.Run("while it meets trouble", func(t *testing.T) {
		w := newTeam()
		w.dumpErrs["app"] = []error{errors.New("connection refused"), errors.New("connection refused"), errors.New("connection refused")}
		_, err := w.backup(t, requested)
		require.NoError(t, err)
		var told bool
		for _, c := range w.board.cards {
			told = told || c.Trouble != ""
		}
		require.True(t, told)
		require.Empty(t, w.board.last().Trouble)
	})
}

// A restore waits in line behind a backup that is going on.
func TestRestoreWaitsForABackup(t *testing.T) {
	w := newProduction(t, onlyApp)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	busy := 2
	env.OnWorkflow(workflows.TypeBackupService, anything, anything).Return(func(workflow.Context, workflows.BackupServiceInput) (*workflows.BackupServiceResult, error) {
		if busy--; busy >= 0 {
			return nil, temporal.NewNonRetryableApplicationError("backup/where2eat is already running", workflows.ErrorBusy, nil)
		}
		return &workflows.BackupServiceResult{Manifest: *w.committed}, nil
	})
	begun := env.Now()
	done := play(t, env, turn{"restore", func(b *approval.Book) {
		require.WithinDuration(t, begun.Add(20*time.Second), b.Request.Asked, 6*time.Second)
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Reject))
	}})
	_, err := restore(t, env, in)
	require.Error(t, err)
	done()
}
