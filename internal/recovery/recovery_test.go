package recovery_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestZeroValuesAreNeverGood(t *testing.T) {
	var l recovery.Level
	var v recovery.Verdict
	require.Equal(t, recovery.LevelNone, l)
	require.Equal(t, recovery.Inconclusive, v)
	require.NoError(t, json.Unmarshal([]byte(`{}`), &struct{ V *recovery.Verdict }{&v}))
	require.Equal(t, recovery.Inconclusive, v)
	require.ErrorContains(t, json.Unmarshal([]byte(`"passed"`), &v), `read verdict "passed": use one of ["inconclusive" "proven" "disproven"]`)
}

func TestVerdictsTakenTogether(t *testing.T) {
	const p, d, i = recovery.Proven, recovery.Disproven, recovery.Inconclusive
	for _, c := range []struct{ a, b, want recovery.Verdict }{
		{p, p, p}, {p, d, d}, {p, i, i}, {d, i, d}, {i, i, i}, {d, d, d},
	} {
		require.Equal(t, c.want, c.a.Worse(c.b))
		require.Equal(t, c.want, c.b.Worse(c.a))
	}
}

func TestSetID(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	id := recovery.NewSetID(at, "ab12cd")
	require.Equal(t, recovery.SetID("20261122T180000Z-ab12cd"), id)
	require.Equal(t, at, id.Time())
	for _, bad := range []string{"", "latest", "20261122T180000Z", "20261322T180000Z-ab12cd", "20261122T180000Z-AB12CD", "../20261122T180000Z-ab12cd"} {
		_, err := recovery.ParseSetID(bad)
		require.Error(t, err, bad)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "30m": 30 * time.Minute, "24h": 24 * time.Hour, "7d": 168 * time.Hour, "2w": 336 * time.Hour, "1h30m": 90 * time.Minute} {
		d, err := recovery.ParseDuration(text)
		require.NoError(t, err)
		require.Equal(t, want, d.Std())
		again, err := recovery.ParseDuration(d.String())
		require.NoError(t, err)
		require.Equal(t, d, again)
	}
	require.Equal(t, "24h", recovery.Duration(24*time.Hour).String())
	for _, bad := range []string{"", "1 day", "-1h", "0s", "5", "d", "99999999999d", "1.5d"} {
		_, err := recovery.ParseDuration(bad)
		require.ErrorContains(t, err, "such as 90s, 30m, 24h or 7d", bad)
	}
}

func TestCompareNamesWhatDiffers(t *testing.T) {
	table := func(name string, rows int64, sum string) recovery.DataSum {
		return recovery.DataSum{Kind: "table", Schema: "public", Name: name, Rows: rows, Sum: sum}
	}
	definition := func(name, owner, text string) recovery.DefinitionSum {
		return recovery.DefinitionSum{Kind: "INDEX", Schema: "public", Name: name, Owner: owner, Text: text}
	}
	want := &recovery.Fingerprint{
		Data:        []recovery.DataSum{table("users", 3, "aa"), table("visits", 5, "bb"), table("gone", 1, "cc"), table("same", 1, "dd")},
		Definitions: []recovery.DefinitionSum{definition("i1", "o", "t"), definition("i2", "o", "t"), definition("i3", "o", "t")},
	}
	got := &recovery.Fingerprint{
		Data:        []recovery.DataSum{table("same", 1, "dd"), table("visits", 5, "xx"), table("users", 2, "aa"), table("new", 1, "ee")},
		Definitions: []recovery.DefinitionSum{definition("i1", "other", "t"), definition("i2", "o", "u")},
	}
	var said []string
	for _, d := range recovery.Compare(want, got) {
		said = append(said, string(d.Kind)+" "+d.String())
	}
	require.Equal(t, []string{
		"presence table public.gone: is in the backup, was not restored",
		"presence table public.new: was not in the backup, is in the restored copy",
		"data table public.users: 3 rows in the backup, 2 restored",
		"data table public.visits: holds other values than the backup",
		"text INDEX public.i1: owner is o in the backup, other restored",
		"text INDEX public.i2: is worded differently from the backup",
		"presence INDEX public.i3: is in the backup, was not restored",
	}, said)
	require.Empty(t, recovery.Compare(want, want))
}

