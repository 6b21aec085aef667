//go:build unix

package once

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockFD is where a supervisor finds the lock of its job: after stdin, stdout and stderr.
	lockFD = 3
	// grace is how long a command may take to end after SIGTERM.
	grace = 10 * time.Second
	// keepFor is how long a supervisor tries to write the outcome to a disk that takes
	// nothing: it may be the deploy that filled it.
	keepFor = time.Hour
	// saidLimit is how much is told of what a supervisor said that failed, in bytes.
	saidLimit = 1 << 10
)

// order is what a supervisor is told to run. It is on disk: it has no environment.
type order struct {
	Path    string        `json:"path"`
	Args    []string      `json:"args,omitempty"`
	Dir     string        `json:"dir,omitempty"`
	Timeout time.Duration `json:"timeout"` // nanoseconds
}

// shim is a supervisor that this process has started.
type shim struct {
	done chan struct{}
	err  error        // how it ended, once done is closed
	said bytes.Buffer // to stderr, once done is closed
}

// startShim starts a supervisor, which takes over the lock, in a session of its own: what
// ends this process, or is typed at its terminal, does not reach it.
func startShim(program []string, f folder, job Job, lock *os.File) (*shim, error) {
	text, err := json.Marshal(order{Path: job.Path, Args: job.Args, Dir: job.Dir, Timeout: job.Timeout})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", job.Key, err)
	}
	if err := f.write(jobFile, text); err != nil {
		return nil, fmt.Errorf("start %s: %w", job.Key, err)
	}
	s := &shim{done: make(chan struct{})}
	cmd := exec.Command(program[0], append(slices.Clone(program[1:]), string(f))...)
	cmd.Env = append([]string{}, job.Env...) // not nil, which would inherit
	cmd.Stderr = &s.said
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: start its supervisor: %w", job.Key, err)
	}
	go func() {
		s.err = cmd.Wait()
		close(s.done)
	}()
	return s, nil
}

// failure says why a supervisor ended that left no sign of a start.
func (s *shim) failure(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.done:
	}
	err := s.err
	if err == nil {
		err = errors.New("exit status 0")
	}
	said := s.said.Bytes()
	said = bytes.TrimSpace(said[max(0, len(said)-saidLimit):])
	return fmt.Errorf("run the command: its supervisor failed: %w: %s", err, said)
}

// Supervise runs the job of a folder, whose lock it got from Run, and writes down how it
// ended. The environment of this process is the command's. What the command leaves
// running is left alone, with the output file for its output: a deploy starts services.
func Supervise(path string) error {
	f := folder(path)
	if !f.is(lockFD) || unix.Flock(lockFD, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return fmt.Errorf("supervise %s: the worker starts this by itself, when it runs a command; it has locked the folder then", path)
	}
	unix.CloseOnExec(lockFD)
	defer ignoreSignals()()

	text, err := os.ReadFile(f.path(jobFile))
	if err != nil {
		return fmt.Errorf("supervise: %w", err)
	}
	var o order
	if err := json.Unmarshal(text, &o); err != nil {
		return fmt.Errorf("supervise: read %s: %w", f.path(jobFile), err)
	}
	output, err := os.OpenFile(f.path(outputFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("supervise: %w", err)
	}
	defer output.Close()
	if err := f.markStarted(); err != nil {
		return fmt.Errorf("supervise: %w", err)
	}
	outcome := Outcome{Known: true, Started: time.Now().UTC()}
	outcome.Failure = o.run(output)
	outcome.Finished = time.Now().UTC()
	outcome.Output = f.tail()
	return f.keep(&outcome)
}

// ignoreSignals makes the signals harmless by which hosts and terminals end everything:
// the command gets them too, and how it then ends is worth knowing. They are caught, not
// ignored, because a command inherits what is ignored.
func ignoreSignals() (stop func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	return func() { signal.Stop(caught) }
}

// run runs the command and says how it ended badly.
func (o *order) run(output *os.File) (failure string) {
	cmd := exec.Command(o.Path, o.Args...)
	cmd.Dir = o.Dir
	cmd.Stdout, cmd.Stderr = output, output // the file itself: no pipe that breaks when this process ends
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		if _, missing := os.Stat(o.Dir); o.Dir != "" && missing != nil {
			err = missing // what Start says sounds as if the program were missing
		}
		return "it could not be started: " + err.Error()
	}
	exited := make(chan struct{})
	var err error
	go func() {
		err = cmd.Wait()
		close(exited)
	}()
	timer := time.NewTimer(o.Timeout)
	defer timer.Stop()
	select {
	case <-exited:
		return describe(err)
	case <-timer.C:
	}
	endGroup(cmd.Process.Pid)
	<-exited
	return "it took longer than " + short(o.Timeout) + " and was ended"
}

// endGroup ends a process group: also what its first process leaves behind has the grace
// to end by itself.
func endGroup(group int) {
	_ = unix.Kill(-group, unix.SIGTERM) // a group that has ended is no error
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(poll) {
		if errors.Is(unix.Kill(-group, 0), unix.ESRCH) {
			return
		}
	}
	_ = unix.Kill(-group, unix.SIGKILL)
}

// describe says how a command ended; empty: well.
func describe(err error) string {
	if err == nil {
		return ""
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return "its end could not be seen: " + err.Error()
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Sprintf("it was ended by signal %d (%s)", int(status.Signal()), status.Signal())
	}
	return fmt.Sprintf("it exited with status %d", exit.ExitCode())
}

// short writes a duration without the units that are zero: 10m, not 10m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// keep writes the outcome to the disk, and tries for long: an outcome that is lost costs
// a person a hard question.
func (f folder) keep(o *Outcome) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("supervise: %w", err)
	}
	for deadline := time.Now().Add(keepFor); ; time.Sleep(time.Second) {
		if !f.is(lockFD) {
			return errors.New("supervise: keep the outcome: the job's folder was removed")
		}
		err := f.write(endedFile, text)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("supervise: keep the outcome: %w", err)
		}
	}
}
