package recovery

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// SetSummary is a set as people choose among sets.
type SetSummary struct {
	Set      SetID     `json:"set"`
	Created  time.Time `json:"created"`
	Size     int64     `json:"size"` // sealed bytes
	Purpose  Purpose   `json:"purpose,omitempty"`
	Sources  []string  `json:"sources"`
	Standing Standing  `json:"standing"`
	// RestoreTook holds how long each complete restore of it took, tries oldest
	// first, and RestoredAt when each of these began.
	RestoreTook []Duration  `json:"restoreTook,omitempty"`
	RestoredAt  []time.Time `json:"restoredAt,omitempty"`
	LastDrill   *Proof      `json:"lastDrill,omitempty"`
	Unreadable  string      `json:"unreadable,omitempty"` // why its manifest cannot be trusted
	// Copies says where it is, the best copy first; see MergeCopies.
	Copies []CopyStanding `json:"copies,omitempty"`
}

// Summarize tells of a set what a choice among sets needs.
func Summarize(set SetID, m *Manifest, proofs []Proof, unreadable error) SetSummary {
	s := SetSummary{Set: set, Created: set.Time()}
	if unreadable != nil {
		s.Unreadable = unreadable.Error()
		s.Standing = Standing{Verdict: Disproven, Sentence: s.Unreadable}
		return s
	}
	s.Created, s.Size, s.Purpose, s.Standing = m.Created, m.Size(), m.Purpose, Stand(m, proofs)
	for _, a := range m.Artefacts {
		s.Sources = append(s.Sources, a.Source)
	}
	for i, p := range proofs {
		if p.RTO != nil && p.Verdict == Proven {
			s.RestoreTook, s.RestoredAt = append(s.RestoreTook, p.RTO.Actual), append(s.RestoredAt, p.Started)
		}
		if p.Kind == ProofDrill && (s.LastDrill == nil || p.Started.After(s.LastDrill.Started)) {
			s.LastDrill = &proofs[i]
		}
	}
	return s
}

// Usable says whether a set may be restored: it was read back at least, and
// nothing has disproven it since.
func (s *SetSummary) Usable() bool { return s.Unreadable == "" && s.Standing.Usable() }

// Usable says the same of how a set, or a copy of it, stands.
func (s Standing) Usable() bool { return s.Verdict == Proven && s.Level >= LevelReadBack }

// ChooseSet finds the set to restore among sets, newest first: the wanted one, or
// the newest backup that may be restored. The fault is Permanent.
func ChooseSet(service string, sets []SetSummary, wanted SetID) (*SetSummary, error) {
	for i := range sets {
		s := &sets[i]
		switch {
		case wanted == "" && s.Purpose == "" && s.Usable(), wanted == s.Set && s.Usable():
			return s, nil
		case wanted == s.Set:
			return nil, NewFault(Permanent, fmt.Errorf("choose set %s of %s: %s", wanted, service, s.Standing.Sentence),
				"read it back first with `starter verify "+service+" --set "+string(wanted)+" --level readBack`, or choose another: `starter sets "+service+"`")
		}
	}
	if wanted != "" {
		return nil, NewFault(Permanent, fmt.Errorf("choose set %s of %s: %w", wanted, service, ErrNotFound), "`starter sets "+service+"` lists the sets that are there")
	}
	return nil, NewFault(Permanent, fmt.Errorf("choose a set of %s: none has been read back", service), "make one with `starter backup "+service+"`")
}

// expectFrom is how many restores an expectation looks at.
const expectFrom = 5

// ExpectRestore is how long a restore will take: the median of the last ones, with
// how many there were; zero if there was none. sets are newest first.
func ExpectRestore(sets []SetSummary) (median Duration, of int) {
	var took []Duration
	for _, s := range sets {
		for _, d := range slices.Backward(s.RestoreTook) {
			if len(took) < expectFrom {
				took = append(took, d)
			}
		}
	}
	if len(took) == 0 {
		return 0, 0
	}
	slices.Sort(took)
	return took[len(took)/2], len(took)
}

// LastDrill finds the newest drill, nil if there was none.
func LastDrill(sets []SetSummary) *Proof {
	var last *Proof
	for _, s := range sets {
		if s.LastDrill != nil && (last == nil || s.LastDrill.Started.After(last.Started)) {
			last = s.LastDrill
		}
	}
	return last
}

// TableChange is how many rows a table has in two sets.
type TableChange struct {
	Source string `json:"source"`
	Table  string `json:"table"`
	Now    int64  `json:"now"`  // -1: it is not there
	Then   int64  `json:"then"` // -1: it is not there
	Same   bool   `json:"same"` // the same rows
}

// CompareRows lists the tables of two fingerprints of a source: those that differ
// first, the ones that would lose the most rows before all.
func CompareRows(source string, now, then *Fingerprint) []TableChange {
	var changes []TableChange
	later := map[string]DataSum{}
	for _, d := range then.Data {
		if d.Kind == "table" {
			later[d.table()] = d
		}
	}
	for _, d := range now.Data {
		if d.Kind != "table" {
			continue
		}
		change := TableChange{Source: source, Table: d.table(), Now: d.Rows, Then: -1}
		if t, ok := later[d.table()]; ok {
			change.Then, change.Same = t.Rows, t.Rows == d.Rows && t.Sum == d.Sum
			delete(later, d.table())
		}
		changes = append(changes, change)
	}
	for _, d := range then.Data {
		if _, ok := later[d.table()]; ok && d.Kind == "table" {
			changes = append(changes, TableChange{Source: source, Table: d.table(), Now: -1, Then: d.Rows})
		}
	}
	slices.SortFunc(changes, func(a, b TableChange) int {
		return cmp.Or(same(a)-same(b), cmp.Compare(a.Then-a.Now, b.Then-b.Now), cmp.Compare(a.Table, b.Table))
	})
	return changes
}

func same(c TableChange) int {
	if c.Same {
		return 1
	}
	return 0
}

// table is the name of a table as people call it.
func (d DataSum) table() string {
	if d.Schema == "" || d.Schema == "public" {
		return d.Name
	}
	return d.Schema + "." + d.Name
}
