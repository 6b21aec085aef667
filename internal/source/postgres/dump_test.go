package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
)

func TestDump(t *testing.T) {
	server := devserver.StartPostgres(t)
	makeShop(t, server)
	t.Run("describes itself", func(t *testing.T) { dumpDescribesItself(t, server) })
	t.Run("in each mode", func(t *testing.T) { dumpModes(t, server) })
	t.Run("refuses", func(t *testing.T) { dumpRefuses(t, server) })
	t.Run("distrusts pg_dump", func(t *testing.T) { dumpDistrusts(t, server) })
}

func dumpDescribesItself(t *testing.T, server *devserver.Postgres) {
	before := time.Now()
	dump, _ := dumpShop(t, server)

	require.Equal(t, "dump", dump.Ext)
	require.Regexp(t, `^pg_dump \d+\.\d+$`, dump.Tool)
	require.Regexp(t, `^\d+\.\d+$`, dump.ServerVersion)
	require.WithinDuration(t, before, dump.Snapshot, time.Minute)
	require.Equal(t, []string{"Policy Maker", "postgres", "shop_owner", "shop_reader"}, dump.Roles)
	require.Len(t, dump.Extensions, 1)
	require.Equal(t, "citext", dump.Extensions[0].Name)
	require.Regexp(t, `^\d+\.\d+$`, dump.Extensions[0].Version)
	require.EqualValues(t, 1502, dump.Fingerprint.Rows())
	require.Equal(t, recovery.RoleDatabase, dump.Companions[0].Role)
	require.Equal(t, "database.sql", dump.Companions[0].Ext)

	size, err := (&postgres.Source{Name: "app", URL: server.URL("shop")}).Estimate(t.Context())
	require.NoError(t, err)
	require.Greater(t, size, int64(1<<20))
}

func dumpModes(t *testing.T, server *devserver.Postgres) {
	for _, mode := range []recovery.FingerprintMode{recovery.FingerprintOff, recovery.FingerprintCounts, recovery.FingerprintContent} {
		src := postgres.Source{Name: "app", URL: server.URL("shop"), Fingerprint: mode}
		dump, err := src.Dump(t.Context(), job(1), io.Discard, nil)
		require.NoError(t, err)
		if mode == recovery.FingerprintOff {
			require.Nil(t, dump.Fingerprint)
			continue
		}
		require.Equal(t, mode, dump.Fingerprint.Mode)
		require.EqualValues(t, 1502, dump.Fingerprint.Rows())
	}
}

func dumpRefuses(t *testing.T, server *devserver.Postgres) {
	server.Exec(t, "postgres", `CREATE ROLE app LOGIN PASSWORD 'right'`)
	server.Exec(t, "postgres", `GRANT CONNECT ON DATABASE shop TO app`)
	gone := devserver.StartPostgres(t)
	gone.Stop()
	tests := map[string]struct {
		source postgres.Source
		kind   recovery.FaultKind
		parts  []string
	}{
		"wrong password": {
			postgres.Source{URL: as(t, server, "app", "hush", "shop")},
			recovery.Permanent,
			[]string{"connect to source app: password refused for user app (correct the password in the URL of source app)"},
		},
		"unknown user": {
			postgres.Source{URL: as(t, server, "nobody", "hush", "shop")}, recovery.Permanent, []string{"refused for user nobody"},
		},
		"unknown database": {
			postgres.Source{URL: server.URL("warehouse")},
			recovery.Permanent,
			[]string{`database "warehouse" does not exist`, "correct the database's name"},
		},
		"no right on a schema": {
			postgres.Source{URL: as(t, server, "app", "right", "shop")},
			recovery.Permanent,
			[]string{"user app has no right to read public.Odd \"Name.x", `(GRANT SELECT ON TABLE "public"."Odd ""Name.x" TO "app")`},
		},
		"unknown table": {
			postgres.Source{URL: server.URL("shop"), Tables: []string{"customers", "stock.nothing"}},
			recovery.Permanent,
			[]string{`there is no table "stock.nothing"`, "correct its name under tables"},
		},
		"a pattern is no name": {
			postgres.Source{URL: server.URL("shop"), Tables: []string{"cust*"}}, recovery.Permanent, []string{`there is no table "cust*"`},
		},
		"table that needs another": {
			postgres.Source{URL: server.URL("shop"), Tables: []string{"stock.items"}},
			recovery.Permanent,
			[]string{"they need table customers, which a dump of them does not hold"},
		},
		"server gone":          {postgres.Source{URL: gone.URL("shop")}, recovery.Unavailable, []string{"does not answer", "connection refused"}},
		"no URL":               {postgres.Source{URL: "app:hush@nowhere"}, recovery.Permanent, []string{"read the URL of source app: it is not a postgres:// URL"}},
		"URL that is no URL":   {postgres.Source{URL: "postgres://app:hu%sh@nowhere/hush"}, recovery.Permanent, []string{"it is not a postgres:// URL"}},
		"URL without database": {postgres.Source{URL: "postgres://app:hush@127.0.0.1"}, recovery.Permanent, []string{"it must name user, host and database"}},
		"URL with a bad port":  {postgres.Source{URL: "postgres://app:hush@127.0.0.1/shop?sslmode=hush"}, recovery.Permanent, []string{"one of its parameters is not valid"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.source.Name = "app"
			var out bytes.Buffer
			dump, err := tt.source.Dump(t.Context(), job(1), &out, nil)
			require.Nil(t, dump)
			require.Zero(t, out.Len())
			requireFault(t, err, tt.kind, tt.parts...)
		})
	}
}

