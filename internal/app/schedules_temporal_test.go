package app_test

import (
	"maps"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// scheduler is a Temporal server without workers: runs that fall due do nothing.
type scheduler struct {
	t      *testing.T
	server *devserver.Temporal
	client client.Client
}

func startScheduler(t *testing.T) *scheduler {
	t.Helper()
	server := devserver.StartTemporal(t)
	c, err := client.Dial(client.Options{HostPort: server.Address, Namespace: server.Namespace, Logger: app.NewTemporalLogger(zap.NewNop())})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return &scheduler{t: t, server: server, client: c}
}

func (s *scheduler) plan(want []app.Schedule) []app.ScheduleStep {
	s.t.Helper()
	steps, err := app.PlanSchedules(s.t.Context(), s.client, want)
	require.NoError(s.t, err)
	return steps
}

// apply makes the schedules what is wanted, and says what that took.
func (s *scheduler) apply(want []app.Schedule) map[string]string {
	s.t.Helper()
	steps := s.plan(want)
	done, err := app.ApplySchedules(s.t.Context(), s.client, steps)
	require.NoError(s.t, err)
	require.Len(s.t, steps, done)
	s.awaitListed(want)
	return what(steps)
}

// awaitListed waits until the server lists what is wanted: its list may lag behind
// what was made.
func (s *scheduler) awaitListed(want []app.Schedule) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		found, err := app.ListSchedules(s.t.Context(), s.client)
		require.NoError(s.t, err)
		return !slices.ContainsFunc(want, func(w app.Schedule) bool {
			return !slices.ContainsFunc(found, func(f app.FoundSchedule) bool { return f.ID == w.ID })
		})
	}, 30*time.Second, 50*time.Millisecond)
}

// requireSettled wants nothing to be left to do.
func (s *scheduler) requireSettled(want []app.Schedule) {
	s.t.Helper()
	for _, step := range s.plan(want) {
		require.Equal(s.t, app.ScheduleKeep, step.Do, "%s: %v", step.ID, step.Differs)
	}
}

func (s *scheduler) handle(id string) client.ScheduleHandle {
	return s.client.ScheduleClient().GetHandle(s.t.Context(), id)
}

func (s *scheduler) describe(id string) *client.ScheduleDescription {
	s.t.Helper()
	d, err := s.handle(id).Describe(s.t.Context())
	require.NoError(s.t, err)
	return d
}

// edit changes a schedule as a person does in the Temporal UI.
func (s *scheduler) edit(id string, change func(*client.Schedule)) {
	s.t.Helper()
	require.NoError(s.t, s.handle(id).Update(s.t.Context(), client.ScheduleUpdateOptions{DoUpdate: func(now client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		change(&now.Description.Schedule)
		return &client.ScheduleUpdate{Schedule: &now.Description.Schedule}, nil
	}}))
}

// due lists the hours at which a schedule is due; its jitter is less than one.
func (s *scheduler) due(id string, from, until time.Time) []string {
	s.t.Helper()
	answer, err := s.client.WorkflowService().ListScheduleMatchingTimes(s.t.Context(), &workflowservice.ListScheduleMatchingTimesRequest{
		Namespace: s.server.Namespace, ScheduleId: id, StartTime: timestamppb.New(from), EndTime: timestamppb.New(until),
	})
	require.NoError(s.t, err)
	var hours []string
	for _, at := range answer.GetStartTime() {
		hours = append(hours, at.AsTime().Format("2006-01-02T15Z"))
	}
	return hours
}

