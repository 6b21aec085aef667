package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
)

// word is what the database says, as the service sees it.
func word(t *testing.T, l *postgres.Live, database string) string {
	t.Helper()
	return rowsAt(t, l.URLOf(database), "SELECT word FROM word")[0]
}

// about is a database's comment and connection limit.
func about(t *testing.T, server *devserver.Postgres, database string) string {
	t.Helper()
	return rows(t, server, database, `SELECT datconnlimit || ' ' || coalesce(shobj_description(oid, 'pg_database'), 'NULL') FROM pg_database WHERE datname = current_database()`)[0]
}

func TestSwapAndUndo(t *testing.T) {
	server, l := twoStates(t)
	server.Exec(t, "postgres", `COMMENT ON DATABASE app IS E'it''s \\ the app\n\nand more'; ALTER DATABASE app CONNECTION LIMIT 9;
		COMMENT ON DATABASE beside IS '{"lifeboat": {"workflowId": "restore/app", "runId": "1"}}'`)
	do := swapOf(t, l, "beside", "before_1")
	_, err := l.Swap(t.Context(), do)
	require.NoError(t, err)
	require.Equal(t, "new", word(t, l, "app"))
	require.Equal(t, "old", word(t, l, "before_1"))
	require.Equal(t, "9 it's \\ the app\n\nand more", about(t, server, "app"))
	require.Regexp(t, `^9 Set aside by Lifeboat at \d{4}-\d\d-\d\d \d\d:\d\d UTC, when another copy took the name app\. Nothing uses it any more\.\n\nit's \\ the app\n\nand more$`, about(t, server, "before_1"))

	undo := recovery.Swap{Source: "app", Kind: do.Kind, Live: "app", Out: do.In, In: do.Out, New: do.Aside, Aside: "before_2"}
	_, err = l.Swap(t.Context(), undo)
	require.NoError(t, err)
	require.Equal(t, "old", word(t, l, "app"))
	require.Equal(t, "new", word(t, l, "before_2"))
	require.Equal(t, "9 it's \\ the app\n\nand more", about(t, server, "app"))
	require.Contains(t, about(t, server, "before_2"), "9 Set aside by Lifeboat")

	// What had been set aside comes back with what it had, when nothing is live.
	server.Exec(t, "postgres", "ALTER DATABASE app RENAME TO lost")
	back := recovery.Swap{Source: "app", Kind: do.Kind, Live: "app", In: undo.Out, New: "before_2", Aside: "before_3"}
	_, err = l.Swap(t.Context(), back)
	require.NoError(t, err)
	require.Equal(t, "new", word(t, l, "app"))
	require.Equal(t, "9 it's \\ the app\n\nand more", about(t, server, "app"))
	again, err := l.Swap(t.Context(), back)
	require.NoError(t, err)
	require.Equal(t, &recovery.Swapped{Again: true}, again)
}

func TestSwapOfOddNames(t *testing.T) {
	server := devserver.StartPostgres(t)
	for _, name := range []string{"App", `We "ird' $$ näme; \/?%&#=`, strings.Repeat("ü", 31) + "x"} {
		t.Run(name, func(t *testing.T) {
			for database, text := range map[string]string{name: "old", "Be-side": "new"} {
				server.Exec(t, "postgres", "CREATE DATABASE "+pgx.Identifier{database}.Sanitize())
				server.Exec(t, database, "CREATE TABLE word AS SELECT '"+text+"' AS word")
			}
			l := &postgres.Live{Source: "app", URL: server.URL(name), AdminURL: server.URL("postgres"), Application: "lifeboat/test"}
			job := recovery.Swap{
				Source: "app", Kind: recovery.KindPostgres, Live: name, Out: identity(t, l, name),
				New: "Be-side", In: identity(t, l, "Be-side"), Aside: postgres.AsideName(name, "20261122T181500Z"),
			}
			_, err := l.Swap(t.Context(), job)
			require.NoError(t, err)
			require.Equal(t, "new", word(t, l, name))
			require.Equal(t, "old", word(t, l, job.Aside))
			require.NoError(t, l.Drop(t.Context(), job.Aside, job.Out))
		})
	}
}

