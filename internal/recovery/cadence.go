package recovery

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cadence says how often something is done, by the clock on the wall of a time
// zone. It reads and writes as text: "1h", "6h at 00:30", "24h at 03:00", "weekly on
// sunday at 03:00", "monthly on 15", "quarterly on 15 at 09:00", "never". The zero
// value, an empty text, is a cadence that nobody gave.
//
// Where clocks are put forward, a time that they leap over is due at the first
// moment after the leap; where they are put back, a time that they show twice is due
// the first time only. So each hour that a clock shows is due once, also of "1h".
type Cadence struct {
	Every string       // 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h, weekly, monthly, quarterly or never
	Hour  int          // of hours: of the first one of the day, below Every
	Min   int          //
	Day   time.Weekday // weekly
	Date  int          // monthly, quarterly: 1 to 28
}

// The words that Every has besides numbers of hours.
const (
	everyWeek    = "weekly"
	everyMonth   = "monthly"
	everyQuarter = "quarterly"
	everyNever   = "never"
)

// everyHours are the numbers of hours that divide a day.
var everyHours = []int{1, 2, 3, 4, 6, 8, 12, 24}

// Calendar is a cadence as a calendar has it: every field lists what matches, an
// empty one matches all.
type Calendar struct {
	Minute      int
	Hours       []int
	Weekdays    []time.Weekday
	DaysOfMonth []int
	Months      []time.Month
}

// ParseCadence reads the text form: EVERY [on DAY] [at HH:MM], in any case. Left
// out, the day is sunday or the 1st, and the time 00:00. The error names the text
// and the mend.
func ParseCadence(text string) (Cadence, error) {
	c, err := parseCadence(strings.Fields(strings.ToLower(text)))
	if err != nil {
		return Cadence{}, fmt.Errorf("read cadence %q: %w", text, err)
	}
	return c, nil
}

func parseCadence(words []string) (c Cadence, err error) {
	if len(words) == 0 {
		return c, nil
	}
	c.Every = words[0]
	if !c.Never() && c.Period() == 0 {
		return c, errors.New("begin with 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h, weekly, monthly, quarterly or never")
	}
	if c.Every == everyMonth || c.Every == everyQuarter {
		c.Date = 1
	}
	for rest, last := words[1:], ""; len(rest) > 0; rest = rest[2:] {
		switch {
		case c.Never():
			return c, errors.New(`write "never" alone`)
		case len(rest) > 1 && rest[0] == "on" && last == "":
			err = c.readDay(rest[1])
		case len(rest) > 1 && rest[0] == "at" && last != "at":
			err = c.readTime(rest[1])
		default:
			err = errors.New(`write it as EVERY [on DAY] [at HH:MM], such as "6h at 00:30" or "weekly on sunday at 03:00"`)
		}
		if err != nil {
			return c, err
		}
		last = rest[0]
	}
	return c, nil
}

func (c *Cadence) readDay(word string) error {
	switch c.Every {
	case everyWeek:
		for d := time.Sunday; d <= time.Saturday; d++ {
			if word == strings.ToLower(d.String()) {
				c.Day = d
				return nil
			}
		}
		return fmt.Errorf("%q is no day of the week: write sunday, monday, … saturday", word)
	case everyMonth, everyQuarter:
		date, err := strconv.Atoi(word)
		if err != nil || date < 1 || date > 28 {
			return fmt.Errorf("%q is no day that every month has: write 1 to 28", word)
		}
		c.Date = date
		return nil
	}
	return fmt.Errorf(`%s has no day: leave out "on %s"`, c.Every, word)
}

func (c *Cadence) readTime(word string) error {
	t, err := time.Parse("15:04", word)
	if err != nil || len(word) != len("15:04") {
		return fmt.Errorf("%q is no time of day: write HH:MM, such as 03:00", word)
	}
	if step := c.hours(); t.Hour() >= step {
		return fmt.Errorf("the time is that of the first one of the day: write one from 00:00 to %02d:59", step-1)
	}
	c.Hour, c.Min = t.Hour(), t.Minute()
	return nil
}

// MarshalText writes the text form.
func (c Cadence) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the text form.
func (c *Cadence) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCadence(string(text))
	return err
}

