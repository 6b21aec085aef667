package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// interrupted is a swap that ended somewhere on its way.
type interrupted struct {
	live *Live
	i    *intent
}

func newInterrupted(t *testing.T, inPlace bool) *interrupted {
	t.Helper()
	dir := t.TempDir()
	s := &interrupted{live: &Live{Source: "notes", Path: filepath.Join(dir, "app.db"), Stopped: !inPlace}}
	next := filepath.Join(dir, ".beside", "new.db")
	require.NoError(t, os.Mkdir(filepath.Dir(next), 0o700))
	change(t, s.live.Path, "CREATE TABLE t (which, filler); INSERT INTO t VALUES ('old', zeroblob(20000))")
	change(t, next, "CREATE TABLE t (which, filler); INSERT INTO t VALUES ('new', randomblob(20000))")
	out, err := identity(s.live.Path)
	require.NoError(t, err)
	in, err := identity(next)
	require.NoError(t, err)
	s.i, err = newIntent(recovery.Swap{Live: s.live.Path, Out: out, In: in, New: next, Aside: AsidePath(s.live.Path, "1")})
	require.NoError(t, err)
	s.i.InPlace = inPlace
	require.NoError(t, s.i.write())
	return s
}

// change makes a database if there is none, and runs statements on it.
func change(t *testing.T, path, statements string) {
	t.Helper()
	conn, err := open(t.Context(), address(path, "mode=rwc"))
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), statements)
	require.NoError(t, err)
	conn.close()
}

func (s *interrupted) requireSwapped(t *testing.T) {
	t.Helper()
	require.Equal(t, "new", which(t, s.live.Path))
	require.Equal(t, "old", which(t, s.i.Job.Aside))
	there, err := identity(s.live.Path)
	require.NoError(t, err)
	require.Equal(t, s.i.Job.In, there)
	aside, err := identity(s.i.Job.Aside)
	require.NoError(t, err)
	require.Equal(t, s.i.Job.Out, aside)
	require.NoFileExists(t, s.i.Job.New)
	require.NoFileExists(t, intentPath(s.live.Path))
}

func which(t *testing.T, path string) string {
	t.Helper()
	text, err := (&Staging{Path: path}).Query(t.Context(), "SELECT which FROM t")
	require.NoError(t, err)
	return text
}

func TestRenamesThatWereInterrupted(t *testing.T) {
	cases := map[string]struct {
		reached func(t *testing.T, s *interrupted)
		again   bool // the whole was done already
	}{
		"before the first one": {func(*testing.T, *interrupted) {}, true},
		"when the old file had two names": {func(t *testing.T, s *interrupted) {
			require.NoError(t, os.Link(s.live.Path, s.i.Job.Aside))
		}, true},
		"before the new one had its place": {func(t *testing.T, s *interrupted) { require.NoError(t, s.i.setAside()) }, true},
		"before the end was known":         {func(t *testing.T, s *interrupted) { require.NoError(t, s.i.exchange()) }, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newInterrupted(t, false)
			c.reached(t, s)
			done, err := s.live.Swap(t.Context(), s.i.Job)
			require.NoError(t, err)
			require.Equal(t, c.again, done.Again)
			s.requireSwapped(t)
		})
	}
	t.Run("and the service made a new database meanwhile", func(t *testing.T) {
		s := newInterrupted(t, false)
		require.NoError(t, s.i.setAside())
		require.NoError(t, os.Remove(s.live.Path))
		change(t, s.live.Path, "CREATE TABLE t (which); INSERT INTO t VALUES ('fresh')")
		_, err := s.live.Swap(t.Context(), s.i.Job)
		require.ErrorContains(t, err, "something else took the place of the file")
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
		require.Equal(t, "fresh", which(t, s.live.Path))
	})
	t.Run("by another swap", func(t *testing.T) {
		s := newInterrupted(t, false)
		require.NoError(t, s.i.setAside())
		back := recovery.Swap{Live: s.live.Path, Out: s.i.Job.In, In: s.i.Job.Out, New: s.i.Job.Aside, Aside: AsidePath(s.live.Path, "2")}
		done, err := s.live.Swap(t.Context(), back)
		require.NoError(t, err)
		require.False(t, done.Again)
		require.Equal(t, "old", which(t, s.live.Path))
		require.Equal(t, "new", which(t, back.Aside))
	})
}

