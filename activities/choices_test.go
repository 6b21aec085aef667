package activities_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// newCopies has the newer of two sets at main and second, the older one at all.
func newCopies() bay {
	b := newBay("main", "second", "third")
	for _, m := range b {
		m.add(set1, "app", "1")
	}
	b["main"].add(set2, "app", "2")
	b["second"].add(set2, "app", "2")
	return b
}

func chooseSet(t *testing.T, b bay, change ...func(in *activities.ChooseSetInput)) (*activities.ChosenSet, error) {
	t.Helper()
	in := activities.ChooseSetInput{Service: service, Destinations: specs("main", "second", "third")}
	for _, c := range change {
		c(&in)
	}
	return run[*activities.ChosenSet](t, (&activities.Choices{Stores: b}).ChooseSet, in)
}

func of(set recovery.SetID) func(in *activities.ChooseSetInput) {
	return func(in *activities.ChooseSetInput) { in.Set = set }
}

func at(copyName string) func(in *activities.ChooseSetInput) {
	return func(in *activities.ChooseSetInput) { in.Copy = copyName }
}

func TestChooseSet(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(b bay)
		change  []func(in *activities.ChooseSetInput)
		set     recovery.SetID
		copies  []string
		silent  int
	}{
		"the newest that was read back anywhere": {
			func(b bay) { b["second"].prove(set2, recovery.LevelReadBack, recovery.Proven, noon) }, nil, set2, []string{"second"}, 0,
		},
		"the best copy first": {
			func(b bay) {
				b["main"].prove(set2, recovery.LevelReadBack, recovery.Proven, noon)
				b["second"].prove(set2, recovery.LevelRestored, recovery.Proven, noon)
			}, nil, set2, []string{"second", "main"}, 0,
		},
		"as good, in the order of the config": {
			func(b bay) {
				b["main"].prove(set2, recovery.LevelRestored, recovery.Proven, noon)
				b["second"].prove(set2, recovery.LevelRestored, recovery.Proven, noon)
			}, nil, set2, []string{"main", "second"}, 0,
		},
		"a copy that was disproven is not read": {
			func(b bay) {
				b["main"].prove(set2, recovery.LevelReadBack, recovery.Proven, noon)
				b["main"].prove(set2, recovery.LevelReadBack, recovery.Disproven, noon.Add(time.Hour))
				b["second"].prove(set2, recovery.LevelReadBack, recovery.Proven, noon)
			}, nil, set2, []string{"second"}, 0,
		},
		"an older one, where the newest proves nothing": {
			func(b bay) { b["third"].prove(set1, recovery.LevelReadBack, recovery.Proven, noon) }, nil, set1, []string{"third"}, 0,
		},
		"the wanted one": {
			func(b bay) {
				b["main"].prove(set1, recovery.LevelReadBack, recovery.Proven, noon)
				b["main"].prove(set2, recovery.LevelReadBack, recovery.Proven, noon)
			}, []func(in *activities.ChooseSetInput){of(set1)}, set1, []string{"main"}, 0,
		},
		"at the wanted destination": {
			func(b bay) {
				b["third"].prove(set1, recovery.LevelReadBack, recovery.Proven, noon)
				b["main"].prove(set2, recovery.LevelReadBack, recovery.Proven, noon)
			}, []func(in *activities.ChooseSetInput){at("third")}, set1, []string{"third"}, 0,
		},
		"where something answers": {
			func(b bay) {
				b["main"].prove(set2, recovery.LevelReadBack, recovery.Proven, noon)
				b["second"].prove(set2, recovery.LevelReadBack, recovery.Proven, noon)
				b["main"].away()
			}, nil, set2, []string{"second"}, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCopies()
			c.prepare(b)
			out, err := chooseSet(t, b, c.change...)
			require.NoError(t, err)
			require.Equal(t, c.set, out.Set.Set)
			require.Equal(t, c.copies, out.Copies)
			require.Len(t, out.Silent, c.silent)
			for _, s := range out.Silent {
				require.Equal(t, activities.Trouble{Destination: "main", Error: "connection to main refused"}, s)
			}
		})
	}
}

func TestChooseSetThatThereIsNot(t *testing.T) {
	for name, c := range map[string]struct {
		prepare    func(b bay)
		change     func(in *activities.ChooseSetInput)
		kind, want string
	}{
		"nothing was read back": {func(bay) {}, of(""), activities.ErrorPermanent, "none has been read back"},
		"nobody answers": {
			func(b bay) {
				for _, m := range b {
					m.away()
				}
			}, of(""), activities.ErrorUnavailable, "connection to main refused",
		},
		"an unknown copy": {func(bay) {}, at("fourth"), activities.ErrorPermanent, `read copy "fourth": there is no such destination`},
		"a wanted set that is not there": {
			func(bay) {}, of("20261119T030000Z-000000"), activities.ErrorPermanent, "`starter sets where2eat` lists the sets that are there",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCopies()
			c.prepare(b)
			_, err := chooseSet(t, b, c.change)
			kind, message := fails(t, err)
			require.Equal(t, c.kind, kind)
			require.Contains(t, message, c.want)
		})
	}
}

