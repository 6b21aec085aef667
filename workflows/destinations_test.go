package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

const forever = 1000 * 24 * time.Hour

// ids keeps those that begin with a word.
func (s *seen) ids(word string) []string {
	var ids []string
	for _, id := range s.children {
		if strings.HasPrefix(id, word+"/") {
			ids = append(ids, id)
		}
	}
	return ids
}

// backupTo runs BackupAndVerify, and what it leaves, to their ends.
func (w *world) backupTo(t *testing.T, in workflows.BackupAndVerifyInput) (*recovery.Report, *seen, *testsuite.TestWorkflowEnvironment, error) {
	t.Helper()
	env := w.env(t)
	w.await(env)
	s := watch(env)
	execute(env, workflows.TypeBackupAndVerify, in)
	report, err := reportOf(t, env)
	return report, s, env, err
}

func TestBackupIsCopiedToTheOtherDestinations(t *testing.T) {
	w := newWorld().also("second", "third")
	report, s, env, err := w.backupTo(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, "main", report.Copy)
	require.Equal(t, 1, s.steps["ChooseDestination"])
	require.Equal(t, []string{workflows.ReplicateID(report.Set, "second"), workflows.ReplicateID(report.Set, "third")}, s.ids("replicate"))
	require.Empty(t, s.ids("outage"))
	require.Equal(t, []string{"commit backup"}, w.only("commit"))
	require.ElementsMatch(t, []string{"adopt at second", "adopt at third"}, w.only("adopt"))
	for _, d := range w.plan.Destinations {
		require.True(t, w.holds(d.Name, report.Set), d.Name)
		proofs := w.proofsAt(d.Name)
		require.Len(t, proofs, 1, "each copy is proven by itself")
		require.Equal(t, report.Set, proofs[0].Set)
		require.Equal(t, recovery.Proven, proofs[0].Verdict)
	}
	for _, copyName := range []string{"second", "third"} {
		require.NoError(t, env.GetWorkflowErrorByID(workflows.ReplicateID(report.Set, copyName)))
		require.Contains(t, s.children, workflows.VerifyID(report.Set, copyName))
		require.Equal(t, recovery.ProofReadBack, w.proofsAt(copyName)[0].Kind, "it is read back, not restored")
	}
}

func TestSingleDestinationIsNotChosen(t *testing.T) {
	w := newWorld()
	report, s, _, err := w.backupTo(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, "main", report.Copy)
	require.Zero(t, s.steps["ChooseDestination"])
	require.Empty(t, s.ids("replicate"))
}

func TestBackupGoesWhereSomethingAnswers(t *testing.T) {
	w := newWorld().also("second")
	w.plan.Slack = &recovery.SlackSpec{Channel: "C1"}
	w.silence("main", w.start.Add(6*time.Hour))
	begun := w.start
	report, s, env, err := w.backupTo(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, "second", report.Copy)
	require.Equal(t, recovery.LevelProven, report.Level)
	require.Equal(t, []string{"commit backup at second", "adopt"}, w.only("commit", "adopt"))
	require.Equal(t, []string{"older sets at second", "this set at second"}, w.swept)
	require.Equal(t, begun.Truncate(time.Second), w.committed.Created.Truncate(time.Second), "it does not wait")
	require.Equal(t, []string{workflows.OutageID("main")}, s.ids("outage"), "however many runs meet it")
	require.Equal(t, []string{workflows.ReplicateID(report.Set, "main")}, s.ids("replicate"))
	require.NoError(t, env.GetWorkflowErrorByID(workflows.ReplicateID(report.Set, "main")))
	require.True(t, w.holds("main", report.Set), "it gets its copy once it is back")
	require.Len(t, w.proofsAt("main"), 1)
	require.Len(t, w.proofsAt("second"), 1)
	require.Len(t, w.board.cards, 2, "people are told once that it began, and once that it is over")
}

