package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

var job = recovery.DumpJob{Set: "20261122T180000Z-ab12cd", Source: "notes", Attempt: 1}

// curious holds every kind of table and value that a fingerprint could trip over.
const curious = `
PRAGMA user_version = 7;
PRAGMA application_id = 1234;
CREATE TABLE plain (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, made DATETIME, flag BOOLEAN, day DATE, price DECIMAL(10,2));
INSERT INTO plain (name, made, flag, day, price) VALUES
  ('a', '2026-11-22 18:00:00', 1, '2026-11-22', 1.50), ('b', 'not a time', 'yes', 20261122, 'dear'), ('c', 1795370400, 0, NULL, 3);
DELETE FROM plain WHERE name = 'c';
CREATE TABLE loose (a, b, c);
INSERT INTO loose VALUES (NULL, 9e999, -9e999), (x'00ff00', '', x''), ('nul' || char(0) || 'inside', 1, 1.0), ('1', 9223372036854775807, -0.0);
INSERT INTO loose VALUES ('same', 1, 2), ('same', 1, 2);
CREATE TABLE keyed (k TEXT, n INT, PRIMARY KEY (k, n)) WITHOUT ROWID;
INSERT INTO keyed VALUES ('x', 1), ('x', 2), ('y', 1);
CREATE TABLE strict_one (id INTEGER PRIMARY KEY, body BLOB, any_value ANY) STRICT;
INSERT INTO strict_one VALUES (1, zeroblob(300000), 'text'), (2, randomblob(100), 12), (3, NULL, NULL);
CREATE TABLE computed (w INT, h INT, area INT GENERATED ALWAYS AS (w * h) STORED, half REAL AS (w / 2.0) VIRTUAL);
INSERT INTO computed (w, h) VALUES (3, 4), (5, 6);
CREATE TABLE "odd ""name"" select" ("col umn" TEXT, "qu""ote" TEXT);
INSERT INTO "odd ""name"" select" VALUES ('ü', '☂');
CREATE TABLE empty (id INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE search USING fts5 (title, body);
INSERT INTO search VALUES ('soup', 'a hot soup of pumpkins'), ('cake', 'a cake of carrots');
CREATE VIRTUAL TABLE places USING rtree (id, minx, maxx, miny, maxy);
INSERT INTO places VALUES (1, 0, 1, 0, 1), (2, 5, 6, 5, 6);
CREATE INDEX plain_name ON plain (name) WHERE flag IS NOT NULL;
CREATE VIEW dear AS SELECT name FROM plain WHERE price > 1;
CREATE TRIGGER plain_gone AFTER DELETE ON plain BEGIN DELETE FROM keyed WHERE k = old.name; END;
ANALYZE;
`

// openLive opens a database for writing, in WAL mode and without patience: any
// lock that it meets is an error.
func openLive(t *testing.T, path string) *sql.DB {
	t.Helper()
	address := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "_journal_mode=wal&_busy_timeout=0"}
	db, err := sql.Open("sqlite", address.String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1)
	return db
}

func execute(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), statements)
	require.NoError(t, err)
}

// newDatabase makes a live database and leaves it open.
func newDatabase(t *testing.T, statements string) (string, *sql.DB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "live with ? and #.db")
	db := openLive(t, path)
	execute(t, db, statements)
	return path, db
}

func newSource(t *testing.T, path string) *sqlite.Source {
	t.Helper()
	return &sqlite.Source{Name: "notes", Path: path, Fingerprint: recovery.FingerprintContent, TempDir: t.TempDir()}
}

// dumpOf dumps a database and requires that no copy is left.
func dumpOf(t *testing.T, s *sqlite.Source) ([]byte, *recovery.Dump) {
	t.Helper()
	var out bytes.Buffer
	dump, err := s.Dump(t.Context(), job, &out, nil)
	require.NoError(t, err)
	requireEmpty(t, s.TempDir)
	return out.Bytes(), dump
}

func requireEmpty(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func restore(t *testing.T, content []byte) *sqlite.Staging {
	t.Helper()
	staging := &sqlite.Staging{Path: filepath.Join(t.TempDir(), "staging", "notes.db")}
	_, err := staging.Restore(t.Context(), bytes.NewReader(content), nil)
	require.NoError(t, err)
	return staging
}

// requireFault asserts on the kind of an error and on parts of its text.
func requireFault(t *testing.T, err error, kind recovery.FaultKind, parts ...string) {
	t.Helper()
	require.Error(t, err)
	for _, part := range parts {
		require.ErrorContains(t, err, part)
	}
	require.Equal(t, kind, recovery.KindOf(err), "%v", err)
}

// writerFunc is an io.Writer made of a function.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// canceling returns a context and the function that ends it.
func canceling(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}
