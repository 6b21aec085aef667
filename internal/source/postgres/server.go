package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// connectTimeout bounds the wait for a server that does not answer.
const connectTimeout = 10 * time.Second

// pinned are the settings under which the same data is the same text, whatever
// the server, the database or the role are set to. pg_dump itself pins DateStyle,
// IntervalStyle and extra_float_digits. The last ones keep a database's own
// settings from getting in the way of a restore.
func pinned() map[string]string {
	return map[string]string{
		"TimeZone":                      "UTC",
		"bytea_output":                  "hex",
		"lc_monetary":                   "C",
		"xmloption":                     "content",
		"quote_all_identifiers":         "off",
		"standard_conforming_strings":   "on",
		"default_transaction_read_only": "off",
		"statement_timeout":             "0",
		"lock_timeout":                  "0",
	}
}

// server is one database of a PostgreSQL server, as some user.
type server struct {
	title  string // in errors: "source app", "staging"
	config *pgx.ConnConfig
	tls    map[string]string // environment of libpq
}

// libpqTLS maps the parameters of a URL that pgx does not keep to libpq's
// environment.
var libpqTLS = map[string]string{
	"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
	"sslcrl": "PGSSLCRL", "sslsni": "PGSSLSNI", "sslnegotiation": "PGSSLNEGOTIATION",
	"channel_binding": "PGCHANNELBINDING", "gssencmode": "PGGSSENCMODE", "krbsrvname": "PGKRBSRVNAME",
}

// newServer reads a connection URL. The URL never appears in an error: it holds a
// password, and what cannot be parsed cannot be masked.
func newServer(title, rawURL string) (*server, error) {
	u, err := url.Parse(rawURL)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, badURL(title, "it is not a postgres:// URL")
	}
	database := strings.TrimPrefix(u.Path, "/")
	if u.Host == "" && u.Query().Get("host") == "" || u.User.Username() == "" || database == "" {
		return nil, badURL(title, "it must name user, host and database")
	}
	config, err := pgx.ParseConfig(rawURL)
	if err != nil {
		return nil, badURL(title, "one of its parameters is not valid")
	}
	s := &server{title: title, config: config, tls: map[string]string{}}
	for name, variable := range libpqTLS {
		if value := u.Query().Get(name); value != "" {
			s.tls[variable] = value
		}
		delete(config.RuntimeParams, name)
	}
	if config.ConnectTimeout == 0 || config.ConnectTimeout > connectTimeout {
		config.ConnectTimeout = connectTimeout
	}
	maps.Copy(config.RuntimeParams, pinned())
	delete(config.RuntimeParams, "timezone") // would contradict TimeZone
	return s, nil
}

func badURL(title, why string) error {
	return recovery.NewFault(recovery.Permanent, fmt.Errorf("read the URL of %s: %s", title, why),
		"write postgres://USER:PASSWORD@HOST:PORT/DATABASE, special characters percent-encoded")
}

// database is the same server and user, another database.
func (s *server) database(name string) *server {
	other := *s
	other.config = s.config.Copy()
	other.config.Database = name
	return &other
}

// address is where the server is, for people.
func (s *server) address() string {
	return fmt.Sprintf("%s:%d", s.config.Host, s.config.Port)
}

// open opens a session under the pinned settings; its error may hold the user's data.
func (s *server) open(ctx context.Context, application string) (*pgx.Conn, error) {
	config := s.config.Copy()
	config.RuntimeParams["application_name"] = application
	return pgx.ConnectConfig(ctx, config)
}

// connect opens a session under the pinned settings.
func (s *server) connect(ctx context.Context, application string) (*pgx.Conn, error) {
	conn, err := s.open(ctx, application)
	if err != nil {
		return nil, s.fault(ctx, "connect to "+s.title, err)
	}
	return conn, nil
}

// withConn opens a session for the time of do.
func (s *server) withConn(ctx context.Context, application string, do func(*pgx.Conn) error) error {
	conn, err := s.connect(ctx, application)
	if err != nil {
		return err
	}
	defer func() {
		// The session is wanted no more, whatever became of ctx and of the server.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
		defer cancel()
		_ = conn.Close(closing)
	}()
	return do(conn)
}

// env is the whole environment of a client program that works on the database.
// Secrets go by it, because command lines can be read by everyone.
func (s *server) env(application string) []string {
	hosts, ports := []string{s.config.Host}, []string{strconv.Itoa(int(s.config.Port))}
	for _, f := range s.config.Fallbacks { // pgx lists a host once for each way to use TLS
		port := strconv.Itoa(int(f.Port))
		if last := len(hosts) - 1; f.Host != hosts[last] || port != ports[last] {
			hosts, ports = append(hosts, f.Host), append(ports, port)
		}
	}
	variables := map[string]string{
		"PATH":              "/usr/bin:/bin",
		"LC_ALL":            "C",
		"PGHOST":            strings.Join(hosts, ","),
		"PGPORT":            strings.Join(ports, ","),
		"PGUSER":            s.config.User,
		"PGDATABASE":        s.config.Database,
		"PGAPPNAME":         application,
		"PGCONNECT_TIMEOUT": strconv.Itoa(max(2, int(s.config.ConnectTimeout/time.Second))),
		"PGTZ":              "UTC",
		"PGOPTIONS":         s.options(),
	}
	if s.config.Password != "" {
		variables["PGPASSWORD"] = s.config.Password
	}
	maps.Copy(variables, s.tls)
	env := make([]string, 0, len(variables))
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		env = append(env, name+"="+variables[name])
	}
	return env
}

// options writes the session's settings in the form of PGOPTIONS.
func (s *server) options() string {
	escape := strings.NewReplacer(`\`, `\\`, ` `, `\ `)
	var options []string
	if given := s.config.RuntimeParams["options"]; given != "" {
		options = append(options, given)
	}
	for _, name := range slices.Sorted(maps.Keys(s.config.RuntimeParams)) {
		if name != "options" && name != "application_name" && name != "TimeZone" {
			options = append(options, "-c "+name+"="+escape.Replace(s.config.RuntimeParams[name]))
		}
	}
	return strings.Join(options, " ")
}

// refused is the server's own error in err, or nil.
func refused(err error) *pgError {
	if e, ok := errors.AsType[*pgError](err); ok {
		return e
	}
	return nil
}
