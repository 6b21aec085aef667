package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/reply"
)

// Journey goes through the steps in order, as one user with one set of cookies,
// and stops at the first that fails. It returns the steps it tried.
//
// In a step's path, headers and body, {saved.NAME} stands for a value that an
// earlier step saved; it is escaped to fit an address or a JSON text. A body that
// looks like JSON is sent as JSON unless a header says otherwise. A step that
// expects a redirect (status 3xx) does not follow it.
func (p *Prober) Journey(ctx context.Context, baseURL string, steps []recovery.JourneyStep) []recovery.SmokeStep {
	client := newClient()
	defer client.CloseIdleConnections()
	j := &journey{client: client, base: strings.TrimRight(baseURL, "/"), saved: map[string]string{}}
	tried := []recovery.SmokeStep{}
	for _, step := range steps {
		begun := time.Now()
		err := j.take(ctx, step)
		result := recovery.SmokeStep{Name: step.Name, OK: err == nil, Took: recovery.Duration(time.Since(begun).Round(time.Millisecond))}
		if err != nil {
			result.Error = fmt.Sprintf("%s: %v", step.Name, err)
		}
		tried = append(tried, result)
		if err != nil {
			break
		}
	}
	return tried
}

// journey is what is carried from step to step.
type journey struct {
	client *http.Client
	base   string
	saved  map[string]string
}

func (j *journey) take(ctx context.Context, step recovery.JourneyStep) error {
	timeout := checkTimeout
	if step.Timeout > 0 {
		timeout = step.Timeout.Std()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", recovery.Duration(timeout)))
	defer cancel()
	request, err := j.request(ctx, step)
	if err != nil {
		return err
	}
	want := step.Status
	if want == 0 {
		want = http.StatusOK
	}
	title := request.Method + " " + step.Path // as written: what was saved stays out
	client := *j.client
	if want >= 300 && want < 400 {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	got, err := fetch(&client, request)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	if err := j.expect(step, want, got); err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	return nil
}

func (j *journey) request(ctx context.Context, step recovery.JourneyStep) (*http.Request, error) {
	if !strings.HasPrefix(step.Path, "/") {
		return nil, fmt.Errorf("read path %q: it must begin with a slash", step.Path)
	}
	path, query, hasQuery := strings.Cut(step.Path, "?")
	f := &filler{saved: j.saved}
	address := j.base + f.fill(path, url.PathEscape)
	if hasQuery {
		address += "?" + f.fill(query, url.QueryEscape)
	}
	headers, inBody := http.Header{}, asIs
	if strings.HasPrefix(step.Body, "{") || strings.HasPrefix(step.Body, "[") {
		headers.Set("Content-Type", "application/json")
		inBody = escapeJSON
	}
	body := f.fill(step.Body, inBody)
	for name, value := range step.Headers {
		headers.Set(name, f.fill(value, asIs))
	}
	if f.missing != "" {
		return nil, fmt.Errorf("read step: it uses {saved.%s}, which no earlier step saved", f.missing)
	}
	method := step.Method
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request %s %s: %w", method, step.Path, reply.Cause(err))
	}
	request.Header = headers
	if host := headers.Get("Host"); host != "" {
		request.Host = host
	}
	return request, nil
}

// expect compares an answer with what the step asks for, and saves from it. An
// error never quotes the answer: it is made of the user's data.
func (j *journey) expect(step recovery.JourneyStep, want int, got *answer) error {
	if got.status != want {
		return fmt.Errorf("want status %d, got %d", want, got.status)
	}
	for _, text := range step.Expect {
		if !bytes.Contains(got.body, []byte(text)) {
			return fmt.Errorf("want an answer that contains %q, got one of %d bytes that does not", text, len(got.body))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(step.Save)) {
		value, err := lookUp(got.body, step.Save[name])
		if err != nil {
			return fmt.Errorf("save %s: %w", name, err)
		}
		j.saved[name] = value
	}
	return nil
}

var savedForm = regexp.MustCompile(`\{saved\.([^{}]*)\}`)

// filler puts saved values into texts and remembers a name that is not there.
type filler struct {
	saved   map[string]string
	missing string
}

func (f *filler) fill(text string, escape func(string) string) string {
	return savedForm.ReplaceAllStringFunc(text, func(place string) string {
		name := savedForm.FindStringSubmatch(place)[1]
		value, ok := f.saved[name]
		if !ok {
			f.missing = name
		}
		return escape(value)
	})
}

func asIs(value string) string { return value }

// escapeJSON writes a value as the inside of a JSON text.
func escapeJSON(value string) string {
	quoted, err := json.Marshal(value)
	if err != nil {
		return value
	}
	return string(quoted[1 : len(quoted)-1])
}

// lookUp finds a value in a JSON answer by a dotted path, e.g. "items.0.id".
func lookUp(body []byte, path string) (string, error) {
	value, err := reply.Member(body, path)
	if err != nil {
		return "", err
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", fmt.Errorf("want a text, number or truth value at %q", path)
}
