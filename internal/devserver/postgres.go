package devserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lifeboat-run/lifeboat/internal/loopback"
)

// PostgresConfig says what PostgreSQL server to run.
type PostgresConfig struct {
	Dir      string            // holds all that is the server's; made if missing
	Port     int               // 0 for a free one
	BinDir   string            // empty to search
	Settings map[string]string // of postgresql.conf
	Scratch  bool              // the data need not outlive a power cut
	Volume   int               // if not 0: keep databases made later on a volume of so many MiB, lost at Stop
}

// PostgresServer is a running PostgreSQL server. Passwords are asked from every
// connection; there is no Unix socket.
type PostgresServer struct {
	Dir    string // where the data really is: see PostgresConfig.Start
	BinDir string
	Port   int

	password string
	launch   launch
	daemon   *daemon
}

// Start runs the server, on a new data folder unless there is one.
//
// PostgreSQL refuses to run as root: it then runs as the user postgres (or
// nobody), and if that user cannot reach Dir its data goes to a temporary folder,
// which Dir remembers.
func (c PostgresConfig) Start(ctx context.Context) (*PostgresServer, error) {
	s, err := c.prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up PostgreSQL: %w", err)
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	if c.Volume > 0 {
		// A new database goes where template1 is.
		for _, sql := range []string{"create tablespace volume location '" + s.volumeDir() + "'", "alter database template1 set tablespace volume"} {
			if err := s.Exec(ctx, "postgres", sql); err != nil {
				s.Stop()
				return nil, fmt.Errorf("set up PostgreSQL's volume: %w", err)
			}
		}
	}
	return s, nil
}

func (c PostgresConfig) prepare(ctx context.Context) (*PostgresServer, error) {
	s := &PostgresServer{BinDir: c.BinDir}
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	if s.BinDir == "" {
		if s.BinDir, err = findPostgres(owner); err != nil {
			return nil, err
		}
	}
	if s.Dir, err = folderFor(c.Dir, owner); err != nil {
		return nil, err
	}
	port, err := listenOn(c.Port)
	if err != nil {
		return nil, err
	}
	s.Port = port.Number
	if s.password, err = remembered(s.passwordFile(), randomSecret); err != nil {
		return nil, err
	}
	s.launch = launch{
		name: "PostgreSQL", path: filepath.Join(s.BinDir, "postgres"), args: c.arguments(s),
		env: environment(s.Dir), dir: s.Dir, user: owner,
		logFile:     filepath.Join(s.Dir, "log"),
		deathSignal: syscall.SIGQUIT, // unlike SIGKILL it also ends the sessions at once
		ready:       s.ready,
	}
	if err := s.initialize(ctx); err != nil || c.Volume == 0 {
		return s, err
	}
	if err := os.MkdirAll(s.volumeDir(), 0o755); err != nil {
		return nil, err
	}
	s.launch, err = s.launch.withVolume(s.volumeDir(), c.Volume)
	return s, err
}

func (s *PostgresServer) dataDir() string      { return filepath.Join(s.Dir, "data") }
func (s *PostgresServer) volumeDir() string    { return filepath.Join(s.Dir, "volume") }
func (s *PostgresServer) passwordFile() string { return filepath.Join(s.Dir, "password") }

func (c PostgresConfig) arguments(s *PostgresServer) []string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(s.Port),
		"unix_socket_directories": "",
	}
	if c.Scratch {
		// Not synchronous_commit: without it Kill, too, loses what was committed.
		settings["fsync"], settings["full_page_writes"] = "off", "off"
	}
	maps.Copy(settings, c.Settings)
	args := []string{"-D", s.dataDir()}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

// initialize makes the data folder unless there is one.
func (s *PostgresServer) initialize(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(s.dataDir(), "PG_VERSION")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// What an interrupted attempt left.
	if err := os.RemoveAll(s.dataDir()); err != nil {
		return err
	}
	if err := own(s.passwordFile(), s.launch.user); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.BinDir, "initdb"), "--pgdata", s.dataDir(), "--username", "postgres",
		"--auth", "scram-sha-256", "--pwfile", s.passwordFile(), "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	cmd.Dir, cmd.Env = s.Dir, s.launch.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.launch.user}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run initdb: %w\n%s", err, out)
	}
	return nil
}

func (s *PostgresServer) start(ctx context.Context) error {
	d, err := s.launch.start(ctx)
	if err == nil {
		s.daemon = d
	}
	return err
}

func (s *PostgresServer) ready(ctx context.Context) error {
	err := s.Exec(ctx, "postgres", "select 1")
	var refusal *pgconn.PgError
	const cannotConnectNow = "57P03" // it is starting up
	if err == nil || (errors.As(err, &refusal) && refusal.Code != cannotConnectNow) {
		return err
	}
	return fmt.Errorf("%w: %w", errNotYet, err)
}

// URL returns the superuser's URL of a database. It holds the password.
func (s *PostgresServer) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", s.password), Host: loopback.Port{Number: s.Port}.Address(), Path: "/" + database}
	return u.String() + "?sslmode=disable"
}

// Exec runs SQL statements as the superuser.
func (s *PostgresServer) Exec(ctx context.Context, database, sql string) error {
	conn, err := pgx.Connect(ctx, s.URL(database))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// Stop ends the server after its open transactions were rolled back.
func (s *PostgresServer) Stop() { s.daemon.stop(syscall.SIGINT) }

// Kill ends the server as a crash would: at once, with nothing written.
func (s *PostgresServer) Kill() { s.daemon.stop(syscall.SIGQUIT) }

// Restart stops the server and runs it again on the same port.
func (s *PostgresServer) Restart(ctx context.Context) error {
	s.Stop()
	return s.start(ctx)
}

// serverUser returns as whom to run PostgreSQL; nil for the present user.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("read the ids of user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("find a user to run PostgreSQL as: it refuses root, and there is neither a user postgres nor nobody")
}
