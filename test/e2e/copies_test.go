package e2e_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/internal/vault"
	"github.com/lifeboat-run/lifeboat/test/rig"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// The second of two S3 servers is down while six backups fall due. They are made on
// time on the first; the second gets its six copies by itself once it is back, each
// with a proof of its own.
func TestASecondDestinationThatIsDownDelaysOnlyItsCopies(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.AddSecond()
	w := r.StartWorker()
	r.Second.Stop()
	var sets []recovery.SetID
	for range 6 {
		report := r.Backup()
		require.Equal(t, recovery.Proven, report.Verdict)
		require.Equal(t, "main", report.Copy)
		sets = append(sets, report.Set)
	}
	r.Await("/ready does not name the second destination", func() bool {
		var ready struct {
			Ready        bool
			Destinations map[string]struct{ State string }
		}
		getJSON(t, "http://"+w.Address+"/ready", &ready)
		return ready.Ready && ready.Destinations["main"].State == "ok" && ready.Destinations["second"].State == "degraded"
	})

	require.NoError(t, r.Second.Restart(t.Context()))
	v := r.SecondVault()
	for _, set := range sets {
		r.AwaitEnd(workflows.ReplicateID(set, "second"))
		require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, r.RunStatus(workflows.ReplicateID(set, "second")))
		requireProven(t, r, v, set, "second")
	}
	there, err := v.Sets(t.Context(), sandbox.Service, trusted(t, r), time.Time{}, 0)
	require.NoError(t, err)
	slices.Reverse(there)
	require.Equal(t, sets, there)
}

func trusted(t *testing.T, r *rig.Rig) []recovery.PublicKey {
	t.Helper()
	key, err := recovery.ParsePublicKey(r.Config.Trusted)
	require.NoError(t, err)
	return []recovery.PublicKey{key}
}

// requireProven checks that a destination holds a proof of its own copy of a set.
func requireProven(t *testing.T, r *rig.Rig, v *vault.Vault, set recovery.SetID, copyName string) {
	t.Helper()
	entry, err := v.Entry(t.Context(), sandbox.Service, set, trusted(t, r))
	require.NoError(t, err)
	require.True(t, entry.Standing.Usable(), entry.Standing)
	require.NotEmpty(t, entry.Proofs)
	for _, p := range entry.Proofs {
		require.Equal(t, copyName, p.Copy)
	}
}

// The preferred destination is down: the backup is made at the other one, and a
// restore, a drill and a verification work from there. The first gets its copy later.
func TestThePreferredDestinationIsDown(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.AddSecond()
	r.StartWorker()
	r.S3.Stop()
	report := r.Backup()
	require.Equal(t, recovery.Proven, report.Verdict)
	require.Equal(t, recovery.LevelProven, report.Level)
	require.Equal(t, "second", report.Copy)

	verified := r.Starter("verify", sandbox.Service)
	require.Equal(t, 0, verified.Code, verified.Stderr)
	run := r.StartRun("drill")
	r.AwaitPending(run)
	require.Equal(t, 0, r.Starter("decide", run, "approve", "--as", "sam").Code)
	r.AwaitEnd(run)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, r.RunStatus(run))

	require.NoError(t, r.S3.Restart(t.Context()))
	copied := workflows.ReplicateID(report.Set, "main")
	r.AwaitEnd(copied)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, r.RunStatus(copied))
	requireProven(t, r, r.Vault(), report.Set, "main")
}

// A verification on its schedule takes each copy in turn.
func TestVerificationRotatesThroughTheCopies(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.AddSecond()
	r.StartWorker()
	set := r.Backup().Set // restores the copy at main
	r.AwaitEnd(workflows.ReplicateID(set, "second"))
	var copies []string
	for range 3 {
		out := r.Starter("verify", sandbox.Service, "--rotate", "--json")
		require.Equal(t, 0, out.Code, out.Stderr)
		var report recovery.Report
		require.NoError(t, json.Unmarshal([]byte(out.Stdout), &report))
		require.Equal(t, set, report.Set)
		require.Equal(t, recovery.LevelProven, report.Level)
		copies = append(copies, report.Copy)
	}
	require.Equal(t, []string{"second", "main", "second"}, copies)
}

// Right after what was due was backed up, nothing is due: that is no failure, and
// makes no set.
func TestNothingIsDue(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	report := backupWhatIsDue(t, r)
	r.Configure(func(c *sandbox.Config) { c.AppEvery = "never" })
	out := r.Starter("backup", sandbox.Service, "--due")
	require.Equal(t, 0, out.Code, out.Stderr)
	require.Contains(t, out.Stdout, "nothing of where2eat is due")
	require.Equal(t, report.Set, r.Sets()[0])
	require.Len(t, r.Sets(), 2)
}