// String is the text form.
func (c Cadence) String() string {
	text := c.Every
	switch c.Every {
	case everyWeek:
		text += " on " + strings.ToLower(c.Day.String())
	case everyMonth, everyQuarter:
		text += " on " + strconv.Itoa(c.Date)
	}
	if c.Hour != 0 || c.Min != 0 {
		text += fmt.Sprintf(" at %02d:%02d", c.Hour, c.Min)
	}
	return text
}

// Never says whether there is no cadence.
func (c Cadence) Never() bool { return c.Every == "" || c.Every == everyNever }

// hours is from one to the next on a day that has any.
func (c Cadence) hours() int {
	for _, n := range everyHours {
		if c.Every == strconv.Itoa(n)+"h" {
			return n
		}
	}
	return 24
}

// Calendar returns the times at which it is due; the zero value, which would
// match each day, if that is never.
func (c Cadence) Calendar() Calendar {
	if c.Period() == 0 {
		return Calendar{}
	}
	cal := Calendar{Minute: c.Min}
	for h := c.Hour; h < 24; h += c.hours() {
		cal.Hours = append(cal.Hours, h)
	}
	switch c.Every {
	case everyWeek:
		cal.Weekdays = []time.Weekday{c.Day}
	case everyMonth:
		cal.DaysOfMonth = []int{c.Date}
	case everyQuarter:
		cal.DaysOfMonth = []int{c.Date}
		cal.Months = []time.Month{time.January, time.April, time.July, time.October}
	}
	return cal
}

// Period is the longest time from one to the next, daylight saving left out: 92
// days for quarterly; zero for never.
func (c Cadence) Period() Duration {
	const day = 24 * Duration(time.Hour)
	switch c.Every {
	case everyWeek:
		return 7 * day
	case everyMonth:
		return 31 * day
	case everyQuarter:
		return 92 * day
	}
	if n := c.hours(); c.Every == strconv.Itoa(n)+"h" {
		return Duration(n) * Duration(time.Hour)
	}
	return 0
}

// clocksDiffer is more than clocks anywhere differ from UTC.
const clocksDiffer = 24 * time.Hour

// searchDays is more than the longest Period has, and clocksDiffer twice.
const searchDays = 100

// Last returns when it was last due, at or before now; the zero time if never.
// A nil zone is UTC.
func (c Cadence) Last(now time.Time, zone *time.Location) time.Time {
	day := midnight(now.Add(clocksDiffer))
	cal := c.Calendar()
	for range searchDays {
		for _, wall := range slices.Backward(cal.on(day)) {
			if t := shows(wall, zone); !t.After(now) {
				return t
			}
		}
		day = day.AddDate(0, 0, -1)
	}
	return time.Time{}
}

// Next returns when it is due next, after now; the zero time if never. A nil zone
// is UTC.
func (c Cadence) Next(now time.Time, zone *time.Location) time.Time {
	day := midnight(now.Add(-clocksDiffer))
	cal := c.Calendar()
	for range searchDays {
		for _, wall := range cal.on(day) {
			if t := shows(wall, zone); t.After(now) {
				return t
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}
}

// midnight is the begin of t's day in UTC. Times that clocks show are written as
// if they were UTC.
func midnight(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// on lists the times of a day that match, the earliest first.
func (cal Calendar) on(day time.Time) []time.Time {
	if !matches(cal.Weekdays, day.Weekday()) || !matches(cal.DaysOfMonth, day.Day()) || !matches(cal.Months, day.Month()) {
		return nil
	}
	var walls []time.Time
	for _, h := range cal.Hours {
		walls = append(walls, day.Add(time.Duration(h)*time.Hour+time.Duration(cal.Minute)*time.Minute))
	}
	return walls
}

func matches[T ~int](list []T, value T) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

// shows finds the first moment at which clocks in a zone show a time or a later
// one. time.Date does not say which one it takes where clocks are changed.
func shows(wall time.Time, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	t := wall.Add(-clocksDiffer).In(zone)
	for {
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		moment := wall.Add(-time.Duration(offset) * time.Second)
		if moment.Before(t) {
			return t
		}
		if end.IsZero() || moment.Before(end) {
			return moment.In(zone)
		}
		t = end
	}
}
