package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

// ledger is a database of some 20 MB in which each order has exactly two lines.
const ledger = `
CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT);
CREATE TABLE lines (order_id INT REFERENCES orders, n INT, PRIMARY KEY (order_id, n)) WITHOUT ROWID;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) INSERT INTO orders SELECT i, hex(randomblob(200)) FROM n;
INSERT INTO lines SELECT id, 1 FROM orders UNION ALL SELECT id, 2 FROM orders;
`

func TestDumpOfALiveDatabaseBlocksNoWriterAndIsConsistent(t *testing.T) {
	path, db := newDatabase(t, ledger)
	source := newSource(t, path)

	var written atomic.Int64
	stop := make(chan struct{})
	var writer sync.WaitGroup
	var failed error
	writer.Go(func() {
		for id := 100_000; ; id++ {
			select {
			case <-stop:
				return
			default:
			}
			if failed = writeOrder(t.Context(), db, id); failed != nil {
				return
			}
			written.Add(1)
		}
	})

	before := written.Load()
	var whileCopied atomic.Int64
	var out bytes.Buffer
	dump, err := source.Dump(t.Context(), job, writerFunc(func(p []byte) (int, error) {
		whileCopied.CompareAndSwap(0, written.Load()-before)
		return out.Write(p)
	}), nil)
	close(stop)
	writer.Wait()

	require.NoError(t, failed, "the writer met a lock")
	require.NoError(t, err)
	require.Positive(t, whileCopied.Load(), "nothing was written while the copy was made")
	requireEmpty(t, source.TempDir)
	require.EqualValues(t, out.Len(), dump.PlainSize)

	staging := restore(t, out.Bytes())
	require.NoError(t, staging.Integrity(t.Context()))
	halves, err := staging.Query(t.Context(), "SELECT count(*) FROM orders WHERE (SELECT count(*) FROM lines WHERE order_id = id) <> 2")
	require.NoError(t, err)
	require.Equal(t, "0", halves, "the copy holds half a transaction")
	restored, err := staging.Fingerprint(t.Context(), recovery.FingerprintContent)
	require.NoError(t, err)
	require.Empty(t, recovery.Compare(dump.Fingerprint, restored))
}

func writeOrder(ctx context.Context, db *sql.DB, id int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, statement := range []string{"INSERT INTO orders VALUES (?1, 'new')", "INSERT INTO lines VALUES (?1, 1)", "INSERT INTO lines VALUES (?1, 2)"} {
		if _, err := tx.ExecContext(ctx, statement, id); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

func TestDumpSaysWhatItMade(t *testing.T) {
	path, _ := newDatabase(t, curious)
	source := newSource(t, path)
	source.Fingerprint = recovery.FingerprintOff
	begun := time.Now()
	var told []int64
	var out bytes.Buffer
	dump, err := source.Dump(t.Context(), job, &out, func(n int64) { told = append(told, n) })
	require.NoError(t, err)

	require.Equal(t, "db", dump.Ext)
	require.Regexp(t, `^sqlite 3\.\d+\.\d+ VACUUM INTO$`, dump.Tool)
	require.Nil(t, dump.Fingerprint)
	require.WithinRange(t, dump.Snapshot, begun, time.Now())
	require.EqualValues(t, out.Len(), dump.PlainSize)
	require.Equal(t, dump.PlainSize, told[len(told)-1])
	estimate, err := source.Estimate(t.Context())
	require.NoError(t, err)
	require.InDelta(t, dump.PlainSize, estimate, float64(dump.PlainSize)/5)
}

func TestStockSQLiteOpensADump(t *testing.T) {
	tool, err := exec.LookPath("sqlite3")
	require.NoError(t, err, "sqlite3 is not on PATH: run 'make tools'")
	path, _ := newDatabase(t, curious)
	content, _ := dumpOf(t, newSource(t, path))
	file := filepath.Join(t.TempDir(), "out.db")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	output, err := exec.CommandContext(t.Context(), tool, file,
		"PRAGMA integrity_check; PRAGMA user_version; SELECT group_concat(name) FROM plain; SELECT title FROM search WHERE search MATCH 'pumpkins';").CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Equal(t, "ok\n7\na,b\nsoup\n", string(output))
}

func TestDumpWorksInRollbackJournalMode(t *testing.T) {
	path, db := newDatabase(t, curious)
	execute(t, db, "PRAGMA journal_mode = delete")
	content, dump := dumpOf(t, newSource(t, path))
	require.NotEmpty(t, content)
	require.NoFileExists(t, path+"-wal")
	require.Equal(t, recovery.FingerprintContent, dump.Fingerprint.Mode)
}

func TestDumpRefuses(t *testing.T) {
	encrypted := bytes.Repeat([]byte("not a database, or one that cannot be read; "), 200)
	cases := []struct {
		name    string
		prepare func(t *testing.T, path string)
		parts   []string
	}{
		{"a missing file", func(*testing.T, string) {}, []string{"there is no such file", "check the path"}},
		{"a folder", func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) }, []string{"it is not a file"}},
		{"an empty file", func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, nil, 0o600)) }, []string{"the file is empty", "created its tables"}},
		{"another kind of file", func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, encrypted, 0o600)) }, []string{"file is not a database", "encrypted"}},
		{"a damaged database", damage, []string{"malformed", ".recover"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.db")
			c.prepare(t, path)
			_, before := os.Stat(path)
			source := newSource(t, path)
			var out bytes.Buffer
			_, err := source.Dump(t.Context(), job, &out, nil)
			requireFault(t, err, recovery.Permanent, append(c.parts, path)...)
			require.Zero(t, out.Len())
			requireEmpty(t, source.TempDir)
			_, after := os.Stat(path)
			require.Equal(t, before, after, "the file was created")
		})
	}
}