func TestAsideNames(t *testing.T) {
	const stamp = "20261122T181500Z"
	require.Equal(t, "before_20261122t181500z_where2eat", postgres.AsideName("where2eat", stamp))
	seen := map[string]bool{}
	for _, live := range []string{"app", "App", strings.Repeat("a", 63), strings.Repeat("a", 62) + "b", strings.Repeat("ü", 31), "x" + strings.Repeat("ü", 31)} {
		for _, stamp := range []string{stamp, "20261122T181501Z"} {
			name := postgres.AsideName(live, stamp)
			require.LessOrEqual(t, len(name), 63)
			require.True(t, utf8.ValidString(name), name)
			require.False(t, seen[name], name)
			seen[name] = true
		}
	}
}

// TestSwapChangesNothingElse asks for swaps that do not fit what is there.
func TestSwapChangesNothingElse(t *testing.T) {
	server, l := twoStates(t)
	server.Exec(t, "postgres", "CREATE DATABASE taken")
	fits := swapOf(t, l, "beside", "before_1")
	system, _, _ := strings.Cut(fits.In, "/")
	databases := func() []string {
		return rows(t, server, "postgres", "SELECT concat_ws(' ', oid, datname, shobj_description(oid, 'pg_database')) FROM pg_database ORDER BY 1")
	}
	before := databases()
	tests := map[string]struct {
		change func(job *recovery.Swap)
		why    string
	}{
		"another database is live":    {func(j *recovery.Swap) { j.Out = system + "/1" }, "database app is " + fits.Out + ", which is neither what was there nor what takes its place"},
		"something is live":           {func(j *recovery.Swap) { j.Out = "" }, "database app is " + fits.Out + ", which is neither"},
		"of another server":           {func(j *recovery.Swap) { j.Out = "1" + j.Out }, "database app is " + fits.Out},
		"the new one is gone":         {func(j *recovery.Swap) { j.New = "gone" }, "there is no database gone, which was to take the place"},
		"the new one is another":      {func(j *recovery.Swap) { j.New = "taken" }, "database taken is "},
		"the name is taken":           {func(j *recovery.Swap) { j.Aside = "taken" }, "there is a database taken already"},
		"another service's":           {func(j *recovery.Swap) { j.Live = "taken" }, "the service's database is app, not taken"},
		"nothing takes the place":     {func(j *recovery.Swap) { j.In = "" }, "it is not said what takes the place"},
		"with itself":                 {func(j *recovery.Swap) { j.In = j.Out }, "it is not said what takes the place"},
		"with its own name":           {func(j *recovery.Swap) { j.New = "app" }, "the names are not distinct"},
		"set aside in the same place": {func(j *recovery.Swap) { j.Aside = "app" }, "the names are not distinct"},
		"set aside to be swept":       {func(j *recovery.Swap) { j.Aside = "lifeboat_app" }, "what is set aside must not be called lifeboat_…"},
		"a name that is too long":     {func(j *recovery.Swap) { j.Aside = strings.Repeat("a", 64) }, "has not 1 to 63 bytes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			job := fits
			tt.change(&job)
			_, err := l.Swap(t.Context(), job)
			requireFault(t, err, recovery.Permanent, tt.why)
			require.Equal(t, before, databases())
		})
	}
	t.Run("what was live is gone", func(t *testing.T) {
		server.Exec(t, "postgres", "ALTER DATABASE app RENAME TO lost")
		_, err := l.Swap(t.Context(), fits)
		requireFault(t, err, recovery.Permanent, "swap source app: there is no database app any more; nothing was changed (see what was changed on the server, and plan it anew)")
		server.Exec(t, "postgres", "ALTER DATABASE lost RENAME TO app")
		require.Equal(t, before, databases())
	})
	t.Run("it must not be renamed any more", func(t *testing.T) {
		server.Exec(t, "postgres", "ALTER DATABASE beside IS_TEMPLATE true")
		_, err := l.Swap(t.Context(), fits)
		requireFault(t, err, recovery.Permanent, `swap source app: Database beside is a template: ALTER DATABASE "beside" IS_TEMPLATE false; nothing was changed`)
		require.Equal(t, before, databases())
	})
}

