package slacksim

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var apiMethods = []string{
	"auth.test", "apps.connections.open", "chat.postMessage", "chat.update", "chat.postEphemeral", "chat.delete", "chat.getPermalink",
	"conversations.history", "conversations.replies", "conversations.info", "conversations.open", "users.info",
	"views.open", "views.push", "views.update", "views.publish", "unknown.method",
}

var simPaths = []string{"click", "slash", "modal/submit", "modal/click", "modal/close", "home/open", "home/click", "say", "faults"}

// FuzzCalls sends every method what nobody would, as a form and as JSON, without the
// network. Every call must be answered in JSON, and people must see what is there.
func FuzzCalls(f *testing.F) {
	f.Add("C0LIFEBOAT", "hello", `[{"type":"section","text":{"type":"mrkdwn","text":"x"}}]`)
	f.Add("C0LIFEBOAT", "x", `[{"type":"actions","elements":[null,1,{"type":"static_select","option_groups":[{"options":3}],"initial_option":{}}]}]`)
	f.Add("U0SAM", "1.2", `{"type":"home","blocks":[{"type":"input","element":{"type":"checkboxes","options":[{}]}}]}`)
	f.Add("U0SAM", "", `{"type":"home","blocks":[{"type":"actions","elements":[{"type":"button","action_id":"U0SAM","text":{"type":"plain_text","text":"x"}}]}]}`)
	f.Add("D0SAM", "-9223372036854775808.1", `{"type":"modal","title":{"type":"plain_text","text":"x"},"blocks":[{"type":"image"}],"close":7,"notify_on_close":"yes"}`)
	f.Add("\x00", strings.Repeat("9", 400), `[[[[[[]]]]]]`)
	f.Fuzz(func(t *testing.T, id, text, document string) {
		s := newServer("http://127.0.0.1/", Options{})
		handler := s.routes()
		send := func(path, kind, body string) *httptest.ResponseRecorder {
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/"+path, strings.NewReader(body))
			request.Header.Set("Content-Type", kind)
			request.Header.Set("Authorization", "Bearer "+s.BotToken)
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			return answer
		}
		form, fields := garbage(id, text, document)
		for _, method := range apiMethods {
			for _, call := range [][2]string{{"application/json", fields}, {"application/x-www-form-urlencoded", form}, {"application/json", document}} {
				answer := send("api/"+method, call[0], call[1])
				var fields map[string]any
				require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &fields), method)
				require.Contains(t, fields, "ok", method)
			}
		}
		for _, path := range simPaths {
			require.Less(t, send("sim/"+path, "application/json", document).Code, 500, path)
			require.Less(t, send("sim/"+path, "application/json", fields).Code, 500, path)
		}
		require.Less(t, send("response/"+url.PathEscape(id), "application/json", document).Code, 500)
		for _, u := range s.Users() {
			_, err := json.Marshal(s.state(u.ID))
			require.NoError(t, err)
		}
	})
}

// garbage fills every argument that there is, for a form and for JSON.
func garbage(id, text, document string) (form, fields string) {
	values, object := url.Values{}, map[string]any{}
	for _, name := range []string{"channel", "user", "users", "user_id", "trigger_id", "view_id", "external_id", "cursor", "hash", "actionId"} {
		values.Set(name, id)
		object[name] = id
	}
	for _, name := range []string{"text", "ts", "thread_ts", "message_ts", "oldest", "latest", "limit", "command", "value"} {
		values.Set(name, text)
		object[name] = text
	}
	for _, name := range []string{"blocks", "view", "metadata", "attachments"} {
		values.Set(name, document)
		if object[name] = document; json.Valid([]byte(document)) {
			object[name] = json.RawMessage(document)
		}
	}
	return values.Encode(), string(encode(object))
}
