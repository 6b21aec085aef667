package faults_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
)

// The worker is killed at moments spread over the time from the approval to the end
// of a restore. Every time production ends as what was restored or as what it was,
// as the run says, and no approval is used twice.
func TestWorkerKilledInARestore(t *testing.T) {
	const kills, groups = 20, 2
	for group := range groups {
		t.Run(strconv.Itoa(group), func(t *testing.T) {
			t.Parallel()
			r := rig.New(t)
			r.Serve()
			r.Exec(sandbox.Database, "create table marker as select 0 as n; alter table marker owner to where2eat")
			w := r.StartWorker()
			set := r.Backup().Set
			for i := group; i < kills; i += groups {
				w = killInRestore(t, r, w, set, i+1, time.Duration(i)*120*time.Millisecond)
			}
		})
	}
}

func killInRestore(t *testing.T, r *rig.Rig, w *rig.Worker, set recovery.SetID, n int, after time.Duration) *rig.Worker {
	t.Helper()
	r.Exec(sandbox.Database, fmt.Sprintf("update marker set n = %d", n))
	run := r.StartRun("restore", "--source", "app", "--set", string(set))
	request := r.AwaitPending(run).Request
	out := r.Starter("decide", run, "approve", "--as", "sam", "--confirm", sandbox.Service)
	require.Equal(t, 0, out.Code, out.Stderr)
	time.Sleep(after) // the moment of the kill is what varies
	w.Kill()
	w = r.StartWorker()

	state := settled(t, r, run)
	marker := r.Value(sandbox.Database, "select n::text from marker")
	before := asides(r)
	if state == recovery.StateRestored {
		require.Equal(t, "0", marker, "restored is restored")
		require.Len(t, before, 1, "one approval, one swap")
		require.Equal(t, strconv.Itoa(n), r.Value(before[0], "select n::text from marker"), "what was replaced is set aside")
	} else {
		require.Equal(t, strconv.Itoa(n), marker, "untouched is untouched")
		require.Empty(t, before)
	}
	t.Logf("killed %s after the approval: %s", after, state)
	require.Len(t, r.Decision(request.ID).Votes, 1)
	for _, name := range r.Databases() {
		require.False(t, strings.HasPrefix(name, "lifeboat_"), "%s was left", name)
	}
	// The way back is of no interest here.
	require.NoError(t, r.Client().CancelWorkflow(context.Background(), run, ""))
	r.AwaitEnd(run)
	for _, name := range before {
		r.Exec("postgres", fmt.Sprintf("drop database %q with (force)", name))
	}
	return w
}

// settled waits until a restore says in which state production is.
func settled(t *testing.T, r *rig.Rig, run string) recovery.State {
	t.Helper()
	state := recovery.StateUntouched
	r.Await(run+" does not come to an end", func() bool {
		if r.RunStatus(run) != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
			t.Log(r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), nil))
			return true
		}
		if s, ok := r.Status(run); ok && s.Restored != nil {
			state = s.Restored.State
			return true
		}
		return false
	})
	return state
}

func asides(r *rig.Rig) []string {
	return slices.DeleteFunc(r.Databases(), func(name string) bool { return !strings.HasPrefix(name, "before_") })
}

// A restore of two sources is killed while the service is stopped.
func TestWorkerKilledWhileTheServiceIsStopped(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Serve()
	r.Exec(sandbox.Database, "create table marker as select 0 as n; alter table marker owner to where2eat")
	w := r.StartWorker()
	set := r.Backup().Set
	r.Exec(sandbox.Database, "update marker set n = 1")
	r.ExecNotes("update notes set text = 'later'")
	run := r.StartRun("restore", "--set", string(set))
	r.AwaitPending(run)
	require.Equal(t, 0, r.Starter("decide", run, "approve", "--as", "sam", "--confirm", sandbox.Service).Code)
	r.AwaitStopped()
	w.Kill()
	r.StartWorker()
	require.Equal(t, recovery.StateRestored, settled(t, r, run))
	require.Equal(t, "0", r.Value(sandbox.Database, "select n::text from marker"))
	require.NotEqual(t, "later", r.NotesValue("select min(text) from notes"))
}
