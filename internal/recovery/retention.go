package recovery

import (
	"fmt"
	"slices"
	"time"
)

// Retention says how many sets are kept of each length of time: the newest set of
// each of the last so many hours, days, weeks, months and years that have one.
type Retention struct {
	Hourly  int `json:"hourly,omitempty" yaml:"hourly"`
	Daily   int `json:"daily,omitempty" yaml:"daily"`
	Weekly  int `json:"weekly,omitempty" yaml:"weekly"`
	Monthly int `json:"monthly,omitempty" yaml:"monthly"`
	Yearly  int `json:"yearly,omitempty" yaml:"yearly"`
}

// The tiers, the shortest first.
const (
	TierHourly  = "hourly"
	TierDaily   = "daily"
	TierWeekly  = "weekly"
	TierMonthly = "monthly"
	TierYearly  = "yearly"
)

// tier is one of a source's tiers: how many sets it keeps, each the newest of a
// period, which has a name.
type tier struct {
	name   string
	keep   int
	period func(time.Time) string
}

// tiers lists all tiers, the shortest first. An hour's name has its offset from
// UTC, since clocks that are put back show an hour twice; a week is that of ISO 8601.
func (r Retention) tiers() []tier {
	form := func(layout string) func(time.Time) string {
		return func(t time.Time) string { return t.Format(layout) }
	}
	week := func(t time.Time) string {
		year, week := t.ISOWeek()
		return fmt.Sprintf("%d-W%02d", year, week)
	}
	return []tier{
		{TierHourly, r.Hourly, form("2006-01-02 15h -07:00")},
		{TierDaily, r.Daily, form("2006-01-02")},
		{TierWeekly, r.Weekly, week},
		{TierMonthly, r.Monthly, form("2006-01")},
		{TierYearly, r.Yearly, form("2006")},
	}
}

// Holding is a set at a destination, as retention looks at it.
type Holding struct {
	Set     SetID     `json:"set"`
	Created time.Time `json:"created"`
	Purpose Purpose   `json:"purpose,omitempty"`
	// Sources are those that were dumped into this set; RefersTo are the earlier sets
	// whose artefacts it names as well.
	Sources  []string `json:"sources"`
	RefersTo []SetID  `json:"refersTo,omitempty"`
	Standing Standing `json:"standing"`
	Size     int64    `json:"size"` // sealed bytes of what lies in its folder
	// Unreadable says why the manifest cannot be trusted. Such a set is kept: what it
	// names is not known.
	Unreadable string `json:"unreadable,omitempty"`
	Pruned     bool   `json:"pruned,omitempty"` // it has a tombstone: what is left of it is to go
}

// good says whether nothing speaks against the set.
func (h *Holding) good() bool { return h.Standing.Verdict != Disproven }

// usable says whether a restore may choose the set, at a level or above.
func (h *Holding) usable(level Level) bool { return h.Standing.Usable() && h.Standing.Level >= level }

func (h *Holding) holds(source string) bool { return slices.Contains(h.Sources, source) }

// PruneRules are what a service's retention follows from.
type PruneRules struct {
	Tiers      map[string]Retention `json:"tiers"` // by source; a source without tiers keeps everything
	TimeZone   string               `json:"timeZone"`
	KeepSafety Duration             `json:"keepSafety"` // how long sets that restores made for themselves are kept
}

// none says whether there is no retention at all: then nothing is removed.
func (r *PruneRules) none() bool {
	for _, tiers := range r.Tiers {
		if tiers != (Retention{}) {
			return false
		}
	}
	return true
}

// Fate is what happens to a set, and why.
type Fate struct {
	Set  SetID    `json:"set"`
	Keep bool     `json:"keep"`
	Why  []string `json:"why"`            // for a person: "daily: the newest of 2026-11-22 for app", "the newest proven set"
	Tier string   `json:"tier,omitempty"` // the longest tier that keeps it
	// ClassTier is the tier whose storage class suits it: the shortest one that keeps
	// it, or a set that refers to it. It is empty while another rule keeps it: such a
	// set may be needed soon.
	ClassTier string  `json:"classTier,omitempty"`
	Size      int64   `json:"size"`
	RefersTo  []SetID `json:"refersTo,omitempty"` // the sets whose artefacts it names
}
