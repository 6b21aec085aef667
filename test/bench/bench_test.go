package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, options{size: 1, memory: []gigabytes{0.1, 1, 5}, rounds: 5}, o)

	o, err = parse([]string{"-size", "0.1", "-memory", "0.1,2", "-rounds", "1"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, options{size: 0.1, memory: []gigabytes{0.1, 2}, rounds: 1}, o)

	for _, args := range [][]string{{"-size", "small"}, {"-memory", "1,"}, {"-rounds", "0"}, {"once"}} {
		_, err := parse(args, io.Discard)
		require.Error(t, err, args)
	}
}

func TestEventsAreTheSameInEveryRun(t *testing.T) {
	var first, second bytes.Buffer
	require.NoError(t, writeEvents(&first, 100))
	require.NoError(t, writeEvents(&second, 50))
	require.True(t, strings.HasPrefix(first.String(), second.String()), "a row depends on how many are made")

	rows := strings.Split(strings.TrimSuffix(first.String(), "\n"), "\n")
	require.Len(t, rows, 100)
	for _, row := range rows {
		require.Len(t, strings.Split(row, "\t"), 7)
	}
}

// The ratio is taken within each round, so that a round in which the machine was
// busy does not count for one contender only.
func TestRatios(t *testing.T) {
	limit := []time.Duration{2 * time.Second, 4 * time.Second, 2 * time.Second}
	r := newRow("b", []time.Duration{3 * time.Second, 4 * time.Second, 5 * time.Second}, limit)
	require.Equal(t, row{Name: "b", Median: 4, Ratio: 1.5, Min: 1, Max: 2.5, Seconds: []float64{3, 4, 5}}, r)
}

func TestJudge(t *testing.T) {
	rows := func(ratio float64) []row { return []row{{Ratio: 1}, {Ratio: ratio}} }
	r := &result{
		Backup: rows(1.5), Restore: rows(1.01), Expect: rows(1), StoredBytes: 103, ZstdBytes: 100,
		Memory: []memory{{Gigabytes: 0.1, Bytes: 128 << 20}, {Gigabytes: 5, Bytes: 128<<20 + 1}},
	}
	r.judge()
	var missed []string
	for _, target := range r.Targets {
		if !target.Met {
			missed = append(missed, target.What)
		}
	}
	require.Equal(t, []string{"restore ÷ pg_restore -j2 from a local file", "worker's peak memory at 5 GB, in MiB", "stored bytes ÷ zstd -3"}, missed)
	require.Equal(t, 3, r.missed())
}

// Both proxies hand a request on whole; only one answers "Expect: 100-continue".
func TestProxy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	for name, answers := range map[string]bool{"answers": true, "ignores": false} {
		t.Run(name, func(t *testing.T) {
			p, err := startProxy(server.URL, answers)
			require.NoError(t, err)
			defer p.stop()
			answered := false
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { answered = true }})
			require.Equal(t, "hello", post(ctx, t, p.url(), "hello"))
			require.Equal(t, answers, answered)
			require.EqualValues(t, 1, p.expected.Load())
		})
	}
}

// post sends a body after it was told to go on, or has waited a moment.
func post(ctx context.Context, t *testing.T, url, body string) string {
	t.Helper()
	transport := &http.Transport{ExpectContinueTimeout: time.Second}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Expect", "100-continue")
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(data)
}
