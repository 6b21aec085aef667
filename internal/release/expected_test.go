package release_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

func TestExpected(t *testing.T) {
	took := func(kind release.Kind, verdict recovery.Verdict, seconds ...int) (records []release.Record) {
		for i, s := range seconds {
			records = append(records, found(i, kind, verdict, "v1", func(r *release.Record) { r.Took = recovery.Duration(time.Duration(s) * time.Second) }))
		}
		return records
	}
	staging := took(release.Staged, recovery.Proven, 100, 90)
	for name, c := range map[string]struct {
		records []release.Record
		want    string
	}{
		"nothing is known":        {nil, "not known: this is the first rollback"},
		"only staging":            {staging, "not known: this is the first rollback; to staging, the last deploy and its tests took 1m30s"},
		"the first one":           {append(took(release.Deployed, recovery.Proven, 42), staging...), "42s, as the last rollback did"},
		"one that took very long": {took(release.Deployed, recovery.Proven, 40, 900, 42), "42s, the median of the last 3 rollbacks"},
		"only the last five":      {took(release.Deployed, recovery.Proven, 900, 900, 900, 3, 5, 1, 4, 2), "3s, the median of the last 5 rollbacks"},
		"those that went well":    {took(release.Deployed, recovery.Disproven, 42), "not known: this is the first rollback"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, release.Expected(c.records)) })
	}
}
