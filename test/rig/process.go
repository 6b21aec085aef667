package rig

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
)

func (r *Rig) environ() []string {
	var env []string
	for name, value := range r.Env {
		env = append(env, name+"="+value)
	}
	return env
}

// Worker is a running worker process.
type Worker struct {
	Address string // of /health and /ready
	Log     string // file

	t   testing.TB
	cmd *exec.Cmd
}

// StartWorker starts a worker and waits until it is ready. It is stopped with
// the test.
func (r *Rig) StartWorker(args ...string) *Worker {
	r.t.Helper()
	w := r.LaunchWorker(args...)
	require.Eventually(r.t, func() bool { return w.lookForAddress() }, 30*time.Second, 50*time.Millisecond, "the worker does not serve: %s", w.tail())
	return w
}

// LaunchWorker starts a worker and does not wait.
func (r *Rig) LaunchWorker(args ...string) *Worker {
	r.t.Helper()
	log, err := os.CreateTemp(r.Dir, "worker-*.log")
	require.NoError(r.t, err)
	cmd := exec.Command(filepath.Join(binaries, "worker"), append([]string{"--config", r.ConfigFile(), "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = r.environ(), log, log
	require.NoError(r.t, cmd.Start())
	require.NoError(r.t, log.Close())
	w := &Worker{Log: log.Name(), t: r.t, cmd: cmd}
	r.t.Cleanup(func() {
		w.end(syscall.SIGTERM)
		if r.t.Failed() {
			r.t.Logf("worker: %s", w.tail())
		}
	})
	return w
}

// lookForAddress finds in the log where the worker serves, once it polls.
func (w *Worker) lookForAddress() bool {
	data, err := os.ReadFile(w.Log)
	require.NoError(w.t, err)
	running := false
	for line := range strings.Lines(string(data)) {
		var entry struct{ Message, Address string }
		if json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		switch entry.Message {
		case "serving /health and /ready":
			w.Address = entry.Address
		case "worker is running":
			running = true
		}
	}
	return running && w.Address != ""
}

// Kill ends the worker with SIGKILL, Stop with SIGTERM; both wait for its end.
func (w *Worker) Kill() { w.end(syscall.SIGKILL) }

// Stop ends the worker with SIGTERM and returns its exit code.
func (w *Worker) Stop() int { return w.end(syscall.SIGTERM) }

func (w *Worker) end(signal syscall.Signal) int {
	if w.cmd.ProcessState == nil {
		_ = w.cmd.Process.Signal(signal)
		_ = w.cmd.Process.Signal(syscall.SIGCONT) // one that a failed test left stopped would never hear of it
		_ = w.cmd.Wait()
	}
	return w.cmd.ProcessState.ExitCode()
}

func (w *Worker) tail() string {
	data, err := os.ReadFile(w.Log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-4000):])
}

// Output is what a command left.
type Output struct {
	Code           int
	Stdout, Stderr string
}

// Starter runs the CLI to its end.
func (r *Rig) Starter(args ...string) Output {
	r.t.Helper()
	cmd := exec.Command(filepath.Join(binaries, "starter"), append([]string{"--config", r.ConfigFile()}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = r.environ(), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(r.t, err)
	}
	return Output{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}

// Report reads what `--json` printed.
func (o Output) Report(t testing.TB) *recovery.Report {
	t.Helper()
	var report recovery.Report
	require.NoError(t, json.Unmarshal([]byte(o.Stdout), &report), "stdout %q, stderr %q", o.Stdout, o.Stderr)
	return &report
}

// Backup runs `starter backup` and wants the set proven.
func (r *Rig) Backup() *recovery.Report {
	r.t.Helper()
	out := r.Starter("backup", sandbox.Service, "--json")
	require.Equal(r.t, 0, out.Code, out.Stderr)
	report := out.Report(r.t)
	require.Equal(r.t, recovery.LevelProven, report.Level, report.Sentence)
	return report
}

// Signal sends the worker a signal.
func (w *Worker) Signal(signal syscall.Signal) {
	w.t.Helper()
	require.NoError(w.t, w.cmd.Process.Signal(signal))
}

// InterruptStarter runs the CLI until it has written a text to stderr, sends it
// a signal, and waits for its end.
func (r *Rig) InterruptStarter(until string, signal os.Signal, args ...string) Output {
	r.t.Helper()
	log, err := os.CreateTemp(r.Dir, "starter-*.log")
	require.NoError(r.t, err)
	defer func() { require.NoError(r.t, log.Close()) }()
	cmd := exec.Command(filepath.Join(binaries, "starter"), append([]string{"--config", r.ConfigFile()}, args...)...)
	cmd.Env, cmd.Stderr = r.environ(), log
	require.NoError(r.t, cmd.Start())
	said := func() string {
		data, err := os.ReadFile(log.Name())
		require.NoError(r.t, err)
		return string(data)
	}
	require.Eventually(r.t, func() bool { return strings.Contains(said(), until) }, time.Minute, 50*time.Millisecond, "it does not say %q", until)
	require.NoError(r.t, cmd.Process.Signal(signal))
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		require.NoError(r.t, err)
	}
	return Output{Code: cmd.ProcessState.ExitCode(), Stderr: said()}
}
