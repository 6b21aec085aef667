package postgres_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
)

func TestInspect(t *testing.T) {
	server, l := twoStates(t)
	found, err := l.Inspect(t.Context())
	require.NoError(t, err)
	require.Greater(t, found.Size, int64(1<<20))
	require.Greater(t, found.Free, int64(1<<20))
	id := rows(t, server, "postgres", "SELECT system_identifier || '/' || oid FROM pg_control_system(), pg_database WHERE datname = 'app'")[0]
	u, err := url.Parse(l.URL)
	require.NoError(t, err)
	require.Equal(t, &recovery.LiveState{
		Source: "app", Kind: recovery.KindPostgres, Exists: true, Name: "app", Identity: id,
		Where: "database app on " + u.Host, Size: found.Size, Free: found.Free,
	}, found)

	t.Run("a server that hides what it is", func(t *testing.T) {
		server.Exec(t, "postgres", `CREATE ROLE visitor LOGIN CREATEDB PASSWORD 'v'; GRANT app, pg_signal_backend TO visitor;
			REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC`)
		hidden := *l
		hidden.AdminURL = as(t, server, "visitor", "v", "app")
		found, err := hidden.Inspect(t.Context())
		require.NoError(t, err)
		require.Equal(t, u.Host+"/"+id[strings.IndexByte(id, '/')+1:], found.Identity)
		require.Empty(t, found.Refusals)
		require.Zero(t, found.Free)
	})
	t.Run("without a database postgres", func(t *testing.T) {
		other := devserver.StartPostgres(t)
		other.Exec(t, "postgres", "CREATE DATABASE app")
		other.Exec(t, "app", "DROP DATABASE postgres")
		l := postgres.Live{Source: "app", URL: other.URL("app"), AdminURL: other.URL("app"), Application: "lifeboat/test"}
		found, err := l.Inspect(t.Context())
		require.NoError(t, err)
		require.True(t, found.Exists)
		require.Empty(t, found.Refusals)
	})
	t.Run("a database that is gone", func(t *testing.T) {
		gone := *l
		gone.URL = l.URLOf("gone")
		found, err := gone.Inspect(t.Context())
		require.NoError(t, err)
		require.False(t, found.Exists)
		require.Empty(t, found.Identity)
		require.Empty(t, found.Refusals)
		require.Contains(t, found.Where, "database gone on ")
		_, err = l.Identity(t.Context(), "gone")
		require.ErrorIs(t, err, postgres.ErrNotFound)
		requireFault(t, err, recovery.Permanent, "look for database gone: there is no such database")
	})
	t.Run("the one from which others are renamed", func(t *testing.T) {
		itself := postgres.Live{Source: "app", URL: server.URL("postgres"), AdminURL: server.URL("postgres"), Application: "lifeboat/test"}
		found, err := itself.Inspect(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"Database postgres is the one from which others are renamed: keep the service's data in a database of its own."}, found.Refusals)
	})
	t.Run("a password that is wrong", func(t *testing.T) {
		wrong := *l
		wrong.AdminURL = as(t, server, "postgres", "hush", "app")
		_, err := wrong.Inspect(t.Context())
		requireFault(t, err, recovery.Permanent, "password refused for user postgres", "correct the password in the URL of source app for its admin")
	})
}

func TestInspectComparesTheServers(t *testing.T) {
	server, l := twoStates(t)
	other, _ := twoStates(t)
	gone := devserver.StartPostgres(t)
	gone.Stop()
	tests := map[string]struct{ url, admin, refusal string }{
		"one server":       {l.URL, server.URL("app"), ""},
		"its other name":   {strings.Replace(l.URL, "127.0.0.1", "localhost", 1), server.URL("app"), ""},
		"two servers":      {l.URL, other.URL("app"), "The service's URL leads to another server, "},
		"one that is gone": {gone.URL("app"), server.URL("app"), "It cannot be told whether "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := postgres.Live{Source: "app", URL: tt.url, AdminURL: tt.admin, Application: "lifeboat/test"}
			found, err := l.Inspect(t.Context())
			require.NoError(t, err)
			if tt.refusal == "" {
				require.Empty(t, found.Refusals)
				return
			}
			require.Len(t, found.Refusals, 1)
			require.Contains(t, found.Refusals[0], tt.refusal)
			require.True(t, strings.HasSuffix(found.Refusals[0], ": let the admin's URL name the server that holds the database."))
		})
	}
}

