package e2e_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
)

// On a new machine, with the recovery kit, the bucket and a PostgreSQL server and
// nothing else, one command brings the data back.
func TestRecoverElsewhere(t *testing.T) {
	r := rig.New(t)
	r.Exec(sandbox.Database, "alter database where2eat set statement_timeout to '7s'")
	r.Exec(sandbox.Database, "comment on database where2eat is 'where people eat'")
	worker := r.StartWorker()
	set := r.Backup().Set
	const rows = "select count(*) || ' ' || md5(string_agg(v::text, '' order by v.id)) from visits v"
	want := r.Query(r.Production, sandbox.Database, rows)
	worker.Stop()
	r.StopTemporal()
	r.Staging.Stop()
	r.Production.Stop()

	bare := devserver.StartPostgres(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "recovery-kit.md"), []byte(r.Kit()), 0o600))
	env := []string{"AWS_ACCESS_KEY_ID=" + r.S3.AccessKey, "AWS_SECRET_ACCESS_KEY=" + r.S3.SecretKey, "NEW_SERVER_URL=" + bare.URL("postgres")}
	command := []string{"recover", "--to-postgres", "env:NEW_SERVER_URL"}
	run := func(args ...string) rig.Output { return r.StarterElsewhere(dir, env, append(command, args...)...) }
	leftOver := func() string {
		return r.Query(bare.PostgresServer, "postgres", `select coalesce(string_agg(datname, ' '), '') from pg_database
			where datname not in ('postgres', 'template0', 'template1')`)
	}

	t.Run("not with another key", func(t *testing.T) {
		stranger, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		key := filepath.Join(t.TempDir(), "age.key")
		require.NoError(t, os.WriteFile(key, []byte(stranger.String()+"\n"), 0o600))
		out := run("--yes", "--key-file", key)
		require.Equal(t, 1, out.Code, out.Stderr)
		require.Contains(t, out.Stderr, "starter: error: try the secret key: it does not open this set\nstarter: hint: the kit is that of another installation, or the key was mistyped")
		require.Empty(t, leftOver())
		require.NoFileExists(t, filepath.Join(dir, "notes.db"))
	})
	t.Run("not without a server", func(t *testing.T) {
		out := r.StarterElsewhere(dir, env, "recover", "--yes")
		require.Equal(t, 1, out.Code)
		require.Contains(t, out.Stderr, "starter: error: restore app: it needs a PostgreSQL server\nstarter: hint: name one with --to-postgres\n")
	})
	t.Run("nothing has its name when it is killed", func(t *testing.T) {
		for _, setting := range env {
			name, value, _ := strings.Cut(setting, "=")
			r.Env[name] = value
		}
		r.InterruptStarter("app: comparing", syscall.SIGKILL, append(command, "--yes", "--kit", filepath.Join(dir, "recovery-kit.md"), "--to-folder", dir)...)
		require.Regexp(t, "^lifeboat_app_[0-9a-f]+_1$", leftOver())
		require.NoFileExists(t, filepath.Join(dir, "notes.db"))
	})
	t.Run("the data is back", func(t *testing.T) {
		out := run("--yes", "--json")
		require.Zero(t, out.Code, out.Stderr)
		require.Contains(t, out.Stderr, "restoring set "+string(set))
		var result struct {
			Sources []struct {
				Source string
				Equal  bool
				Rows   int64
			}
		}
		require.NoError(t, json.Unmarshal([]byte(out.Stdout), &result))
		require.Len(t, result.Sources, 2)
		for _, s := range result.Sources {
			require.True(t, s.Equal, s.Source)
			require.Positive(t, s.Rows)
		}
		require.Equal(t, "app", leftOver(), "something else was left on the server")
		require.Equal(t, want, r.Query(bare.PostgresServer, "app", rows))
		require.Equal(t, "7s", r.Query(bare.PostgresServer, "app", "show statement_timeout"))
		require.Equal(t, "where people eat", r.Query(bare.PostgresServer, "postgres", "select shobj_description(oid, 'pg_database') from pg_database where datname = 'app'"))
		require.Equal(t, "f", r.Query(bare.PostgresServer, "postgres", "select rolcanlogin from pg_roles where rolname = 'where2eat'"))
		require.FileExists(t, filepath.Join(dir, "notes.db"))
		left, err := filepath.Glob(filepath.Join(dir, ".lifeboat*"))
		require.NoError(t, err)
		require.Empty(t, left)
	})
	t.Run("the service's role can use it", func(t *testing.T) {
		bare.Exec(t, "postgres", "alter role where2eat login password 'fresh'")
		address, err := url.Parse(bare.URL("app"))
		require.NoError(t, err)
		address.User = url.UserPassword("where2eat", "fresh")
		conn, err := pgx.Connect(t.Context(), address.String())
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close(t.Context())) }()
		var visits int
		require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from visits").Scan(&visits))
		require.Equal(t, strings.Fields(want)[0], strconv.Itoa(visits))
	})
	t.Run("nothing is replaced", func(t *testing.T) {
		out := run("--yes", "--to-folder", filepath.Join(dir, "other"))
		require.Equal(t, 1, out.Code)
		require.Contains(t, out.Stderr, "starter: error: restore app: there is a database app already, and nothing is replaced\nstarter: hint: --database app=NAME gives it another name\n")
		require.Equal(t, "app", leftOver())
		require.NoDirExists(t, filepath.Join(dir, "other"))

		out = run("--yes", "--to-folder", filepath.Join(dir, "other"), "--database", "app=where2eat")
		require.Zero(t, out.Code, out.Stderr)
		require.Contains(t, out.Stdout, "BACK: where2eat, from set "+string(set))
		require.Contains(t, out.Stdout, "  app: database where2eat, data as of ")
		require.Contains(t, out.Stdout, "It needs: ")
		require.Equal(t, want, r.Query(bare.PostgresServer, "where2eat", rows))
		require.FileExists(t, filepath.Join(dir, "other", "notes.db"))
	})
}
