package e2e_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
)

// A drill waits for a person, restores to staging, and writes its report.
func TestDrillDecidedByCLI(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.StartWorker()
	set := r.Backup().Set

	run := r.StartRun("drill")
	pending := r.AwaitPending(run)
	require.Equal(t, "drill", pending.Request.Step)
	require.Equal(t, "rebecca", pending.Request.RequestedBy, "starter vouches for who asked")
	require.Equal(t, []string{"sam"}, pending.Request.MayApprove())

	own := r.Starter("decide", run, "approve")
	require.Equal(t, 6, own.Code)
	require.Contains(t, own.Stderr, "rebecca asked for this and may not approve it; sam may")

	listed := r.Starter("pending")
	require.Contains(t, listed.Stdout, "Rehearse the restore of where2eat from set "+string(set))
	require.Contains(t, listed.Stdout, "as the last restore did")

	decided := r.Starter("decide", run, "approve", "--as", "sam")
	require.Equal(t, 0, decided.Code, decided.Stderr)

	var drill recovery.Drill
	require.NoError(t, r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), &drill))
	require.Equal(t, recovery.LevelProven, drill.Report.Level)
	require.True(t, drill.Report.RTO.Met)
	require.True(t, drill.Report.RPO.Met)

	document, err := r.Vault().Get(context.Background(), drill.Document)
	require.NoError(t, err)
	require.Contains(t, string(document), "# Restore drill of where2eat: PASSED")
	require.Contains(t, string(document), "| Decision | drill approved: sam by cli, account ")
	require.True(t, strings.HasPrefix(drill.Document, "drills/where2eat/"))

	var shown struct{ Log []recovery.Proof }
	require.NoError(t, json.Unmarshal([]byte(r.Starter("show", string(set), "--json").Stdout), &shown))
	require.Equal(t, recovery.ProofDrill, shown.Log[len(shown.Log)-1].Kind)
	r.RequireClean(set)
	require.Contains(t, r.Starter("pending").Stdout, "nothing waits")
	require.Equal(t, sandbox.Service, drill.Report.Service)
}
