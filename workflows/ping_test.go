package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func watched(w *world) *world {
	w.plan.Pings = map[string]string{"backup": "env:B", "verify": "env:V", "drill": "env:D", "prune": "env:P"}
	return w
}

func TestSwitchHearsHowABackupGoes(t *testing.T) {
	w := watched(newWorld())
	_, err := w.backup(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, []string{"ping env:B start", "dump app", "dump /srv/notes.db", "commit backup", "try out 2 copies", "ping env:B success"}, w.log)
}

func TestSwitchHearsThatABackupFailed(t *testing.T) {
	w := watched(newWorld())
	w.smoke = recovery.SmokeProof{Verdict: recovery.Disproven, Sentence: `the service did not pass "log in"`}
	_, err := w.backup(t, where2eat)
	_, message, _ := failure(t, err)
	require.Equal(t, []string{"ping env:B start", "ping env:B fail " + message}, w.only("ping"), "a set that is not proven is no success")
}

func TestSwitchHearsOfEachPlaybook(t *testing.T) {
	t.Run("verify", func(t *testing.T) {
		w := watched(newWorld())
		w.proven(t)
		_, err := verify(t, w, workflows.VerifyInput{Service: "where2eat"})
		require.NoError(t, err)
		require.Equal(t, []string{"ping env:V start", "try out 2 copies", "ping env:V success"}, w.log)
	})
	t.Run("drill", func(t *testing.T) {
		w := watched(newTeam())
		w.proven(t)
		env := w.env(t)
		play(t, env, w.reject(env, "drill", "kim"))
		_, err := drill(t, env, drillWhere2eat)
		require.Error(t, err)
		require.Empty(t, w.only("ping"), "a drill that is skipped did not begin, and did not fail")
	})
	t.Run("drill that nobody decides in time", func(t *testing.T) {
		w := watched(newTeam())
		w.proven(t)
		_, err := drill(t, w.env(t), drillWhere2eat)
		require.Error(t, err)
		require.Empty(t, w.only("ping"))
	})
	t.Run("drill that is approved", func(t *testing.T) {
		w := watched(newTeam())
		w.proven(t)
		env := w.env(t)
		var before []string
		play(t, env, turn{"drill", func(b *approval.Book) {
			before = w.only("ping")
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
		}})
		_, err := drill(t, env, drillWhere2eat)
		require.NoError(t, err)
		require.Empty(t, before, "the time that people take is not the drill's")
		require.Equal(t, []string{"ping env:D start", "try out 2 copies", "ping env:D success"}, w.only("ping", "try"))
	})
	t.Run("drill that fails", func(t *testing.T) {
		w := watched(newTeam())
		w.proven(t)
		noPolicy(w)
		w.smoke = recovery.SmokeProof{Verdict: recovery.Disproven, Sentence: "it did not start"}
		_, err := drill(t, w.env(t), drillWhere2eat)
		app := appError(t, err)
		require.Equal(t, []string{"ping env:D start", "ping env:D fail " + app.Message()}, w.only("ping"))
	})
	t.Run("prune", func(t *testing.T) {
		w := watched(newAttic())
		_, err := prune(t, w.env(t), pruneWhere2eat)
		require.NoError(t, err)
		require.Equal(t, "ping env:P start", w.log[0])
		require.Equal(t, "ping env:P success", w.log[len(w.log)-1])
		require.Len(t, w.only("ping"), 2)
	})
	t.Run("prune that fails", func(t *testing.T) {
		w := watched(newAttic())
		w.silence("main", w.start.Add(forever))
		_, err := prune(t, w.env(t), pruneWhere2eat)
		_, message, _ := failure(t, err)
		require.Equal(t, []string{"ping env:P start", "ping env:P fail " + message}, w.log)
	})
}

func TestSwitchThatDoesNotAnswerHoldsNothingUp(t *testing.T) {
	w := watched(newWorld())
	w.pingErr = errors.New("502 Bad Gateway")
	begun := w.start
	env := w.env(t)
	execute(env, workflows.TypeBackupAndVerify, where2eat)
	_, err := reportOf(t, env)
	require.NoError(t, err)
	require.Len(t, w.only("ping"), 6, "each is tried three times")
	require.Less(t, env.Now().Sub(begun), 2*time.Minute)
}

func TestSwitchHearsNothingOfACancel(t *testing.T) {
	w := watched(newWorld())
	for range 100 {
		w.dumpErrs["app"] = append(w.dumpErrs["app"], errors.New("connection refused"))
	}
	env := w.env(t)
	after(env, time.Minute, env.CancelWorkflow)
	execute(env, workflows.TypeBackupAndVerify, where2eat)
	_, err := reportOf(t, env)
	require.True(t, temporal.IsCanceledError(err), err)
	require.Equal(t, []string{"ping env:B start"}, w.only("ping"))
}

func TestWithoutSwitchesNothingIsPinged(t *testing.T) {
	w := newWorld()
	w.plan.Pings = map[string]string{"drill": "env:D"}
	env := w.env(t)
	s := watch(env)
	execute(env, workflows.TypeBackupAndVerify, where2eat)
	_, err := reportOf(t, env)
	require.NoError(t, err)
	require.Zero(t, s.steps["PingSwitch"])
}
