package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
)

// shopTest is a shop, its dump, and a server to restore it on.
type shopTest struct {
	source, server *devserver.Postgres
	dump           *recovery.Dump
	archive        []byte
}

func TestRestore(t *testing.T) {
	source, server := twoServers(t)
	makeShop(t, source)
	dump, archive := dumpShop(t, source)
	f := shopTest{source, server, dump, archive}
	t.Run("is equal", f.isEqual)
	t.Run("has its settings", f.hasItsSettings)
	t.Run("replaces what earlier attempts left", f.replacesEarlier)
	t.Run("is swept", f.isSwept)
	t.Run("of chosen tables", f.ofChosenTables)
	t.Run("by a user who is no superuser", f.byPlainUser)
	t.Run("by hand", f.byHand)
	t.Run("wants its locale", f.wantsItsLocale)
}

func (f shopTest) isEqual(t *testing.T) {
	server, dump, archive := f.server, f.dump, f.archive
	s := stagingOn(t, server)
	s.Tool = dump.Tool
	restoreTo(t, s, dump, archive)

	got, err := s.Fingerprint(t.Context(), recovery.FingerprintContent, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1502, got.Rows())
	// PostgreSQL words the CHECK, the view and the partial index anew.
	reworded := recovery.Compare(dump.Fingerprint, got)
	for _, difference := range reworded {
		require.Equal(t, recovery.DifferentText, difference.Kind, difference)
	}
	definitions, err := s.Definitions(t.Context(), bytes.NewReader(archive), nil)
	require.NoError(t, err)
	require.Empty(t, recovery.Compare(&recovery.Fingerprint{Definitions: definitions.Definitions}, &recovery.Fingerprint{Definitions: got.Definitions}))
	require.Empty(t, definitions.Data)
	left, err := os.ReadDir(s.Folder)
	require.NoError(t, err)
	require.Empty(t, left)
	require.Equal(t, []string{s.Database}, rows(t, server, "postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'lifeboat%'"))

	// A changed row and a changed sequence are seen.
	server.Exec(t, s.Database, `BEGIN READ WRITE; UPDATE customers SET price = 0::money WHERE id = 7; SELECT nextval('customers_id_seq'); COMMIT`)
	got, err = s.Fingerprint(t.Context(), recovery.FingerprintContent, nil)
	require.NoError(t, err)
	changed := recovery.Compare(dump.Fingerprint, got)
	changed = slices.DeleteFunc(changed, func(d recovery.Difference) bool { return d.Kind == recovery.DifferentText })
	require.Len(t, changed, 2)
}

func (f shopTest) hasItsSettings(t *testing.T) {
	source, server := f.source, f.server
	server.Exec(t, "postgres", `CREATE ROLE shop_owner LOGIN`)
	s := stagingOn(t, server)
	restoreTo(t, s, f.dump, f.archive)

	const settings = `SELECT coalesce(r.rolname, '') || ' ' || c FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid
		LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(setconfig) c WHERE datname = current_database() ORDER BY 1`
	want := rows(t, source, "shop", settings)
	require.Len(t, want, 6)
	require.Equal(t, want, rows(t, server, s.Database, settings))
	const properties = `SELECT concat_ws(' ', pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype,
		(SELECT string_agg(concat_ws(' ', pg_get_userbyid(g.grantee), privilege_type, is_grantable), ', ' ORDER BY 1) FROM aclexplode(datacl) g))
		FROM pg_database WHERE datname = current_database()`
	require.Equal(t, rows(t, source, "shop", properties), rows(t, server, s.Database, properties))

	const roles = `SELECT concat_ws(' ', rolname, rolcanlogin) FROM pg_roles WHERE rolname !~ '^pg_' AND oid >= 16384 ORDER BY 1`
	require.Equal(t, []string{"Policy Maker f", "shop_owner t", "shop_reader f"}, rows(t, server, "postgres", roles))
	require.NoError(t, s.Drop(t.Context()))
	require.Equal(t, []string{"shop_owner t"}, rows(t, server, "postgres", roles), "a role that was there stays")
	require.NoError(t, s.Drop(t.Context()), "once more is no error")
}

