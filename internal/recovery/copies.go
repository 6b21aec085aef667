package recovery

import (
	"cmp"
	"slices"
	"time"
)

// CopyList is what a destination has of a service's sets.
type CopyList struct {
	Destination string       `json:"destination"`
	Sets        []SetSummary `json:"sets"`             // newest first
	Pruned      []SetID      `json:"pruned,omitempty"` // those that it has tombstones of
	// Unavailable says why the destination did not answer: what it has is not known.
	Unavailable string `json:"unavailable,omitempty"`
}

// CopyStanding is how one copy of a set stands.
type CopyStanding struct {
	Destination string   `json:"destination"`
	Standing    Standing `json:"standing"`
}

// MergeCopies makes one list of the sets of all destinations, newest first. lists
// are in the order of the config, the preferred destination first. A set is as its
// best copy says; its restores and its last drill are those of all copies.
func MergeCopies(lists []CopyList) []SetSummary {
	var merged []SetSummary
	at := map[SetID]int{}
	for _, list := range lists {
		for _, s := range list.Sets {
			s.Copies = []CopyStanding{{Destination: list.Destination, Standing: s.Standing}}
			i, known := at[s.Set]
			if !known {
				at[s.Set] = len(merged)
				merged = append(merged, s)
				continue
			}
			merged[i] = join(merged[i], s)
		}
	}
	slices.SortFunc(merged, func(a, b SetSummary) int { return cmp.Compare(b.Set, a.Set) })
	return merged
}

// join adds a copy to what is known of a set from the destinations before it.
func join(known, added SetSummary) SetSummary {
	best := known
	if added.Standing.rank() > known.Standing.rank() {
		best = added
	}
	best.Copies = append(slices.Clone(known.Copies), added.Copies...)
	slices.SortStableFunc(best.Copies, func(a, b CopyStanding) int { return cmp.Compare(b.Standing.rank(), a.Standing.rank()) })
	best.RestoreTook, best.RestoredAt = nil, nil
	restores := append(known.restores(), added.restores()...)
	slices.SortStableFunc(restores, func(a, b restore) int { return a.at.Compare(b.at) })
	for _, r := range restores {
		best.RestoreTook, best.RestoredAt = append(best.RestoreTook, r.took), append(best.RestoredAt, r.at)
	}
	best.LastDrill = LastDrill([]SetSummary{known, added})
	return best
}

// rank orders copies: the higher, the rather a restore takes it. What was disproven
// comes after what was not read back yet; a copy that cannot be read is disproven at
// the lowest level.
func (s Standing) rank() int {
	switch {
	case s.Usable():
		return int(s.Level)
	case s.Verdict == Disproven:
		return int(s.Level - LevelProven - 1)
	}
	return 0
}

type restore struct {
	at   time.Time
	took Duration
}

// restores pairs how long restores took with when they began, as far as it is known.
func (s *SetSummary) restores() []restore {
	all := make([]restore, len(s.RestoreTook))
	for i, took := range s.RestoreTook {
		all[i].took = took
		if i < len(s.RestoredAt) {
			all[i].at = s.RestoredAt[i]
		}
	}
	return all
}

// Behind lists, newest first, the backups that a destination lacks though another
// one has them and they may be restored there. A set that was pruned at a
// destination is not lacking. A destination that did not answer is not in the map:
// what it lacks is not known.
func Behind(lists []CopyList) map[string][]SetID {
	behind := map[string][]SetID{}
	all := MergeCopies(lists)
	for _, list := range lists {
		if list.Unavailable != "" {
			continue
		}
		behind[list.Destination] = []SetID{}
		for _, s := range all {
			there := slices.ContainsFunc(list.Sets, func(own SetSummary) bool { return own.Set == s.Set })
			if s.Purpose == "" && s.Usable() && !there && !slices.Contains(list.Pruned, s.Set) {
				behind[list.Destination] = append(behind[list.Destination], s.Set)
			}
		}
	}
	return behind
}

// Doubtful lists, newest first, the backups that lie at the destination but may not
// be restored from there: bad are those that were disproven there or cannot be read,
// unread those that were not read back there. What is being pruned is in neither.
func (l *CopyList) Doubtful() (bad, unread []SetID) {
	for _, s := range l.Sets {
		switch {
		case s.Purpose != "" || s.Usable() || slices.Contains(l.Pruned, s.Set):
		case s.Unreadable != "" || s.Standing.Verdict == Disproven:
			bad = append(bad, s.Set)
		default:
			unread = append(unread, s.Set)
		}
	}
	return bad, unread
}
