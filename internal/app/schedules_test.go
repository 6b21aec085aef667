package app_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func cadence(t *testing.T, text string) recovery.Cadence {
	t.Helper()
	c, err := recovery.ParseCadence(text)
	require.NoError(t, err)
	return c
}

// where2eat is a service that has every schedule there is.
func where2eat(t *testing.T) *recovery.Plan {
	t.Helper()
	return &recovery.Plan{
		Service: "where2eat", TimeZone: "America/New_York", Encryption: recovery.EncryptionSpec{Identities: "file:age.key"},
		Sources: []recovery.SourceSpec{
			{Name: "db", Every: cadence(t, "1h")},
			{Name: "notes", Every: cadence(t, "24h at 03:00")},
			{Name: "users", Every: cadence(t, "1h")},
			{Name: "cache", Every: cadence(t, "never")},
		},
		Schedules: recovery.SchedulesSpec{
			Verify: cadence(t, "weekly on sunday at 04:00"), Drill: cadence(t, "quarterly on 15 at 09:00"), Prune: cadence(t, "24h at 05:00"),
		},
	}
}

// wanted are the schedules of services, with a digest.
func wanted(t *testing.T, plans ...*recovery.Plan) []app.Schedule {
	t.Helper()
	return app.Schedules(plans, &recovery.DigestSpec{Every: cadence(t, "24h at 07:30"), TimeZone: "Europe/Berlin"})
}

func byID(t *testing.T, all []app.Schedule, id string) app.Schedule {
	t.Helper()
	for _, s := range all {
		if s.ID == id {
			return s
		}
	}
	require.Fail(t, "there is no schedule "+id)
	return app.Schedule{}
}

func TestSchedulesOfAService(t *testing.T) {
	all := wanted(t, where2eat(t))
	require.Len(t, all, 5)
	for _, want := range []struct {
		id, playbook, run, input, note string
		jitter, catchup                time.Duration
		overlap                        enums.ScheduleOverlapPolicy
	}{
		{
			id: "lifeboat/backup/where2eat", playbook: "BackupAndVerify", run: "BackupAndVerify/where2eat/scheduled", input: `{"service":"where2eat","due":true}`,
			note:   "Backs up where2eat: db every 1h, notes every 24h at 03:00, users every 1h (America/New_York).",
			jitter: 3 * time.Minute, catchup: 30 * time.Minute, overlap: enums.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
		},
		{
			id: "lifeboat/verify/where2eat", playbook: "Verify", run: "Verify/where2eat/scheduled", input: `{"service":"where2eat","rotate":true}`,
			note:   "Restores the newest set of where2eat from one of its copies, each in turn, and proves it: weekly on sunday at 04:00 (America/New_York).",
			jitter: 5 * time.Minute, catchup: 24 * time.Hour, overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		},
		{
			id: "lifeboat/drill/where2eat", playbook: "RestoreDrill", run: "RestoreDrill/where2eat/scheduled", input: `{"service":"where2eat","scheduled":true}`,
			note:   "Rehearses a restore of where2eat on staging: quarterly on 15 at 09:00 (America/New_York).",
			jitter: 5 * time.Minute, catchup: 7 * 24 * time.Hour, overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		},
		{
			id: "lifeboat/prune/where2eat", playbook: "Prune", run: "Prune/where2eat/scheduled", input: `{"service":"where2eat"}`,
			note:   "Removes the sets of where2eat that its retention gives up: every 24h at 05:00 (America/New_York).",
			jitter: 5 * time.Minute, catchup: time.Hour, overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		},
		{
			id: "lifeboat/digest", playbook: "Digest", run: "Digest/scheduled", input: `{}`,
			note:   "Tells how all services stand: every 24h at 07:30 (Europe/Berlin).",
			jitter: 5 * time.Minute, catchup: 2 * time.Hour, overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		},
	} {
		t.Run(want.id, func(t *testing.T) {
			s := byID(t, all, want.id)
			action := s.Body.Action.(*client.ScheduleWorkflowAction)
			require.Equal(t, want.playbook, action.Workflow)
			require.Equal(t, want.run, action.ID)
			require.Equal(t, "lifeboat", action.TaskQueue)
			input, err := json.Marshal(action.Args)
			require.NoError(t, err)
			require.Equal(t, "["+want.input+"]", string(input))
			require.Equal(t, want.note+" Made by starter schedules apply: change lifeboat.yaml, not this.", s.Body.State.Note)
			require.Equal(t, want.jitter, s.Body.Spec.Jitter)
			require.Equal(t, client.SchedulePolicies{Overlap: want.overlap, CatchupWindow: want.catchup}, *s.Body.Policy)
		})
	}
}

