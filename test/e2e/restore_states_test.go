package e2e_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// approve approves what a run waits for, as Sam, who did not ask for it.
func approve(t *testing.T, r *rig.Rig, run, step string) {
	t.Helper()
	require.Equal(t, step, r.AwaitPending(run).Request.Step)
	out := r.Starter("decide", run, "approve", "--as", "sam", "--confirm", sandbox.Service)
	require.Equal(t, 0, out.Code, out.Stderr)
}

// mark changes both sources in a way that a restore takes back.
func mark(r *rig.Rig, text string) {
	r.Exec(sandbox.Database, "update restaurants set name = '"+text+"'")
	r.ExecNotes("update notes set text = '" + text + "'")
}

func marks(r *rig.Rig) [2]string {
	return [2]string{r.Value(sandbox.Database, "select min(name) from restaurants"), r.NotesValue("select min(text) from notes")}
}

// A service with two sources is stopped, swapped, started, and put back again.
func TestRestoreBothSourcesAndUndo(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Serve()
	r.StartWorker()
	good := marks(r)
	set := r.Backup().Set
	mark(r, "broken")

	run := r.StartRun("restore", "--set", string(set))
	approve(t, r, run, "restore")
	result := restored(r, run)
	require.Equal(t, recovery.StateRestored, result.State, result.Sentence)
	require.Equal(t, good, marks(r))
	require.Len(t, result.Swaps, 2)
	require.Positive(t, result.Down)
	require.NotNil(t, result.Tried)
	require.Equal(t, recovery.Proven, result.Live.Verdict)

	approve(t, r, run, "undo")
	approve(t, r, run, "confirm undo")
	undone := r.AwaitStatus(run, func(s workflows.Status) bool { return s.Restored != nil && s.Restored.State == recovery.StateUndone })
	require.Equal(t, [2]string{"broken", "broken"}, marks(r))
	require.NotEmpty(t, undone.Restored.Swaps)
	approve(t, r, run, "remove")
	var end recovery.Restoration
	require.NoError(t, r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), &end))
	require.Equal(t, recovery.StateUndone, end.State)
	require.Equal(t, []string{"postgres", "template1", "where2eat"}, r.Databases())
	require.Equal(t, []string{"notes.db", "where2eat.env", "where2eat.log", "where2eat.pid", "where2eat.sh"}, r.ServiceFiles())

	// What restores make for themselves is no backup.
	newest := r.Starter("verify", sandbox.Service, "--level", "readBack", "--json")
	require.Equal(t, 0, newest.Code, newest.Stderr)
	require.Equal(t, set, newest.Report(t).Set)
}

// The restored copy does not pass its smoke test: production is not touched.
func TestRestoreUntouched(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Serve()
	r.StartWorker()
	set := r.Backup().Set
	mark(r, "present")
	r.Configure(func(c *sandbox.Config) { c.Where2Eat = "/bin/false" })

	out := r.StartRun("restore", "--set", string(set))
	approve(t, r, out, "restore")
	err := r.Client().GetWorkflow(context.Background(), out, "").Get(context.Background(), nil)
	var failed *temporal.ApplicationError
	require.True(t, errors.As(err, &failed))
	require.Equal(t, workflows.ErrorUntouched, failed.Type())
	require.Contains(t, failed.Message(), `production is untouched: the service did not pass "the service starts"`)
	require.Equal(t, [2]string{"present", "present"}, marks(r))
	require.Equal(t, []string{"postgres", "template1", "where2eat"}, r.Databases())
	require.Equal(t, []string{"notes.db", "where2eat.env", "where2eat.log", "where2eat.pid", "where2eat.sh"}, r.ServiceFiles())
	response, err := http.Get(r.Config.LiveURL + "/ready")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

// The running service is not well on the restored data: what was there before is
// put back by itself, and what the service wrote meanwhile is kept.
func TestRestoreSwapsBack(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Serve()
	r.StartWorker()
	set := r.Backup().Set
	mark(r, "present")
	r.Configure(func(c *sandbox.Config) { c.LiveURL = "http://127.0.0.1:1" }) // nothing answers there
	run := r.StartRun("restore", "--set", string(set))
	approve(t, r, run, "restore")
	err := r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), nil)
	var failed *temporal.ApplicationError
	require.True(t, errors.As(err, &failed))
	require.Equal(t, workflows.ErrorUntouched, failed.Type())
	require.Contains(t, failed.Message(), `production is what it was before: the running service did not pass "the service answers"`)
	require.Equal(t, [2]string{"present", "present"}, marks(r))
	require.Equal(t, "present", r.Value(sandbox.Database, "select min(name) from restaurants"))
	var undone []string
	for _, name := range r.Databases() {
		if strings.HasSuffix(name, "-undone_where2eat") {
			undone = append(undone, name)
		}
	}
	require.Len(t, undone, 1, "what the service may have written is kept")
	require.Contains(t, failed.Message(), undone[0])
}

