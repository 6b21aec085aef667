package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Live is a production database that a restore replaces. What takes its place is
// restored beside it by a Staging whose ServerURL is AdminURL.
type Live struct {
	Source      string // its name, for errors
	URL         string // the service's own: names the database, and the role that the service uses
	AdminURL    string // same server, as a role that may make and rename databases; whichever database it names
	Application string // application_name of its sessions
}

// ErrNotFound says that there is no database of that name.
var ErrNotFound = errors.New("there is no such database")

// maintenanceDatabases are those from which others are renamed and dropped, in the
// order of preference. They are replaced by no restore.
var maintenanceDatabases = []string{"postgres", "template1"}

// service is the live database, as the service's own role.
func (l *Live) service() (*server, error) { return newServer("source "+l.Source, l.URL) }

// maintenance is a database of the live server in which the admin role can work on
// the others.
func (l *Live) maintenance(ctx context.Context) (*server, error) {
	admin, err := newServer("source "+l.Source+" for its admin", l.AdminURL)
	if err != nil {
		return nil, err
	}
	for _, name := range maintenanceDatabases {
		s := admin.database(name)
		conn, err := s.open(ctx, l.Application)
		if err == nil {
			return s, conn.Close(ctx)
		}
		const unknownDatabase, mayNotConnect = "3D000", "42501"
		if e := refused(err); e == nil || e.Code != unknownDatabase && e.Code != mayNotConnect {
			return nil, s.fault(ctx, "connect to "+s.title, err)
		}
	}
	return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("connect to %s: it may use none of the databases %s", admin.title, strings.Join(maintenanceDatabases, ", ")),
		"GRANT CONNECT ON DATABASE postgres TO "+identifier(admin.config.User))
}

// URLOf is the service's own URL for another database. It holds a password.
func (l *Live) URLOf(database string) string { return urlOf(l.URL, database) }

// AsideName names what was live when it is set aside; stamp tells one time from
// another. Names of different databases and stamps differ.
func AsideName(live, stamp string) string {
	return shortened("before_"+strings.ToLower(stamp)+"_"+live, maxName)
}

// Inspect says what is there now, and why it could not be replaced.
func (l *Live) Inspect(ctx context.Context) (*recovery.LiveState, error) {
	service, err := l.service()
	if err != nil {
		return nil, err
	}
	maintenance, err := l.maintenance(ctx)
	if err != nil {
		return nil, err
	}
	name := service.config.Database
	state := &recovery.LiveState{
		Source: l.Source, Kind: recovery.KindPostgres, Name: name,
		Where: "database " + name + " on " + maintenance.address(),
	}
	err = maintenance.withConn(ctx, l.Application, func(conn *pgx.Conn) error {
		if err := l.describe(ctx, maintenance, conn, state); err != nil {
			return maintenance.fault(ctx, "inspect source "+l.Source, err)
		}
		state.Refusals, err = refusals(ctx, conn, name, service.config.User)
		if err != nil {
			return maintenance.fault(ctx, "inspect source "+l.Source, err)
		}
		more, err := copyRefusals(ctx, conn, name)
		state.Refusals = append(state.Refusals, more...)
		return maintenance.fault(ctx, "inspect source "+l.Source, err)
	})
	if err != nil {
		return nil, err
	}
	other, err := l.elsewhere(ctx, service, maintenance)
	if err == nil && other != "" {
		state.Refusals = append(state.Refusals, other)
	}
	return state, err
}

// describe reads what stands under the live name.
func (l *Live) describe(ctx context.Context, maintenance *server, conn *pgx.Conn, state *recovery.LiveState) error {
	found, err := placesNow(ctx, maintenance, conn, state.Name)
	if err != nil {
		return err
	}
	if p := found[state.Name]; p != nil {
		state.Exists, state.Identity = true, p.identity
		err := conn.QueryRow(ctx, "SELECT pg_database_size($1::name)", state.Name).Scan(&state.Size)
		if err != nil && refused(err) == nil {
			return err
		}
	}
	var folder string
	err = conn.QueryRow(ctx, "SELECT current_setting('data_directory')").Scan(&folder)
	if refused(err) != nil { // not ours to know
		return nil
	}
	if err == nil {
		state.Free, err = maintenance.freeSpace(folder)
	}
	if errors.Is(err, errNotHere) {
		return nil
	}
	return err
}

