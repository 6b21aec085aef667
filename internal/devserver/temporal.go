package devserver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

// TemporalConfig says what Temporal server to run.
type TemporalConfig struct {
	Dir    string // holds its database; made if missing
	Port   int    // 0 for a free one
	UIPort int    // 0 for a free one
}

// TemporalServer is a running Temporal server with its web interface.
type TemporalServer struct {
	Address   string // host:port of the frontend
	Namespace string
	UIURL     string

	launch launch
	daemon *daemon
}

// Start runs the server, on the database in Dir if there is one.
func (c TemporalConfig) Start(ctx context.Context) (*TemporalServer, error) {
	s, err := c.prepare()
	if err != nil {
		return nil, fmt.Errorf("set up Temporal: %w", err)
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (c TemporalConfig) prepare() (*TemporalServer, error) {
	program, err := findProgram("temporal")
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	port, err := listenOn(c.Port)
	if err != nil {
		return nil, err
	}
	uiPort, err := listenOn(c.UIPort)
	if err != nil {
		return nil, err
	}
	s := &TemporalServer{Address: port.Address(), Namespace: client.DefaultNamespace, UIURL: "http://" + uiPort.Address()}
	s.launch = launch{
		name: "Temporal", path: program, dir: dir, env: environment(dir),
		args: []string{
			"server", "start-dev", "--ip", "127.0.0.1", "--port", strconv.Itoa(port.Number), "--ui-port", strconv.Itoa(uiPort.Number),
			"--db-filename", filepath.Join(dir, "temporal.db"), "--log-level", "error",
			// Its database waits for the disk at every step of every workflow
			// otherwise, and nothing here must outlive a power cut.
			"--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=off",
		},
		logFile:     filepath.Join(dir, "log"),
		deathSignal: syscall.SIGKILL,
		ready:       s.ready,
	}
	return s, nil
}

func (s *TemporalServer) start(ctx context.Context) error {
	d, err := s.launch.start(ctx)
	if err == nil {
		s.daemon = d
	}
	return err
}

func (s *TemporalServer) ready(ctx context.Context) error {
	c, err := client.DialContext(ctx, client.Options{HostPort: s.Address, Namespace: s.Namespace, Logger: silent{}})
	if err != nil {
		return fmt.Errorf("%w: %w", errNotYet, err)
	}
	defer c.Close()
	if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("%w: %w", errNotYet, err)
	}
	return nil
}

// Stop ends the server.
func (s *TemporalServer) Stop() { s.daemon.stop(syscall.SIGTERM) }

// Kill ends the server at once.
func (s *TemporalServer) Kill() { s.daemon.stop(syscall.SIGKILL) }

// Restart stops the server and runs it again on the same ports.
func (s *TemporalServer) Restart(ctx context.Context) error {
	s.Stop()
	return s.start(ctx)
}

// silent drops what the client says while the server is not there yet.
type silent struct{}

var _ log.Logger = silent{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
