package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

// roleVariable makes this test's program another process that does one thing.
const roleVariable = "SQLITE_TEST_ROLE"

func TestMain(m *testing.M) {
	roles := map[string]func(path string) error{"hold": hold, "write": write, "leave": leave, "swap": swapAlone}
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](os.Args[1]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func openAt(path, options string) (*sql.DB, error) {
	address := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: options}
	db, err := sql.Open("sqlite", address.String())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// hold keeps a connection open that does nothing after its first query.
func hold(path string) error {
	db, err := openAt(path, "mode=rw&_busy_timeout=10000")
	if err != nil {
		return err
	}
	if _, err := db.Exec("SELECT count(*) FROM numbered"); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// write adds numbered rows and prints the number of each that was committed. It
// goes on after the errors that a program must expect, and ends with any other.
func write(path string) error {
	db, err := openAt(path, "mode=rw&_busy_timeout=10000")
	if err != nil {
		return err
	}
	end := make(chan struct{})
	go func() {
		defer close(end)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	for n := 1; ; n++ {
		select {
		case <-end:
			return nil
		default:
		}
		_, err := db.Exec("INSERT INTO numbered (n) VALUES (?)", n)
		var refused *driver.Error
		switch {
		case err == nil:
			fmt.Println(n)
		case errors.As(err, &refused) && (refused.Code()&0xff == sqlite3.SQLITE_BUSY || refused.Code()&0xff == sqlite3.SQLITE_SCHEMA):
		default:
			return err
		}
	}
}

// leave commits rows to the write-ahead log and waits to be killed.
func leave(path string) error {
	db, err := openAt(path, "mode=rw&_pragma=journal_mode(wal)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		return err
	}
	if _, err := db.Exec("WITH RECURSIVE count(n) AS (VALUES (1000) UNION ALL SELECT n + 1 FROM count WHERE n < 1999) INSERT INTO numbered (n) SELECT n FROM count"); err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}

// swapOrder is what swapAlone is told.
type swapOrder struct {
	Live sqlite.Live
	Job  recovery.Swap
}

// swapAlone swaps as a worker does, until it is done or killed.
func swapAlone(text string) error {
	var order swapOrder
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err := order.Live.Swap(context.Background(), order.Job)
	return err
}

// otherProcess is a process that plays a role.
type otherProcess struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

// start starts a process and waits for the first line that it prints.
func start(t *testing.T, role, argument string) *otherProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0], argument)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	p := &otherProcess{cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
	require.True(t, p.lines.Scan(), "the process ended at once")
	require.NotContains(t, p.lines.Text(), "error")
	return p
}

// end lets the process end by itself and returns the lines that it printed since it
// was started.
func (p *otherProcess) end(t *testing.T) []string {
	t.Helper()
	require.NoError(t, p.stdin.Close())
	lines := []string{p.lines.Text()}
	for p.lines.Scan() {
		lines = append(lines, p.lines.Text())
	}
	require.NoError(t, p.cmd.Wait(), "it said %v", lines[len(lines)-1])
	return lines
}

func (p *otherProcess) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait()
}

// makeDatabase makes a database that nobody has open, in a journal mode.
func makeDatabase(t *testing.T, path, journal, statements string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	db, err := openAt(path, "_pragma=synchronous(off)&_pragma=journal_mode("+journal+")")
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), statements)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

const (
	numbered = "CREATE TABLE numbered (n INTEGER PRIMARY KEY, filler TEXT DEFAULT (hex(randomblob(200))));"
	oldRows  = numbered + curious + "INSERT INTO plain (name) VALUES ('only in the old one'); CREATE TABLE old_only (a);"
	newRows  = numbered + curious + "INSERT INTO plain (name) VALUES ('only in the new one'); INSERT INTO keyed VALUES ('new', 7);"
	bulk     = "WITH RECURSIVE count(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM count WHERE n < 3000) INSERT INTO numbered (n) SELECT -n FROM count;"
)

var run = recovery.RunRef{WorkflowID: "restore-notes", RunID: "0199-run"}

// swapping is a live database and one that is to take its place.
type swapping struct {
	live     *sqlite.Live
	job      recovery.Swap
	old, new *recovery.Fingerprint
}

func newSwapping(t *testing.T, journal string, stopped bool) *swapping {
	t.Helper()
	s := &swapping{live: &sqlite.Live{Source: "notes", Path: filepath.Join(t.TempDir(), "live ? #.db"), Stopped: stopped}}
	makeDatabase(t, s.live.Path, journal, oldRows+bulk)
	s.bring(t, "1", newRows+bulk)
	return s
}

// bring makes the database that is to come, and the job.
func (s *swapping) bring(t *testing.T, stamp, statements string) {
	t.Helper()
	path := filepath.Join(sqlite.BesideFolder(s.live.Path, run), stamp+".db")
	makeDatabase(t, path, "delete", statements)
	s.job = recovery.Swap{
		Source: "notes", Kind: recovery.KindSQLite, Live: s.live.Path, Out: identityOf(t, s.live.Path),
		New: path, In: identityOf(t, path), Aside: sqlite.AsidePath(s.live.Path, stamp),
	}
	s.old, s.new = fingerprintOf(t, s.live.Path), fingerprintOf(t, path)
}

func identityOf(t *testing.T, path string) string {
	t.Helper()
	state, err := (&sqlite.Live{Path: path, Stopped: true}).Inspect(t.Context())
	require.NoError(t, err)
	return state.Identity
}

// requireSwapped requires that the new database is live and the old one aside, and
// nothing else is there.
func (s *swapping) requireSwapped(t *testing.T) {
	t.Helper()
	requireHolds(t, s.live.Path, s.new)
	requireHolds(t, s.job.Aside, s.old)
	require.Equal(t, s.job.In, identityOf(t, s.live.Path))
	require.Equal(t, s.job.Out, identityOf(t, s.job.Aside))
	require.NoFileExists(t, s.job.New)
	requireNoIntent(t, s.live.Path)
}

func requireNoIntent(t *testing.T, live string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(filepath.Dir(live), "*-lifeboat-swap*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func requireHolds(t *testing.T, path string, want *recovery.Fingerprint) {
	t.Helper()
	require.NoError(t, (&sqlite.Staging{Path: path}).Integrity(t.Context()))
	require.Empty(t, recovery.Compare(want, fingerprintOf(t, path)), path)
}
