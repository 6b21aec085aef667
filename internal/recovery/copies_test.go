package recovery_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// copyOf is a copy that was restored at these minutes past, in as many seconds,
// and drilled at the last of them.
func copyOf(set recovery.SetID, level recovery.Level, verdict recovery.Verdict, minutes ...int) recovery.SetSummary {
	s := summary(set, level, verdict)
	for _, m := range minutes {
		at := pruneNow.Add(time.Duration(m) * time.Minute)
		s.RestoredAt = append(s.RestoredAt, at)
		s.RestoreTook = append(s.RestoreTook, recovery.Duration(time.Duration(m)*time.Second))
		s.LastDrill = &recovery.Proof{Started: at}
	}
	return s
}

func seconds(n ...int) []recovery.Duration {
	var all []recovery.Duration
	for _, s := range n {
		all = append(all, recovery.Duration(time.Duration(s)*time.Second))
	}
	return all
}

func destinations(s recovery.SetSummary) []string {
	var names []string
	for _, c := range s.Copies {
		names = append(names, c.Destination)
	}
	return names
}

func TestMergeCopies(t *testing.T) {
	unreadable := copyOf(newest, recovery.LevelNone, recovery.Disproven)
	unreadable.Unreadable = "its manifest is not signed"
	lists := []recovery.CopyList{
		{Destination: "near", Sets: []recovery.SetSummary{
			unreadable,
			copyOf(newer, recovery.LevelReadBack, recovery.Proven, 1, 5, 7),
		}},
		{Destination: "down", Unavailable: "connection refused"},
		{Destination: "far", Sets: []recovery.SetSummary{
			copyOf(newest, recovery.LevelReadBack, recovery.Disproven),
			copyOf(newer, recovery.LevelProven, recovery.Proven, 3, 6),
			copyOf(older, recovery.LevelStored, recovery.Inconclusive),
		}},
		{Destination: "cold", Sets: []recovery.SetSummary{
			copyOf(newest, recovery.LevelStored, recovery.Inconclusive),
			copyOf(newer, recovery.LevelReadBack, recovery.Proven),
		}},
	}
	before, err := json.Marshal(lists)
	require.NoError(t, err)
	sets := recovery.MergeCopies(lists)
	require.Len(t, sets, 3)
	require.Equal(t, []recovery.SetID{newest, newer, older}, []recovery.SetID{sets[0].Set, sets[1].Set, sets[2].Set})

	require.Equal(t, []string{"cold", "far", "near"}, destinations(sets[0]), "one that is not known to be good, one disproven, one unreadable")
	require.Empty(t, sets[0].Unreadable, "another copy can be read")
	require.False(t, sets[0].Usable())

	require.Equal(t, []string{"far", "near", "cold"}, destinations(sets[1]), "the highest first, the preferred before its equal")
	require.Equal(t, lists[2].Sets[1].Standing, sets[1].Standing)
	require.Equal(t, lists[2].Sets[1].Standing, sets[1].Copies[0].Standing)
	require.Equal(t, seconds(1, 3, 5, 6, 7), sets[1].RestoreTook, "of all copies, the oldest first")
	require.Equal(t, pruneNow.Add(7*time.Minute), sets[1].LastDrill.Started)
	require.Equal(t, []string{"far"}, destinations(sets[2]))

	chosen, err := recovery.ChooseSet("where2eat", sets, "")
	require.NoError(t, err)
	require.Equal(t, newer, chosen.Set)
	median, of := recovery.ExpectRestore(sets)
	require.Equal(t, 5, of)
	require.Equal(t, seconds(5)[0], median)
	require.Equal(t, pruneNow.Add(7*time.Minute), recovery.LastDrill(sets).Started)

	after, err := json.Marshal(lists)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "what was given stays as it was")
	require.Empty(t, recovery.MergeCopies(nil))
}

