package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// verify runs Verify to its end.
func verify(t *testing.T, w *world, in workflows.VerifyInput) (*recovery.Report, error) {
	t.Helper()
	env := w.env(t)
	w.await(env)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: runID(workflows.TypeVerify)})
	env.ExecuteWorkflow(workflows.TypeVerify, in)
	return reportOf(t, env)
}

// newCopied is a world with a set that is at three destinations: at main it was
// restored when it was made, at the others it was only read back.
func newCopied(t *testing.T) (*world, recovery.SetID) {
	t.Helper()
	w := newWorld().also("second", "third")
	report, _, _, err := w.backupTo(t, where2eat)
	require.NoError(t, err)
	w.log = nil
	return w, report.Set
}

var rotate = workflows.VerifyInput{Service: "where2eat", Rotate: true}

func TestCopiesAreRestoredInTurn(t *testing.T) {
	w, set := newCopied(t)
	var turns []string
	for range 5 {
		report, err := verify(t, w, rotate)
		require.NoError(t, err)
		require.Equal(t, set, report.Set)
		require.Equal(t, recovery.LevelProven, report.Level)
		turns = append(turns, report.Copy)
	}
	require.Equal(t, []string{"second", "third", "main", "second", "third"}, turns, "the one whose copies were not restored for the longest")
}

// A restore that went wrong was one: it is not tried again before the others.
func TestCopyThatIsBadHasHadItsTurn(t *testing.T) {
	w, _ := newCopied(t)
	w.smoke = recovery.SmokeProof{Verdict: recovery.Disproven, Sentence: "it did not start"}
	_, err := verify(t, w, rotate)
	_, _, report := failure(t, err)
	require.Equal(t, "second", report.Copy)
	_, err = verify(t, w, rotate)
	_, _, report = failure(t, err)
	require.Equal(t, "third", report.Copy)
}

func TestCopyThatDoesNotAnswerHasNoTurn(t *testing.T) {
	w, _ := newCopied(t)
	w.silence("second", w.start.Add(forever))
	report, err := verify(t, w, rotate)
	require.NoError(t, err)
	require.Equal(t, "third", report.Copy)
	w.silence("third", w.start.Add(forever))
	report, err = verify(t, w, rotate)
	require.NoError(t, err)
	require.Equal(t, "main", report.Copy)
}

func TestDestinationThatHasNothingHasNoTurn(t *testing.T) {
	w, _ := newCopied(t)
	delete(w.copies, "second")
	report, err := verify(t, w, rotate)
	require.NoError(t, err)
	require.Equal(t, "third", report.Copy)
}

func TestVerifyOfAChosenCopy(t *testing.T) {
	w, set := newCopied(t)
	for _, copyName := range []string{"third", "main"} {
		report, err := verify(t, w, workflows.VerifyInput{Service: "where2eat", Set: set, Copy: copyName})
		require.NoError(t, err)
		require.Equal(t, copyName, report.Copy)
	}
	report, err := verify(t, w, workflows.VerifyInput{Service: "where2eat"})
	require.NoError(t, err)
	require.Equal(t, "main", report.Copy, "the first that has it")
}

func TestVerifyTakesTheFirstThatAnswers(t *testing.T) {
	w, set := newCopied(t)
	w.silence("main", w.start.Add(forever))
	report, err := verify(t, w, workflows.VerifyInput{Service: "where2eat", Set: set})
	require.NoError(t, err)
	require.Equal(t, "second", report.Copy)
}

func TestVerifyRefusesWhatMakesNoSense(t *testing.T) {
	for name, c := range map[string]struct {
		in   workflows.VerifyInput
		want string
	}{
		"an unknown copy": {
			workflows.VerifyInput{Service: "where2eat", Copy: "fourth"},
			`read input: copy: find destination "fourth": it is not in the config (known: main, second, third)`,
		},
		"rotate with a set": {
			workflows.VerifyInput{Service: "where2eat", Rotate: true, Set: "20261122T180000Z-000000"},
			"read input: rotate chooses the copy by itself: leave out set and copy, or rotate",
		},
		"rotate with a copy": {
			workflows.VerifyInput{Service: "where2eat", Rotate: true, Copy: "main"},
			"read input: rotate chooses the copy by itself: leave out set and copy, or rotate",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := newCopied(t)
			_, err := verify(t, w, c.in)
			kind, message, _ := failure(t, err)
			require.Equal(t, workflows.ErrorBadInput, kind)
			require.Equal(t, c.want, message)
			require.Empty(t, w.log)
		})
	}
}
