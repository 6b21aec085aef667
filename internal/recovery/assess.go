package recovery

import (
	"cmp"
	"slices"
	"time"
)

// SetsAt is what a destination has of a service's sets, in full.
type SetsAt struct {
	Destination string
	Sets        []KeptSet // in any order
	Pruned      []SetID   // those that it has tombstones of
	// Since is the set from which on all sets are in Sets; older ones may be as well.
	// Empty: all are.
	Since SetID
	// Unavailable says why the destination did not answer.
	Unavailable string
}

// KeptSet is a set with its verification log.
type KeptSet struct {
	Set        SetID
	Manifest   *Manifest // nil if it cannot be trusted
	Proofs     []Proof   // oldest first
	Unreadable error     // why there is no manifest
}

// Lists is the same as people choose among sets.
func Lists(at []SetsAt) []CopyList {
	lists := make([]CopyList, len(at))
	for i, a := range at {
		lists[i] = CopyList{Destination: a.Destination, Pruned: a.Pruned, Unavailable: a.Unavailable}
		for _, s := range a.Sets {
			lists[i].Sets = append(lists[i].Sets, Summarize(s.Set, s.Manifest, s.Proofs, s.Unreadable))
		}
		slices.SortFunc(lists[i].Sets, func(a, b SetSummary) int { return cmp.Compare(b.Set, a.Set) })
	}
	return lists
}

// MissedWithin is how long back missed backups are looked for, before those that
// may still come.
const MissedWithin = 24 * time.Hour

// Assess works out how a service stands from what its destinations have, in the
// order of the config. What the runs of the last day and the schedules tell is left
// out.
func Assess(p *Plan, at []SetsAt, now time.Time) ServiceDigest {
	s := ServiceDigest{Service: p.Service, Owner: p.Owner}
	if s.Trouble = silence(at); s.Trouble != "" {
		return s
	}
	lists := Lists(at)
	for _, source := range p.Sources {
		s.Sources = append(s.Sources, assessSource(p, source, at, now))
	}
	s.nearestToMissing()
	if proven := newestProven(MergeCopies(lists)); proven != nil {
		s.ProvenSet, s.ProvenAge = proven.Set, since(proven.Created, now)
	}
	if d := LastDrill(MergeCopies(lists)); d != nil {
		s.LastDrill = &DrillDigest{At: d.Ended, Set: d.Set, Verdict: d.Verdict, Sentence: d.Sentence, RTO: d.RTO}
	}
	s.Copies = assessCopies(lists, sameSpan(lists, at), now)
	return s
}

// copyGrace is how long a copy may be on its way, and be read back, before it is
// missed.
const copyGrace = 30 * time.Minute

// assessCopies looks at the destinations that answer: all that they told for what is
// proven there, and what all of them go back to for what is not as it should be.
func assessCopies(lists, compared []CopyList, now time.Time) (copies []CopyDigest) {
	behind := Behind(compared)
	for i, list := range lists {
		if list.Unavailable != "" {
			continue
		}
		c := CopyDigest{Destination: list.Destination}
		if late := overdue(behind[list.Destination], now); len(late) > 0 {
			c.Behind, c.Oldest = len(late), late[len(late)-1].Time()
		}
		bad, unread := compared[i].Doubtful()
		if len(bad) > 0 {
			c.Bad, c.NewestBad = len(bad), bad[0]
		}
		if unread = overdue(unread, now); len(unread) > 0 {
			c.Unread, c.NewestUnread = len(unread), unread[0]
		}
		if proven := newestProven(list.Sets); proven != nil {
			c.ProvenAge = since(proven.Created, now)
		}
		copies = append(copies, c)
	}
	return copies
}

// overdue leaves of sets those whose copies may not be on their way any more.
func overdue(sets []SetID, now time.Time) []SetID {
	return slices.DeleteFunc(sets, func(set SetID) bool { return now.Sub(set.Time()) <= copyGrace })
}

// silence says why nothing is known; empty if some destination answered.
func silence(at []SetsAt) string {
	first := "there is no destination"
	for i, a := range at {
		if a.Unavailable == "" {
			return ""
		}
		if i == 0 {
			first = a.Unavailable
		}
	}
	return first
}

// sameSpan leaves of each list what all of them go back to: older sets that only
// one of them tells are not lacking at the others.
func sameSpan(lists []CopyList, at []SetsAt) []CopyList {
	from := SetID("")
	for _, a := range at {
		from = max(from, a.Since)
	}
	same := slices.Clone(lists)
	for i := range same {
		same[i].Sets = slices.DeleteFunc(slices.Clone(same[i].Sets), func(s SetSummary) bool { return s.Set < from })
	}
	return same
}

func newestProven(sets []SetSummary) *SetSummary {
	for i := range sets {
		if s := &sets[i]; s.Purpose == "" && s.Usable() && s.Standing.Level == LevelProven {
			return s
		}
	}
	return nil
}

func since(t, now time.Time) *Duration {
	return new(Duration(max(now.Sub(t), 0).Round(time.Second)))
}

// assessSource looks at all copies of all backups for the artefacts of a source.
func assessSource(p *Plan, source SourceSpec, at []SetsAt, now time.Time) SourceDigest {
	d := SourceDigest{Source: source.Name, Every: source.Every, RPO: source.RPO}
	if d.RPO == 0 {
		d.RPO = p.Objectives.RPO
	}
	var snapshots []time.Time
	var readBack, first time.Time
	for _, a := range at {
		for _, s := range a.Sets {
			if s.Manifest == nil || s.Manifest.Purpose != "" {
				continue
			}
			if first.IsZero() || s.Set.Time().Before(first) {
				first = s.Set.Time()
			}
			artefact, ok := s.Manifest.Artefact(source.Name)
			if !ok {
				continue
			}
			snapshots = append(snapshots, artefact.Snapshot)
			if Stand(s.Manifest, s.Proofs).Usable() && artefact.Snapshot.After(readBack) {
				readBack, d.Set = artefact.Snapshot, s.Set
			}
		}
	}
	if !readBack.IsZero() {
		d.Age = since(readBack, now)
		d.Met = *d.Age <= d.RPO
	}
	d.count(p, snapshots, first, now)
	return d
}

// count compares the backups of the last day with the cadence, from the first backup
// on. The day ends where backups may still come: a digest a day looks at each once.
func (d *SourceDigest) count(p *Plan, snapshots []time.Time, first, now time.Time) {
	const late = 15 * time.Minute // jitter, and the dump itself
	grace := p.GiveUpAfter.Std() + late
	from := now.Add(-MissedWithin - grace)
	if first.IsZero() || d.Every.Never() {
		return
	}
	if first.After(from) {
		from = first
	}
	zone, err := time.LoadLocation(p.TimeZone)
	if err != nil { // the config was checked; a reader elsewhere may not know the zone
		zone = time.UTC
	}
	d.Expected = len(Missed(d.Every, nil, zone, from, now, grace))
	d.MissedTimes = Missed(d.Every, snapshots, zone, from, now, grace)
	d.Missed = len(d.MissedTimes)
}

// nearestToMissing names the source whose age is nearest to missing its RPO, or
// misses it the most.
func (s *ServiceDigest) nearestToMissing() {
	for _, source := range s.Sources {
		if source.Age == nil {
			s.ReadBack, s.ReadBackSource, s.ReadBackSet = nil, "", ""
			return
		}
		m := NewMeasure(source.RPO, source.Age.Std())
		if s.ReadBack == nil || m.Margin() < s.ReadBack.Margin() {
			s.ReadBack, s.ReadBackSource, s.ReadBackSet = m, source.Source, source.Set
		}
	}
}