// elsewhere says so if the two URLs lead to different servers. Different addresses
// may be one server, behind a pooler.
func (l *Live) elsewhere(ctx context.Context, service, maintenance *server) (string, error) {
	if service.address() == maintenance.address() {
		return "", nil
	}
	var here, there string
	err := maintenance.withConn(ctx, l.Application, func(conn *pgx.Conn) (err error) {
		there, err = serverIdentity(ctx, conn)
		return maintenance.fault(ctx, "inspect source "+l.Source, err)
	})
	if err != nil {
		return "", err
	}
	// Is it there under another name? A pooler's names need not be the server's.
	var name string
	err = service.withConn(ctx, l.Application, func(conn *pgx.Conn) (err error) {
		if here, err = serverIdentity(ctx, conn); err != nil {
			return err
		}
		return conn.QueryRow(ctx, "SELECT current_database()").Scan(&name)
	})
	const mend = ": let the admin's URL name the server that holds the database"
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return fmt.Sprintf("It cannot be told whether %s and %s are the same server, because the first does not answer as it should%s.", service.address(), maintenance.address(), mend), nil
	case here != there:
		return fmt.Sprintf("The service's URL leads to another server, %s, than the admin's, %s%s.", service.address(), maintenance.address(), mend), nil
	case name != service.config.Database:
		return fmt.Sprintf("The service's URL says database %s, which is called %s on the server: write a URL that does not go through a pooler.", service.config.Database, name), nil
	}
	return "", nil
}

// Identity tells a database from every other that had or will have its name, on
// this and other servers: "<system identifier>/<oid>". Where the server does not
// let the admin see its identifier, its address stands for it.
func (l *Live) Identity(ctx context.Context, database string) (string, error) {
	maintenance, err := l.maintenance(ctx)
	if err != nil {
		return "", err
	}
	var found map[string]*place
	err = maintenance.withConn(ctx, l.Application, func(conn *pgx.Conn) error {
		found, err = placesNow(ctx, maintenance, conn, database)
		return maintenance.fault(ctx, "look for database "+database, err)
	})
	if err != nil {
		return "", err
	}
	if found[database] == nil {
		return "", recovery.NewFault(recovery.Permanent, fmt.Errorf("look for database %s: %w", database, ErrNotFound), "")
	}
	return found[database].identity, nil
}

// Drop drops a database that was set aside or stayed beside, if its identity is the
// one given, and ends its sessions. It is no error if there is none of that name.
func (l *Live) Drop(ctx context.Context, database, identity string) error {
	doing := "drop database " + database
	refuse := func(why string) error {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("%s: %s", doing, why), "")
	}
	service, err := l.service()
	if err != nil {
		return err
	}
	if database == service.config.Database || slices.Contains(maintenanceDatabases, database) {
		return refuse("it is in use")
	}
	maintenance, err := l.maintenance(ctx)
	if err != nil {
		return err
	}
	return maintenance.withConn(ctx, l.Application, func(conn *pgx.Conn) error {
		found, err := placesNow(ctx, maintenance, conn, database)
		if err != nil {
			return maintenance.fault(ctx, doing, err)
		}
		p := found[database]
		switch {
		case p == nil:
			return nil
		case p.identity != identity:
			return refuse(fmt.Sprintf("it is %s, not %s", p.identity, identity))
		}
		return maintenance.dropForced(ctx, conn, database)
	})
}

// place is a database name and what stands there.
type place struct {
	name     string
	oid      uint32
	identity string
	limit    int32 // of connections
	comment  string
}

// placesNow looks databases up by name. Those that there are not are not in it.
func placesNow(ctx context.Context, s *server, conn *pgx.Conn, names ...string) (map[string]*place, error) {
	var systemID string
	err := conn.QueryRow(ctx, "SELECT system_identifier::text FROM pg_control_system()").Scan(&systemID)
	if refused(err) != nil {
		systemID, err = s.address(), nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, `
		SELECT datname, oid, datconnlimit, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = ANY($1)`, names)
	if err != nil {
		return nil, err
	}
	found := map[string]*place{}
	var p place
	_, err = pgx.ForEachRow(rows, []any{&p.name, &p.oid, &p.limit, &p.comment}, func() error {
		p.identity = systemID + "/" + strconv.FormatUint(uint64(p.oid), 10)
		found[p.name] = new(p)
		return nil
	})
	return found, err
}

// urlOf is a connection URL for another database. It is empty for what is no URL:
// nothing else works with that either.
func urlOf(rawURL, database string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	u.Path, u.RawPath = "/"+database, ""
	return u.String()
}
