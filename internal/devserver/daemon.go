package devserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second // a cold disk on a busy machine
	stopTimeout  = 20 * time.Second // then the server is killed
	pollInterval = 50 * time.Millisecond
)

// launch says how to run a server.
type launch struct {
	name        string // for messages
	path        string
	args        []string
	env         []string
	dir         string
	user        *syscall.Credential // nil: the present user
	logFile     string              // gets what the server prints
	deathSignal syscall.Signal      // sent to the server when this program dies
	ready       func(ctx context.Context) error
}

// daemon is a server process that this program started.
type daemon struct {
	launch
	process *os.Process
	exited  chan struct{} // closed when the process has ended and was reaped
}

// errNotYet wraps what a ready function met when waiting longer may help. Any
// other error ends the wait.
var errNotYet = errors.New("not ready yet")

// start runs the server and waits until it answers. A server that does not is
// ended, and the error shows the tail of its log.
func (l launch) start(ctx context.Context) (*daemon, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	d, err := l.spawn()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", l.name, err)
	}
	if err := d.await(ctx); err != nil {
		d.stop(syscall.SIGKILL)
		return nil, fmt.Errorf("start %s: %w\n%s", l.name, err, tail(l.logFile))
	}
	return d, nil
}

func (l launch) spawn() (*daemon, error) {
	log, err := os.OpenFile(l.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(l.path, l.args...)
	cmd.Env, cmd.Dir = l.env, l.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true, // Ctrl-C is for the program that started the server
		Pdeathsig:  l.deathSignal,
		Credential: l.user,
	}
	d := &daemon{launch: l, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends the death signal when the thread that forked ends, so
		// that thread is kept for as long as the server lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		d.process = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait() // how a server exits says nothing that its log does not
			close(d.exited)
		}
	}()
	return d, <-started
}

func (d *daemon) await(ctx context.Context) error {
	for {
		err := d.ready(ctx)
		if err == nil || !errors.Is(err, errNotYet) {
			return err
		}
		select {
		case <-d.exited:
			return errors.New("it exited")
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(pollInterval):
		}
	}
}

// stop sends sig and waits for the end, which it forces after stopTimeout.
func (d *daemon) stop(sig syscall.Signal) {
	_ = d.process.Signal(sig) // an error means that it has ended already
	select {
	case <-d.exited:
	case <-time.After(stopTimeout):
		_ = d.process.Kill()
		<-d.exited
	}
}

// tail returns the end of a log, for an error message.
func tail(file string) string {
	const lines = 20
	data, err := os.ReadFile(file)
	if err != nil {
		return "(its log cannot be read: " + err.Error() + ")"
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return "the end of " + filepath.Base(file) + ":\n  " + strings.Join(all, "\n  ")
}

// environment is what a server gets: nothing of this program's own, so that a
// PGPORT or a TEMPORAL_ADDRESS lying about changes nothing.
func environment(home string, extra ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8", "TZ=UTC"}, extra...)
}
