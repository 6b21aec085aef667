package recovery_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

var assessed = &recovery.Plan{
	Service: "where2eat", Owner: "Rebecca", TimeZone: "Europe/Berlin", GiveUpAfter: recovery.Duration(30 * time.Minute),
	Objectives: recovery.Objectives{RPO: recovery.Duration(day)},
	Sources: []recovery.SourceSpec{
		{Name: "app", RPO: recovery.Duration(2 * time.Hour), Every: recovery.Cadence{Every: "1h"}},
		{Name: "log", Every: recovery.Cadence{Every: "24h", Hour: 3}},
	},
}

// setAt is a set begun before now, whose sources were dumped that long before now.
func setAt(before time.Duration, level recovery.Level, snapshots map[string]time.Duration) recovery.KeptSet {
	id := recovery.NewSetID(sunday.Add(-before), "ab12cd")
	m := &recovery.Manifest{Set: id, Created: id.Time()}
	for _, source := range []string{"app", "log"} {
		if d, ok := snapshots[source]; ok {
			m.Artefacts = append(m.Artefacts, recovery.Artefact{Source: source, Set: id, Snapshot: sunday.Add(-d)})
		}
	}
	s := recovery.KeptSet{Set: id, Manifest: m}
	if level > recovery.LevelStored {
		s.Proofs = []recovery.Proof{{Set: id, Tried: level, Level: level, Verdict: recovery.Proven, Started: id.Time(), Ended: id.Time().Add(time.Minute)}}
	}
	return s
}

// hourly makes the sets of so many hours, the newest half an hour old.
func hourly(n int) []recovery.KeptSet {
	var sets []recovery.KeptSet
	for h := range n {
		before := time.Duration(h)*time.Hour + 30*time.Minute
		sets = append(sets, setAt(before, recovery.LevelReadBack, map[string]time.Duration{"app": before, "log": 4*time.Hour + 30*time.Minute}))
	}
	return sets
}

func TestAssess(t *testing.T) {
	main := recovery.SetsAt{Destination: "main", Sets: hourly(48)}
	main.Sets[30].Proofs[0].Level = recovery.LevelProven
	s := recovery.Assess(assessed, []recovery.SetsAt{main}, sunday)
	require.Equal(t, "where2eat", s.Service)
	require.Equal(t, []recovery.SourceDigest{
		{Source: "app", Every: assessed.Sources[0].Every, Age: ago(30 * time.Minute), Set: main.Sets[0].Set, RPO: recovery.Duration(2 * time.Hour), Met: true, Expected: 24},
		{Source: "log", Every: assessed.Sources[1].Every, Age: ago(4*time.Hour + 30*time.Minute), Set: main.Sets[0].Set, RPO: recovery.Duration(day), Met: true, Expected: 1},
	}, s.Sources)
	require.Equal(t, recovery.NewMeasure(recovery.Duration(2*time.Hour), 30*time.Minute), s.ReadBack)
	require.Equal(t, "app", s.ReadBackSource)
	require.Equal(t, main.Sets[30].Set, s.ProvenSet)
	require.Equal(t, ago(30*time.Hour+30*time.Minute), s.ProvenAge)
	require.Equal(t, []recovery.CopyDigest{{Destination: "main", ProvenAge: s.ProvenAge}}, s.Copies)
	require.Nil(t, s.LastDrill)
	require.Empty(t, s.Trouble)
}

