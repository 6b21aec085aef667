package vault_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// TestForgedTombstones: whoever can only write neither hides a set nor has it removed.
func TestForgedTombstones(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s, stranger := d.open(t), newSigner(t, 1), newSigner(t, 2)
		ctx := t.Context()
		unsigned, foreign, moved, other, pruned := setAt(1), setAt(2), setAt(3), setAt(4), setAt(5)
		sets := []recovery.SetID{other, moved, foreign, unsigned}
		for _, set := range append(sets, pruned) {
			s.commit(t, v, "app", set)
		}
		s.commit(t, v, "other", other)
		for set, data := range map[recovery.SetID][]byte{
			unsigned: []byte("{}"), foreign: stranger.tombstone(t, foreign), moved: s.tombstone(t, pruned), pruned: s.tombstone(t, pruned),
			other: s.tombstoneAt(t, other, setAt(20).Time(), "second"),
		} {
			require.NoError(t, v.PutOnce(ctx, recovery.TombstoneKey("app", set), data))
		}
		require.NoError(t, v.PutOnce(ctx, recovery.TombstoneKey("other", other), s.tombstone(t, other)))
		require.NoError(t, v.PutOnce(ctx, recovery.TombstoneKey("app", setAt(9)), []byte("of no set")))

		for limit, want := range map[int][]recovery.SetID{0: sets, 2: sets[:2], 9: sets} {
			ids, err := v.Sets(ctx, "app", s.trusted, time.Time{}, limit)
			require.NoError(t, err)
			require.Equal(t, want, ids)
		}
		ids, err := v.Sets(ctx, "other", s.trusted, time.Time{}, 0)
		require.NoError(t, err)
		require.Equal(t, []recovery.SetID{other}, ids, "the tombstone is that of a set of another service")
		gone, err := v.Tombstones(ctx, "app", s.trusted)
		require.NoError(t, err)
		require.Equal(t, []recovery.SetID{pruned}, gone)
		pruning, err := v.Pruning(ctx, "app", s.trusted)
		require.NoError(t, err)
		require.Equal(t, []recovery.SetID{pruned}, pruning)

		entries, err := v.Catalogue(ctx, "app", s.trusted, time.Time{}, 0)
		require.NoError(t, err)
		require.Len(t, entries, 4)
		for i, sentence := range []string{`it is that of destination "second"`, "it is that of set " + string(pruned) + " of app", "it is signed by a key that is not trusted here", "read tombstone: "} {
			e := entries[i]
			require.Equal(t, sets[i], e.Set)
			require.NotNil(t, e.Manifest)
			require.NotEqual(t, recovery.Disproven, e.Standing.Verdict)
			require.ErrorContains(t, e.Err, sentence)
			require.ErrorContains(t, e.Err, "check tombstone "+recovery.TombstoneKey("app", e.Set)+" at destination main: ")
		}

		ids, err = v.Sets(ctx, "app", stranger.trusted, time.Time{}, 0)
		require.NoError(t, err)
		require.Contains(t, ids, pruned, "what one caller believes, another need not")
		require.NotContains(t, ids, foreign)
	})
}

// TestPruneOverAForgedTombstone: it neither stops the pruning nor stands for it.
func TestPruneOverAForgedTombstone(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s, set := d.open(t), newSigner(t, 1), setAt(1)
		key := recovery.TombstoneKey("app", set)
		s.commit(t, v, "app", set)
		require.NoError(t, v.PutOnce(t.Context(), key, newSigner(t, 2).tombstone(t, set)))
		pruned, err := v.PruneSet(t.Context(), "app", set, s.tombstone(t, set), s.trusted)
		require.NoError(t, err)
		require.True(t, pruned.Done())
		require.Equal(t, 4, pruned.Removed)
		require.Equal(t, []string{key}, d.lying(t))
		require.Equal(t, s.tombstone(t, set), read(t, v, key))

		require.NoError(t, v.Put(t.Context(), key, []byte("{}")))
		_, err = v.PruneSet(t.Context(), "app", set, s.tombstone(t, set), s.trusted)
		require.ErrorIs(t, err, recovery.ErrNotFound, "a forged one is no trace of a set")
	})
}

// TestPruneUnderAForgedTombstone: where it cannot be written over, the set stays.
func TestPruneUnderAForgedTombstone(t *testing.T) {
	server := devserver.StartS3(t)
	d := lockable(t, server)
	s, set := newSigner(t, 1), setAt(1)
	s.commit(t, d.open(t), "app", set)
	require.NoError(t, d.locking("compliance", time.Hour).open(t).PutOnce(t.Context(), recovery.TombstoneKey("app", set), []byte("{}")))
	lying := d.lying(t)
	v := d.open(t)
	pruned, err := v.PruneSet(t.Context(), "app", set, s.tombstone(t, set), s.trusted)
	require.NoError(t, err)
	require.Equal(t, vault.Pruned{
		Refused: "write " + recovery.TombstoneKey("app", set) + " at destination main: what is there is not a tombstone signed by a trusted key for this set, and cannot be written over " +
			"(remove it with the keys of the bucket's owner, once no lock forbids that)",
	}, pruned)
	require.Equal(t, lying, d.lying(t))
	ids, err := v.Sets(t.Context(), "app", s.trusted, time.Time{}, 0)
	require.NoError(t, err)
	require.Equal(t, []recovery.SetID{set}, ids)
}

// TestPruneChecksItsOwnTombstone: one that nobody would believe is not written.
func TestPruneChecksItsOwnTombstone(t *testing.T) {
	d := folder(t)
	v, s := d.open(t), newSigner(t, 1)
	s.commit(t, v, "app", setAt(1))
	lying := d.lying(t)
	_, err := v.PruneSet(t.Context(), "app", setAt(1), newSigner(t, 2).tombstone(t, setAt(1)), s.trusted)
	require.ErrorContains(t, err, "(add the public key of signing.key to signing.trusted in the config)")
	require.ErrorContains(t, err, "it is signed by a key that is not trusted here")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	_, err = v.PruneSet(t.Context(), "app", setAt(1), s.tombstone(t, setAt(2)), s.trusted)
	require.ErrorContains(t, err, "it is that of set "+string(setAt(2)))
	require.Equal(t, lying, d.lying(t))
}

// TestTombstonesAreReadOnce: and to list sets only those of sets that left something.
func TestTombstonesAreReadOnce(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "")
	var reads atomic.Int32
	d.spec.Endpoint = front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/pruned/") {
			reads.Add(1)
		}
		next.ServeHTTP(w, r)
	})
	v, s := d.open(t), newSigner(t, 1)
	for i := range 5 {
		require.NoError(t, v.PutOnce(t.Context(), recovery.TombstoneKey("app", setAt(i)), s.tombstone(t, setAt(i))))
	}
	s.commit(t, v, "app", setAt(4))
	for range 2 {
		ids, err := v.Sets(t.Context(), "app", s.trusted, time.Time{}, 3)
		require.NoError(t, err)
		require.Empty(t, ids)
		require.EqualValues(t, 1, reads.Load())
	}
	for range 2 {
		gone, err := v.Tombstones(t.Context(), "app", s.trusted)
		require.NoError(t, err)
		require.Len(t, gone, 5)
		require.EqualValues(t, 5, reads.Load())
	}
}