func TestMergeCopiesWithoutTimes(t *testing.T) {
	old := copyOf(newer, recovery.LevelReadBack, recovery.Proven, 9)
	old.RestoredAt = nil // as an earlier version wrote it
	sets := recovery.MergeCopies([]recovery.CopyList{
		{Destination: "near", Sets: []recovery.SetSummary{copyOf(newer, recovery.LevelReadBack, recovery.Proven, 1)}},
		{Destination: "far", Sets: []recovery.SetSummary{old}},
	})
	require.Equal(t, seconds(9, 1), sets[0].RestoreTook)
}

func TestMergeCopiesOfWhatWasSummarized(t *testing.T) {
	proof := func(minute int) recovery.Proof {
		started := pruneNow.Add(time.Duration(minute) * time.Minute)
		return recovery.Proof{
			Verdict: recovery.Proven, Tried: recovery.LevelProven, Level: recovery.LevelProven, Started: started,
			RTO: recovery.NewMeasure(recovery.Duration(time.Hour), time.Duration(minute)*time.Second),
		}
	}
	m := manifest()
	near := recovery.Summarize(m.Set, m, []recovery.Proof{proof(1), proof(4)}, nil)
	far := recovery.Summarize(m.Set, m, []recovery.Proof{proof(2)}, nil)
	sets := recovery.MergeCopies([]recovery.CopyList{
		{Destination: "far", Sets: []recovery.SetSummary{far}}, {Destination: "near", Sets: []recovery.SetSummary{near}},
	})
	require.Equal(t, seconds(1, 2, 4), sets[0].RestoreTook)
	require.Equal(t, []string{"far", "near"}, destinations(sets[0]))
}

func TestDoubtful(t *testing.T) {
	safety := copyOf("20261119T180000Z-000009", recovery.LevelStored, recovery.Inconclusive)
	safety.Purpose = recovery.PurposeSafety
	unreadable := copyOf(older, recovery.LevelNone, recovery.Disproven)
	unreadable.Unreadable = "its manifest is not signed"
	const leaving = recovery.SetID("20261118T180000Z-000008")
	list := recovery.CopyList{Sets: []recovery.SetSummary{
		copyOf(newest, recovery.LevelStored, recovery.Inconclusive),
		copyOf(newer, recovery.LevelReadBack, recovery.Disproven),
		unreadable,
		copyOf("20261120T150000Z-000007", recovery.LevelProven, recovery.Proven),
		safety,
		copyOf(leaving, recovery.LevelStored, recovery.Disproven),
	}, Pruned: []recovery.SetID{leaving}}
	bad, unread := list.Doubtful()
	require.Equal(t, []recovery.SetID{newer, older}, bad)
	require.Equal(t, []recovery.SetID{newest}, unread)
}

func TestBehind(t *testing.T) {
	usable := func(set recovery.SetID) recovery.SetSummary {
		return copyOf(set, recovery.LevelReadBack, recovery.Proven)
	}
	safety := usable("20261119T180000Z-000009")
	safety.Purpose = recovery.PurposeSafety
	const pruned = recovery.SetID("20261118T180000Z-000008")
	behind := recovery.Behind([]recovery.CopyList{
		{Destination: "near", Sets: []recovery.SetSummary{usable(newest), usable(newer), safety, usable(pruned)}},
		{Destination: "far", Sets: []recovery.SetSummary{
			copyOf(newest, recovery.LevelStored, recovery.Inconclusive), // it is there
			copyOf("20261121T190000Z-000007", recovery.LevelStored, recovery.Inconclusive),
			copyOf("20261121T200000Z-000006", recovery.LevelReadBack, recovery.Disproven),
		}, Pruned: []recovery.SetID{pruned}},
		{Destination: "down", Unavailable: "connection refused"},
		{Destination: "new"},
	})
	require.Equal(t, map[string][]recovery.SetID{
		"near": {},
		"far":  {newer},
		"new":  {newest, newer, pruned},
	}, behind)
}
