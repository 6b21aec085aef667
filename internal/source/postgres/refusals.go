package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// mayClose says in SQL whether the user may end the sessions of r, a row of
// pg_roles; me is the user's own row.
const mayClose = `coalesce(me.rolsuper OR NOT r.rolsuper AND (pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')), false)`

// obstacles are the facts about a database that keep it from being renamed.
type obstacles struct {
	User      string // the admin
	CreateDB  bool
	Found     bool
	Owner     string
	Owned     bool // by a role whose rights the admin has
	Template  bool
	Closed    bool // to all connections
	Prepared  int
	Slots     []string
	Follows   []string // subscriptions
	Unclosing []string // roles whose sessions the admin may not end
	Supers    []string // those of them that are superusers
}

// obstaclesQuery wants the database's name and the service's role.
const obstaclesQuery = `
	WITH me AS (SELECT * FROM pg_roles WHERE rolname = current_user),
	unclosing AS (
		SELECT r.rolname, r.rolsuper FROM pg_roles r, me WHERE NOT ` + mayClose + ` AND (r.rolname = $2 OR NOT r.rolsuper AND r.oid IN
			(SELECT a.usesysid FROM pg_stat_activity a WHERE a.datname = $1)))
	SELECT me.rolname, me.rolsuper OR me.rolcreatedb, d.oid IS NOT NULL, coalesce(pg_get_userbyid(d.datdba), ''),
		coalesce(pg_has_role(d.datdba, 'USAGE'), true), coalesce(d.datistemplate, false), NOT coalesce(d.datallowconn, true),
		(SELECT count(*) FROM pg_prepared_xacts WHERE database = $1),
		ARRAY(SELECT slot_name::text FROM pg_replication_slots WHERE database = $1 ORDER BY 1),
		ARRAY(SELECT subname::text FROM pg_subscription WHERE subdbid = d.oid ORDER BY 1),
		ARRAY(SELECT rolname::text FROM unclosing WHERE NOT rolsuper ORDER BY 1),
		ARRAY(SELECT rolname::text FROM unclosing WHERE rolsuper ORDER BY 1)
	FROM me LEFT JOIN pg_database d ON d.datname = $1`

// refusals say, one sentence each, why a database cannot be renamed as it is now.
// Sessions that can be closed are no reason, nor are those of superusers, who come
// and go; but the service's own must be such that they can be closed.
func refusals(ctx context.Context, conn *pgx.Conn, database, serviceRole string) ([]string, error) {
	rows, err := conn.Query(ctx, obstaclesQuery, database, serviceRole)
	if err != nil {
		return nil, err
	}
	o, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[obstacles])
	if err != nil {
		return nil, err
	}
	return append(o.ofRights(database), o.ofState(database)...), nil
}

func (o *obstacles) ofRights(database string) (list []string) {
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	user := identifier(o.User)
	if !o.CreateDB {
		say("User %s may not make and rename databases: ALTER ROLE %s CREATEDB.", o.User, user)
	}
	if !o.Owned {
		say("User %s has not the rights of %s, who owns database %s: GRANT %s TO %s.", o.User, o.Owner, database, identifier(o.Owner), user)
	}
	if len(o.Unclosing) > 0 {
		say("User %s may not close the sessions of %s: GRANT pg_signal_backend TO %s.", o.User, strings.Join(o.Unclosing, ", "), user)
	}
	if len(o.Supers) > 0 {
		say("User %s may not close the sessions of %s, a superuser: let the admin's URL name a superuser, too.", o.User, strings.Join(o.Supers, ", "))
	}
	return list
}