// dumpDistrusts runs programs that say they succeeded and did not.
func dumpDistrusts(t *testing.T, server *devserver.Postgres) {
	version := rows(t, server, "postgres", "SHOW server_version")[0]
	tests := map[string]struct {
		script string
		parts  []string
	}{
		"cut short":   {`"$real" "$@" | head -c 30000`, []string{"pg_dump ended without an error, but what it wrote is not whole: ", "unexpected EOF"}},
		"cut at once": {`exit 0`, []string{"pg_dump ended without an error, but what it wrote is not whole: "}},
		"no archive":  {`echo SELECT 1`, []string{"it is not a PostgreSQL custom archive"}},
		"an error":    {`"$real" "$@"; echo "pg_dump: error: query failed: ERROR:  out of memory" >&2; echo "DETAIL:  hush" >&2; exit 1`, []string{"dump source app: query failed: out of memory"}},
		"no sentence": {`"$real" "$@"; exit 3`, []string{"dump source app: pg_dump exited with status 3"}},
		"all is well": {`"$real" "$@"`, nil},
		"no address":  {`case "$*" in *@*|*127.0.0.1*|*assword=*) exit 1;; esac; exec "$real" "$@"`, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			script := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'pg_dump (PostgreSQL) %s'; exit; fi\nreal=%s/pg_dump\n%s\n", version, server.BinDir, tt.script)
			for _, program := range []string{"pg_dump", "pg_restore"} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte(script), 0o700))
			}
			src := postgres.Source{Name: "app", URL: server.URL("shop"), ToolDirs: []string{dir}, Fingerprint: recovery.FingerprintOff}
			dump, err := src.Dump(t.Context(), job(1), io.Discard, nil)
			if tt.parts == nil {
				require.NoError(t, err)
				return
			}
			require.Nil(t, dump)
			requireFault(t, err, recovery.Unavailable, tt.parts...)
		})
	}
}

// What SQL cannot tell beforehand pg_dump itself complains of.
func TestDumpRefusedByRowPolicy(t *testing.T) {
	server := devserver.StartPostgres(t)
	server.Exec(t, "postgres", `CREATE ROLE app LOGIN PASSWORD 'right'; CREATE TABLE private (v text); ALTER TABLE private ENABLE ROW LEVEL SECURITY; GRANT SELECT ON private TO app`)
	src := postgres.Source{Name: "app", URL: as(t, server, "app", "right", "postgres")}
	_, err := src.Dump(t.Context(), job(1), io.Discard, nil)
	requireFault(t, err, recovery.Permanent, `dump source app: `, `row-level security policy for table "private"`, `(ALTER ROLE "app" BYPASSRLS)`)
}

// slow makes a dump big enough to be interrupted, with a writer that does not
// take more than the first bytes until the interruption is over.
type slow struct {
	begun chan struct{}
	gate  chan struct{}
	n     int
}

func newSlow() *slow { return &slow{begun: make(chan struct{}), gate: make(chan struct{})} }

func (s *slow) Write(p []byte) (int, error) {
	if s.n += len(p); s.n == len(p) {
		close(s.begun)
	}
	<-s.gate
	return len(p), nil
}

