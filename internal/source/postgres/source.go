package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Source is a PostgreSQL database to back up.
type Source struct {
	Name        string
	URL         string                   // postgres://…, holds a password
	Tables      []string                 // exact names, "table" or "schema.table"; empty: the whole database
	Fingerprint recovery.FingerprintMode // of the dump; FingerprintContent if empty
	ToolDirs    []string                 // where to look for pg_dump first
}

func (s *Source) server() (*server, error) { return newServer("source "+s.Name, s.URL) }

// Estimate returns the size of the database on its server's disk in bytes, an
// upper estimate of the size of its dump.
func (s *Source) Estimate(ctx context.Context) (int64, error) {
	server, err := s.server()
	if err != nil {
		return 0, err
	}
	var size int64
	err = server.withConn(ctx, "lifeboat", func(conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&size)
		return server.fault(ctx, "measure source "+s.Name, err)
	})
	return size, err
}

// facts are what is looked up about a database before it is dumped.
type facts struct {
	now        time.Time // by the server's clock
	version    string    // "15.18"
	major      int
	extensions []recovery.Extension // without plpgsql, which every server has
	database   *database
	tables     []table // the chosen ones and their partitions; none: all
}

// inspect looks the database up, and refuses what pg_dump could not dump or what
// could not be restored from its dump.
func (s *Source) inspect(ctx context.Context, server *server, conn *pgx.Conn) (*facts, error) {
	doing := "inspect source " + s.Name
	f := &facts{}
	err := conn.QueryRow(ctx, "SELECT clock_timestamp(), current_setting('server_version'), current_setting('server_version_num')::int / 10000").
		Scan(&f.now, &f.version, &f.major)
	if err != nil {
		return nil, server.fault(ctx, doing, err)
	}
	f.version, _, _ = strings.Cut(f.version, " ")
	if f.database, err = inspectDatabase(ctx, conn, f.major); err != nil {
		return nil, server.fault(ctx, doing, err)
	}
	if f.extensions, err = installedExtensions(ctx, conn); err != nil {
		return nil, server.fault(ctx, doing, err)
	}
	if len(s.Tables) > 0 {
		if err := s.chooseTables(ctx, server, conn, f); err != nil {
			return nil, err
		}
	}
	return f, server.checkReadable(ctx, doing, conn, f.tables)
}

// installedExtensions leaves out plpgsql, which every database has.
func installedExtensions(ctx context.Context, conn *pgx.Conn) ([]recovery.Extension, error) {
	rows, err := conn.Query(ctx, "SELECT extname, extversion FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[recovery.Extension])
}

// chooseTables finds the chosen tables, and what their dump would lack.
func (s *Source) chooseTables(ctx context.Context, server *server, conn *pgx.Conn, f *facts) error {
	doing := "choose tables of source " + s.Name
	var err error
	if f.tables, err = findTables(ctx, conn, s.Tables); err != nil {
		if _, ok := errors.AsType[unknownTable](err); ok {
			return recovery.NewFault(recovery.Permanent, fmt.Errorf("%s: %w", doing, err), "correct its name under tables")
		}
		return server.fault(ctx, doing, err)
	}
	lacking, err := lackingTables(ctx, conn, f.tables)
	if err != nil {
		return server.fault(ctx, doing, err)
	}
	if lacking != "" {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("%s: they need %s, which a dump of them does not hold", doing, lacking),
			"add it if it is a table, or back up the whole database")
	}
	seen := map[string]bool{"public": true} // every new database has it
	for _, t := range f.tables {
		if !seen[t.Schema] {
			f.database.Schemas = append(f.database.Schemas, t.Schema)
		}
		seen[t.Schema] = true
	}
	return nil
}

// checkReadable names the first table that the user may not read. pg_dump would
// say so too, but in the server's language.
func (s *server) checkReadable(ctx context.Context, doing string, conn *pgx.Conn, tables []table) error {
	var schema, name, kind string
	var enter bool
	err := conn.QueryRow(ctx, unreadableQuery, oids(tables)).Scan(&schema, &name, &kind, &enter)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return s.fault(ctx, doing, err)
	}
	title := identifier(schema) + "." + identifier(name)
	hint := fmt.Sprintf("GRANT SELECT ON %s %s TO %s", kind, title, identifier(s.config.User))
	if !enter {
		hint = fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", identifier(schema), identifier(s.config.User))
	}
	return recovery.NewFault(recovery.Permanent, fmt.Errorf("%s: user %s has no right to read %s.%s", doing, s.config.User, schema, name), hint)
}