func (o *obstacles) ofState(database string) (list []string) {
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if slices.Contains(maintenanceDatabases, database) {
		say("Database %s is the one from which others are renamed: keep the service's data in a database of its own.", database)
	} else if o.Template {
		say("Database %s is a template: ALTER DATABASE %s IS_TEMPLATE false.", database, identifier(database))
	}
	if o.Closed {
		say("Database %s is closed to all connections: ALTER DATABASE %s ALLOW_CONNECTIONS true.", database, identifier(database))
	}
	if o.Prepared > 0 {
		say("Database %s has prepared transactions (%d): end those that pg_prepared_xacts shows by COMMIT PREPARED or ROLLBACK PREPARED.", database, o.Prepared)
	}
	if len(o.Slots) > 0 {
		say("Database %s is followed by logical replication, slot %s: end what uses it, then SELECT pg_drop_replication_slot(…).", database, strings.Join(o.Slots, ", "))
	}
	if len(o.Follows) > 0 {
		say("Database %s follows another by the subscription %s: DROP SUBSCRIPTION there, and make it anew afterwards.", database, strings.Join(o.Follows, ", "))
	}
	return list
}

// lacks are what a copy of a database, made by the admin, would not have.
type lacks struct {
	User       string
	Parameters []string // that not everyone may set, and unknown ones
	Roles      []string // that have settings in the database and that the admin may not change
	Owners     []string // of objects, whose rights the admin does not have
}

// lacksQuery wants the database's name. A superuser's copy lacks nothing.
const lacksQuery = `
	WITH me AS (SELECT * FROM pg_roles WHERE rolname = current_user),
	d AS (SELECT pg_database.oid FROM pg_database, me WHERE datname = $1 AND NOT me.rolsuper),
	settings AS (SELECT s.setrole, split_part(c, '=', 1) AS name FROM d JOIN pg_db_role_setting s ON s.setdatabase = d.oid, unnest(s.setconfig) c)
	SELECT me.rolname,
		ARRAY(SELECT DISTINCT s.name FROM settings s
			WHERE NOT EXISTS (SELECT FROM pg_settings p WHERE lower(p.name) = lower(s.name) AND p.context = 'user') ORDER BY 1),
		ARRAY(SELECT DISTINCT r.rolname::text FROM settings s JOIN pg_roles r ON r.oid = s.setrole WHERE NOT me.rolcreaterole AND r.oid <> me.oid ORDER BY 1),
		ARRAY(SELECT DISTINCT r.rolname::text FROM d JOIN pg_shdepend s ON s.dbid = d.oid AND s.deptype = 'o' AND s.refclassid = 'pg_authid'::regclass
			JOIN pg_roles r ON r.oid = s.refobjid WHERE NOT pg_has_role(r.oid, 'USAGE') ORDER BY 1)
	FROM me`

// copyRefusals say, one sentence each, what keeps the admin from making a copy of a
// database that has all that it has.
func copyRefusals(ctx context.Context, conn *pgx.Conn, database string) (list []string, err error) {
	rows, err := conn.Query(ctx, lacksQuery, database)
	if err != nil {
		return nil, err
	}
	l, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[lacks])
	if err != nil {
		return nil, err
	}
	const parameterRights = 15 // the major version that has them
	if len(l.Parameters) > 0 && majorOf(conn.PgConn().ParameterStatus("server_version")) >= parameterRights {
		err := conn.QueryRow(ctx, `SELECT ARRAY(SELECT p FROM unnest($1::text[]) p WHERE NOT has_parameter_privilege(p, 'SET'))`, l.Parameters).Scan(&l.Parameters)
		if err != nil {
			return nil, err
		}
	}
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	user := identifier(l.User)
	if p := l.Parameters; len(p) > 0 {
		say("User %s may not give a copy of database %s its setting %s: GRANT SET ON PARAMETER %s TO %s.", l.User, database, strings.Join(p, ", "), strings.Join(p, ", "), user)
	}
	if len(l.Roles) > 0 {
		say("User %s may not give a copy of database %s its settings of role %s: ALTER ROLE %s CREATEROLE.", l.User, database, strings.Join(l.Roles, ", "), user)
	}
	for _, owner := range l.Owners {
		say("User %s has not the rights of %s, who owns something in database %s: GRANT %s TO %s.", l.User, owner, database, identifier(owner), user)
	}
	return list, nil
}
