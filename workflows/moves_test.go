package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

var (
	diskIsFull = recovery.NewFault(recovery.Permanent, errors.New("write: no space left on device"), "make room")
	errWrite   = errors.New("write: connection reset")
)

// always fails a write with the same error.
func always(err error) func() error { return func() error { return err } }

// until fails writes with an error until then.
func (w *world) until(then time.Time, err error) func() error {
	return func() error {
		if w.clock().Before(then) {
			return err
		}
		return nil
	}
}

// What a person must mend at one destination is no reason to wait at it.
func TestDestinationThatDoesNotTakeTheSet(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(w *world)
		sets  int // that were begun by a dump
		want  string
	}{
		"its disk is full": {
			func(w *world) { w.writes["main"] = always(diskIsFull) }, 2,
			"destination main does not take the set: dump app: write: no space left on device (make room)",
		},
		"it refuses the manifest": {
			func(w *world) {
				w.commitErr = []error{recovery.NewFault(recovery.Permanent, errors.New("write manifest: AccessDenied"), "")}
			}, 2, "destination main does not take the set: commit ",
		},
		"its sets cannot be read": {
			func(w *world) {
				w.planSetErr["main"] = recovery.NewFault(recovery.Permanent, errors.New("list sets: AccessDenied"), "")
			}, 1, "destination main does not take the set: look what is due: list sets: AccessDenied",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld().also("second")
			c.spoil(w)
			env := w.env(t)
			w.await(env)
			s := watch(env)
			begun := env.Now()
			env.ExecuteWorkflow(workflows.TypeBackupService, workflows.BackupServiceInput{Service: "where2eat", Due: true})
			var made workflows.BackupServiceResult
			require.NoError(t, env.GetWorkflowError())
			require.NoError(t, env.GetWorkflowResult(&made))
			require.Equal(t, "second", made.Plan.Destination.Name)
			require.Less(t, made.Manifest.Created.Sub(begun), time.Second, "it does not wait")
			require.Equal(t, []string{"main second", "second"}, s.asked, "the one that failed is not tried again")
			require.Len(t, s.sets, c.sets)
			require.Equal(t, made.Manifest.Set, s.sets[c.sets-1])
			require.NotContains(t, s.sets[:c.sets-1], made.Manifest.Set)
			require.Contains(t, strings.Join(status(t, env).Done, "\n"), c.want)
			require.Empty(t, made.Manifest.Failures)
			require.Empty(t, s.ids("outage"), "it answers")
			require.Equal(t, []string{workflows.ReplicateID(made.Manifest.Set, "main")}, s.ids("replicate"))
		})
	}
}

func TestEachDestinationIsTriedOnce(t *testing.T) {
	w := newWorld().also("second", "third")
	w.writes["main"], w.writes["second"] = always(diskIsFull), always(errWrite)
	begun := w.start
	report, s, _, err := w.backupTo(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, "third", report.Copy)
	require.Equal(t, []string{"main second third", "second third", "third"}, s.asked)
	require.Len(t, s.sets, 3)
	require.Equal(t, report.Set, s.sets[2])
	require.WithinDuration(t, begun.Add(2*time.Minute), w.committed.Created, 5*time.Second, "what may pass is waited out for a while")
	require.Equal(t, []string{workflows.OutageID("second")}, s.ids("outage"))
	app, _ := w.committed.Artefact("app")
	require.Equal(t, w.dumped["app"], app.Attempt, "attempts go on counting")
}

