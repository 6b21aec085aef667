package faults_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/test/rig"
)

// The worker is killed at moments spread over a rollback: after the approval and before
// deploy.sh, while that builds and starts the release, and after it. That script is
// never run twice for one approval, as it counts itself, and the rollback ends at its
// release, or asks a person.
func TestWorkerKilledInARollback(t *testing.T) {
	const kills, groups = 20, 2
	for group := range groups {
		t.Run(strconv.Itoa(group), func(t *testing.T) {
			t.Parallel()
			moments := rand.New(rand.NewPCG(5, uint64(group))) // the same each time
			r := rig.New(t)
			d := r.DeployReleases()
			d.Configure(func(deploy map[string]any) { deploy["settle"] = "1s" })
			d.Tag("v0", "Begin")
			d.ByHand("./deploy.sh", "--tag", "v0")
			w := r.StartWorker()
			for i := range kills / groups {
				phase := phases[i%len(phases)]
				w = killInRollback(t, r, w, d, fmt.Sprint("v", i+1), phase, time.Duration(moments.Int64N(int64(phase.lasts))))
			}
		})
	}
}

// phase is a part of a rollback, and about how long it lasts.
type phase struct {
	name  string
	begun func(d *rig.Releases, tag string) bool
	lasts time.Duration
}

var phases = []phase{
	{"before deploy.sh", func(*rig.Releases, string) bool { return true }, 300 * time.Millisecond},
	{"during deploy.sh", func(d *rig.Releases, tag string) bool { return slices.Contains(d.Runs(), tag) }, 1500 * time.Millisecond},
	{"after deploy.sh", func(d *rig.Releases, tag string) bool { return d.Serving() == tag }, 2 * time.Second},
}

func killInRollback(t *testing.T, r *rig.Rig, w *rig.Worker, d *rig.Releases, tag string, in phase, after time.Duration) *rig.Worker {
	t.Helper()
	d.Tag(tag, "Go on")
	run := r.StartRun("rollback", "--to", tag)
	request := r.AwaitPending(run).Request
	out := r.Starter("decide", run, "approve", "--as", "sam")
	require.Equal(t, 0, out.Code, out.Stderr)
	require.Eventually(t, func() bool { return in.begun(d, tag) }, time.Minute, 10*time.Millisecond, "%s does not come", in.name)
	time.Sleep(after) // the moment of the kill is what varies
	w.Kill()
	w = r.StartWorker()

	asks := questionAfter(r, run, request.ID)
	runs := len(slices.DeleteFunc(d.Runs(), func(other string) bool { return other != tag }))
	t.Logf("killed %s, %s after that began: asked a person: %t", in.name, after, asks)
	require.Len(t, r.Decision(request.ID).Votes, 1)
	if asks {
		require.LessOrEqual(t, runs, 1, "one approval, one deploy at most")
		require.Equal(t, 0, r.Starter("decide", run, "approve", "--as", "sam", "--choose", "leave").Code)
		r.AwaitEnd(run)
		return w
	}
	require.Equal(t, 1, runs, "one approval, one deploy")
	require.Equal(t, tag, d.Serving())
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, r.RunStatus(run))
	return w
}

// questionAfter waits until a rollback has ended, or asks another thing than before.
func questionAfter(r *rig.Rig, run, before string) (asks bool) {
	r.Await(run+" does not come to an end", func() bool {
		asks = slices.ContainsFunc(r.Pending(run), func(b approval.Book) bool { return b.Request.ID != before })
		return asks || r.RunStatus(run) != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	})
	return asks
}

// The supervisor of deploy.sh is killed while that runs, as when its host restarts.
// Nobody knows how it ends: a person is asked, who sees that it ran.
func TestSupervisorKilledInARollback(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	d := r.DeployReleases()
	d.Tag("v1", "Begin")
	d.Tag("v2", "Go on")
	d.ByHand("./deploy.sh", "--tag", "v2")
	r.StartWorker()
	run := r.StartRun("rollback", "--to", "v1")
	r.AwaitPending(run)
	require.Equal(t, 0, r.Starter("decide", run, "approve", "--as", "sam").Code)
	require.Eventually(t, func() bool { return slices.Contains(d.Runs(), "v1") }, time.Minute, 10*time.Millisecond, "deploy.sh does not begin")
	supervisors := r.Supervisors()
	require.Len(t, supervisors, 1)
	require.NoError(t, syscall.Kill(supervisors[0], syscall.SIGKILL))

	asked := r.AwaitBook(run, func(b approval.Book) bool { return b.Request.Step == "next" })
	require.Contains(t, fmt.Sprint(asked.Request.Facts), "nobody knows whether deploy.deploy ran to its end: it was started at ")
	r.Await("deploy.sh does not end by itself", func() bool { return d.Serving() == "v1" })
	out := r.Starter("decide", run, "approve", "--as", "sam", "--choose", "ran")
	require.Equal(t, 0, out.Code, out.Stderr)
	require.False(t, questionAfter(r, run, asked.Request.ID), "it is well")
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, r.RunStatus(run))
	require.Equal(t, []string{"v1"}, d.Runs(), "one approval, one deploy")
}
