package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestAskingGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := make(chan struct{})
		defer close(dead)
		a := newAsking()
		var asked atomic.Int32
		hang := func(context.Context) (int, error) { // whatever its context says
			asked.Add(1)
			<-dead
			return 1, nil
		}
		_, err := ask(t.Context(), a, "second", hang)
		require.EqualError(t, err, "destination second does not answer within 1m0s")
		_, err = ask(t.Context(), a, "second", hang)
		require.EqualError(t, err, "destination second does not answer within 1m0s")
		require.EqualValues(t, 1, asked.Load(), "it is not asked again")

		got, err := ask(t.Context(), a, "main", func(context.Context) (int, error) { return 2, nil })
		require.NoError(t, err)
		require.Equal(t, 2, got)
	})
}

func TestAskingGoesOnAfterAnError(t *testing.T) {
	a := newAsking()
	_, err := ask(t.Context(), a, "main", func(context.Context) (int, error) { return 0, errors.New("no such bucket") })
	require.EqualError(t, err, "no such bucket")
	got, err := ask(t.Context(), a, "main", func(context.Context) (int, error) { return 2, nil })
	require.NoError(t, err)
	require.Equal(t, 2, got)
}

// Whoever does not want the answer any more says nothing about the destination.
func TestAskingIsStopped(t *testing.T) {
	a := newAsking()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := ask(ctx, a, "main", func(ctx context.Context) (int, error) {
		cancel()
		<-ctx.Done()
		return 0, ctx.Err()
	})
	require.ErrorIs(t, err, context.Canceled)
	_, err = ask(t.Context(), a, "main", func(context.Context) (int, error) { return 2, nil })
	require.NoError(t, err)
}

// A pipe that nobody writes to is opened as slowly as a file of a dead mount.
func TestReadingADeadMount(t *testing.T) {
	dir := t.TempDir()
	manifest := filepath.Join(dir, filepath.FromSlash(recovery.ManifestKey("where2eat", "20261122T020000Z-ab12cd")))
	require.NoError(t, os.MkdirAll(filepath.Dir(manifest), 0o700))
	require.NoError(t, syscall.Mkfifo(manifest, 0o600))
	t.Cleanup(func() { // lets go of who reads it
		if pipe, err := os.OpenFile(manifest, os.O_RDWR, 0); err == nil {
			_ = pipe.Close()
		}
	})
	a := &asking{within: 200 * time.Millisecond, silent: map[string]error{}}
	at := readDestination(t.Context(), &config.Config{}, recovery.DestinationSpec{Name: "disk", URL: "file://" + dir}, reader{service: "where2eat", limit: 1}, a)
	require.Equal(t, recovery.SetsAt{Destination: "disk", Unavailable: "destination disk does not answer within 200ms"}, at)
}
