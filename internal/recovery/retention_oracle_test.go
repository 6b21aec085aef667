package recovery_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

var tierNames = []string{recovery.TierHourly, recovery.TierDaily, recovery.TierWeekly, recovery.TierMonthly, recovery.TierYearly}

// oracle says of one set at a time what its fate is, by asking of all the others
// whether one of them takes its place.
type oracle struct {
	rules recovery.PruneRules
	zone  *time.Location
	sets  []recovery.Holding
	inUse map[recovery.SetID]string
}

func requireOracle(t *testing.T, rules recovery.PruneRules, sets []recovery.Holding, inUse map[recovery.SetID]string, fates []recovery.Fate) {
	t.Helper()
	o := oracle{rules, location(t, rules.TimeZone), sets, inUse}
	for i, h := range sets {
		tiers, class := o.tiers(h), o.class(h)
		name := func(tier int) string {
			if tier < 0 || tier == len(tierNames) {
				return ""
			}
			return tierNames[tier]
		}
		want := recovery.Fate{Set: h.Set, Size: h.Size, RefersTo: h.RefersTo, Why: fates[i].Why, Keep: class < len(tierNames), ClassTier: name(class)}
		if len(tiers) > 0 {
			want.Tier = name(slices.Max(tiers))
		}
		require.Equal(t, want, fates[i])
	}
}

// period numbers the period of a tier that a time lies in.
func (o oracle) period(tier int, at time.Time) int64 {
	at = at.In(o.zone)
	y, m, d := at.Date()
	date := func(y int, m time.Month, d int) int64 { return int64(y*10000 + int(m)*100 + d) }
	switch tierNames[tier] {
	case recovery.TierHourly:
		return at.Unix() - int64(at.Minute()*60+at.Second())
	case recovery.TierDaily:
		return date(y, m, d)
	case recovery.TierWeekly:
		monday := time.Date(y, m, d-(int(at.Weekday())+6)%7, 12, 0, 0, 0, time.UTC)
		return date(monday.Date())
	case recovery.TierMonthly:
		return date(y, m, 0)
	}
	return int64(y)
}

func backup(h recovery.Holding, source string) bool {
	return h.Purpose == "" && h.Unreadable == "" && !h.Pruned && (source == "" || slices.Contains(h.Sources, source))
}

func isGood(h recovery.Holding) bool { return h.Standing.Verdict != recovery.Disproven }

// tiers numbers the tiers that keep a set.
func (o oracle) tiers(h recovery.Holding) (by []int) {
	for source, r := range o.rules.Tiers {
		for tier, keep := range []int{r.Hourly, r.Daily, r.Weekly, r.Monthly, r.Yearly} {
			if backup(h, source) && o.best(h, source, tier) && o.later(h, source, tier, true) < keep && o.later(h, source, tier, isGood(h)) < keep {
				by = append(by, tier)
			}
		}
	}
	return by
}

// best says whether a set is the one of its period.
func (o oracle) best(h recovery.Holding, source string, tier int) bool {
	return !slices.ContainsFunc(o.sets, func(other recovery.Holding) bool {
		if !backup(other, source) || o.period(tier, other.Created) != o.period(tier, h.Created) {
			return false
		}
		return isGood(other) && !isGood(h) || isGood(other) == isGood(h) && other.Created.After(h.Created)
	})
}

// later counts the periods after that of a set which have a good one, or have
// only others.
func (o oracle) later(h recovery.Holding, source string, tier int, good bool) (n int) {
	hasGood := map[int64]bool{}
	for _, other := range o.sets {
		if p := o.period(tier, other.Created); backup(other, source) && p > o.period(tier, h.Created) {
			hasGood[p] = hasGood[p] || isGood(other)
		}
	}
	for _, has := range hasGood {
		if has == good {
			n++
		}
	}
	return n
}

// ruled says whether a rule besides the tiers and references keeps a set.
func (o oracle) ruled(h recovery.Holding) bool {
	newest := func(source string, such func(recovery.Standing) bool) bool {
		return backup(h, source) && such(h.Standing) && !slices.ContainsFunc(o.sets, func(other recovery.Holding) bool {
			return backup(other, source) && such(other.Standing) && other.Created.After(h.Created)
		})
	}
	level := func(least recovery.Level) func(recovery.Standing) bool {
		return func(s recovery.Standing) bool { return s.Verdict == recovery.Proven && s.Level >= least }
	}
	age := pruneNow.Sub(h.Created)
	all := true
	for _, r := range o.rules.Tiers {
		all = all && r == recovery.Retention{}
	}
	for _, source := range h.Sources {
		all = all || backup(h, source) && o.rules.Tiers[source] == recovery.Retention{} ||
			newest(source, func(recovery.Standing) bool { return true }) ||
			newest(source, func(s recovery.Standing) bool { return s.Verdict != recovery.Disproven })
	}
	return all || h.Unreadable != "" || o.inUse[h.Set] != "" || age < time.Hour || h.Purpose != "" && age < o.rules.KeepSafety.Std() ||
		newest("", level(recovery.LevelReadBack)) || newest("", level(recovery.LevelRestored)) || newest("", level(recovery.LevelProven)) ||
		newest("", func(s recovery.Standing) bool { return !s.ProvenAt.IsZero() })
}

// class numbers the shortest tier that needs a set: its own, or that of one from
// which references lead to it. It is -1 for other rules, and beyond all tiers for
// a set that nothing keeps.
func (o oracle) class(h recovery.Holding) int {
	least := len(tierNames)
	for _, from := range o.sets {
		if from.Pruned || !o.leads(from, h.Set, nil) {
			continue
		}
		if o.ruled(from) {
			return -1
		}
		for _, tier := range o.tiers(from) {
			least = min(least, tier)
		}
	}
	return least
}

// leads says whether references lead from one set to another, by sets that are there.
func (o oracle) leads(from recovery.Holding, to recovery.SetID, seen []recovery.SetID) bool {
	if from.Set == to {
		return true
	}
	if from.Pruned || slices.Contains(seen, from.Set) {
		return false
	}
	seen = append(seen, from.Set)
	for _, h := range o.sets {
		if slices.Contains(from.RefersTo, h.Set) && o.leads(h, to, seen) {
			return true
		}
	}
	return false
}