// Restored beside production and left there, for single rows out of the past.
func TestRestoreBeside(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Serve()
	r.StartWorker()
	good := marks(r)
	set := r.Backup().Set
	mark(r, "present")
	run := r.StartRun("restore", "--beside", "--set", string(set))
	approve(t, r, run, "restore beside")
	var end recovery.Restoration
	require.NoError(t, r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), &end))
	require.Equal(t, recovery.StateBeside, end.State, end.Sentence)
	require.Equal(t, [2]string{"present", "present"}, marks(r))
	name := "where2eat_at_" + strings.ToLower(string(set))
	require.Contains(t, r.Databases(), name)
	require.Equal(t, good[0], r.Value(name, "select min(name) from restaurants"))
	require.Contains(t, r.ServiceFiles(), "notes.db.at-"+strings.ToLower(string(set)))
}

// Where databases must not be renamed, the user's own command points the service
// to the restored one.
func TestRestoreBySwapCommand(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Serve()
	script := filepath.Join(filepath.Dir(r.NotesPath()), "switch.sh")
	require.NoError(t, os.WriteFile(script, []byte(`#!/bin/sh
set -e
sed -i "s|^WHERE2EAT_DATABASE_URL=.*|WHERE2EAT_DATABASE_URL='$LIFEBOAT_NEW_DATABASE_URL'|" where2eat.env
./where2eat.sh stop
./where2eat.sh start
`), 0o700))
	r.Configure(func(c *sandbox.Config) { c.SwapCommand = []string{"./switch.sh"} })
	r.StartWorker()
	set := r.Backup().Set
	mark(r, "broken")
	run := r.StartRun("restore", "--source", "app", "--set", string(set))
	approve(t, r, run, "restore")
	result := restored(r, run)
	require.Equal(t, recovery.StateRestored, result.State, result.Sentence)
	name := "where2eat_at_" + strings.ToLower(string(set))
	env, err := os.ReadFile(filepath.Join(filepath.Dir(r.NotesPath()), "where2eat.env"))
	require.NoError(t, err)
	require.Contains(t, string(env), "/"+name)
	require.Equal(t, "broken", r.Value(sandbox.Database, "select min(name) from restaurants"), "what was there is left alone")
	history := r.History(workflows.ChangeID(sandbox.Service))
	for _, secret := range r.Secrets() {
		require.NotContains(t, history, secret)
	}
}

// A cancel before the swap leaves production as it was, and nothing beside it.
func TestRestoreCancelled(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Serve()
	r.StartWorker()
	set := r.Backup().Set
	mark(r, "present")
	run := r.StartRun("restore", "--set", string(set))
	approve(t, r, run, "restore")
	r.AwaitStatus(run, func(s workflows.Status) bool { return s.Running == workflows.ChangeID(sandbox.Service) })
	require.NoError(t, r.Client().CancelWorkflow(context.Background(), run, ""))
	err := r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), nil)
	var cancelled *temporal.CanceledError
	require.True(t, errors.As(err, &cancelled), "%v", err)
	require.Equal(t, [2]string{"present", "present"}, marks(r))
	require.Equal(t, []string{"postgres", "template1", "where2eat"}, r.Databases())
	require.Equal(t, []string{"notes.db", "where2eat.env", "where2eat.log", "where2eat.pid", "where2eat.sh"}, r.ServiceFiles())
}
