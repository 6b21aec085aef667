package slackapp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

const (
	rebecca = "U0REBECCA"
	sam     = "U0SAM"
	mallory = "U0MALLORY" // is not in the config's people
)

// taken is a decision that the desk took.
type taken struct {
	run recovery.RunRef
	approval.Decision
}

// fakeDesk records what it is given, and answers with what it was told to.
type fakeDesk struct {
	decide    func(context.Context, recovery.RunRef, approval.Decision) (approval.Answer, error)
	started   func(slackapp.Start) (slackapp.Started, error)
	books     []approval.Book
	services  []slackapp.ServiceSummary
	sets      []slackapp.SetSummary
	checklist []recovery.Item
	trouble   error // what asking for requests, services and sets fails with

	mu        sync.Mutex
	decisions []taken
	starts    []slackapp.Start
}

var people = map[string]string{rebecca: "rebecca", sam: "sam"}

func (d *fakeDesk) Person(user string) (string, bool) {
	name, ok := people[user]
	return name, ok
}

func (d *fakeDesk) SlackUser(name string) string {
	for user, known := range people {
		if known == name {
			return user
		}
	}
	return ""
}

func (d *fakeDesk) Decide(ctx context.Context, run recovery.RunRef, decision approval.Decision) (approval.Answer, error) {
	d.mu.Lock()
	d.decisions = append(d.decisions, taken{run: run, Decision: decision})
	d.mu.Unlock()
	if d.decide != nil {
		return d.decide(ctx, run, decision)
	}
	return approval.Answer{Accepted: true, Text: "approved by " + decision.By, Outcome: approval.Approved}, nil
}

func (d *fakeDesk) Decisions() []taken {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]taken{}, d.decisions...)
}

func (d *fakeDesk) Start(_ context.Context, s slackapp.Start) (slackapp.Started, error) {
	d.mu.Lock()
	d.starts = append(d.starts, s)
	d.mu.Unlock()
	if d.started != nil {
		return d.started(s)
	}
	return slackapp.Started{Run: recovery.RunRef{WorkflowID: s.Key}, URL: "http://127.0.0.1:8233/run/" + s.Key}, nil
}

func (d *fakeDesk) Starts() []slackapp.Start {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]slackapp.Start{}, d.starts...)
}

func (d *fakeDesk) Pending(context.Context) ([]approval.Book, error) { return d.books, d.trouble }

func (d *fakeDesk) PendingOf(_ context.Context, run recovery.RunRef) ([]approval.Book, error) {
	var books []approval.Book
	for _, b := range d.books {
		if b.Request.Run == run {
			books = append(books, b)
		}
	}
	return books, d.trouble
}

func (d *fakeDesk) Services(context.Context) ([]slackapp.ServiceSummary, error) {
	return d.services, d.trouble
}

func (d *fakeDesk) Checklist(context.Context, string) ([]recovery.Item, error) {
	return d.checklist, d.trouble
}

func (d *fakeDesk) Sets(context.Context, string) ([]slackapp.SetSummary, error) {
	return d.sets, d.trouble
}

func (d *fakeDesk) RunURL(run recovery.RunRef) string {
	return "http://127.0.0.1:8233/namespaces/default/workflows/" + run.WorkflowID
}

// stage is the app between a Slack stand-in and a desk.
type stage struct {
	sim  *slacksim.Server
	desk *fakeDesk
	app  *slackapp.App
}

// newStage makes the app; it does not listen yet.
func newStage(t *testing.T) *stage {
	t.Helper()
	sim, err := slacksim.Start(slacksim.Options{AckTimeout: patience})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sim.Close()) })
	s := &stage{sim: sim, desk: &fakeDesk{}}
	s.app = s.newApp(t, func(*slackapp.Options) {})
	return s
}

func (s *stage) newApp(t *testing.T, change func(*slackapp.Options)) *slackapp.App {
	t.Helper()
	o := slackapp.Options{
		BotToken: s.sim.BotToken, AppToken: s.sim.AppToken, APIURL: s.sim.APIURL, Channel: s.sim.Channel, Desk: s.desk,
	}
	change(&o)
	app, err := slackapp.New(o)
	require.NoError(t, err)
	return app
}

// listening makes the app listen until the test ends.
func listening(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.listen(t, s.app)
	s.wait(t, "a connection", func() bool { return s.sim.Connections() == 1 })
	return s
}

