package slacksim

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Message is a message in a conversation, or one that a single person sees.
type Message struct {
	Channel     string          `json:"channel"`
	TS          string          `json:"ts"`                 // its time, and its identifier
	ThreadTS    string          `json:"threadTs,omitempty"` // of the message that it answers; empty at the top
	Broadcast   bool            `json:"broadcast,omitempty"`
	User        string          `json:"user"`
	Text        string          `json:"text"`
	Blocks      json.RawMessage `json:"blocks,omitempty"` // an array, with the ids that were left out filled in
	Attachments json.RawMessage `json:"attachments,omitempty"`
	Metadata    Metadata        `json:"metadata,omitzero"`
	Edited      bool            `json:"edited,omitempty"`
	Ephemeral   bool            `json:"ephemeral,omitempty"`
}

// Metadata is what an app keeps with a message, unseen.
type Metadata struct {
	EventType    string         `json:"event_type"`
	EventPayload map[string]any `json:"event_payload"`
}

// IsZero says that there is none.
func (m Metadata) IsZero() bool { return m.EventType == "" }

// Messages lists the channel's messages, without the answers in threads, oldest
// first.
func (s *Server) Messages() []Message { return s.conversation(channelID) }

// Direct lists the messages between the app and a person, oldest first.
func (s *Server) Direct(user string) []Message { return s.conversation(directChannel(user)) }

// Thread lists the answers to a message, oldest first.
func (s *Server) Thread(ts string) []Message {
	return s.list(func(m *Message) bool { return m.ThreadTS == ts })
}

// Ephemerals lists what only a person sees, oldest first: chat.postEphemeral, what
// was sent to a response_url, and answers to slash commands.
func (s *Server) Ephemerals(user string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return values(s.ephemerals[user])
}

func (s *Server) conversation(channel string) []Message {
	return s.list(func(m *Message) bool { return m.Channel == channel && (m.ThreadTS == "" || m.Broadcast) })
}

func (s *Server) list(keep func(*Message) bool) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Message
	for _, m := range s.messages {
		if keep(m) {
			list = append(list, *m)
		}
	}
	return list
}

func values(pointers []*Message) []Message {
	list := make([]Message, len(pointers))
	for i, m := range pointers {
		list[i] = *m
	}
	return list
}

// Say posts a message to the channel as a person. Apps are not told.
func (s *Server) Say(user, text string) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.user(user); !ok {
		return Message{}, noUser(user)
	}
	m := &Message{Channel: channelID, TS: s.timestamp(), User: user, Text: text}
	s.messages = append(s.messages, m)
	s.notify()
	return *m, nil
}

func noUser(id string) error { return fmt.Errorf("there is no user %q", id) }

// directChannel is the id of the conversation of the app and a person.
func directChannel(user string) string { return "D" + user[min(1, len(user)):] }

// timestamp returns the time of a new message, unlike any before: Slack uses it as
// the identifier. The caller holds mu.
func (s *Server) timestamp() string {
	s.lastTS = max(s.lastTS+1, time.Now().UnixMicro())
	return fmt.Sprintf("%d.%06d", s.lastTS/1e6, s.lastTS%1e6)
}

// message finds a message of a conversation. The caller holds mu.
func (s *Server) message(channel, ts string) *Message {
	i := slices.IndexFunc(s.messages, func(m *Message) bool { return m.Channel == channel && m.TS == ts })
	if i < 0 {
		return nil
	}
	return s.messages[i]
}

// asSlack returns the message in Slack's JSON. The caller holds mu.
func (s *Server) asSlack(m *Message, metadata bool) object {
	o := object{"type": "message", "user": m.User, "team": teamID, "ts": m.TS, "text": m.Text}
	if m.User == botUserID {
		o["bot_id"], o["app_id"] = botID, appID
	}
	if m.Blocks != nil {
		o["blocks"] = m.Blocks
	}
	if m.Attachments != nil {
		o["attachments"] = m.Attachments
	}
	if metadata && !m.Metadata.IsZero() {
		o["metadata"] = m.Metadata
	}
	if m.Edited {
		o["edited"] = object{"user": m.User, "ts": m.TS}
	}
	replies := 0
	for _, reply := range s.messages {
		if reply.ThreadTS == m.TS {
			replies++
		}
	}
	switch {
	case m.ThreadTS != "":
		o["thread_ts"] = m.ThreadTS
	case replies > 0:
		o["thread_ts"], o["reply_count"] = m.TS, replies
	}
	if m.Broadcast {
		o["subtype"] = "thread_broadcast"
	}
	return o
}
