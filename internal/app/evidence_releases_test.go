package app_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

const deployed = `    deploy:
      current: { command: [./deploy.sh, --current] }
      deploy: [./deploy.sh, --tag, "{tag}"]
`

// record keeps a finding of some days before now in destinations.
func (h *house) record(days int, r release.Record, destinations ...string) {
	h.t.Helper()
	cfg, err := h.config()
	require.NoError(h.t, err)
	r.Format, r.Service, r.At = release.RecordFormat, "where2eat", now.Add(-time.Duration(days)*24*time.Hour)
	signed, err := r.Encode(h.key)
	require.NoError(h.t, err)
	for _, dest := range cfg.DestinationSpecs() {
		for _, name := range destinations {
			if name != dest.Name {
				continue
			}
			v, err := app.OpenVault(h.t.Context(), cfg, dest)
			require.NoError(h.t, err)
			require.NoError(h.t, v.PutOnce(h.t.Context(), r.Key(), signed))
			require.NoError(h.t, v.Close())
		}
	}
}

func TestChecklistFromRecordsOfReleases(t *testing.T) {
	h := newHouse(t)
	bare := h.service
	check := func(key string) recovery.Item {
		items, err := h.survey(nil).Checklist(t.Context(), "where2eat", now)
		require.NoError(t, err)
		for _, i := range items {
			if i.Key == key {
				return i
			}
		}
		return recovery.Item{}
	}
	is := check("rollback")
	require.Equal(t, recovery.No, is.Answer)
	require.Equal(t, "the config does not say how releases are deployed", is.Evidence)
	require.Zero(t, check("smokeDeploy"), "there is no staging to ask for")

	h.service = bare + deployed
	is = check("rollback")
	require.Equal(t, recovery.No, is.Answer)
	require.Equal(t, "no rollback is known that went well", is.Evidence)
	require.Zero(t, check("smokeDeploy"))

	h.service += "      staging: { deploy: [./deploy.sh, --tag, '{tag}'], test: [./test.sh] }\n"
	require.Equal(t, "no release was tried on staging", check("smokeDeploy").Evidence)
	h.record(93, release.Record{Tag: "v1", Kind: release.Deployed, Verdict: recovery.Proven}, "main")
	is = check("rollback")
	require.Equal(t, recovery.No, is.Answer)
	require.Equal(t, "v1 was deployed on 21 August 2026", is.Evidence)
	h.record(2, release.Record{Tag: "v2", Kind: release.Deployed, Verdict: recovery.Proven, Took: recovery.Duration(42 * time.Second)}, "second")
	is = check("rollback")
	require.Equal(t, recovery.Yes, is.Answer, "one destination knows of it")
	require.Equal(t, "v2 was deployed on 20 November 2026, and the service was well after 42s", is.Evidence)
	h.record(3, release.Record{Tag: "v3", Kind: release.Staged, Verdict: recovery.Proven}, "main", "second")
	require.Equal(t, recovery.Yes, check("smokeDeploy").Answer)
	h.record(1, release.Record{Tag: "v4", Kind: release.Staged, Verdict: recovery.Disproven, Sentence: "the tests failed"}, "main")
	is = check("smokeDeploy")
	require.Equal(t, recovery.No, is.Answer)
	require.Equal(t, "v4 FAILED there on 21 November 2026: the tests failed", is.Evidence)

	// What a destination that is gone may have known is not known.
	require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "second")))
	require.Equal(t, recovery.NotKnown, check("rollback").Answer)
	require.Contains(t, check("rollback").Evidence, "second")
	h.record(1, release.Record{Tag: "v2", Kind: release.Deployed, Verdict: recovery.Proven}, "main")
	require.Equal(t, recovery.Yes, check("rollback").Answer)
}
