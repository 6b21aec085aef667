package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
)

// Everything that has made other verifiers cry wolf: owners and grants of roles
// that staging does not have, values whose text depends on the session's
// settings, settings of the database itself, definitions that PostgreSQL re-words
// when they are restored, and a template on staging that holds old tables.
const awkward = `
create role "Odd Role" nologin;
create role auditor login password 'x';
create schema "Café" authorization "Odd Role";
create table "Café"."semi;colon ""quoted""" (id int primary key, at timestamptz, span interval, cash money, raw bytea, f float8, doc xml);
insert into "Café"."semi;colon ""quoted""" select g, now() - g * interval '1 hour', g * interval '1 day 2 hours', g * 1.5, decode(md5(g::text), 'hex'), 1.0 / g, '<a>1</a>' from generate_series(1, 500) g;
update "Café"."semi;colon ""quoted""" set f = f where id % 3 = 0;
alter table "Café"."semi;colon ""quoted""" owner to "Odd Role";
grant select on "Café"."semi;colon ""quoted""" to auditor with grant option;
create table reworded (id serial primary key, kind varchar(10) check (kind in ('a', 'b')));
insert into reworded (kind) select case when g % 2 = 0 then 'a' else 'b' end from generate_series(1, 100) g;
create view only_a as select * from reworded where kind in ('a', 'c') and id between 1 and 50;
create index reworded_partial on reworded (id) where kind in ('a', 'b');
create materialized view sums as select kind, count(*) from reworded group by kind;
alter table reworded enable row level security;
create policy mine on reworded to auditor using (kind in ('a', 'b'));
select lo_from_bytea(0, 'large');
alter database where2eat set timezone to 'America/New_York';
alter database where2eat set datestyle to 'German';
alter database where2eat set bytea_output to 'escape';
alter database where2eat set intervalstyle to 'iso_8601';
alter database where2eat set extra_float_digits to -4;
alter role auditor in database where2eat set search_path to "Café", public;
`

func TestAwkwardButWhole(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Exec(sandbox.Database, awkward)
	r.Env["WHERE2EAT_DATABASE_URL"] = r.Env["WHERE2EAT_ADMIN_URL"] // the service's own role may not read all of that
	require.NoError(t, r.Staging.Exec(t.Context(), "template1", "create table visits as select 1 as id from generate_series(1, 9000)"))
	require.NoError(t, r.Staging.Exec(t.Context(), "postgres", "alter database postgres set datestyle to 'SQL, DMY'"))
	r.StartWorker()
	report := r.Backup()
	require.Equal(t, recovery.Proven, report.Verdict, report.Sentence)
	a, ok := r.Manifest(report.Set).Artefact("app")
	require.True(t, ok)
	require.Subset(t, a.Roles, []string{"Odd Role", "auditor", "where2eat"})
	r.RequireClean(report.Set)
}

// tools makes a folder in which pg_restore is a script; $real is the real one.
func tools(t *testing.T, r *rig.Rig, script string) {
	t.Helper()
	dir := filepath.Join(r.Dir, "tools")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for name, body := range map[string]string{
		"pg_dump":    `exec "$real" "$@"`,
		"pg_restore": script,
	} {
		text := fmt.Sprintf("#!/bin/sh\nreal=%s/%s\n[ \"$1\" = --version ] && exec \"$real\" --version\n%s\n", r.Production.BinDir, name, body)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	r.Configure(func(c *sandbox.Config) { c.Tools = dir })
}

func TestRestoreToolsThatLie(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		code   int
		says   string
	}{
		"exits 0 after errors, nothing restored": {
			`cat >/dev/null; echo 'pg_restore: error: could not execute query: ERROR:  boom' >&2; exit 0`, 3, "was not restored",
		},
		"exits 1 with everything there": {
			`"$real" "$@"; echo 'pg_restore: error: could not execute query: ERROR:  role "nobody" does not exist' >&2
echo 'pg_restore: warning: errors ignored on restore: 1' >&2; exit 1`, 4, `role "nobody" does not exist`,
		},
		"exits 0, forgets the indexes and keys": {
			`case "$*" in *post-data*|*use-list*|*-L*) cat >/dev/null 2>&1 </dev/null; exit 0;; esac; exec "$real" "$@"`, 3, "was not restored",
		},
		"restores to another server": {
			fmt.Sprintf(`export PGPORT=%s; exec "$real" "$@"`, "1"), 4, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rig.New(t)
			r.Configure(func(c *sandbox.Config) { c.GiveUpAfter = "10s" })
			tools(t, r, c.script)
			r.StartWorker()
			out := r.Starter("backup", sandbox.Service, "--json")
			require.NotZero(t, out.Code, "a restore that did not happen must never be green")
			require.Equal(t, c.code, out.Code, out.Stderr)
			require.Contains(t, out.Stderr, c.says)
			require.Less(t, out.Report(t).Level, recovery.LevelProven)
		})
	}
}

// A restore that is sent to the wrong server, where a database of that name is,
// leaves staging's own copy empty.
func TestRestoreToTheWrongServer(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	tools(t, r, fmt.Sprintf(`export PGPORT=%d PGPASSWORD='%s'
for a in "$@"; do case $prev in --dbname) database=$a;; esac; prev=$a; done
[ -n "$database" ] && %s/createdb "$database" 2>/dev/null
exec "$real" "$@"`, r.Production.Port, password(t, r), r.Production.BinDir))
	r.StartWorker()
	out := r.Starter("backup", sandbox.Service, "--json")
	require.Equal(t, 3, out.Code, out.Stderr)
	require.Contains(t, out.Stderr, "the restored copy is not the source")
	require.Contains(t, out.Stderr, "visits")
}

func TestExtensionMissingOnStaging(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	// An extension that only production has: a stock one under another name.
	r.Exec(sandbox.Database, `create extension citext; set allow_system_table_mods to on; update pg_extension set extname = 'rare_extension' where extname = 'citext'`)
	r.StartWorker()
	out := r.Starter("backup", sandbox.Service, "--json")
	require.Equal(t, 4, out.Code, out.Stderr)
	require.Contains(t, out.Stderr, "rare_extension")
	report := out.Report(t)
	require.Equal(t, recovery.Inconclusive, report.Verdict)
	require.Equal(t, recovery.LevelReadBack, report.Level)
}

func TestStagingMustNotBeProduction(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Env["STAGING_DATABASE_URL"] = r.Production.URL("postgres")
	r.StartWorker()
	out := r.Starter("backup", sandbox.Service)
	require.Equal(t, 4, out.Code, out.Stderr)
	require.Contains(t, out.Stderr, "sameServer")

	r.Configure(func(c *sandbox.Config) { c.SameServer = true })
	r.Backup()
}

// The service does not start on what was restored: the data may be whole, but
// nobody could use it.
func TestServiceThatDoesNotStart(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Exec(sandbox.Database, "drop table visits cascade")
	r.StartWorker()
	out := r.Starter("backup", sandbox.Service, "--json")
	require.Equal(t, 3, out.Code, out.Stderr)
	require.Contains(t, out.Stderr, "the service did not pass")
	require.Equal(t, recovery.LevelRestored, out.Report(t).Level)
}
