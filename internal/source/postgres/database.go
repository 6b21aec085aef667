package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// database is what belongs to a database and is not in its dump when that is
// restored into a database that is already there: how it was created, whose it
// is, and its settings. Settings can hold secrets.
type database struct {
	ServerMajor int       `json:"serverMajor"`
	Encoding    string    `json:"encoding"`
	Collate     string    `json:"collate"`
	CType       string    `json:"ctype"`
	Provider    string    `json:"provider,omitempty"` // libc, icu or builtin; from PostgreSQL 15 on
	Locale      string    `json:"locale,omitempty"`   // of icu and builtin
	ICURules    string    `json:"icuRules,omitempty"`
	Owner       string    `json:"owner"`
	Comment     string    `json:"comment,omitempty"`
	Granted     bool      `json:"granted,omitempty"` // Grants replace the default rights
	Grants      []grant   `json:"grants,omitempty"`
	Settings    []setting `json:"settings,omitempty"`
	Roles       []string  `json:"roles"`             // that the dump or this document refers to
	Schemas     []string  `json:"schemas,omitempty"` // that the dump needs and does not make
}

type grant struct {
	Grantee   string `json:"grantee,omitempty"` // empty: PUBLIC
	Privilege string `json:"privilege"`
	Grantable bool   `json:"grantable,omitempty"`
}

type setting struct {
	Role  string `json:"role,omitempty"` // empty: every role
	Name  string `json:"name"`
	Value string `json:"value"`
}

// inspectDatabase reads what conn's database is like.
func inspectDatabase(ctx context.Context, conn *pgx.Conn, major int) (*database, error) {
	d := &database{ServerMajor: major}
	if err := d.readProperties(ctx, conn); err != nil {
		return nil, err
	}
	if err := d.readGrants(ctx, conn); err != nil {
		return nil, err
	}
	if err := d.readSettings(ctx, conn); err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, rolesQuery)
	if err != nil {
		return nil, err
	}
	d.Roles, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return d, err
}

// readProperties reads pg_database as JSON, because its columns differ between
// the versions of PostgreSQL.
func (d *database) readProperties(ctx context.Context, conn *pgx.Conn) error {
	var row []byte
	err := conn.QueryRow(ctx, `
		SELECT to_jsonb(d), pg_encoding_to_char(d.encoding), pg_get_userbyid(d.datdba), coalesce(shobj_description(d.oid, 'pg_database'), '')
		FROM pg_database d WHERE d.datname = current_database()`).Scan(&row, &d.Encoding, &d.Owner, &d.Comment)
	if err != nil {
		return err
	}
	var properties struct {
		Collate   string `json:"datcollate"`
		CType     string `json:"datctype"`
		Provider  string `json:"datlocprovider"`
		Locale    string `json:"datlocale"`    // from 17 on
		ICULocale string `json:"daticulocale"` // 15 and 16
		ICURules  string `json:"daticurules"`
	}
	if err := json.Unmarshal(row, &properties); err != nil {
		return fmt.Errorf("read pg_database: %w", err)
	}
	d.Collate, d.CType, d.ICURules = properties.Collate, properties.CType, properties.ICURules
	d.Provider = map[string]string{"c": "libc", "i": "icu", "b": "builtin"}[properties.Provider]
	d.Locale = properties.Locale + properties.ICULocale // at most one is there
	return nil
}

func (d *database) readGrants(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `
		SELECT CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable
		FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = current_database() ORDER BY 1, 2`)
	if err != nil {
		return err
	}
	if d.Grants, err = pgx.CollectRows(rows, pgx.RowToStructByPos[grant]); err != nil {
		return err
	}
	return conn.QueryRow(ctx, `SELECT datacl IS NOT NULL FROM pg_database WHERE datname = current_database()`).Scan(&d.Granted)
}

func (d *database) readSettings(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `
		SELECT CASE WHEN s.setrole = 0 THEN '' ELSE pg_get_userbyid(s.setrole) END, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
		FROM pg_db_role_setting s, unnest(s.setconfig) c
		WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1, 2`)
	if err != nil {
		return err
	}
	d.Settings, err = pgx.CollectRows(rows, pgx.RowToStructByPos[setting])
	return err
}

// rolesQuery lists the roles that a dump of the database and its settings refer
// to. Dependencies on the bootstrap superuser are not recorded by the server, so
// owners are looked up as well. Predefined roles are on every server.
const rolesQuery = `
	WITH d AS (SELECT oid, datdba FROM pg_database WHERE datname = current_database()),
	referred(oid) AS (
		SELECT s.refobjid FROM pg_shdepend s, d WHERE s.refclassid = 'pg_authid'::regclass
			AND (s.dbid = d.oid OR (s.dbid = 0 AND s.classid = 'pg_database'::regclass AND s.objid = d.oid))
		UNION SELECT datdba FROM d
		UNION SELECT setrole FROM pg_db_role_setting, d WHERE setdatabase = d.oid
		UNION SELECT relowner FROM pg_class WHERE oid >= 16384
		UNION SELECT proowner FROM pg_proc WHERE oid >= 16384
		UNION SELECT typowner FROM pg_type WHERE oid >= 16384
		UNION SELECT nspowner FROM pg_namespace WHERE oid >= 16384)
	SELECT rolname FROM pg_roles WHERE oid IN (SELECT oid FROM referred) AND rolname NOT LIKE 'pg\_%' ORDER BY 1`