// keep makes an admin who is no superuser, and whose own settings get in the way.
func keep(t *testing.T, server *devserver.Postgres, l *postgres.Live) {
	t.Helper()
	server.Exec(t, "postgres", `
		CREATE ROLE keeper LOGIN CREATEDB PASSWORD 'keeper';
		GRANT app, pg_signal_backend TO keeper;
		ALTER ROLE keeper SET statement_timeout TO '1ms';
		ALTER ROLE keeper SET lock_timeout TO '1ms';
		ALTER ROLE keeper SET idle_in_transaction_session_timeout TO '1ms';
		ALTER ROLE keeper SET default_transaction_read_only TO on;
		ALTER ROLE keeper SET synchronous_commit TO off;
		ALTER ROLE keeper SET search_path TO ''`)
	l.AdminURL = as(t, server, "keeper", "keeper", "app")
}

// sessionOf opens a session, for as long as the test runs, and runs SQL in it.
func sessionOf(t *testing.T, url, application string, statements ...string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	config.RuntimeParams["application_name"] = application
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // it may have been closed
	for _, sql := range statements {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	return conn
}

func TestSwapClosesSessions(t *testing.T) {
	server := devserver.StartPostgres(t, devserver.WithSetting("autovacuum_naptime", "1s"), devserver.WithSetting("autovacuum_vacuum_cost_delay", "100ms"),
		devserver.WithSetting("autovacuum_vacuum_cost_limit", "1"), devserver.WithSetting("autovacuum_vacuum_threshold", "1"))
	l := statesOn(t, server)
	keep(t, server, l)
	for _, database := range []string{"app", "beside"} {
		url := l.URLOf(database)
		sessionOf(t, url, "idle")
		sessionOf(t, url, "idle in a transaction", "BEGIN", "INSERT INTO word VALUES ('lost')", "LOCK TABLE word")
		sessionOf(t, url, "with a lock", "BEGIN", "COMMENT ON DATABASE "+database+" IS 'lost'")
		busy := sessionOf(t, url, "busy")
		go func() { _, _ = busy.Exec(context.Background(), "SELECT pg_sleep(600)") }()
	}
	server.Exec(t, "app", "CREATE TABLE big AS SELECT i FROM generate_series(1, 100000) i; DELETE FROM big")
	require.Eventually(t, func() bool {
		return len(rows(t, server, "postgres", "SELECT 'it' FROM pg_stat_activity WHERE datname = 'app' AND backend_type = 'autovacuum worker'")) > 0 &&
			len(rows(t, server, "postgres", "SELECT 'it' FROM pg_stat_activity WHERE state = 'active' AND application_name = 'busy'")) == 2
	}, 60*time.Second, 20*time.Millisecond)
	swapped, err := l.Swap(t.Context(), swapOf(t, l, "beside", "before_1"))
	require.NoError(t, err)
	require.Equal(t, 8, swapped.Closed)
	require.Equal(t, []string{"new"}, rowsAt(t, l.URL, "SELECT word FROM word"))
	require.Equal(t, []string{"old"}, rowsAt(t, l.URLOf("before_1"), "SELECT word FROM word"))
}

func TestSwapSaysWhoIsInTheWay(t *testing.T) {
	server, l := twoStates(t)
	keep(t, server, l)
	tests := map[string]struct{ database, statement string }{
		"a superuser":      {"app", "SELECT 'hush'"},
		"one who uses new": {"beside", "SELECT 'hush'"},
		"one with a lock":  {"template1", "COMMENT ON DATABASE app IS 'hush'"},
		"one locking new":  {"template1", "COMMENT ON DATABASE beside IS 'hush'"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			service := sessionOf(t, l.URL, "service")
			holder := sessionOf(t, server.URL(tt.database), "by hand", "BEGIN", tt.statement)
			job := swapOf(t, l, "beside", "before_1")
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, err := l.Swap(ctx, job)
			requireFault(t, err, recovery.Unavailable, "swap source app: the database is held by ", "user postgres (by hand)", "; nothing was changed (end these sessions, or wait for their end)")
			require.Equal(t, job.Out, identity(t, l, "app"))
			require.Equal(t, job.In, identity(t, l, "beside"))
			_, err = service.Exec(t.Context(), "SELECT 1")
			require.NoError(t, err, "nobody was thrown out for nothing")
			require.NoError(t, holder.Close(t.Context()))
		})
	}
}

