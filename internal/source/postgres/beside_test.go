package postgres_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
)

// The service of production is the role app. It owns nothing, and of the bookings
// it sees those of its tenant, which is a setting of the role in this database.
const (
	productionRoles = `
		CREATE ROLE shop_owner NOLOGIN;
		CREATE ROLE app LOGIN PASSWORD 'app';
		CREATE ROLE leaver NOLOGIN;
		CREATE ROLE keeper LOGIN CREATEDB CREATEROLE PASSWORD 'keeper';
		GRANT shop_owner, pg_signal_backend TO keeper;
		GRANT SET ON PARAMETER shop.tenant TO keeper`
	productionTables = `
		CREATE SCHEMA stock AUTHORIZATION shop_owner;
		SET ROLE shop_owner;
		CREATE TABLE stock.bookings (id serial PRIMARY KEY, tenant int NOT NULL, note text);
		CREATE FUNCTION stock.tenant() RETURNS int LANGUAGE sql STABLE AS $$ SELECT current_setting('shop.tenant')::int $$;
		CREATE VIEW stock.notes WITH (security_barrier) AS SELECT id, note FROM stock.bookings;
		ALTER TABLE stock.bookings ENABLE ROW LEVEL SECURITY;
		CREATE POLICY tenants ON stock.bookings TO app USING (tenant = stock.tenant()) WITH CHECK (tenant = stock.tenant());
		ALTER DEFAULT PRIVILEGES IN SCHEMA stock GRANT SELECT ON TABLES TO app;
		REVOKE EXECUTE ON FUNCTION stock.tenant() FROM PUBLIC;
		GRANT EXECUTE ON FUNCTION stock.tenant() TO app;
		GRANT USAGE ON SCHEMA stock TO app;
		GRANT SELECT, INSERT, UPDATE (note) ON stock.bookings TO app;
		GRANT USAGE ON SEQUENCE stock.bookings_id_seq TO app;
		GRANT SELECT ON stock.bookings TO leaver;
		INSERT INTO stock.bookings (tenant, note) SELECT i % 3, 'n' || i FROM generate_series(1, 300) i`
	productionSettings = `
		COMMENT ON DATABASE "Shop & Co" IS '{"it''s": "the shop"}';
		ALTER DATABASE "Shop & Co" CONNECTION LIMIT 17;
		ALTER DATABASE "Shop & Co" SET search_path TO stock, public;
		ALTER ROLE app IN DATABASE "Shop & Co" SET shop.tenant TO '1';
		REVOKE ALL ON DATABASE "Shop & Co" FROM PUBLIC;
		GRANT CONNECT ON DATABASE "Shop & Co" TO app`
	// productionState is all that a restore must bring back beside rows, and roles.
	productionState = `
		WITH d AS (SELECT * FROM pg_database WHERE datname = current_database())
		SELECT concat_ws(' ', 'database', pg_get_userbyid(datdba), datallowconn, datistemplate, datconnlimit, encoding, datcollate, datctype, (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(datacl) a), shobj_description(oid, 'pg_database')) FROM d
		UNION ALL SELECT concat_ws(' ', 'setting', (SELECT rolname FROM pg_roles WHERE oid = setrole), setconfig::text) FROM pg_db_role_setting, d WHERE setdatabase = d.oid
		UNION ALL SELECT concat_ws(' ', 'relation', relname, relkind, pg_get_userbyid(relowner), relrowsecurity, relacl::text, (SELECT string_agg(attacl::text, ',') FROM pg_attribute WHERE attrelid = c.oid)) FROM pg_class c WHERE relnamespace = 'stock'::regnamespace
		UNION ALL SELECT concat_ws(' ', 'function', proname, pg_get_userbyid(proowner), proacl::text) FROM pg_proc WHERE pronamespace = 'stock'::regnamespace
		UNION ALL SELECT concat_ws(' ', 'schema', nspname, pg_get_userbyid(nspowner), nspacl::text) FROM pg_namespace WHERE nspname IN ('stock', 'public')
		UNION ALL SELECT concat_ws(' ', 'defaults', pg_get_userbyid(defaclrole), defaclnamespace::regnamespace, defaclobjtype, defaclacl::text) FROM pg_default_acl
		UNION ALL SELECT concat_ws(' ', 'policy', policyname, tablename, roles::text, cmd, qual, with_check) FROM pg_policies
		UNION ALL SELECT concat_ws(' ', 'role', rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolconnlimit, rolconfig::text) FROM pg_roles
		ORDER BY 1`
	productionName = "Shop & Co"
	// tenants are those whose rows a role sees.
	tenants = "SELECT tenant || ' ' || count(*) FROM bookings GROUP BY tenant"
)

func makeProduction(t *testing.T) (*devserver.Postgres, *postgres.Live) {
	t.Helper()
	server := devserver.StartPostgres(t)
	server.Exec(t, "postgres", productionRoles)
	server.Exec(t, "postgres", `CREATE DATABASE "Shop & Co" OWNER shop_owner`)
	server.Exec(t, productionName, productionTables)
	server.Exec(t, "postgres", productionSettings)
	return server, &postgres.Live{Source: "app", URL: as(t, server, "app", "app", productionName), AdminURL: server.URL(productionName), Application: "lifeboat/test"}
}

func dumpProduction(t *testing.T, server *devserver.Postgres) (*recovery.Dump, []byte) {
	t.Helper()
	var archive bytes.Buffer
	source := postgres.Source{Name: "app", URL: server.URL(productionName)}
	dump, err := source.Dump(t.Context(), job(1), &archive, nil)
	require.NoError(t, err)
	return dump, archive.Bytes()
}