func (s *stage) listen(t *testing.T, app *slackapp.App) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
}

const (
	patience = 30 * time.Second
	tick     = 5 * time.Millisecond
)

// wait waits until something is true that changes with the stand-in's state.
func (s *stage) wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.sim.Wait(ctx, done), "wait for %s", what)
}

// answer waits for the next thing that only this user sees, and returns its text.
func (s *stage) answer(t *testing.T, user string, seen int) slacksim.Message {
	t.Helper()
	s.wait(t, "an answer to "+user, func() bool { return len(s.sim.Ephemerals(user)) > seen })
	return s.sim.Ephemerals(user)[seen]
}

// modal waits for a modal of the user that satisfies done.
func (s *stage) modal(t *testing.T, user string, done func(slacksim.View) bool) slacksim.View {
	t.Helper()
	var view slacksim.View
	s.wait(t, "a modal of "+user, func() bool {
		v, ok := s.sim.Modal(user)
		view = v
		return ok && done(v)
	})
	return view
}

func holds(text string) func(slacksim.View) bool {
	return func(v slacksim.View) bool { return strings.Contains(string(v.Blocks), text) }
}

// post posts a card and returns it as Slack has it.
func (s *stage) post(t *testing.T, c card.Card) slacksim.Message {
	t.Helper()
	ref, err := s.app.PostCard(t.Context(), card.Ref{}, c, false)
	require.NoError(t, err)
	return s.message(t, ref)
}

func (s *stage) message(t *testing.T, ref card.Ref) slacksim.Message {
	t.Helper()
	for _, m := range s.sim.Messages() {
		if m.TS == ref.Message && m.Channel == ref.Channel {
			return m
		}
	}
	require.Failf(t, "no such message", "%v", ref)
	return slacksim.Message{}
}

// block is a block as JSON.
type block map[string]any

// read decodes blocks.
func read(t *testing.T, blocks json.RawMessage) []block {
	t.Helper()
	var list []block
	require.NoError(t, json.Unmarshal(blocks, &list))
	return list
}

// texts joins all texts of blocks, as they are.
func texts(t *testing.T, blocks json.RawMessage) string {
	t.Helper()
	var b strings.Builder
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if text, ok := v["text"].(string); ok {
				b.WriteString(text + "\n")
			}
			for _, name := range []string{"text", "fields", "elements", "element", "label", "hint", "options", "description", "confirm", "title"} {
				walk(v[name])
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	for _, item := range read(t, blocks) {
		walk(map[string]any(item))
	}
	return b.String()
}

// buttons returns the buttons of blocks by their actions.
func buttons(t *testing.T, blocks json.RawMessage) map[string]block {
	t.Helper()
	found := map[string]block{}
	for _, item := range read(t, blocks) {
		elements, _ := item["elements"].([]any)
		for _, element := range elements {
			if e, ok := element.(map[string]any); ok && e["type"] == "button" {
				found[e["action_id"].(string)] = e
			}
		}
	}
	return found
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// request is an open request; name tells it from others.
func request(name string) approval.Book {
	return approval.Book{Request: approval.Request{
		ID: name + "/restore/1", Run: recovery.RunRef{WorkflowID: "restore/" + name, RunID: "run-of-" + name},
		Service: name, Playbook: "Restore", Step: "restore", Digest: "digest-of-" + name,
		What: "Replace the database of " + name, Where: "database app on db.example.com:5432",
		Facts:   []approval.Fact{{Label: "orders", Value: "120 rows now → 118 then"}},
		Approve: "Replace it", Reject: "Leave it",
		RequestedBy: "sam", Policy: recovery.PolicySpec{Approvers: []string{"rebecca", "sam"}, Needed: 1},
		Asked: noon, Expires: noon.Add(12 * time.Hour),
	}}
}

// waiting is a card with an open request.
func waiting(name string) card.Card {
	book := request(name)
	return card.Card{
		Key: "card-of-" + name, Run: book.Request.Run, Playbook: "Restore", Service: name, Title: "Restore " + name,
		State: card.Waiting, Line: "The restored copy is tested.", Open: &book, Started: time.Now(), By: "sam",
	}
}

// answering is a Slack that answers every call alike.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/"
}