func TestDestinationThatDiesDuringTheDumps(t *testing.T) {
	w := newWorld().also("second")
	w.before = func(what string) {
		if what == "dump notes" && w.dumped["notes"] == 1 {
			w.silence("main", w.clock().Add(3*time.Hour))
		}
	}
	report, s, _, err := w.backupTo(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, "second", report.Copy)
	require.Len(t, s.sets, 2, "a new set is begun at the second")
	require.NotEqual(t, s.sets[0][17:], s.sets[1][17:], "also if it goes on in the same second")
	require.Equal(t, s.sets[1], report.Set)
	require.Equal(t, []string{"commit backup at second", "adopt"}, w.only("commit", "adopt"))
	require.False(t, w.holds("main", s.sets[0]), "nothing of the first is committed")
	require.True(t, w.holds("main", s.sets[1]), "but it gets the copy")
	require.Empty(t, w.committed.Failures)

	app, _ := w.committed.Artefact("app")
	require.Equal(t, 2, app.Attempt, "everything starts over, and attempts go on counting")
	require.Equal(t, s.sets[1], app.Set)
	require.Equal(t, 2, w.dumped["app"])
	notes, _ := w.committed.Artefact("notes")
	require.Greater(t, notes.Attempt, 2, "it is tried for a while before another one is looked for")
	require.Less(t, notes.Attempt, 15, "but not until giveUpAfter")
	require.Equal(t, []string{"main second", "second"}, s.asked, "not the one that failed")
	require.Equal(t, []string{workflows.OutageID("main")}, s.ids("outage"))
}

func TestDestinationThatDiesAtTheCommit(t *testing.T) {
	w := newWorld().also("second")
	w.before = func(what string) {
		if what == "commit" {
			w.silence("main", w.clock().Add(3*time.Hour))
		}
	}
	report, s, _, err := w.backupTo(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, "second", report.Copy)
	require.Len(t, s.sets, 2)
	require.NotEqual(t, s.sets[0], s.sets[1])
	require.Equal(t, []string{"main second", "second"}, s.asked)
	require.Equal(t, []string{"commit backup at second", "adopt"}, w.only("commit", "adopt"))
	require.Len(t, w.committed.Artefacts, 2)
}

// What is wrong with the source is no better elsewhere.
func TestSourceThatDoesNotAnswerMovesNothing(t *testing.T) {
	w := newWorld().also("second")
	for range 100 {
		w.dumpErrs["app"] = append(w.dumpErrs["app"], errors.New("connection refused"))
	}
	begun := w.start
	_, s, env, err := w.backupTo(t, where2eat)
	kind, message, _ := failure(t, err)
	require.Equal(t, workflows.ErrorDisproven, kind)
	require.Regexp(t, `app was not backed up: dump app: gave up after 3\dm.*connection refused`, message)
	require.Len(t, s.sets, 1)
	require.Equal(t, []string{"main second"}, s.asked)
	require.Equal(t, []string{"commit backup"}, w.only("commit"))
	require.Greater(t, env.Now().Sub(begun), w.plan.GiveUpAfter.Std())
	require.Empty(t, s.ids("outage"))
}

func TestNoDestinationAnswers(t *testing.T) {
	w := newWorld().also("second")
	w.silence("main", w.start.Add(forever))
	w.silence("second", w.start.Add(forever))
	_, s, _, err := w.backupTo(t, where2eat)
	_, message, _ := failure(t, err)
	require.Regexp(t, `^look which destination answers: gave up after 3\dm.*: dial tcp: connection to main refused$`, message, "the error is that of the first")
	require.Zero(t, s.steps["DumpSource"])
}

func TestCopyThatCannotBeMadeDoesNotFailTheBackup(t *testing.T) {
	w := newWorld().also("second")
	w.receiveErr["second"] = recovery.NewFault(recovery.Permanent, errors.New("access denied"), "let the key write")
	report, _, env, err := w.backupTo(t, where2eat)
	require.NoError(t, err)
	require.Equal(t, recovery.LevelProven, report.Level)
	require.ErrorContains(t, env.GetWorkflowErrorByID(workflows.ReplicateID(report.Set, "second")), "access denied (let the key write)")
}
