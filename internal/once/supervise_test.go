//go:build unix

package once_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/once"
)

func TestBadEnds(t *testing.T) {
	tests := map[string]struct {
		path    string
		dir     string
		args    []string
		failure string
		output  string
	}{
		"status":         {path: "sh", args: []string{"-c", "echo oops >&2; exit 3"}, failure: "it exited with status 3", output: "oops\n"},
		"signal":         {path: "/bin/sh", args: []string{"-c", "kill -9 $$"}, failure: "it was ended by signal 9 (killed)"},
		"not on PATH":    {path: "nowhere", failure: `it could not be started: exec: "nowhere": executable file not found in $PATH`},
		"missing":        {path: "/nowhere/deploy.sh", failure: "it could not be started: fork/exec /nowhere/deploy.sh: no such file or directory"},
		"missing folder": {path: "sh", dir: "/nowhere", failure: "it could not be started: stat /nowhere: no such file or directory"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			job := h.job("")
			job.Path, job.Args, job.Dir = tt.path, tt.args, tt.dir
			outcome := h.run(job)
			require.True(t, outcome.Known)
			require.Equal(t, tt.failure, outcome.Failure)
			require.Equal(t, tt.output, outcome.Output)
			require.Equal(t, outcome, h.run(job))
		})
	}
}

func TestTimeoutEndsTheGroup(t *testing.T) {
	tests := map[string]string{
		"by SIGTERM":                    "exec 9<>$T/held; sleep 600 & echo begun; wait",
		"by SIGKILL after the grace":    "trap '' TERM; exec 9<>$T/held; sleep 600 & echo begun; wait; sleep 600",
		"also a child that goes on":     "exec 9<>$T/held; (trap '' TERM; echo begun; sleep 600; sleep 600) & wait",
		"but a child may end by itself": "exec 9<>$T/held; (trap 'echo tidied > $T/tidied; exit' TERM; echo begun; while :; do sleep 0.05; done) & wait",
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			require.NoError(t, syscall.Mkfifo(h.path("held"), 0o600))
			job := h.job(script)
			job.Timeout = 3 * time.Second
			outcome := h.run(job)
			require.True(t, outcome.Known)
			require.Equal(t, "it took longer than 3s and was ended", outcome.Failure)
			require.Regexp(t, `^begun\n`, outcome.Output)
			held, err := os.OpenFile(h.path("held"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
			require.NoError(t, err)
			defer held.Close()
			_, err = io.ReadAll(held) // ends once nobody of the group has it open
			require.NoError(t, err)
			require.Equal(t, strings.HasPrefix(name, "but"), h.read("tidied") == "tidied\n")
		})
	}
}

func TestWhatTheCommandLeavesRunningIsLeftAlone(t *testing.T) {
	h := newHost(t)
	job := h.job("(" + await + "echo late; echo $? > $T/wrote) & echo done")
	outcome := h.run(job)
	requireDone(t, outcome)
	h.openGate()
	h.awaitFile("wrote")
	require.Equal(t, "0\n", h.read("wrote"))
	output, err := os.ReadFile(h.folder("output"))
	require.NoError(t, err)
	require.Equal(t, "done\nlate\n", string(output))
	require.Equal(t, outcome, h.run(job))
}

func TestEnvironmentIsTheJobsAndNotOnDisk(t *testing.T) {
	t.Setenv("INHERITED", "no")
	h := newHost(t)
	job := h.job("")
	job.Path, job.Args, job.Env = "/usr/bin/env", nil, []string{"A=b", "PASSWORD=correct-horse"}
	require.Equal(t, "A=b\nPASSWORD=correct-horse\n", h.run(job).Output)

	h = newHost(t)
	job = h.job("[ ${#PASSWORD} = 13 ] && echo done;" + await)
	job.Env = append(job.Env, "PASSWORD=correct-horse")
	w := h.startWorker(job, "") // the order of the test has it in its arguments, not in a file
	h.awaitFile("starts")
	h.requireNowhere("correct-horse")
	h.openGate()
	requireDone(t, w.outcome())
	h.requireNowhere("correct-horse")
}

