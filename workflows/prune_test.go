package workflows_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// holding is a proven set of both sources, of a day in January 2020.
func holding(day int) recovery.Holding {
	created := time.Date(2020, 1, day, 3, 0, 0, 0, time.UTC)
	return recovery.Holding{
		Set: january(day), Created: created, Sources: []string{"app", "notes"}, Size: 1000,
		Standing: recovery.Standing{Verdict: recovery.Proven, Level: recovery.LevelProven, ProvenAt: created},
	}
}

func january(day int) recovery.SetID {
	return recovery.SetID(fmt.Sprintf("202001%02dT030000Z-000000", day))
}

// newAttic is a world with six daily sets, of which retention keeps the last three.
func newAttic() *world {
	w := newWorld()
	for i := range w.plan.Sources {
		w.plan.Sources[i].Retention = recovery.Retention{Daily: 3}
	}
	for day := 6; day >= 1; day-- {
		w.holdings["main"] = append(w.holdings["main"], holding(day))
	}
	return w
}

// prune runs Prune to its end.
func prune(t *testing.T, env *testsuite.TestWorkflowEnvironment, in any) (*workflows.PruneResult, error) {
	t.Helper()
	execute(env, workflows.TypePrune, in)
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return nil, err
	}
	var r *workflows.PruneResult
	return r, env.GetWorkflowResult(&r)
}

var pruneWhere2eat = workflows.PruneInput{Service: "where2eat"}

func TestPruneRemovesWhatRetentionDoesNotKeep(t *testing.T) {
	w := newAttic()
	env := w.env(t)
	r, err := prune(t, env, pruneWhere2eat)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		"prune 20200101T030000Z-000000: no tier keeps it",
		"prune 20200102T030000Z-000000: no tier keeps it",
		"prune 20200103T030000Z-000000: no tier keeps it",
		"abort stale uploads",
	}, w.log)
	require.Equal(t, "abort stale uploads", w.log[3])
	require.Equal(t, "where2eat", r.Service)
	require.Len(t, r.Destinations, 1)
	done := r.Destinations[0]
	require.Equal(t, "main", done.Destination)
	require.ElementsMatch(t, []recovery.SetID{january(1), january(2), january(3)}, done.Removed)
	require.Equal(t, int64(3000), done.Freed)
	require.Equal(t, 3, done.Kept)
	require.Empty(t, done.Locked)
	require.Equal(t, []string{"3 sets removed at main, 3.0 kB"}, status(t, env).Done)
}

func TestPruneWithoutRetentionRemovesNothing(t *testing.T) {
	w := newAttic()
	for i := range w.plan.Sources {
		w.plan.Sources[i].Retention = recovery.Retention{}
	}
	r, err := prune(t, w.env(t), pruneWhere2eat)
	require.NoError(t, err)
	require.Equal(t, []string{"abort stale uploads"}, w.log)
	require.Equal(t, 6, r.Destinations[0].Kept)
}

func TestPruneAtEachDestinationByItself(t *testing.T) {
	w := newAttic().also("second")
	w.holdings["second"] = w.holdings["main"][3:] // it lacks the newest
	r, err := prune(t, w.env(t), pruneWhere2eat)
	require.NoError(t, err)
	require.Len(t, r.Destinations, 2)
	require.Len(t, r.Destinations[0].Removed, 3)
	require.Empty(t, r.Destinations[1].Removed)
	require.Equal(t, 3, r.Destinations[1].Kept, "what another destination has does not count here")
}

func TestPruneNamesWhatMayNotBeRemovedYet(t *testing.T) {
	w := newAttic()
	w.bound = map[recovery.SetID]recovery.PrunedSet{
		january(1): {LockedUntil: time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)},
		january(2): {Hold: true},
		january(3): {Refused: "AccessDenied"},
	}
	r, err := prune(t, w.env(t), pruneWhere2eat)
	require.NoError(t, err, "the next run tries again")
	require.Empty(t, r.Destinations[0].Removed)
	require.Zero(t, r.Destinations[0].Freed)
	require.ElementsMatch(t, []string{
		"20200101T030000Z-000000: locked until 2026-12-24 18:00 UTC",
		"20200102T030000Z-000000: a legal hold is on it",
		"20200103T030000Z-000000: AccessDenied",
	}, r.Destinations[0].Locked)
}