func TestAssessFindsWhatIsMissing(t *testing.T) {
	t.Run("backups", func(t *testing.T) {
		sets := hourly(48)
		gap := append(append([]recovery.KeptSet{}, sets[:3]...), sets[5:]...) // those of 02:00 and 03:00 Berlin
		s := recovery.Assess(assessed, []recovery.SetsAt{{Destination: "main", Sets: gap}}, sunday)
		require.Equal(t, 24, s.Sources[0].Expected)
		require.Equal(t, 2, s.Sources[0].Missed)
		require.True(t, sunday.Add(-4*time.Hour-30*time.Minute).Equal(s.Sources[0].MissedTimes[0]), "%s", s.Sources[0].MissedTimes)
		require.Zero(t, s.Sources[1].Missed)
	})
	t.Run("each on one day, also one that fell due shortly before a digest", func(t *testing.T) {
		sets := hourly(72)
		const lost = 24 // due half an hour before the digest of the day before: it might still have come
		gap := append(append([]recovery.KeptSet{}, sets[:lost]...), sets[lost+1:]...)
		due := sets[lost].Set.Time()
		var told []time.Time
		for d := -2; d <= 1; d++ {
			at := sunday.Add(time.Duration(d) * day)
			before := slices.DeleteFunc(slices.Clone(gap), func(s recovery.KeptSet) bool { return s.Set.Time().After(at) })
			told = append(told, recovery.Assess(assessed, []recovery.SetsAt{{Destination: "main", Sets: before}}, at).Sources[0].MissedTimes...)
		}
		told = slices.DeleteFunc(told, func(t time.Time) bool { return t.After(sets[0].Set.Time()) }) // nothing was made since
		require.Len(t, told, 1)
		require.True(t, due.Equal(told[0]), "%s", told)
	})
	t.Run("none before there was any", func(t *testing.T) {
		s := recovery.Assess(assessed, []recovery.SetsAt{{Destination: "main", Sets: hourly(3)}}, sunday)
		require.Equal(t, 1, s.Sources[0].Expected)
		require.Zero(t, s.Sources[0].Missed)
	})
	t.Run("no set at all", func(t *testing.T) {
		s := recovery.Assess(assessed, []recovery.SetsAt{{Destination: "main"}}, sunday)
		require.Empty(t, s.Trouble)
		require.Nil(t, s.ReadBack)
		require.Nil(t, s.Sources[0].Age)
		require.Zero(t, s.Sources[0].Expected)
		require.Equal(t, []recovery.CopyDigest{{Destination: "main"}}, s.Copies)
	})
	t.Run("what was only stored does not count", func(t *testing.T) {
		sets := hourly(2)
		sets[0].Proofs = nil
		s := recovery.Assess(assessed, []recovery.SetsAt{{Destination: "main", Sets: sets}}, sunday)
		require.Equal(t, ago(90*time.Minute), s.Sources[0].Age)
		require.Equal(t, sets[1].Set, s.Sources[0].Set)
	})
	t.Run("nor what a restore made for itself, nor what cannot be read", func(t *testing.T) {
		sets := hourly(3)
		sets[0].Manifest.Purpose = recovery.PurposeSafety
		sets[0].Proofs[0].Level = recovery.LevelProven
		sets[1].Manifest, sets[1].Unreadable = nil, errors.New("bad signature")
		s := recovery.Assess(assessed, []recovery.SetsAt{{Destination: "main", Sets: sets}}, sunday)
		require.Equal(t, ago(150*time.Minute), s.Sources[0].Age)
		require.False(t, s.Sources[0].Met)
		require.Nil(t, s.ProvenAge)
	})
	t.Run("a source that is in no set", func(t *testing.T) {
		s := recovery.Assess(assessed, []recovery.SetsAt{{Destination: "main", Sets: []recovery.KeptSet{
			setAt(time.Hour, recovery.LevelReadBack, map[string]time.Duration{"app": time.Hour}),
		}}}, sunday)
		require.NotNil(t, s.Sources[0].Age)
		require.Nil(t, s.Sources[1].Age)
		require.Nil(t, s.ReadBack)
	})
}

