package ping_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/ping"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const secret = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"

type heard struct{ method, address, text string }

// listen starts a switch that answers with status.
func listen(t *testing.T, status int) (address string, pings chan heard) {
	t.Helper()
	pings = make(chan heard, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		pings <- heard{r.Method, r.URL.String(), string(text)}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, pings
}

func TestPing(t *testing.T) {
	server, pings := listen(t, http.StatusOK)
	for _, c := range []struct {
		address string
		signal  ping.Signal
		want    string
	}{
		{"/" + secret, ping.Success, "/" + secret},
		{"/" + secret, ping.Start, "/" + secret + "/start"},
		{"/" + secret, ping.Fail, "/" + secret + "/fail"},
		{"/" + secret + "/", ping.Success, "/" + secret},
		{"/" + secret + "/", ping.Fail, "/" + secret + "/fail"},
		{"/key/where2eat-backup?create=1", ping.Start, "/key/where2eat-backup/start?create=1"},
		{"/key/a%2Fb?create=1", ping.Fail, "/key/a%2Fb/fail?create=1"},
		{"", ping.Start, "/start"},
	} {
		require.NoError(t, ping.Ping(t.Context(), server+c.address, c.signal, "set 20261122T180000Z-ab12cd"))
		require.Equal(t, heard{"POST", c.want, "set 20261122T180000Z-ab12cd"}, <-pings)
	}
}

func TestALongTextIsCut(t *testing.T) {
	server, pings := listen(t, http.StatusOK)
	require.NoError(t, ping.Ping(t.Context(), server, ping.Fail, strings.Repeat("é", 6000)+"x"))
	require.Equal(t, strings.Repeat("é", 5000), (<-pings).text)
	require.NoError(t, ping.Ping(t.Context(), server, ping.Fail, "x"+strings.Repeat("é", 6000)))
	require.Equal(t, "x"+strings.Repeat("é", 4999), (<-pings).text)
}

func TestAnswers(t *testing.T) {
	for status, kind := range map[int]recovery.FaultKind{
		http.StatusNotFound: recovery.Permanent, http.StatusMovedPermanently: recovery.Permanent, http.StatusForbidden: recovery.Permanent,
		http.StatusTooManyRequests: recovery.Unavailable, http.StatusServiceUnavailable: recovery.Unavailable,
	} {
		server, _ := listen(t, status)
		err := ping.Ping(t.Context(), server+"/"+secret, ping.Success, "")
		require.ErrorContains(t, err, "it answers")
		require.Equal(t, kind, recovery.KindOf(err), "%v", err)
		requireNoSecret(t, err)
	}
}

func TestNoErrorHoldsTheAddress(t *testing.T) {
	for _, address := range []string{
		"http://127.0.0.1:1/" + secret, "ftp://example.com/" + secret, "http://%zz/" + secret, secret, "",
		"http://user:" + secret + "@127.0.0.1:1/", "http://127.0.0.1:1/\x7f" + secret,
	} {
		requireNoSecret(t, ping.Ping(t.Context(), address, ping.Start, ""))
	}
	requireNoSecret(t, ping.Ping(t.Context(), "http://127.0.0.1:1/"+secret, "", ""))

	stuck := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer stuck.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := ping.Ping(ctx, stuck.URL+"/"+secret, ping.Start, "")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	requireNoSecret(t, err)
}

func requireNoSecret(t *testing.T, err error) {
	t.Helper()
	require.ErrorContains(t, err, "ping the dead man's switch: ")
	require.NotContains(t, err.Error(), secret)
}

func TestHeartbeat(t *testing.T) {
	server, pings := listen(t, http.StatusOK)
	var ready atomic.Bool
	asked := make(chan struct{}, 100)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	beat := &ping.Heartbeat{
		Every: time.Millisecond,
		Ready: func() bool {
			select {
			case asked <- struct{}{}:
			default:
			}
			return ready.Load()
		},
		Address: func() (string, error) { return server + "/" + secret, nil },
		Failed:  func(err error) { panic(err) },
	}
	go func() { defer close(done); beat.Run(ctx) }()
	for range 3 {
		<-asked
	}
	require.Empty(t, pings, "a worker that is not ready is silent")
	ready.Store(true)
	for range 3 {
		require.Equal(t, heard{"POST", "/" + secret, ""}, <-pings)
	}
	stop()
	<-done
}

func TestAHeartbeatGoesOn(t *testing.T) {
	failed := make(chan error)
	addresses := make(chan string, 3)
	addresses <- ""                             // no check: nothing happens
	addresses <- "http://127.0.0.1:1/" + secret // nobody listens
	beat := &ping.Heartbeat{
		Every: time.Millisecond,
		Ready: func() bool { return true },
		Address: func() (string, error) {
			select {
			case a := <-addresses:
				return a, nil
			default:
				return "", errors.New("the reference leads nowhere")
			}
		},
		Failed: func(err error) { failed <- err },
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); beat.Run(ctx) }()
	requireNoSecret(t, <-failed)
	require.ErrorContains(t, <-failed, "the reference leads nowhere")
	stop()
	for open := true; open; {
		select {
		case err := <-failed: // one that was on its way
			require.Error(t, err)
		case <-done:
			open = false
		}
	}
}
