package slackapp_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/slackapp"
)

// oddSlack sends whatever a test wants, and answers every call with ok.
type oddSlack struct {
	url  string
	send chan string // envelopes
	acks chan string // what the app answered, as JSON

	mu    sync.Mutex
	calls []string // "method body"
}

func newOddSlack(t *testing.T) *oddSlack {
	t.Helper()
	o := &oddSlack{send: make(chan string), acks: make(chan string, 10)}
	server := httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(func() {
		close(o.send)
		server.Close()
	})
	o.url = server.URL + "/"
	return o
}

func (o *oddSlack) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/socket" {
		o.socket(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	o.calls = append(o.calls, strings.TrimPrefix(r.URL.Path, "/")+" "+string(body))
	o.mu.Unlock()
	if r.URL.Path == "/used-up" {
		http.Error(w, "used_url", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"ok":true,"team_id":"T1","bot_id":"B1","user_id":"U1","url":"ws%ssocket"}`, strings.TrimPrefix(o.url, "http"))
}

func (o *oddSlack) socket(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	go func() {
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello","connection_info":{"app_id":"A1"}}`))
		_ = conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(patience))
		for text := range o.send {
			_ = conn.WriteMessage(websocket.TextMessage, []byte(text))
		}
	}()
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		o.acks <- string(text)
	}
}

func (o *oddSlack) called(method string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var bodies []string
	for _, call := range o.calls {
		if name, body, _ := strings.Cut(call, " "); name == method {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// listeningTo makes an app listen to an odd Slack.
func listeningTo(t *testing.T, o *oddSlack) *fakeDesk {
	t.Helper()
	desk := &fakeDesk{}
	app, err := slackapp.New(slackapp.Options{BotToken: "xoxb-1", AppToken: "xapp-1", APIURL: o.url, Channel: "C1", Desk: desk})
	require.NoError(t, err)
	(&stage{}).listen(t, app)
	return desk
}

// click is a click of rebecca's on Approve, with the given changes.
func click(changes map[string]any) map[string]any {
	payload := map[string]any{
		"type": "block_actions", "api_app_id": "A1", "team": map[string]any{"id": "T1"},
		"user": map[string]any{"id": rebecca}, "channel": map[string]any{"id": "C1"}, "trigger_id": "1.2.3",
		"actions": []any{map[string]any{
			"block_id": "b", "action_id": "approve", "type": "button",
			"value": `{"workflow":"w","run":"r","request":"q","digest":"d"}`,
		}},
	}
	maps.Copy(payload, changes)
	return payload
}

func envelope(t *testing.T, kind string, payload any) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"type": kind, "envelope_id": "E1", "payload": payload})
	require.NoError(t, err)
	return string(data)
}

func TestOddEventsAreDroppedAndAcknowledged(t *testing.T) {
	action := func(value map[string]any) map[string]any {
		value["block_id"] = "b"
		return map[string]any{"actions": []any{value}}
	}
	modal := func(callback, carried string) map[string]any {
		return map[string]any{"type": "view_submission", "view": map[string]any{
			"id": "V1", "type": "modal", "callback_id": callback, "private_metadata": carried,
		}}
	}
	for name, payload := range map[string]map[string]any{
		"another workspace":       click(map[string]any{"team": map[string]any{"id": "T2"}}),
		"another app":             click(map[string]any{"api_app_id": "A2"}),
		"no value":                click(action(map[string]any{"action_id": "approve"})),
		"a value that is no JSON": click(action(map[string]any{"action_id": "reject", "value": "{"})),
		"an unknown action":       click(action(map[string]any{"action_id": "explode"})),
		"no action":               click(map[string]any{"actions": []any{}}),
		"a shortcut":              click(map[string]any{"type": "shortcut"}),
		"a form of nobody":        click(modal("reject", "")),
		"a form that is no JSON":  click(modal("confirm", "]")),
		"an unknown form":         click(modal("?", "{}")),
		"a closed form":           click(map[string]any{"type": "view_closed"}),
	} {
		t.Run(name, func(t *testing.T) {
			o := newOddSlack(t)
			desk := listeningTo(t, o)
			o.send <- envelope(t, "interactive", payload)
			require.JSONEq(t, `{"envelope_id":"E1"}`, <-o.acks)
			require.Empty(t, desk.Decisions())
			require.Empty(t, desk.Starts())
		})
	}
}

func TestForeignCommandsAndHomesAreDropped(t *testing.T) {
	o := newOddSlack(t)
	desk := listeningTo(t, o)
	o.send <- envelope(t, "slash_commands", map[string]any{"team_id": "T2", "user_id": rebecca, "command": "/lifeboat", "text": "backup x"})
	require.JSONEq(t, `{"envelope_id":"E1"}`, <-o.acks)
	o.send <- envelope(t, "events_api", map[string]any{
		"type": "event_callback", "team_id": "T2", "api_app_id": "A1",
		"event": map[string]any{"type": "app_home_opened", "user": rebecca, "tab": "home"},
	})
	require.JSONEq(t, `{"envelope_id":"E1"}`, <-o.acks)
	require.Empty(t, desk.Starts())
	require.Empty(t, o.called("views.publish"))
}

func TestFormWithNothingInItIsSentBack(t *testing.T) {
	carried := `{"ref":{"workflow":"w","request":"q","confirm":"x"},"service":"s"}`
	for callback, field := range map[string]string{
		"reject": "reason", "confirm": "confirm", "backup": "service", "drill": "service", "restore": "set",
	} {
		t.Run(callback, func(t *testing.T) {
			o := newOddSlack(t)
			desk := listeningTo(t, o)
			o.send <- envelope(t, "interactive", click(map[string]any{"type": "view_submission", "view": map[string]any{
				"id": "V1", "type": "modal", "callback_id": callback, "private_metadata": carried,
			}}))
			var ack struct {
				Payload struct {
					Action string            `json:"response_action"`
					Errors map[string]string `json:"errors"`
				} `json:"payload"`
			}
			require.NoError(t, json.Unmarshal([]byte(<-o.acks), &ack))
			require.Equal(t, "errors", ack.Payload.Action)
			require.Contains(t, ack.Payload.Errors, field)
			require.Empty(t, desk.Decisions())
			require.Empty(t, desk.Starts())
		})
	}
}

func TestAnswerFindsAnotherWayWhenTheResponseURLIsUsedUp(t *testing.T) {
	o := newOddSlack(t)
	desk := listeningTo(t, o)
	o.send <- envelope(t, "interactive", click(map[string]any{"response_url": o.url + "used-up"}))
	require.JSONEq(t, `{"envelope_id":"E1"}`, <-o.acks)
	require.Len(t, desk.Decisions(), 1)
	require.Eventually(t, func() bool { return len(o.called("chat.postEphemeral")) == 1 }, patience, tick)
	require.Contains(t, o.called("chat.postEphemeral")[0], "user="+rebecca)
	require.Len(t, o.called("used-up"), 1)
}
