package recovery_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestKeyDrillDocument(t *testing.T) {
	d := &recovery.KeyDrill{
		Destination: "s3://backups/lifeboat", By: "ann on web1",
		Started: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC), Ended: time.Date(2026, 11, 22, 18, 1, 30, 0, time.UTC),
		Sets: []recovery.KeyDrillSet{{
			Service: "shop", Set: "20261122T030000Z-ab12cd", Created: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC),
			Objects: 3, Size: 1_400_000, Took: recovery.Duration(90 * time.Second), Missing: []string{"notes"},
		}},
	}
	require.True(t, d.Passed())
	require.Equal(t, "drills/keys/2026-11-22T180000Z.md", d.Key())
	require.Equal(t, `# Key-loss drill: PASSED

With nothing but the recovery kit, the newest set of every service was to be opened.

| | |
|---|---|
| Destination | s3://backups/lifeboat |
| By | ann on web1 |
| Begun | 2026-11-22 18:00:00 UTC |
| Ended | 2026-11-22 18:01:30 UTC |

| service | set | made | objects | size | took | result |
|---|---|---|---|---|---|---|
| shop | `+"`20261122T030000Z-ab12cd`"+` | 2026-11-22 03:00:00 UTC | 3 | 1.4 MB | 1m30s | opened; it does not hold notes |
`, d.Markdown())
	when, ok := recovery.PassedKeyDrill(d.Key())
	require.True(t, ok)
	require.Equal(t, d.Started, when)

	failed := *d
	failed.Sets = []recovery.KeyDrillSet{{Service: "shop", Error: "no age key\nhere | fits"}, d.Sets[0]}
	require.False(t, failed.Passed())
	require.Contains(t, failed.Markdown(), "# Key-loss drill: FAILED\n")
	require.Contains(t, failed.Markdown(), "| NOT OPENED: no age key here \\| fits |\n")
	require.Equal(t, "drills/keys/2026-11-22T180000Z.failed.md", failed.Key())

	none := *d
	none.Sets, none.Error = nil, "there is no recovery set here"
	require.False(t, none.Passed())
	require.Contains(t, none.Markdown(), "| Error | there is no recovery set here |\n")
	require.NotContains(t, none.Markdown(), "| service |")

	for _, key := range []string{failed.Key(), "drills/keys/readme.md", "drills/shop/2026-11-22T180000Z.md", "drills/keys/"} {
		_, ok := recovery.PassedKeyDrill(key)
		require.False(t, ok, key)
	}
}