func TestOneScheduleForAllSources(t *testing.T) {
	spec := byID(t, wanted(t, where2eat(t)), workflows.BackupScheduleID("where2eat")).Body.Spec
	all := []client.ScheduleRange{{Start: 0, End: 6}}
	require.Equal(t, []client.ScheduleCalendarSpec{
		{
			Second: []client.ScheduleRange{{}}, Minute: []client.ScheduleRange{{}}, Hour: []client.ScheduleRange{{Start: 0, End: 23, Step: 1}},
			DayOfMonth: []client.ScheduleRange{{Start: 1, End: 31}}, Month: []client.ScheduleRange{{Start: 1, End: 12}}, DayOfWeek: all, Comment: "db, users",
		},
		{
			Second: []client.ScheduleRange{{}}, Minute: []client.ScheduleRange{{}}, Hour: []client.ScheduleRange{{Start: 3}},
			DayOfMonth: []client.ScheduleRange{{Start: 1, End: 31}}, Month: []client.ScheduleRange{{Start: 1, End: 12}}, DayOfWeek: all, Comment: "notes",
		},
	}, spec.Calendars)
}

// Where nobody can open a set, nobody can prove one.
func TestNothingIsProvenWithoutAKey(t *testing.T) {
	plan := where2eat(t)
	plan.Encryption.Identities = ""
	var ids []string
	for _, s := range app.Schedules([]*recovery.Plan{plan}, nil) {
		ids = append(ids, s.ID)
	}
	require.Equal(t, []string{"lifeboat/backup/where2eat", "lifeboat/prune/where2eat"}, ids)
}

func TestNoScheduleWithoutACadence(t *testing.T) {
	plan := &recovery.Plan{
		Service: "where2eat", Sources: []recovery.SourceSpec{{Name: "db", Every: cadence(t, "never")}, {Name: "notes"}},
		Schedules: recovery.SchedulesSpec{Drill: cadence(t, "never"), Prune: cadence(t, "24h")},
	}
	all := app.Schedules([]*recovery.Plan{plan}, nil)
	require.Len(t, all, 1)
	require.Equal(t, workflows.PruneScheduleID("where2eat"), all[0].ID)
	require.Equal(t, "UTC", all[0].Body.Spec.TimeZoneName)
	require.Empty(t, app.Schedules(nil, &recovery.DigestSpec{Every: cadence(t, "never")}))
}

func TestTimesOfBackupsFollowTheShortestCadence(t *testing.T) {
	for _, test := range []struct {
		every           []string
		jitter, catchup time.Duration
	}{
		{every: []string{"24h at 03:00"}, jitter: 5 * time.Minute, catchup: 6 * time.Hour},
		{every: []string{"24h", "2h"}, jitter: 5 * time.Minute, catchup: time.Hour},
		{every: []string{"1h", "weekly"}, jitter: 3 * time.Minute, catchup: 30 * time.Minute},
	} {
		plan := &recovery.Plan{Service: "where2eat"}
		for i, every := range test.every {
			plan.Sources = append(plan.Sources, recovery.SourceSpec{Name: string(rune('a' + i)), Every: cadence(t, every)})
		}
		s := app.Schedules([]*recovery.Plan{plan}, nil)[0]
		require.Equal(t, test.jitter, s.Body.Spec.Jitter, test.every)
		require.Equal(t, test.catchup, s.Body.Policy.CatchupWindow, test.every)
	}
}

