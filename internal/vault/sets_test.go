package vault_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

func TestSets(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s := d.open(t), newSigner(t, 1)
		ctx := t.Context()
		ids, err := v.Sets(ctx, "app", s.trusted, time.Time{}, 30)
		require.NoError(t, err)
		require.Empty(t, ids, "an empty destination has no sets")

		future := recovery.NewSetID(time.Now().AddDate(1, 0, 0), "ffffff") // a clock that is wrong
		yesterday := recovery.NewSetID(time.Now().AddDate(0, 0, -1), "aaaaaa")
		old := recovery.NewSetID(time.Now().AddDate(-9, 0, 0), "bbbbbb")
		all := []recovery.SetID{future, yesterday, setAt(5), setAt(4), setAt(3), old}
		slices.Sort(all)
		slices.Reverse(all)
		for _, id := range all {
			s.commit(t, v, "app", id)
		}
		s.commit(t, v, "app-2", setAt(7))
		upload(t, v, recovery.SetPrefix("app", setAt(6))+"app.1.dump", []byte("never committed"))
		require.NoError(t, v.Put(ctx, "app/sets/not-a-set/set.json", []byte("x")))

		for limit := range 8 {
			ids, err = v.Sets(ctx, "app", s.trusted, time.Time{}, limit)
			require.NoError(t, err)
			want := all
			if limit > 0 {
				want = all[:min(limit, len(all))]
			}
			require.Equal(t, want, ids, "limit %d", limit)
		}
		ids, err = v.Sets(ctx, "app", s.trusted, setAt(4).Time(), 0)
		require.NoError(t, err)
		require.ElementsMatch(t, []recovery.SetID{future, yesterday, setAt(5), setAt(4)}, ids)
		ids, err = v.Sets(ctx, "app", s.trusted, setAt(5).Time(), 2)
		require.NoError(t, err)
		require.Len(t, ids, 2)

		services, err := v.Services(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"app", "app-2"}, services)
		service, err := v.FindSet(ctx, setAt(7))
		require.NoError(t, err)
		require.Equal(t, "app-2", service)
		_, err = v.FindSet(ctx, setAt(6))
		require.ErrorIs(t, err, recovery.ErrNotFound, "it is not committed")
		_, err = v.FindSet(ctx, "../x")
		require.ErrorContains(t, err, `read set id "../x"`)
		_, err = v.Sets(ctx, "../app", s.trusted, time.Time{}, 1)
		require.ErrorContains(t, err, `read service "../app"`)
	})
}

func TestCommitSet(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s, id := d.open(t), newSigner(t, 1), setAt(1)
		ctx := t.Context()
		_, err := v.Manifest(ctx, "app", id)
		require.ErrorIs(t, err, recovery.ErrNotFound)

		manifest := s.manifest(t, "app", id, 1)
		require.NoError(t, v.CommitSet(ctx, "app", id, manifest, []byte("guide")))
		require.NoError(t, v.CommitSet(ctx, "app", id, manifest, []byte("guide of a newer program")), "committing again is a success")
		err = v.CommitSet(ctx, "app", id, s.manifest(t, "app", id, 2), []byte("another guide"))
		require.ErrorIs(t, err, vault.ErrExists)
		require.ErrorContains(t, err, "commit set "+string(id)+" of app at destination main")

		got, err := v.Manifest(ctx, "app", id)
		require.NoError(t, err)
		require.Equal(t, manifest, got)
		require.Equal(t, "guide", string(read(t, v, recovery.GuideKey("app", id))), "nothing of a committed set changes")
	})
}

// TestZombie: an attempt that was given up and goes on changes nothing of the set
// that another attempt committed.
func TestZombie(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s, id := d.open(t), newSigner(t, 1), setAt(1)
		ctx := t.Context()
		same, err := v.Create(ctx, recovery.SetPrefix("app", id)+"app.1.dump.zst.age", 0)
		require.NoError(t, err)
		other, err := v.Create(ctx, recovery.SetPrefix("app", id)+"app.2.dump.zst.age", 0)
		require.NoError(t, err)
		for _, u := range []*vault.Upload{same, other} {
			_, err = u.Write(noise(20 << 20))
			require.NoError(t, err)
		}
		s.commit(t, v, "app", id)

		require.ErrorIs(t, same.Commit(), vault.ErrExists, "an object of the set is never replaced")
		require.NoError(t, other.Commit())
		require.ErrorIs(t, v.CommitSet(ctx, "app", id, s.manifest(t, "app", id, 2), []byte("late")), vault.ErrExists)
		entry, err := v.Entry(ctx, "app", id, s.trusted)
		require.NoError(t, err)
		require.Equal(t, 1, entry.Manifest.Artefacts[0].Attempt)
		require.Equal(t, "bytes", string(read(t, v, recovery.SetPrefix("app", id)+"app.1.dump.zst.age")))

		swept, err := v.SweepSet(ctx, "app", id, s.trusted)
		require.NoError(t, err)
		require.Equal(t, vault.Swept{Removed: []string{recovery.SetPrefix("app", id) + "app.2.dump.zst.age"}}, swept)
		require.Len(t, d.lying(t), 4)
	})
}

