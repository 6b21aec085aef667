package recovery_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func tombstone() *recovery.Tombstone {
	return &recovery.Tombstone{
		Format: recovery.TombstoneFormat, Service: "where2eat", Set: older, Pruned: pruneNow, Why: []string{"no tier keeps it"},
		Run: recovery.RunRef{WorkflowID: "prune/where2eat", RunID: "run"}, Size: 1000,
	}
}

func TestTombstoneIsSigned(t *testing.T) {
	k := key(t, 'a')
	trusted := []recovery.PublicKey{k.Public()}
	data, err := recovery.EncodeTombstone(tombstone(), k)
	require.NoError(t, err)
	read, err := recovery.DecodeTombstone(data, trusted)
	require.NoError(t, err)
	require.Equal(t, tombstone(), read)

	proof, err := recovery.EncodeProof(&recovery.Proof{Format: recovery.ProofFormat, Service: "where2eat", Set: older}, k)
	require.NoError(t, err)
	for name, c := range map[string]struct{ data, want string }{
		"another set": {strings.Replace(string(data), string(older), string(newer), 1), "read tombstone: its signature does not fit its text"},
		"unsigned":    {strings.Replace(string(data), `"signature"`, `"note"`, 1), "read tombstone: it is not signed"},
		"a proof":     {strings.Replace(string(proof), `"proof"`, `"tombstone"`, 1), "its signature does not fit its text"},
		"garbage":     {"garbage", "read tombstone: parse"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := recovery.DecodeTombstone([]byte(c.data), trusted)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, recovery.Damaged, recovery.KindOf(err))
		})
	}
	_, err = recovery.DecodeTombstone(data, []recovery.PublicKey{key(t, 'b').Public()})
	require.ErrorContains(t, err, "signed by a key that is not trusted here")
}

func TestTombstoneNamesASet(t *testing.T) {
	for want, change := range map[string]func(*recovery.Tombstone){
		`read set id "": it must look like`:                      func(t *recovery.Tombstone) { t.Set = "" },
		`read set id "../sets"`:                                  func(t *recovery.Tombstone) { t.Set = "../sets" },
		`read service "a/b"`:                                     func(t *recovery.Tombstone) { t.Service = "a/b" },
		"read format 2: this version of Lifeboat reads format 1": func(t *recovery.Tombstone) { t.Format = 2 },
	} {
		stone := tombstone()
		change(stone)
		_, err := recovery.EncodeTombstone(stone, key(t, 'a'))
		require.ErrorContains(t, err, want)
	}
}

// TestTombstoneOfAnotherFormat signs by hand what EncodeTombstone refuses to write.
func TestTombstoneOfAnotherFormat(t *testing.T) {
	seed := []byte(strings.Repeat("a", ed25519.SeedSize))
	for text, want := range map[string]string{
		`{"format":1,"service":"where2eat","set":"20261120T180000Z-000001"}`: "",
		`{"format":2,"service":"where2eat","set":"20261120T180000Z-000001"}`: "read tombstone: read format 2: this version of Lifeboat reads format 1",
		`{"format":1,"service":"where2eat","set":""}`:                        `read tombstone: read set id ""`,
		`{"format":"1"}`: "read tombstone: json: cannot unmarshal string",
	} {
		value := ed25519.Sign(ed25519.NewKeyFromSeed(seed), []byte("lifeboat/tombstone/1\n"+text))
		data := fmt.Sprintf(`{"tombstone": %s, "signature": {"key": %q, "value": %q}}`,
			text, key(t, 'a').Public(), base64.StdEncoding.EncodeToString(value))
		_, err := recovery.DecodeTombstone([]byte(data), []recovery.PublicKey{key(t, 'a').Public()})
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
		require.Equal(t, recovery.Damaged, recovery.KindOf(err))
	}
}

func TestTombstoneKey(t *testing.T) {
	require.Equal(t, "where2eat/pruned/20261120T180000Z-000001.json", recovery.TombstoneKey("where2eat", older))
	require.Equal(t, "where2eat/pruned/", recovery.TombstonePrefix("where2eat"))
}
