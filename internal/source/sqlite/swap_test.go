package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

func TestSwapAndUndo(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		for name, stopped := range map[string]bool{"stopped": true, "open": false} {
			t.Run(journal+" "+name, func(t *testing.T) {
				s := newSwapping(t, journal, stopped)
				var user *otherProcess
				if !stopped {
					user = start(t, "hold", s.live.Path)
				}
				done, err := s.live.Swap(t.Context(), s.job)
				require.NoError(t, err)
				require.Positive(t, done.Down)
				require.False(t, done.Again)
				s.requireSwapped(t)
				require.Equal(t, journal, journalOf(t, s.live.Path))

				again, err := s.live.Swap(t.Context(), s.job)
				require.NoError(t, err)
				require.Equal(t, &recovery.Swapped{Again: true}, again)

				undo := recovery.Swap{
					Source: "notes", Kind: recovery.KindSQLite, Live: s.live.Path, Out: s.job.In,
					New: s.job.Aside, In: s.job.Out, Aside: sqlite.AsidePath(s.live.Path, "undo"),
				}
				_, err = s.live.Swap(t.Context(), undo)
				require.NoError(t, err)
				requireHolds(t, s.live.Path, s.old)
				requireHolds(t, undo.Aside, s.new)
				require.Equal(t, s.job.Out, identityOf(t, s.live.Path))
				require.NoFileExists(t, s.job.Aside)
				if user != nil {
					user.end(t)
				}

				require.NoError(t, s.live.Drop(t.Context(), undo.Aside, s.job.In))
				left, err := filepath.Glob(s.live.Path + ".before-*")
				require.NoError(t, err)
				require.Empty(t, left)
				requireHolds(t, s.live.Path, s.old)
			})
		}
	}
}

func journalOf(t *testing.T, path string) string {
	t.Helper()
	mode, err := (&sqlite.Staging{Path: path}).Query(t.Context(), "PRAGMA journal_mode")
	require.NoError(t, err)
	return mode
}

func TestSwapLosesNoRowOfAnOpenWriter(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			s := newSwapping(t, journal, false)
			writer := start(t, "write", s.live.Path)
			// A writer that never rests may keep the swap out, which then says so and has
			// changed nothing: it is asked again, as a run does.
			_, err := s.live.Swap(t.Context(), s.job)
			for deadline := time.Now().Add(time.Minute); err != nil && time.Now().Before(deadline); _, err = s.live.Swap(t.Context(), s.job) {
				require.ErrorContains(t, err, "another program keeps the database locked")
				require.Equal(t, recovery.Unavailable, recovery.KindOf(err))
			}
			require.NoError(t, err)
			// What it writes now is in the new database.
			for range 20 {
				require.True(t, writer.lines.Scan())
			}
			committed := writer.end(t)

			before, after := numbersIn(t, s.job.Aside), numbersIn(t, s.live.Path)
			require.NotEmpty(t, before)
			require.NotEmpty(t, after)
			for _, n := range committed {
				require.True(t, before[n] != after[n], "row %s is in %v of the two databases", n, []bool{before[n], after[n]})
			}
			for _, path := range []string{s.job.Aside, s.live.Path} {
				require.NoError(t, (&sqlite.Staging{Path: path}).Integrity(t.Context()))
			}
			require.Equal(t, "0", query(t, s.live.Path, "SELECT count(*) FROM plain WHERE name = 'only in the old one'"))
			require.Equal(t, "1", query(t, s.job.Aside, "SELECT count(*) FROM plain WHERE name = 'only in the old one'"))
		})
	}
}

func query(t *testing.T, path, sql string) string {
	t.Helper()
	text, err := (&sqlite.Staging{Path: path}).Query(t.Context(), sql)
	require.NoError(t, err)
	return text
}

// numbersIn reads the numbers that a writer has written.
func numbersIn(t *testing.T, path string) map[string]bool {
	t.Helper()
	db, err := openAt(path, "mode=ro")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	rows, err := db.QueryContext(t.Context(), "SELECT n FROM numbered WHERE n > 0")
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	numbers := map[string]bool{}
	for rows.Next() {
		var n int
		require.NoError(t, rows.Scan(&n))
		numbers[strconv.Itoa(n)] = true
	}
	require.NoError(t, rows.Err())
	return numbers
}

func TestSwapRefusesAFileThatSomebodyHasOpen(t *testing.T) {
	for journal, part := range map[string]string{"wal": "has it open", "delete": "sqlite.test (process "} {
		t.Run(journal, func(t *testing.T) {
			t.Parallel()
			s := newSwapping(t, journal, true)
			user := start(t, "hold", s.live.Path)
			_, err := s.live.Swap(t.Context(), s.job)
			requireFault(t, err, recovery.Permanent, part, "stop it, then try again")
			require.NoFileExists(t, s.job.Aside)
			requireNoIntent(t, s.live.Path)
			user.end(t)
			requireHolds(t, s.live.Path, s.old)
			_, err = s.live.Swap(t.Context(), s.job)
			require.NoError(t, err)
			s.requireSwapped(t)
		})
	}
}