func TestAllDestinationsFail(t *testing.T) {
	t.Run("for a while", func(t *testing.T) {
		w := newWorld().also("second")
		back := w.start.Add(20 * time.Minute)
		w.writes["main"], w.writes["second"] = w.until(back, errWrite), w.until(back, errWrite)
		report, s, _, err := w.backupTo(t, where2eat)
		require.NoError(t, err)
		require.Equal(t, "main", report.Copy, "the preferred one is waited for")
		require.Equal(t, []string{"main second", "second", "main second"}, s.asked)
		require.Len(t, s.sets, 3)
		require.Less(t, w.clock().Sub(back), 2*time.Minute)
	})
	t.Run("the other one does not answer", func(t *testing.T) {
		w := newWorld().also("second")
		w.writes["main"] = w.until(w.start.Add(20*time.Minute), errWrite)
		w.before = func(string) { w.silence("second", w.clock().Add(3*time.Hour)) }
		report, s, _, err := w.backupTo(t, where2eat)
		require.NoError(t, err)
		require.Equal(t, "main", report.Copy)
		require.Equal(t, "main second", s.asked[0])
		require.Equal(t, "second", s.asked[1])
		require.Equal(t, "main second", s.asked[len(s.asked)-1])
	})
	t.Run("for good", func(t *testing.T) {
		w := newWorld().also("second")
		w.writes["main"], w.writes["second"] = always(diskIsFull), always(diskIsFull)
		_, s, env, err := w.backupTo(t, where2eat)
		kind, message, _ := failure(t, err)
		require.Equal(t, workflows.ErrorFailed, kind)
		require.Equal(t, "no recovery set was made: dump app: write: no space left on device (make room); dump notes: write: no space left on device (make room)", message,
			"as with one destination")
		require.Equal(t, []string{"main second", "second", "main second"}, s.asked)
		require.Len(t, s.sets, 3)
		require.Empty(t, w.only("commit"))
		require.Empty(t, s.ids("replicate"))
		require.Less(t, env.Now().Sub(w.start.Add(-24*time.Hour)), time.Minute)
	})
	t.Run("for too long", func(t *testing.T) {
		w := newWorld().also("second")
		w.plan.Sources = w.plan.Sources[:1]
		w.writes["main"], w.writes["second"] = always(errWrite), always(errWrite)
		_, _, _, err := w.backupTo(t, where2eat)
		_, message, _ := failure(t, err)
		require.Regexp(t, `^no recovery set was made: dump app: gave up after 3\dm\S*: write: connection reset$`, message)
	})
	t.Run("at the commit", func(t *testing.T) {
		w := newWorld().also("second")
		for range 3 {
			w.commitErr = append(w.commitErr, diskIsFull)
		}
		_, s, _, err := w.backupTo(t, where2eat)
		_, message, _ := failure(t, err)
		require.Regexp(t, `^commit \S+: write: no space left on device \(make room\)$`, message)
		require.Len(t, s.sets, 3)
		require.Contains(t, message, string(s.sets[2]))
	})
}

// With one destination the other sources of the set are saved all the same.
func TestSingleDestinationThatDoesNotTakeASource(t *testing.T) {
	w := newWorld()
	refused := 0
	w.writes["main"] = func() error {
		if refused++; refused == 1 {
			return diskIsFull
		}
		return nil
	}
	_, err := w.backup(t, where2eat)
	kind, message, _ := failure(t, err)
	require.Equal(t, workflows.ErrorDisproven, kind)
	require.Contains(t, message, "app was not backed up: dump app: write: no space left on device (make room)")
	require.Len(t, w.committed.Artefacts, 1)
}

func TestErrorOfTheSourceMovesNothing(t *testing.T) {
	t.Run("what a person must mend", func(t *testing.T) {
		w := newWorld().also("second")
		w.dumpErrs["app"] = []error{recovery.NewFault(recovery.Permanent, errors.New("password refused for user app"), "mend APP_URL")}
		_, s, _, err := w.backupTo(t, where2eat)
		kind, message, report := failure(t, err)
		require.Equal(t, workflows.ErrorDisproven, kind)
		require.Contains(t, message, "app was not backed up: dump app: password refused for user app (mend APP_URL)")
		require.Equal(t, "main", report.Copy)
		require.Equal(t, []string{"main second"}, s.asked)
		require.Len(t, s.sets, 1)
		require.Len(t, w.committed.Failures, 1)
	})
	t.Run("one that comes back after a while", func(t *testing.T) {
		w := newWorld().also("second")
		for range 12 {
			w.dumpErrs["app"] = append(w.dumpErrs["app"], errors.New("connection refused"))
		}
		begun := w.start
		report, s, _, err := w.backupTo(t, where2eat)
		require.NoError(t, err)
		require.Equal(t, "main", report.Copy)
		require.Len(t, s.sets, 1)
		require.Equal(t, begun, w.committed.Created)
		app, _ := w.committed.Artefact("app")
		require.Equal(t, 13, app.Attempt)
	})
}

func TestCancelWhileTheNextDestinationIsLookedFor(t *testing.T) {
	w := newWorld().also("second")
	w.writes["main"] = always(diskIsFull)
	w.before = func(string) { w.silence("second", w.clock().Add(forever)) }
	env := w.env(t)
	after(env, time.Minute, env.CancelWorkflow)
	env.ExecuteWorkflow(workflows.TypeBackupService, workflows.BackupServiceInput{Service: "where2eat"})
	require.True(t, temporal.IsCanceledError(env.GetWorkflowError()), env.GetWorkflowError())
	require.Equal(t, "ended: cancelled", status(t, env).Doing)
}