func TestCatalogue(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s, stranger := d.open(t), newSigner(t, 1), newSigner(t, 2)
		ctx := t.Context()
		good, damaged, foreign, moved, mixed := setAt(5), setAt(4), setAt(3), setAt(2), setAt(1)
		for _, id := range []recovery.SetID{good, damaged, mixed} {
			s.commit(t, v, "app", id)
		}
		stranger.commit(t, v, "app", foreign)
		require.NoError(t, v.CommitSet(ctx, "app", moved, s.manifest(t, "app", good, 1), []byte("guide")))
		d.corrupt(t, recovery.ManifestKey("app", damaged), func(b []byte) []byte { return bytes.Replace(b, []byte(`"app.1.dump`), []byte(`"app.7.dump`), 1) })
		put := func(id recovery.SetID, at time.Time, data []byte) {
			require.NoError(t, v.PutOnce(ctx, recovery.ProofKey("app", id, at, recovery.ProofRestore), data))
		}
		at := setAt(20).Time()
		put(good, at.Add(time.Hour), s.proof(t, good, at.Add(time.Hour), recovery.LevelProven))
		put(good, at, s.proof(t, good, at, recovery.LevelReadBack))
		put(mixed, at, s.proof(t, mixed, at, recovery.LevelReadBack))
		put(mixed, at.Add(time.Hour), stranger.proof(t, mixed, at, recovery.LevelProven))
		put(mixed, at.Add(2*time.Hour), s.proof(t, good, at, recovery.LevelProven))

		entries, err := v.Catalogue(ctx, "app", s.trusted, time.Time{}, 0)
		require.NoError(t, err)
		require.Len(t, entries, 5)
		byID := map[recovery.SetID]vault.Entry{}
		for _, e := range entries {
			byID[e.Set] = e
		}

		e := byID[good]
		require.NoError(t, e.Err)
		require.Len(t, e.Proofs, 2)
		require.True(t, e.Proofs[0].Started.Before(e.Proofs[1].Started))
		require.Equal(t, recovery.LevelProven, e.Standing.Level)
		require.Equal(t, recovery.Proven, e.Standing.Verdict)

		for id, sentence := range map[recovery.SetID]string{
			damaged: "its signature does not fit its text",
			foreign: "it is signed by a key that is not trusted here",
			moved:   "it is that of set " + string(good) + " of app",
		} {
			e := byID[id]
			require.Nil(t, e.Manifest)
			require.ErrorContains(t, e.Err, sentence)
			require.Equal(t, recovery.Damaged, recovery.KindOf(e.Err))
			require.Equal(t, recovery.Disproven, e.Standing.Verdict)
			require.Contains(t, e.Standing.Sentence, sentence)
			require.Contains(t, e.Standing.Sentence, string(id))
		}

		e = byID[mixed]
		require.Len(t, e.Proofs, 1)
		require.Equal(t, recovery.LevelReadBack, e.Standing.Level, "proofs of others prove nothing")
		require.ErrorContains(t, e.Err, "it is signed by a key that is not trusted here")
		require.ErrorContains(t, e.Err, "it is that of set "+string(good))

		raw, err := v.Proofs(ctx, "app", good)
		require.NoError(t, err)
		require.Len(t, raw, 2)
		_, err = v.Entry(ctx, "app", setAt(9), s.trusted)
		require.ErrorIs(t, err, recovery.ErrNotFound)
	})
}

func TestSweepSets(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s := d.open(t), newSigner(t, 1)
		ctx := t.Context()
		committed, never, lost, current, newer := setAt(1), setAt(2), setAt(4), setAt(5), setAt(6)
		in := func(id recovery.SetID, name string) string { return recovery.SetPrefix("app", id) + name }

		s.commit(t, v, "app", committed)
		s.commit(t, v, "other", never)
		d.begin(t, "app/sets/0-of-others/x")
		kept := d.lying(t)
		for _, key := range []string{in(lost, "app.1.dump.zst.age"), in(current, "app.1.dump.zst.age"), in(newer, "app.1.dump.zst.age")} {
			upload(t, v, key, []byte("kept"))
			kept = append(kept, key)
		}
		proof := recovery.ProofKey("app", lost, lost.Time(), recovery.ProofReadBack)
		require.NoError(t, v.PutOnce(ctx, proof, []byte("{}")))
		kept = append(kept, proof)

		doomed := []string{in(committed, "app.2.dump.zst.age"), in(never, "app.1.dump.zst.age"), in(never, "RESTORE.md")}
		for _, key := range doomed {
			upload(t, v, key, []byte("left behind"))
		}
		d.begin(t, in(never, "app.3.dump.zst.age"))
		d.begin(t, in(committed, "app.3.dump.zst.age"))
		before := len(d.lying(t))

		swept, err := v.SweepSets(ctx, "app", current, s.trusted)
		require.NoError(t, err)
		require.Len(t, swept.Removed, 5)
		require.Subset(t, swept.Removed, doomed)
		require.Equal(t, []string{recovery.SetPrefix("app", lost)}, swept.Left)
		require.Equal(t, "its manifest is gone, but it has proofs", swept.Reason)
		require.ElementsMatch(t, kept, d.lying(t))
		require.Equal(t, before-5, len(kept))

		again, err := v.SweepSets(ctx, "app", current, s.trusted)
		require.NoError(t, err)
		require.Empty(t, again.Removed)
	})
}