func TestSchedulesOnAServer(t *testing.T) {
	s := startScheduler(t)
	plan := where2eat(t)
	night := &recovery.Plan{Service: "night", TimeZone: "America/New_York", Schedules: recovery.SchedulesSpec{
		Prune: cadence(t, "24h at 02:30"), Drill: cadence(t, "24h at 01:00"),
	}, Encryption: plan.Encryption}
	want := wanted(t, plan, night)
	create := map[string]string{}
	for _, w := range want {
		create[w.ID] = app.ScheduleCreate
	}
	require.Equal(t, create, s.apply(want))
	s.requireSettled(want)
	s.requireSettled(want)

	t.Run("the server takes equal times for one", func(t *testing.T) {
		require.Equal(t, []string{"2026-12-01T07Z", "2026-12-01T08Z", "2026-12-01T09Z"},
			s.due("lifeboat/backup/where2eat", time.Date(2026, 12, 1, 6, 30, 0, 0, time.UTC), time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)))
	})
	t.Run("nine in New York is another hour in summer", func(t *testing.T) {
		require.Equal(t, []string{"2027-01-15T14Z", "2027-04-15T13Z", "2027-07-15T13Z", "2027-10-15T13Z", "2028-01-15T14Z"},
			s.due("lifeboat/drill/where2eat", time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), time.Date(2028, 2, 1, 0, 0, 0, 0, time.UTC)))
	})
	t.Run("stock tools show them", func(t *testing.T) {
		program, err := exec.LookPath("temporal")
		require.NoError(t, err, "run 'make tools', and put .tools/bin on PATH")
		out, err := exec.CommandContext(t.Context(), program, "schedule", "list", "--address", s.server.Address).CombinedOutput()
		require.NoError(t, err, string(out))
		for _, w := range want {
			require.Regexp(t, `(?m)^ *`+w.ID+` .*"`+w.Playbook+`".* false `, string(out))
		}
	})
	t.Run("a time that clocks leap over is left out", func(t *testing.T) {
		require.Equal(t, []string{"2027-03-13T07Z", "2027-03-15T06Z"},
			s.due("lifeboat/prune/night", time.Date(2027, 3, 13, 0, 0, 0, 0, time.UTC), time.Date(2027, 3, 16, 0, 0, 0, 0, time.UTC)))
	})
	t.Run("a time that clocks show twice comes twice", func(t *testing.T) {
		require.Equal(t, []string{"2026-12-01T06Z", "2027-11-07T05Z", "2027-11-07T06Z"}, append(
			s.due("lifeboat/drill/night", time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)),
			s.due("lifeboat/drill/night", time.Date(2027, 11, 7, 0, 0, 0, 0, time.UTC), time.Date(2027, 11, 7, 12, 0, 0, 0, time.UTC))...))
	})
	t.Run("the next run is known", func(t *testing.T) {
		next, ok, err := app.NextRun(t.Context(), s.client, workflows.DrillScheduleID("where2eat"))
		require.NoError(t, err)
		require.True(t, ok)
		zone, err := time.LoadLocation("America/New_York")
		require.NoError(t, err)
		expected := plan.Schedules.Drill.Next(time.Now(), zone)
		require.WithinRange(t, next, expected, expected.Add(5*time.Minute))
		_, ok, err = app.NextRun(t.Context(), s.client, workflows.DrillScheduleID("wiki"))
		require.NoError(t, err)
		require.False(t, ok)
	})
}

func TestSchedulesFollowTheConfig(t *testing.T) {
	s := startScheduler(t)
	plan, wiki := where2eat(t), where2eat(t)
	wiki.Service = "wiki"
	s.apply(wanted(t, plan, wiki))

	plan.Sources[1].Every = cadence(t, "6h at 01:30")
	want := wanted(t, plan)
	require.Equal(t, map[string]string{
		"lifeboat/backup/where2eat": app.ScheduleChange, "lifeboat/verify/where2eat": app.ScheduleKeep, "lifeboat/drill/where2eat": app.ScheduleKeep,
		"lifeboat/prune/where2eat": app.ScheduleKeep, "lifeboat/digest": app.ScheduleKeep,
		"lifeboat/backup/wiki": app.ScheduleRemove, "lifeboat/verify/wiki": app.ScheduleRemove, "lifeboat/drill/wiki": app.ScheduleRemove, "lifeboat/prune/wiki": app.ScheduleRemove,
	}, s.apply(want))
	s.requireSettled(want)
	require.Contains(t, s.describe("lifeboat/backup/where2eat").Schedule.State.Note, "notes every 6h at 01:30")
	require.Equal(t, []string{"2026-12-01T05Z", "2026-12-01T06Z", "2026-12-01T06Z", "2026-12-01T07Z"}, // on the hour, and at half past one in New York
		s.due("lifeboat/backup/where2eat", time.Date(2026, 12, 1, 4, 45, 0, 0, time.UTC), time.Date(2026, 12, 1, 7, 45, 0, 0, time.UTC)))

	found, err := app.ListSchedules(t.Context(), s.client)
	require.NoError(t, err)
	var ids []string
	for _, f := range found {
		ids = append(ids, f.ID)
	}
	require.Equal(t, slices.Sorted(maps.Keys(what(s.plan(want)))), ids)
}