// damage makes a database with a page of noise in the middle.
func damage(t *testing.T, path string) {
	t.Helper()
	db := openLive(t, path)
	execute(t, db, ledger)
	execute(t, db, "PRAGMA journal_mode = delete")
	require.NoError(t, db.Close())
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = file.WriteAt(bytes.Repeat([]byte{0xa5}, 8*4096), 1<<20)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

func TestDumpFindsAnIndexThatDoesNotFitItsTable(t *testing.T) {
	path, db := newDatabase(t, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3); CREATE INDEX t_a ON t (a);")
	// The index's definition now forbids what the table holds.
	execute(t, db, "PRAGMA writable_schema = on; UPDATE sqlite_schema SET sql = 'CREATE UNIQUE INDEX t_a ON t (a)' WHERE name = 't_a'; INSERT INTO t VALUES (1);")
	source := newSource(t, path)
	_, err := source.Dump(t.Context(), job, io.Discard, nil)
	requireFault(t, err, recovery.Permanent, "it is damaged: non-unique entry in index t_a", ".recover")
	requireEmpty(t, source.TempDir)
}

func TestDumpOfALockedDatabaseIsWorthTryingAgain(t *testing.T) {
	path, db := newDatabase(t, "CREATE TABLE t (a); INSERT INTO t VALUES (1);")
	execute(t, db, "PRAGMA journal_mode = delete")
	execute(t, db, "BEGIN EXCLUSIVE")
	source := newSource(t, path)
	_, err := source.Dump(t.Context(), job, io.Discard, nil)
	requireFault(t, err, recovery.Unavailable, "keeps the database locked")
	execute(t, db, "COMMIT")
	dumpOf(t, source)
}

func TestDumpWithoutTheRightToRead(t *testing.T) {
	path, db := newDatabase(t, "CREATE TABLE t (a)")
	require.NoError(t, db.Close())
	require.NoError(t, os.Chmod(path, 0))
	for dir := filepath.Dir(path); strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755)) // the folders are open, the file is not
	}
	source := newSource(t, path)
	err := asNobody(func() error {
		_, err := source.Estimate(t.Context())
		return err
	})
	requireFault(t, err, recovery.Permanent, "unable to open database file", "let the worker's user read the file")
}

