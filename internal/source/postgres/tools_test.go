package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// fakeTools makes a folder with programs that say they are of some version.
func fakeTools(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"pg_dump", "pg_restore"} {
		script := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) %s (Debian)'\n", name, version)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700))
	}
	return dir
}

func TestChooseTools(t *testing.T) {
	old, own, own2, newer, newest := fakeTools(t, "13.9"), fakeTools(t, "15.18"), fakeTools(t, "15.2"), fakeTools(t, "16.4"), fakeTools(t, "18beta1")
	broken := t.TempDir()
	tests := map[string]struct {
		dirs    []string
		dir     string
		version string
		message string
	}{
		"its own major":      {dirs: []string{newest, old, own, own2, newer}, dir: own, version: "15.18"},
		"the nearest newer":  {dirs: []string{newest, old, newer}, dir: newer, version: "16.4"},
		"a preview":          {dirs: []string{newest}, dir: newest, version: "18beta1"},
		"only older ones":    {dirs: []string{broken, old}, message: "look for pg_dump: the newest here, 13.9, is older than the server, 15 (install postgresql-client-15, or newer)"},
		"none":               {dirs: []string{broken, ""}, message: "look for pg_dump: it is not installed (install postgresql-client-15, or newer)"},
		"a folder not there": {dirs: []string{filepath.Join(broken, "x"), own}, dir: own, version: "15.18"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found, err := chooseTools(t.Context(), tt.dirs, 15)
			if tt.message != "" {
				require.EqualError(t, err, tt.message)
				require.Equal(t, recovery.Permanent, recovery.KindOf(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.dir, found.dir)
			require.Equal(t, tt.version, found.version)
		})
	}
}

func TestEnvironmentOfTools(t *testing.T) {
	t.Setenv("PGSERVICE", "")
	t.Setenv("HOME", "/nowhere")
	s, err := newServer("source app", "postgres://app:se%20cret@db.example:6432/shop?sslmode=verify-full&sslrootcert=system&options=-c%20work_mem%3D8MB&search_path=a%5C%20b")
	require.NoError(t, err)
	require.Equal(t, []string{
		"LC_ALL=C", "PATH=/usr/bin:/bin", "PGAPPNAME=lifeboat/x", "PGCONNECT_TIMEOUT=10", "PGDATABASE=shop", "PGHOST=db.example",
		`PGOPTIONS=-c work_mem=8MB -c bytea_output=hex -c default_transaction_read_only=off -c lc_monetary=C -c lock_timeout=0` +
			` -c quote_all_identifiers=off -c search_path=a\\\ b -c standard_conforming_strings=on -c statement_timeout=0 -c xmloption=content`,
		"PGPASSWORD=se cret", "PGPORT=6432", "PGSSLMODE=verify-full", "PGSSLROOTCERT=system", "PGTZ=UTC", "PGUSER=app",
	}, s.env("lifeboat/x"))

	s, err = newServer("source app", "postgres://app@a:1,b:2/shop")
	require.NoError(t, err)
	require.Contains(t, s.env(""), "PGHOST=a,b")
	require.Contains(t, s.env(""), "PGPORT=1,2")
}

func TestComplaints(t *testing.T) {
	said := &complaints{program: "pg_restore"}
	for _, part := range []string{
		"pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 215; 1259 16385 TABLE a postgres\n",
		"pg_restore: error: could not execute query: ERROR:  extension \"zz\" is not available\nDETAIL:  hush\nHINT:  hush\nCommand was: CREATE EXTENSION hush\n  hush;\n",
		"pg_restore: err", "or: COPY failed for table \"t\": ERROR:  invalid input syntax for type integer: \"hush\"\nCONTEXT:  COPY t, line 1: \"hush\"\n",
		"pg_restore: error: could not execute query: ERROR:  duplicate key value violates unique constraint \"hush_key\"\nDETAIL:  Key (v)=(hush) already exists.\n",
		"pg_restore: warning: errors ignored on restore: 3",
	} {
		n, err := said.Write([]byte(part))
		require.NoError(t, err)
		require.Equal(t, len(part), n)
	}
	require.Equal(t, []string{
		`could not execute query: extension "zz" is not available`,
		`COPY failed for table (hidden): invalid input syntax for type integer: (hidden)`,
		`could not execute query: duplicate key value violates unique constraint (hidden)`,
	}, said.list())
	_, finished := said.end()
	require.True(t, finished)
}

func TestComplaintsAreBounded(t *testing.T) {
	said := &complaints{program: "pg_restore"}
	for range 100 {
		_, err := said.Write([]byte("pg_restore: error: "))
		require.NoError(t, err)
		_, err = said.Write(make([]byte, 3*maxLine))
		require.NoError(t, err)
		_, err = said.Write([]byte("\n"))
		require.NoError(t, err)
	}
	require.Len(t, said.list(), recovery.MaxDifferences)
	require.LessOrEqual(t, len(said.list()[0]), maxLine)
}

func TestMeaningOfComplaints(t *testing.T) {
	s, err := newServer("source app", "postgres://app:hush@db/shop")
	require.NoError(t, err)
	tests := map[string]struct {
		complaint string
		kind      recovery.FaultKind
		message   string
	}{
		"password":   {`connection to server at "::1", port 5432 failed: FATAL:  password authentication failed for user "app"`, recovery.Permanent, "dump: password refused for user app (correct the password in the URL of source app)"},
		"disk":       {`query failed: ERROR:  could not write: No space left on device`, recovery.Permanent, "dump: query failed: could not write: No space left on device (free disk space on the server of source app)"},
		"extension":  {`could not execute query: ERROR:  extension "postgis" is not available`, recovery.Permanent, `dump: could not execute query: extension "postgis" is not available (install the extension postgis on the server of source app)`},
		"right":      {`query failed: ERROR:  permission denied for schema stock`, recovery.Permanent, `dump: query failed: permission denied for schema stock (GRANT USAGE ON SCHEMA stock TO "app")`},
		"too many":   {`connection to server failed: FATAL:  sorry, too many clients already`, recovery.Unavailable, "dump: connection to server failed: sorry, too many clients already"},
		"terminated": {`Dumping the contents of table "t" failed: PQgetResult() failed.: FATAL:  terminating connection due to administrator command`, recovery.Unavailable, `dump: Dumping the contents of table "t" failed: PQgetResult() failed.: terminating connection due to administrator command`},
		"other":      {`out of memory`, recovery.Unavailable, "dump: out of memory"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := s.toolFault("dump", tt.complaint)
			require.EqualError(t, err, tt.message)
			require.Equal(t, tt.kind, recovery.KindOf(err))
		})
	}
}
