package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/jackc/pgx/v5"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

// Fingerprint says what the staging database holds now. Mode and tables are those
// of the dump that was restored.
func (s *Staging) Fingerprint(ctx context.Context, mode recovery.FingerprintMode, tables []string) (*recovery.Fingerprint, error) {
	return s.fingerprint(ctx, s.Database, mode, tables)
}

// Definitions restores the definitions of an archive, without data, into a second
// database like the first by stock pg_restore, and says what they are there.
// PostgreSQL words some definitions anew when they are first restored: compared
// with this, the restored database has no difference that comes from there.
func (s *Staging) Definitions(ctx context.Context, archived io.Reader, tables []string) (found *recovery.Fingerprint, err error) {
	maintenance, err := s.server()
	if err != nil {
		return nil, err
	}
	t, err := s.tools(ctx, maintenance)
	if err != nil {
		return nil, err
	}
	reader, err := archive.NewReader(archived)
	if err != nil {
		return nil, err
	}
	head, err := s.keepHead(reader.Head())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(head)) }()
	scratch := s.Database + scratchSuffix
	defer func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		err = errors.Join(err, s.drop(cleanup, scratch))
	}()
	d, err := s.describe(ctx, maintenance, len(tables) > 0)
	if err != nil {
		return nil, err
	}
	if _, err := s.create(ctx, maintenance, scratch, d); err != nil {
		return nil, err
	}
	if _, err := t.restore(ctx, maintenance.database(scratch), s.Application, nil, "--schema-only", head); err != nil {
		return nil, err
	}
	found, err = s.fingerprint(ctx, scratch, recovery.FingerprintCounts, tables)
	if err != nil {
		return nil, err
	}
	found.Data = nil // there is none
	return found, nil
}

// describe reads what the staging database is like. Its roles are there.
func (s *Staging) describe(ctx context.Context, maintenance *server, chosenTables bool) (*database, error) {
	restored := maintenance.database(s.Database)
	var d *database
	err := restored.withConn(ctx, s.Application, func(conn *pgx.Conn) (err error) {
		d, err = inspectDatabase(ctx, conn, majorOf(conn.PgConn().ParameterStatus("server_version")))
		if err != nil || !chosenTables {
			return restored.fault(ctx, "inspect staging database", err)
		}
		rows, err := conn.Query(ctx, "SELECT nspname FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_' ORDER BY 1")
		if err == nil {
			d.Schemas, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return restored.fault(ctx, "inspect staging database", err)
	})
	return d, err
}

// keepHead writes the head of an archive to a private file.
func (s *Staging) keepHead(head []byte) (path string, err error) {
	f, err := os.CreateTemp(s.Folder, "head-*.dump") // mode 0600
	if err != nil {
		return "", fmt.Errorf("keep the head of the archive: %w", err)
	}
	_, err = f.Write(head)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("keep the head of the archive: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return f.Name(), nil
}

func (s *Staging) fingerprint(ctx context.Context, database string, mode recovery.FingerprintMode, tables []string) (*recovery.Fingerprint, error) {
	maintenance, err := s.server()
	if err != nil {
		return nil, err
	}
	t, err := s.tools(ctx, maintenance)
	if err != nil {
		return nil, err
	}
	server := maintenance.database(database)
	run := dumpRun{server: server, tools: t, application: s.Application, doing: "dump staging", mode: mode}
	if len(tables) > 0 {
		err = server.withConn(ctx, s.Application, func(conn *pgx.Conn) error {
			chosen, err := findTables(ctx, conn, tables)
			if err != nil {
				return server.fault(ctx, "look for tables on staging", err)
			}
			extensions, err := installedExtensions(ctx, conn)
			run.choose(chosen, extensions)
			return server.fault(ctx, "look for extensions on staging", err)
		})
		if err != nil {
			return nil, err
		}
	}
	found, _, err := run.to(ctx, io.Discard, nil)
	return found, err
}