// asNobody runs f without root's right to read everything.
func asNobody(f func() error) error {
	if os.Geteuid() != 0 {
		return f()
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Setfsuid(65534); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}

func TestDumpWithoutAFolderForTheCopy(t *testing.T) {
	path, _ := newDatabase(t, "CREATE TABLE t (a)")
	source := newSource(t, path)
	source.TempDir = filepath.Join(t.TempDir(), "missing")
	_, err := source.Dump(t.Context(), job, io.Discard, nil)
	requireFault(t, err, recovery.Permanent, "make folder for the copy", "let the worker's user create folders")
}

func TestDumpThatFailsLeavesNoCopy(t *testing.T) {
	path, _ := newDatabase(t, ledger)
	source := newSource(t, path)
	broken := errors.New("the store is gone")
	_, err := source.Dump(t.Context(), job, writerFunc(func([]byte) (int, error) { return 0, broken }), nil)
	require.ErrorIs(t, err, broken)
	require.Equal(t, recovery.Unavailable, recovery.KindOf(err))
	requireEmpty(t, source.TempDir)
}

func TestDumpThatIsCancelledLeavesNoCopy(t *testing.T) {
	path, _ := newDatabase(t, ledger)
	t.Run("while the copy is made", func(t *testing.T) {
		source := newSource(t, path)
		ctx, cancel := canceling(t)
		copied := filepath.Join(source.TempDir, fmt.Sprintf("lifeboat-%s-notes-1", job.Set), "copy.db")
		go func() {
			for ctx.Err() == nil {
				if _, err := os.Stat(copied); err == nil {
					cancel()
				}
			}
		}()
		var out bytes.Buffer
		_, err := source.Dump(ctx, job, &out, nil)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, out.Len())
		requireEmpty(t, source.TempDir)
	})
	t.Run("while it is sent", func(t *testing.T) {
		source := newSource(t, path)
		ctx, cancel := canceling(t)
		_, err := source.Dump(ctx, job, io.Discard, func(int64) { cancel() })
		require.ErrorIs(t, err, context.Canceled)
		requireEmpty(t, source.TempDir)
	})
}

func TestCopiesArePrivateAndSwept(t *testing.T) {
	path, _ := newDatabase(t, ledger)
	source := newSource(t, path)
	other := recovery.SetID("20261121T180000Z-000001")
	mine := filepath.Join(source.TempDir, fmt.Sprintf("lifeboat-%s-notes-2", job.Set))
	leave := func(name string) string {
		folder := filepath.Join(source.TempDir, name)
		require.NoError(t, os.Mkdir(folder, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "copy.db"), []byte("secret"), 0o600))
		return folder
	}
	earlier := leave(fmt.Sprintf("lifeboat-%s-notes-1", job.Set))
	sibling := leave(fmt.Sprintf("lifeboat-%s-photos-1", job.Set))
	leftOver := leave(fmt.Sprintf("lifeboat-%s-notes-1", other))
	strangers := []string{leave("lifeboat-notes"), leave(fmt.Sprintf("lifeboat-%s-notes-1-old", other)), leave("lifeboat-20261121-notes-1")}

	second := job
	second.Attempt = 2
	_, err := source.Dump(t.Context(), second, writerFunc(func(p []byte) (int, error) {
		info, err := os.Stat(mine)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
		require.NoDirExists(t, earlier, "the attempt before was given up")
		require.NoError(t, sqlite.SweepCopies(t.Context(), source.TempDir, other))
		require.DirExists(t, mine, "a copy in use was swept")
		return len(p), nil
	}), nil)
	require.NoError(t, err)
	require.NoDirExists(t, mine)
	require.NoDirExists(t, sibling, "another set's left-over stayed")
	require.DirExists(t, leftOver, "the kept set's folder was swept")

	require.NoError(t, sqlite.SweepCopies(t.Context(), source.TempDir, job.Set))
	require.NoDirExists(t, leftOver)
	for _, stranger := range strangers {
		require.DirExists(t, stranger)
	}
	require.NoError(t, sqlite.SweepCopies(t.Context(), filepath.Join(source.TempDir, "missing"), job.Set))
}
