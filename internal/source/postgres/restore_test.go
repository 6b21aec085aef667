package postgres

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

const restoreApplication = "lifeboat/restore-test"

// restoring makes an empty database on a server and what restores to it.
func restoring(t *testing.T, server *devserver.Postgres, name string) *restorer {
	t.Helper()
	server.Exec(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE template0")
	client, err := toolsIn(t.Context(), server.BinDir)
	require.NoError(t, err)
	database, err := newServer("staging", server.URL(name))
	require.NoError(t, err)
	return &restorer{tools: client, server: database, application: restoreApplication, folder: t.TempDir()}
}

// nothingLeft checks that a restore left neither files nor sessions.
func nothingLeft(t *testing.T, server *devserver.Postgres, r *restorer) {
	t.Helper()
	files, err := os.ReadDir(r.folder)
	require.NoError(t, err)
	require.Empty(t, files)
	require.Eventually(t, func() bool {
		return ask(t, server, "postgres", "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = '"+restoreApplication+"'") == "0"
	}, 10*time.Second, 20*time.Millisecond, "a session is left")
}

// dumpOf runs pg_dump.
func dumpOf(t *testing.T, server *devserver.Postgres, database string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(server.BinDir, "pg_dump"), append(args, "-d", server.URL(database))...)
	cmd.Env = append(os.Environ(), "PGTZ=UTC")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return out
}

func archiveOf(t *testing.T, server *devserver.Postgres, database, sql string) []byte {
	t.Helper()
	server.Exec(t, "postgres", "CREATE DATABASE "+database+" TEMPLATE template0")
	server.Exec(t, database, sql)
	return dumpOf(t, server, database, "-Fc", "-Z0")
}

func hostileSQL(t *testing.T) string {
	t.Helper()
	sql, err := os.ReadFile("archive/testdata/hostile.sql")
	require.NoError(t, err)
	return string(sql)
}

func ask(t *testing.T, server *devserver.Postgres, database, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL(database))
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	var answer string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&answer))
	return answer
}

var restrictKey = regexp.MustCompile(`(?m)^\\(un)?restrict .*$`)

// plainDump is a database as SQL: what is in it, in which order, and whose it is.
func plainDump(t *testing.T, server *devserver.Postgres, database string) string {
	t.Helper()
	return restrictKey.ReplaceAllString(string(dumpOf(t, server, database, "-b")), "")
}

func TestRestoreMakesWhatPgRestoreMakes(t *testing.T) {
	server := devserver.StartPostgres(t)
	data := archiveOf(t, server, "hostile", hostileSQL(t))
	r := restoring(t, server, "ours")
	var seen int64
	restored, err := r.run(t.Context(), bytes.NewReader(data), func(n int64) { seen = n })
	require.NoError(t, err)
	require.Equal(t, &recovery.Restored{PlainSize: int64(len(data))}, restored)
	require.EqualValues(t, len(data), seen)
	nothingLeft(t, server, r)

	server.Exec(t, "postgres", "CREATE DATABASE stock TEMPLATE template0")
	cmd := exec.CommandContext(t.Context(), filepath.Join(server.BinDir, "pg_restore"), "--exit-on-error", "-d", server.URL("stock"))
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, plainDump(t, server, "stock"), plainDump(t, server, "ours"))

	want, err := archive.Fingerprint(bytes.NewReader(dumpOf(t, server, "stock", "-Fc", "-Z0")), recovery.FingerprintContent)
	require.NoError(t, err)
	got, err := archive.Fingerprint(bytes.NewReader(dumpOf(t, server, "ours", "-Fc", "-Z0")), recovery.FingerprintContent)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, "3", ask(t, server, "ours", "SELECT count(*)::text FROM totals"))
	const indexes = `SELECT string_agg(indexrelid::regclass || ' ' || indisvalid || ' ' || indisclustered || ' ' || indisreplident, ',' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indexrelid >= 16384 AND indrelid::regclass::text !~ '^pg_toast'`
	require.Equal(t, ask(t, server, "stock", indexes), ask(t, server, "ours", indexes))
}