// described is a schedule as the server would describe it, worded its own way.
func described(t *testing.T, s app.Schedule) app.FoundSchedule {
	t.Helper()
	payload := func(value any) *common.Payload {
		p, err := converter.GetDefaultDataConverter().ToPayload(value)
		require.NoError(t, err)
		return p
	}
	action := *s.Body.Action.(*client.ScheduleWorkflowAction)
	action.Args = []any{payload(action.Args[0])}
	spec := *s.Body.Spec
	spec.Calendars = nil
	for _, c := range s.Body.Spec.Calendars {
		spec.Calendars = append(spec.Calendars, client.ScheduleCalendarSpec{
			Second: reworded(c.Second), Minute: reworded(c.Minute), Hour: reworded(c.Hour), DayOfMonth: reworded(c.DayOfMonth),
			Month: reworded(c.Month), DayOfWeek: reworded(c.DayOfWeek), Year: []client.ScheduleRange{}, Comment: c.Comment,
		})
	}
	policy, state := *s.Body.Policy, *s.Body.State
	return app.FoundSchedule{ID: s.ID, ScheduleDescription: &client.ScheduleDescription{
		Schedule: client.Schedule{Action: &action, Spec: &spec, Policy: &policy, State: &state},
		Info:     client.ScheduleInfo{NextActionTimes: []time.Time{time.Date(2027, 1, 15, 9, 0, 0, 0, time.UTC)}},
		Memo:     &common.Memo{Fields: map[string]*common.Payload{"madeBy": payload("starter schedules apply")}},
	}}
}

func reworded(list []client.ScheduleRange) []client.ScheduleRange {
	var out []client.ScheduleRange
	for _, r := range list {
		out = append(out, client.ScheduleRange{Start: r.Start, End: max(r.Start, r.End), Step: max(r.Step, 1)})
	}
	return out
}

func compare(t *testing.T, want []app.Schedule, found ...app.FoundSchedule) []app.ScheduleStep {
	t.Helper()
	steps, err := app.CompareSchedules(want, found)
	require.NoError(t, err)
	return steps
}

func TestWhatIsAsItShouldBeIsKept(t *testing.T) {
	want := wanted(t, where2eat(t))
	var found []app.FoundSchedule
	for _, s := range want {
		found = append(found, described(t, s))
	}
	for _, step := range compare(t, want, found...) {
		require.Equal(t, app.ScheduleKeep, step.Do, "%s: %v", step.ID, step.Differs)
		require.Equal(t, time.Date(2027, 1, 15, 9, 0, 0, 0, time.UTC), step.Next)
	}
}

