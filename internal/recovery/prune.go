package recovery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// tooYoung is the age below which no set is removed: whoever made it may not be
// through with it.
const tooYoung = time.Hour

// PlanPrune decides about each of the sets, in the order given. A tier keeps the
// newest set of a period that was dumped from the source. A disproven one never
// takes the place of a good one: it is kept only where the period has no good one,
// and such periods are not counted with the others, but up to the same number.
//
// Never removed are: the newest proven set and the newest one of each standing that
// a restore may choose, the newest that holds each source, a set that a kept one
// refers to, one that cannot be read, and the ones in use, by set with the reason.
// While no source has tiers, nothing is removed. What has a tombstone already goes,
// unless a kept set refers to it. The fault is Permanent: a time zone that is not known.
func PlanPrune(rules PruneRules, sets []Holding, inUse map[SetID]string, now time.Time) ([]Fate, error) {
	zone, err := time.LoadLocation(rules.TimeZone)
	if err != nil {
		return nil, NewFault(Permanent, fmt.Errorf("read time zone: %w", err), "write a name such as Europe/Berlin")
	}
	p := newPruning(sets)
	p.keepForThemselves(rules, inUse, now)
	for _, source := range p.sources() {
		for i, t := range rules.Tiers[source].tiers() {
			p.keepTier(source, i, t, zone)
		}
		if !rules.none() && rules.Tiers[source] == (Retention{}) {
			p.keepAll(source)
		}
		p.keepNewest("the newest set that holds "+source, func(h *Holding) bool { return h.holds(source) })
		p.keepNewest("the newest good set that holds "+source, func(h *Holding) bool { return h.holds(source) && h.good() })
	}
	p.keepNewest("the newest proven set", func(h *Holding) bool { return h.usable(LevelProven) })
	p.keepNewest("the newest set that was ever proven", func(h *Holding) bool { return !h.Standing.ProvenAt.IsZero() })
	p.keepNewest("the newest restored set", func(h *Holding) bool { return h.usable(LevelRestored) })
	p.keepNewest("the newest set that was read back", func(h *Holding) bool { return h.usable(LevelReadBack) })
	p.keepReferred()
	fates := make([]Fate, len(sets))
	for i := range sets {
		fates[i] = p.fate(&sets[i], rules)
	}
	return fates, nil
}

// pruning gathers why sets are kept.
type pruning struct {
	sets    []*Holding // those without a tombstone, newest first
	backups []*Holding // those of them that were made as backups, and can be read
	kept    map[SetID]*keeping
}

// keeping says why a set is kept.
type keeping struct {
	rules []string
	tiers map[int]*keptBy // by the tier's number, the shortest is 0
	class int             // number of the tier that ClassTier names, below zero for none
}

// keptBy says what a set is the newest of in a tier: for these sources.
type keptBy struct {
	period  string
	sources []string
}

const noTier = -1

func newPruning(sets []Holding) *pruning {
	p := &pruning{kept: map[SetID]*keeping{}}
	for i := range sets {
		if !sets[i].Pruned {
			p.sets = append(p.sets, &sets[i])
		}
	}
	slices.SortStableFunc(p.sets, func(a, b *Holding) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.Set, a.Set))
	})
	for _, h := range p.sets {
		if h.Purpose == "" && h.Unreadable == "" {
			p.backups = append(p.backups, h)
		}
	}
	return p
}

