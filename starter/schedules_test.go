package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/devserver"
)

// newScheduled makes the working folder an installation with an empty Temporal.
func newScheduled(t *testing.T) client.Client {
	t.Helper()
	server := devserver.StartTemporal(t)
	t.Setenv("TEMPORAL_ADDRESS", server.Address)
	t.Setenv("TEMPORAL_NAMESPACE", server.Namespace)
	bucket := filepath.Join(t.TempDir(), "bucket")
	require.NoError(t, os.Mkdir(bucket, 0o700))
	t.Chdir(t.TempDir())
	code, _, stderr := talk(t, "", "init", "--service", "diary", "--owner", "ann", "--person", "ann", "--postgres", "-", "--sqlite", "diary.db",
		"--destination", "file://"+bucket, "--staging-folder", "staging")
	require.Zero(t, code, stderr)
	c, err := client.Dial(client.Options{HostPort: server.Address, Namespace: server.Namespace, Logger: app.NewTemporalLogger(zap.NewNop())})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// schedules runs `starter schedules`, which must end well.
func schedules(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := talk(t, "", append([]string{"schedules"}, args...)...)
	require.Zero(t, code, stderr)
	require.Empty(t, stderr)
	return stdout
}

// awaitListed waits until Temporal lists all schedules: its list may lag behind what
// was made.
func awaitListed(t *testing.T, c client.Client) {
	t.Helper()
	var steps []app.ScheduleStep
	require.NoError(t, json.Unmarshal([]byte(schedules(t, "plan", "--json")), &steps))
	require.Eventually(t, func() bool {
		found, err := app.ListSchedules(t.Context(), c)
		require.NoError(t, err)
		return len(found) == len(steps)
	}, 30*time.Second, 50*time.Millisecond)
}

func TestSchedulesAreMadeAndThenLeftAlone(t *testing.T) {
	c := newScheduled(t)
	require.Equal(t, "there are no schedules; make them: starter schedules apply\n", schedules(t, "list"))
	plan := schedules(t, "plan")
	require.Contains(t, plan, "create  lifeboat/backup/diary  Backs up diary: sqlite every 24h at 03:00 (UTC).\n")
	require.True(t, strings.HasSuffix(plan, " to create; to carry this out: starter schedules apply\n"), plan)
	require.Equal(t, plan, schedules(t, "plan"), "a plan changes nothing")

	applied := schedules(t, "apply")
	require.Contains(t, applied, "create  lifeboat/drill/diary ")
	require.True(t, strings.HasSuffix(applied, " created\n"), applied)
	again := schedules(t, "apply")
	require.Regexp(t, `^no change: \d schedules are as they should be\n$`, again)
	require.Equal(t, again, schedules(t, "plan"))

	awaitListed(t, c)
	list := schedules(t, "list")
	require.Contains(t, list, "SCHEDULE")
	require.Regexp(t, `(?m)^lifeboat/drill/diary +20\d\d-\d\d-15 09:0\d:\d\d UTC +- +0 +0 +Rehearses a restore of diary on staging: quarterly on 15 at 09:00 \(UTC\)\.$`, list)
}

func TestSchedulesThatPeopleTouchedAreTold(t *testing.T) {
	c := newScheduled(t)
	schedules(t, "apply")
	require.NoError(t, c.ScheduleClient().GetHandle(t.Context(), "lifeboat/drill/diary").Pause(t.Context(), client.SchedulePauseOptions{Note: "ann: on holiday"}))
	paused := "paused: ann: on holiday (it stays paused until somebody resumes it: temporal schedule toggle --unpause --schedule-id lifeboat/drill/diary)\n"
	require.Regexp(t, `^keep +lifeboat/drill/diary +`+regexp.QuoteMeta(paused)+`no change: `, schedules(t, "plan"))

	require.NoError(t, c.ScheduleClient().GetHandle(t.Context(), "lifeboat/prune/diary").Update(t.Context(), client.ScheduleUpdateOptions{
		DoUpdate: func(now client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			now.Description.Schedule.Spec.TimeZoneName = "Asia/Tokyo"
			now.Description.Schedule.State.Note = "in the evening"
			return &client.ScheduleUpdate{Schedule: &now.Description.Schedule}, nil
		},
	}))
	plan := schedules(t, "plan")
	require.Regexp(t, `(?m)^change +lifeboat/prune/diary +time zone: now "Asia/Tokyo", should be "UTC"\n +note: now "in the evening", should be "Removes`, plan)
	require.Regexp(t, `\n1 to change, \d as before; to carry this out: starter schedules apply\n$`, plan)
	applied := schedules(t, "apply")
	require.Contains(t, applied, paused)
	require.Regexp(t, `\n1 changed, \d as before\n$`, applied)
	awaitListed(t, c)
	require.Regexp(t, `(?m)^lifeboat/drill/diary +paused .* ann: on holiday$`, schedules(t, "list"))
}

func TestSchedulesAsJSON(t *testing.T) {
	c := newScheduled(t)
	var steps []app.ScheduleStep
	require.NoError(t, json.Unmarshal([]byte(schedules(t, "apply", "--json")), &steps))
	require.NotEmpty(t, steps)
	for _, step := range steps {
		require.Equal(t, app.ScheduleCreate, step.Do)
	}
	require.NoError(t, json.Unmarshal([]byte(schedules(t, "plan", "--json")), &steps))
	for _, step := range steps {
		require.Equal(t, app.ScheduleKeep, step.Do)
		require.NotZero(t, step.Next)
	}
	awaitListed(t, c)
	var lines []scheduleLine
	require.NoError(t, json.Unmarshal([]byte(schedules(t, "list", "--json")), &lines))
	require.Len(t, lines, len(steps))

	require.NoError(t, c.ScheduleClient().GetHandle(t.Context(), "lifeboat/backup/diary").Delete(t.Context()))
	_, err := c.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
		ID: "lifeboat/backup/diary", Action: &client.ScheduleWorkflowAction{ID: "other", Workflow: "Other", TaskQueue: "other"},
	})
	require.NoError(t, err)
	code, stdout, stderr := talk(t, "", "schedules", "apply", "--json")
	require.Equal(t, exitFailed, code)
	require.Empty(t, stdout)
	require.Equal(t, `starter: error: plan schedules: make schedule lifeboat/backup/diary: Temporal has one of that id that Lifeboat did not make
starter: hint: if nobody needs it: temporal schedule delete --schedule-id lifeboat/backup/diary
`, stderr)
}