func TestSchedulesOfOthersOnAServer(t *testing.T) {
	s := startScheduler(t)
	foreign := func(id string) {
		_, err := s.client.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
			ID: id, Note: "not Lifeboat's", Memo: map[string]any{"madeBy": "somebody"},
			Spec:   client.ScheduleSpec{Calendars: []client.ScheduleCalendarSpec{{Hour: []client.ScheduleRange{{Start: 4}}}}},
			Action: &client.ScheduleWorkflowAction{ID: "other", Workflow: "Other", TaskQueue: "other"},
		})
		require.NoError(t, err)
	}
	foreign("reports")
	foreign("lifeboat/backup/wiki") // of no service here
	want := wanted(t, where2eat(t))
	require.NotContains(t, s.apply(want), "lifeboat/backup/wiki")
	s.requireSettled(want)
	for _, id := range []string{"reports", "lifeboat/backup/wiki"} {
		require.Equal(t, "not Lifeboat's", s.describe(id).Schedule.State.Note)
	}

	wiki := where2eat(t)
	wiki.Service = "wiki"
	_, err := app.PlanSchedules(t.Context(), s.client, wanted(t, wiki))
	require.ErrorContains(t, err, "make schedule lifeboat/backup/wiki: Temporal has one of that id that Lifeboat did not make")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
}

func TestChangesByHandOnAServer(t *testing.T) {
	s := startScheduler(t)
	want := wanted(t, where2eat(t))
	s.apply(want)
	const drill, prune = "lifeboat/drill/where2eat", "lifeboat/prune/where2eat"

	// The server adds the times of cron expressions to those that are there.
	s.edit(drill, func(now *client.Schedule) { now.Spec.CronExpressions = []string{"30 8 * * 1"} })
	s.edit(prune, func(now *client.Schedule) {
		now.Action.(*client.ScheduleWorkflowAction).Args = []any{map[string]string{"service": "wiki"}}
		now.Policy.PauseOnFailure = true
	})
	differs := map[string][]app.ScheduleDifference{}
	for _, step := range s.plan(want) {
		if step.Do != app.ScheduleKeep {
			differs[step.ID] = step.Differs
		}
	}
	require.Equal(t, map[string][]app.ScheduleDifference{
		drill: {{What: "times", Is: "0 9 15 1,4,7,10 * and 30 8 * * 1", Should: "0 9 15 1,4,7,10 *"}},
		prune: {{What: "pause on failure", Is: "true", Should: "false"}, {What: "input", Is: `{"service":"wiki"}`, Should: `{"service":"where2eat"}`}},
	}, differs)
	s.apply(want)
	s.requireSettled(want)
}

func TestAPauseOnAServerIsAPersonsDecision(t *testing.T) {
	s := startScheduler(t)
	plan := where2eat(t)
	s.apply(wanted(t, plan))
	id := workflows.DrillScheduleID("where2eat")
	require.NoError(t, s.handle(id).Pause(t.Context(), client.SchedulePauseOptions{Note: "sam: we are moving"}))
	s.requireSettled(wanted(t, plan))
	_, ok, err := app.NextRun(t.Context(), s.client, id)
	require.NoError(t, err)
	require.False(t, ok, "a paused schedule has no next run")

	plan.Schedules.Drill = cadence(t, "monthly on 1 at 09:00")
	steps := s.plan(wanted(t, plan))
	at := slices.IndexFunc(steps, func(step app.ScheduleStep) bool { return step.ID == id })
	require.Equal(t, app.ScheduleChange, steps[at].Do)
	require.True(t, steps[at].Paused)
	require.Equal(t, "sam: we are moving", steps[at].Note)
	s.apply(wanted(t, plan))
	now := s.describe(id).Schedule
	require.True(t, now.State.Paused)
	require.Equal(t, "sam: we are moving", now.State.Note)
	require.Len(t, s.due(id, time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2027, 4, 2, 0, 0, 0, 0, time.UTC)), 3, "its times are changed all the same")
	s.requireSettled(wanted(t, plan))

	require.NoError(t, s.handle(id).Unpause(t.Context(), client.ScheduleUnpauseOptions{Note: "sam: we have moved"}))
	require.Equal(t, app.ScheduleChange, s.apply(wanted(t, plan))[id])
	require.Contains(t, s.describe(id).Schedule.State.Note, "monthly on 1 at 09:00", "its own note is back")
	s.requireSettled(wanted(t, plan))
}

func TestApplyStopsAtWhatChangedMeanwhile(t *testing.T) {
	s := startScheduler(t)
	want := wanted(t, where2eat(t))
	steps := s.plan(want)
	s.apply(want[1:2])
	done, err := app.ApplySchedules(t.Context(), s.client, steps)
	require.Equal(t, 1, done)
	require.EqualError(t, err, "create schedule lifeboat/verify/where2eat: somebody made it in the meantime: plan again")
	s.apply(want)
	s.requireSettled(want)
}
