package release

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Standing is what evidence says of a release.
type Standing int

// The standings.
const (
	Unproven Standing = iota // nothing is known
	Good                     // it passed its checks in production for the time that was asked
	Bad                      // it did not, or people went back from it
)

var standingNames = []string{"unproven", "good", "bad"}

// String returns the name used in JSON.
func (s Standing) String() string {
	if s < 0 || int(s) >= len(standingNames) {
		return standingNames[Unproven]
	}
	return standingNames[s]
}

// MarshalText writes the name.
func (s Standing) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name; an unknown one counts as unproven.
func (s *Standing) UnmarshalText(text []byte) error {
	*s = Standing(max(slices.Index(standingNames, string(text)), 0))
	return nil
}

// Release is a release with what is known of it.
type Release struct {
	Tag
	Current  bool      `json:"current,omitempty"`
	Standing Standing  `json:"standing"`
	At       time.Time `json:"at,omitzero"`       // of the finding that decides it
	Why      string    `json:"why,omitempty"`     // in words
	Staging  *Record   `json:"staging,omitempty"` // the newest try on staging
}

// List joins the releases that can be deployed, the newest first, with what is known
// of them. Without tags it lists the releases that ran, the one that was seen for the
// first time last first.
func List(tags []Tag, current Tag, records []Record) []Release {
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b Record) int { return a.At.Compare(b.At) })
	if len(tags) == 0 {
		tags = seen(records, current)
	}
	list := make([]Release, 0, len(tags))
	for _, tag := range tags {
		r := Release{Tag: tag, Current: tag.Tag == current.Tag}
		for i := range records {
			if records[i].Tag == tag.Tag {
				r.take(&records[i])
			}
		}
		list = append(list, r)
	}
	return list
}

// seen lists the releases that ran, by when each was first seen. What is deployed and
// was never seen before is the newest.
func seen(records []Record, current Tag) []Tag {
	var tags []Tag
	find := func(name string) int { return slices.IndexFunc(tags, func(t Tag) bool { return t.Tag == name }) }
	first := map[string]time.Time{}
	for i := range records { // the oldest first: of a tag that was moved, the newest commit counts
		r := &records[i]
		if r.Kind == Staged {
			continue
		}
		if known := find(r.Tag); known < 0 {
			tags = append(tags, r.release())
			first[r.Tag] = r.began()
		} else {
			tags[known].Commit = cmp.Or(r.Commit, tags[known].Commit)
		}
		if r.began().Before(first[r.Tag]) {
			first[r.Tag] = r.began()
		}
	}
	slices.SortStableFunc(tags, func(a, b Tag) int { return first[b.Tag].Compare(first[a.Tag]) })
	if known := find(current.Tag); known >= 0 {
		tags[known].Commit = cmp.Or(current.Commit, tags[known].Commit)
	} else if current.Tag != "" {
		tags = slices.Insert(tags, 0, current)
	}
	return tags
}

// take lets a finding decide, unless it says nothing of how the release runs. A
// finding about another commit says only why nothing is known.
func (r *Release) take(f *Record) {
	other := r.moved(f.release())
	switch {
	case other && f.Kind != Staged && r.Standing == Unproven:
		r.At, r.Why = f.At, "the tag was moved since it was seen: it was commit "+f.Commit
	case other:
	case f.Kind == Staged:
		r.Staging = f
	case f.Verdict == recovery.Disproven:
		r.Standing, r.At, r.Why = Bad, f.At, f.Sentence
	case f.Kind == Watched && f.Verdict == recovery.Proven:
		r.Standing, r.At, r.Why = Good, f.At, "passed its checks for "+f.For.String()
	}
}

// MaxRecords is how many of the newest records of a service are read: what is older
// says little about what is deployed today.
const MaxRecords = 200

// Merge joins the records of several destinations, the oldest first, and keeps the
// newest ones, at most limit.
func Merge(lists [][]Record, limit int) []Record {
	byKey := map[string]Record{}
	for _, list := range lists {
		for _, r := range list {
			byKey[r.Key()] = r
		}
	}
	records := make([]Record, 0, len(byKey))
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		records = append(records, byKey[key])
	}
	return records[max(len(records)-max(limit, 0), 0):]
}

// LastGood is the newest good release before the one that is deployed; ok is false
// if there is none. If what is deployed is not in the list, it counts as newer than
// all of it.
func LastGood(list []Release) (r Release, ok bool) {
	from := slices.IndexFunc(list, func(r Release) bool { return r.Current })
	return nextGood(list[from+1:])
}

// OlderGood is the newest good release before that of a tag.
func OlderGood(list []Release, tag string) (r Release, ok bool) {
	from := slices.IndexFunc(list, func(r Release) bool { return r.Tag.Tag == tag })
	if from < 0 {
		return Release{}, false
	}
	return nextGood(list[from+1:])
}

func nextGood(list []Release) (Release, bool) {
	for _, r := range list {
		if r.Standing == Good && !r.Current {
			return r, true
		}
	}
	return Release{}, false
}
