package e2e_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// clients ask for the number of visits again and again, as the service's own role,
// each time over a new connection.
type clients struct {
	stop   context.CancelFunc
	group  sync.WaitGroup
	asked  atomic.Int64
	failed atomic.Int64
}

func reconnect(t *testing.T, url string, n int) *clients {
	ctx, cancel := context.WithCancel(context.Background())
	c := &clients{stop: cancel}
	for range n {
		c.group.Go(func() {
			for ctx.Err() == nil {
				if visits(ctx, url) < 0 {
					c.failed.Add(1)
				}
				c.asked.Add(1)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		c.group.Wait()
	})
	return c
}

// visits counts the visits, -1 if it cannot.
func visits(ctx context.Context, url string) int {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return -1
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	n := -1
	if err := conn.QueryRow(ctx, "select count(*) from visits").Scan(&n); err != nil {
		return -1
	}
	return n
}

// restored waits until production is restored.
func restored(r *rig.Rig, run string) recovery.Restoration {
	return *r.AwaitStatus(run, func(s workflows.Status) bool { return s.Restored != nil }).Restored
}

// A dropped table comes back while clients reconnect all the time.
func TestRestoreADroppedTable(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Serve()
	r.StartWorker()
	url := r.Sandbox.Env()["WHERE2EAT_DATABASE_URL"]
	before := visits(t.Context(), url)
	set := r.Backup().Set
	r.Exec(sandbox.Database, "drop table visits cascade")
	six := reconnect(t, url, 6)

	run := r.StartRun("restore", "--source", "app", "--set", string(set))
	asked := r.AwaitPending(run)
	facts := map[string]string{}
	for _, f := range asked.Request.Facts {
		facts[f.Label] = f.Value
	}
	require.Contains(t, facts["Rows of visits (app)"], "not there now, ")
	require.Contains(t, facts["Safety backup"], "made just now: ")

	plain := r.Starter("decide", run, "approve", "--as", "sam")
	require.Equal(t, 6, plain.Code, "one confirmation is not enough")
	require.Contains(t, plain.Stderr, `confirm it by typing "where2eat"`)
	require.Equal(t, 0, r.Starter("decide", run, "approve", "--as", "sam", "--confirm", "where2eat").Code)

	result := restored(r, run)
	require.Equal(t, recovery.StateRestored, result.State, result.Sentence)
	require.Equal(t, before, visits(t.Context(), url), "as the service's own role")
	t.Logf("nothing answered for %s; %d connections were tried meanwhile, %d failed", result.Down, six.asked.Load(), six.failed.Load())
	six.stop()

	record := r.Decision(asked.Request.ID)
	require.Len(t, record.Votes, 1)
	require.Len(t, record.Refusals, 1)

	t.Run("and the drop is offered after the way back", func(t *testing.T) {
		undo := r.AwaitPending(run)
		require.Equal(t, "undo", undo.Request.Step)
		require.Equal(t, 0, r.Starter("decide", run, "reject", "--as", "sam", "--reason", "all is well").Code)
		drop := r.AwaitPending(run)
		require.Equal(t, "remove", drop.Request.Step)
		require.Equal(t, 0, r.Starter("decide", run, "approve", "--as", "sam").Code)
		var end recovery.Restoration
		require.NoError(t, r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), &end))
		require.Equal(t, recovery.StateRestored, end.State)
		require.Equal(t, []string{"postgres", "template1", "where2eat"}, r.Databases())
	})
}