// A service that was killed leaves committed rows in its write-ahead log.
func TestSwapLeavesNoStaleLog(t *testing.T) {
	prepared := func(t *testing.T) *swapping {
		s := newSwapping(t, "wal", true)
		start(t, "leave", s.live.Path).kill(t)
		s.old = fingerprintOf(t, s.live.Path)
		require.Positive(t, fileSize(t, s.live.Path+"-wal"))
		return s
	}
	t.Run("a bare rename brings old rows back", func(t *testing.T) {
		s := newSwapping(t, "wal", true)
		// The new file is the old one as of an hour ago: page for page its ancestor.
		ancestor, err := os.ReadFile(s.live.Path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(s.job.New, ancestor, 0o600))
		start(t, "leave", s.live.Path).kill(t)
		require.NoError(t, os.Rename(s.job.New, s.live.Path))
		require.NoError(t, (&sqlite.Staging{Path: s.live.Path}).Integrity(t.Context()))
		require.Equal(t, "1000", query(t, s.live.Path, "SELECT count(*) FROM numbered WHERE n >= 1000"))
	})
	t.Run("whole", func(t *testing.T) {
		s := prepared(t)
		_, err := s.live.Swap(t.Context(), s.job)
		require.NoError(t, err)
		s.requireSwapped(t)
		require.Equal(t, "1000", query(t, s.job.Aside, "SELECT count(*) FROM numbered WHERE n >= 1000"))
		require.Equal(t, "0", query(t, s.live.Path, "SELECT count(*) FROM numbered WHERE n >= 1000"))
	})
	t.Run("damaged", func(t *testing.T) {
		s := prepared(t)
		file, err := os.OpenFile(s.live.Path, os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = file.WriteAt(make([]byte, 64<<10), 0)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		_, err = s.live.Swap(t.Context(), s.job)
		require.NoError(t, err)
		requireHolds(t, s.live.Path, s.new)
		require.FileExists(t, s.job.Aside)
	})
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

func TestSwapKeepsOwnerAndRights(t *testing.T) {
	for name, stopped := range map[string]bool{"stopped": true, "open": false} {
		t.Run(name, func(t *testing.T) {
			s := newSwapping(t, "delete", stopped)
			require.NoError(t, os.Chmod(s.live.Path, 0o640))
			if os.Getuid() == 0 {
				require.NoError(t, os.Chown(s.live.Path, 1234, 4321))
			}
			before := statOf(t, s.live.Path)
			_, err := s.live.Swap(t.Context(), s.job)
			require.NoError(t, err)
			for _, path := range []string{s.live.Path, s.job.Aside} {
				after := statOf(t, path)
				require.Equal(t, []uint32{before.Mode, before.Uid, before.Gid}, []uint32{after.Mode, after.Uid, after.Gid}, path)
			}
		})
	}
}

func statOf(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	stat, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	return stat
}

func TestSwapWhereNothingIs(t *testing.T) {
	s := newSwapping(t, "delete", true)
	require.NoError(t, os.Remove(s.live.Path))
	require.NoError(t, os.WriteFile(s.live.Path+"-wal", []byte("stale"), 0o600))
	s.job.Out = ""
	_, err := s.live.Swap(t.Context(), s.job)
	require.NoError(t, err)
	requireHolds(t, s.live.Path, s.new)
	require.FileExists(t, s.job.Aside+"-wal")
	require.NoFileExists(t, s.job.Aside)
	require.NoFileExists(t, s.job.New)

	open := newSwapping(t, "delete", false)
	require.NoError(t, os.Remove(open.live.Path))
	open.job.Out = ""
	_, err = open.live.Swap(t.Context(), open.job)
	requireFault(t, err, recovery.Permanent, "there is no file", "set commands.stop and commands.start")
}

func TestSwapIntoAnOpenDatabaseOfAnotherShape(t *testing.T) {
	t.Run("page size", func(t *testing.T) {
		for _, journal := range []string{"wal", "delete"} {
			s := newSwapping(t, journal, false)
			s.bring(t, "2", "PRAGMA page_size = 1024; VACUUM;"+newRows)
			require.Equal(t, "1024", query(t, s.job.New, "PRAGMA page_size"))
			user := start(t, "hold", s.live.Path)
			_, err := s.live.Swap(t.Context(), s.job)
			require.NoError(t, err)
			s.requireSwapped(t)
			require.Equal(t, "4096", query(t, s.live.Path, "PRAGMA page_size"))
			user.end(t)
		}
	})
	t.Run("encoding", func(t *testing.T) {
		s := newSwapping(t, "wal", false)
		s.bring(t, "2", "PRAGMA encoding = 'UTF-16le';"+newRows)
		_, err := s.live.Swap(t.Context(), s.job)
		requireFault(t, err, recovery.Permanent, "its texts are UTF-16le", "stop the service first")
		requireHolds(t, s.live.Path, s.old)
		require.NoFileExists(t, s.job.Aside)
		requireNoIntent(t, s.live.Path)
	})
	t.Run("a log of its own", func(t *testing.T) {
		s := newSwapping(t, "delete", false)
		start(t, "leave", s.job.New).kill(t)
		s.new = fingerprintOf(t, s.job.New)
		_, err := s.live.Swap(t.Context(), s.job)
		require.NoError(t, err)
		s.requireSwapped(t)
		require.Equal(t, "1000", query(t, s.live.Path, "SELECT count(*) FROM numbered WHERE n >= 1000"))
	})
}

func TestSwapRefuses(t *testing.T) {
	cases := map[string]struct {
		change func(t *testing.T, s *swapping)
		kind   recovery.FaultKind
		parts  []string
	}{
		"another file in the place": {func(t *testing.T, s *swapping) {
			makeDatabase(t, s.live.Path+".other", "delete", oldRows)
			require.NoError(t, os.Rename(s.live.Path+".other", s.live.Path))
		}, recovery.Permanent, []string{"is not what the plan shows", "start the restore again"}},
		"the new one missing": {func(t *testing.T, s *swapping) {
			require.NoError(t, os.Remove(s.job.New))
		}, recovery.Permanent, []string{"there is no " + "/"}},
		"another new one": {func(_ *testing.T, s *swapping) { s.job.In = "1@2" }, recovery.Permanent, []string{"is not what the plan shows"}},
		"something aside already": {func(t *testing.T, s *swapping) {
			require.NoError(t, os.WriteFile(s.job.Aside, []byte("precious"), 0o600))
		}, recovery.Permanent, []string{"is there already", "move it away"}},
		"aside elsewhere": {func(t *testing.T, s *swapping) {
			s.job.Aside = filepath.Join(t.TempDir(), "aside.db")
		}, recovery.Permanent, []string{"is not in the folder of the live file"}},
		"a job for another file":  {func(_ *testing.T, s *swapping) { s.job.Live += ".old" }, recovery.Permanent, []string{"the job is for"}},
		"the same in and out":     {func(_ *testing.T, s *swapping) { s.job.In = s.job.Out }, recovery.Permanent, []string{"does not tell what comes from what goes"}},
		"a new one that is empty": {func(t *testing.T, s *swapping) { require.NoError(t, os.Truncate(s.job.New, 0)) }, recovery.Permanent, []string{"it is empty"}},
		"a new one that is none": {func(t *testing.T, s *swapping) {
			require.NoError(t, os.Truncate(s.job.New, 0))
			file, err := os.OpenFile(s.job.New, os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = file.WriteString("this is no database, but long enough to have the header of one; is it not? it is, it is, by now it is")
			require.NoError(t, err)
			require.NoError(t, file.Close())
		}, recovery.Damaged, []string{"file is not a database"}},
	}
	for name, c := range cases {
		for _, stopped := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				s := newSwapping(t, "delete", stopped)
				c.change(t, s)
				before := fingerprintOf(t, s.live.Path)
				_, err := s.live.Swap(t.Context(), s.job)
				requireFault(t, err, c.kind, append(c.parts, "swap "+s.live.Path)...)
				requireHolds(t, s.live.Path, before)
				requireNoIntent(t, s.live.Path)
			})
		}
	}
}

func TestSwapThatIsCancelledChangesNothing(t *testing.T) {
	for _, stopped := range []bool{true, false} {
		s := newSwapping(t, "wal", stopped)
		ctx, cancel := canceling(t)
		cancel()
		_, err := s.live.Swap(ctx, s.job)
		require.ErrorIs(t, err, context.Canceled)
		requireHolds(t, s.live.Path, s.old)
		require.NoFileExists(t, s.job.Aside)
		requireNoIntent(t, s.live.Path)
	}
}

func TestSwapWhileAProgramKeepsTheDatabaseLocked(t *testing.T) {
	s := newSwapping(t, "delete", false)
	db, err := openAt(s.live.Path, "mode=rw")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	_, err = s.live.Swap(t.Context(), s.job)
	requireFault(t, err, recovery.Unavailable, "another program keeps the database locked")
	require.NoFileExists(t, s.job.Aside)
	requireNoIntent(t, s.live.Path)
	_, err = db.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	requireHolds(t, s.live.Path, s.old)
}