func TestChooseCopy(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(b bay)
		rotate  bool
		change  func(in *activities.ChooseSetInput)
		want    activities.ChosenCopy
	}{
		"the newest, at the first that has it": {func(bay) {}, false, of(""), activities.ChosenCopy{Set: set2, Copy: "main"}},
		"one that was disproven must be heard of again": {
			func(b bay) { b["main"].prove(set2, recovery.LevelReadBack, recovery.Disproven, noon) }, false, of(""), activities.ChosenCopy{Set: set2, Copy: "main"},
		},
		"the wanted one":    {func(bay) {}, false, of(set1), activities.ChosenCopy{Set: set1, Copy: "main"}},
		"at the wanted one": {func(bay) {}, false, at("third"), activities.ChosenCopy{Set: set1, Copy: "third"}},
		"in turn: one that was never restored": {
			func(b bay) { b["main"].prove(set2, recovery.LevelRestored, recovery.Proven, noon) }, true, of(""), activities.ChosenCopy{Set: set2, Copy: "second"},
		},
		"in turn: the one restored longest ago, whichever set that was": {
			func(b bay) {
				b["main"].prove(set2, recovery.LevelRestored, recovery.Proven, noon.Add(2*time.Hour))
				b["second"].prove(set1, recovery.LevelRestored, recovery.Proven, noon.Add(time.Hour))
				b["third"].prove(set1, recovery.LevelRestored, recovery.Proven, noon.Add(3*time.Hour))
			}, true, of(""), activities.ChosenCopy{Set: set2, Copy: "second"},
		},
		"in turn: reading back is no restore": {
			func(b bay) {
				b["main"].prove(set2, recovery.LevelRestored, recovery.Proven, noon)
				b["second"].prove(set2, recovery.LevelRestored, recovery.Proven, noon.Add(time.Hour))
				b["third"].prove(set1, recovery.LevelReadBack, recovery.Proven, noon.Add(2*time.Hour))
			}, true, of(""), activities.ChosenCopy{Set: set1, Copy: "third"},
		},
		"in turn: all alike, the preferred one": {func(bay) {}, true, of(""), activities.ChosenCopy{Set: set2, Copy: "main"}},
		"in turn: never one that does not answer": {
			func(b bay) {
				b["main"].prove(set2, recovery.LevelRestored, recovery.Proven, noon)
				b["second"].away()
				b["third"].away()
			}, true, of(""), activities.ChosenCopy{Set: set2, Copy: "main"},
		},
		"not what a restore made for itself": {
			func(b bay) { b["main"].manifests[set2].Purpose = recovery.PurposeSafety }, false, of(""), activities.ChosenCopy{Set: set1, Copy: "main"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCopies()
			c.prepare(b)
			in := activities.ChooseCopyInput{ChooseSetInput: activities.ChooseSetInput{Service: service, Destinations: specs("main", "second", "third")}, Rotate: c.rotate}
			c.change(&in.ChooseSetInput)
			out, err := run[*activities.ChosenCopy](t, (&activities.Choices{Stores: b}).ChooseCopy, in)
			require.NoError(t, err)
			require.Equal(t, c.want, *out)
		})
	}
}

// When a restore was last tried decides whose turn it is: one that does not tell has
// none, and if nobody tells it is not as if there were no set.
func TestCopyWhoseLastRestoreIsNotKnown(t *testing.T) {
	choose := func(t *testing.T, b bay, rotate bool) (*activities.ChosenCopy, error) {
		t.Helper()
		in := activities.ChooseCopyInput{ChooseSetInput: activities.ChooseSetInput{Service: service, Destinations: specs("main", "second", "third")}, Rotate: rotate}
		return run[*activities.ChosenCopy](t, (&activities.Choices{Stores: b}).ChooseCopy, in)
	}
	resets := errors.New("connection reset")
	t.Run("of one", func(t *testing.T) {
		b := newCopies()
		b["main"].lastErr = resets
		out, err := choose(t, b, true)
		require.NoError(t, err)
		require.Equal(t, activities.ChosenCopy{Set: set2, Copy: "second"}, *out)
	})
	t.Run("of none", func(t *testing.T) {
		b := newCopies()
		for _, m := range b {
			m.lastErr = resets
		}
		_, err := choose(t, b, true)
		kind, message := fails(t, err)
		require.Equal(t, activities.ErrorUnavailable, kind, "it is tried again")
		require.Equal(t, "connection reset", message)
	})
	t.Run("it is not asked where it does not matter", func(t *testing.T) {
		b := newCopies()
		b["main"].lastErr = resets
		out, err := choose(t, b, false)
		require.NoError(t, err)
		require.Equal(t, "main", out.Copy)
	})
}

func TestReportOfADrillIsWrittenWhereItCanBe(t *testing.T) {
	b := newBay("main", "second")
	b["main"].away()
	in := activities.WriteDrillInput{Destinations: specs("main", "second")}
	in.Drill.Report.Service, in.Drill.Started = service, noon
	key, err := run[string](t, (&activities.Drills{Stores: b}).WriteDrill, in)
	require.NoError(t, err)
	require.Equal(t, "drills/where2eat/2026-11-21T120000Z.md", key)
	require.Contains(t, b["second"].documents[key], "# Restore drill of where2eat")
}
