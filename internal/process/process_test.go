//go:build unix

package process_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/process"
)

const path = "PATH=/usr/bin:/bin"

func shell(script string) process.Command {
	return process.Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{path}}
}

func TestRunPassesInputAndOutput(t *testing.T) {
	var out, complaints bytes.Buffer
	c := shell(`cat; echo oops >&2; pwd`)
	c.Dir, c.Stdin, c.Stdout, c.Stderr = "/", strings.NewReader("in\n"), &out, &complaints
	require.NoError(t, process.Run(t.Context(), c))
	require.Equal(t, "in\n/\n", out.String())
	require.Equal(t, "oops\n", complaints.String())
}

func TestNothingOfTheEnvironmentIsInherited(t *testing.T) {
	t.Setenv("LIFEBOAT_SECRET", "hush")
	for _, env := range [][]string{nil, {"A=b"}} {
		var out bytes.Buffer
		err := process.Run(t.Context(), process.Command{Path: "/usr/bin/env", Env: env, Stdout: &out})
		require.NoError(t, err)
		require.Equal(t, strings.Join(env, "\n"), strings.TrimSpace(out.String()))
	}
}

func TestExitError(t *testing.T) {
	tests := map[string]struct {
		script, message string
		code            int
		signal          syscall.Signal
	}{
		"status": {script: "exit 3", code: 3, message: "sh exited with status 3"},
		"signal": {script: "kill -9 $$", code: -1, signal: syscall.SIGKILL, message: "sh was ended by signal 9 (killed)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := process.Run(t.Context(), shell(tt.script))
			var exit *process.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, process.ExitError{Name: "sh", Code: tt.code, Signal: tt.signal}, *exit)
			require.EqualError(t, err, tt.message)
		})
	}
}

func TestStartFails(t *testing.T) {
	_, err := process.Start(t.Context(), process.Command{Path: "/nowhere/pg_dump"})
	require.ErrorContains(t, err, "start pg_dump: ")
	require.ErrorIs(t, err, os.ErrNotExist)

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("not now"))
	_, err = process.Start(ctx, shell("exit 0"))
	require.EqualError(t, err, "start sh: not now")
}

func TestOutputThatCannotBeTakenIsAnError(t *testing.T) {
	c := shell("echo one")
	c.Stdout = failingWriter{}
	require.EqualError(t, process.Run(t.Context(), c), "run sh: disk full")
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestContextEndsTheGroup(t *testing.T) {
	cause := errors.New("the run was cancelled")
	tests := map[string]struct {
		script string
		signal syscall.Signal
	}{
		"by SIGTERM":                 {script: "echo $$; sleep 600 & echo $!; wait", signal: syscall.SIGTERM},
		"by SIGKILL after the grace": {script: "trap '' TERM; echo $$; sleep 600 & echo $!; wait", signal: syscall.SIGKILL},
		"also when it exits with 0":  {script: "trap 'exit 0' TERM; echo $$; sleep 600 & echo $!; wait"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			r, w, err := os.Pipe()
			require.NoError(t, err)
			c := shell(tt.script)
			c.Stdout, c.Grace = w, 200*time.Millisecond
			p, err := process.Start(ctx, c)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			pids := readPids(t, r, 2)
			require.Equal(t, p.Pid(), pids[0])

			cancel(cause)
			err = p.Wait()
			var exit *process.ExitError
			require.ErrorAs(t, err, &exit)
			require.ErrorIs(t, err, cause)
			require.EqualError(t, err, "sh was stopped: the run was cancelled")
			require.Equal(t, tt.signal, exit.Signal)
			requireEOF(t, r)
		})
	}
}

func TestNothingOutlivesTheProgram(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	c := shell("sleep 600 & exit 0")
	c.Stdout = w
	require.NoError(t, process.Run(t.Context(), c))
	require.NoError(t, w.Close())
	requireEOF(t, r)
}

// The parent-death signal belongs to the thread: it must not strike when the
// goroutine that called Start ends together with its thread.
func TestProgramOutlivesTheThreadThatAskedForIt(t *testing.T) {
	started := make(chan *process.Process)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		p, _ := process.Start(t.Context(), shell("sleep 0.3; exit 7"))
		started <- p
	}()
	p := <-started
	require.NotNil(t, p)
	require.EqualError(t, p.Wait(), "sh exited with status 7")
}

// readPids reads n process ids, one a line.
func readPids(t *testing.T, r io.Reader, n int) []int {
	t.Helper()
	var pids []int
	var line []byte
	for b := make([]byte, 1); len(pids) < n; {
		_, err := io.ReadFull(r, b)
		require.NoError(t, err)
		if b[0] != '\n' {
			line = append(line, b[0])
			continue
		}
		pid, err := strconv.Atoi(string(line))
		require.NoError(t, err)
		pids, line = append(pids, pid), nil
	}
	return pids
}

// requireEOF checks that no process holds the other end of the pipe any more.
func requireEOF(t *testing.T, r *os.File) {
	t.Helper()
	require.NoError(t, r.SetReadDeadline(time.Now().Add(20*time.Second)))
	rest, err := io.ReadAll(r)
	require.NoError(t, err, "a process still holds the pipe")
	require.Empty(t, rest)
	require.NoError(t, r.Close())
}

func TestTail(t *testing.T) {
	tail := process.NewTail(10)
	write := func(s string) {
		n, err := tail.Write([]byte(s))
		require.NoError(t, err)
		require.Equal(t, len(s), n)
	}
	write("one\ntwo\n")
	require.Equal(t, "one\ntwo\n", tail.String())
	write("three\n")
	require.Equal(t, "three\n", tail.String(), "the cut line 'two' is left out")
	for range 1000 {
		write("0123456\n")
	}
	require.Equal(t, "0123456\n", tail.String())
	write(strings.Repeat("x", 25) + "\nlast\n")
	require.Equal(t, "last\n", tail.String())
}

func TestTailHasALastLine(t *testing.T) {
	for text, want := range map[string]string{"": "", "\n \n": "", "one": "one", "one\n  two \n\n": "two"} {
		tail := process.NewTail(20)
		_, err := tail.Write([]byte(text))
		require.NoError(t, err)
		require.Equal(t, want, tail.LastLine(), "%q", text)
	}
}

func TestPathIn(t *testing.T) {
	for name, want := range map[string]string{"./deploy.sh": "/srv/app/deploy.sh", "bin/deploy": "/srv/app/bin/deploy", "../x": "/srv/x", "/bin/true": "/bin/true", "true": "true"} {
		require.Equal(t, want, process.PathIn("/srv/app", name))
	}
}

func TestMain(m *testing.M) {
	if os.Getenv("PROCESS_TEST_PARENT") != "" {
		parent()
		return
	}
	os.Exit(m.Run())
}

// parent starts a program and does not live to see its end.
func parent() {
	c := shell("echo $$; exec sleep 600")
	c.Stdout = os.Stdout
	if err := process.Run(context.Background(), c); err != nil {
		os.Exit(1)
	}
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	return filepath.Clean(exe)
}