// A copy that lies there counts only if it holds there.
func TestAssessFindsCopiesThatDoNotHold(t *testing.T) {
	spoilt := func(spoil func(s *recovery.KeptSet)) recovery.CopyDigest {
		sets := hourly(48)
		sets[40].Proofs[0].Level = recovery.LevelProven
		second := recovery.SetsAt{Destination: "second", Sets: hourly(48)}
		second.Sets[40].Proofs[0].Level = recovery.LevelProven
		for i := range 40 {
			spoil(&second.Sets[i])
		}
		s := recovery.Assess(assessed, []recovery.SetsAt{{Destination: "main", Sets: sets}, second}, sunday)
		require.Len(t, s.Copies, 2)
		require.Equal(t, recovery.CopyDigest{Destination: "main", ProvenAge: s.ProvenAge}, s.Copies[0])
		require.Equal(t, s.ProvenAge, s.Copies[1].ProvenAge)
		require.Zero(t, s.Copies[1].Behind, "they are there")
		return s.Copies[1]
	}
	sets := hourly(2)
	bad := spoilt(func(s *recovery.KeptSet) { s.Proofs[0].Verdict = recovery.Disproven })
	require.Equal(t, 40, bad.Bad)
	require.Equal(t, sets[0].Set, bad.NewestBad)
	unreadable := spoilt(func(s *recovery.KeptSet) { s.Manifest, s.Unreadable = nil, errors.New("bad signature") })
	require.Equal(t, 40, unreadable.Bad)
	inconclusive := spoilt(func(s *recovery.KeptSet) { s.Proofs[0].Verdict = recovery.Inconclusive })
	require.Equal(t, 39, inconclusive.Unread, "the newest may be about to be read back")
	require.Equal(t, sets[1].Set, inconclusive.NewestUnread)
	require.Equal(t, inconclusive, spoilt(func(s *recovery.KeptSet) { s.Proofs = nil }))
}

func TestAssessTakesCopiesTogether(t *testing.T) {
	sets := hourly(6)
	drilled := recovery.Proof{Set: sets[5].Set, Kind: recovery.ProofDrill, Tried: recovery.LevelProven, Level: recovery.LevelProven, Verdict: recovery.Proven, Started: sunday.Add(-time.Hour), Ended: sunday.Add(-time.Hour)}
	sets[5].Proofs = append(sets[5].Proofs, drilled)
	main := recovery.SetsAt{Destination: "main", Sets: sets[3:]}
	second := recovery.SetsAt{Destination: "second", Sets: []recovery.KeptSet{sets[0], sets[1], sets[2], sets[4]}, Pruned: []recovery.SetID{sets[5].Set}}
	s := recovery.Assess(assessed, []recovery.SetsAt{main, second}, sunday)
	require.Equal(t, ago(30*time.Minute), s.Sources[0].Age)
	require.Equal(t, []recovery.CopyDigest{
		{Destination: "main", Behind: 2, Oldest: sets[2].Set.Time(), ProvenAge: ago(5*time.Hour + 30*time.Minute)}, // the newest may be on its way
		{Destination: "second", Behind: 1, Oldest: sets[3].Set.Time()},
	}, s.Copies)
	require.Equal(t, &recovery.DrillDigest{At: sunday.Add(-time.Hour), Set: sets[5].Set, Verdict: recovery.Proven}, s.LastDrill)

	main.Since = sets[3].Set // older ones were not looked at
	second.Sets = append(second.Sets, hourly(10)[6:]...)
	again := recovery.Assess(assessed, []recovery.SetsAt{main, second}, sunday)
	require.Equal(t, 2, again.Copies[0].Behind, "what only the other list goes back to is not lacking")

	second = recovery.SetsAt{Destination: "second", Unavailable: "connection refused"}
	s = recovery.Assess(assessed, []recovery.SetsAt{main, second}, sunday)
	require.Empty(t, s.Trouble)
	require.Len(t, s.Copies, 1)
	main = recovery.SetsAt{Destination: "main", Unavailable: "no such bucket"}
	s = recovery.Assess(assessed, []recovery.SetsAt{main, second}, sunday)
	require.Equal(t, "no such bucket", s.Trouble)
}
