package once_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWorkerAndSupervisorKilledAtAnyMoment(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for i := range 20 {
		delay := time.Duration(random.IntN(250)) * time.Millisecond
		t.Run(fmt.Sprint(i, " after ", delay), func(t *testing.T) {
			h := newHost(t)
			job := h.job("sleep 0.1; echo done")
			w := h.startWorker(job, "")
			time.Sleep(delay) // one moment of many, nothing that is waited for
			w.kill()
			h.killSupervisor()
			outcome := h.run(job)
			if outcome.Known {
				requireDone(t, outcome)
				require.Equal(t, 1, h.starts())
			} else {
				require.Contains(t, outcome.Why, lost)
				require.LessOrEqual(t, h.starts(), 1)
			}
			require.Equal(t, outcome.Why, h.run(job).Why)
		})
	}
}

// killSupervisor kills what was started with the job's folder, if it runs.
func (h *host) killSupervisor() {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(h.t, err)
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(line), "\x00supervise\x00"+h.folder("")+"\x00") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		require.NoError(h.t, err)
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended just now
	}
}

// The lock would outlive its supervisor in whatever the command leaves running.
func TestCommandDoesNotInheritTheLock(t *testing.T) {
	h := newHost(t)
	outcome := h.run(h.job("for fd in /proc/$$/fd/*; do readlink $fd; done; true"))
	require.Empty(t, outcome.Failure)
	files := strings.Split(outcome.Output, "\n")
	require.Contains(t, files, "/dev/null")
	require.Contains(t, files, h.folder("output"))
	require.NotContains(t, files, h.folder(""))
}