func TestFingerprintDigestIgnoresOrder(t *testing.T) {
	a := recovery.DataSum{Kind: "table", Name: "a", Rows: 1}
	b := recovery.DataSum{Kind: "table", Name: "b", Rows: 2}
	one, err := (&recovery.Fingerprint{Data: []recovery.DataSum{a, b}}).Digest()
	require.NoError(t, err)
	two, err := (&recovery.Fingerprint{Data: []recovery.DataSum{b, a}}).Digest()
	require.NoError(t, err)
	require.Equal(t, one, two)
}

func key(t *testing.T, seed byte) recovery.SigningKey {
	t.Helper()
	k, err := recovery.NewSigningKey([]byte(strings.Repeat(string(rune(seed)), 32)))
	require.NoError(t, err)
	return k
}

func manifest() *recovery.Manifest {
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	set := recovery.NewSetID(at, "ab12cd")
	return &recovery.Manifest{
		Format: recovery.ManifestFormat, Service: "where2eat", Set: set, Created: at,
		Artefacts: []recovery.Artefact{{
			Source: "app", Kind: recovery.KindPostgres, Set: set, Attempt: 1, Snapshot: at, Mode: recovery.FingerprintContent, ServerVersion: "15.18",
			Dump: recovery.Object{Role: recovery.RoleDump, Name: "app.1.dump.zst.age", PlainSize: 100, Size: 50, SHA256: "aa"},
		}},
	}
}

func TestManifestIsSigned(t *testing.T) {
	k := key(t, 'a')
	trusted := []recovery.PublicKey{k.Public()}
	data, err := recovery.EncodeManifest(manifest(), k)
	require.NoError(t, err)
	again, err := recovery.EncodeManifest(manifest(), k)
	require.NoError(t, err)
	require.Equal(t, data, again, "the same state makes the same bytes")

	read, err := recovery.DecodeManifest(data, trusted)
	require.NoError(t, err)
	require.Equal(t, manifest(), read)

	proof, err := recovery.EncodeProof(&recovery.Proof{Format: recovery.ProofFormat}, k)
	require.NoError(t, err)
	for name, c := range map[string]struct{ data, want string }{
		"changed":     {strings.Replace(string(data), `"attempt": 1`, `"attempt": 2`, 1), "its signature does not fit its text"},
		"unsigned":    {strings.Replace(string(data), `"signature"`, `"note"`, 1), "it is not signed"},
		"garbage":     {"garbage", "parse"},
		"empty":       {"", "parse"},
		"a proof":     {string(proof), "parse set"},
		"passed off":  {strings.Replace(string(proof), `"proof"`, `"set"`, 1), "its signature does not fit its text"},
		"other shape": {`[]`, "parse"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := recovery.DecodeManifest([]byte(c.data), trusted)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, recovery.Damaged, recovery.KindOf(err))
		})
	}
	_, err = recovery.DecodeManifest(data, []recovery.PublicKey{key(t, 'b').Public()})
	require.ErrorContains(t, err, "signed by a key that is not trusted here")
}

func TestManifestLeadsNowhere(t *testing.T) {
	k := key(t, 'a')
	for _, name := range []string{"../../etc/passwd", "a/b", "", ".", "..", `a\b`, ".hidden"} {
		m := manifest()
		m.Artefacts[0].Dump.Name = name
		_, err := recovery.EncodeManifest(m, k)
		require.ErrorContains(t, err, "it must be a plain file name inside the set's folder", name)
	}
}

func TestKeysReadWhatTheyWrite(t *testing.T) {
	k := key(t, 'a')
	again, err := recovery.ParseSigningKey(k.Reveal() + "\n")
	require.NoError(t, err)
	require.Equal(t, k.Public().String(), again.Public().String())
	public, err := recovery.ParsePublicKey(k.Public().String())
	require.NoError(t, err)
	require.Equal(t, k.Public(), public)
	for _, print := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(print, k), strings.TrimPrefix(k.Reveal(), "lifeboat-signing-key-"))
	}
	_, err = recovery.ParseSigningKey("lifeboat-signing-key-secret!")
	require.ErrorContains(t, err, "it is damaged")
	require.NotContains(t, err.Error(), "secret!")
}

