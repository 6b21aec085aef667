package slacksim

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Slack takes so many answers at a response_url, and for so long.
const (
	maxResponses     = 5
	responseLifetime = 30 * time.Minute
)

// hook is the place behind a response_url, where an app answers to something that a
// person did.
type hook struct {
	user    string
	channel string
	ts      string // of the message that it was done to; may be empty
	made    time.Time
	uses    int
}

// responseURL makes an address for answers. The caller holds mu.
func (s *Server) responseURL(user, channel, ts string) string {
	id := rand.Text()
	s.hooks[id] = &hook{user: user, channel: channel, ts: ts, made: time.Now()}
	return s.URL + "response/" + id
}

func (s *Server) serveResponseURL(w http.ResponseWriter, r *http.Request) {
	args, problem := readArguments(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.hooks[r.PathValue("id")]
	var refusal object
	status := http.StatusNotFound
	switch {
	case s.faults.Outage:
		http.Error(w, "service unavailable", http.StatusServiceUnavailable)
		return
	case problem != "":
		refusal, status = failed(problem), http.StatusBadRequest
	case !ok || time.Since(h.made) > responseLifetime:
		refusal = failed("expired_url")
	case h.uses >= maxResponses:
		refusal = failed("used_url")
	default:
		h.uses++
		status = http.StatusBadRequest
		_, refusal = s.respond(h, args)
	}
	s.notify()
	if refusal != nil {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(refusal)
		return
	}
	_, _ = w.Write([]byte("ok"))
}

// respond does what an app answered, by an acknowledgement or at a response_url, and
// returns the message that this concerns. The caller holds mu.
func (s *Server) respond(h *hook, args arguments) (*Message, object) {
	original := s.original(h)
	if args.flag("delete_original") {
		s.forget(h.user, original)
		return original, nil
	}
	c, refusal := s.readContent(args)
	if refusal != nil {
		return nil, refusal
	}
	switch {
	case args.flag("replace_original") && original != nil:
		original.Text, original.Blocks, original.Attachments, original.Edited = c.text, c.blocks, c.attachments, true
		return original, nil
	case args["response_type"] == "in_channel":
		m := &Message{Channel: h.channel, TS: s.timestamp(), User: botUserID, Text: c.text, Blocks: c.blocks, Attachments: c.attachments}
		s.messages = append(s.messages, m)
		return m, nil
	}
	return s.postEphemeral(h.user, h.channel, c), nil
}

// original finds the message that something was done to.
func (s *Server) original(h *hook) *Message {
	if m := s.message(h.channel, h.ts); m != nil {
		return m
	}
	return s.ephemeral(h.user, h.ts)
}

func (s *Server) ephemeral(user, ts string) *Message {
	for _, m := range s.ephemerals[user] {
		if m.TS == ts {
			return m
		}
	}
	return nil
}

func (s *Server) forget(user string, message *Message) {
	same := func(m *Message) bool { return m == message }
	s.messages = slices.DeleteFunc(s.messages, same)
	s.ephemerals[user] = slices.DeleteFunc(s.ephemerals[user], same)
}
