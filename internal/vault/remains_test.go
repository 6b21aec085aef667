package vault_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// refer commits a set whose objects lie in the folder of an earlier one.
func (s signer) refer(t testing.TB, v *vault.Vault, set, to recovery.SetID) {
	t.Helper()
	data, err := recovery.EncodeManifest(&recovery.Manifest{
		Format: recovery.ManifestFormat, Service: "app", Set: set, Created: set.Time(),
		Artefacts: []recovery.Artefact{{
			Source: "app", Kind: recovery.KindPostgres, Set: to, Attempt: 1, Snapshot: to.Time(),
			Dump:       recovery.Object{Role: recovery.RoleDump, Name: recovery.ObjectName("app", 1, "dump"), Size: 5},
			Companions: []recovery.Object{{Role: recovery.RoleFingerprint, Name: recovery.ObjectName("app", 1, "fingerprint")}},
		}},
	}, s.key)
	require.NoError(t, err)
	require.NoError(t, v.CommitSet(t.Context(), "app", set, data, []byte("# how to restore\n")))
}

// TestSweepKeepsWhatSetsReferTo: a copied set is whole although the set that its
// objects were made for was not copied, or not yet.
func TestSweepKeepsWhatSetsReferTo(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s := d.open(t), newSigner(t, 1)
		in := func(set recovery.SetID, name string) string { return recovery.SetPrefix("app", set) + name }
		absent, here := setAt(1), setAt(2)
		upload(t, v, in(absent, "app.1.dump.zst.age"), []byte("bytes"))
		upload(t, v, in(absent, "app.1.fingerprint.zst.age"), []byte("bytes"))
		s.commit(t, v, "app", here)
		s.refer(t, v, setAt(70), absent) // newer than the run, and not among the newest before it
		s.refer(t, v, setAt(71), here)
		kept := d.lying(t)
		lost := []string{in(absent, "app.2.dump.zst.age"), in(here, "app.2.dump.zst.age")}
		for _, key := range lost {
			upload(t, v, key, []byte("of a lost attempt"))
		}

		swept, err := v.SweepSets(t.Context(), "app", setAt(3), s.trusted)
		require.NoError(t, err)
		require.ElementsMatch(t, lost, swept.Removed)
		require.Empty(t, swept.Left)
		require.Equal(t, kept, d.lying(t))
	})
}

// TestSweepSetKeepsWhatSetsReferTo: SweepSet asks the other sets too.
func TestSweepSetKeepsWhatSetsReferTo(t *testing.T) {
	d := folder(t)
	v, s := d.open(t), newSigner(t, 1)
	for _, ext := range []string{"dump", "fingerprint"} {
		upload(t, v, recovery.SetPrefix("app", setAt(1))+recovery.ObjectName("app", 1, ext), []byte("bytes"))
	}
	require.NoError(t, v.CommitSet(t.Context(), "app", setAt(1), s.manifest(t, "app", setAt(1), 2), []byte("guide")))
	s.refer(t, v, setAt(2), setAt(1))
	swept, err := v.SweepSet(t.Context(), "app", setAt(1), s.trusted)
	require.NoError(t, err)
	require.Equal(t, vault.Swept{}, swept)
}

// TestSweepBesideASetThatCannotBeRead: nobody knows what it refers to, so what was
// never committed stays; what a committed set does not name goes.
func TestSweepBesideASetThatCannotBeRead(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s := d.open(t), newSigner(t, 1)
		in := func(set recovery.SetID, name string) string { return recovery.SetPrefix("app", set) + name }
		committed, never, unsigned := setAt(1), setAt(2), setAt(3)
		s.commit(t, v, "app", committed)
		newSigner(t, 2).commit(t, v, "app", unsigned)
		upload(t, v, in(unsigned, "app.9.dump.zst.age"), []byte("kept"))
		upload(t, v, in(never, "app.1.dump.zst.age"), []byte("kept"))
		kept := d.lying(t)
		upload(t, v, in(committed, "app.2.dump.zst.age"), []byte("lost"))

		swept, err := v.SweepSets(t.Context(), "app", setAt(9), s.trusted)
		require.NoError(t, err)
		require.Equal(t, []string{in(committed, "app.2.dump.zst.age")}, swept.Removed)
		require.Equal(t, []string{recovery.SetPrefix("app", never)}, swept.Left)
		require.Contains(t, swept.Reason, "set "+string(unsigned)+" cannot be read, and may refer to it: ")
		require.Contains(t, swept.Reason, "it is signed by a key that is not trusted here")
		require.Equal(t, kept, d.lying(t))
	})
}

// TestSweepReadsAllOnlyToRemove: with nothing to remove, each of the sets that are
// looked at is read once, and the others not at all.
func TestSweepReadsAllOnlyToRemove(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "")
	var reads atomic.Int32
	d.spec.Endpoint = front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, recovery.ManifestName) {
			reads.Add(1)
		}
		next.ServeHTTP(w, r)
	})
	v, s := d.open(t), newSigner(t, 1)
	for i := range 4 {
		s.commit(t, v, "app", setAt(i))
	}
	reads.Store(0)
	_, err := v.SweepSets(t.Context(), "app", setAt(2), s.trusted)
	require.NoError(t, err)
	require.EqualValues(t, 2, reads.Load())
	upload(t, v, recovery.SetPrefix("app", setAt(0))+"app.2.dump.zst.age", []byte("lost"))
	reads.Store(0)
	_, err = v.SweepSets(t.Context(), "app", setAt(2), s.trusted)
	require.NoError(t, err)
	require.EqualValues(t, 2+4, reads.Load())
}
