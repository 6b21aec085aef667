//go:build unix

package once_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// age makes all that is kept of jobs older.
func (h *host) age(by time.Duration) {
	then := time.Now().Add(-by)
	for _, pattern := range []string{"*/*", "*/.*", "*"} {
		files, err := filepath.Glob(filepath.Join(h.runner.Dir, pattern))
		require.NoError(h.t, err)
		for _, file := range files {
			require.NoError(h.t, os.Chtimes(file, then, then))
		}
	}
}

func TestSweep(t *testing.T) {
	h := newHost(t)
	require.NoError(t, h.runner.Sweep(time.Hour), "nothing is there yet")
	requireDone(t, h.run(h.job("echo done")))
	lostJob, young := h.job(""), h.job("")
	lostJob.Key, young.Key = "lost", "young"
	h.run(lostJob)
	h.run(young)
	require.NoError(t, os.Remove(filepath.Join(h.runner.Dir, "lost", "ended")))
	h.age(2 * time.Hour)
	require.NoError(t, os.WriteFile(filepath.Join(h.runner.Dir, "young", "output"), []byte("a service writes\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(h.runner.Dir, "README"), nil, 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(h.runner.Dir, ".half", "removed"), 0o700))

	require.NoError(t, h.runner.Sweep(3*time.Hour))
	require.DirExists(t, h.folder(""))
	require.NoError(t, h.runner.Sweep(time.Hour))
	entries, err := os.ReadDir(h.runner.Dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, "README", entries[0].Name())
	require.Equal(t, "young", entries[1].Name())

	// Nothing is known of it any more, so it is not started again.
	before := h.starts()
	outcome := h.run(h.job("echo again"))
	require.False(t, outcome.Known)
	require.Contains(t, outcome.Why, "somebody else has started it")
	require.Equal(t, before, h.starts())
}

func TestSweepSparesWhatRuns(t *testing.T) {
	h := newHost(t)
	job := h.job(await + "echo done")
	w := h.startWorker(job, "")
	h.awaitFile("starts")
	h.age(2 * time.Hour)
	require.NoError(t, h.runner.Sweep(time.Hour))
	require.FileExists(t, h.folder("started"))
	h.openGate()
	requireDone(t, w.outcome())
	require.Equal(t, 1, h.starts())
}