func TestSweptFoldersAreGone(t *testing.T) {
	d := folder(t)
	v := d.open(t)
	upload(t, v, recovery.SetPrefix("app", setAt(1))+"app.1.dump.zst.age", []byte("x"))
	_, err := v.SweepSets(t.Context(), "app", setAt(2), nil)
	require.NoError(t, err)
	require.NoDirExists(t, filepath.Join(d.dir, "app/sets", string(setAt(1))))
}

// TestSweepLooksAtTheNewest: what lies far back was looked at long ago.
func TestSweepLooksAtTheNewest(t *testing.T) {
	d := folder(t)
	v := d.open(t)
	for i := range 60 {
		upload(t, v, recovery.SetPrefix("app", setAt(i))+"app.1.dump.zst.age", []byte("x"))
	}
	swept, err := v.SweepSets(t.Context(), "app", setAt(60), nil)
	require.NoError(t, err)
	require.Len(t, swept.Removed, 50)
	require.Len(t, d.lying(t), 10)
	require.Contains(t, d.lying(t)[9], string(setAt(9)))
}

// TestSweepMayBeRefused: a key that can only put, get and list is enough for a
// backup; what it cannot remove is said.
func TestSweepMayBeRefused(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "")
	server.User(t, "backup", "backupsecret", "user")
	server.Policy(t, "backups", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":["backup"],"Action":["s3:PutObject","s3:GetObject"],"Resource":["arn:aws:s3:::backups/*"]},
		{"Effect":"Allow","Principal":["backup"],"Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::backups"]}]}`)
	s := newSigner(t, 1)
	loser := recovery.SetPrefix("app", setAt(1)) + "app.2.dump.zst.age"
	upload(t, d.open(t), loser, []byte("lost"))

	d.cred = vault.Credentials{AccessKey: "backup", SecretKey: "backupsecret"}
	v := d.open(t)
	require.NoError(t, v.Check(t.Context()))
	s.commit(t, v, "app", setAt(1))
	upload(t, v, recovery.SetPrefix("app", setAt(2))+"app.1.dump.zst.age", noise(20<<20))
	swept, err := v.SweepSets(t.Context(), "app", setAt(2), s.trusted)
	require.NoError(t, err)
	require.Empty(t, swept.Removed)
	require.Contains(t, swept.Left, loser)
	require.Contains(t, swept.Reason, "AccessDenied")
	require.Contains(t, swept.Reason, "let the access key put, get and list in bucket backups")
}

// TestNewestOfTenThousand: the newest 30 of very many are found without listing
// all of them.
func TestNewestOfTenThousand(t *testing.T) {
	d := bucket(t, devserver.StartS3(t), "")
	v, s := d.open(t), newSigner(t, 1)
	begin := time.Now().UTC().Truncate(time.Hour)
	id := func(i int) recovery.SetID {
		return recovery.NewSetID(begin.Add(-time.Duration(i)*time.Hour), fmt.Sprintf("%06x", i))
	}
	for i := range 30 {
		s.commit(t, v, "app", id(i))
	}
	for i := 30; i < 10_000; i++ {
		folder := filepath.Join(d.dir, recovery.SetPrefix("app", id(i)))
		require.NoError(t, os.Mkdir(folder, 0o700))
		require.NoError(t, os.Link(filepath.Join(d.dir, recovery.ManifestKey("app", id(0))), filepath.Join(folder, "set.json")))
	}
	at := begin.Add(time.Hour)
	var proofs sync.WaitGroup
	for i := range 30 {
		proofs.Go(func() {
			require.NoError(t, v.PutOnce(t.Context(), recovery.ProofKey("app", id(i), at, recovery.ProofRestore),
				s.proof(t, id(i), at, recovery.LevelProven)))
		})
	}
	proofs.Wait()

	started := time.Now()
	entries, err := v.Catalogue(t.Context(), "app", s.trusted, time.Time{}, 30)
	t.Logf("newest 30 of 10,000: %v", time.Since(started))
	require.NoError(t, err)
	require.Len(t, entries, 30)
	for i, e := range entries {
		require.Equal(t, id(i), e.Set)
		require.NoError(t, e.Err)
		require.Equal(t, recovery.LevelProven, e.Standing.Level)
	}

	started = time.Now()
	found, err := v.FindSet(t.Context(), id(9_999))
	t.Logf("find one of 10,000: %v", time.Since(started))
	require.NoError(t, err)
	require.Equal(t, "app", found)

	started = time.Now()
	_, err = v.SweepSets(t.Context(), "app", recovery.NewSetID(at, "000000"), s.trusted)
	t.Logf("sweep among 10,000: %v", time.Since(started))
	require.NoError(t, err)
}
