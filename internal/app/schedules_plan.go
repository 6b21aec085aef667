package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// What is done to a schedule.
const (
	ScheduleCreate = "create"
	ScheduleChange = "change"
	ScheduleRemove = "remove"
	ScheduleKeep   = "keep" // it is as it should be
)

// ScheduleStep says what is done to one schedule, and why.
type ScheduleStep struct {
	Do      string               `json:"do"`
	ID      string               `json:"id"`
	Differs []ScheduleDifference `json:"differs,omitempty"` // change
	// Paused: a person paused it, and it stays so. Note is theirs then; otherwise it
	// says what the schedule does.
	Paused bool      `json:"paused,omitempty"`
	Note   string    `json:"note"`
	Next   time.Time `json:"next,omitzero"` // the next run, jitter included

	want *Schedule // create, change
}

// ScheduleDifference is one thing in which a schedule is not as it should be, in
// words.
type ScheduleDifference struct {
	What   string `json:"what"`
	Is     string `json:"is"`
	Should string `json:"should"`
}

// FoundSchedule is a schedule as Temporal describes it.
type FoundSchedule struct {
	ID string
	*client.ScheduleDescription
}

// ours says whether Lifeboat made it.
func (f FoundSchedule) ours() bool {
	var by string
	payload, marked := f.Memo.GetFields()[memoMaker]
	return marked && converter.GetDefaultDataConverter().FromPayload(payload, &by) == nil && by == maker
}

// Next is when it runs next, jitter included; false if it is paused (its times are
// told even then) or has no time left.
func (f FoundSchedule) Next() (time.Time, bool) {
	if f.Schedule.State.Paused || len(f.Info.NextActionTimes) == 0 {
		return time.Time{}, false
	}
	return f.Info.NextActionTimes[0].UTC(), true
}

// CompareSchedules says what must be done to what was found so that it is what is
// wanted. What others made is left alone; it is a Permanent fault if it stands in
// the way.
func CompareSchedules(want []Schedule, found []FoundSchedule) ([]ScheduleStep, error) {
	var steps []ScheduleStep
	var conflicts []error
	for i := range want {
		w := &want[i]
		at := slices.IndexFunc(found, func(f FoundSchedule) bool { return f.ID == w.ID })
		switch {
		case at < 0:
			steps = append(steps, ScheduleStep{Do: ScheduleCreate, ID: w.ID, Note: w.Body.State.Note, want: w})
		case !found[at].ours():
			conflicts = append(conflicts, recovery.NewFault(recovery.Permanent, fmt.Errorf("make schedule %s: Temporal has one of that id that Lifeboat did not make", w.ID),
				"if nobody needs it: temporal schedule delete --schedule-id "+w.ID))
		default:
			step := stepOf(found[at], ScheduleKeep)
			if step.Differs = differences(&found[at].Schedule, &w.Body); len(step.Differs) > 0 {
				step.Do, step.want = ScheduleChange, w
			}
			steps = append(steps, step)
		}
	}
	for _, f := range found {
		if f.ours() && !slices.ContainsFunc(want, func(w Schedule) bool { return w.ID == f.ID }) {
			steps = append(steps, stepOf(f, ScheduleRemove))
		}
	}
	return steps, errors.Join(conflicts...)
}

func stepOf(f FoundSchedule, do string) ScheduleStep {
	step := ScheduleStep{Do: do, ID: f.ID, Paused: f.Schedule.State.Paused, Note: f.Schedule.State.Note}
	step.Next, _ = f.Next()
	return step
}

// differences compares two schedules by what they mean: the server words the same
// times differently.
func differences(is, should *client.Schedule) []ScheduleDifference {
	before, after := traits(is), traits(should)
	var list []ScheduleDifference
	for i := range after {
		// Whoever pauses a schedule replaces its note by the reason.
		if after[i].name == traitNote && is.State.Paused {
			continue
		}
		if before[i] != after[i] {
			list = append(list, ScheduleDifference{What: after[i].name, Is: before[i].value, Should: after[i].value})
		}
	}
	return list
}

// trait is one thing about a schedule, in words; equal words mean the same.
type trait struct{ name, value string }

const traitNote = "note"

