package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// outageOf runs WatchDestination for an outage that lasts.
func outageOf(t *testing.T, w *world, lasts time.Duration, during ...func(env *testsuite.TestWorkflowEnvironment)) (*seen, *testsuite.TestWorkflowEnvironment) {
	t.Helper()
	w.silence("second", w.start.Add(lasts))
	env := w.env(t)
	w.await(env)
	s := watch(env)
	for _, d := range during {
		d(env)
	}
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflows.OutageID("second")})
	env.ExecuteWorkflow(workflows.TypeWatchDestination, workflows.WatchDestinationInput{Service: "where2eat", Destination: "second"})
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	return s, env
}

func TestShortOutageTroublesNobody(t *testing.T) {
	w := newTeam().also("second")
	_, env := outageOf(t, w, 3*time.Minute)
	require.Zero(t, w.board.tries)
	require.Equal(t, "ended: answers again", status(t, env).Doing)
}

func TestLongOutageIsToldTwice(t *testing.T) {
	w := newTeam().also("second")
	begun := w.start
	_, env := outageOf(t, w, 48*time.Hour)
	require.WithinDuration(t, begun.Add(48*time.Hour), env.Now(), 2*time.Minute)
	require.Len(t, w.board.cards, 2, "not every hour")
	first, last := w.board.cards[0], w.board.cards[1]
	require.Equal(t, "Destination second", first.Title)
	require.Equal(t, card.Waiting, first.State)
	require.Equal(t, "Destination second does not answer since 2026-11-22 18:00 UTC: dial tcp: connection to second refused. "+
		"Backups go on at the other destinations; it gets its copies when it is back.", first.Line)
	require.Equal(t, card.Done, last.State)
	require.Regexp(t, `^Destination second answers again, after 48h\. It gets what it has missed now\.$`, last.Line)
	require.Equal(t, first.Key, last.Key, "it is the same card")
	require.Equal(t, begun, last.Started)
}

func TestOutageWithoutSlack(t *testing.T) {
	w := newWorld().also("second")
	outageOf(t, w, 48*time.Hour)
	require.Zero(t, w.board.tries)
}

func TestOutageWhileSlackDoesNotAnswer(t *testing.T) {
	w := newTeam().also("second")
	back := w.start.Add(90 * time.Minute)
	w.slackIsBack(func() bool { return w.clock().After(back) })
	outageOf(t, w, 4*time.Hour)
	require.Len(t, w.board.cards, 2)
	require.Equal(t, card.Waiting, w.board.cards[0].State)
	require.Equal(t, card.Done, w.board.cards[1].State)
}

// takenOut takes the other destinations out of the config after a while.
func takenOut(w *world, later time.Duration) func(env *testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		after(env, later, func() { w.plan.Destinations = w.plan.Destinations[:1] })
	}
}

func TestOutageOfADestinationThatIsTakenOut(t *testing.T) {
	t.Run("after people were told", func(t *testing.T) {
		w := newTeam().also("second")
		begun := w.start
		s, env := outageOf(t, w, forever, takenOut(w, 3*time.Hour))
		require.Less(t, env.Now().Sub(begun), 5*time.Hour, "the config is read anew each hour")
		require.Equal(t, "ended: not in the config", status(t, env).Doing)
		require.Len(t, w.board.cards, 2)
		require.Equal(t, card.Cancelled, w.board.last().State)
		require.Equal(t, "Destination second is not in the config any more.", w.board.last().Line)
		require.Empty(t, s.ids("catch-up"))
	})
	t.Run("before", func(t *testing.T) {
		w := newTeam().also("second")
		_, env := outageOf(t, w, forever, takenOut(w, time.Minute))
		require.Equal(t, card.Cancelled, w.board.last().State)
		require.Equal(t, "ended: not in the config", status(t, env).Doing)
	})
	t.Run("at the start", func(t *testing.T) {
		w := newTeam()
		_, env := outageOf(t, w, forever)
		require.Zero(t, w.board.tries)
		require.Equal(t, "ended: not in the config", status(t, env).Doing)
	})
}

func TestOutageFollowsTheConfig(t *testing.T) {
	w := newWorld().also("second")
	outageOf(t, w, 3*time.Hour, func(env *testsuite.TestWorkflowEnvironment) {
		after(env, 30*time.Minute, func() {
			w.plan.Destinations = []recovery.DestinationSpec{w.plan.Destinations[0], {Name: "second", URL: "s3://moved"}}
		})
	})
	require.Equal(t, "file:///second", w.awaited[0])
	require.Equal(t, "s3://moved", w.awaited[len(w.awaited)-1])
}

func TestOutageThatDoesNotEnd(t *testing.T) {
	w := newTeam().also("second")
	w.silence("second", w.start.Add(forever))
	begun := w.start
	env := w.env(t)
	w.await(env)
	s := watch(env)
	env.ExecuteWorkflow(workflows.TypeWatchDestination, workflows.WatchDestinationInput{Service: "where2eat", Destination: "second"})
	kind, message, _ := failure(t, env.GetWorkflowError())
	require.Equal(t, workflows.ErrorFailed, kind)
	require.Equal(t, "destination second has not answered since 2026-11-22 18:00 UTC: mend it, or take it out of the config", message)
	require.WithinDuration(t, begun.Add(90*24*time.Hour), env.Now(), 2*time.Hour)
	require.Equal(t, "ended: failed", status(t, env).Doing)
	require.Len(t, w.board.cards, 1, "that it does not answer was told once")
	require.Empty(t, s.ids("catch-up"))
	require.Less(t, s.steps["AwaitDestination"]+s.steps["LoadPlan"], 5000, "a history does not hold more than 50,000 events")
}

func TestAfterAnOutageEveryServiceCatchesUp(t *testing.T) {
	for name, lasts := range map[string]time.Duration{"a short one that nobody was told of": 3 * time.Minute, "a long one": 5 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			set := w.proven(t)
			w.also("second")
			w.services = []string{"bookings", "where2eat"}
			s, env := outageOf(t, w, lasts)
			require.Equal(t, []string{workflows.CatchUpID("bookings"), workflows.CatchUpID("where2eat")}, s.ids("catch-up"))
			require.NoError(t, env.GetWorkflowErrorByID(workflows.CatchUpID("where2eat")))
			require.Contains(t, s.ids("replicate"), workflows.ReplicateID(set, "second"))
			require.True(t, w.holds("second", set))
			require.Equal(t, "ended: answers again", status(t, env).Doing)
		})
	}
}

func TestOutageEndsAlsoIfTheServicesAreNotKnown(t *testing.T) {
	w := newWorld().also("second")
	w.servicesErr = recovery.NewFault(recovery.Permanent, errors.New("read config: yaml: line 3"), "mend it")
	s, env := outageOf(t, w, time.Hour)
	require.Empty(t, s.ids("catch-up"))
	require.Equal(t, 1, s.steps["ListServices"])
	require.Equal(t, "ended: answers again", status(t, env).Doing)
}
