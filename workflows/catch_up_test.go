package workflows_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// newBehind has two sets at main, of which second has the older one, and third none.
func newBehind(t *testing.T) (w *world, older, newer recovery.SetID) {
	t.Helper()
	w = newWorld()
	older, newer = w.proven(t), w.proven(t)
	w.also("second", "third")
	w.keep("second", w.manifests[older])
	return w, older, newer
}

func catchUp(t *testing.T, w *world, in any) (int, *seen, *testsuite.TestWorkflowEnvironment, error) {
	t.Helper()
	env := w.env(t)
	w.await(env)
	s := watch(env)
	execute(env, workflows.TypeCatchUp, in)
	require.True(t, env.IsWorkflowCompleted())
	n := 0
	err := env.GetWorkflowError()
	if err == nil {
		err = env.GetWorkflowResult(&n)
	}
	return n, s, env, err
}

var catchUpWhere2eat = workflows.CatchUpInput{Service: "where2eat"}

func TestCatchUpCopiesWhatIsMissing(t *testing.T) {
	w, older, newer := newBehind(t)
	n, s, env, err := catchUp(t, w, catchUpWhere2eat)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, []string{
		workflows.ReplicateID(newer, "second"), workflows.ReplicateID(newer, "third"), workflows.ReplicateID(older, "third"),
	}, s.ids("replicate"))
	for _, copyName := range []string{"second", "third"} {
		require.True(t, w.holds(copyName, older))
		require.True(t, w.holds(copyName, newer))
	}
	require.Equal(t, "ended: done", status(t, env).Doing)
	require.Equal(t, []string{"3 missing copies are being made"}, status(t, env).Done)
}

func TestCatchUpTellsTheCopiesThatWait(t *testing.T) {
	w, older, newer := newBehind(t)
	waiting := []string{workflows.ReplicateID(newer, "second"), workflows.ReplicateID(older, "third")}
	w.elsewhereRun = waiting
	n, s, _, err := catchUp(t, w, catchUpWhere2eat)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, []string{"signal " + waiting[0] + ": answers", "signal " + waiting[1] + ": answers"}, w.only("signal"))
	require.Equal(t, []string{workflows.ReplicateID(newer, "third")}, s.ids("replicate"), "no other one is started for them")
}

func TestCatchUpWhereNothingIsMissing(t *testing.T) {
	t.Run("all have all", func(t *testing.T) {
		w, older, newer := newBehind(t)
		w.keep("second", w.manifests[newer])
		w.keep("third", w.manifests[newer])
		w.pruned["third"] = []recovery.SetID{older}
		n, s, env, err := catchUp(t, w, catchUpWhere2eat)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Empty(t, s.children, "what was removed there is not copied again")
		require.Empty(t, status(t, env).Done)
	})
	t.Run("there is one destination", func(t *testing.T) {
		w := newWorld()
		w.proven(t)
		n, s, _, err := catchUp(t, w, catchUpWhere2eat)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Zero(t, s.steps["FindMissing"])
	})
}

func TestCatchUpLeavesOutWhatDoesNotAnswer(t *testing.T) {
	w, _, newer := newBehind(t)
	w.silence("third", w.start.Add(forever))
	n, s, _, err := catchUp(t, w, catchUpWhere2eat)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []string{workflows.ReplicateID(newer, "second")}, s.ids("replicate"))
}

func TestCatchUpThatFails(t *testing.T) {
	t.Run("it cannot be looked", func(t *testing.T) {
		w, _, _ := newBehind(t)
		env := w.env(t)
		env.OnActivity("FindMissing", anything, anything).Return(nil, permanent("read config: key is missing"))
		execute(env, workflows.TypeCatchUp, catchUpWhere2eat)
		kind, message, _ := failure(t, env.GetWorkflowError())
		require.Equal(t, activities.ErrorPermanent, kind)
		require.Equal(t, "look which copies are missing: read config: key is missing", message)
		require.Equal(t, "ended: failed", status(t, env).Doing)
	})
	for name, c := range map[string]struct{ input, want string }{
		"no service": {`{}`, "service is missing"},
		"misspelt":   {`{"service":"where2eat","set":"x"}`, `unknown field "set"`},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, _ := newBehind(t)
			_, _, _, err := catchUp(t, w, json.RawMessage(c.input))
			kind, message, _ := failure(t, err)
			require.Equal(t, workflows.ErrorBadInput, kind)
			require.Contains(t, message, c.want)
		})
	}
}
