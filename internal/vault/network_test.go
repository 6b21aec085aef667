package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func openAt(t *testing.T, endpoint string, cred Credentials) *Vault {
	t.Helper()
	v, err := Open(t.Context(), recovery.DestinationSpec{Name: "main", URL: "s3://backups", Endpoint: endpoint, PathStyle: true}, cred)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Close()) })
	return v
}

// lossy stands before a server and loses the answer to the first request that
// writes for good.
func lossy(t *testing.T, server *devserver.S3) (*Vault, *atomic.Int32) {
	target, err := url.Parse(server.Endpoint)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}}
	lost := &atomic.Int32{}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		final := r.Method == http.MethodPut && !q.Has("partNumber") || r.Method == http.MethodPost && q.Has("uploadId")
		if final && lost.Add(1) == 1 {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				err = conn.Close()
			}
			if err != nil {
				t.Error(err)
			}
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return openAt(t, front.URL, Credentials{server.AccessKey, server.SecretKey}), lost
}

// TestLostAnswer: an object that was made although the answer was lost is found
// to be there, and to be the one meant.
func TestLostAnswer(t *testing.T) {
	t.Parallel() // it waits between tries
	server := devserver.StartS3(t)
	server.Bucket(t, "backups")
	for i, size := range []int{100, 20 << 20} {
		v, lost := lossy(t, server)
		u, err := v.Create(t.Context(), fmt.Sprintf("app/sets/x/%d", i), 0)
		require.NoError(t, err)
		data := bytes.Repeat([]byte{byte(i)}, size)
		_, err = u.Write(data)
		require.NoError(t, err)
		require.NoError(t, u.Commit())
		require.GreaterOrEqual(t, lost.Load(), int32(2), "it was tried again")
		r, n, err := v.Open(t.Context(), fmt.Sprintf("app/sets/x/%d", i))
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, errors.Join(err, r.Close()))
		require.EqualValues(t, size, n)
		require.True(t, bytes.Equal(data, got))
	}
	v, lost := lossy(t, server)
	require.NoError(t, v.PutOnce(t.Context(), "app/sets/x/set.json", []byte("manifest")))
	require.GreaterOrEqual(t, lost.Load(), int32(2))
	left, err := v.store.unfinished(t.Context(), "app/")
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestServerErrors: what the server says is shown; what may pass is tried a few
// times and stays Unavailable.
func TestServerErrors(t *testing.T) {
	t.Parallel() // it waits between tries
	for code, c := range map[string]struct {
		status   int
		kind     recovery.FaultKind
		attempts int32
	}{
		"SlowDown":      {503, recovery.Unavailable, attempts},
		"InternalError": {500, recovery.Unavailable, attempts},
		"AccessDenied":  {403, recovery.Permanent, 2}, // it looks whether the object is there, and locked
		"QuotaExceeded": {400, recovery.Permanent, 1},
	} {
		t.Run(code, func(t *testing.T) {
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.WriteHeader(c.status)
				fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>so it is</Message></Error>`, code)
			}))
			defer server.Close()
			err := openAt(t, server.URL, Credentials{"thekey", "thesecret"}).Put(t.Context(), "app/x", []byte("x"))
			require.ErrorContains(t, err, "write app/x at destination main: "+code+": so it is")
			require.Equal(t, c.kind, recovery.KindOf(err))
			require.Equal(t, c.attempts, requests.Load())
			require.NotContains(t, err.Error(), "thekey")
		})
	}
}

// TestConnectionBreaksWhileReading: half an object is a network error.
func TestConnectionBreaksWhileReading(t *testing.T) {
	t.Parallel() // it waits between tries
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 500))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	r, size, err := openAt(t, server.URL, Credentials{"k", "s"}).Open(t.Context(), "app/x")
	require.NoError(t, err)
	require.EqualValues(t, 1000, size)
	_, err = io.ReadAll(r)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, "read app/x at destination main: ")
	require.Equal(t, recovery.Unavailable, recovery.KindOf(err))
	require.NoError(t, r.Close())
}

// TestServerHangsUp: the reason is told without the noise around it.
func TestServerHangsUp(t *testing.T) {
	t.Parallel() // it waits between tries
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer server.Close()
	err := openAt(t, server.URL, Credentials{"k", "s"}).Check(t.Context())
	require.EqualError(t, err, "check at destination main: send request: EOF")
	require.Equal(t, recovery.Unavailable, recovery.KindOf(err))
}

// TestStall: a server that takes a request and says nothing more is given up.
func TestStall(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }() // accepts by itself, and reads nothing
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), nil)
	require.NoError(t, err)
	_, err = newHTTPClient(50 * time.Millisecond).Do(request) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestExplainFolder(t *testing.T) {
	s := &fileStore{dir: t.TempDir()}
	for errno, mend := range map[syscall.Errno]string{
		syscall.ENOSPC:     "(free space on the disk of " + s.dir + ")",
		syscall.EDQUOT:     "(free space on the disk of " + s.dir + ")",
		syscall.EROFS:      "(let this user read and write in the folder " + s.dir + ")",
		syscall.EOPNOTSUPP: "(keep " + s.dir + " on a file system that has hard links)",
	} {
		err := s.explain(&os.PathError{Op: "write", Path: "x", Err: errno})
		require.ErrorContains(t, err, mend)
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	}
	require.Equal(t, recovery.Unavailable, recovery.KindOf(s.explain(&os.PathError{Err: syscall.EIO})))
	require.ErrorIs(t, s.explain(context.Canceled), context.Canceled)
}

func TestPartSize(t *testing.T) {
	const mebi, tera = 1 << 20, 1 << 40
	for hint, want := range map[int64]int{0: 8 * mebi, 5 << 30: 8 * mebi, 70 << 30: 8 * mebi, 80 << 30: 10 * mebi, tera: 117 * mebi} {
		require.Equal(t, want, partSize(hint), "%d bytes", hint)
		require.LessOrEqual(t, hint, int64(partSize(hint))*10_000)
	}
}