func (h *host) requireNowhere(secret string) {
	files := 0
	require.NoError(h.t, filepath.WalkDir(h.runner.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		require.NotContains(h.t, string(text), secret, path)
		return err
	}))
	require.Positive(h.t, files)
}

func TestFilesArePrivate(t *testing.T) {
	h := newHost(t)
	requireDone(t, h.run(h.job("echo done")))
	require.NoError(t, filepath.WalkDir(h.runner.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		require.Zero(t, info.Mode().Perm()&0o077, path)
		return err
	}))
}

func TestRunsInItsFolder(t *testing.T) {
	h := newHost(t)
	require.NoError(t, os.WriteFile(h.path("deploy.sh"), []byte("#!/bin/sh\npwd -P; cat; echo $1\n"), 0o700))
	job := h.job("")
	job.Path, job.Args, job.Dir = "./deploy.sh", []string{"two words"}, h.dir
	dir, err := filepath.EvalSymlinks(h.dir)
	require.NoError(t, err)
	require.Equal(t, dir+"\ntwo words\n", h.run(job).Output)
}

func TestOutputIsTheLastWholeLines(t *testing.T) {
	const lines = 1000
	var all strings.Builder
	for i := range lines {
		fmt.Fprintf(&all, "line %d\n", i)
	}
	exact := strings.Repeat("x", 4095) + "\n"
	tests := map[string]struct{ output, want string }{
		"none":                 {"", ""},
		"all that fits":        {exact, exact},
		"cut before a line":    {"first\n" + exact, exact},
		"a line too long":      {"y" + exact, ""},
		"many lines":           {all.String(), all.String()[strings.Index(all.String(), "line 545\n"):]},
		"progress":             {strings.Repeat("\r 50 %", 1000), strings.TrimPrefix(strings.Repeat("\r 50 %", 682), "\r")},
		"without a last break": {strings.Repeat("y", 100) + "\n" + strings.Repeat("x", 4000) + "\nlast", strings.Repeat("x", 4000) + "\nlast"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			require.NoError(t, os.WriteFile(h.path("text"), []byte(tt.output), 0o600))
			require.Equal(t, tt.want, h.run(h.job("cat $T/text")).Output)
		})
	}
}

// A deploy may fill the disk on which its outcome is to be kept.
func TestOutcomeIsKeptOnceTheDiskTakesIt(t *testing.T) {
	h := newHost(t)
	job := h.job("mkdir $T/once/job/.ended; (sleep 0.5; rmdir $T/once/job/.ended) & echo done")
	requireDone(t, h.run(job))
}

// Whoever removes what is known of a job that runs has not made it start again.
func TestFolderRemovedWhileTheCommandRuns(t *testing.T) {
	h := newHost(t)
	job := h.job(await + "echo done")
	w := h.startWorker(job, "")
	h.awaitFile("starts")
	require.NoError(t, os.RemoveAll(h.folder("")))
	require.Contains(t, w.error(), "lock the folder of a job: ")
	require.Contains(t, h.run(job).Why, "somebody else has started it")
	h.openGate()
	require.Contains(t, h.run(job).Why, "somebody else has started it")
	require.Equal(t, 1, h.starts())
}

// What stops a host or a unit gets to all processes: the supervisor tells how the command ended.
func TestSupervisorOutlivesWhatEndsTheCommand(t *testing.T) {
	for _, signal := range []string{"TERM", "INT", "HUP"} {
		t.Run(signal, func(t *testing.T) {
			h := newHost(t)
			outcome := h.run(h.job("echo done; kill -" + signal + " $PPID; kill -" + signal + " $$; sleep 600"))
			require.True(t, outcome.Known)
			require.Contains(t, outcome.Failure, "it was ended by signal ")
			require.Equal(t, "done\n", outcome.Output)
		})
	}
}

func TestSuperviseByHand(t *testing.T) {
	h := newHost(t)
	requireDone(t, h.run(h.job("echo done")))
	require.NoError(t, os.Remove(h.folder("ended")))
	require.NoError(t, os.Remove(h.folder("started")))
	require.ErrorContains(t, once.Supervise(h.folder("")), "the worker starts this by itself")
	require.ErrorContains(t, once.Supervise(h.path("nowhere")), "the worker starts this by itself")
	require.Equal(t, 1, h.starts())
}
