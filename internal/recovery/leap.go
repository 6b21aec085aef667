package recovery

import "time"

// leapDays is how far ahead leaps are looked for: clocks are changed every year.
const leapDays = 2 * 366

// Leap finds the next day, from a time on, whose clocks in a zone leap over the time at
// which the cadence is due: then Temporal starts nothing on that day. A cadence that
// is due more often than once a day does without one of its times; ok is false for it.
func (c Cadence) Leap(from time.Time, zone *time.Location) (day time.Time, ok bool) {
	if c.hours() < 24 || c.Never() {
		return time.Time{}, false
	}
	cal := c.Calendar()
	for day = midnight(from); day.Before(from.AddDate(0, 0, leapDays)); day = day.AddDate(0, 0, 1) {
		for _, wall := range cal.on(day) {
			if shown := shows(wall, zone); shown.Hour() != wall.Hour() || shown.Minute() != wall.Minute() {
				return day, true
			}
		}
	}
	return time.Time{}, false
}

// Clear is the cadence, some hours later if clocks in the zone leap over its time.
func (c Cadence) Clear(from time.Time, zone *time.Location) Cadence {
	for later := c; later.Hour < 24; later.Hour++ {
		if _, leapt := later.Leap(from, zone); !leapt {
			return later
		}
	}
	return c
}
