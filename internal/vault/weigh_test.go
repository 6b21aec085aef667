package vault_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestWeigh(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v := d.open(t)
		const first, second = recovery.SetID("20261122T180000Z-ab12cd"), recovery.SetID("20261123T180000Z-ab12cd")
		for key, size := range map[string]int{
			recovery.SetPrefix("where2eat", first) + "app.1.dump.zst.age": 3000, recovery.ManifestKey("where2eat", first): 200,
			recovery.SetPrefix("where2eat", second) + "app.1.dump.zst.age": 5000,
			recovery.SetPrefix("shop", second) + "db.1.dump.zst.age":       7000,
			recovery.SetsPrefix("where2eat") + "README":                    11,
			recovery.ProofsPrefix("where2eat", first) + "x.json":           13,
		} {
			require.NoError(t, v.Put(t.Context(), key, make([]byte, size)))
		}
		weights, err := v.Weigh(t.Context(), "where2eat")
		require.NoError(t, err)
		require.Len(t, weights, 2)
		sum := func(set recovery.SetID) (n int64) {
			for class, size := range weights[set] {
				require.Contains(t, []string{"", "STANDARD"}, class)
				n += size
			}
			return n
		}
		require.Equal(t, int64(3200), sum(first))
		require.Equal(t, int64(5000), sum(second))

		none, err := v.Weigh(t.Context(), "young")
		require.NoError(t, err)
		require.Empty(t, none)
		_, err = v.Weigh(t.Context(), "../etc")
		require.Equal(t, recovery.Permanent, recovery.KindOf(err), "%v", err)
	})
}
