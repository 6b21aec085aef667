package release_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

func deployed(hours int, verdict recovery.Verdict, tag string) release.Record {
	return found(hours, release.Deployed, verdict, tag, func(r *release.Record) { r.Took = recovery.Duration(42 * time.Second) })
}

func TestRollbackTried(t *testing.T) {
	const days = 24
	for name, c := range map[string]struct {
		records []release.Record
		ok      bool
		text    string
	}{
		"never":                 {nil, false, "no rollback is known that went well"},
		"only watched":          {[]release.Record{good(0, "v1"), left(0, "v2")}, false, "no rollback is known that went well"},
		"it did not go well":    {[]release.Record{deployed(0, recovery.Disproven, "v1")}, false, "no rollback is known that went well"},
		"nobody knows how":      {[]release.Record{deployed(0, recovery.Inconclusive, "v1")}, false, "no rollback is known that went well"},
		"lately":                {[]release.Record{deployed(-9*days, recovery.Proven, "v1")}, true, "v1 was deployed on 13 November 2026, and the service was well after 42s"},
		"the newest one counts": {[]release.Record{deployed(0, recovery.Proven, "v2"), deployed(-9*days, recovery.Proven, "v1")}, true, "v2 was deployed on 22 November 2026, and the service was well after 42s"},
		"one that failed since": {[]release.Record{deployed(-9*days, recovery.Proven, "v1"), deployed(0, recovery.Disproven, "v2")}, true, "v1 was deployed on 13 November 2026, and the service was well after 42s"},
		"a quarter ago":         {[]release.Record{deployed(-92*days, recovery.Proven, "v1")}, true, "v1 was deployed on 22 August 2026, and the service was well after 42s"},
		"longer ago":            {[]release.Record{deployed(-92*days-1, recovery.Proven, "v1")}, false, "v1 was deployed on 22 August 2026, and the service was well after 42s"},
		"it is not known how long it took": {
			[]release.Record{found(0, release.Deployed, recovery.Proven, "v1")}, true, "v1 was deployed on 22 November 2026",
		},
	} {
		t.Run(name, func(t *testing.T) {
			ok, text := release.RollbackTried(c.records, noon)
			require.Equal(t, c.ok, ok)
			require.Equal(t, c.text, text)
		})
	}
}

func TestStagingTried(t *testing.T) {
	const days = 24
	for name, c := range map[string]struct {
		records []release.Record
		ok      bool
		text    string
	}{
		"never":          {[]release.Record{good(0, "v1")}, false, "no release was tried on staging"},
		"lately":         {[]release.Record{staged(-2*days, recovery.Proven, "v2")}, true, "v2 worked there on 20 November 2026"},
		"two weeks ago":  {[]release.Record{staged(-14*days, recovery.Proven, "v2")}, true, "v2 worked there on 8 November 2026"},
		"longer ago":     {[]release.Record{staged(-14*days-1, recovery.Proven, "v2")}, false, "v2 worked there on 8 November 2026"},
		"it failed":      {[]release.Record{staged(-1, recovery.Disproven, "v3"), staged(-2*days, recovery.Proven, "v2")}, false, "v3 FAILED there on 22 November 2026: staged disproven"},
		"failed before":  {[]release.Record{staged(-2*days, recovery.Disproven, "v3"), staged(-1, recovery.Proven, "v3")}, true, "v3 worked there on 22 November 2026"},
		"nothing learnt": {[]release.Record{staged(-1, recovery.Inconclusive, "v3")}, false, "v3 taught nothing there on 22 November 2026: staged inconclusive"},
	} {
		t.Run(name, func(t *testing.T) {
			ok, text := release.StagingTried(c.records, noon)
			require.Equal(t, c.ok, ok)
			require.Equal(t, c.text, text)
		})
	}
}
