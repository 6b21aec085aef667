package recovery_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestDrillReport(t *testing.T) {
	hour := recovery.Duration(time.Hour)
	d := recovery.Drill{
		Report: recovery.Report{
			Service: "where2eat", Set: newest, Copy: "main", Target: recovery.LevelProven, Level: recovery.LevelProven, Verdict: recovery.Proven,
			Sentence: "all is well", RTO: recovery.NewMeasure(hour, 2*time.Minute), RPO: recovery.NewMeasure(hour, 90*time.Minute),
			Artefacts: []recovery.ArtefactReport{{ArtefactProof: recovery.ArtefactProof{
				Source: "app", Verdict: recovery.Proven, Level: recovery.LevelProven, Rows: 7,
				ReadBackTook: recovery.Duration(time.Second), RestoreTook: recovery.Duration(time.Minute),
			}}},
			Smoke:  &recovery.SmokeProof{Steps: []recovery.SmokeStep{{Name: "log in", OK: true, Took: recovery.Duration(time.Second)}}},
			Config: recovery.ConfigRef{Commit: "abc", Dirty: true},
		},
		Started: newest.Time(), Ended: newest.Time().Add(2 * time.Minute), Run: recovery.RunRef{WorkflowID: "drill/1", RunID: "r1"},
		By: "sam", Decided: []string{"drill approved: kim by slack: go | ahead\nnow"}, Expected: recovery.Duration(3 * time.Minute),
	}
	require.Equal(t, "# Restore drill of where2eat: PASSED\n\nall is well\n\n"+
		"| | |\n|---|---|\n| Set | `20261122T180000Z-000003` from main |\n| Begun | 2026-11-22 18:00:00 UTC |\n| Ended | 2026-11-22 18:02:00 UTC |\n"+
		"| Asked for by | sam |\n| Decision | drill approved: kim by slack: go \\| ahead now |\n"+
		"| Restore time | 2m: RTO 1h met, 58m to spare |\n| Age of the data | 1h30m: RPO 1h MISSED by 30m |\n| Expected | 3m, from the restores before |\n\n"+
		"## What was restored\n\n| source | result | rows | read back in | restored in |\n|---|---|---|---|---|\n| app | proven, proven | 7 | 1s | 1m |\n\n"+
		"## The service on the restored data\n\n1. log in: passed (1s)\n\nRun `drill/1` (`r1`), config commit abc with changes.\n", d.Markdown())

	d.Report.Verdict, d.Report.Level = recovery.Disproven, recovery.LevelReadBack
	d.Report.RTO, d.Report.Smoke.Steps[0] = nil, recovery.SmokeStep{Name: "log in", Error: "status 500"}
	d.Report.Failures = []recovery.SourceFailure{{Source: "notes", Error: "no such file"}}
	d.By, d.Decided, d.Expected, d.Report.Config = "", nil, 0, recovery.ConfigRef{Digest: "ff"}
	text := d.Markdown()
	require.Contains(t, text, ": FAILED\n")
	require.Contains(t, text, "| Restore time | not measured |\n")
	require.Contains(t, text, "| notes | not in the set: no such file | | | |\n")
	require.Contains(t, text, "1. log in: FAILED: status 500 (")
	require.Contains(t, text, "config sha256 ff.")
	require.NotContains(t, text, "Decision")
	require.NotContains(t, text, "Expected")
}

// Undoing a swap names everything anew, so that it can be undone in turn.
func TestSwapAndBack(t *testing.T) {
	swap := recovery.Swap{
		Source: "app", Kind: recovery.KindPostgres, Live: "app", Out: "1", In: "2", New: "copy", Aside: "before_app", Retired: "undone_app",
	}
	back, ok := swap.Back()
	require.True(t, ok)
	require.Equal(t, recovery.Swap{
		Source: "app", Kind: recovery.KindPostgres, Live: "app", Out: "2", In: "1", New: "before_app", Aside: "undone_app", Retired: "before_app",
	}, back)
	again, ok := back.Back()
	require.True(t, ok)
	require.Equal(t, "undone_app", again.New, "what was swapped in first has that name by then")
	require.Equal(t, "before_app", again.Aside)

	swap.Out = ""
	_, ok = swap.Back()
	require.False(t, ok, "nothing was there before")
}