func fill(t *testing.T, server *devserver.Postgres) {
	t.Helper()
	server.Exec(t, "postgres", `CREATE TABLE big AS SELECT i, repeat(md5(i::text), 30) AS v FROM generate_series(1, 60000) i`)
}

func TestDumpInterrupted(t *testing.T) {
	server := devserver.StartPostgres(t)
	fill(t, server)
	const sessions = "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'lifeboat/20261122T180000Z-ab12cd/app/1'"
	tests := map[string]struct {
		interrupt func(t *testing.T, cancel context.CancelCauseFunc)
		kind      recovery.FaultKind
		parts     []string
	}{
		"pg_dump is killed": {
			func(t *testing.T, _ context.CancelCauseFunc) { killPgDump(t) }, recovery.Unavailable,
			[]string{"dump source app: ", "pg_dump was ended by signal 9"},
		},
		"its session is ended": {
			func(t *testing.T, _ context.CancelCauseFunc) {
				require.NotEmpty(t, rows(t, server, "postgres", "SELECT pg_terminate_backend(pid)::text FROM ("+strings.Replace(sessions, "pid::text", "pid", 1)+") s"))
			}, recovery.Unavailable, []string{"dump source app: "},
		},
		"the server is restarted": {
			func(*testing.T, context.CancelCauseFunc) { server.Restart() }, recovery.Unavailable, []string{"dump source app: "},
		},
		"the context ends": {
			func(_ *testing.T, cancel context.CancelCauseFunc) { cancel(errors.New("the run was cancelled")) }, recovery.Unavailable,
			[]string{"the run was cancelled"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			w := newSlow()
			type result struct {
				dump *recovery.Dump
				err  error
			}
			done := make(chan result, 1)
			go func() {
				dump, err := (&postgres.Source{Name: "app", URL: server.URL("postgres")}).Dump(ctx, job(1), w, nil)
				done <- result{dump, err}
			}()
			<-w.begun
			tt.interrupt(t, cancel)
			close(w.gate)
			got := <-done
			require.Nil(t, got.dump)
			requireFault(t, got.err, tt.kind, tt.parts...)
		})
	}
}

func TestDumpReportsTheWriterThatFailed(t *testing.T) {
	server := devserver.StartPostgres(t)
	fill(t, server)
	full := errors.New("bucket full")
	dump, err := (&postgres.Source{Name: "app", URL: server.URL("postgres")}).Dump(t.Context(), job(1), failing{full}, nil)
	require.Nil(t, dump)
	require.ErrorIs(t, err, full)
	require.EqualError(t, err, "dump source app: write: bucket full")
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestDumpEndsEarlierAttempts(t *testing.T) {
	server := devserver.StartPostgres(t)
	fill(t, server)
	src := &postgres.Source{Name: "app", URL: server.URL("postgres")}
	w := newSlow()
	first := make(chan error, 1)
	go func() {
		_, err := src.Dump(t.Context(), job(2), w, nil)
		first <- err
	}()
	<-w.begun
	_, err := src.Dump(t.Context(), job(1), io.Discard, nil)
	require.NoError(t, err)
	require.Len(t, rows(t, server, "postgres", "SELECT 'x' FROM pg_stat_activity WHERE application_name LIKE '%/app/2'"), 1, "a later attempt is left alone")
	_, err = src.Dump(t.Context(), job(3), io.Discard, nil)
	require.NoError(t, err)
	require.Empty(t, rows(t, server, "postgres", "SELECT 'x' FROM pg_stat_activity WHERE application_name LIKE '%/app/2'"))
	close(w.gate)
	requireFault(t, <-first, recovery.Unavailable, "dump source app: ")
}

// killPgDump kills the pg_dump that this test started.
func killPgDump(t *testing.T) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	require.NoError(t, err)
	killed := 0
	for _, task := range tasks {
		children, err := os.ReadFile(task)
		if err != nil { // the thread has ended
			continue
		}
		for pid := range strings.FieldsSeq(string(children)) {
			name, err := os.ReadFile("/proc/" + pid + "/comm")
			if err != nil || strings.TrimSpace(string(name)) != "pg_dump" {
				continue
			}
			number, err := strconv.Atoi(pid)
			require.NoError(t, err)
			require.NoError(t, syscall.Kill(number, syscall.SIGKILL))
			killed++
		}
	}
	require.Equal(t, 1, killed)
}