func TestRestoreGoesOnAfterARefusal(t *testing.T) {
	source, staging := devserver.StartPostgres(t), devserver.StartPostgres(t)
	const tables = `
		CREATE EXTENSION citext;
		CREATE TABLE a (id int PRIMARY KEY, t citext);
		INSERT INTO a SELECT g, repeat('secret', 100) FROM generate_series(1, 5000) g;
		CREATE TABLE b (id int PRIMARY KEY, t text);
		INSERT INTO b SELECT g, 'b' FROM generate_series(1, 5000) g;
		SELECT lo_from_bytea(5, 'abc');`
	const dependent = `
		CREATE TABLE z (id int);
		INSERT INTO z VALUES (1);
		CREATE FUNCTION known(i int) RETURNS boolean LANGUAGE sql AS 'SELECT i IN (SELECT id FROM public.z)';
		CREATE TABLE a (id int CONSTRAINT is_known CHECK (known(id)), t text, CONSTRAINT a_key PRIMARY KEY (id));
		INSERT INTO a VALUES (1, 'secret');
		CREATE TABLE b (id int PRIMARY KEY, t text);
		INSERT INTO b SELECT g, 'b' FROM generate_series(1, 5000) g`
	const owned = `
		CREATE ROLE somebody;
		CREATE TABLE b (id int PRIMARY KEY, t text);
		INSERT INTO b SELECT g, 'b' FROM generate_series(1, 5000) g;
		ALTER TABLE b OWNER TO somebody;
		GRANT SELECT ON b TO somebody`
	missing := bytes.ReplaceAll(archiveOf(t, source, "extended", tables), []byte("citext"), []byte("zitext"))
	tests := map[string]struct {
		data []byte
		want []string
	}{
		"extension missing": {missing, []string{
			`extension "zitext" is not available`,
			`schema "public" does not exist|type "public.zitext" does not exist`,
			`^data of "public"."a": relation "public.a" does not exist \(SQLSTATE 42P01\)$`,
		}},
		"data that does not fit": {archiveOf(t, source, "dependent", dependent), []string{
			`^data of "public"."a": new row for relation \(hidden\) violates check constraint \(hidden\) \(SQLSTATE 23514\)$`,
		}},
		"role missing": {archiveOf(t, source, "owned", owned), []string{`role "somebody" does not exist`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			database := strings.ReplaceAll(name, " ", "_")
			r := restoring(t, staging, database)
			restored, err := r.run(t.Context(), bytes.NewReader(tt.data), nil)
			require.NoError(t, err)
			require.NotEmpty(t, restored.Complaints)
			all := strings.Join(restored.Complaints, "\n")
			for _, want := range tt.want {
				require.Regexp(t, "(?m)"+want, all)
			}
			require.NotContains(t, all, "secret")
			require.EqualValues(t, len(tt.data), restored.PlainSize)
			require.Equal(t, "5000", ask(t, staging, database, "SELECT count(*)::text FROM b WHERE t = 'b'"))
			require.Equal(t, "b_pkey", ask(t, staging, database, "SELECT conname::text FROM pg_constraint WHERE conrelid = 'b'::regclass AND contype = 'p'"))
			nothingLeft(t, staging, r)
		})
	}
}

// A user without rights restores what it may.
func TestRestoreAsPlainUser(t *testing.T) {
	server := devserver.StartPostgres(t)
	data := archiveOf(t, server, "owned", `
		CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b SELECT generate_series(1, 100);
		SELECT lo_from_bytea(5, 'abc'), lo_from_bytea(6, 'def')`)
	r := restoring(t, server, "plain")
	server.Exec(t, "plain", `CREATE ROLE plain LOGIN PASSWORD 'p'; GRANT ALL ON SCHEMA public TO plain; SELECT lo_from_bytea(5, 'not theirs')`)
	r.server.config.User, r.server.config.Password = "plain", "p"
	restored, err := r.run(t.Context(), bytes.NewReader(data), nil)
	require.NoError(t, err)
	require.Contains(t, restored.Complaints, "large objects: permission denied for large object 5 (SQLSTATE 42501)")
	require.Equal(t, "100 b_pkey", ask(t, server, "plain", "SELECT count(*) || ' ' || (SELECT min(indexrelid::regclass::text) FROM pg_index WHERE indrelid = 'b'::regclass) FROM b"))
	require.Equal(t, "not theirs", ask(t, server, "plain", "SELECT convert_from(lo_get(5), 'UTF8')"))
	nothingLeft(t, server, r)
}

// A server whose files may not grow beyond a size meets a full disk.
func smallDisk(t *testing.T, limit uint64) *devserver.Postgres {
	t.Helper()
	var own unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &own))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: own.Max}))
	defer func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &own)) }()
	return devserver.StartPostgres(t)
}

// A full disk says something about the server, nothing about the archive: it is no
// complaint, which would count against the data.
func TestRestoreEndsOnAFullDisk(t *testing.T) {
	data := archiveOf(t, devserver.StartPostgres(t), "large", `
		CREATE TABLE a (id int PRIMARY KEY, t text);
		ALTER TABLE a ALTER t SET STORAGE PLAIN;
		INSERT INTO a SELECT g, repeat('x', 7000) FROM generate_series(1, 3000) g`)
	server := smallDisk(t, 17<<20+100) // above the size of a WAL file, inside a page
	_, err := restoring(t, server, "copy").run(t.Context(), bytes.NewReader(data), nil)
	require.ErrorContains(t, err, `restore data of "public"."a": could not extend file`)
	require.ErrorContains(t, err, "free disk space on the server of")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
}