// traits lists all that Lifeboat decides about a schedule, always in the same order.
// Whether it is paused is a person's to decide.
func traits(s *client.Schedule) []trait {
	action, _ := s.Action.(*client.ScheduleWorkflowAction)
	if action == nil {
		action = &client.ScheduleWorkflowAction{}
	}
	overlap := s.Policy.Overlap
	if overlap == enums.SCHEDULE_OVERLAP_POLICY_UNSPECIFIED {
		overlap = enums.SCHEDULE_OVERLAP_POLICY_SKIP
	}
	runs := "no end"
	if s.State.LimitedActions {
		runs = fmt.Sprintf("%d more", s.State.RemainingActions)
	}
	return []trait{
		{"times", timesText(s.Spec)},
		{"time zone", orElse(s.Spec.TimeZoneName, "UTC")},
		{"jitter", recovery.Duration(s.Spec.Jitter).String()},
		{"catch-up window", recovery.Duration(s.Policy.CatchupWindow).String()},
		{"overlap", overlap.String()},
		{"pause on failure", strconv.FormatBool(s.Policy.PauseOnFailure)},
		{"runs", runs},
		{"starts", fmt.Sprint(action.Workflow)},
		{"run's id", action.ID},
		{"queue", action.TaskQueue},
		{"input", inputText(action.Args)},
		{"summary", action.StaticSummary},
		{"limits of a run", limitsText(action)},
		{traitNote, s.State.Note},
	}
}

// timesText writes the times of a spec as lines of cron, sorted, and whatever else
// decides when it is due.
func timesText(s *client.ScheduleSpec) string {
	var parts []string
	for _, c := range s.Calendars {
		parts = append(parts, calendarText(c))
	}
	for _, cron := range s.CronExpressions {
		parts = append(parts, "cron "+cron)
	}
	for _, i := range s.Intervals {
		parts = append(parts, fmt.Sprintf("each %s after %s", recovery.Duration(i.Every), recovery.Duration(i.Offset)))
	}
	for _, c := range s.Skip {
		parts = append(parts, "not "+calendarText(c))
	}
	slices.Sort(parts)
	parts = slices.Compact(parts)
	if !s.StartAt.IsZero() {
		parts = append(parts, "from "+s.StartAt.UTC().Format(time.RFC3339))
	}
	if !s.EndAt.IsZero() {
		parts = append(parts, "until "+s.EndAt.UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, " and ")
}

// calendarText writes a calendar as cron does: minute, hour, day, month, weekday; the
// second before and the year after them only where they are not what cron means.
func calendarText(c client.ScheduleCalendarSpec) string {
	fields := []string{
		rangeText(c.Minute, 0, 59), rangeText(c.Hour, 0, 23), rangeText(c.DayOfMonth, 1, 31), rangeText(c.Month, 1, 12), rangeText(c.DayOfWeek, 0, 6),
	}
	if second := rangeText(c.Second, 0, 59); second != "0" {
		fields = append([]string{"second " + second + " of"}, fields...)
	}
	if len(c.Year) > 0 {
		fields = append(fields, "of "+rangeText(c.Year, 0, 9999))
	}
	return strings.Join(fields, " ")
}

// rangeText lists the values of ranges, sorted; all of them, or no range, is "*".
func rangeText(list []client.ScheduleRange, first, last int) string {
	var values []int
	for _, r := range list {
		for v := r.Start; v <= max(r.End, r.Start); v += max(r.Step, 1) {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) == 0 || len(values) == last-first+1 {
		return "*"
	}
	var texts []string
	for _, v := range values {
		texts = append(texts, strconv.Itoa(v))
	}
	return strings.Join(texts, ",")
}

// inputText writes the input of a run as compact JSON with its keys sorted. What is
// no JSON is not ours, and is only said to be so.
func inputText(args []any) string {
	var texts []string
	for _, arg := range args {
		payload, encoded := arg.(*common.Payload)
		data := payload.GetData()
		if !encoded {
			var err error
			if data, err = json.Marshal(arg); err != nil {
				texts = append(texts, "unreadable")
				continue
			}
		}
		var value any
		if json.Unmarshal(data, &value) != nil {
			texts = append(texts, "unreadable")
			continue
		}
		sorted, err := json.Marshal(value)
		if err != nil {
			sorted = data
		}
		texts = append(texts, string(sorted))
	}
	return strings.Join(texts, ", ")
}

// limitsText says what would end or repeat a run from outside: nothing, as
// playbooks keep their own time.
func limitsText(a *client.ScheduleWorkflowAction) string {
	var limits []string
	if a.WorkflowExecutionTimeout > 0 {
		limits = append(limits, "execution timeout "+recovery.Duration(a.WorkflowExecutionTimeout).String())
	}
	if a.WorkflowRunTimeout > 0 {
		limits = append(limits, "run timeout "+recovery.Duration(a.WorkflowRunTimeout).String())
	}
	if a.RetryPolicy != nil {
		limits = append(limits, "retried")
	}
	return orElse(strings.Join(limits, ", "), "none")
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