func (f shopTest) wantsItsLocale(t *testing.T) {
	s := stagingOn(t, f.server)
	document := bytes.ReplaceAll(f.dump.Companions[0].Content, []byte("C.UTF-8"), []byte("xx_XX.UTF-8"))
	_, err := s.Restore(t.Context(), document, bytes.NewReader(f.archive), nil)
	requireFault(t, err, recovery.Permanent, "create staging database: invalid locale name: \"xx_XX.UTF-8\"", "(install the locale on the server of staging)")
}

func (f shopTest) byPlainUser(t *testing.T) {
	server := f.server
	server.Exec(t, "postgres", `DROP ROLE IF EXISTS shop_owner; CREATE ROLE maker LOGIN CREATEDB CREATEROLE PASSWORD 'm'`)
	s := stagingOn(t, server)
	s.ServerURL = as(t, server, "maker", "m", "postgres")
	restored, err := s.Restore(t.Context(), f.dump.Companions[0].Content, bytes.NewReader(f.archive), nil)
	require.NoError(t, err)
	require.Contains(t, restored.Complaints, "database: setting app.secret was not restored (SQLSTATE 42501)")
	require.NotContains(t, strings.Join(restored.Complaints, "\n"), "hush")
	got, err := s.Fingerprint(t.Context(), recovery.FingerprintContent, nil)
	require.NoError(t, err)
	for _, difference := range recovery.Compare(f.dump.Fingerprint, got) {
		require.Equal(t, recovery.DifferentText, difference.Kind, difference) // owners
	}
	require.NoError(t, s.Drop(t.Context()))
}