// restoreBeside restores on the live server, by its admin.
func restoreBeside(t *testing.T, l *postgres.Live, dump *recovery.Dump, archive []byte) *postgres.Staging {
	t.Helper()
	beside := &postgres.Staging{
		ServerURL: strings.Replace(l.AdminURL, "/Shop%20&%20Co", "/postgres", 1), Database: postgres.StagingDatabase(run, "app", 1), Run: run,
		Application: "lifeboat/test", Tool: dump.Tool, Folder: t.TempDir(),
	}
	artefact := recovery.Artefact{ServerVersion: dump.ServerVersion, Extensions: dump.Extensions, Roles: dump.Roles}
	require.NoError(t, beside.Preflight(t.Context(), artefact, 1, l.URL, true))
	restored, err := beside.Restore(t.Context(), dump.Companions[0].Content, bytes.NewReader(archive), nil)
	require.NoError(t, err)
	require.Empty(t, restored.Complaints)
	got, err := beside.Fingerprint(t.Context(), recovery.FingerprintContent, nil)
	require.NoError(t, err)
	require.Empty(t, recovery.Compare(dump.Fingerprint, got))
	return beside
}

func TestRestoreBesideAndSwap(t *testing.T) {
	for admin, password := range map[string]string{"postgres": "", "keeper": "keeper"} {
		t.Run("by "+admin, func(t *testing.T) {
			server, l := makeProduction(t)
			if password != "" {
				l.AdminURL = as(t, server, admin, password, productionName)
			}
			restoreBesideAndSwap(t, server, l)
		})
	}
}

func restoreBesideAndSwap(t *testing.T, server *devserver.Postgres, l *postgres.Live) {
	state := rows(t, server, productionName, productionState)
	dump, archive := dumpProduction(t, server)

	// Later production is hurt, and grows what must not be carried over.
	server.Exec(t, productionName, `DELETE FROM stock.bookings; DROP POLICY tenants ON stock.bookings`)
	live, err := l.Inspect(t.Context())
	require.NoError(t, err)
	require.Empty(t, live.Refusals)
	require.Positive(t, live.Size)

	beside := restoreBeside(t, l, dump, archive)

	// The service's own role sees its tenant's rows there, and nothing changed here.
	require.Equal(t, []string{"1 100"}, rowsAt(t, l.URLOf(beside.Database), tenants))
	require.Equal(t, []string{"0"}, rows(t, server, productionName, "SELECT count(*)::text FROM stock.bookings"))

	swap := recovery.Swap{
		Source: "app", Kind: recovery.KindPostgres, Live: productionName, Out: live.Identity,
		New: beside.Database, In: identity(t, l, beside.Database), Aside: postgres.AsideName(productionName, "20261122T181500Z"),
	}
	_, err = l.Swap(t.Context(), swap)
	require.NoError(t, err)
	require.Equal(t, state, rows(t, server, productionName, productionState))
	require.Equal(t, []string{"1 100"}, rowsAt(t, l.URL, tenants))
	require.Equal(t, []string{"note"}, rowsAt(t, l.URL, "INSERT INTO bookings (tenant, note) VALUES (1, 'note') RETURNING note"))
	dropped, err := postgres.SweepStaging(t.Context(), server.URL("postgres"), nil)
	require.NoError(t, err)
	require.Empty(t, dropped)
	require.NoError(t, beside.Drop(t.Context()), "there is nothing of that name any more")
	require.Equal(t, []string{"101"}, rows(t, server, productionName, "SELECT count(*)::text FROM stock.bookings WHERE tenant = 1"))

	require.NoError(t, l.Drop(t.Context(), swap.Aside, swap.Out))
	require.Equal(t, []string{productionName}, rows(t, server, "postgres", "SELECT datname::text FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"))
}

// TestRestoreOfADroppedDatabase has lost a role with the database: what Lifeboat
// makes for the copy belongs to production once the copy does.
func TestRestoreOfADroppedDatabase(t *testing.T) {
	server, l := makeProduction(t)
	state := rows(t, server, productionName, productionState)
	dump, archive := dumpProduction(t, server)
	server.Exec(t, "postgres", `DROP DATABASE "Shop & Co"`)
	server.Exec(t, "postgres", `DROP ROLE leaver`)
	live, err := l.Inspect(t.Context())
	require.NoError(t, err)
	require.Empty(t, live.Refusals)
	require.False(t, live.Exists)

	beside := restoreBeside(t, l, dump, archive)
	swap := recovery.Swap{
		Source: "app", Kind: recovery.KindPostgres, Live: productionName,
		New: beside.Database, In: identity(t, l, beside.Database), Aside: postgres.AsideName(productionName, "20261122T181500Z"),
	}
	_, err = l.Swap(t.Context(), swap)
	require.NoError(t, err)
	server.Exec(t, productionName, `REVOKE ALL ON stock.bookings FROM leaver`) // nothing keeps the role now but that it is wanted
	require.NoError(t, beside.Drop(t.Context()))
	server.Exec(t, productionName, `GRANT SELECT ON stock.bookings TO leaver`)
	server.Exec(t, "postgres", `ALTER DATABASE "Shop & Co" CONNECTION LIMIT 17`) // this a dump does not know
	require.Equal(t, state, rows(t, server, productionName, productionState))
	require.Equal(t, []string{"1 100"}, rowsAt(t, l.URL, tenants))
}
