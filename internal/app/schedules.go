package app

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// The memo of a schedule that Lifeboat made.
const (
	memoMaker    = "madeBy"
	memoService  = "service"
	memoPlaybook = "playbook"
	maker        = "starter schedules apply"
)

// ScheduleNoteEnd ends a schedule's note: it tells whoever looks at it in the Temporal
// UI where it comes from.
const ScheduleNoteEnd = " Made by " + maker + ": change lifeboat.yaml, not this."

// Schedule is a Temporal Schedule as it should be.
type Schedule struct {
	ID       string
	Playbook string // workflow type
	Service  string // empty for what concerns all
	Body     client.Schedule
}

// Schedules returns the schedules that services ask for, and that of the digest,
// if there is one.
func Schedules(plans []*recovery.Plan, digest *recovery.DigestSpec) []Schedule {
	var all []Schedule
	for _, p := range plans {
		all = append(all, schedulesOf(p)...)
	}
	if digest == nil {
		return all
	}
	return append(all, timetable{
		id: workflows.DigestScheduleID, playbook: workflows.TypeDigest, input: workflows.DigestInput{}, does: "Tells how all services stand",
		zone: digest.TimeZone, catchup: 2 * time.Hour,
	}.every(digest.Every)...)
}

func schedulesOf(p *recovery.Plan) []Schedule {
	s := p.Service
	all := backupSchedule(p)
	if p.Encryption.Identities != "" { // nobody here can open a set otherwise
		all = append(all, provingSchedules(p)...)
	}
	if p.Deploy != nil {
		all = append(all, releaseSchedules(p)...)
	}
	return append(all, timetable{
		id: workflows.PruneScheduleID(s), playbook: workflows.TypePrune, service: s, input: workflows.PruneInput{Service: s},
		does: "Removes the sets of " + s + " that its retention gives up", zone: p.TimeZone, catchup: time.Hour,
	}.every(p.Schedules.Prune)...)
}

func provingSchedules(p *recovery.Plan) []Schedule {
	s := p.Service
	all := timetable{
		id: workflows.VerifyScheduleID(s), playbook: workflows.TypeVerify, service: s, input: workflows.VerifyInput{Service: s, Rotate: true},
		does: "Restores the newest set of " + s + " from one of its copies, each in turn, and proves it",
		zone: p.TimeZone, catchup: 24 * time.Hour,
	}.every(p.Schedules.Verify)
	return append(all, timetable{
		id: workflows.DrillScheduleID(s), playbook: workflows.TypeRestoreDrill, service: s, input: workflows.RestoreDrillInput{Service: s, Scheduled: true},
		does: "Rehearses a restore of " + s + " on staging", zone: p.TimeZone,
		catchup: 7 * 24 * time.Hour, // a drill comes four times a year: better late than in three months
	}.every(p.Schedules.Drill)...)
}

func releaseSchedules(p *recovery.Plan) []Schedule {
	s := p.Service
	all := timetable{
		id: workflows.ReleasesScheduleID(s), playbook: workflows.TypeWatchReleases, service: s, input: workflows.ReleaseInput{Service: s},
		does: "Watches which release of " + s + " runs, and whether it is well", zone: p.TimeZone, catchup: 10 * time.Minute,
		overlap: enums.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE, // a run lasts until the next one
	}.every(recovery.Cadence{Every: "1h"})
	return append(all, timetable{
		id: workflows.SmokeDeployScheduleID(s), playbook: workflows.TypeSmokeDeploy, service: s, input: workflows.ReleaseInput{Service: s},
		does: "Deploys the newest release of " + s + " to staging, and tests it there", zone: p.TimeZone, catchup: 24 * time.Hour,
	}.every(p.Schedules.SmokeDeploy)...)
}

// backupSchedule is one schedule for all sources of a service: it is due whenever one
// of them is, and its run finds out which.
func backupSchedule(p *recovery.Plan) []Schedule {
	t := timetable{
		id: workflows.BackupScheduleID(p.Service), playbook: workflows.TypeBackupAndVerify, service: p.Service,
		input: workflows.BackupAndVerifyInput{Service: p.Service, Due: true}, zone: p.TimeZone,
		// What proves a set goes on for longer than its cadence, maybe; backups themselves
		// stand in line, and one that comes late finds nothing to do.
		overlap: enums.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
	}
	var what []string
	for _, source := range p.Sources {
		if source.Every.Never() {
			continue
		}
		t.add(source.Every, source.Name)
		what = append(what, source.Name+" "+cadenceWords(source.Every))
	}
	if len(what) == 0 {
		return nil
	}
	// After an outage one run makes up for what was missed, as long as that is not nearer
	// to the next one than to its own time, or at another time of the day altogether.
	t.catchup = min(t.period/2, 6*time.Hour)
	t.does = "Backs up " + p.Service + ": " + strings.Join(what, ", ")
	return []Schedule{t.schedule()}
}

