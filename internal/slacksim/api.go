package slacksim

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// object is a JSON object.
type object = map[string]any

// arguments of a call: what is no text, as JSON. Forms carry it so, and JSON bodies
// are brought to the same form.
type arguments map[string]string

func (a arguments) flag(name string) bool { return a[name] == "1" || a[name] == "true" }

// maxBody is far more than any call that Slack takes.
const maxBody = 1 << 20

// failed is the answer to a call that went wrong. What is wrong in detail, if
// anything, is in messages.
func failed(code string, messages ...string) object {
	answer := object{"ok": false, "error": code}
	if len(messages) > 0 {
		answer["response_metadata"] = object{"messages": messages}
	}
	return answer
}

// method finds the implementation of a method of the Web API. It is called with mu
// held.
func (s *Server) method(name string) func(arguments) object {
	switch name {
	case "auth.test":
		return s.authTest
	case "apps.connections.open":
		return s.appsConnectionsOpen
	case "chat.postMessage":
		return s.chatPostMessage
	case "chat.update":
		return s.chatUpdate
	case "chat.postEphemeral":
		return s.chatPostEphemeral
	case "chat.delete":
		return s.chatDelete
	case "chat.getPermalink":
		return s.chatGetPermalink
	case "conversations.history":
		return s.conversationsHistory
	case "conversations.replies":
		return s.conversationsReplies
	case "conversations.info":
		return s.conversationsInfo
	case "conversations.open":
		return s.conversationsOpen
	case "users.info":
		return s.usersInfo
	case "views.open":
		return s.viewsOpen
	case "views.push":
		return s.viewsPush
	case "views.update":
		return s.viewsUpdate
	case "views.publish":
		return s.viewsPublish
	}
	return nil
}

// serveAPI answers a call to the Web API.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	args, problem := readArguments(w, r)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")

	s.mu.Lock()
	if s.refuse(w, name) {
		s.mu.Unlock()
		return
	}
	answer := s.answer(name, args, problem, token(r, args))
	lost := s.losesAnswer(name)
	s.notify()
	s.mu.Unlock()

	if lost && breakOff(w) {
		return
	}
	_ = json.NewEncoder(w).Encode(answer) // a client that is gone needs no answer
}

// answer performs a call and keeps a record of it.
func (s *Server) answer(name string, args arguments, problem, token string) object {
	method := s.method(name)
	var answer object
	switch {
	case problem != "":
		answer = failed(problem)
	case method == nil:
		answer = failed("unknown_method")
	case token == "":
		answer = failed("not_authed")
	case token != s.BotToken && token != s.AppToken:
		answer = failed("invalid_auth")
	case (name == "apps.connections.open") != (token == s.AppToken):
		answer = failed("not_allowed_token_type")
	default:
		answer = method(args)
	}
	delete(args, "token")
	call := Call{Method: name, At: time.Now(), Args: args}
	call.Error, _ = answer["error"].(string)
	s.calls = append(s.calls, call)
	return answer
}

// token returns the token of a call: from its header, or from its arguments.
func token(r *http.Request, args arguments) string {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return bearer
	}
	return args["token"]
}

// readArguments reads the arguments of a call from its query and its body. The
// second result is an error in Slack's words.
func readArguments(w http.ResponseWriter, r *http.Request) (arguments, string) {
	args := arguments{}
	args.add(r.URL.Query())
	if r.Method == http.MethodGet {
		return args, ""
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return args, "request_timeout"
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case len(body) == 0:
	case err != nil:
		return args, "missing_post_type"
	case kind == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return args, "invalid_form_data"
		}
		args.add(form)
	case kind == "application/json":
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(body, &fields); err != nil {
			return args, "invalid_json"
		}
		args.addJSON(fields)
	default:
		return args, "invalid_post_type"
	}
	return args, ""
}

func (a arguments) add(values url.Values) {
	for name := range values {
		a[name] = values.Get(name)
	}
}

func (a arguments) addJSON(fields map[string]json.RawMessage) {
	for name, value := range fields {
		var text *string
		switch err := json.Unmarshal(value, &text); {
		case err != nil:
			a[name] = string(value)
		case text != nil:
			a[name] = *text
		}
	}
}

// breakOff ends the connection of a call without an answer.
func breakOff(w http.ResponseWriter) bool {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}
