package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// table is a table chosen for a dump.
type table struct {
	OID    uint32
	Schema string
	Name   string
}

// pattern is the table in pg_dump's pattern language, quoted so that it fits only
// this name.
func (t table) pattern() string { return identifier(t.Schema) + "." + identifier(t.Name) }

// oids is nil for all tables.
func oids(tables []table) []uint32 {
	var list []uint32
	for _, t := range tables {
		list = append(list, t.OID)
	}
	return list
}

// unknownTable is the error for a name that fits no table.
type unknownTable string

func (t unknownTable) Error() string { return fmt.Sprintf("there is no table %q", string(t)) }

// findTables looks tables up by their exact names. A partitioned table comes with
// its partitions, which hold its rows.
func findTables(ctx context.Context, conn *pgx.Conn, names []string) ([]table, error) {
	var found []table
	for _, name := range names {
		rows, err := conn.Query(ctx, `
			WITH RECURSIVE named AS (
				SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
				WHERE c.relkind IN ('r', 'p', 'f') AND (n.nspname || '.' || c.relname = $1 OR (c.relname = $1 AND pg_table_is_visible(c.oid)))
				ORDER BY c.relname = $1 LIMIT 1),
			chosen AS (
				SELECT oid FROM named
				UNION SELECT i.inhrelid FROM pg_inherits i JOIN chosen ON chosen.oid = i.inhparent JOIN pg_class p ON p.oid = i.inhrelid AND p.relispartition)
			SELECT c.oid, n.nspname, c.relname FROM chosen JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind <> 'I' ORDER BY 2, 3`, name)
		if err != nil {
			return nil, err
		}
		tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
		if err != nil {
			return nil, err
		}
		if len(tables) == 0 {
			return nil, unknownTable(name)
		}
		for _, t := range tables {
			if !slices.Contains(found, t) {
				found = append(found, t)
			}
		}
	}
	return found, nil
}

// lackingTables describes something that the tables cannot be restored without
// and that a dump of them does not hold: a table that a foreign key refers to, a
// type, a function. It is empty if there is no such thing. Extensions are dumped
// with the tables.
func lackingTables(ctx context.Context, conn *pgx.Conn, tables []table) (string, error) {
	var what string
	err := conn.QueryRow(ctx, `
		WITH parts AS (
			SELECT 'pg_class'::regclass AS class, unnest($1::oid[]) AS oid
			UNION ALL SELECT 'pg_constraint'::regclass, oid FROM pg_constraint WHERE conrelid = ANY($1)
			UNION ALL SELECT 'pg_attrdef'::regclass, oid FROM pg_attrdef WHERE adrelid = ANY($1)
			UNION ALL SELECT 'pg_policy'::regclass, oid FROM pg_policy WHERE polrelid = ANY($1)
			UNION ALL SELECT 'pg_class'::regclass, indexrelid FROM pg_index WHERE indrelid = ANY($1)
			UNION ALL SELECT 'pg_trigger'::regclass, oid FROM pg_trigger WHERE tgrelid = ANY($1) AND NOT tgisinternal),
		with_tables AS (
			SELECT unnest($1::oid[]) AS oid
			UNION SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
				AND refobjid = ANY($1) AND deptype IN ('a', 'i'))
		SELECT pg_describe_object(d.refclassid, d.refobjid, 0)
		FROM pg_depend d JOIN parts p ON p.class = d.classid AND p.oid = d.objid
		WHERE d.deptype = 'n' AND d.refobjid >= 16384
			AND d.refclassid IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass,
				'pg_collation'::regclass, 'pg_opclass'::regclass, 'pg_ts_config'::regclass, 'pg_foreign_server'::regclass)
			AND NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM with_tables))
			AND NOT EXISTS (SELECT FROM pg_class i WHERE d.refclassid = 'pg_class'::regclass AND i.oid = d.refobjid AND i.relkind IN ('i', 'I'))
			AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')
		ORDER BY 1 LIMIT 1`, oids(tables)).Scan(&what)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return what, err
}

// unreadableQuery finds a table or sequence that pg_dump would have to read and
// that the user may not. $1 are the chosen tables, NULL for all.
const unreadableQuery = `
	SELECT n.nspname, c.relname, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, has_schema_privilege(n.oid, 'USAGE')
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		AND ($1::oid[] IS NULL OR c.oid = ANY($1))
		AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
		AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
	ORDER BY 1, 2 LIMIT 1`