// timetable is what a schedule is made from.
type timetable struct {
	id, playbook, service string
	input                 any
	does                  string // what its runs do, in words
	zone                  string // IANA name; empty for UTC
	catchup               time.Duration
	overlap               enums.ScheduleOverlapPolicy // skip, if not said: one at a time is enough
	calendars             []client.ScheduleCalendarSpec
	period                time.Duration // the shortest of the cadences added
}

// every is the schedule of one cadence; none, if that is never.
func (t timetable) every(c recovery.Cadence) []Schedule {
	if c.Never() {
		return nil
	}
	t.add(c, "")
	t.does += ": " + cadenceWords(c)
	return []Schedule{t.schedule()}
}

// add adds the times of a cadence; those of equal cadences once.
func (t *timetable) add(c recovery.Cadence, comment string) {
	if period := c.Period().Std(); t.period == 0 || period < t.period {
		t.period = period
	}
	calendar := calendarSpec(c.Calendar())
	same := func(other client.ScheduleCalendarSpec) bool { return calendarText(other) == calendarText(calendar) }
	if i := slices.IndexFunc(t.calendars, same); i >= 0 {
		t.calendars[i].Comment += ", " + comment
		return
	}
	calendar.Comment = comment
	t.calendars = append(t.calendars, calendar)
}

// The spread of runs that are due at the same time, so that ten services do not all
// begin on the hour: a twentieth of the period, five minutes at most.
const (
	maxJitter   = 5 * time.Minute
	jitterShare = 20
)

func (t timetable) schedule() Schedule {
	if t.zone == "" {
		t.zone = "UTC"
	}
	if t.overlap == enums.SCHEDULE_OVERLAP_POLICY_UNSPECIFIED {
		t.overlap = enums.SCHEDULE_OVERLAP_POLICY_SKIP
	}
	runID, summary := t.playbook+"/scheduled", t.playbook
	if t.service != "" {
		runID, summary = workflows.PlaybookID(t.playbook, t.service, "scheduled"), t.playbook+" of "+t.service
	}
	return Schedule{
		ID: t.id, Playbook: t.playbook, Service: t.service,
		Body: client.Schedule{
			Action: &client.ScheduleWorkflowAction{
				ID: runID, Workflow: t.playbook, Args: []any{t.input}, TaskQueue: workflows.QueueLifeboat, StaticSummary: summary,
			},
			Spec: &client.ScheduleSpec{Calendars: t.calendars, TimeZoneName: t.zone, Jitter: min(t.period/jitterShare, maxJitter)},
			// A failed run never pauses the schedule: the next one may do better.
			Policy: &client.SchedulePolicies{Overlap: t.overlap, CatchupWindow: t.catchup},
			State:  &client.ScheduleState{Note: fmt.Sprintf("%s (%s).", t.does, t.zone) + ScheduleNoteEnd},
		},
	}
}

// memo marks a schedule as made by Lifeboat.
func (s Schedule) memo() map[string]any {
	memo := map[string]any{memoMaker: maker, memoPlaybook: s.Playbook}
	if s.Service != "" {
		memo[memoService] = s.Service
	}
	return memo
}

// cadenceWords says a cadence in a sentence: "every 6h at 00:30", "weekly on sunday
// at 04:00".
func cadenceWords(c recovery.Cadence) string {
	if strings.HasSuffix(c.Every, "h") {
		return "every " + c.String()
	}
	return c.String()
}

// calendarSpec writes a calendar as Temporal has it, where fields left out mean
// midnight rather than any time.
func calendarSpec(c recovery.Calendar) client.ScheduleCalendarSpec {
	return client.ScheduleCalendarSpec{
		Second:     []client.ScheduleRange{{Start: 0}},
		Minute:     []client.ScheduleRange{{Start: c.Minute}},
		Hour:       ranges(c.Hours, 0, 23),
		DayOfMonth: ranges(c.DaysOfMonth, 1, 31),
		Month:      ranges(c.Months, 1, 12),
		DayOfWeek:  ranges(c.Weekdays, 0, 6),
	}
}

// ranges writes values as ranges: as one if their distances are equal, which is
// easier to read in the Temporal UI. No values stand for all.
func ranges[T ~int](values []T, first, last int) []client.ScheduleRange {
	if len(values) == 0 {
		return []client.ScheduleRange{{Start: first, End: last}}
	}
	var list []client.ScheduleRange
	even := len(values) > 2
	for i, v := range values {
		list = append(list, client.ScheduleRange{Start: int(v)})
		even = even && (i < 2 || v-values[i-1] == values[1]-values[0])
	}
	if even && values[1] > values[0] {
		return []client.ScheduleRange{{Start: int(values[0]), End: int(values[len(values)-1]), Step: int(values[1] - values[0])}}
	}
	return list
}
