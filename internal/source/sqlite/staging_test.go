package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

func TestRestoreWritesAPrivateFile(t *testing.T) {
	path, _ := newDatabase(t, curious)
	content, _ := dumpOf(t, newSource(t, path))
	staging := &sqlite.Staging{Path: filepath.Join(t.TempDir(), "new", "folder", "app.db")}
	var last int64
	restored, err := staging.Restore(t.Context(), iotest.HalfReader(bytes.NewReader(content)), func(n int64) { last = n })
	require.NoError(t, err)
	require.EqualValues(t, len(content), restored.PlainSize)
	require.EqualValues(t, len(content), last)
	require.Empty(t, restored.Complaints)
	for file, mode := range map[string]os.FileMode{staging.Path: 0o600, filepath.Dir(staging.Path): 0o700} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), file)
	}
	require.NoError(t, staging.Integrity(t.Context()))
}

func TestRestoreReplacesWhatAnEarlierTryLeft(t *testing.T) {
	path, _ := newDatabase(t, curious)
	content, dump := dumpOf(t, newSource(t, path))
	staging := restore(t, content)
	bystander := filepath.Join(filepath.Dir(staging.Path), "other.db")
	require.NoError(t, os.WriteFile(bystander, []byte("mine"), 0o600))
	// A log left by a killed service would be replayed into the new file.
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		require.NoError(t, os.WriteFile(staging.Path+suffix, []byte("stale"), 0o600))
	}
	_, err := staging.Restore(t.Context(), bytes.NewReader(content), nil)
	require.NoError(t, err)
	require.NoFileExists(t, staging.Path+"-wal")
	require.FileExists(t, bystander)
	require.Empty(t, recovery.Compare(dump.Fingerprint, fingerprintOf(t, staging.Path)))
}

func TestRestoreFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious.db")
	require.NoError(t, os.WriteFile(precious, []byte("precious"), 0o600))
	staging := &sqlite.Staging{Path: filepath.Join(dir, "app.db")}
	require.NoError(t, os.Symlink(precious, staging.Path))
	_, err := staging.Restore(t.Context(), bytes.NewReader([]byte("new")), nil)
	require.NoError(t, err)
	kept, err := os.ReadFile(precious)
	require.NoError(t, err)
	require.Equal(t, "precious", string(kept))
}

func TestRestoreThatFailsLeavesNoFile(t *testing.T) {
	damaged := recovery.NewFault(recovery.Damaged, errors.New("chunk 3 does not open"), "")
	cases := map[string]struct {
		reader io.Reader
		kind   recovery.FaultKind
		part   string
	}{
		"damaged stream":   {io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), iotest.ErrReader(damaged)), recovery.Damaged, "chunk 3 does not open"},
		"truncated stream": {io.MultiReader(bytes.NewReader(make([]byte, 100)), iotest.ErrReader(io.ErrUnexpectedEOF)), recovery.Unavailable, "unexpected EOF"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			staging := &sqlite.Staging{Path: filepath.Join(t.TempDir(), "app.db")}
			_, err := staging.Restore(t.Context(), c.reader, nil)
			requireFault(t, err, c.kind, "restore to "+staging.Path, c.part)
			requireEmpty(t, filepath.Dir(staging.Path))
		})
	}
	t.Run("cancel", func(t *testing.T) {
		staging := &sqlite.Staging{Path: filepath.Join(t.TempDir(), "app.db")}
		ctx, cancel := canceling(t)
		_, err := staging.Restore(ctx, bytes.NewReader(make([]byte, 4<<20)), func(int64) { cancel() })
		require.ErrorIs(t, err, context.Canceled)
		requireEmpty(t, filepath.Dir(staging.Path))
	})
}

func TestRestoreToAFolderThatCannotBeMade(t *testing.T) {
	staging := &sqlite.Staging{Path: "/dev/null/app.db"}
	_, err := staging.Restore(t.Context(), bytes.NewReader([]byte("x")), nil)
	requireFault(t, err, recovery.Permanent, "restore to /dev/null/app.db", "let the worker's user create folders")
}

func TestIntegrityFindsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	damage(t, path)
	err := (&sqlite.Staging{Path: path}).Integrity(t.Context())
	requireFault(t, err, recovery.Damaged, "check "+path)

	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("x"), 8192), 0o600))
	err = (&sqlite.Staging{Path: path}).Integrity(t.Context())
	requireFault(t, err, recovery.Damaged, "file is not a database")
}

func TestQuery(t *testing.T) {
	path, _ := newDatabase(t, curious)
	staging := &sqlite.Staging{Path: path}
	for query, want := range map[string]string{
		"SELECT count(*), 'more' FROM plain":       "2",
		"SELECT name FROM plain ORDER BY id":       "a",
		"SELECT made FROM plain WHERE name = 'a'":  "2026-11-22 18:00:00",
		"SELECT flag FROM plain WHERE name = 'a'":  "1",
		"SELECT price FROM plain WHERE name = 'a'": "1.5",
		"SELECT 3.0":          "3.0",
		"SELECT NULL":         "",
		"SELECT x'6869'":      "hi",
		"PRAGMA user_version": "7",
		"SELECT title FROM search WHERE search MATCH 'soup';": "soup",
	} {
		got, err := staging.Query(t.Context(), query)
		require.NoError(t, err, query)
		require.Equal(t, want, got, query)
	}
}

func TestQueryRefuses(t *testing.T) {
	path, db := newDatabase(t, curious)
	staging := &sqlite.Staging{Path: path}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.db")
	for query, part := range map[string]string{
		"SELECT missing FROM plain":       "no such column",
		"SELEKT":                          "syntax error",
		"DELETE FROM plain RETURNING id":  "readonly database",
		"ATTACH '" + elsewhere + "' AS e": "too many attached databases",
		"VACUUM INTO '" + elsewhere + "'": "too many attached databases",
	} {
		_, err := staging.Query(t.Context(), query)
		require.ErrorContains(t, err, part, query)
		require.NoFileExists(t, elsewhere)
	}
	_, err := staging.Query(t.Context(), "SELECT missing")
	requireFault(t, err, recovery.Permanent, "mend the query")
	var rows int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM plain").Scan(&rows))
	require.Equal(t, 2, rows)
}

func TestDropMayBeRepeated(t *testing.T) {
	path, _ := newDatabase(t, curious)
	content, _ := dumpOf(t, newSource(t, path))
	staging := restore(t, content)
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		require.NoError(t, os.WriteFile(staging.Path+suffix, nil, 0o600))
	}
	require.NoError(t, staging.Drop(t.Context()))
	requireEmpty(t, filepath.Dir(staging.Path))
	require.NoError(t, staging.Drop(t.Context()))
}

func TestStagingThatIsNotThere(t *testing.T) {
	staging := &sqlite.Staging{Path: filepath.Join(t.TempDir(), "app.db")}
	_, err := staging.Query(t.Context(), "SELECT 1")
	requireFault(t, err, recovery.Permanent, "unable to open database file")
	requireEmpty(t, filepath.Dir(staging.Path))
}
