package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

func read(t testing.TB, v *vault.Vault, key string) []byte {
	t.Helper()
	r, size, err := v.Open(t.Context(), key)
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.EqualValues(t, size, len(data))
	return data
}

func TestUpload(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v := d.open(t)
		require.NoError(t, v.Check(t.Context()))
		require.Equal(t, "main", v.Name())
		const part = 8 << 20
		for i, size := range []int{0, 1, 100 << 10, part - 1, part, part + 1, 3 * part, 5*part + 12345} {
			for _, hint := range []int64{0, int64(size) + 1} {
				key := fmt.Sprintf("app/sets/%d-%d", i, hint)
				data := noise(size)
				u, err := v.Create(t.Context(), key, hint)
				require.NoError(t, err)
				for piece := range bytes.Lines(data) { // pieces of all sizes
					n, err := u.Write(piece)
					require.NoError(t, err)
					require.Equal(t, len(piece), n)
				}
				_, _, err = v.Open(t.Context(), key)
				require.ErrorIs(t, err, recovery.ErrNotFound, "nothing is visible before the commit")
				require.NoError(t, u.Commit())
				require.NoError(t, u.Abort(), "after the commit it does nothing")
				require.ErrorContains(t, u.Commit(), "the upload has ended")
				_, err = u.Write([]byte("late"))
				require.ErrorContains(t, err, "the upload has ended")
				require.True(t, bytes.Equal(data, read(t, v, key)), "%d bytes", size)
			}
		}
		require.Len(t, d.lying(t), 16, "the objects and nothing else")
	})
}

func TestUploadNeverReplaces(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v := d.open(t)
		for _, size := range []int{10, 20 << 20} {
			key := fmt.Sprintf("app/sets/of-%d", size)
			upload(t, v, key, []byte("the first"))
			u, err := v.Create(t.Context(), key, 0)
			require.NoError(t, err)
			_, err = u.Write(noise(size))
			require.NoError(t, err)
			require.ErrorIs(t, u.Commit(), vault.ErrExists)
			require.Equal(t, "the first", string(read(t, v, key)))
		}
		require.Len(t, d.lying(t), 2)
	})
}

// TestSourceFails: an upload that is given up leaves nothing, whatever its size.
func TestSourceFails(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v := d.open(t)
		for _, size := range []int{0, 100, 9 << 20, 40 << 20} {
			u, err := v.Create(t.Context(), "app/sets/x/app.1.dump", 0)
			require.NoError(t, err)
			_, err = u.Write(noise(size))
			require.NoError(t, err)
			require.NoError(t, u.Abort())
			require.NoError(t, u.Abort(), "twice is once")
			require.ErrorContains(t, u.Commit(), "the upload has ended")
			require.Empty(t, d.lying(t), "after %d bytes", size)
		}
	})
}

func TestCancelDuringUpload(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v := d.open(t)
		for name, end := range map[string]func(*vault.Upload) error{"abort": (*vault.Upload).Abort, "commit": (*vault.Upload).Commit} {
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				u, err := v.Create(ctx, "app/sets/x/app.1.dump", 0)
				require.NoError(t, err)
				_, err = u.Write(noise(40 << 20))
				require.NoError(t, err)
				cause := errors.New("the run was cancelled")
				cancel(cause)
				if _, err = u.Write([]byte("more")); name == "abort" {
					require.ErrorIs(t, err, cause)
					require.NoError(t, end(u))
				} else {
					require.ErrorIs(t, end(u), cause)
				}
				require.Empty(t, d.lying(t))
			})
		}
	})
}

func TestServerDiesDuringUpload(t *testing.T) {
	t.Parallel() // it waits between tries
	server := devserver.StartS3(t)
	d := bucket(t, server, "")
	v := d.open(t)
	key := recovery.SetPrefix("app", setAt(1)) + "app.1.dump"
	u, err := v.Create(t.Context(), key, 0)
	require.NoError(t, err)
	_, err = u.Write(noise(20 << 20))
	require.NoError(t, err)
	server.Stop()
	for err == nil {
		_, err = u.Write(noise(8 << 20))
	}
	require.Equal(t, recovery.Unavailable, recovery.KindOf(err))
	require.ErrorContains(t, err, "write "+key+" at destination main: dial tcp")
	require.ErrorContains(t, u.Commit(), "at destination main", "a part is missing")
	err = v.Check(t.Context())
	require.ErrorContains(t, err, "check at destination main: dial tcp")
	require.ErrorContains(t, err, "connection refused")
	require.Equal(t, recovery.Unavailable, recovery.KindOf(err))
	require.NotContains(t, err.Error(), "retry quota")

	server.Restart()
	require.NoError(t, v.Check(t.Context()), "the same vault goes on")
	require.Equal(t, []string{"upload:" + key}, d.lying(t))
	swept, err := v.SweepSets(t.Context(), "app", setAt(2), nil)
	require.NoError(t, err)
	require.Equal(t, []string{key}, swept.Removed)
	require.Empty(t, d.lying(t))
}