func TestRestoreEndsWithTheStream(t *testing.T) {
	server := devserver.StartPostgres(t)
	data := archiveOf(t, server, "small", `
		CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 1000);
		CREATE TABLE b (t text); INSERT INTO b SELECT repeat('b', 1000) FROM generate_series(1, 1000);
		SELECT lo_from_bytea(5, decode(repeat('00', 600000), 'hex'))`)
	broken := errors.New("the bucket is gone")
	tests := map[string]struct {
		stream io.Reader
		want   error
		text   string
	}{
		"no archive":            {strings.NewReader("--\n-- PostgreSQL database dump"), nil, "read archive: it is not a PostgreSQL custom archive"},
		"cut in the head":       {bytes.NewReader(data[:200]), io.ErrUnexpectedEOF, "read archive: unexpected EOF"},
		"cut in a table":        {bytes.NewReader(data[:bytes.Index(data, []byte("bbbbbb"))+100_000]), io.ErrUnexpectedEOF, "read archive: data of table public.b: unexpected EOF"},
		"cut in a large object": {bytes.NewReader(data[:len(data)-300_000]), io.ErrUnexpectedEOF, "read archive: data of large objects: unexpected EOF"},
		"broken":                {io.MultiReader(bytes.NewReader(data[:len(data)-300_000]), brokenReader{broken}), broken, "read archive: data of large objects: the bucket is gone"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := restoring(t, server, strings.ReplaceAll(name, " ", "_"))
			_, err := r.run(t.Context(), tt.stream, nil)
			require.EqualError(t, err, tt.text)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			nothingLeft(t, server, r)
		})
	}
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

// waitingReader reads a stream up to a byte, and there waits for its context.
type waitingReader struct {
	io.Reader
	ctx     context.Context
	waiting chan struct{} // closed when it does
}

func newWaitingReader(ctx context.Context, data []byte) *waitingReader {
	return &waitingReader{bytes.NewReader(data), ctx, make(chan struct{})}
}

func (w *waitingReader) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != io.EOF {
		return n, err
	}
	close(w.waiting)
	<-w.ctx.Done()
	return 0, context.Cause(w.ctx)
}

const slowly = `
	CREATE FUNCTION slowly(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(100); RETURN i; END';
	CREATE TABLE a (id int); CREATE INDEX ON a (slowly(id)); CREATE TABLE b (t text);
	ALTER TABLE a DISABLE TRIGGER ALL; INSERT INTO b SELECT repeat('b', 1000) FROM generate_series(1, 1000)`

// building makes the archive of a database whose first table has an index that
// takes very long.
func building(t *testing.T, server *devserver.Postgres) []byte {
	t.Helper()
	data := archiveOf(t, server, "slow", slowly)
	end := []byte("\\.\n\n\n")
	i := bytes.Index(data, end) // the end of the rows of a, of which there are none
	row := append([]byte("1\n"), 0, 5, 0, 0, 0)
	return append(append(append([]byte{}, data[:i-5]...), append([]byte{0, 2, 0, 0, 0}, row...)...), data[i:]...)
}

func TestRestoreStopsAtOnce(t *testing.T) {
	server := devserver.StartPostgres(t)
	data := building(t, server)
	giveUp := errors.New("the run was given up")
	tests := map[string]struct {
		stream []byte
		want   string
	}{
		"while it waits for the stream": {data[:len(data)-1000], "the run was given up"},
		"while an index is built":       {data, "the run was given up"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			r := restoring(t, server, strings.ReplaceAll(name, " ", "_"))
			var stream io.Reader = bytes.NewReader(tt.stream)
			if len(tt.stream) < len(data) {
				stream = newWaitingReader(ctx, tt.stream)
			}
			go func() {
				for ask(t, server, "postgres", "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND state = 'active'") == "0" && ctx.Err() == nil {
					time.Sleep(10 * time.Millisecond)
				}
				if w, ok := stream.(*waitingReader); ok {
					<-w.waiting
				}
				cancel(giveUp)
			}()
			_, err := r.run(ctx, stream, nil)
			require.ErrorContains(t, err, tt.want)
			require.ErrorIs(t, err, giveUp)
			nothingLeft(t, server, r)
		})
	}
	t.Run("when the server goes", func(t *testing.T) {
		r := restoring(t, server, "gone")
		go func() {
			for ask(t, server, "postgres", "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND state = 'active'") == "0" {
				time.Sleep(10 * time.Millisecond)
			}
			server.Stop()
		}()
		_, err := r.run(t.Context(), bytes.NewReader(data), nil)
		require.Error(t, err)
		require.Equal(t, recovery.Unavailable, recovery.KindOf(err))
		files, err := os.ReadDir(r.folder)
		require.NoError(t, err)
		require.Empty(t, files)
	})
}
