package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// stagingPrefix begins the names of all staging databases, and of nothing else
// that Lifeboat drops.
const stagingPrefix = "lifeboat_"

// scratchSuffix ends the name of the second database, of Definitions.
const scratchSuffix = "_d"

// StagingDatabase names the staging database of one attempt at restoring a
// source. The names of different runs, sources and attempts differ.
func StagingDatabase(run recovery.RunRef, source string, attempt int) string {
	end := "_" + hash(run.WorkflowID+"\x00"+run.RunID+"\x00"+source) + "_" + strconv.Itoa(attempt)
	room := maxName - len(stagingPrefix) - len(end) - len(scratchSuffix)
	return stagingPrefix + shortened(strings.ReplaceAll(source, "-", "_"), room) + end
}

// stagingComment is the comment of a staging database, in JSON.
type stagingComment struct {
	Lifeboat recovery.RunRef `json:"lifeboat"`
	Comment  string          `json:"comment,omitempty"` // of the database that was dumped
}

// create makes a database as d describes it, and the roles that it needs. What
// the server refuses of its settings is a complaint.
func (s *Staging) create(ctx context.Context, maintenance *server, name string, d *database) (complaints []string, err error) {
	comment, err := json.Marshal(stagingComment{s.Run, d.Comment})
	if err != nil {
		return nil, fmt.Errorf("encode run: %w", err)
	}
	quoted := identifier(name)
	err = maintenance.withConn(ctx, s.Application, func(conn *pgx.Conn) error {
		if err := maintenance.dropEarlier(ctx, conn, name); err != nil {
			return err
		}
		err := withRolesLocked(ctx, conn, func() error {
			if _, err := conn.Exec(ctx, d.create(quoted)); err != nil {
				return maintenance.fault(ctx, "create staging database", err)
			}
			if _, err := conn.Exec(ctx, "COMMENT ON DATABASE "+quoted+" IS "+literal(string(comment))); err != nil {
				return maintenance.fault(ctx, "mark staging database", err)
			}
			return maintenance.makeRoles(ctx, conn, d.Roles)
		})
		if err != nil {
			return err
		}
		complaints, err = maintenance.apply(ctx, conn, d.statements(quoted))
		return err
	})
	if err != nil || len(d.Schemas) == 0 {
		return complaints, err
	}
	return complaints, maintenance.database(name).makeSchemas(ctx, s.Application, d.Schemas)
}

// apply runs statements that a database can do without.
func (s *server) apply(ctx context.Context, conn *pgx.Conn, changes []statement) (complaints []string, err error) {
	for _, change := range changes {
		_, err := conn.Exec(ctx, change.sql)
		switch e := refused(err); {
		case e != nil: // its message may quote the value, which may be a secret
			complaints = append(complaints, fmt.Sprintf("database: %s was not restored (SQLSTATE %s)", change.what, e.Code))
		case err != nil:
			return complaints, s.fault(ctx, "set up staging database", err)
		}
	}
	return complaints, nil
}

// makeSchemas makes the schemas that a dump of chosen tables does not.
func (s *server) makeSchemas(ctx context.Context, application string, schemas []string) error {
	return s.withConn(ctx, application, func(conn *pgx.Conn) error {
		for _, schema := range schemas {
			if _, err := conn.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+identifier(schema)); err != nil {
				return s.fault(ctx, "create schema "+schema, err)
			}
		}
		return nil
	})
}

