package postgres_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
)

// twoStates has a live database app, whose table word says "old", and one beside
// it that says "new".
func twoStates(t *testing.T) (*devserver.Postgres, *postgres.Live) {
	t.Helper()
	server := devserver.StartPostgres(t)
	return server, statesOn(t, server)
}

func statesOn(t *testing.T, server *devserver.Postgres) *postgres.Live {
	t.Helper()
	server.Exec(t, "postgres", "CREATE ROLE app LOGIN PASSWORD 'app'")
	for database, word := range map[string]string{"app": "old", "beside": "new"} {
		server.Exec(t, "postgres", "CREATE DATABASE "+database+" OWNER app")
		server.Exec(t, database, "CREATE TABLE word AS SELECT '"+word+"' AS word; ALTER TABLE word OWNER TO app")
	}
	return &postgres.Live{Source: "app", URL: as(t, server, "app", "app", "app"), AdminURL: server.URL("postgres"), Application: "lifeboat/test"}
}

func identity(t *testing.T, l *postgres.Live, database string) string {
	t.Helper()
	id, err := l.Identity(t.Context(), database)
	require.NoError(t, err)
	return id
}

// swapOf is the swap of what is live now with what stands under a name.
func swapOf(t *testing.T, l *postgres.Live, in, aside string) recovery.Swap {
	t.Helper()
	return recovery.Swap{
		Source: "app", Kind: recovery.KindPostgres, Live: "app", New: in, Aside: aside,
		Out: identity(t, l, "app"), In: identity(t, l, in),
	}
}

// client connects again and again, queries, and notes what went wrong.
type client struct {
	url    string
	seen   [2]atomic.Int64 // old, new
	closed atomic.Int64
	wrong  chan error
}

func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := c.session(ctx)
		switch {
		case err == nil, ctx.Err() != nil:
		case isOfASwap(err):
			c.closed.Add(1)
		default:
			select {
			case c.wrong <- err:
			default:
			}
			return
		}
	}
}

func (c *client) session(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for range 5 {
		var word string
		if err := conn.QueryRow(ctx, "SELECT word FROM word").Scan(&word); err != nil {
			return err
		}
		switch word {
		case "old":
			c.seen[0].Add(1)
		case "new":
			c.seen[1].Add(1)
		default:
			return fmt.Errorf("it says %q", word)
		}
	}
	return nil
}

// isOfASwap says whether a client may meet an error during a swap: its connection
// was closed, or the database was renamed while it connected.
func isOfASwap(err error) bool {
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refusal.Code == "57P01" || refusal.Code == "3D000"
	}
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func runClients(t *testing.T, n int, url string) *client {
	t.Helper()
	c := &client{url: url, wrong: make(chan error, n)}
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for range n {
		group.Go(func() { c.run(ctx) })
	}
	t.Cleanup(func() { stop(); group.Wait() })
	return c
}

func TestSwapWhileClientsReconnect(t *testing.T) {
	server, l := twoStates(t)
	c := runClients(t, 6, l.URL)
	names := []string{"beside", "before_1"}
	for i := range 20 {
		before := c.seen[i%2].Load()
		require.Eventually(t, func() bool { return c.seen[i%2].Load() > before || len(c.wrong) > 0 }, 20*time.Second, time.Millisecond)
		job := swapOf(t, l, names[0], fmt.Sprintf("before_%d", i+1))
		swapped, err := l.Swap(t.Context(), job)
		require.NoError(t, err)
		require.False(t, swapped.Again)
		require.Positive(t, swapped.Down)
		t.Logf("swap %d: down for %v, closed %d sessions", i+1, time.Duration(swapped.Down), swapped.Closed)
		names[0] = job.Aside
		want := []string{"new", "old"}[i%2]
		require.Equal(t, []string{want}, rowsAt(t, l.URL, "SELECT word FROM word"))
		require.Equal(t, []string{want}, rows(t, server, "app", "SELECT word FROM word"))

		again, err := l.Swap(t.Context(), job)
		require.NoError(t, err)
		require.Equal(t, &recovery.Swapped{Again: true}, again)
	}
	select {
	case err := <-c.wrong:
		require.NoError(t, err)
	default:
	}
	require.Positive(t, c.closed.Load())
	require.Equal(t, []string{"app", "before_20", "postgres"}, rows(t, server, "postgres", "SELECT datname::text FROM pg_database WHERE NOT datistemplate ORDER BY 1"))
}

// TestSwapKilledAtAnyMoment runs this test program again as the one who swaps, and
// kills it.
func TestSwapKilledAtAnyMoment(t *testing.T) {
	const swapper = "POSTGRES_TEST_SWAPPER"
	if given := os.Getenv(swapper); given != "" {
		var order struct {
			Live postgres.Live
			Job  recovery.Swap
		}
		require.NoError(t, json.Unmarshal([]byte(given), &order))
		fmt.Println("READY")
		_, err := order.Live.Swap(t.Context(), order.Job)
		require.NoError(t, err)
		fmt.Println("DONE")
		return
	}

	server, l := twoStates(t)
	c := runClients(t, 6, l.URL)
	// start begins a swap in another process.
	start := func(job recovery.Swap) (*exec.Cmd, *bufio.Scanner) {
		order, err := json.Marshal(map[string]any{"Live": l, "Job": job})
		require.NoError(t, err)
		cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), swapper+"="+string(order))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for lines.Scan() && lines.Text() != "READY" {
			t.Log(lines.Text())
		}
		return cmd, lines
	}

	// How long one takes that nobody kills.
	job := swapOf(t, l, "beside", "before_0")
	cmd, lines := start(job)
	begun := time.Now()
	require.True(t, lines.Scan())
	require.Equal(t, "DONE", lines.Text())
	span := time.Since(begun)
	for lines.Scan() { // to its end, as Wait wants it
	}
	require.NoError(t, cmd.Wait())

	const kills = 20
	byTheKilled := 0
	for i := range kills {
		in, out := job.Out, job.In
		job = swapOf(t, l, job.Aside, fmt.Sprintf("before_%d", i+1))
		require.Equal(t, []string{in, out}, []string{job.In, job.Out})
		cmd, _ := start(job)
		time.Sleep(span * time.Duration(i) / kills) // the moment of the kill
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()

		swapped, err := l.Swap(t.Context(), job)
		require.NoError(t, err, "killed at %v", span*time.Duration(i)/kills)
		if swapped.Again {
			byTheKilled++
		}
		require.Equal(t, in, identity(t, l, "app"))
		require.Equal(t, out, identity(t, l, job.Aside))
		require.Equal(t, []string{"app", job.Aside, "postgres"}, slices.Sorted(slices.Values(
			rows(t, server, "postgres", "SELECT datname::text FROM pg_database WHERE NOT datistemplate"))))
		require.Equal(t, []string{[]string{"old", "new"}[i%2]}, rowsAt(t, l.URL, "SELECT word FROM word"))
	}
	t.Logf("a swap takes %v; of %d that were killed, %d had been done", span, kills, byTheKilled)
	select {
	case err := <-c.wrong:
		require.NoError(t, err)
	default:
	}
}
