//go:build unix

package once_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const lost = "nothing says how it ended: its host or its supervisor was ended meanwhile, and it may be running still"

func TestManyWorkersAskAtOnce(t *testing.T) {
	h := newHost(t)
	job := h.job(await + "echo done")
	workers := []*worker{h.startWorker(job, ""), h.startWorker(job, ""), h.startWorker(job, "")}
	h.awaitFile("starts")
	h.openGate()
	outcome := h.run(job)
	requireDone(t, outcome)
	for _, w := range workers {
		require.Equal(t, outcome, w.outcome())
	}
	require.Equal(t, 1, h.starts())
}

func TestWorkerKilledAtItsClaim(t *testing.T) {
	for _, stage := range []string{"before", "after"} {
		t.Run(stage, func(t *testing.T) {
			h := newHost(t)
			job := h.job("echo done")
			w := h.startWorker(job, stage)
			h.awaitFile("hangs")
			w.kill()
			require.Zero(t, h.starts())
			requireDone(t, h.run(job))
			require.Equal(t, 1, h.starts())
		})
	}
}

func TestWorkerKilledWhileTheCommandRuns(t *testing.T) {
	h := newHost(t)
	job := h.job(await + "echo done")
	w := h.startWorker(job, "")
	h.awaitFile("starts")
	w.kill()
	require.NoFileExists(t, h.folder("ended"))
	h.openGate()
	requireDone(t, h.run(job))
	require.Equal(t, 1, h.starts())
}

func TestWorkerKilledAtAnyMoment(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	for i := range 20 {
		delay := time.Duration(random.IntN(300)) * time.Millisecond
		t.Run(fmt.Sprint(i, " after ", delay), func(t *testing.T) {
			h := newHost(t)
			job := h.job("sleep 0.1; echo done")
			killed, other := h.startWorker(job, ""), h.startWorker(job, "")
			time.Sleep(delay) // one moment of many, nothing that is waited for
			killed.kill()
			outcome := h.run(job)
			requireDone(t, outcome)
			require.Equal(t, outcome, other.outcome())
			require.Equal(t, 1, h.starts())
		})
	}
}

func TestSupervisorKilledWhileTheCommandRuns(t *testing.T) {
	h := newHost(t)
	job := h.job("echo half; echo $PPID > $T/supervisor;" + await + "echo done; echo yes > $T/ended")
	w := h.startWorker(job, "")
	h.awaitFile("supervisor")
	pid, err := strconv.Atoi(strings.TrimSpace(h.read("supervisor")))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	outcome := w.outcome()
	require.False(t, outcome.Known)
	require.Regexp(t, `^it was started at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC and `+lost+`$`, outcome.Why)
	require.Empty(t, outcome.Failure)
	require.Equal(t, "half\n", outcome.Output)
	require.False(t, outcome.Started.IsZero())
	require.True(t, outcome.Finished.IsZero())
	require.Equal(t, outcome, h.run(job))

	h.openGate()
	h.awaitFile("ended") // the command ran on
	require.Equal(t, outcome.Why, h.run(job).Why)
	require.Equal(t, 1, h.starts())
}