// dropEarlier drops what this attempt and those before it left: the database
// of that name and those that differ from it by a smaller number at the end.
func (s *server) dropEarlier(ctx context.Context, conn *pgx.Conn, name string) error {
	plain, scratch := strings.CutSuffix(name, scratchSuffix)
	base := plain[:strings.LastIndexByte(plain, '_')+1]
	attempt, err := strconv.Atoi(plain[len(base):])
	if scratch || err != nil {
		return s.dropDatabase(ctx, conn, name)
	}
	rows, err := conn.Query(ctx, "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", base)
	if err != nil {
		return s.fault(ctx, "list staging databases", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return s.fault(ctx, "list staging databases", err)
	}
	for _, other := range found {
		number, err := strconv.Atoi(strings.TrimSuffix(other[len(base):], scratchSuffix))
		if err != nil || number > attempt {
			continue
		}
		if err := s.dropDatabase(ctx, conn, other); err != nil {
			return err
		}
	}
	return nil
}

// dropDatabase ends a staging database's sessions and drops it, if it is there.
func (s *server) dropDatabase(ctx context.Context, conn *pgx.Conn, name string) error {
	if !strings.HasPrefix(name, stagingPrefix) {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("drop database %s: it is not a staging database", name), "")
	}
	return s.dropForced(ctx, conn, name)
}

// dropForced ends a database's sessions and drops it, if it is there.
func (s *server) dropForced(ctx context.Context, conn *pgx.Conn, name string) error {
	sql := "DROP DATABASE IF EXISTS " + identifier(name)
	if majorOf(conn.PgConn().ParameterStatus("server_version")) >= 13 {
		sql += " WITH (FORCE)"
	} else if err := endSessionsOf(ctx, conn, name); err != nil {
		return s.fault(ctx, "end sessions of database "+name, err)
	}
	_, err := conn.Exec(ctx, sql)
	return s.fault(ctx, "drop database "+name, err)
}

// cleanupTimeout bounds work that is done although the context has ended.
const cleanupTimeout = 30 * time.Second

// Drop drops the staging database and what belongs to it, that of earlier attempts
// included. It is no error if there is none.
func (s *Staging) Drop(ctx context.Context) error { return s.drop(ctx, s.Database) }

func (s *Staging) drop(ctx context.Context, name string) error {
	maintenance, err := s.server()
	if err != nil {
		return err
	}
	return maintenance.withConn(ctx, s.Application, func(conn *pgx.Conn) error {
		return errors.Join(maintenance.dropEarlier(ctx, conn, name), maintenance.dropRoles(ctx, conn))
	})
}

// SweepStaging drops the staging databases whose run is not running any more. A
// database is left alone if its comment does not name a run, or if it cannot be
// found out whether the run is running.
func SweepStaging(ctx context.Context, serverURL string, running func(context.Context, recovery.RunRef) (bool, error)) (dropped []string, err error) {
	maintenance, err := newServer("staging", serverURL)
	if err != nil {
		return nil, err
	}
	err = maintenance.withConn(ctx, "lifeboat/sweep", func(conn *pgx.Conn) error {
		found, err := stagingDatabases(ctx, conn)
		if err != nil {
			return maintenance.fault(ctx, "list staging databases", err)
		}
		var errs []error
		for _, d := range found {
			alive, err := running(ctx, d.run)
			if err == nil && !alive {
				if err = maintenance.dropDatabase(ctx, conn, d.name); err == nil {
					dropped = append(dropped, d.name)
				}
			}
			errs = append(errs, err)
		}
		return errors.Join(append(errs, maintenance.dropRoles(ctx, conn))...)
	})
	return dropped, err
}

type stagingDatabase struct {
	name string
	run  recovery.RunRef
}

// stagingDatabases lists the databases that say whose they are.
func stagingDatabases(ctx context.Context, conn *pgx.Conn) ([]stagingDatabase, error) {
	rows, err := conn.Query(ctx, `SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE starts_with(datname, $1) ORDER BY 1`, stagingPrefix)
	if err != nil {
		return nil, err
	}
	var found []stagingDatabase
	var name, text string
	_, err = pgx.ForEachRow(rows, []any{&name, &text}, func() error {
		var comment stagingComment
		if json.Unmarshal([]byte(text), &comment) == nil && comment.Lifeboat != (recovery.RunRef{}) {
			found = append(found, stagingDatabase{name, comment.Lifeboat})
		}
		return nil
	})
	return found, err
}
