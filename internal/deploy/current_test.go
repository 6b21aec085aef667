package deploy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// version serves what services say about their release.
func version(t *testing.T) *httptest.Server {
	t.Helper()
	answers := map[string]string{
		"/flat":   `{"release":"v1.2.0","commit":"ignored"}`,
		"/deep":   `{"app":{"builds":[{"n":1},{"n":1.20,"tag":"v7"}]}}`,
		"/odd":    `{"release":"-x hush","empty":"","yes":true,"none":null}`,
		"/page":   `<html>hush</html>`,
		"/secret": `{"release":"v1;` + secret + `","long":"v1;` + strings.Repeat("ö", 300) + `","blank":"v1 "}`,
		"/large":  `{"release":"` + strings.Repeat("v", 2<<20) + `"}`,
		"/nearly": `{"pad":"` + strings.Repeat("v", 1<<20-40) + `","release":"v3"}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch answer, ok := answers[r.URL.Path]; {
		case ok:
			fmt.Fprint(w, answer)
		case r.URL.Path == "/down":
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/flat", http.StatusFound)
		case r.URL.Path == "/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"release":`)
		case r.URL.Path == "/garbage":
			connection, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprintf(connection, "garbage %s\r\n\r\n", secret)
				_ = connection.Close()
			}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestCurrentAtAURL(t *testing.T) {
	server := version(t)
	for at, want := range map[string]string{
		"/flat release": "v1.2.0", "/deep app.builds.1.tag": "v7", "/deep app.builds.1.n": "1.20", "/deep app.builds.0.n": "1", "/nearly release": "v3",
	} {
		path, field, _ := strings.Cut(at, " ")
		h := host(t, recovery.DeploySpec{Current: recovery.CurrentSpec{URL: server.URL + path, Field: field}})
		got, err := h.Current(t.Context())
		require.NoError(t, err, at)
		require.Equal(t, want, got.Tag, at)
		require.Empty(t, got.Commit)
	}
}

func TestCurrentAtAURLThatSaysNothing(t *testing.T) {
	server := version(t)
	const mend = "(mend deploy.current.field in the config, or what the service answers)"
	for at, c := range map[string]struct {
		kind recovery.FaultKind
		want string
	}{
		"/flat tag":            {recovery.Permanent, `want a text or number at "tag" ` + mend},
		"/flat release.deeper": {recovery.Permanent, `want a text or number at "release.deeper"`},
		"/deep app.builds.2.n": {recovery.Permanent, `want a text or number at "app.builds.2.n"`},
		"/deep app":            {recovery.Permanent, `want a text or number at "app"`},
		"/odd yes":             {recovery.Permanent, `want a text or number at "yes"`},
		"/odd none":            {recovery.Permanent, `want a text or number at "none"`},
		"/odd empty":           {recovery.Permanent, `read tag "": use 1 to 200`},
		"/odd release":         {recovery.Permanent, `read tag "-x hush": use 1 to 200`},
		"/secret release":      {recovery.Permanent, `read tag "v1;***": use 1 to 200`},
		"/secret long":         {recovery.Permanent, `read tag "v1;` + strings.Repeat("ö", 96) + `…": use 1 to 200`},
		"/secret blank":        {recovery.Permanent, `read tag "v1 ": use 1 to 200`},
		"/garbage release":     {recovery.Unavailable, `malformed HTTP status code "***" (see that`},
		"/page release":        {recovery.Permanent, "want an answer in JSON " + mend},
		"/large release":       {recovery.Permanent, "want an answer of at most 1048576 bytes " + mend},
		"/absent release":      {recovery.Permanent, "want status 200, got 404 (mend deploy.current.url in the config)"},
		"/moved release":       {recovery.Permanent, "want status 200, got 302"},
		"/down release":        {recovery.Unavailable, "want status 200, got 502"},
		"/cut release":         {recovery.Unavailable, "unexpected EOF (see that the service answers there"},
	} {
		t.Run(at, func(t *testing.T) {
			path, field, _ := strings.Cut(at, " ")
			address := strings.Replace(server.URL, "http://", "http://app:hunter2@", 1) + path + "?key=hunter2"
			h := host(t, recovery.DeploySpec{Current: recovery.CurrentSpec{URL: address, Field: field}})
			_, err := h.Current(t.Context())
			requireFault(t, err, c.kind, "ask "+server.URL+path+" which release is deployed: ")
			require.ErrorContains(t, err, c.want)
		})
	}
	server.Close()
	h := host(t, recovery.DeploySpec{Current: recovery.CurrentSpec{URL: server.URL + "/flat?key=hunter2", Field: "release"}})
	_, err := h.Current(t.Context())
	requireFault(t, err, recovery.Unavailable, "connection refused (see that the service answers there, or mend deploy.current.url in the config)")

	h.Spec.Current.URL = "http://app:hunter2@[broken/"
	_, err = h.Current(t.Context())
	requireFault(t, err, recovery.Unavailable, "ask deploy.current.url which release is deployed: ")

	stopped, stop := context.WithCancel(t.Context())
	stop()
	_, err = h.Current(stopped)
	require.Equal(t, context.Canceled, err)
}

// A service that takes the question and gives no answer is waited for, but not for ever.
func TestCurrentAtAURLThatHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	h := host(t, recovery.DeploySpec{Current: recovery.CurrentSpec{URL: server.URL, Field: "release"}})
	_, err := h.Current(ctx)
	require.Equal(t, context.Canceled, err)
}
