// Package probe asks a service over HTTP whether it is well: by a health check,
// and by a journey of several requests as a user would make them.
//
// Requests go straight to the service, never through a proxy, and follow
// redirects only on the same host. Errors never quote an answer, which is made of
// the user's data, nor a header's value.
package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/reply"
)

const (
	maxBody      = 1 << 20 // bytes of an answer that are looked at
	maxRedirects = 10
	checkTimeout = 10 * time.Second // for a health check, or one step of a journey
	noAddress    = "an address that is none"
)

// Prober makes requests. Its zero value is ready for use.
type Prober struct{}

// Get checks that address answers with status 200.
func (p *Prober) Get(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	client := newClient()
	defer client.CloseIdleConnections()
	return check(ctx, client, address)
}

// WaitUp asks address again and again until it answers with status 200. When ctx
// ends before that, the error tells the last answer.
func (p *Prober) WaitUp(ctx context.Context, address string) error {
	client := newClient()
	defer client.CloseIdleConnections()
	pause := 50 * time.Millisecond
	last := errors.New("it was not asked")
	for {
		once, cancel := context.WithTimeout(ctx, checkTimeout)
		err := check(once, client, address)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; the last try: %w", reply.Redact(address, noAddress), context.Cause(ctx), last)
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Second)
	}
}

func check(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("get %s: %w", reply.Redact(address, noAddress), reply.Cause(err))
	}
	answer, err := fetch(client, request)
	if err != nil {
		return fmt.Errorf("get %s: %w", reply.Redact(address, noAddress), err)
	}
	if answer.status != http.StatusOK {
		return fmt.Errorf("get %s: want status 200, got %d", reply.Redact(address, noAddress), answer.status)
	}
	return nil
}

// answer is as much of a response as is looked at.
type answer struct {
	status int
	body   []byte
}

func fetch(client *http.Client, request *http.Request) (*answer, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, reply.Cause(err)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if closed := response.Body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return &answer{status: response.StatusCode, body: body}, nil
}

// newClient makes a client with connections and cookies of its own, so that
// nothing of one service or journey reaches another.
func newClient() *http.Client {
	jar, _ := cookiejar.New(nil) // fails never
	return &http.Client{
		Jar: jar,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConns:        4,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(request *http.Request, via []*http.Request) error {
			switch {
			case request.URL.Host != via[0].URL.Host:
				return fmt.Errorf("it redirects to another host, %s", request.URL.Host)
			case len(via) >= maxRedirects:
				return fmt.Errorf("it redirects more than %d times", maxRedirects)
			}
			return nil
		},
	}
}
