package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func findMissing(t *testing.T, b activities.Stores) ([]activities.MissingCopy, error) {
	t.Helper()
	return run[[]activities.MissingCopy](t, (&activities.Copies{Stores: b}).FindMissing, activities.FindMissingInput{Service: service, Destinations: specs("main", "second", "third")})
}

func TestFindMissing(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(b bay)
		want    []activities.MissingCopy
	}{
		"one lacks the newest": {func(bay) {}, []activities.MissingCopy{{Set: set2, To: "third"}}},
		"one lacks all, the newest first": {
			func(b bay) { clear(b["third"].manifests) }, []activities.MissingCopy{{Set: set2, To: "third"}, {Set: set1, To: "third"}},
		},
		"not what was removed there by intent": {
			func(b bay) { b["third"].pruned = []recovery.SetID{set2} }, nil,
		},
		"not what does not answer":        {func(b bay) { b["third"].away() }, nil},
		"not what nobody who answers has": {func(b bay) { b["main"].away(); delete(b["second"].manifests, set2) }, nil},
		"not what may not be restored":    {func(b bay) { b["main"].proofs, b["second"].proofs = nil, nil }, nil},
		"not what a restore made for itself": {
			func(b bay) {
				b["main"].manifests[set2].Purpose = recovery.PurposeSafety
				b["second"].manifests[set2].Purpose = recovery.PurposeSafety
			}, nil,
		},
		"nobody answers": {func(b bay) { b["main"].away(); b["second"].away(); b["third"].away() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCopies()
			for _, name := range []string{"main", "second"} {
				b[name].prove(set1, recovery.LevelReadBack, recovery.Proven, noon)
				b[name].prove(set2, recovery.LevelReadBack, recovery.Proven, noon)
			}
			c.prepare(b)
			missing, err := findMissing(t, b)
			require.NoError(t, err)
			require.Equal(t, c.want, missing)
		})
	}
}

// Of each destination only the newest sets are compared: what is older than the last
// of a full list may be there.
func TestFindMissingComparesWhatAllListsGoBackTo(t *testing.T) {
	b := newBay("main", "second", "third")
	set := func(i int) recovery.SetID { return recovery.NewSetID(noon.Add(time.Duration(i)*time.Hour), "000000") }
	for i := range 250 {
		for _, m := range b {
			if m.name != "third" || i%100 != 40 { // third lacks 40, 140 and 240
				m.add(set(i), "app", "1")
				m.prove(set(i), recovery.LevelReadBack, recovery.Proven, noon)
			}
		}
	}
	missing, err := findMissing(t, b)
	require.NoError(t, err)
	require.Equal(t, []activities.MissingCopy{{Set: set(240), To: "third"}, {Set: set(140), To: "third"}}, missing, "40 is not in the newest 200")
	require.Equal(t, []int{200, 200, 200}, []int{b["main"].limit, b["second"].limit, b["third"].limit})

	t.Run("a new destination gets what is listed", func(t *testing.T) {
		clear(b["third"].manifests)
		missing, err := findMissing(t, b)
		require.NoError(t, err)
		require.Len(t, missing, 200)
		require.Equal(t, set(249), missing[0].Set)
		require.Equal(t, set(50), missing[199].Set)
	})
}
