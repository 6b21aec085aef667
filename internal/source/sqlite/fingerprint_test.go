package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

func fingerprintOf(t *testing.T, path string) *recovery.Fingerprint {
	t.Helper()
	sums, err := (&sqlite.Staging{Path: path}).Fingerprint(t.Context(), recovery.FingerprintContent)
	require.NoError(t, err)
	return sums
}

func TestFingerprintOfARestoredCopyIsEqual(t *testing.T) {
	path, _ := newDatabase(t, curious)
	live := fingerprintOf(t, path)
	content, dump := dumpOf(t, newSource(t, path))
	require.Empty(t, recovery.Compare(live, dump.Fingerprint))
	restored := fingerprintOf(t, restore(t, content).Path)
	require.Equal(t, dump.Fingerprint, restored)

	var tables []string
	for _, d := range restored.Data {
		require.Equal(t, "table", d.Kind)
		require.Len(t, d.Sum, 32)
		tables = append(tables, d.Name)
	}
	require.Equal(t, []string{"computed", "empty", "keyed", "loose", `odd "name" select`, "places", "plain", "search", "sqlite_sequence", "strict_one"}, tables)
	require.EqualValues(t, 2+3+6+1+2+2+2+1+3, restored.Rows())
}

func TestFingerprintDoesNotSeeWhatIsNoContent(t *testing.T) {
	path, db := newDatabase(t, curious)
	before := fingerprintOf(t, path)
	execute(t, db, "INSERT INTO search (search) VALUES ('optimize')")
	execute(t, db, "INSERT INTO search (search) VALUES ('rebuild')")
	execute(t, db, "DROP TABLE sqlite_stat1")
	execute(t, db, "CREATE TABLE moved AS SELECT * FROM loose ORDER BY b DESC; DELETE FROM loose; INSERT INTO loose SELECT * FROM moved; DROP TABLE moved;")
	execute(t, db, "VACUUM")
	require.Empty(t, recovery.Compare(before, fingerprintOf(t, path)))
}

func TestFingerprintNamesWhatChanged(t *testing.T) {
	cases := []struct{ change, difference string }{
		{"UPDATE plain SET name = 'A' WHERE name = 'a'", "table plain: holds other values than the backup"},
		{"UPDATE plain SET made = '2026-11-22T18:00:00' WHERE name = 'a'", "table plain: holds other values than the backup"},
		{"UPDATE loose SET a = 1 WHERE typeof(a) = 'text' AND a = '1'", "table loose: holds other values than the backup"},
		{"UPDATE loose SET a = 'nul' || char(0) || 'Inside' WHERE a LIKE 'nul%'", "table loose: holds other values than the backup"},
		{"UPDATE loose SET a = x'' WHERE a IS NULL", "table loose: holds other values than the backup"},
		{"UPDATE loose SET a = 'other' WHERE a = 'same'", "table loose: holds other values than the backup"},
		{"UPDATE strict_one SET body = zeroblob(299999) WHERE id = 1", "table strict_one: holds other values than the backup"},
		{"DELETE FROM keyed WHERE n = 2", "table keyed: 3 rows in the backup, 2 restored"},
		{"UPDATE search SET body = 'cold' WHERE title = 'soup'", "table search: holds other values than the backup"},
		{"UPDATE sqlite_sequence SET seq = 99", "table sqlite_sequence: holds other values than the backup"},
		{"DROP TABLE empty", "table empty: is in the backup, was not restored"},
		{"DROP INDEX plain_name", "index plain_name: is in the backup, was not restored"},
		{"CREATE VIEW more AS SELECT 1", "view more: was not in the backup, is in the restored copy"},
		{"DROP TRIGGER plain_gone; CREATE TRIGGER plain_gone AFTER DELETE ON plain BEGIN SELECT 1; END", "trigger plain_gone: is worded differently from the backup"},
		{"ALTER TABLE empty ADD COLUMN extra TEXT", "table empty: is worded differently from the backup"},
		{"PRAGMA user_version = 8", "setting user_version: is worded differently from the backup"},
		{"PRAGMA application_id = 8", "setting application_id: is worded differently from the backup"},
	}
	path, _ := newDatabase(t, curious)
	content, dump := dumpOf(t, newSource(t, path))
	for _, c := range cases {
		t.Run(c.change, func(t *testing.T) {
			staging := restore(t, content)
			db, err := sql.Open("sqlite", staging.Path)
			require.NoError(t, err)
			execute(t, db, c.change)
			require.NoError(t, db.Close())
			var differences []string
			for _, d := range recovery.Compare(dump.Fingerprint, fingerprintOf(t, staging.Path)) {
				differences = append(differences, d.String())
			}
			require.Contains(t, differences, c.difference)
		})
	}
}

func TestFingerprintOfCounts(t *testing.T) {
	path, db := newDatabase(t, curious)
	source := newSource(t, path)
	source.Fingerprint = recovery.FingerprintCounts
	_, before := dumpOf(t, source)
	require.Equal(t, recovery.FingerprintCounts, before.Fingerprint.Mode)
	for _, d := range before.Fingerprint.Data {
		require.Empty(t, d.Sum)
	}
	execute(t, db, "INSERT INTO empty VALUES (1)")
	_, after := dumpOf(t, source)
	differences := recovery.Compare(before.Fingerprint, after.Fingerprint)
	require.Len(t, differences, 1)
	require.Equal(t, "table empty: 0 rows in the backup, 1 restored", differences[0].String())
}

func TestFingerprintOfAnUnknownVirtualTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	db := openLive(t, path)
	execute(t, db, "CREATE TABLE t (a); PRAGMA writable_schema = on;")
	execute(t, db, "INSERT INTO sqlite_schema VALUES ('table', 'strange', 'strange', 0, 'CREATE VIRTUAL TABLE strange USING unheard_of (a)')")
	content, dump := dumpOf(t, newSource(t, path))
	require.Empty(t, recovery.Compare(dump.Fingerprint, fingerprintOf(t, restore(t, content).Path)))
	require.Len(t, dump.Fingerprint.Data, 1, "only what can be read has rows")
}