// create is the statement that makes the database under a quoted name.
func (d *database) create(name string) string {
	sql := fmt.Sprintf("CREATE DATABASE %s TEMPLATE template0 ENCODING %s LC_COLLATE %s LC_CTYPE %s",
		name, literal(d.Encoding), literal(d.Collate), literal(d.CType))
	switch d.Provider {
	case "icu":
		sql += " LOCALE_PROVIDER icu ICU_LOCALE " + literal(d.Locale)
		if d.ICURules != "" {
			sql += " ICU_RULES " + literal(d.ICURules)
		}
	case "builtin":
		sql += " LOCALE_PROVIDER builtin BUILTIN_LOCALE " + literal(d.Locale)
	case "libc":
		sql += " LOCALE_PROVIDER libc"
	}
	return sql
}

// statement changes a database; what says so without showing a value.
type statement struct{ what, sql string }

// statements give the database of a quoted name its owner, rights and settings.
// Its comment is left out: a staging database says there whose it is.
func (d *database) statements(name string) []statement {
	list := []statement{{"owner " + d.Owner, "ALTER DATABASE " + name + " OWNER TO " + identifier(d.Owner)}}
	if d.Granted {
		list = append(list, statement{"default rights", fmt.Sprintf("REVOKE ALL ON DATABASE %s FROM PUBLIC, %s", name, identifier(d.Owner))})
	}
	for _, g := range d.Grants {
		grantee := "PUBLIC"
		if g.Grantee != "" {
			grantee = identifier(g.Grantee)
		}
		sql := fmt.Sprintf("GRANT %s ON DATABASE %s TO %s", g.Privilege, name, grantee)
		if g.Grantable {
			sql += " WITH GRANT OPTION"
		}
		list = append(list, statement{"right " + g.Privilege + " of " + grantee, sql})
	}
	for _, s := range d.Settings {
		what, subject := "setting "+s.Name, "ALTER DATABASE "+name
		if s.Role != "" {
			what, subject = what+" of "+s.Role, fmt.Sprintf("ALTER ROLE %s IN DATABASE %s", identifier(s.Role), name)
		}
		list = append(list, statement{what, fmt.Sprintf("%s SET %s TO %s", subject, identifier(s.Name), s.value())})
	}
	return list
}

// value writes the value as SQL. The server keeps these as lists of quoted names;
// one literal would be taken for one name.
func (s setting) value() string {
	switch s.Name {
	case "search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries",
		"shared_preload_libraries", "unix_socket_directories":
	default:
		return literal(s.Value)
	}
	var items []string
	for rest := strings.TrimSpace(s.Value); rest != ""; {
		var item string
		item, rest = cutName(rest)
		items = append(items, literal(item))
	}
	if len(items) == 0 {
		return "''"
	}
	return strings.Join(items, ", ")
}

// cutName takes the first name of a list such as `"$user", public`.
func cutName(list string) (name, rest string) {
	if !strings.HasPrefix(list, `"`) {
		name, rest, _ = strings.Cut(list, ",")
		return strings.TrimSpace(name), strings.TrimSpace(rest)
	}
	var b strings.Builder
	for i := 1; i < len(list); i++ {
		if list[i] == '"' {
			if i+1 == len(list) || list[i+1] != '"' {
				_, rest, _ = strings.Cut(list[i+1:], ",")
				break
			}
			i++
		}
		b.WriteByte(list[i])
	}
	return b.String(), strings.TrimSpace(rest)
}

// documentMark begins the first line of the document, before its JSON.
const documentMark = "-- lifeboat: "

// document writes d as SQL for psql. Its first line is d as JSON.
func (d *database) document() ([]byte, error) {
	structured, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode database settings: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n", documentMark, structured)
	b.WriteString("-- Makes the database, the roles that its dump refers to, and its settings:\n" +
		"--   psql -v ON_ERROR_STOP=1 -v database=NAME -d postgres -f FILE\n" +
		"-- Roles are made without login and password; those that are there stay as they are.\n\n")
	for _, role := range d.Roles {
		fmt.Fprintf(&b, "SELECT %s WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %s) \\gexec\n",
			literal("CREATE ROLE "+identifier(role)+" NOLOGIN"), literal(role))
	}
	fmt.Fprintf(&b, "SELECT 'CREATE DATABASE ' || quote_ident(:'database') || %s WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = :'database') \\gexec\n",
		literal(strings.TrimPrefix(d.create(""), "CREATE DATABASE ")))
	const name = `:"database"`
	for _, s := range d.statements(name) {
		b.WriteString(s.sql + ";\n")
	}
	if d.Comment != "" {
		fmt.Fprintf(&b, "COMMENT ON DATABASE %s IS %s;\n", name, literal(d.Comment))
	}
	if len(d.Schemas) > 0 {
		b.WriteString("\\connect " + name + "\n")
	}
	for _, schema := range d.Schemas {
		fmt.Fprintf(&b, "CREATE SCHEMA IF NOT EXISTS %s;\n", identifier(schema))
	}
	return []byte(b.String()), nil
}

// parseDocument reads the first line of a document. Errors do not quote it.
func parseDocument(document []byte) (*database, error) {
	line, _, _ := strings.Cut(string(document), "\n")
	structured, ok := strings.CutPrefix(line, documentMark)
	var d database
	if !ok || json.Unmarshal([]byte(structured), &d) != nil || d.Encoding == "" {
		return nil, errors.New("read database settings: the first line is not what Lifeboat writes")
	}
	return &d, nil
}
