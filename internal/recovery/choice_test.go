package recovery_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const (
	older  = recovery.SetID("20261120T180000Z-000001")
	newer  = recovery.SetID("20261121T180000Z-000002")
	newest = recovery.SetID("20261122T180000Z-000003")
)

func summary(set recovery.SetID, level recovery.Level, verdict recovery.Verdict) recovery.SetSummary {
	return recovery.SetSummary{Set: set, Standing: recovery.Standing{Level: level, Verdict: verdict, Sentence: "how it stands"}}
}

func TestChooseSet(t *testing.T) {
	usable := func(set recovery.SetID) recovery.SetSummary {
		return summary(set, recovery.LevelReadBack, recovery.Proven)
	}
	stored := summary(newest, recovery.LevelStored, recovery.Inconclusive)
	disproven := summary(newest, recovery.LevelRestored, recovery.Disproven)
	unreadable := recovery.Summarize(newest, nil, nil, errors.New("its manifest is not signed"))
	safety := usable(newest)
	safety.Purpose = recovery.PurposeSafety
	for name, c := range map[string]struct {
		sets   []recovery.SetSummary
		wanted recovery.SetID
		want   recovery.SetID
		err    string
	}{
		"the newest":                     {[]recovery.SetSummary{usable(newest), usable(newer)}, "", newest, ""},
		"the newest that was read back":  {[]recovery.SetSummary{stored, usable(newer), usable(older)}, "", newer, ""},
		"not one that was disproven":     {[]recovery.SetSummary{disproven, usable(newer)}, "", newer, ""},
		"not one that cannot be read":    {[]recovery.SetSummary{unreadable, usable(newer)}, "", newer, ""},
		"not what a restore made":        {[]recovery.SetSummary{safety, usable(newer)}, "", newer, ""},
		"what a restore made, if wanted": {[]recovery.SetSummary{safety, usable(newer)}, newest, newest, ""},
		"the wanted one":                 {[]recovery.SetSummary{usable(newest), usable(newer), usable(older)}, older, older, ""},
		"the wanted one was not read back": {
			[]recovery.SetSummary{stored, usable(newer)},
			newest, "",
			"choose set 20261122T180000Z-000003 of where2eat: how it stands (read it back first with `starter verify where2eat --set 20261122T180000Z-000003 --level readBack`, or choose another: `starter sets where2eat`)",
		},
		"the wanted one cannot be read": {[]recovery.SetSummary{unreadable}, newest, "", "choose set 20261122T180000Z-000003 of where2eat: its manifest is not signed ("},
		"the wanted one is not there":   {[]recovery.SetSummary{usable(newest)}, older, "", "choose set 20261120T180000Z-000001 of where2eat: it is not there (`starter sets where2eat` lists"},
		"there is none":                 {nil, "", "", "choose a set of where2eat: none has been read back (make one with `starter backup where2eat`)"},
	} {
		t.Run(name, func(t *testing.T) {
			chosen, err := recovery.ChooseSet("where2eat", c.sets, c.wanted)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.Equal(t, recovery.Permanent, recovery.KindOf(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, chosen.Set)
		})
	}
}

func TestSummarize(t *testing.T) {
	begun := newest.Time()
	m := &recovery.Manifest{
		Service: "where2eat", Set: newest, Created: begun, Purpose: recovery.PurposeSafety,
		Artefacts: []recovery.Artefact{{Source: "app", Dump: recovery.Object{Size: 100}}, {Source: "notes", Dump: recovery.Object{Size: 20}}},
	}
	proof := func(kind recovery.ProofKind, verdict recovery.Verdict, after time.Duration, took time.Duration) recovery.Proof {
		return recovery.Proof{
			Kind: kind, Verdict: verdict, Level: recovery.LevelProven, Tried: recovery.LevelProven, Started: begun.Add(after), Ended: begun.Add(after + took),
			RTO: recovery.NewMeasure(recovery.Duration(time.Hour), took), Sentence: string(kind),
		}
	}
	proofs := []recovery.Proof{
		proof(recovery.ProofRestore, recovery.Proven, time.Hour, time.Minute),
		proof(recovery.ProofDrill, recovery.Proven, 3*time.Hour, 3*time.Minute),
		proof(recovery.ProofDrill, recovery.Inconclusive, 2*time.Hour, 2*time.Minute),
		{Kind: recovery.ProofReadBack, Verdict: recovery.Proven, Level: recovery.LevelReadBack, Started: begun},
	}
	s := recovery.Summarize(newest, m, proofs, nil)
	require.Equal(t, []string{"app", "notes"}, s.Sources)
	require.Equal(t, int64(120), s.Size)
	require.Equal(t, recovery.PurposeSafety, s.Purpose)
	require.Equal(t, recovery.LevelProven, s.Standing.Level)
	require.Equal(t, []recovery.Duration{recovery.Duration(time.Minute), recovery.Duration(3 * time.Minute)}, s.RestoreTook, "only restores that went to their end")
	require.Equal(t, begun.Add(3*time.Hour), s.LastDrill.Started)
	require.True(t, s.Usable())

	bad := recovery.Summarize(newest, nil, nil, errors.New("its manifest is not signed"))
	require.False(t, bad.Usable())
	require.Equal(t, begun, bad.Created)
	require.Equal(t, recovery.Disproven, bad.Standing.Verdict)
}

func TestExpectRestore(t *testing.T) {
	minutes := func(list ...int) (took []recovery.Duration) {
		for _, m := range list {
			took = append(took, recovery.Duration(time.Duration(m)*time.Minute))
		}
		return took
	}
	for name, c := range map[string]struct {
		sets [][]recovery.Duration // newest first
		want int
		of   int
	}{
		"none":             {nil, 0, 0},
		"one":              {[][]recovery.Duration{nil, minutes(7)}, 7, 1},
		"the median":       {[][]recovery.Duration{minutes(9), minutes(1, 60)}, 9, 3},
		"of the last five": {[][]recovery.Duration{minutes(1, 2, 3), minutes(90, 4, 5), minutes(90, 90, 90)}, 3, 5},
	} {
		t.Run(name, func(t *testing.T) {
			var sets []recovery.SetSummary
			for _, took := range c.sets {
				sets = append(sets, recovery.SetSummary{RestoreTook: took})
			}
			median, of := recovery.ExpectRestore(sets)
			require.Equal(t, time.Duration(c.want)*time.Minute, median.Std())
			require.Equal(t, c.of, of)
		})
	}
}

func TestLastDrill(t *testing.T) {
	at := func(hour int) *recovery.Proof {
		return &recovery.Proof{Started: time.Date(2026, 11, 22, hour, 0, 0, 0, time.UTC)}
	}
	require.Nil(t, recovery.LastDrill([]recovery.SetSummary{{}, {}}))
	last := recovery.LastDrill([]recovery.SetSummary{{LastDrill: at(8)}, {}, {LastDrill: at(9)}, {LastDrill: at(7)}})
	require.Equal(t, at(9), last, "the newest drill may be of an older set")
}

func TestCompareRows(t *testing.T) {
	table := func(schema, name string, rows int64, sum string) recovery.DataSum {
		return recovery.DataSum{Kind: "table", Schema: schema, Name: name, Rows: rows, Sum: sum}
	}
	now := &recovery.Fingerprint{Data: []recovery.DataSum{
		table("public", "same", 5, "aa"), table("public", "edited", 5, "aa"), table("public", "grown", 50, "aa"), table("audit", "log", 500, "aa"),
		table("public", "made", 3, "aa"), table("", "emptied", 0, ""),
		{Kind: "sequence", Name: "ids", Rows: 9},
	}}
	then := &recovery.Fingerprint{Data: []recovery.DataSum{
		table("public", "same", 5, "aa"), table("public", "edited", 5, "bb"), table("public", "grown", 40, "bb"), table("audit", "log", 100, "bb"),
		table("public", "dropped", 7, "aa"), table("", "emptied", 8, "bb"),
		{Kind: "large objects", Rows: 2},
	}}
	require.Equal(t, []recovery.TableChange{
		{Source: "app", Table: "audit.log", Now: 500, Then: 100},
		{Source: "app", Table: "grown", Now: 50, Then: 40},
		{Source: "app", Table: "made", Now: 3, Then: -1},
		{Source: "app", Table: "edited", Now: 5, Then: 5},
		{Source: "app", Table: "dropped", Now: -1, Then: 7},
		{Source: "app", Table: "emptied", Now: 0, Then: 8},
		{Source: "app", Table: "same", Now: 5, Then: 5, Same: true},
	}, recovery.CompareRows("app", now, then))
}
