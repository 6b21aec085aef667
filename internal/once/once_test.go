//go:build unix

package once_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/once"
)

// The test program is also the supervisor, and a worker that can be killed.
func TestMain(m *testing.M) {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "supervise":
		err = once.Supervise(os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == "work":
		err = work(os.Args[2])
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// host is a folder in which jobs are kept and leave traces. Their commands know it as $T.
type host struct {
	t      *testing.T
	dir    string
	runner once.Runner
}

func newHost(t *testing.T) *host {
	dir := t.TempDir()
	exe, err := os.Executable()
	require.NoError(t, err)
	return &host{t: t, dir: dir, runner: once.Runner{Dir: filepath.Join(dir, "once"), Shim: []string{exe, "supervise"}}}
}

// await is shell for: go on once the test has opened the gate, or has ended.
const await = `while [ -d $T ] && [ ! -e $T/gate ]; do sleep 0.02; done;`

// job is a shell script that first of all notes that it was started.
func (h *host) job(script string) once.Job {
	return once.Job{
		Key: "job", Path: "sh", Args: []string{"-c", "echo start >> $T/starts; " + script},
		Env: []string{"PATH=/usr/bin:/bin", "T=" + h.dir}, Timeout: time.Minute,
	}
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

// folder is the job's.
func (h *host) folder(name string) string { return filepath.Join(h.runner.Dir, "job", name) }

func (h *host) read(name string) string {
	text, err := os.ReadFile(h.path(name))
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(h.t, err)
	}
	return string(text)
}

func (h *host) starts() int { return strings.Count(h.read("starts"), "start\n") }

func (h *host) openGate() { require.NoError(h.t, os.WriteFile(h.path("gate"), nil, 0o600)) }

func (h *host) awaitFile(name string) {
	require.Eventually(h.t, func() bool { return h.read(name) != "" }, 30*time.Second, 5*time.Millisecond, "waiting for %s", name)
}

func (h *host) run(job once.Job) *once.Outcome {
	h.t.Helper()
	o, err := h.runner.Run(h.t.Context(), job, claims(h.dir, job.Key))
	require.NoError(h.t, err)
	return o
}

// claims keeps who first claimed a job, for all processes.
func claims(dir, key string) once.Claim {
	return func(_ context.Context, nonce string) (bool, error) {
		mine := filepath.Join(dir, key+".claim."+nonce)
		if err := os.WriteFile(mine, []byte(nonce), 0o600); err != nil {
			return false, err
		}
		first := filepath.Join(dir, key+".claim")
		if err := os.Link(mine, first); err != nil && !errors.Is(err, os.ErrExist) {
			return false, err
		}
		text, err := os.ReadFile(first)
		return string(text) == nonce, err
	}
}

// requireDone checks that a job of which the output is "done" ended well.
func requireDone(t *testing.T, o *once.Outcome) {
	t.Helper()
	require.Empty(t, o.Why)
	require.Empty(t, o.Failure)
	require.True(t, o.Known)
	require.Equal(t, "done\n", o.Output)
	require.False(t, o.Started.IsZero())
	require.False(t, o.Finished.Before(o.Started))
}

func TestRunsOnce(t *testing.T) {
	h := newHost(t)
	first := h.run(h.job("echo done"))
	requireDone(t, first)
	require.Equal(t, first, h.run(h.job("echo something else")))
	require.Equal(t, 1, h.starts())

	// What is known is told without asking whether it may be started.
	o, err := h.runner.Run(t.Context(), h.job(""), nil)
	require.NoError(t, err)
	require.Equal(t, first, o)
}

func TestNotOurs(t *testing.T) {
	h := newHost(t)
	require.NoError(t, os.WriteFile(h.path("job.claim"), []byte("another host's"), 0o600))
	for range 2 {
		require.Equal(t, &once.Outcome{Why: "somebody else has started it: another host, or this one before what it knew of it was removed"}, h.run(h.job("echo done")))
	}
	require.Zero(t, h.starts())
}

func TestClaimFails(t *testing.T) {
	h := newHost(t)
	down := errors.New("bucket down")
	var nonce string
	_, err := h.runner.Run(t.Context(), h.job("echo done"), func(_ context.Context, n string) (bool, error) {
		nonce = n
		return true, down
	})
	require.ErrorIs(t, err, down)
	require.Zero(t, h.starts())
	require.NotEmpty(t, nonce)

	require.NoError(t, os.WriteFile(h.path("job.claim"), []byte(nonce), 0o600)) // it was written after all
	requireDone(t, h.run(h.job("echo done")))
	require.Equal(t, 1, h.starts())
}

func TestWhoeverStopsWaitingLeavesItRunning(t *testing.T) {
	h := newHost(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the worker stops")
	job := h.job(await + "echo done")
	failed := make(chan error)
	go func() {
		_, err := h.runner.Run(ctx, job, claims(h.dir, "job"))
		failed <- err
	}()
	h.awaitFile("starts")
	cancel(stop)
	require.ErrorIs(t, <-failed, stop)
	_, err := h.runner.Run(ctx, job, claims(h.dir, "job"))
	require.ErrorIs(t, err, stop)

	h.openGate()
	requireDone(t, h.run(job))
	require.Equal(t, 1, h.starts())
}

func TestStopsBeforeTheStart(t *testing.T) {
	h := newHost(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the worker stops")
	_, err := h.runner.Run(ctx, h.job(""), func(context.Context, string) (bool, error) {
		cancel(stop)
		return true, nil
	})
	require.ErrorIs(t, err, stop)
	requireDone(t, h.run(h.job("echo done")))
	require.Equal(t, 1, h.starts())
}

func TestSupervisorFails(t *testing.T) {
	tests := map[string]struct {
		shim    []string
		prepare func(h *host)
		message string
	}{
		"with a word":           {shim: []string{"/bin/sh", "-c", "echo no room >&2; exit 7"}, message: "run the command: its supervisor failed: exit status 7: no room"},
		"without a word":        {shim: []string{"/bin/true"}, message: "its supervisor failed: exit status 0"},
		"missing":               {shim: []string{"/nowhere/worker"}, message: "start job: start its supervisor: fork/exec /nowhere/worker: no such file or directory"},
		"cannot write the file": {prepare: func(h *host) { require.NoError(h.t, os.MkdirAll(h.folder("output"), 0o700)) }, message: "output: is a directory"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			broken := h.runner
			if tt.shim != nil {
				broken.Shim = tt.shim
			}
			if tt.prepare != nil {
				tt.prepare(h)
			}
			_, err := broken.Run(t.Context(), h.job(""), claims(h.dir, "job"))
			require.ErrorContains(t, err, tt.message)
			require.Zero(t, h.starts())

			if tt.prepare != nil {
				require.NoError(t, os.RemoveAll(h.folder("output")))
			}
			requireDone(t, h.run(h.job("echo done")))
			require.Equal(t, 1, h.starts())
		})
	}
}

func TestRefusedJobs(t *testing.T) {
	h := newHost(t)
	tests := map[string]struct {
		change  func(*once.Job)
		message string
	}{
		"no key":     {func(j *once.Job) { j.Key = "" }, `check the job: "" cannot be a key: use up to 200 letters`},
		"folder":     {func(j *once.Job) { j.Key = "a/b" }, `"a/b" cannot be a key`},
		"hidden":     {func(j *once.Job) { j.Key = "..x" }, `"..x" cannot be a key`},
		"long":       {func(j *once.Job) { j.Key = strings.Repeat("x", 201) }, `cannot be a key`},
		"no command": {func(j *once.Job) { j.Path = "" }, "check the job: it has no command"},
		"no timeout": {func(j *once.Job) { j.Timeout = 0 }, "check the job: it has no timeout"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			job := h.job("")
			tt.change(&job)
			_, err := h.runner.Run(t.Context(), job, nil)
			require.ErrorContains(t, err, tt.message)
			require.NoDirExists(t, h.runner.Dir)
		})
	}
	job := h.job("echo done")
	job.Key = "change-where2eat_7.Z" + strings.Repeat("x", 180)
	requireDone(t, h.run(job))

	_, err := (&once.Runner{Dir: h.dir}).Run(t.Context(), job, nil)
	require.EqualError(t, err, "check the job: nothing is known that could supervise it")
}

func TestDamagedOutcome(t *testing.T) {
	h := newHost(t)
	requireDone(t, h.run(h.job("echo done")))
	require.NoError(t, os.WriteFile(h.folder("ended"), []byte(`{"kno`), 0o600))
	_, err := h.runner.Run(t.Context(), h.job(""), claims(h.dir, "job"))
	require.ErrorContains(t, err, "read "+h.folder("ended")+": unexpected end of JSON input")
	require.Equal(t, 1, h.starts())
}

// order tells another process what to do.
type order struct {
	Dir, Jobs string
	Job       once.Job
	Stage     string // at which the claim hangs: before or after it is written
}

// work is a worker that runs one job and prints the outcome.
func work(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	r := once.Runner{Dir: o.Jobs, Shim: []string{exe, "supervise"}}
	outcome, err := r.Run(context.Background(), o.Job, func(ctx context.Context, nonce string) (bool, error) {
		if o.Stage == "before" {
			return false, o.hang()
		}
		mine, err := claims(o.Dir, o.Job.Key)(ctx, nonce)
		if o.Stage == "after" {
			err = errors.Join(err, o.hang())
		}
		return mine, err
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(outcome)
}

func (o *order) hang() error {
	if err := os.WriteFile(filepath.Join(o.Dir, "hangs"), []byte(o.Stage), 0o600); err != nil {
		return err
	}
	time.Sleep(time.Hour)
	return nil
}

// worker is another process that runs the job.
type worker struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr strings.Builder
}

func (h *host) startWorker(job once.Job, stage string) *worker {
	text, err := json.Marshal(order{Dir: h.dir, Jobs: h.runner.Dir, Job: job, Stage: stage})
	require.NoError(h.t, err)
	w := &worker{t: h.t, cmd: exec.Command(h.runner.Shim[0], "work", string(text))}
	w.cmd.Stdout, w.cmd.Stderr = &w.stdout, &w.stderr
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(h.t, w.cmd.Start())
	h.t.Cleanup(func() { _ = w.cmd.Process.Kill() }) // it has ended unless the test failed
	return w
}

// kill ends the worker and all of its group.
func (w *worker) kill() {
	require.NoError(w.t, syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL))
	_ = w.cmd.Wait() // says that it was killed, or had done its work
}

func (w *worker) error() string {
	require.Error(w.t, w.cmd.Wait())
	return w.stderr.String()
}

func (w *worker) outcome() *once.Outcome {
	require.NoError(w.t, w.cmd.Wait(), &w.stderr)
	var o once.Outcome
	require.NoError(w.t, json.Unmarshal([]byte(w.stdout.String()), &o))
	return &o
}