func TestPruneThatFailsAtOneDestination(t *testing.T) {
	w := newAttic().also("second", "third")
	w.holdings["third"] = w.holdings["main"]
	w.silence("second", w.start.Add(forever))
	_, err := prune(t, w.env(t), pruneWhere2eat)
	app := appError(t, err)
	require.Equal(t, workflows.ErrorFailed, app.Type())
	require.Regexp(t, `^remove old sets: second: look what may be removed: gave up after 3\dm.*: dial tcp: connection to second refused$`, app.Message())
	require.Len(t, w.only("prune"), 6, "the others are pruned all the same")
	var r workflows.PruneResult
	require.NoError(t, app.Details(&r))
	require.Len(t, r.Destinations, 3)
	require.Len(t, r.Destinations[0].Removed, 3)
	require.Contains(t, r.Destinations[1].Error, "connection to second refused")
	require.Len(t, r.Destinations[2].Removed, 3)
}

func TestPruneUsesItsOwnCredentials(t *testing.T) {
	w := newAttic()
	d := &w.plan.Destinations[0]
	d.AccessKey, d.SecretKey = "env:WRITER", "env:WRITER_SECRET"
	d.PruneAccessKey, d.PruneSecretKey = "env:REMOVER", "env:REMOVER_SECRET"
	d.Classes = map[string]string{recovery.TierDaily: "GLACIER"}
	_, err := prune(t, w.env(t), pruneWhere2eat)
	require.NoError(t, err)
	require.NotEmpty(t, w.only("move"))
	for _, line := range w.log {
		require.Contains(t, line, " as env:REMOVER")
	}
}

// A set that only a longer tier keeps goes to the class of that tier; one that may
// be needed soon stays where it is.
func TestPruneMovesToTheClassOfTheTier(t *testing.T) {
	w := newAttic()
	for i := range w.plan.Sources {
		w.plan.Sources[i].Retention = recovery.Retention{Daily: 2, Yearly: 2}
	}
	old := holding(1)
	old.Set, old.Created = "20190601T030000Z-000000", time.Date(2019, 6, 1, 3, 0, 0, 0, time.UTC)
	w.holdings["main"] = append(w.holdings["main"], old)
	w.plan.Destinations[0].Classes = map[string]string{recovery.TierYearly: "GLACIER", recovery.TierDaily: "STANDARD_IA"}
	r, err := prune(t, w.env(t), pruneWhere2eat)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"move 20190601T030000Z-000000 to GLACIER", "move 20200105T030000Z-000000 to STANDARD_IA"}, w.only("move"),
		"the newest is the newest proven one as well, and stays")
	require.Equal(t, 3, r.Destinations[0].Kept)
	require.Equal(t, 4, r.Destinations[0].Moved, "objects")
	require.Len(t, r.Destinations[0].Removed, 4)
}

func TestPruneThatIsCancelledStops(t *testing.T) {
	w := newAttic()
	for range 1000 {
		w.running = append(w.running, []string{"restore/where2eat/1"})
	}
	env := w.env(t)
	after(env, time.Hour, env.CancelWorkflow)
	_, err := prune(t, env, pruneWhere2eat)
	require.True(t, temporal.IsCanceledError(err), err)
	require.Empty(t, w.log)
}

func TestPruneRefusesBadInput(t *testing.T) {
	for name, c := range map[string]struct{ input, want string }{
		"no service": {`{}`, "service is missing"},
		"misspelt":   {`{"service":"where2eat","dry":true}`, `unknown field "dry"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAttic()
			_, err := prune(t, w.env(t), json.RawMessage(c.input))
			kind, message, _ := failure(t, err)
			require.Equal(t, workflows.ErrorBadInput, kind)
			require.Contains(t, message, c.want)
			require.Empty(t, w.log)
		})
	}
}

func TestPruneOfAnUnknownService(t *testing.T) {
	w := newAttic()
	w.planErr = recovery.NewFault(recovery.Permanent, errors.New(`find service "where2et"`), "the config knows where2eat")
	_, err := prune(t, w.env(t), pruneWhere2eat)
	_, message, _ := failure(t, err)
	require.Contains(t, message, "the config knows where2eat")
}