// sources lists all that any backup holds, sorted.
func (p *pruning) sources() []string {
	var all []string
	for _, h := range p.backups {
		all = append(all, h.Sources...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// keep keeps a set, whose storage class is to suit a tier, or any shorter one.
func (p *pruning) keep(set SetID, class int) *keeping {
	k := p.kept[set]
	if k == nil {
		k = &keeping{tiers: map[int]*keptBy{}, class: class}
		p.kept[set] = k
	}
	k.class = min(k.class, class)
	return k
}

func (p *pruning) keepByRule(h *Holding, why string) {
	k := p.keep(h.Set, noTier)
	k.rules = append(k.rules, why)
}

// keepForThemselves keeps what need not be compared with others.
func (p *pruning) keepForThemselves(rules PruneRules, inUse map[SetID]string, now time.Time) {
	for _, h := range p.sets {
		age := now.Sub(h.Created)
		if rules.none() {
			p.keepByRule(h, "no source has a retention")
		}
		if h.Unreadable != "" {
			p.keepByRule(h, "it cannot be read: "+h.Unreadable)
		}
		if why, ok := inUse[h.Set]; ok {
			p.keepByRule(h, "in use: "+why)
		}
		if age < tooYoung {
			p.keepByRule(h, "younger than an hour")
		}
		if h.Purpose != "" && age < rules.KeepSafety.Std() {
			p.keepByRule(h, h.Purpose.Words()+", younger than "+rules.KeepSafety.String())
		}
	}
}

// keepTier keeps what one tier of a source keeps.
func (p *pruning) keepTier(source string, number int, t tier, zone *time.Location) {
	newest := map[string]*Holding{} // by period
	var periods []string            // the last one first
	for _, h := range p.backups {
		if !h.holds(source) {
			continue
		}
		period := t.period(h.Created.In(zone))
		switch first := newest[period]; {
		case first == nil:
			newest[period], periods = h, append(periods, period)
		case h.good() && !first.good():
			newest[period] = h
		}
	}
	left := map[bool]int{true: t.keep, false: t.keep}
	for _, period := range periods {
		h := newest[period]
		if left[true] <= 0 {
			return
		}
		if left[h.good()] <= 0 {
			continue
		}
		left[h.good()]--
		k := p.keep(h.Set, number)
		if k.tiers[number] == nil {
			k.tiers[number] = &keptBy{period: period}
		}
		k.tiers[number].sources = append(k.tiers[number].sources, source)
	}
}

// keepAll keeps everything of a source that has no tiers.
func (p *pruning) keepAll(source string) {
	for _, h := range p.backups {
		if h.holds(source) {
			p.keepByRule(h, source+" has no retention")
		}
	}
}

// keepNewest keeps the newest backup that is such a one.
func (p *pruning) keepNewest(why string, such func(*Holding) bool) {
	if i := slices.IndexFunc(p.backups, such); i >= 0 {
		p.keepByRule(p.backups[i], why)
	}
}

// keepReferred keeps what kept sets refer to, and what those refer to in turn: as
// long, and as near at hand.
func (p *pruning) keepReferred() {
	for changed := true; changed; {
		changed = false
		for _, h := range p.sets {
			k := p.kept[h.Set]
			if k == nil {
				continue
			}
			for _, earlier := range h.RefersTo {
				before := p.kept[earlier]
				if before == nil || before.class > k.class {
					p.keep(earlier, k.class)
					changed = true
				}
			}
		}
	}
	referrers := map[SetID][]SetID{} // the newest first
	for _, h := range p.sets {
		if p.kept[h.Set] != nil {
			for _, earlier := range h.RefersTo {
				referrers[earlier] = append(referrers[earlier], h.Set)
			}
		}
	}
	for set, by := range referrers {
		why := fmt.Sprintf("%s, which is kept, refers to it", by[0])
		if len(by) > 1 {
			why = fmt.Sprintf("%d sets that are kept refer to it, the newest is %s", len(by), by[0])
		}
		p.kept[set].rules = append(p.kept[set].rules, why)
	}
}

// fate says what becomes of a set.
func (p *pruning) fate(h *Holding, rules PruneRules) Fate {
	f := Fate{Set: h.Set, Size: h.Size, RefersTo: h.RefersTo}
	k := p.kept[h.Set]
	switch {
	case h.Pruned && k == nil:
		f.Why = []string{"it has a tombstone: what is left of it goes"}
		return f
	case k == nil && h.Purpose != "":
		f.Why = []string{h.Purpose.Words() + ", not younger than " + rules.KeepSafety.String()}
		return f
	case k == nil:
		f.Why = []string{"no tier keeps it"}
		return f
	}
	f.Keep = true
	for i, t := range (Retention{}).tiers() {
		if by := k.tiers[i]; by != nil {
			f.Tier = t.name
			f.Why = append(f.Why, fmt.Sprintf("%s: the newest of %s for %s", t.name, by.period, strings.Join(by.sources, ", ")))
		}
		if i == k.class {
			f.ClassTier = t.name
		}
	}
	f.Why = append(f.Why, k.rules...)
	return f
}
