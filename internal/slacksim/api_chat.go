package slacksim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of messages, in characters. That of blocks together is not documented; it
// was measured in https://github.com/slackapi/bolt-js/issues/2509.
const (
	maxText        = 40_000
	maxTextUpdated = 4_000
	maxBlocksSize  = 13_200
	maxMetadata    = 8_000
	maxBlocks      = 50
)

// content is what a message says.
type content struct {
	text        string
	blocks      json.RawMessage
	attachments json.RawMessage
	metadata    Metadata
}

// readContent checks what a message is to say. The answer is nil if all is well.
func (s *Server) readContent(args arguments) (content, object) {
	c := content{text: args["text"]}
	if utf8.RuneCountInString(c.text) > maxText {
		return c, failed("msg_too_long")
	}
	var refusal object
	if c.blocks, refusal = s.readBlocks(args["blocks"]); refusal != nil {
		return c, refusal
	}
	if text := args["attachments"]; text != "" {
		var list []object
		if json.Unmarshal([]byte(text), &list) != nil {
			return c, failed("invalid_attachments")
		}
		if len(list) > 0 {
			c.attachments = json.RawMessage(text)
		}
	}
	if text := args["metadata"]; text != "" {
		if len(text) > maxMetadata {
			return c, failed("metadata_too_large")
		}
		if json.Unmarshal([]byte(text), &c.metadata) != nil || (c.metadata.EventType == "") != (c.metadata.EventPayload == nil) {
			return c, failed("invalid_metadata_format")
		}
	}
	if strings.TrimSpace(c.text) == "" && c.blocks == nil && c.attachments == nil {
		return c, failed("no_text")
	}
	return c, nil
}

// readBlocks checks blocks and fills in the ids that they lack. No blocks, and an
// empty list of them, are nil.
func (s *Server) readBlocks(text string) (json.RawMessage, object) {
	if text == "" {
		return nil, nil
	}
	var list []any
	if json.Unmarshal([]byte(text), &list) != nil {
		return nil, failed("invalid_blocks_format")
	}
	if len(list) == 0 {
		return nil, nil
	}
	var c checker
	c.blocks("/blocks", list, maxBlocks)
	if len(c.problems) > 0 {
		return nil, failed("invalid_blocks", c.problems...)
	}
	if utf8.RuneCountInString(text) > maxBlocksSize {
		return nil, failed("msg_blocks_too_long")
	}
	return s.withIDs(list), nil
}

// withIDs encodes blocks, with the ids that they lack filled in.
func (s *Server) withIDs(list []any) json.RawMessage {
	for _, item := range list {
		block, _ := item.(object)
		s.fillID(block, "block_id")
		for _, element := range interactive(block) {
			s.fillID(element, "action_id")
		}
	}
	return encode(list)
}

func (s *Server) fillID(o object, name string) {
	if id, _ := o[name].(string); id == "" {
		o[name] = s.id(name[:1])
	}
}

// encode returns the JSON of a value that was read from JSON.
func encode(value any) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	return bytes.TrimSpace(b.Bytes())
}

// resolve finds the conversation that a message is sent to: by its id, by the
// channel's name, or by the id of the person whose conversation with the app is meant.
func (s *Server) resolve(name string) (string, bool) {
	if name == channelID || strings.TrimPrefix(name, "#") == channelName {
		return channelID, true
	}
	for _, u := range s.Users() {
		if direct := directChannel(u.ID); name == u.ID || name == direct {
			return direct, true
		}
	}
	return "", false
}

func (s *Server) chatPostMessage(args arguments) object {
	channel, ok := s.resolve(args["channel"])
	if !ok {
		return failed("channel_not_found")
	}
	c, refusal := s.readContent(args)
	if refusal != nil {
		return refusal
	}
	m := &Message{
		Channel: channel, TS: s.timestamp(), User: botUserID,
		Text: c.text, Blocks: c.blocks, Attachments: c.attachments, Metadata: c.metadata,
	}
	// An answer to an answer joins its thread. One to a message that is gone is
	// posted at the top, as Slack does it.
	if parent := s.message(channel, args["thread_ts"]); parent != nil {
		m.ThreadTS, m.Broadcast = parent.TS, args.flag("reply_broadcast")
		if parent.ThreadTS != "" {
			m.ThreadTS = parent.ThreadTS
		}
	}
	s.messages = append(s.messages, m)
	return object{"ok": true, "channel": channel, "ts": m.TS, "message": s.asSlack(m, true)}
}

// ownMessage finds the app's message that a call is about.
func (s *Server) ownMessage(args arguments, refusal string) (*Message, object) {
	if channel, ok := s.resolve(args["channel"]); !ok || channel != args["channel"] {
		return nil, failed("channel_not_found")
	}
	m := s.message(args["channel"], args["ts"])
	if m == nil {
		return nil, failed("message_not_found")
	}
	if m.User != botUserID {
		return nil, failed(refusal)
	}
	return m, nil
}

// chatUpdate replaces what a message says. Text alone takes the blocks away; what
// else is left out stays.
func (s *Server) chatUpdate(args arguments) object {
	m, refusal := s.ownMessage(args, "cant_update_message")
	if refusal != nil {
		return refusal
	}
	if utf8.RuneCountInString(args["text"]) > maxTextUpdated {
		return failed("msg_too_long")
	}
	c, refusal := s.readContent(args)
	if refusal != nil {
		return refusal
	}
	m.Text, m.Blocks, m.Edited = c.text, c.blocks, true
	if _, ok := args["attachments"]; ok {
		m.Attachments = c.attachments
	}
	if _, ok := args["metadata"]; ok {
		m.Metadata = c.metadata
	}
	return object{"ok": true, "channel": m.Channel, "ts": m.TS, "text": m.Text, "message": s.asSlack(m, true)}
}

func (s *Server) chatPostEphemeral(args arguments) object {
	channel, ok := s.resolve(args["channel"])
	if !ok {
		return failed("channel_not_found")
	}
	if _, ok := s.user(args["user"]); !ok {
		return failed("user_not_in_channel")
	}
	c, refusal := s.readContent(args)
	if refusal != nil {
		return refusal
	}
	m := s.postEphemeral(args["user"], channel, c)
	m.ThreadTS = args["thread_ts"]
	return object{"ok": true, "message_ts": m.TS}
}

func (s *Server) postEphemeral(user, channel string, c content) *Message {
	m := &Message{
		Channel: channel, TS: s.timestamp(), User: botUserID, Ephemeral: true,
		Text: c.text, Blocks: c.blocks, Attachments: c.attachments,
	}
	s.ephemerals[user] = append(s.ephemerals[user], m)
	return m
}

func (s *Server) chatDelete(args arguments) object {
	m, refusal := s.ownMessage(args, "cant_delete_message")
	if refusal != nil {
		return refusal
	}
	s.messages = slices.DeleteFunc(s.messages, func(other *Message) bool { return other == m })
	return object{"ok": true, "channel": m.Channel, "ts": m.TS}
}

func (s *Server) chatGetPermalink(args arguments) object {
	if channel, ok := s.resolve(args["channel"]); !ok || channel != args["channel"] {
		return failed("channel_not_found")
	}
	if s.message(args["channel"], args["message_ts"]) == nil {
		return failed("message_not_found")
	}
	return object{"ok": true, "channel": args["channel"], "permalink": s.URL + "#" + args["message_ts"]}
}
