package release_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

func TestCheckTag(t *testing.T) {
	for _, tag := range []string{
		"v1", "v1.2.3", "2026-11-22", "1", "release/2026.47", "v1.2.3-rc.1+build.7", "where2eat_12",
		"ghcr.io/lifeboat-run/where2eat@sha256:" + strings.Repeat("0a", 32), "registry.example:5000/where2eat:v1", strings.Repeat("v", 200),
	} {
		require.NoError(t, release.CheckTag(tag), tag)
	}
	for name, tag := range map[string]string{
		"empty": "", "an option": "-f", "a long option": "--tag", "a hidden file": ".env", "an absolute path": "/etc/passwd", "a way up": "v1/../../etc",
		"a range of commits": "v1..v2", "a space": "v1 v2", "a line feed at the end": "v1\n", "a null byte": "v1\x00", "an escape": "v1\x1b[2J", "a placeholder": "{tag}",
		"a variable": "$HOME", "a command": "v1;reboot", "a substitution": "`id`", "a quote": "v1'", "a wildcard": "v*", "not ASCII": "vé", "too long": strings.Repeat("v", 201),
	} {
		require.ErrorContains(t, release.CheckTag(tag), "use 1 to 200 letters", name)
	}
	require.NotContains(t, release.CheckTag("v1\x1b[2J").Error(), "\x1b", "an error is shown on terminals")
}

func signingKey(t *testing.T, seed byte) recovery.SigningKey {
	t.Helper()
	key, err := recovery.NewSigningKey(bytes.Repeat([]byte{seed}, 32))
	require.NoError(t, err)
	return key
}

func TestRecordReadsBack(t *testing.T) {
	key := signingKey(t, 1)
	r := release.Record{
		Format: release.RecordFormat, Service: "where2eat", Tag: "v1", Commit: "1a2b3c4", Kind: release.Deployed, Verdict: recovery.Proven,
		At: noon, Since: noon.Add(-hour), For: recovery.Duration(time.Minute), Checks: 12, Sentence: "it is well", Took: recovery.Duration(42 * time.Second), By: "rebecca",
		Run: recovery.RunRef{WorkflowID: "Rollback/where2eat/1", RunID: "r"}, Config: recovery.ConfigRef{Commit: "c"},
	}
	data, err := r.Encode(key)
	require.NoError(t, err)
	again, err := release.Decode(data, []recovery.PublicKey{signingKey(t, 2).Public(), key.Public()})
	require.NoError(t, err)
	require.Equal(t, &r, again)
	require.Equal(t, "where2eat/releases/20261122T120000.000Z-deployed.json", r.Key())
	require.True(t, strings.HasPrefix(r.Key(), release.Prefix("where2eat")))
}

func TestKeysSortByTime(t *testing.T) {
	east := time.FixedZone("east", 5*3600)
	a := release.Record{Service: "s", Kind: release.Watched, At: noon.In(east)}
	b := release.Record{Service: "s", Kind: release.Deployed, At: noon.Add(time.Millisecond)}
	require.Less(t, a.Key(), b.Key())
}

func TestRecordsThatAreRefused(t *testing.T) {
	key := signingKey(t, 1)
	trusted := []recovery.PublicKey{key.Public()}
	r := good(1, "v1")
	signed, err := r.Encode(key)
	require.NoError(t, err)
	later := r
	later.Format = 2
	newer, err := later.Encode(key)
	require.NoError(t, err)
	foreign, err := r.Encode(signingKey(t, 2))
	require.NoError(t, err)
	decision, err := recovery.EncodeDecision(r, key)
	require.NoError(t, err)
	shape, err := recovery.SignDocument("release", []string{"v1"}, key)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"of a later format":         {newer, "its format is 2, this version of Lifeboat reads 1"},
		"signed by somebody else":   {foreign, "signed by a key that is not trusted here"},
		"changed since":             {bytes.Replace(signed, []byte(`"v1"`), []byte(`"v2"`), 1), "its signature does not fit its text"},
		"another kind of document":  {decision, "read record of a release"},
		"renamed from another kind": {bytes.Replace(decision, []byte(`"decision"`), []byte(`"release"`), 1), "its signature does not fit its text"},
		"signed, of another shape":  {shape, "cannot unmarshal array"},
		"not signed":                {unsigned(t, r), "it is not signed"},
		"cut short":                 {signed[:len(signed)/2], "parse"},
		"empty":                     {nil, "parse"},
	} {
		t.Run(name, func(t *testing.T) {
			record, err := release.Decode(c.data, trusted)
			require.ErrorContains(t, err, c.want)
			require.Nil(t, record)
		})
	}
	_, err = release.Decode(signed, nil)
	require.ErrorContains(t, err, "not trusted", "nobody is trusted")
	_, err = r.Encode(recovery.SigningKey{})
	require.ErrorContains(t, err, "there is no signing key")
}

func unsigned(t *testing.T, r release.Record) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{"release": r})
	require.NoError(t, err)
	return data
}
