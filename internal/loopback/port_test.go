package loopback_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/loopback"
)

// Many servers are set up at once: each has to get a port of its own though none
// of them listens yet. Drawing 400 of 15,000 at random, some would be equal.
func TestReserveGivesEachPortOnce(t *testing.T) {
	seen := map[int]bool{}
	for range 400 {
		p, err := loopback.Reserve()
		require.NoError(t, err)
		t.Cleanup(p.Release)
		require.False(t, seen[p.Number], "port %d was given twice", p.Number)
		seen[p.Number] = true
	}
}

func TestReserveLeavesThePortToTheServer(t *testing.T) {
	p, err := loopback.Reserve()
	require.NoError(t, err)
	defer p.Release()
	l, err := net.Listen("tcp", p.Address())
	require.NoError(t, err)
	require.NoError(t, l.Close())
}
