package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/internal/reply"
)

// askTimeout bounds a request to the service.
const askTimeout = 10 * time.Second

// Current is the release that is deployed. Its commit is that which is said with it,
// else that of the tag in Git; none if nobody knows it.
func (h *Host) Current(ctx context.Context) (*release.Tag, error) {
	var (
		tag release.Tag
		err error
	)
	if current := h.Spec.Current; len(current.Command) > 0 {
		tag, err = h.currentOfCommand(ctx)
	} else {
		tag, err = h.currentAt(ctx, current)
	}
	if err != nil {
		return nil, err
	}
	if h.Spec.Repo != "" {
		if commit, err := h.commitOf(ctx, tag); err == nil && commit != "" { // it is of use where Git answers
			tag.Commit = commit
		}
	}
	return &tag, ctx.Err()
}

func (h *Host) currentOfCommand(ctx context.Context) (release.Tag, error) {
	c := h.Spec.Command("current", h.Spec.Current.Command, "", "", "")
	out, err := h.run(ctx, c)
	if err != nil {
		return release.Tag{}, err
	}
	tag, err := readTag(firstLine(out))
	if err != nil {
		_, err = readTag(h.shown(firstLine(h.Hide(out)))) // a secret may have many lines
		return release.Tag{}, recovery.NewFault(recovery.Permanent, fmt.Errorf("learn from deploy.current which release is deployed: %w", err),
			"its command must print the tag in its first line, and may print the commit after it")
	}
	return tag, nil
}

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(first)
}

// shown is what an error may quote of a text that is no tag: no secrets, and little of
// what is long. It is no tag either, for none has * or ….
func (h *Host) shown(text string) string { return clip(h.Hide(text), maxTag) }

func (h *Host) currentAt(ctx context.Context, spec recovery.CurrentSpec) (release.Tag, error) {
	failed := func(kind recovery.FaultKind, err error, hint string) (release.Tag, error) {
		return release.Tag{}, recovery.NewFault(kind, fmt.Errorf("ask %s which release is deployed: %w", reply.Redact(spec.URL, "deploy.current.url"), err), hint)
	}
	status, body, err := get(ctx, spec.URL)
	switch {
	case ctx.Err() != nil:
		return release.Tag{}, ctx.Err()
	case err != nil: // it may quote what was answered
		return failed(recovery.Unavailable, errors.New(clean(h.Hide(err.Error()), maxLine)), "see that the service answers there, or mend deploy.current.url in the config")
	case status >= http.StatusInternalServerError:
		return failed(recovery.Unavailable, fmt.Errorf("want status 200, got %d", status), "")
	case status != http.StatusOK:
		return failed(recovery.Permanent, fmt.Errorf("want status 200, got %d", status), "mend deploy.current.url in the config")
	}
	value, err := lookUp(body, spec.Field)
	if err == nil && release.CheckTag(value) != nil {
		err = release.CheckTag(h.shown(value))
	}
	if err != nil {
		return failed(recovery.Permanent, err, "mend deploy.current.field in the config, or what the service answers")
	}
	return release.Tag{Tag: value}, nil
}

// get asks straight, through no proxy, and follows no redirect.
func get(ctx context.Context, address string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("no answer within %s", recovery.Duration(askTimeout)))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, reply.Cause(err)
	}
	client := &http.Client{
		Transport:     &http.Transport{DialContext: (&net.Dialer{}).DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err == nil {
		defer response.Body.Close()
		status = response.StatusCode
		body, err = io.ReadAll(io.LimitReader(response.Body, maxOutput+1))
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return 0, nil, context.Cause(ctx)
	case err != nil:
		return 0, nil, reply.Cause(err)
	}
	return status, body, nil
}

// lookUp finds a text or number in a JSON answer by a dotted path, e.g.
// "releases.0.tag". An error never quotes the answer: it is the service's.
func lookUp(body []byte, path string) (string, error) {
	if len(body) > maxOutput {
		return "", fmt.Errorf("want an answer of at most %d bytes", maxOutput)
	}
	value, err := reply.Member(body, path)
	if err != nil {
		return "", err
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	}
	return "", fmt.Errorf("want a text or number at %q", path)
}
