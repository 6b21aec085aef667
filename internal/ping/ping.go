// Package ping tells a dead man's switch that something was begun, or how it ended,
// so that silence is noticed by somebody else. The switch is one that takes pings as
// Healthchecks does: https://healthchecks.io/docs/http_api/.
//
// Whoever has the address of a check can ping it, so that the address is a secret: no
// error holds it.
package ping

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Signal says what happened. The zero value is none.
type Signal string

// The signals.
const (
	Start   Signal = "start"   // it was begun: the switch measures how long it takes, and misses its end
	Success Signal = "success" // it went well
	Fail    Signal = "fail"    // it did not
)

const (
	timeout = 10 * time.Second
	maxBody = 10_000 // bytes that a switch keeps
)

// Ping sends a signal to the check at address, with a text for whoever looks there;
// what is too long is cut off. The fault is Permanent if the switch does not know the
// check, otherwise Unavailable.
func Ping(ctx context.Context, address string, signal Signal, text string) error {
	target, err := target(address, signal)
	if err != nil {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("ping the dead man's switch: %w", err), "mend the ping's URL where the config refers to")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(head(text)))
	if err != nil {
		return fmt.Errorf("ping the dead man's switch: %w", cause(err))
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	response, err := (&http.Client{CheckRedirect: stay}).Do(request)
	if err != nil {
		return fmt.Errorf("ping the dead man's switch: %w", cause(err))
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxBody)) // so that the connection can be used again
	return judge(response.StatusCode)
}

func judge(status int) error {
	err := fmt.Errorf("ping the dead man's switch: it answers %d", status)
	switch {
	case status/100 == 2:
		return nil
	case status/100 == 5, status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return err
	}
	return recovery.NewFault(recovery.Permanent, err, "check that the switch still has this check, and the ping's URL")
}

// target is where a signal is sent.
func target(address string, signal Signal) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", errors.New("its address is no http or https URL")
	}
	u = u.JoinPath("/") // with one slash at the end, whether or not there was one
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
	switch signal {
	case Success:
	case Start, Fail:
		u = u.JoinPath(string(signal))
	default:
		return "", fmt.Errorf("there is no signal %q", signal)
	}
	return u.String(), nil
}

// stay follows no redirect: it would make a GET of the ping, or give its address to
// another server.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// head cuts text where the switch would.
func head(text string) string {
	if len(text) <= maxBody {
		return text
	}
	end := maxBody
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// cause takes the address out of an error of net/http.
func cause(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
