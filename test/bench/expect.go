package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// proxy stands before an S3 server and either answers "Expect: 100-continue" as a
// good server does, or ignores it, as some do: a client that waits for the answer
// then waits in vain.
type proxy struct {
	listener net.Listener
	target   *url.URL
	answers  bool
	expected atomic.Int64 // requests that came with the header
	to       http.Transport
}

func startProxy(target string, answers bool) (*proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, target: u, answers: answers, to: http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}}
	go p.serve()
	return p, nil
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

func (p *proxy) stop() {
	_ = p.listener.Close()
	p.to.CloseIdleConnections()
}

func (p *proxy) serve() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // stopped
		}
		go func() {
			defer conn.Close()
			in := bufio.NewReader(conn)
			for p.forward(in, conn) == nil { // until the client has no more requests
			}
		}()
	}
}

// forward hands one request on, and its answer back. net/http's server would
// answer the header by itself.
func (p *proxy) forward(in *bufio.Reader, out io.Writer) error {
	request, err := http.ReadRequest(in)
	if err != nil {
		return err
	}
	if strings.EqualFold(request.Header.Get("Expect"), "100-continue") {
		p.expected.Add(1)
		request.Header.Del("Expect")
		if p.answers {
			if _, err := io.WriteString(out, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
				return err
			}
		}
	}
	request.RequestURI, request.URL.Scheme, request.URL.Host = "", p.target.Scheme, p.target.Host
	response, err := p.to.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return response.Write(out)
}

// expectBytes is what is uploaded: enough for many parts.
const expectBytes = 128 << 20

// measureExpect times the same upload to a server that answers "Expect:
// 100-continue" and to one that ignores it.
func (b *bench) measureExpect(ctx context.Context, r *result) error {
	data := make([]byte, expectBytes)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	var contenders []contender
	var proxies []*proxy
	for _, p := range []struct {
		name    string
		answers bool
	}{{"to a server that answers Expect: 100-continue", true}, {"to one that ignores it", false}} {
		proxy, err := startProxy(b.s3.Endpoint, p.answers)
		if err != nil {
			return fmt.Errorf("start proxy: %w", err)
		}
		defer proxy.stop()
		proxies = append(proxies, proxy)
		contenders = append(contenders, contender{name: p.name, run: func(ctx context.Context) (time.Duration, error) {
			return b.upload(ctx, proxy.url(), data)
		}})
	}
	var err error
	r.Expect, err = b.compete(ctx, "expect", contenders)
	for _, p := range proxies {
		r.Expecting += p.expected.Load()
	}
	return err
}

// upload stores data by the vault that the worker uses.
func (b *bench) upload(ctx context.Context, endpoint string, data []byte) (time.Duration, error) {
	v, err := vault.Open(ctx, recovery.DestinationSpec{
		Name: "main", URL: "s3://" + bucket + "/expect", Endpoint: endpoint, Region: b.s3.Region, PathStyle: true,
	}, vault.Credentials{AccessKey: b.s3.AccessKey, SecretKey: b.s3.SecretKey})
	if err != nil {
		return 0, err
	}
	defer func() { _ = v.Close() }()
	started := time.Now()
	upload, err := v.Create(ctx, fmt.Sprintf("%d", started.UnixNano()), int64(len(data)))
	if err != nil {
		return 0, err
	}
	defer func() { _ = upload.Abort() }()
	if _, err := upload.Write(data); err != nil {
		return 0, err
	}
	err = upload.Commit()
	return time.Since(started), err
}