// TestSwapOfAStuckDatabase has a session that no longer listens, when the server
// waits for it in the middle of the transaction.
func TestSwapOfAStuckDatabase(t *testing.T) {
	server, l := twoStates(t)
	for _, database := range []string{"app", "beside"} {
		t.Run(database, func(t *testing.T) {
			job := swapOf(t, l, "beside", "before_1")
			stuck := sessionOf(t, l.URLOf(database), "stuck")
			pid := int(stuck.PgConn().PID())
			require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
			defer cancel()
			_, err := l.Swap(ctx, job)
			require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
			requireFault(t, err, recovery.Unavailable, "swap source app: the database is held by user app (stuck); nothing was changed")
			require.Equal(t, job.Out, identity(t, l, "app"))
			require.Equal(t, job.In, identity(t, l, "beside"))
			require.Equal(t, "-1 NULL", about(t, server, "app"))
		})
	}
	_, err := l.Swap(t.Context(), swapOf(t, l, "beside", "before_1"))
	require.NoError(t, err)
}

func TestSwapIsCancelled(t *testing.T) {
	server, l := twoStates(t)
	job := swapOf(t, l, "beside", "before_1")
	pid := int(sessionOf(t, l.URL, "stuck").PgConn().PID())
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	defer func() { require.NoError(t, syscall.Kill(pid, syscall.SIGCONT)) }()
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() {
		_, err := l.Swap(ctx, job)
		ended <- err
	}()
	waiting := func() bool {
		return len(rows(t, server, "postgres", "SELECT 'it' FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND classid = 'pg_database'::regclass AND granted")) > 0
	}
	require.Eventually(t, waiting, 20*time.Second, time.Millisecond)
	cancel(fmt.Errorf("it is wanted no more"))
	require.EqualError(t, <-ended, "swap source app: it is wanted no more")
	require.False(t, waiting())
	require.Equal(t, job.Out, identity(t, l, "app"))
}

func TestRenameAndDrop(t *testing.T) {
	server, l := twoStates(t)
	server.Exec(t, "postgres", `COMMENT ON DATABASE beside IS '{"lifeboat": {"workflowId": "restore/app", "runId": "1"}, "comment": "the app"}'`)
	id := identity(t, l, "beside")
	sessionOf(t, l.URLOf("beside"), "curious")
	for range 2 {
		require.NoError(t, l.Rename(t.Context(), "beside", "app_last_week"))
		require.Equal(t, id, identity(t, l, "app_last_week"))
		require.Equal(t, "-1 the app", about(t, server, "app_last_week"))
	}
	server.Exec(t, "postgres", "CREATE DATABASE beside")
	for name, tt := range map[string]struct{ from, to, why string }{
		"both are there":    {"beside", "app_last_week", "there is a database of that name already"},
		"neither is":        {"gone", "lost", "rename database gone to lost: there is no such database"},
		"onto what is live": {"beside", "app", "what is live is only swapped"},
		"what is live":      {"app", "other", "what is live is only swapped"},
		"to be swept":       {"beside", "lifeboat_x", "a lasting name must not begin with lifeboat_"},
		"too long":          {"beside", strings.Repeat("a", 64), "has not 1 to 63 bytes"},
	} {
		t.Run("rename: "+name, func(t *testing.T) {
			requireFault(t, l.Rename(t.Context(), tt.from, tt.to), recovery.Permanent, tt.why)
		})
	}
	for name, tt := range map[string]struct{ database, identity, why string }{
		"what is live":     {"app", identity(t, l, "app"), "drop database app: it is in use"},
		"where others are": {"postgres", identity(t, l, "postgres"), "drop database postgres: it is in use"},
		"another one":      {"beside", id, "drop database beside: it is " + identity(t, l, "beside") + ", not " + id},
		"without identity": {"beside", "", "drop database beside: it is "},
	} {
		t.Run("drop: "+name, func(t *testing.T) {
			requireFault(t, l.Drop(t.Context(), tt.database, tt.identity), recovery.Permanent, tt.why)
		})
	}
	sessionOf(t, l.URLOf("app_last_week"), "curious")
	for range 2 {
		require.NoError(t, l.Drop(t.Context(), "app_last_week", id))
	}
	require.Equal(t, []string{"app", "beside", "postgres"}, rows(t, server, "postgres", "SELECT datname::text FROM pg_database WHERE NOT datistemplate ORDER BY 1"))
}