func TestOverwriteThatWasInterrupted(t *testing.T) {
	copied := func(t *testing.T, s *interrupted) {
		conn, err := openReadOnly(t.Context(), s.live.Path)
		require.NoError(t, err)
		has, err := propertiesOf(t.Context(), conn)
		conn.close()
		require.NoError(t, err)
		require.NoError(t, s.i.copyAside(t.Context()))
		s.i.Version = &has.version
		require.NoError(t, s.i.write())
	}
	written := func(t *testing.T, s *interrupted) {
		_, err := s.i.tryOverwrite(t.Context())
		require.NoError(t, err)
	}
	cases := map[string]struct {
		reached func(t *testing.T, s *interrupted)
		after   string // what a program did before the next try
		again   bool   // the old one had been overwritten
	}{
		"before the copy": {func(*testing.T, *interrupted) {}, "", false},
		"in the copy": {func(t *testing.T, s *interrupted) {
			require.NoError(t, os.WriteFile(s.i.Job.Aside, []byte("half"), 0o600))
		}, "", false},
		"before the commit":             {copied, "", false},
		"and rows were added":           {copied, "INSERT INTO t VALUES ('later', 1)", false},
		"and a table was made":          {copied, "CREATE TABLE later (a); CREATE TABLE even_later (a)", false},
		"after the commit":              {written, "", true},
		"after it and rows were added":  {written, "INSERT INTO t VALUES ('later', 1)", true},
		"after it and a table was made": {written, "CREATE TABLE later (a)", true},
		"before the end was known": {func(t *testing.T, s *interrupted) {
			written(t, s)
			require.NoError(t, recordHolds(s.live.Path, s.i.Job.In))
		}, "", true},
		"when all but its intent was finished": {func(t *testing.T, s *interrupted) {
			written(t, s)
			require.NoError(t, s.i.finishOverwrite())
			require.NoError(t, s.i.write())
		}, "", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newInterrupted(t, true)
			c.reached(t, s)
			change(t, s.live.Path, c.after)
			done, err := s.live.Swap(t.Context(), s.i.Job)
			require.NoError(t, err)
			require.Equal(t, c.again, done.Again)
			s.requireSwapped(t)
		})
	}
	t.Run("and nobody can tell", func(t *testing.T) {
		s := newInterrupted(t, true)
		copied(t, s)
		change(t, s.live.Path, "DELETE FROM t; INSERT INTO t VALUES ('third', randomblob(60000)); CREATE TABLE later (a); VACUUM")
		_, err := s.live.Swap(t.Context(), s.i.Job)
		require.ErrorContains(t, err, "nobody can tell whether it was done")
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
		require.Equal(t, "third", which(t, s.live.Path))
		require.Equal(t, "old", which(t, s.i.Job.Aside))
		require.Equal(t, "new", which(t, s.i.Job.New))
	})
}

// What was written after the copy must not be overwritten.
func TestOverwriteNoticesAWriteAfterTheCopy(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		s := newInterrupted(t, true)
		change(t, s.live.Path, "PRAGMA journal_mode = "+journal)
		conn, err := openWritable(t.Context(), s.live.Path)
		require.NoError(t, err)
		_, err = propertiesOf(t.Context(), conn)
		require.NoError(t, err)
		err = conn.Raw(func(driver any) error {
			live, ok := driver.(onlineBackup)
			require.True(t, ok)
			before, err := live.FileControlDataVersion("main")
			require.NoError(t, err)
			return s.i.writeOver(t.Context(), live, func() error {
				change(t, s.live.Path, "UPDATE t SET which = 'late'")
				return nil
			}, func() error {
				after, err := live.FileControlDataVersion("main")
				require.NoError(t, err)
				require.NotEqual(t, before, after, journal)
				return errWritten
			})
		})
		conn.close()
		require.ErrorIs(t, err, errWritten)
		require.Equal(t, "late", which(t, s.live.Path), journal)
	}
}