// byHand runs the document as a person would.
func (f shopTest) byHand(t *testing.T) {
	server, dump := f.server, f.dump
	file := filepath.Join(t.TempDir(), "database.sql")
	require.NoError(t, os.WriteFile(file, dump.Companions[0].Content, 0o600))
	for range 2 { // what is there does not hinder it
		out, err := exec.Command(filepath.Join(server.BinDir, "psql"), "-X", "-v", "ON_ERROR_STOP=1", "-v", `database=My "Shop`, "-d", server.URL("postgres"), "-f", file).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	require.Equal(t, []string{"shop_owner it's the shop"}, rows(t, server, "postgres",
		`SELECT pg_get_userbyid(datdba) || ' ' || shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'My "Shop'`))
	require.Equal(t, []string{`hush: it's \ a secret`}, rows(t, server, `My "Shop`, "SHOW app.secret"))
	require.Equal(t, []string{`"$user", "public", "odd, name"`}, rows(t, server, `My "Shop`, "SHOW search_path"))
}

func (f shopTest) ofChosenTables(t *testing.T) {
	source, server := f.source, f.server
	source.Exec(t, "shop", `BEGIN READ WRITE; ALTER TABLE stock.items DROP CONSTRAINT items_customer_fkey; COMMIT`)
	chosen := []string{"stock.items", "days", `Odd "Name.x`}
	dump, archive := dumpShop(t, source, chosen...)
	s := stagingOn(t, server)
	restoreTo(t, s, dump, archive)
	got, err := s.Fingerprint(t.Context(), recovery.FingerprintContent, chosen)
	require.NoError(t, err)
	require.EqualValues(t, 502, got.Rows())
	require.Empty(t, recovery.Compare(dump.Fingerprint, got))
	definitions, err := s.Definitions(t.Context(), bytes.NewReader(archive), chosen)
	require.NoError(t, err)
	require.Empty(t, recovery.Compare(&recovery.Fingerprint{Definitions: dump.Fingerprint.Definitions}, definitions))
}

func TestRestoreRefusesADamagedDocument(t *testing.T) {
	s := &postgres.Staging{ServerURL: "postgres://x@127.0.0.1:1/y"}
	for _, document := range []string{"", "-- lifeboat: {", "-- lifeboat: {}", "SELECT 'hush'"} {
		_, err := s.Restore(t.Context(), []byte(document), bytes.NewReader(nil), nil)
		requireFault(t, err, recovery.Damaged, "read database settings: the first line is not what Lifeboat writes")
	}
}

func (f shopTest) replacesEarlier(t *testing.T) {
	server := f.server
	name := func(attempt int) string { return postgres.StagingDatabase(run, "app", attempt) }
	for _, database := range []string{name(1), name(1) + "_d", name(2), name(3), postgres.StagingDatabase(run, "app2", 1)} {
		server.Exec(t, "postgres", "CREATE DATABASE "+database)
	}
	s := stagingOn(t, server)
	s.Database = name(2)
	restoreTo(t, s, f.dump, f.archive)
	require.ElementsMatch(t, []string{name(2), name(3), postgres.StagingDatabase(run, "app2", 1)},
		rows(t, server, "postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'lifeboat%'"))
	require.Equal(t, []string{"1000"}, rows(t, server, s.Database, "SELECT count(*)::text FROM customers"))
	for _, database := range []string{name(3), postgres.StagingDatabase(run, "app2", 1)} {
		server.Exec(t, "postgres", "DROP DATABASE "+database)
	}
}

func TestOnlyStagingDatabasesAreDropped(t *testing.T) {
	server := devserver.StartPostgres(t)
	server.Exec(t, "postgres", "CREATE DATABASE shop")
	s := &postgres.Staging{ServerURL: server.URL("postgres"), Database: "shop", Run: run}
	requireFault(t, s.Drop(t.Context()), recovery.Permanent, "drop database shop: it is not a staging database")
	require.Len(t, rows(t, server, "postgres", "SELECT datname FROM pg_database WHERE datname = 'shop'"), 1)
}

func TestQuery(t *testing.T) {
	server := devserver.StartPostgres(t)
	s := stagingOn(t, server)
	server.Exec(t, "postgres", "CREATE DATABASE "+s.Database)
	server.Exec(t, s.Database, "CREATE TABLE t AS SELECT 42 AS n")
	tests := map[string]struct {
		sql, value string
		parts      []string
	}{
		"a number":          {sql: "SELECT n, 'x' FROM t", value: "42"},
		"a text":            {sql: "SELECT 'ja'", value: "ja"},
		"nothing":           {sql: "SELECT NULL"},
		"a change":          {sql: "DELETE FROM t RETURNING n", parts: []string{"cannot execute DELETE in a read-only transaction"}},
		"several at once":   {sql: "COMMIT; DELETE FROM t", parts: []string{"cannot insert multiple commands"}},
		"no such table":     {sql: "SELECT 1 FROM nothing", parts: []string{`relation "nothing" does not exist (SQLSTATE 42P01)`}},
		"a value of a row":  {sql: "SELECT 'hush'::int", parts: []string{"invalid input syntax for type integer: (hidden)"}},
		"a detail of a row": {sql: "SELECT ('hush' || n)::int FROM t", parts: []string{"invalid input syntax for type integer: (hidden)"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			value, err := s.Query(t.Context(), tt.sql)
			if tt.parts != nil {
				requireFault(t, err, recovery.Permanent, tt.parts...)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.value, value)
		})
	}
	require.Equal(t, []string{"42"}, rows(t, server, s.Database, "SELECT n::text FROM t"))
	require.Equal(t, []string{s.Database}, rowsAt(t, s.URL(), "SELECT current_database()::text"))
}

func TestPreflight(t *testing.T) {
	source, server := twoServers(t)
	server.Exec(t, "postgres", `CREATE ROLE visitor LOGIN PASSWORD 'v'; CREATE ROLE maker LOGIN CREATEDB PASSWORD 'm'; CREATE ROLE there`)
	gone := devserver.StartPostgres(t)
	gone.Stop()
	tests := map[string]struct {
		change     func(s *postgres.Staging, a *recovery.Artefact)
		need       int64
		production string
		sameServer bool
		parts      []string
	}{
		"another server":     {},
		"production is gone": {production: gone.URL("shop")},
		"the same server":    {production: server.URL("template1"), parts: []string{"check staging: it is the production server itself", "sameServer: accepted"}},
		"that was accepted":  {production: server.URL("template1"), sameServer: true},
		"an older server":    {change: func(_ *postgres.Staging, a *recovery.Artefact) { a.ServerVersion = "99.1" }, parts: []string{"is older than the dump's, 99.1", "use a staging server of PostgreSQL 99, or newer"}},
		"older tools":        {change: func(s *postgres.Staging, _ *recovery.Artefact) { s.Tool = "pg_dump 99.1" }, parts: []string{"install postgresql-client-99, or newer"}},
		"extensions missing": {change: func(_ *postgres.Staging, a *recovery.Artefact) {
			a.Extensions = []recovery.Extension{{Name: "plpgsql"}, {Name: "postgis", Version: "3.3"}, {Name: "zz", Version: "1"}}
		}, parts: []string{"it lacks the extension postgis 3.3, zz 1 (install it on the staging server)"}},
		"no right to create": {change: func(s *postgres.Staging, _ *recovery.Artefact) {
			s.ServerURL = as(t, server, "visitor", "v", "postgres")
		}, parts: []string{"user visitor may not create databases", `ALTER ROLE "visitor" CREATEDB`}},
		"no right to roles": {change: func(s *postgres.Staging, _ *recovery.Artefact) { s.ServerURL = as(t, server, "maker", "m", "postgres") }, parts: []string{"it lacks the role shop_owner, and user maker may not create roles"}},
		"enough rights": {change: func(s *postgres.Staging, a *recovery.Artefact) {
			s.ServerURL, a.Roles = as(t, server, "maker", "m", "postgres"), []string{"there"}
		}},
		"too little space": {need: 1 << 60, parts: []string{"GB free, the restore needs 1152921504.6 GB", "free space in "}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &postgres.Staging{ServerURL: server.URL("postgres"), Database: "lifeboat_x", Run: run}
			a := recovery.Artefact{ServerVersion: "15.1", Roles: []string{"shop_owner", "there"}}
			if tt.change != nil {
				tt.change(s, &a)
			}
			if tt.production == "" {
				tt.production = source.URL("postgres")
			}
			err := s.Preflight(t.Context(), a, tt.need, tt.production, tt.sameServer)
			if tt.parts == nil {
				require.NoError(t, err)
				return
			}
			requireFault(t, err, recovery.Permanent, tt.parts...)
		})
	}
}