// TestRefusals has for each obstacle one database, so that nothing has to be undone.
func TestRefusals(t *testing.T) {
	server := devserver.StartPostgres(t, devserver.WithSetting("max_prepared_transactions", "5"), devserver.WithSetting("wal_level", "logical"))
	server.Exec(t, "postgres", `
		CREATE ROLE app LOGIN PASSWORD 'app';
		CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss';
		CREATE ROLE other LOGIN PASSWORD 'other';
		CREATE ROLE "ad min" LOGIN CREATEDB PASSWORD 'admin';
		CREATE ROLE poor LOGIN PASSWORD 'poor';
		GRANT app TO "ad min", poor`)
	tests := map[string]struct {
		setup   string // in the database
		outside string // in another one
		service string // the service's role
		admin   string
		session string // whose session is there
		after   string // in the database: slots wait for prepared transactions
		want    []string
	}{
		"prepared transactions": {
			setup: "CREATE TABLE t (n int); BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'one'",
			after: "ROLLBACK PREPARED 'one'",
			want:  []string{"Database x has prepared transactions (1): end those that pg_prepared_xacts shows by COMMIT PREPARED or ROLLBACK PREPARED."},
		},
		"slots": {
			setup: "SELECT pg_create_logical_replication_slot('follower', 'pgoutput')",
			want:  []string{"Database x is followed by logical replication, slot follower: end what uses it, then SELECT pg_drop_replication_slot(…)."},
		},
		"a publication alone": {setup: "CREATE PUBLICATION p FOR ALL TABLES"},
		"subscriptions": {
			setup: "CREATE SUBSCRIPTION news CONNECTION 'host=127.0.0.1' PUBLICATION p WITH (connect = false)",
			want:  []string{"Database x follows another by the subscription news: DROP SUBSCRIPTION there, and make it anew afterwards."},
		},
		"a template": {outside: "ALTER DATABASE x IS_TEMPLATE true", want: []string{`Database x is a template: ALTER DATABASE "x" IS_TEMPLATE false.`}},
		"a closed one": {
			outside: "ALTER DATABASE x ALLOW_CONNECTIONS false",
			want:    []string{`Database x is closed to all connections: ALTER DATABASE "x" ALLOW_CONNECTIONS true.`},
		},
		"the admin may all":        {admin: "ad min"},
		"the admin's own sessions": {admin: "ad min", session: "app"},
		"another owner": {
			outside: "ALTER DATABASE x OWNER TO other", admin: "ad min",
			want: []string{`User ad min has not the rights of other, who owns database x: GRANT "other" TO "ad min".`},
		},
		"no right to make databases": {admin: "poor", want: []string{`User poor may not make and rename databases: ALTER ROLE "poor" CREATEDB.`}},
		"sessions of others": {
			admin: "ad min", session: "other",
			want: []string{`User ad min may not close the sessions of other: GRANT pg_signal_backend TO "ad min".`},
		},
		"a service of another role": {
			admin: "ad min", service: "other",
			want: []string{`User ad min may not close the sessions of other: GRANT pg_signal_backend TO "ad min".`},
		},
		"a service that is a superuser": {
			admin: "ad min", service: "boss",
			want: []string{"User ad min may not close the sessions of boss, a superuser: let the admin's URL name a superuser, too."},
		},
		"a superuser's session": {admin: "ad min", session: "boss"},
		"settings": {
			outside: "ALTER DATABASE x SET app.color TO 'red'; ALTER DATABASE x SET work_mem TO '5MB'; ALTER ROLE other IN DATABASE x SET log_statement TO 'all'", admin: "ad min",
			want: []string{
				`User ad min may not give a copy of database x its setting app.color, log_statement: GRANT SET ON PARAMETER app.color, log_statement TO "ad min".`,
				`User ad min may not give a copy of database x its settings of role other: ALTER ROLE "ad min" CREATEROLE.`,
			},
		},
		"objects of others": {
			setup: "CREATE TABLE t (); ALTER TABLE t OWNER TO other", admin: "ad min",
			want: []string{`User ad min has not the rights of other, who owns something in database x: GRANT "other" TO "ad min".`},
		},
	}
	number := 0
	for name, tt := range tests {
		number++
		database := "x" + strings.Repeat("y", number)
		t.Run(name, func(t *testing.T) {
			named := func(sql string) string { return strings.ReplaceAll(sql, "DATABASE x ", "DATABASE "+database+" ") }
			server.Exec(t, "postgres", "CREATE DATABASE "+database+" OWNER app")
			if tt.setup != "" {
				server.Exec(t, database, tt.setup)
			}
			if tt.session != "" {
				conn, err := pgx.Connect(t.Context(), as(t, server, tt.session, tt.session, database))
				require.NoError(t, err)
				defer conn.Close(t.Context())
			}
			if tt.outside != "" {
				server.Exec(t, "postgres", named(tt.outside))
			}
			service := max(tt.service, "app")
			l := &postgres.Live{Source: "app", URL: as(t, server, service, service, database), AdminURL: server.URL("postgres"), Application: "lifeboat/test"}
			if tt.admin != "" {
				l.AdminURL = as(t, server, tt.admin, strings.ReplaceAll(tt.admin, " ", ""), "postgres")
			}
			found, err := l.Inspect(t.Context())
			require.NoError(t, err)
			var want []string
			for _, sentence := range tt.want {
				sentence = strings.ReplaceAll(sentence, "atabase x", "atabase "+database)
				want = append(want, strings.ReplaceAll(sentence, `"x"`, `"`+database+`"`))
			}
			require.Equal(t, want, found.Refusals)
			if tt.after != "" {
				server.Exec(t, database, tt.after)
			}
		})
	}
}
