package vault_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

func TestTries(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, ctx := d.open(t), t.Context()
		last, err := v.LastTried(ctx, "app")
		require.NoError(t, err)
		require.Zero(t, last)

		at := setAt(30).Time().Add(123 * time.Millisecond)
		put := func(service string, set recovery.SetID, after time.Duration, kind recovery.ProofKind) {
			require.NoError(t, v.PutOnce(ctx, recovery.ProofKey(service, set, at.Add(after), kind), []byte("not read")))
		}
		put("app", setAt(1), time.Hour, recovery.ProofDrill)
		put("app", setAt(1), 0, recovery.ProofRestore)
		put("app", setAt(2), time.Minute, recovery.ProofRestore)
		put("app", setAt(3), 2*time.Hour, recovery.ProofReadBack)
		put("app", setAt(3), 2*time.Hour, recovery.ProofDigest)
		put("app-2", setAt(3), 2*time.Hour, recovery.ProofRestore)
		require.NoError(t, v.PutOnce(ctx, recovery.ProofsPrefix("app", setAt(4))+"notes-restore.json", nil))
		require.NoError(t, v.PutOnce(ctx, "app/proofs/not-a-set/20261201T000000.000Z-restore.json", nil))

		all := []vault.Try{
			{Set: setAt(1), Kind: recovery.ProofDrill, Began: at.Add(time.Hour)},
			{Set: setAt(2), Kind: recovery.ProofRestore, Began: at.Add(time.Minute)},
			{Set: setAt(1), Kind: recovery.ProofRestore, Began: at},
		}
		tries, err := v.Tries(ctx, "app", time.Time{})
		require.NoError(t, err)
		require.Equal(t, all, tries)
		tries, err = v.Tries(ctx, "app", setAt(2).Time())
		require.NoError(t, err)
		require.Equal(t, all[1:2], tries)
		last, err = v.LastTried(ctx, "app")
		require.NoError(t, err)
		require.Equal(t, at.Add(time.Hour), last)
		last, err = v.LastTried(ctx, "app-2")
		require.NoError(t, err)
		require.Equal(t, at.Add(2*time.Hour), last)
		_, err = v.LastTried(ctx, "../app")
		require.ErrorContains(t, err, `read service "../app"`)
	})
}

// TestLastTriedStopsEarly: where a new set was tried, one list of the newest is all
// that is asked for.
func TestLastTriedStopsEarly(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "some/prefix")
	var requests atomic.Int32
	var startAfter atomic.Value
	d.spec.Endpoint = front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		requests.Add(1)
		startAfter.Store(r.URL.Query().Get("start-after"))
		next.ServeHTTP(w, r)
	})
	v := d.open(t)
	now := time.Now().UTC().Truncate(time.Second)
	set := recovery.NewSetID(now.Add(-time.Hour), "aaaaaa")
	require.NoError(t, v.PutOnce(t.Context(), recovery.ProofKey("app", set, now, recovery.ProofRestore), nil))
	requests.Store(0)
	last, err := v.LastTried(t.Context(), "app")
	require.NoError(t, err)
	require.Equal(t, now, last)
	require.EqualValues(t, 1, requests.Load())
	require.True(t, strings.HasPrefix(startAfter.Load().(string), "some/prefix/app/proofs/20"), startAfter.Load())
}
