package sqlite_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

func TestInspect(t *testing.T) {
	path, db := newDatabase(t, curious)
	live := &sqlite.Live{Source: "notes", Path: path}
	state, err := live.Inspect(t.Context())
	require.NoError(t, err)
	require.Equal(t, "notes", state.Source)
	require.Equal(t, recovery.KindSQLite, state.Kind)
	require.True(t, state.Exists)
	require.Equal(t, path, state.Name)
	require.Equal(t, "file "+path, state.Where)
	require.Equal(t, fileSize(t, path)+fileSize(t, path+"-wal"), state.Size)
	require.Positive(t, state.Free)
	require.Empty(t, state.Refusals)

	execute(t, db, "INSERT INTO keyed VALUES ('later', 1); PRAGMA wal_checkpoint")
	later, err := live.Inspect(t.Context())
	require.NoError(t, err)
	require.Equal(t, state.Identity, later.Identity, "a new row made another database of it")
}

func TestIdentityIsOfTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	makeDatabase(t, path, "delete", curious)
	first := identityOf(t, path)
	require.NoError(t, os.Rename(path, path+".moved"))
	require.Equal(t, first, identityOf(t, path+".moved"))
	seen := map[string]bool{first: true}
	for range 10 { // the file system gives the same inode again and again
		makeDatabase(t, path, "delete", "CREATE TABLE t (a)")
		identity := identityOf(t, path)
		require.False(t, seen[identity], "a new file has the identity of an old one")
		seen[identity] = true
		require.NoError(t, os.Remove(path))
	}
	require.Empty(t, identityOf(t, path))
}

func TestInspectRefuses(t *testing.T) {
	cases := map[string]struct {
		make     func(t *testing.T, path string)
		stopped  bool
		sentence string
		exists   bool
	}{
		"nothing there":              {func(*testing.T, string) {}, false, "There is no file PATH; one can be put there only while the service is stopped", false},
		"nothing there, stopped":     {func(*testing.T, string) {}, true, "", false},
		"a folder":                   {func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) }, true, "PATH is not a file.", false},
		"a link":                     {func(t *testing.T, path string) { require.NoError(t, os.Symlink("/etc/passwd", path)) }, true, "PATH is a symbolic link", false},
		"something else":             {writeGarbage, false, "PATH is damaged, or not a SQLite database", true},
		"something else, stopped":    {writeGarbage, true, "", true},
		"an empty file is no damage": {func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, nil, 0o600)) }, false, "", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.db")
			c.make(t, path)
			state, err := (&sqlite.Live{Path: path, Stopped: c.stopped}).Inspect(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.exists, state.Exists)
			if c.sentence == "" {
				require.Empty(t, state.Refusals)
				return
			}
			require.Len(t, state.Refusals, 1)
			require.Contains(t, state.Refusals[0], strings.ReplaceAll(c.sentence, "PATH", path))
		})
	}
	t.Run("no folder", func(t *testing.T) {
		state, err := (&sqlite.Live{Path: filepath.Join(t.TempDir(), "missing", "app.db")}).Inspect(t.Context())
		require.NoError(t, err)
		require.Contains(t, state.Refusals[0], "There is no folder")
	})
}

func TestInspectWithoutTheRightToWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	makeDatabase(t, path, "delete", curious)
	for folder := dir; folder != os.TempDir(); folder = filepath.Dir(folder) {
		require.NoError(t, os.Chmod(folder, 0o755))
	}
	require.NoError(t, os.Chmod(path, 0o644))
	var state *recovery.LiveState
	require.NoError(t, asNobody(func() (err error) {
		state, err = (&sqlite.Live{Path: path, Stopped: true}).Inspect(t.Context())
		return err
	}))
	require.Equal(t, []string{
		"The worker's user may not write to the folder " + dir + ".",
		"The worker's user may not write to the file " + path + ".",
	}, state.Refusals)
}

func TestDropOnlyWhatWasSetAside(t *testing.T) {
	s := newSwapping(t, "wal", true)
	_, err := s.live.Swap(t.Context(), s.job)
	require.NoError(t, err)
	for _, path := range []string{
		s.live.Path, s.live.Path + "-wal", s.live.Path + ".before-", filepath.Join(t.TempDir(), "other.db"),
		s.live.Path + ".before-1/../" + filepath.Base(s.live.Path),
	} {
		requireFault(t, s.live.Drop(t.Context(), path, s.job.In), recovery.Permanent, "it was not set aside for "+s.live.Path)
	}
	requireFault(t, s.live.Drop(t.Context(), s.job.Aside, s.job.In), recovery.Permanent, "another database has taken its place")
	s.requireSwapped(t)

	require.NoError(t, os.WriteFile(s.job.Aside+"-wal", []byte("left"), 0o600))
	require.NoError(t, s.live.Drop(t.Context(), s.job.Aside, s.job.Out))
	require.NoFileExists(t, s.job.Aside)
	require.NoFileExists(t, s.job.Aside+"-wal")
	require.NoError(t, s.live.Drop(t.Context(), s.job.Aside, s.job.Out), "a second time")
	requireHolds(t, s.live.Path, s.new)
}

func TestBesideFolderSaysWhoseItIs(t *testing.T) {
	folder := sqlite.BesideFolder("/data/app.db", run)
	require.Equal(t, "/data/.lifeboat-app.db-0199-run", folder)
	require.NotEqual(t, folder, sqlite.BesideFolder("/data/other.db", run))
	require.Equal(t, "/data/app.db.before-20261122T180000Z", sqlite.AsidePath("/data/app.db", "20261122T180000Z"))
}

func writeGarbage(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("no database "), 500), 0o600))
}
