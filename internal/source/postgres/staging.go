package postgres

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Staging is a throwaway database to restore a dump to. Restore makes it, Drop
// removes it.
type Staging struct {
	ServerURL   string          // of a maintenance database, such as postgres
	Database    string          // as StagingDatabase names it
	Run         recovery.RunRef // whose it is: kept as the database's comment
	Application string          // application_name of its sessions
	Tool        string          // that made the dump, as in recovery.Dump; fingerprints are taken by the same major
	ToolDirs    []string        // where to look for pg_restore and pg_dump first
	Folder      string          // private, for the head of the archive
}

// server is the maintenance database, from which the others are made.
func (s *Staging) server() (*server, error) { return newServer("staging", s.ServerURL) }

// URL is the connection URL of the staging database. It holds a password.
func (s *Staging) URL() string { return urlOf(s.ServerURL, s.Database) }

// Restore makes the database and restores an archive into it; progress is told
// how many bytes of the archive have been read. document is what the dump had as
// its companion. What could not be restored but hinders nothing else
// is a complaint.
func (s *Staging) Restore(ctx context.Context, document []byte, archived io.Reader, progress func(int64)) (*recovery.Restored, error) {
	d, err := parseDocument(document)
	if err != nil {
		return nil, recovery.NewFault(recovery.Damaged, err, "")
	}
	maintenance, err := s.server()
	if err != nil {
		return nil, err
	}
	complaints, err := s.create(ctx, maintenance, s.Database, d)
	if err != nil {
		return nil, err
	}
	t, err := s.tools(ctx, maintenance)
	if err != nil {
		return nil, err
	}
	engine := &restorer{
		tools: t, server: maintenance.database(s.Database), application: s.Application, folder: s.Folder,
		complaints: complaints[:min(len(complaints), recovery.MaxDifferences)],
	}
	return engine.run(ctx, archived, progress)
}

// tools chooses the programs for staging: those of the dump's major version, if
// they are not older than the server.
func (s *Staging) tools(ctx context.Context, maintenance *server) (tools, error) {
	var major int
	err := maintenance.withConn(ctx, s.Application, func(conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int / 10000").Scan(&major)
		return maintenance.fault(ctx, "ask staging for its version", err)
	})
	if err != nil {
		return tools{}, err
	}
	return findTools(ctx, s.ToolDirs, max(major, majorOf(strings.TrimPrefix(s.Tool, "pg_dump "))))
}

// majorOf is the major version in "15.18", 0 if there is none.
func majorOf(version string) int {
	if end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		version = version[:end]
	}
	major, err := strconv.Atoi(version)
	if err != nil {
		return 0
	}
	return major
}

// queryTimeout bounds a query on restored data.
const queryTimeout = 30 * time.Second

// Query runs one query on the staging database, which it cannot change, and
// returns the first column of the first row as text, empty for NULL or no row.
func (s *Staging) Query(ctx context.Context, sql string) (string, error) {
	const doing = "query staging"
	maintenance, err := s.server()
	if err != nil {
		return "", err
	}
	server := maintenance.database(s.Database)
	server.config.RuntimeParams["default_transaction_read_only"] = "on"
	server.config.RuntimeParams["statement_timeout"] = strconv.FormatInt(queryTimeout.Milliseconds(), 10)
	var value string
	err = server.withConn(ctx, s.Application, func(conn *pgx.Conn) error {
		// One statement only, results as text.
		result := conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Read()
		if result.Err != nil {
			return server.fault(ctx, doing, result.Err)
		}
		if len(result.Rows) == 0 || len(result.Rows[0]) == 0 {
			return nil
		}
		value = string(result.Rows[0][0])
		return nil
	})
	return value, err
}

// countingReader tells progress what was read.
type countingReader struct {
	r        io.Reader
	n        int64
	progress func(int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.progress != nil && n > 0 {
		c.progress(c.n)
	}
	return n, err
}