func (f shopTest) isSwept(t *testing.T) {
	server := f.server
	databases := map[string]string{}
	for _, workflow := range []string{"alive", "dead", "unknown"} {
		s := stagingOn(t, server)
		s.Run = recovery.RunRef{WorkflowID: workflow, RunID: "1"}
		s.Database = postgres.StagingDatabase(s.Run, "app", 1)
		restoreTo(t, s, f.dump, f.archive)
		databases[workflow] = s.Database
	}
	for _, other := range []string{"lifeboat_by_hand", "other"} {
		server.Exec(t, "postgres", "CREATE DATABASE "+other)
	}
	server.Exec(t, "postgres", `COMMENT ON DATABASE lifeboat_by_hand IS '{"mine": true}'`)
	dropped, err := postgres.SweepStaging(t.Context(), server.URL("postgres"), func(_ context.Context, run recovery.RunRef) (bool, error) {
		if run.WorkflowID == "unknown" {
			return false, errors.New("temporal does not answer")
		}
		return run.WorkflowID == "alive", nil
	})
	require.EqualError(t, err, "temporal does not answer")
	require.Equal(t, []string{databases["dead"]}, dropped)
	require.ElementsMatch(t, []string{databases["alive"], databases["unknown"], "lifeboat_by_hand", "other"},
		rows(t, server, "postgres", "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')"))
	for _, other := range []string{"lifeboat_by_hand", "other"} {
		server.Exec(t, "postgres", "DROP DATABASE "+other)
	}
}

func TestStagingDatabaseNames(t *testing.T) {
	seen := map[string]bool{}
	for _, source := range []string{"app", "a-very-long-name-of-forty-characters-abc", "a-very-long-name-of-forty-characters-abd"} {
		for _, attempt := range []int{1, 12345} {
			for _, id := range []string{"a", "b"} {
				name := postgres.StagingDatabase(recovery.RunRef{WorkflowID: id, RunID: "r"}, source, attempt)
				require.LessOrEqual(t, len(name+"_d"), 63)
				require.Regexp(t, `^lifeboat_[a-z0-9_~]+$`, name)
				require.False(t, seen[name], name)
				seen[name] = true
			}
		}
	}
}