func TestStand(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	n := 0
	try := func(tried, level recovery.Level, v recovery.Verdict, sentence string) recovery.Proof {
		n++
		started := at.Add(time.Duration(n) * time.Minute)
		return recovery.Proof{Tried: tried, Level: level, Verdict: v, Sentence: sentence, Started: started, Ended: started}
	}
	proven := try(recovery.LevelProven, recovery.LevelProven, recovery.Proven, "proven")
	unsure := try(recovery.LevelProven, recovery.LevelReadBack, recovery.Inconclusive, "no network")
	bad := try(recovery.LevelProven, recovery.LevelReadBack, recovery.Disproven, "rows differ")
	readBack := try(recovery.LevelReadBack, recovery.LevelReadBack, recovery.Proven, "read back")
	lesserBad := try(recovery.LevelReadBack, recovery.LevelStored, recovery.Disproven, "damaged")
	readBackLater := try(recovery.LevelReadBack, recovery.LevelReadBack, recovery.Proven, "read back")
	again := try(recovery.LevelProven, recovery.LevelProven, recovery.Proven, "proven again")
	for name, c := range map[string]struct {
		proofs  []recovery.Proof
		level   recovery.Level
		verdict recovery.Verdict
		says    string
	}{
		"no proof":                              {nil, recovery.LevelStored, recovery.Inconclusive, "stored, not yet read back"},
		"proven":                                {[]recovery.Proof{proven}, recovery.LevelProven, recovery.Proven, "proven"},
		"inconclusive changes nothing":          {[]recovery.Proof{unsure, proven}, recovery.LevelProven, recovery.Proven, "proven"},
		"disproof stands":                       {[]recovery.Proof{proven, bad}, recovery.LevelReadBack, recovery.Disproven, "rows differ"},
		"a lesser try does not clear it":        {[]recovery.Proof{bad, readBack}, recovery.LevelReadBack, recovery.Disproven, "rows differ"},
		"nor a lesser disproof that is cleared": {[]recovery.Proof{bad, lesserBad, readBackLater}, recovery.LevelStored, recovery.Disproven, "damaged"},
		"a full one does":                       {[]recovery.Proof{bad, readBack, again}, recovery.LevelProven, recovery.Proven, "proven again"},
		"a lesser try does not lower level":     {[]recovery.Proof{proven, readBack}, recovery.LevelProven, recovery.Proven, "proven"},
	} {
		t.Run(name, func(t *testing.T) {
			s := recovery.Stand(manifest(), c.proofs)
			require.Equal(t, c.level, s.Level)
			require.Equal(t, c.verdict, s.Verdict)
			require.Equal(t, c.says, s.Sentence)
		})
	}
}

func TestFaultKeepsItsMeaning(t *testing.T) {
	err := fmt.Errorf("dump app: %w", recovery.NewFault(recovery.Permanent, errors.New("password refused"), "mend APP_URL"))
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	require.EqualError(t, err, "dump app: password refused (mend APP_URL)")
	require.Equal(t, recovery.Unavailable, recovery.KindOf(errors.New("anything")))
	require.NoError(t, recovery.NewFault(recovery.Permanent, nil, "x"))
}

func TestMeasure(t *testing.T) {
	m := recovery.NewMeasure(recovery.Duration(time.Hour), 90*time.Minute)
	require.False(t, m.Met)
	require.Equal(t, "-30m", m.Margin().String())
	require.True(t, recovery.NewMeasure(recovery.Duration(time.Hour), time.Hour).Met)
}

func TestNames(t *testing.T) {
	require.NoError(t, recovery.CheckName("service", "where2eat"))
	for _, bad := range []string{"", "Where2Eat", "a/b", "..", "-a", "a b", strings.Repeat("a", 41)} {
		require.Error(t, recovery.CheckName("service", bad), bad)
	}
	require.Equal(t, "where2eat/proofs/20261122T180000Z-ab12cd/20261122T190000.000Z-restore.json",
		recovery.ProofKey("where2eat", "20261122T180000Z-ab12cd", time.Date(2026, 11, 22, 19, 0, 0, 0, time.UTC), recovery.ProofRestore))
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_960: "1.0 MB", 84_625_621: "84.6 MB", 1_500_000_000_000: "1.5 TB"} {
		require.Equal(t, want, recovery.Bytes(n))
	}
}