func TestWhatSomebodyChangedIsSeen(t *testing.T) {
	const note = "Rehearses a restore of where2eat on staging: quarterly on 15 at 09:00 (America/New_York). Made by starter schedules apply: change lifeboat.yaml, not this."
	action := func(s *client.Schedule) *client.ScheduleWorkflowAction {
		return s.Action.(*client.ScheduleWorkflowAction)
	}
	type difference = app.ScheduleDifference
	for name, test := range map[string]struct {
		change func(*client.Schedule)
		want   difference
	}{
		"hour": {
			change: func(s *client.Schedule) {
				s.Spec.Calendars[0].Hour = []client.ScheduleRange{{Start: 8, End: 10, Step: 2}}
			},
			want: difference{What: "times", Is: "0 8,10 15 1,4,7,10 *", Should: "0 9 15 1,4,7,10 *"},
		},
		"second": {
			change: func(s *client.Schedule) { s.Spec.Calendars[0].Second = []client.ScheduleRange{{Start: 30}} },
			want:   difference{What: "times", Is: "second 30 of 0 9 15 1,4,7,10 *", Should: "0 9 15 1,4,7,10 *"},
		},
		"year": {
			change: func(s *client.Schedule) { s.Spec.Calendars[0].Year = []client.ScheduleRange{{Start: 2027, End: 2028}} },
			want:   difference{What: "times", Is: "0 9 15 1,4,7,10 * of 2027,2028", Should: "0 9 15 1,4,7,10 *"},
		},
		"more times": {
			change: func(s *client.Schedule) {
				s.Spec.Calendars = append(s.Spec.Calendars, client.ScheduleCalendarSpec{Minute: []client.ScheduleRange{{Start: 5}}, Hour: []client.ScheduleRange{{Start: 1}}, Second: []client.ScheduleRange{{}}})
			},
			want: difference{What: "times", Is: "0 9 15 1,4,7,10 * and 5 1 * * *", Should: "0 9 15 1,4,7,10 *"},
		},
		"interval": {
			change: func(s *client.Schedule) { s.Spec.Intervals = []client.ScheduleIntervalSpec{{Every: time.Hour}} },
			want:   difference{What: "times", Is: "0 9 15 1,4,7,10 * and each 1h after 0s", Should: "0 9 15 1,4,7,10 *"},
		},
		"left out": {
			change: func(s *client.Schedule) { s.Spec.Skip = s.Spec.Calendars },
			want:   difference{What: "times", Is: "0 9 15 1,4,7,10 * and not 0 9 15 1,4,7,10 *", Should: "0 9 15 1,4,7,10 *"},
		},
		"end": {
			change: func(s *client.Schedule) { s.Spec.EndAt = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) },
			want:   difference{What: "times", Is: "0 9 15 1,4,7,10 * and until 2027-01-01T00:00:00Z", Should: "0 9 15 1,4,7,10 *"},
		},
		"time zone": {
			change: func(s *client.Schedule) { s.Spec.TimeZoneName = "" },
			want:   difference{What: "time zone", Is: "UTC", Should: "America/New_York"},
		},
		"jitter": {
			change: func(s *client.Schedule) { s.Spec.Jitter = time.Hour },
			want:   difference{What: "jitter", Is: "1h", Should: "5m"},
		},
		"catch-up window": {
			change: func(s *client.Schedule) { s.Policy.CatchupWindow = time.Minute },
			want:   difference{What: "catch-up window", Is: "1m", Should: "168h"},
		},
		"overlap": {
			change: func(s *client.Schedule) { s.Policy.Overlap = enums.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL },
			want:   difference{What: "overlap", Is: "AllowAll", Should: "Skip"},
		},
		"pause on failure": {
			change: func(s *client.Schedule) { s.Policy.PauseOnFailure = true },
			want:   difference{What: "pause on failure", Is: "true", Should: "false"},
		},
		"runs left": {
			change: func(s *client.Schedule) { s.State.LimitedActions, s.State.RemainingActions = true, 3 },
			want:   difference{What: "runs", Is: "3 more", Should: "no end"},
		},
		"playbook": {
			change: func(s *client.Schedule) { action(s).Workflow = "Restore" },
			want:   difference{What: "starts", Is: "Restore", Should: "RestoreDrill"},
		},
		"run's id": {
			change: func(s *client.Schedule) { action(s).ID = "drill" },
			want:   difference{What: "run's id", Is: "drill", Should: "RestoreDrill/where2eat/scheduled"},
		},
		"queue": {
			change: func(s *client.Schedule) { action(s).TaskQueue = "restore" },
			want:   difference{What: "queue", Is: "restore", Should: "lifeboat"},
		},
		"input": {
			change: func(s *client.Schedule) {
				action(s).Args[0].(*common.Payload).Data = []byte(`{"service": "wiki", "scheduled": true}`)
			},
			want: difference{What: "input", Is: `{"scheduled":true,"service":"wiki"}`, Should: `{"scheduled":true,"service":"where2eat"}`},
		},
		"input that is none": {
			change: func(s *client.Schedule) { action(s).Args[0].(*common.Payload).Data = []byte(`{`) },
			want:   difference{What: "input", Is: "unreadable", Should: `{"scheduled":true,"service":"where2eat"}`},
		},
		"summary": {
			change: func(s *client.Schedule) { action(s).StaticSummary = "" },
			want:   difference{What: "summary", Should: "RestoreDrill of where2eat"},
		},
		"limits": {
			change: func(s *client.Schedule) {
				action(s).WorkflowExecutionTimeout, action(s).WorkflowRunTimeout, action(s).RetryPolicy = time.Hour, time.Minute, &temporal.RetryPolicy{}
			},
			want: difference{What: "limits of a run", Is: "execution timeout 1h, run timeout 1m, retried", Should: "none"},
		},
		"note": {
			change: func(s *client.Schedule) { s.State.Note = "unpaused via CLI" },
			want:   difference{What: "note", Is: "unpaused via CLI", Should: note},
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := []app.Schedule{byID(t, wanted(t, where2eat(t)), workflows.DrillScheduleID("where2eat"))}
			found := described(t, want[0])
			test.change(&found.Schedule)
			steps := compare(t, want, found)
			require.Len(t, steps, 1)
			require.Equal(t, app.ScheduleChange, steps[0].Do)
			require.Equal(t, []difference{test.want}, steps[0].Differs)
		})
	}
}

