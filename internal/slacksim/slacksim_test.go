package slacksim_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

const (
	rebecca = "U0REBECCA"
	sam     = "U0SAM"
	mallory = "U0MALLORY"
)

func start(t *testing.T) *slacksim.Server {
	t.Helper()
	return startWith(t, slacksim.Options{})
}

func startWith(t *testing.T, o slacksim.Options) *slacksim.Server {
	t.Helper()
	s, err := slacksim.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func client(s *slacksim.Server, options ...slack.Option) *slack.Client {
	options = append([]slack.Option{slack.OptionAPIURL(s.APIURL), slack.OptionAppLevelToken(s.AppToken)}, options...)
	return slack.New(s.BotToken, options...)
}

// patience is how long a test waits for what should happen at once.
const patience = 20 * time.Second

func wait(t *testing.T, s *slacksim.Server, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.Wait(ctx, done))
}

// app is a Socket Mode client that answers as it is told.
type app struct {
	*slack.Client

	answer func(socketmode.Event) any // the payload of the acknowledgement; may use the Web API

	mu     sync.Mutex
	events []socketmode.Event
}

// connect runs an app until the end of the test, and waits until it is connected.
func connect(t *testing.T, s *slacksim.Server, answer func(*app, socketmode.Event) any) *app {
	t.Helper()
	a := &app{Client: client(s)}
	a.answer = func(e socketmode.Event) any { return answer(a, e) }
	before := s.Connections()
	a.run(t)
	wait(t, s, func() bool { return s.Connections() > before })
	return a
}

func (a *app) run(t *testing.T) {
	sm := socketmode.New(a.Client)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = sm.RunContext(ctx) })
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-sm.Events:
				a.handle(ctx, sm, e)
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

func (a *app) handle(ctx context.Context, sm *socketmode.Client, e socketmode.Event) {
	a.mu.Lock()
	a.events = append(a.events, e)
	a.mu.Unlock()
	if e.Request == nil || e.Request.EnvelopeID == "" {
		return
	}
	answer := a.answer(e)
	if answer == silence {
		return
	}
	_ = sm.AckCtx(ctx, e.Request.EnvelopeID, answer)
}

// silence is the answer of an app that does not acknowledge.
var silence any = struct{ silence bool }{true}

func acknowledge(*app, socketmode.Event) any { return nil }

// got lists the events of a kind that the app received.
func (a *app) got(kind socketmode.EventType) []socketmode.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []socketmode.Event
	for _, e := range a.events {
		if e.Type == kind {
			list = append(list, e)
		}
	}
	return list
}

// interactions lists what people did in messages and views, as the app received it.
func (a *app) interactions() []slack.InteractionCallback {
	var list []slack.InteractionCallback
	for _, e := range a.got(socketmode.EventTypeInteractive) {
		list = append(list, e.Data.(slack.InteractionCallback))
	}
	return list
}

// card posts a message with two buttons, the second of which asks first.
func card(t *testing.T, c *slack.Client, channel string) (ts string) {
	t.Helper()
	_, ts, err := c.PostMessage(channel, slack.MsgOptionText("Restore where2eat?", false), slack.MsgOptionBlocks(cardBlocks()...))
	require.NoError(t, err)
	return ts
}

func cardBlocks() []slack.Block {
	confirm := slack.NewConfirmationBlockObject(text("Replace the live data?"), text("Rows are replaced."), text("Replace"), text("Keep")).WithStyle(slack.StyleDanger)
	return []slack.Block{
		slack.NewHeaderBlock(text("Approve: restore")),
		slack.NewSectionBlock(mrkdwn("*where2eat* to `live`"), nil, nil),
		slack.NewActionBlock("gate",
			slack.NewButtonBlockElement("approve", "request-1", text("Approve")).WithStyle(slack.StylePrimary),
			slack.NewButtonBlockElement("replace", "request-1", text("Replace")).WithStyle(slack.StyleDanger).WithConfirm(confirm)),
	}
}

func text(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

func mrkdwn(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, false)
}

// reason is a modal that asks for a text of at least five characters.
func reason() slack.ModalViewRequest {
	input := slack.NewPlainTextInputBlockElement(text("Because …"), "reason").WithMinLength(5)
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: "reject", PrivateMetadata: "request-1", NotifyOnClose: true,
		Title: text("Reject"), Submit: text("Reject"), Close: text("Back"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewInputBlock("why", text("Why?"), nil, input)}},
	}
}

func slackError(t *testing.T, err error) slack.SlackErrorResponse {
	t.Helper()
	var response slack.SlackErrorResponse
	require.ErrorAs(t, err, &response)
	return response
}

func post(t *testing.T, url, kind, body string, header http.Header) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	request.Header = header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	request.Header.Set("Content-Type", kind)
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func texts(messages []slacksim.Message) []string {
	var list []string
	for _, m := range messages {
		list = append(list, m.Text)
	}
	return list
}
