package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
)

const setID = recovery.SetID("20261122T180000Z-ab12cd")

var run = recovery.RunRef{WorkflowID: "verify/shop", RunID: "0198"}

func job(attempt int) recovery.DumpJob {
	return recovery.DumpJob{Set: setID, Source: "app", Attempt: attempt}
}

// twoServers are a source and a staging server that are set up as differently as
// their users can.
func twoServers(t *testing.T) (source, staging *devserver.Postgres) {
	t.Helper()
	source = devserver.StartPostgres(t,
		devserver.WithSetting("timezone", "America/New_York"),
		devserver.WithSetting("datestyle", "SQL, DMY"),
		devserver.WithSetting("intervalstyle", "sql_standard"),
		devserver.WithSetting("bytea_output", "escape"))
	staging = devserver.StartPostgres(t,
		devserver.WithSetting("timezone", "Asia/Tokyo"),
		devserver.WithSetting("datestyle", "German, MDY"),
		devserver.WithSetting("quote_all_identifiers", "on"),
		devserver.WithSetting("default_transaction_read_only", "off"))
	return source, staging
}

// shop is a database with something of each kind, and settings that get in the way.
const shop = `
	CREATE ROLE shop_owner NOLOGIN;
	CREATE ROLE shop_reader NOLOGIN;
	CREATE ROLE "Policy Maker" NOLOGIN;
	CREATE DATABASE shop OWNER shop_owner`

const shopSettings = `
	COMMENT ON DATABASE shop IS 'it''s the shop';
	ALTER DATABASE shop SET timezone TO 'Asia/Kolkata';
	ALTER DATABASE shop SET search_path TO "$user", public, "odd, name";
	ALTER DATABASE shop SET default_transaction_read_only TO on;
	ALTER DATABASE shop SET bytea_output TO escape;
	ALTER DATABASE shop SET app.secret TO 'hush: it''s \ a secret';
	ALTER ROLE shop_reader IN DATABASE shop SET work_mem TO '12MB';
	REVOKE ALL ON DATABASE shop FROM PUBLIC;
	GRANT CONNECT ON DATABASE shop TO shop_reader WITH GRANT OPTION`

const shopTables = `
	CREATE EXTENSION citext;
	CREATE SCHEMA stock AUTHORIZATION shop_owner;
	CREATE TABLE public.customers (id serial PRIMARY KEY, name varchar(40) NOT NULL, born timestamptz, wait interval, price money, pic bytea,
		state varchar(10) CHECK (state IN ('new', 'old')));
	CREATE VIEW public.fresh AS SELECT id FROM public.customers WHERE state IN ('new', 'newer');
	CREATE INDEX fresh_idx ON public.customers (name) WHERE state IN ('new', 'newest');
	CREATE TABLE stock.items (id int PRIMARY KEY, customer int REFERENCES public.customers, note citext);
	CREATE TABLE public.days (at date NOT NULL, n int) PARTITION BY RANGE (at);
	CREATE TABLE public.days_2026 PARTITION OF public.days FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
	CREATE TABLE public."Odd ""Name.x" (v text);
	ALTER TABLE public.customers OWNER TO shop_owner;
	GRANT SELECT ON public.customers TO shop_reader;
	ALTER TABLE stock.items ENABLE ROW LEVEL SECURITY;
	CREATE POLICY mine ON stock.items TO "Policy Maker" USING (customer = 1);
	INSERT INTO public.customers (name, born, wait, price, pic, state)
		SELECT 'c' || i, '2026-03-08 02:30:00+00'::timestamptz + i * interval '1 hour', i * interval '-1 day 2 hours', i::numeric::money, decode('00ff', 'hex'), 'new'
		FROM generate_series(1, 1000) i;
	INSERT INTO stock.items SELECT i, i, E'tab\t and \\ newline\n' FROM generate_series(1, 500) i;
	INSERT INTO public.days VALUES ('2026-02-03', 1);
	INSERT INTO public."Odd ""Name.x" VALUES ('odd');
	UPDATE public.customers SET name = name WHERE id % 3 = 0`

func makeShop(t *testing.T, server *devserver.Postgres) {
	t.Helper()
	for statement := range strings.SplitSeq(shop, ";\n") { // CREATE DATABASE wants to be alone
		server.Exec(t, "postgres", statement)
	}
	server.Exec(t, "shop", shopTables)
	server.Exec(t, "postgres", shopSettings)
}

// dumpShop dumps the shop and says what it had to.
func dumpShop(t *testing.T, server *devserver.Postgres, tables ...string) (*recovery.Dump, []byte) {
	t.Helper()
	var archive bytes.Buffer
	var seen int64
	src := postgres.Source{Name: "app", URL: server.URL("shop"), Tables: tables}
	dump, err := src.Dump(t.Context(), job(1), &archive, func(n int64) { seen = n })
	require.NoError(t, err)
	require.EqualValues(t, archive.Len(), dump.PlainSize)
	require.Equal(t, seen, dump.PlainSize)
	return dump, archive.Bytes()
}

func stagingOn(t *testing.T, server *devserver.Postgres) *postgres.Staging {
	t.Helper()
	s := &postgres.Staging{
		ServerURL: server.URL("postgres"), Database: postgres.StagingDatabase(run, "app", 1), Run: run,
		Application: "lifeboat/test", Folder: t.TempDir(),
	}
	t.Cleanup(func() { require.NoError(t, s.Drop(context.Background())) })
	return s
}

func restoreTo(t *testing.T, s *postgres.Staging, dump *recovery.Dump, archive []byte) {
	t.Helper()
	restored, err := s.Restore(t.Context(), dump.Companions[0].Content, bytes.NewReader(archive), nil)
	require.NoError(t, err)
	require.Empty(t, restored.Complaints)
	require.EqualValues(t, len(archive), restored.PlainSize)
}

// rows returns the first column of a query as the superuser.
func rows(t *testing.T, server *devserver.Postgres, database, sql string) []string {
	t.Helper()
	return rowsAt(t, server.URL(database), sql)
}

func rowsAt(t *testing.T, url, sql string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.Background())) }()
	result, err := conn.Query(t.Context(), sql)
	require.NoError(t, err)
	values, err := pgx.CollectRows(result, pgx.RowTo[string])
	require.NoError(t, err)
	return values
}

// as is the URL of another user.
func as(t *testing.T, server *devserver.Postgres, user, password, database string) string {
	t.Helper()
	u, err := url.Parse(server.URL(database))
	require.NoError(t, err)
	u.User = url.UserPassword(user, password)
	return u.String()
}

// requireFault checks the meaning of an error, and that it holds no secret.
func requireFault(t *testing.T, err error, kind recovery.FaultKind, parts ...string) {
	t.Helper()
	require.Error(t, err)
	for _, part := range parts {
		require.ErrorContains(t, err, part)
	}
	require.Equal(t, kind, recovery.KindOf(err), "%v", err)
	require.NotContains(t, fmt.Sprintf("%v %+v", err, err), "hush")
}
