package recovery_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestMonthlyCost(t *testing.T) {
	const gb = 1_000_000_000
	price := 0.02
	fate := func(set recovery.SetID, tier string, keep bool) recovery.Fate {
		return recovery.Fate{Set: set, Tier: tier, Keep: keep, Size: gb}
	}
	cost := recovery.MonthlyCost([]recovery.Stock{
		{
			Destination: "near", Class: "STANDARD", Price: &price, Prices: map[string]float64{"GLACIER": 0.004, "FREE": 0},
			Fates: []recovery.Fate{
				fate("yearly", recovery.TierYearly, true), fate("gone", "", false), fate("rule", "", true),
				fate("daily-1", recovery.TierDaily, true), fate("daily-2", recovery.TierDaily, true), fate("hourly", recovery.TierHourly, true),
			},
			Objects: map[recovery.SetID]map[string]int64{
				"yearly":  {"GLACIER": 5 * gb, "STANDARD": 500_000_000},
				"daily-1": {"": 2 * gb, "STANDARD": gb}, // the same class by two names is one set
				"hourly":  {"FREE": gb},
				"rule":    {"DEEP": 3 * gb},
				"gone":    {"ARCHIVE": 2 * gb},
			},
		},
		{Destination: "far", Fates: []recovery.Fate{fate("daily-1", recovery.TierDaily, true), fate("gone", "", false)}},
		{Destination: "none"},
	})
	type row struct {
		destination, tier string
		leaving           bool
		class             string
		sets              int
		bytes             int64
		price, perMonth   any
	}
	var rows []row
	amount := func(p *float64) any {
		if p == nil {
			return "no price"
		}
		return *p
	}
	for _, l := range cost.Lines {
		rows = append(rows, row{l.Destination, l.Tier, l.Leaving, l.Class, l.Sets, l.Bytes, amount(l.Price), amount(l.PerMonth)})
	}
	require.Equal(t, []row{
		{"near", "hourly", false, "FREE", 1, gb, 0.0, 0.0},
		{"near", "daily", false, "STANDARD", 2, 4 * gb, 0.02, 0.08},
		{"near", "yearly", false, "GLACIER", 1, 5 * gb, 0.004, 0.02},
		{"near", "yearly", false, "STANDARD", 1, 500_000_000, 0.02, 0.01},
		{"near", "", false, "DEEP", 1, 3 * gb, "no price", "no price"},
		{"near", "", true, "ARCHIVE", 1, 2 * gb, "no price", "no price"},
		{"far", "daily", false, "", 1, gb, "no price", "no price"},
		{"far", "", true, "", 1, gb, "no price", "no price"},
	}, rows)
	require.InDelta(t, 0.11, cost.PerMonth, 1e-9)
	require.Equal(t, int64(7*gb), cost.Unpriced)

	data, err := json.Marshal(cost.Lines[4:5])
	require.NoError(t, err)
	require.JSONEq(t, `[{"destination": "near", "tier": "", "class": "DEEP", "sets": 1, "bytes": 3000000000, "price": null, "perMonth": null}]`, string(data))
}
