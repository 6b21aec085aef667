package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// copying is a set at main that is about to be copied to the last of the others.
type copying struct {
	*world
	in   workflows.ReplicateInput
	env  *testsuite.TestWorkflowEnvironment
	seen *seen
}

func newCopying(t *testing.T, others ...string) *copying {
	t.Helper()
	w := newTeam()
	set := w.proven(t)
	w.also(others...)
	return &copying{world: w, in: workflows.ReplicateInput{Service: "where2eat", Set: set, To: others[len(others)-1]}}
}

// run runs Replicate to its end.
func (c *copying) run(t *testing.T) (*recovery.Report, error) {
	t.Helper()
	c.env = c.world.env(t)
	c.await(c.env)
	c.seen = watch(c.env)
	c.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflows.ReplicateID(c.in.Set, c.in.To)})
	c.env.ExecuteWorkflow(workflows.TypeReplicate, c.in)
	return reportOf(t, c.env)
}

func TestCopyIsMadeAndProven(t *testing.T) {
	c := newCopying(t, "second")
	report, err := c.run(t)
	require.NoError(t, err)
	require.Equal(t, "second", report.Copy)
	require.Equal(t, recovery.LevelReadBack, report.Level)
	require.Equal(t, []string{"adopt at second"}, c.only("adopt"))
	require.Regexp(t, `^370 B copied from main in `, status(t, c.env).Done[0])
	require.Len(t, c.proofsAt("second"), 1)
	require.Empty(t, c.seen.ids("outage"))
	require.Zero(t, c.board.tries)
}

func TestCopyWaitsForItsDestination(t *testing.T) {
	c := newCopying(t, "second")
	begun := c.start
	c.silence("second", begun.Add(6*time.Hour))
	report, err := c.run(t)
	require.NoError(t, err)
	require.Equal(t, recovery.Proven, report.Verdict)
	require.WithinDuration(t, begun.Add(6*time.Hour), c.env.Now(), time.Minute, "it is told that the destination answers")
	require.Equal(t, []string{"adopt at second"}, c.only("adopt"))
	require.Len(t, c.proofsAt("second"), 1)
	require.Zero(t, c.seen.steps[workflows.ReplicateID(c.in.Set, "second")+" AwaitDestination"], "it holds no worker")
	require.Equal(t, []string{workflows.CatchUpID("where2eat")}, c.seen.ids("catch-up"))
	require.Empty(t, c.seen.ids("replicate"), "the one that waits is told, no other one is started")

	require.Equal(t, []string{workflows.OutageID("second")}, c.seen.ids("outage"))
	require.Len(t, c.board.cards, 2, "people are told once that it waits, and once that it is over")
	require.Equal(t, card.Waiting, c.board.cards[0].State)
	require.Equal(t, card.Done, c.board.cards[1].State)
}

func TestCopyTellsWhatItWaitsFor(t *testing.T) {
	c := newCopying(t, "second")
	c.silence("second", c.start.Add(6*time.Hour))
	c.env = c.world.env(t)
	c.await(c.env)
	var during workflows.Status
	after(c.env, 3*time.Hour, func() { during = status(t, c.env) })
	c.env.ExecuteWorkflow(workflows.TypeReplicate, c.in)
	require.NoError(t, c.env.GetWorkflowError())
	require.Equal(t, "copying to second", during.Doing)
	require.Regexp(t, `^copy to second: gave up after 2m2s: dial tcp: connection to second refused; next try \d\d:\d\d:\d\d UTC$`, during.Trouble)
	require.Equal(t, c.in.Set, during.Set)
}

func TestCopyIsGivenUpAfterTwoWeeks(t *testing.T) {
	c := newCopying(t, "second")
	c.silence("second", c.start.Add(15*24*time.Hour))
	_, err := c.run(t)
	kind, message, _ := failure(t, err)
	require.Equal(t, activities.ErrorUnavailable, kind)
	require.Contains(t, message, "connection to second refused")
	require.False(t, c.holds("second", c.in.Set), "a day later it would have been made")
	require.Less(t, c.seen.steps["CopySet"], 3000, "a history does not hold more than 50,000 events")
}

// What a set is copied from may be away as long, while the destination answers.
func TestCopyWaitsForItsSource(t *testing.T) {
	c := newCopying(t, "second")
	c.silence("main", c.start.Add(48*time.Hour))
	report, err := c.run(t)
	require.NoError(t, err)
	require.Equal(t, recovery.Proven, report.Verdict)
	require.Len(t, c.only("adopt"), 1)
	require.Empty(t, c.seen.ids("outage"), "it is not the destination that does not answer")
	require.Zero(t, c.seen.steps["AwaitDestination"])
	pauses := c.seen.longer(time.Minute)
	require.Equal(t, []time.Duration{2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute}, pauses[:5])
	for _, p := range pauses[5:] {
		require.Equal(t, time.Hour, p)
	}
}

