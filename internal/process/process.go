//go:build unix

// Package process runs external programs so that nothing of them is left
// behind: each has a process group of its own, which ends with the program, with
// the context, and on Linux also with the process that started it.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// defaultGrace is how long a program may take to end after SIGTERM.
	defaultGrace = 5 * time.Second
	// drainLimit bounds the wait for output after the program ended, in case that
	// a process which left the group still holds the pipe.
	drainLimit = 30 * time.Second
)

// Command says what to run. Files (*os.File) are handed to the program as they
// are; other readers and writers are served through pipes.
type Command struct {
	Path   string // a name without a slash is looked up on PATH
	Args   []string
	Dir    string        // empty: the working directory of this process
	Env    []string      // the whole environment; nothing is inherited
	Stdin  io.Reader     // nil: empty
	Stdout io.Writer     // nil: discarded
	Stderr io.Writer     // nil: discarded
	Grace  time.Duration // between SIGTERM and SIGKILL when the context ends; 0 means 5 s
}

// Process is a started program. Someone must call Wait.
type Process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // what Wait returns, set before done is closed
}

// ExitError says how a program that did not succeed ended.
type ExitError struct {
	Name   string         // of the program
	Code   int            // exit status, -1 if a signal ended it
	Signal syscall.Signal // that ended it, 0 if it exited by itself
	Cause  error          // why it was stopped, nil if it was not
}

func (e *ExitError) Error() string {
	switch {
	case e.Cause != nil:
		return fmt.Sprintf("%s was stopped: %v", e.Name, e.Cause)
	case e.Signal != 0:
		return fmt.Sprintf("%s was ended by signal %d (%s)", e.Name, int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("%s exited with status %d", e.Name, e.Code)
}

func (e *ExitError) Unwrap() error { return e.Cause }

// Start starts a program. When ctx ends, its group gets SIGTERM, and SIGKILL
// after the grace. When the program ends, what is left of its group is killed.
func Start(ctx context.Context, c Command) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(c.Path), context.Cause(ctx))
	}
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append([]string{}, c.Env...) // not nil, which would inherit
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.WaitDelay = drainLimit
	cmd.SysProcAttr = attributes()

	p := &Process{name: filepath.Base(c.Path), cmd: cmd, done: make(chan struct{})}
	grace := c.Grace
	if grace <= 0 {
		grace = defaultGrace
	}
	started := make(chan error)
	go p.run(ctx, grace, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	return p, nil
}

// PathIn is the path of a program that is named as in a shell whose working
// directory is dir.
func PathIn(dir, name string) string {
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		return filepath.Join(dir, name)
	}
	return name
}

// Run starts a program and waits for its end.
func Run(ctx context.Context, c Command) error {
	p, err := Start(ctx, c)
	if err != nil {
		return err
	}
	return p.Wait()
}

// Pid is the process id, and the id of the process group.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended and its output has been taken.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end of the program. The error is an *ExitError unless the
// program succeeded and only its input or output failed.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// run starts the program and stays until it has ended. It keeps its thread for
// that long: Linux sends the parent-death signal when the thread that started
// the child ends, not when the process does.
func (p *Process) run(ctx context.Context, grace time.Duration, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	defer close(p.done)

	exited := make(chan struct{})
	stopped := make(chan error, 1)
	go func() { stopped <- p.guard(ctx, grace, exited) }()
	var cause error
	err = reap(p.cmd, func() {
		close(exited)
		cause = <-stopped
		p.signal(syscall.SIGKILL)
	})
	p.err = p.result(err, cause)
}

// guard stops the group when ctx ends, and returns why, or nil if the program
// ended first.
func (p *Process) guard(ctx context.Context, grace time.Duration, exited <-chan struct{}) error {
	select {
	case <-exited:
		return nil
	case <-ctx.Done():
	}
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-exited:
	case <-timer.C:
		p.signal(syscall.SIGKILL)
	}
	return context.Cause(ctx)
}

// signal reaches the whole group. A group that is already empty is no error.
func (p *Process) signal(sig syscall.Signal) {
	_ = syscall.Kill(-p.Pid(), sig)
}

func (p *Process) result(err, cause error) error {
	var exit *exec.ExitError
	if err == nil && cause == nil {
		return nil
	}
	if err != nil && !errors.As(err, &exit) && cause == nil {
		return fmt.Errorf("run %s: %w", p.name, err)
	}
	result := &ExitError{Name: p.name, Code: p.cmd.ProcessState.ExitCode(), Cause: cause}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		result.Signal = status.Signal()
	}
	return result
}
