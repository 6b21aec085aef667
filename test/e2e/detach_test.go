package e2e_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
)

// Ctrl-C ends the command, not the run: it goes on, and the command says how to
// look at it.
func TestDetach(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	// Without a worker the run waits, so that it is surely there when the command
	// is interrupted.
	out := r.InterruptStarter("no worker answers", syscall.SIGINT, "backup", sandbox.Service)
	require.Equal(t, 130, out.Code, out.Stderr)
	require.Contains(t, out.Stderr, "detached: the run goes on")
	_, id, found := strings.Cut(out.Stderr, "--workflow-id ")
	require.True(t, found, out.Stderr)
	id, _, _ = strings.Cut(id, "\n")

	r.StartWorker()
	var report recovery.Report
	require.NoError(t, r.Client().GetWorkflow(t.Context(), id, "").Get(t.Context(), &report))
	require.Equal(t, recovery.LevelProven, report.Level)

	started := r.Starter("backup", sandbox.Service, "--detach")
	require.Zero(t, started.Code, started.Stderr)
	require.NoError(t, r.Client().GetWorkflow(t.Context(), strings.TrimSpace(started.Stdout), "").Get(t.Context(), nil))
	require.Len(t, r.Sets(), 2)
}
