package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Roles belong to a whole server. Those that a dump refers to and that staging
// lacks are made without login, and marked by their comment. They are dropped
// again when the last staging database is, unless something else has come to
// depend on them: then the server refuses, and they stay.

// roleComment marks a role as made by makeRoles.
const roleComment = "made by Lifeboat for a staging database"

// rolesLock is the key of the advisory lock under which roles are made and
// dropped, so that none is dropped that another restore has just found there.
const rolesLock = 0x6c696665626f6174

// withRolesLocked runs do under the lock, which belongs to the session.
func withRolesLocked(ctx context.Context, conn *pgx.Conn, do func() error) error {
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(rolesLock)); err != nil {
		return fmt.Errorf("lock roles: %w", err)
	}
	if err := do(); err != nil {
		return err // the end of the session unlocks
	}
	_, err := conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", int64(rolesLock))
	return err
}

// missingRoles returns those of the roles that the server lacks.
func missingRoles(ctx context.Context, conn *pgx.Conn, roles []string) ([]string, error) {
	rows, err := conn.Query(ctx, "SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", roles)
	if err != nil {
		return nil, err
	}
	there, err := pgx.CollectRows(rows, pgx.RowTo[string])
	missing := slices.DeleteFunc(slices.Clone(roles), func(role string) bool { return slices.Contains(there, role) })
	return missing, err
}

// makeRoles makes the roles that are missing. A user who is no superuser becomes
// a member of them, to be able to give them what is theirs.
func (s *server) makeRoles(ctx context.Context, conn *pgx.Conn, roles []string) error {
	missing, err := missingRoles(ctx, conn, roles)
	if err != nil {
		return s.fault(ctx, "look for roles", err)
	}
	var superuser bool
	if err := conn.QueryRow(ctx, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&superuser); err != nil {
		return s.fault(ctx, "look for roles", err)
	}
	for _, role := range missing {
		sql := "CREATE ROLE " + identifier(role) + " NOLOGIN"
		if !superuser {
			sql += " ROLE CURRENT_USER"
		}
		if _, err := conn.Exec(ctx, sql); err != nil {
			return s.fault(ctx, "make role "+role, err)
		}
		if _, err := conn.Exec(ctx, "COMMENT ON ROLE "+identifier(role)+" IS "+literal(roleComment)); err != nil {
			return s.fault(ctx, "mark role "+role, err)
		}
	}
	return nil
}

// dropRoles drops the roles that makeRoles made, if no staging database is left.
func (s *server) dropRoles(ctx context.Context, conn *pgx.Conn) error {
	return withRolesLocked(ctx, conn, func() error {
		rows, err := conn.Query(ctx, `
			SELECT rolname FROM pg_roles
			WHERE shobj_description(oid, 'pg_authid') = $1 AND NOT EXISTS (SELECT FROM pg_database WHERE starts_with(datname, $2))`, roleComment, stagingPrefix)
		if err != nil {
			return s.fault(ctx, "look for roles", err)
		}
		unused, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return s.fault(ctx, "look for roles", err)
		}
		for _, role := range unused {
			if _, err := conn.Exec(ctx, "DROP ROLE "+identifier(role)); err != nil && refused(err) == nil {
				return s.fault(ctx, "drop role "+role, err)
			}
		}
		return nil
	})
}

// rolesMadeFor lists the roles that makeRoles made and that a database has come to
// need: they belong to it or have rights in it, or it has settings for them.
func rolesMadeFor(ctx context.Context, conn *pgx.Conn, database uint32) ([]string, error) {
	rows, err := conn.Query(ctx, `
		SELECT r.rolname FROM pg_roles r WHERE shobj_description(r.oid, 'pg_authid') = $1 AND (
			EXISTS (SELECT FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
				AND (s.dbid = $2 OR s.dbid = 0 AND s.classid = 'pg_database'::regclass AND s.objid = $2))
			OR EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = $2)) ORDER BY 1`, roleComment, database)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
