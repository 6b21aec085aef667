package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/probe"
)

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func TestGet(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/health":
			fmt.Fprint(w, "ok")
		case "/moved":
			http.Redirect(w, r, "/health", http.StatusFound)
		case "/silent":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, "the   database\n%s", strings.Repeat("é", 300))
		}
	})
	p := &probe.Prober{}
	require.NoError(t, p.Get(t.Context(), server.URL+"/health"))
	require.NoError(t, p.Get(t.Context(), server.URL+"/moved"))
	require.EqualError(t, p.Get(t.Context(), server.URL+"/ready?token=secret"),
		"get "+server.URL+"/ready: want status 200, got 503")
	require.ErrorContains(t, p.Get(t.Context(), server.URL+"/silent"), "got 503")
	server.Close()
	err := p.Get(t.Context(), strings.Replace(server.URL, "http://", "http://user:secret@", 1)+"/health")
	require.ErrorContains(t, err, "get "+server.URL+"/health: ")
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), "secret")
	err = p.Get(t.Context(), "http://user:secret@[broken/")
	require.ErrorContains(t, err, "get an address that is none")
	require.NotContains(t, err.Error(), "secret")
}

func TestGetGoesThroughNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	require.NoError(t, (&probe.Prober{}).Get(t.Context(), server.URL))
}

func TestWaitUpEndsWithTheFirstGoodAnswer(t *testing.T) {
	var asked atomic.Int32
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	require.NoError(t, (&probe.Prober{}).WaitUp(t.Context(), server.URL+"/health"))
	require.EqualValues(t, 4, asked.Load())
}

func TestWaitUpTellsTheLastAnswer(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	var asked atomic.Int32
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "the tables are missing")
		if asked.Add(1) == 2 {
			go cancel(errors.New("the service has ended"))
		}
	})
	err := (&probe.Prober{}).WaitUp(ctx, server.URL+"/ready")
	require.ErrorContains(t, err, "wait for "+server.URL+"/ready: the service has ended; the last try: ")
	require.ErrorContains(t, err, "got 503")

	ended, cancelNow := context.WithCancel(t.Context())
	cancelNow()
	require.ErrorContains(t, (&probe.Prober{}).WaitUp(ended, server.URL), "context canceled; the last try: it was not asked")
}
