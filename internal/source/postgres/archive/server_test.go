package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

// dump returns a database's archive.
func dump(t *testing.T, pg *devserver.Postgres, database string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(pg.BinDir, "pg_dump"), "-Fc", "-Z0", "-d", pg.URL(database))
	cmd.Env = append(os.Environ(), "PGTZ=UTC")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return out
}

// hostile makes a server with the database of testdata/hostile.sql.
func hostile(t *testing.T) *devserver.Postgres {
	t.Helper()
	pg := devserver.StartPostgres(t)
	pg.Exec(t, "postgres", "CREATE DATABASE hostile")
	sql, err := os.ReadFile("testdata/hostile.sql")
	require.NoError(t, err)
	pg.Exec(t, "hostile", string(sql))
	return pg
}

func TestReaderGivesTheServersOwnRows(t *testing.T) {
	pg := hostile(t)
	conn, err := pgconn.Connect(t.Context(), pg.URL("hostile"))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	_, err = conn.Exec(t.Context(), "SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET search_path = ''").ReadAll()
	require.NoError(t, err)

	r, err := archive.NewReader(bytes.NewReader(dump(t, pg, "hostile")))
	require.NoError(t, err)
	require.Equal(t, "hostile", r.Header().Database)
	tables := map[string]int{}
	for {
		block, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if block.LargeObjects() {
			objects := objectsOf(t, block)
			require.Len(t, objects, 3)
			require.Equal(t, strings.Repeat("\xde\xad\xbe\xef\x00", 20000), objects[424242])
			require.Equal(t, "high", objects[4000000000])
			require.Empty(t, objects[424243])
			continue
		}
		var want bytes.Buffer
		from, ok := strings.CutSuffix(block.Entry.Copy, " FROM stdin;\n")
		require.True(t, ok, block.Entry.Copy)
		_, err = conn.CopyTo(t.Context(), &want, from+" TO stdout")
		require.NoError(t, err, block.Entry.Copy)
		got, err := io.ReadAll(block)
		require.NoError(t, err)
		require.Equal(t, want.String(), string(got), block.Entry.Tag)
		tables[block.Entry.Tag] = bytes.Count(got, []byte("\n"))
	}
	require.Len(t, tables, 18)
	require.Equal(t, 4, tables["tab\nle; COPY x FROM stdin;"])
	require.Equal(t, 3, tables["nocols"])
	require.Equal(t, 300, tables["日本語-表"])
}

// restoreAndDump puts an archive into a new database and returns that one's.
func restoreAndDump(t *testing.T, pg *devserver.Postgres, database string, data []byte) []byte {
	t.Helper()
	pg.Exec(t, "postgres", "CREATE DATABASE "+database+" TEMPLATE template0")
	cmd := exec.CommandContext(t.Context(), filepath.Join(pg.BinDir, "pg_restore"), "--exit-on-error", "-d", pg.URL(database))
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return dump(t, pg, database)
}

func TestFingerprintOutlivesARestore(t *testing.T) {
	pg := hostile(t)
	data := dump(t, pg, "hostile")
	before := fingerprint(t, data, recovery.FingerprintContent)

	t.Run("restored", func(t *testing.T) {
		again := restoreAndDump(t, pg, "again", data)
		const reworded = "is worded differently from the backup" // once, by PostgreSQL: IN on varchar
		require.Equal(t, []recovery.Difference{
			{Kind: recovery.DifferentText, What: "INDEX public.checked_kind", How: reworded},
			{Kind: recovery.DifferentText, What: "TABLE public.checked", How: reworded},
			{Kind: recovery.DifferentText, What: "VIEW public.kinds", How: reworded},
		}, recovery.Compare(before, fingerprint(t, again, recovery.FingerprintContent)))
		third := restoreAndDump(t, pg, "third", again)
		require.Empty(t, recovery.Compare(fingerprint(t, again, recovery.FingerprintContent), fingerprint(t, third, recovery.FingerprintContent)))
	})
	t.Run("reordered", func(t *testing.T) {
		pg.Exec(t, "hostile", `UPDATE "日本語-表" SET id = id WHERE id % 3 = 0; UPDATE part SET v = v WHERE id % 2 = 0; UPDATE wide SET c1 = c1 WHERE c1 = 1; UPDATE escapes SET i = i WHERE id < 3`)
		after := dump(t, pg, "hostile")
		require.False(t, bytes.Equal(data, after), "the order of the rows did not change")
		require.Empty(t, recovery.Compare(before, fingerprint(t, after, recovery.FingerprintContent)))
	})
	for name, c := range map[string]struct{ sql, undo, what string }{
		"one row":          {"UPDATE part SET id = -1 WHERE id = 1", "UPDATE part SET id = 1 WHERE id = -1", "table public.part_2024_1"},
		"one byte":         {`SELECT lo_put(424242, 50000, '\x01')`, `SELECT lo_put(424242, 50000, '\xde')`, "large objects"},
		"one number drawn": {"SELECT nextval('s2')", "SELECT setval('s2', 4)", "sequence public.s2"},
		"a policy":         {"ALTER POLICY only_a ON checked USING (true)", "ALTER POLICY only_a ON checked USING (kind = 'a')", "POLICY public.checked only_a"},
		"a grant":          {"GRANT DELETE ON checked TO reader", "REVOKE DELETE ON checked FROM reader", "ACL public.TABLE checked"},
		"an owner":         {"ALTER VIEW kinds OWNER TO reader", `ALTER VIEW kinds OWNER TO "T Owner"`, "VIEW public.kinds"},
	} {
		t.Run(name, func(t *testing.T) {
			pg.Exec(t, "hostile", c.sql)
			diffs := recovery.Compare(before, fingerprint(t, dump(t, pg, "hostile"), recovery.FingerprintContent))
			require.Len(t, diffs, 1)
			require.Equal(t, c.what, diffs[0].What)
			pg.Exec(t, "hostile", c.undo)
			require.Empty(t, recovery.Compare(before, fingerprint(t, dump(t, pg, "hostile"), recovery.FingerprintContent)))
		})
	}
}

func TestCutsAndFlipsOfARealArchive(t *testing.T) {
	pg := devserver.StartPostgres(t)
	pg.Exec(t, "postgres", "CREATE DATABASE small")
	pg.Exec(t, "small", `CREATE TABLE t (id serial PRIMARY KEY, b text); INSERT INTO t (b) VALUES ('x'), (NULL), (E'\\.');
		CREATE TABLE u (); SELECT lo_from_bytea(5, 'abc')`)
	data := dump(t, pg, "small")
	require.Equal(t, int64(3), fingerprint(t, data, recovery.FingerprintContent).Rows())
	for n := range data {
		_, err := archive.Fingerprint(bytes.NewReader(data[:n]), recovery.FingerprintContent)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d of %d", n, len(data))
	}
	for i := range data {
		data[i] ^= 1 << (i % 8)
		_, _ = archive.Fingerprint(bytes.NewReader(data), recovery.FingerprintContent) // must return
		data[i] ^= 1 << (i % 8)
	}
}
