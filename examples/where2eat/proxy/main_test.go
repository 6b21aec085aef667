package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProxyFollowsTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "address")
	proxy := httptest.NewServer(follow(file))
	t.Cleanup(proxy.Close)
	ask := func() (int, string) {
		t.Helper()
		answer, err := http.Get(proxy.URL + "/some/path?q=1")
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode, string(body)
	}
	status, text := ask()
	require.Equal(t, http.StatusBadGateway, status)
	require.Equal(t, "nothing is active yet\n", text)

	for _, name := range []string{"blue", "green", "blue"} {
		slot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprint(w, name, " ", r.URL.RequestURI(), " ", r.Host)
		}))
		t.Cleanup(slot.Close)
		require.NoError(t, os.WriteFile(file, []byte(strings.TrimPrefix(slot.URL, "http://")+"\n"), 0o600))
		status, text = ask()
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, name+" /some/path?q=1 "+strings.TrimPrefix(proxy.URL, "http://"), text, "the host that was asked for is kept")
	}
}

func TestProxySaysWhyItDoesNotServe(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(taken.Close)
	err := run(t.Context(), []string{"-listen", strings.TrimPrefix(taken.URL, "http://")})
	require.ErrorContains(t, err, "serve: ")
	require.ErrorContains(t, err, "address already in use")
}