func TestGetAndPut(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v := d.open(t)
		ctx := t.Context()
		_, err := v.Get(ctx, "app/none")
		require.ErrorIs(t, err, recovery.ErrNotFound)
		require.ErrorContains(t, err, "read app/none at destination main: it is not there")

		require.NoError(t, v.Put(ctx, "app/doc", []byte("one")))
		require.NoError(t, v.Put(ctx, "app/doc", []byte("two")))
		data, err := v.Get(ctx, "app/doc")
		require.NoError(t, err)
		require.Equal(t, "two", string(data))

		require.NoError(t, v.PutOnce(ctx, "app/once", []byte("one")))
		require.NoError(t, v.PutOnce(ctx, "app/once", []byte("one")), "the same again is a success")
		require.ErrorIs(t, v.PutOnce(ctx, "app/once", []byte("two")), vault.ErrExists)
		data, err = v.Get(ctx, "app/once")
		require.NoError(t, err)
		require.Equal(t, "one", string(data))

		upload(t, v, "app/large", noise(16<<20+1))
		_, err = v.Get(ctx, "app/large")
		require.ErrorContains(t, err, "a document has at most 16777216")
		require.Equal(t, recovery.Damaged, recovery.KindOf(err))
		require.Equal(t, []string{"app/doc", "app/large", "app/once"}, d.lying(t))
	})
}

func TestOneWriterWins(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		for round := range 5 {
			key := fmt.Sprintf("app/sets/%d/set.json", round)
			errs := make([]error, 8)
			start := make(chan struct{})
			var writers sync.WaitGroup
			for i := range errs {
				v := d.open(t)
				writers.Go(func() {
					<-start
					errs[i] = v.PutOnce(t.Context(), key, fmt.Appendf(nil, "writer %d", i))
				})
			}
			close(start)
			writers.Wait()
			winner := -1
			for i, err := range errs {
				if err == nil {
					require.Equal(t, -1, winner, "two writers won")
					winner = i
					continue
				}
				require.ErrorIs(t, err, vault.ErrExists)
			}
			require.Equal(t, fmt.Sprintf("writer %d", winner), string(read(t, d.open(t), key)))
		}
		require.Len(t, d.lying(t), 5)
	})
}

// TestDamageIsNoNetworkError: what the store has is handed over as it is, for the
// caller's digest to judge.
func TestDamageIsNoNetworkError(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v := d.open(t)
		for _, size := range []int{100, 20 << 20} {
			key := fmt.Sprintf("app/sets/x/%d", size)
			data := noise(size)
			upload(t, v, key, data)
			d.corrupt(t, key, func(b []byte) []byte { b[50] ^= 1; return b })
			got := read(t, v, key)
			require.False(t, bytes.Equal(data, got))
			require.Len(t, got, size)
			d.corrupt(t, key, func(b []byte) []byte { return b[:60] })
			require.Len(t, read(t, v, key), 60)
		}
	})
}

func TestKeysStayInside(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v := d.open(t)
		ctx := t.Context()
		for _, key := range []string{"", ".", "..", "../x", "a/../../x", "/etc/x", "a//b", "a/./b", "a/", "a\x00b", "a\nb", `a\..\b`, "a\xffb", strings.Repeat("k", 700), "app/x.tmp"} {
			_, err := v.Create(ctx, key, 0)
			require.ErrorContains(t, err, "it must be a plain path below the destination", "%q", key)
			require.Equal(t, recovery.Permanent, recovery.KindOf(err))
			require.Error(t, v.Put(ctx, key, nil), "%q", key)
			require.Error(t, v.PutOnce(ctx, key, nil), "%q", key)
			_, err = v.Get(ctx, key)
			require.Error(t, err, "%q", key)
			require.NotErrorIs(t, err, recovery.ErrNotFound)
		}
		require.Empty(t, d.lying(t))
	})
}

func TestLinksOutOfTheFolderAreNotFollowed(t *testing.T) {
	d, outside := folder(t), t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(d.dir, "app")))
	require.ErrorContains(t, d.open(t).Put(t.Context(), "app/x", []byte("x")), "escapes")
	require.Empty(t, filesBelow(t, outside))
}

func TestFilesArePrivate(t *testing.T) {
	d := folder(t)
	v := d.open(t)
	upload(t, v, "app/sets/x/app.1.dump", []byte("x"))
	require.NoError(t, v.Put(t.Context(), "app/sets/x/RESTORE.md", []byte("x")))
	dir := d.dir
	for _, name := range []string{"app/sets/x/app.1.dump", "app/sets/x/RESTORE.md"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, "-rw-------", info.Mode().String())
	}
	info, err := os.Stat(filepath.Join(dir, "app/sets"))
	require.NoError(t, err)
	require.Equal(t, "drwx------", info.Mode().String())
	require.Equal(t, []string{"app/sets/x/RESTORE.md", "app/sets/x/app.1.dump"}, d.lying(t), "no files beside the objects")
}

func TestPrefixesAreApart(t *testing.T) {
	server := devserver.StartS3(t)
	one := bucket(t, server, "one")
	other := one
	other.spec.URL = "s3://backups/on"
	s := newSigner(t, 1)
	s.commit(t, one.open(t), "app", setAt(1))
	v := other.open(t)
	services, err := v.Services(t.Context())
	require.NoError(t, err)
	require.Empty(t, services)
	_, err = v.SweepSets(t.Context(), "app", setAt(9), s.trusted)
	require.NoError(t, err)
	require.Len(t, one.lying(t), 4)
	_, err = v.FindSet(t.Context(), setAt(1))
	require.ErrorIs(t, err, recovery.ErrNotFound)
}
