package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// permanent is what an activity fails with that a person must mend.
func permanent(text string) error {
	return temporal.NewNonRetryableApplicationError(text, activities.ErrorPermanent, nil)
}

// reading makes a run read the sets for so many looks, after some at which none did.
func (w *world) reading(free, looks int) {
	for range free {
		w.running = append(w.running, nil)
	}
	for range looks {
		w.running = append(w.running, []string{"restore/where2eat/1"})
	}
}

func TestPruneWaitsWhileSetsAreRead(t *testing.T) {
	w := newAttic()
	w.running = [][]string{{"restore/where2eat/1"}, {"restore/where2eat/1", "verify/x"}, {"verify/x"}}
	env := w.env(t)
	s := watch(env)
	begun := env.Now()
	var during workflows.Status
	var log []string
	after(env, 30*time.Second, func() { during, log = status(t, env), w.only("prune") })
	r, err := prune(t, env, pruneWhere2eat)
	require.NoError(t, err)
	require.Equal(t, "waiting for restore/where2eat/1, which may be reading the sets", during.Doing)
	require.Empty(t, log, "nothing is removed meanwhile")
	require.Len(t, w.only("prune"), 3)
	require.Empty(t, r.Destinations[0].Waits)
	require.Equal(t, []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute}, s.timers, "it looks again less and less often")
	require.Equal(t, 7*time.Minute, env.Now().Sub(begun).Round(time.Minute))
}

// A copy that waits for its destination for weeks must not keep everything.
func TestPruneDoesNotWaitForCopies(t *testing.T) {
	w := newAttic()
	_, err := prune(t, w.env(t), pruneWhere2eat)
	require.NoError(t, err)
	require.NotContains(t, w.readers, workflows.TypeReplicate)
	require.NotContains(t, w.readers, workflows.TypePrune)
	require.Subset(t, w.readers, []string{workflows.TypeRestore, workflows.TypeRestoreDrill, workflows.TypeVerifySet, workflows.TypeBackupService})
}

func TestPruneLeavesTheRestToTomorrow(t *testing.T) {
	w := watched(newAttic()).also("second")
	w.holdings["second"] = w.holdings["main"]
	w.reading(0, 1000)
	env := w.env(t)
	begun := env.Now()
	r, err := prune(t, env, pruneWhere2eat)
	require.NoError(t, err, "it is no failure")
	for _, done := range r.Destinations {
		require.Equal(t, "restore/where2eat/1", done.Waits)
		require.Empty(t, done.Removed)
		require.Empty(t, done.Error)
	}
	require.Len(t, r.Destinations, 2)
	require.Empty(t, w.only("prune", "move"))
	require.Greater(t, env.Now().Sub(begun), 6*time.Hour)
	require.Less(t, env.Now().Sub(begun), 8*time.Hour, "the second is not waited for as long again")
	require.Equal(t, "ended: done", status(t, env).Doing)
	require.Equal(t, []string{"ping env:P start", "ping env:P success"}, w.only("ping"))
}

func TestPruneStopsWhenSomethingBeginsToRead(t *testing.T) {
	t.Run("before a set is removed", func(t *testing.T) {
		w := newAttic()
		w.reading(2, 1) // as it is planned, and at the first set
		r, err := prune(t, w.env(t), pruneWhere2eat)
		require.NoError(t, err)
		require.Len(t, w.only("prune"), 1)
		done := r.Destinations[0]
		require.Equal(t, []recovery.SetID{january(3)}, done.Removed)
		require.Equal(t, "restore/where2eat/1", done.Waits)
		require.Empty(t, done.Locked, "nothing is the matter with the others")
	})
	t.Run("before a set is moved", func(t *testing.T) {
		w := newAttic()
		for i := range w.plan.Sources {
			w.plan.Sources[i].Retention = recovery.Retention{Daily: 6}
		}
		w.plan.Destinations[0].Classes = map[string]string{recovery.TierDaily: "GLACIER"}
		w.reading(1, 1)
		r, err := prune(t, w.env(t), pruneWhere2eat)
		require.NoError(t, err)
		require.Len(t, w.only("move"), 4, "of five, the newest stays")
		require.Equal(t, 8, r.Destinations[0].Moved)
	})
}

// What a set that is still there refers to is still needed, however long the chain.
func TestPruneKeepsWhatALockedSetRefersTo(t *testing.T) {
	for name, c := range map[string]struct {
		bound recovery.PrunedSet
		want  string
	}{
		"locked":  {recovery.PrunedSet{LockedUntil: time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)}, "locked until 2026-12-24 18:00 UTC"},
		"held":    {recovery.PrunedSet{Hold: true}, "a legal hold is on it"},
		"refused": {recovery.PrunedSet{Refused: "AccessDenied"}, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAttic()
			w.holdings["main"] = append(w.holdings["main"], holding(1))
			sets := w.holdings["main"] // the 6th first
			last := &sets[6]
			last.Set, last.Created = "20191231T030000Z-000000", time.Date(2019, 12, 31, 3, 0, 0, 0, time.UTC)
			sets[3].RefersTo = []recovery.SetID{january(2)} // of the 3rd
			sets[4].RefersTo = []recovery.SetID{last.Set}   // of the 2nd; nothing needs the 1st
			w.bound[january(3)] = c.bound
			r, err := prune(t, w.env(t), pruneWhere2eat)
			require.NoError(t, err)
			require.Equal(t, []string{
				"prune 20200103T030000Z-000000: no tier keeps it",
				"prune 20200101T030000Z-000000: no tier keeps it",
			}, w.only("prune"))
			require.Equal(t, []recovery.SetID{january(1)}, r.Destinations[0].Removed)
			require.Equal(t, []string{
				"20200103T030000Z-000000: " + c.want,
				"20200102T030000Z-000000: 20200103T030000Z-000000, which is still there, refers to it",
				"20191231T030000Z-000000: 20200102T030000Z-000000, which is still there, refers to it",
			}, r.Destinations[0].Locked)
		})
	}
}

func TestPruneCatchesUpFirst(t *testing.T) {
	t.Run("what no outage told of", func(t *testing.T) {
		w := newAttic()
		set := w.proven(t)
		w.also("second")
		env := w.env(t)
		s := watch(env)
		_, err := prune(t, env, pruneWhere2eat)
		require.NoError(t, err)
		require.Equal(t, []string{workflows.ReplicateID(set, "second")}, s.ids("replicate"))
		require.True(t, w.holds("second", set))
		require.Contains(t, status(t, env).Done, "1 missing copies are being made")
		require.Len(t, w.only("prune"), 3)
	})
	t.Run("and goes on if it cannot", func(t *testing.T) {
		w := newAttic().also("second")
		env := w.env(t)
		env.OnActivity("FindMissing", anything, anything).Return(nil, permanent("list sets: AccessDenied"))
		_, err := prune(t, env, pruneWhere2eat)
		require.NoError(t, err)
		require.Len(t, w.only("prune"), 3)
	})
	t.Run("but not if it is cancelled", func(t *testing.T) {
		w := newAttic().also("second")
		env := w.env(t)
		env.OnActivity("FindMissing", anything, anything).After(time.Hour).Return(nil, nil)
		after(env, time.Minute, env.CancelWorkflow)
		_, err := prune(t, env, pruneWhere2eat)
		require.True(t, temporal.IsCanceledError(err), err)
		require.Empty(t, w.only("prune"))
	})
}
