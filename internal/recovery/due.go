package recovery

import (
	"slices"
	"time"
)

// Due names the sources that are to be dumped now, in their order: those whose
// newest artefact, by the time of its snapshot, is from before their cadence last
// fell due, and those that have none. A source that is backed up only by hand is
// due only while it has none.
func Due(sources []SourceSpec, newest map[string]time.Time, zone *time.Location, now time.Time) (due []string) {
	for _, s := range sources {
		if snapshot, ok := newest[s.Name]; !ok || snapshot.Before(s.Every.Last(now, zone)) {
			due = append(due, s.Name)
		}
	}
	return due
}

// Missed lists when a backup was due after from, but no snapshot was taken before
// the next one was due. Those that fell due within the grace time before now may
// still come.
func Missed(c Cadence, snapshots []time.Time, zone *time.Location, from, now time.Time, grace time.Duration) (missed []time.Time) {
	latest := now.Add(-grace)
	for due := c.Next(from, zone); !due.IsZero() && !due.After(latest); {
		next := c.Next(due, zone)
		taken := func(t time.Time) bool { return !t.Before(due) && t.Before(next) }
		if !slices.ContainsFunc(snapshots, taken) {
			missed = append(missed, due)
		}
		due = next
	}
	return missed
}