func TestCopyIsTriedAtOnceWhenItIsTold(t *testing.T) {
	c := newCopying(t, "second")
	begun := c.start
	c.silence("main", begun.Add(10*time.Hour))
	c.env = c.world.env(t)
	after(c.env, 10*time.Hour+time.Minute, func() { c.env.SignalWorkflow("answers", nil) })
	c.env.ExecuteWorkflow(workflows.TypeReplicate, c.in)
	require.NoError(t, c.env.GetWorkflowError())
	require.WithinDuration(t, begun.Add(10*time.Hour+time.Minute), c.env.Now(), 10*time.Second)
	require.True(t, c.holds("second", c.in.Set))
}

func TestCopyThatIsCancelledWhileItWaits(t *testing.T) {
	c := newCopying(t, "second")
	c.silence("second", c.start.Add(forever))
	c.env = c.world.env(t)
	c.await(c.env)
	after(c.env, 3*time.Hour, c.env.CancelWorkflow)
	after(c.env, 4*time.Hour, func() { c.plan.Destinations = c.plan.Destinations[:1] }) // ends the outage
	c.env.ExecuteWorkflow(workflows.TypeReplicate, c.in)
	require.True(t, temporal.IsCanceledError(c.env.GetWorkflowError()), c.env.GetWorkflowError())
	require.Equal(t, "ended: cancelled", status(t, c.env).Doing)
}

func TestCopyThatAPersonMustMendIsNotTriedAgain(t *testing.T) {
	c := newCopying(t, "second")
	c.receiveErr["second"] = recovery.NewFault(recovery.Permanent, errors.New("access denied"), "let the key write")
	_, err := c.run(t)
	kind, message, _ := failure(t, err)
	require.Equal(t, activities.ErrorPermanent, kind)
	require.Equal(t, "copy to second: copy app.1.dump.zst.age of app: access denied (let the key write)", message)
	require.Equal(t, 1, c.seen.steps["CopySet"])
	require.Empty(t, c.only("adopt"))
	require.Empty(t, c.proofsAt("second"))
}

func TestBadCopyIsHealed(t *testing.T) {
	damaged := recovery.NewFault(recovery.Damaged, errors.New("its SHA-256 is not the one in the manifest"), "")
	t.Run("once", func(t *testing.T) {
		c := newCopying(t, "second")
		c.badReads["second"] = []error{damaged}
		report, err := c.run(t)
		require.NoError(t, err)
		require.Equal(t, recovery.Proven, report.Verdict)
		require.Len(t, c.only("adopt"), 2)
		proofs := c.proofsAt("second")
		require.Len(t, proofs, 2)
		require.Equal(t, recovery.Disproven, proofs[0].Verdict)
		require.Equal(t, recovery.Proven, proofs[1].Verdict)
		require.Contains(t, strings.Join(status(t, c.env).Done, "\n"), "the copy is not good, copying what is missing: recovery set "+string(c.in.Set)+" of where2eat is DISPROVEN")
	})
	t.Run("not for ever", func(t *testing.T) {
		c := newCopying(t, "second")
		for range 100 {
			c.badReads["second"] = append(c.badReads["second"], damaged)
		}
		_, err := c.run(t)
		kind, message, report := failure(t, err)
		require.Equal(t, workflows.ErrorDisproven, kind)
		require.Contains(t, message, "its SHA-256 is not the one in the manifest")
		require.Equal(t, "second", report.Copy)
		require.Len(t, c.only("adopt"), 3, "twice after the first time")
		require.Len(t, c.proofsAt("second"), 3)
	})
}

func TestCopyIsTakenFromWhereItIsGood(t *testing.T) {
	damaged := recovery.NewFault(recovery.Damaged, errors.New("app.1.dump.zst.age: not what was stored"), "")
	for name, spoil := range map[string]func(c *copying){
		"the first lacks it":    func(c *copying) { delete(c.manifests, c.in.Set) },
		"the first is damaged":  func(c *copying) { c.sendErr["main"] = damaged },
		"the first is away":     func(c *copying) { c.silence("main", c.start.Add(forever)) },
		"the second comes back": func(c *copying) { c.sendErr["main"] = damaged; c.silence("second", c.start.Add(3*time.Hour)) },
		"the second comes back, and the first lacks it": func(c *copying) {
			delete(c.manifests, c.in.Set)
			c.silence("second", c.start.Add(3*time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCopying(t, "second", "third")
			c.keep("second", c.manifests[c.in.Set])
			spoil(c)
			report, err := c.run(t)
			require.NoError(t, err)
			require.Equal(t, "third", report.Copy)
			require.Regexp(t, `^370 B copied from second in `, status(t, c.env).Done[0])
			require.Equal(t, []string{"adopt at third"}, c.only("adopt"))
		})
	}
}

func TestCopyThatNobodyHas(t *testing.T) {
	c := newCopying(t, "second", "third")
	delete(c.manifests, c.in.Set)
	_, err := c.run(t)
	kind, message, _ := failure(t, err)
	require.Equal(t, activities.ErrorPermanent, kind)
	require.Equal(t, "copy to third: read manifest at main: it is not there (`starter sets where2eat` lists the sets that are there)", message)
	require.Equal(t, 1, c.seen.steps["CopySet"])
}

func TestCopyToADestinationThatIsNotInTheConfig(t *testing.T) {
	c := newCopying(t, "second")
	c.in.To = "third"
	_, err := c.run(t)
	_, message, _ := failure(t, err)
	require.Equal(t, `find destination "third": it is not in the config (known: main, second)`, message)
}