func TestTheSameTimesInOtherWordsAreNoChange(t *testing.T) {
	want := []app.Schedule{byID(t, wanted(t, where2eat(t)), workflows.BackupScheduleID("where2eat"))}
	found := described(t, want[0])
	calendars := found.Schedule.Spec.Calendars
	calendars[0].Hour = []client.ScheduleRange{{Start: 1, End: 23, Step: 2}, {Start: 0, End: 22, Step: 2}}
	found.Schedule.Spec.Calendars = []client.ScheduleCalendarSpec{calendars[1], calendars[0], calendars[1]}
	found.Schedule.Action.(*client.ScheduleWorkflowAction).Args[0].(*common.Payload).Data = []byte(`{ "due": true, "service": "where2eat" }`)
	require.Equal(t, app.ScheduleKeep, compare(t, want, found)[0].Do)
}

func TestAPauseIsNoChange(t *testing.T) {
	want := []app.Schedule{byID(t, wanted(t, where2eat(t)), workflows.DrillScheduleID("where2eat"))}
	found := described(t, want[0])
	found.Schedule.State.Paused, found.Schedule.State.Note = true, "sam: we are moving"
	step := compare(t, want, found)[0]
	require.Equal(t, app.ScheduleStep{Do: app.ScheduleKeep, ID: want[0].ID, Paused: true, Note: "sam: we are moving"}, step)
}

func TestOthersSchedulesAreLeftAlone(t *testing.T) {
	want := wanted(t, where2eat(t))
	gone := described(t, byID(t, wanted(t, &recovery.Plan{Service: "wiki", Schedules: recovery.SchedulesSpec{Prune: cadence(t, "24h")}}), workflows.PruneScheduleID("wiki")))
	require.Contains(t, what(compare(t, want, gone)), gone.ID)
	require.Equal(t, app.ScheduleRemove, what(compare(t, want, gone))[gone.ID])
	gone.Memo = nil
	require.NotContains(t, what(compare(t, want, gone)), gone.ID, "nothing says that Lifeboat made it")

	for name, memo := range map[string]*common.Memo{
		"none":    nil,
		"other":   {Fields: map[string]*common.Payload{"madeBy": {Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(`"somebody"`)}}},
		"no text": {Fields: map[string]*common.Payload{"madeBy": {Data: []byte(`{`)}}},
	} {
		t.Run(name, func(t *testing.T) {
			foreign := described(t, want[0])
			foreign.Memo = memo
			_, err := app.CompareSchedules(want, []app.FoundSchedule{foreign})
			require.EqualError(t, err, "make schedule lifeboat/backup/where2eat: Temporal has one of that id that Lifeboat did not make (if nobody needs it: temporal schedule delete --schedule-id lifeboat/backup/where2eat)")
			require.Equal(t, recovery.Permanent, recovery.KindOf(err))
		})
	}
}

// what says what is done, by the schedules' ids.
func what(steps []app.ScheduleStep) map[string]string {
	did := map[string]string{}
	for _, s := range steps {
		did[s.ID] = s.Do
	}
	return did
}
