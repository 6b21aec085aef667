package slacksim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Click uses a button of a message, seen by everybody or by this person alone, and
// returns when the app acknowledged.
func (s *Server) Click(user, ts, actionID string) error {
	return s.useMessage(user, ts, target{Action: actionID})
}

// Choose chooses the option with a value of a menu in a message.
func (s *Server) Choose(user, ts, actionID, value string) error {
	return s.useMessage(user, ts, target{Action: actionID, Value: value})
}

func (s *Server) useMessage(user, ts string, t target) error {
	s.mu.Lock()
	payload, err := s.messageAction(user, ts, t)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	_, err = s.deliver("interactive", payload)
	return err
}

// messageAction describes the use of an element of a message. The caller holds mu.
func (s *Server) messageAction(user, ts string, t target) (object, error) {
	u, ok := s.user(user)
	if !ok {
		return nil, noUser(user)
	}
	m := s.visible(user, ts)
	if m == nil {
		return nil, fmt.Errorf("%s sees no message %q", u.Name, ts)
	}
	action, err := s.use(t, m.Blocks, "the message "+ts)
	if err != nil {
		return nil, err
	}
	container := object{"type": "message", "message_ts": ts, "channel_id": m.Channel, "is_ephemeral": m.Ephemeral}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	payload := s.interaction(u, "block_actions")
	payload["actions"] = []object{action}
	payload["container"] = container
	payload["channel"] = channelReference(m.Channel)
	payload["response_url"] = s.responseURL(user, m.Channel, ts)
	payload["state"] = initialState(m.Blocks)
	if !m.Ephemeral { // Slack does not send those back
		payload["message"] = s.asSlack(m, true)
	}
	return payload, nil
}

// visible finds a message that a person sees.
func (s *Server) visible(user, ts string) *Message {
	i := slices.IndexFunc(s.messages, func(m *Message) bool {
		return m.TS == ts && (m.Channel == channelID || m.Channel == directChannel(user))
	})
	if i >= 0 {
		return s.messages[i]
	}
	return s.ephemeral(user, ts)
}

// use describes the use of an element.
func (s *Server) use(t target, blocks json.RawMessage, where string) (object, error) {
	blockID, element, option, ok := t.find(blocks)
	switch {
	case !ok && t.Value != "":
		return nil, fmt.Errorf("%s has no element with the action %q and the value %q", where, t.Action, t.Value)
	case !ok:
		return nil, fmt.Errorf("%s has no button with the action %q", where, t.Action)
	}
	return clicked(blockID, element, option, s.timestamp()), nil
}

// interaction is the payload that is the same for everything that a person does.
func (s *Server) interaction(u User, kind string) object {
	return object{
		"type": kind, "api_app_id": appID, "token": "verification", "is_enterprise_install": false,
		"team":       object{"id": teamID, "domain": teamDomain},
		"user":       object{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": teamID},
		"trigger_id": s.newTrigger(u.ID), "action_ts": s.timestamp(),
	}
}

func channelReference(channel string) object {
	if channel == channelID {
		return object{"id": channel, "name": channelName}
	}
	return object{"id": channel, "name": "directmessage"}
}

// Slash sends a slash command from the channel, like "/deploy" with the text
// "status". It returns what the app answered with its acknowledgement; what it sends later is
// among the person's Ephemerals.
func (s *Server) Slash(user, command, text string) (Message, error) {
	u, ok := s.user(user)
	if !ok {
		return Message{}, noUser(user)
	}
	if !strings.HasPrefix(command, "/") {
		return Message{}, fmt.Errorf("a slash command begins with a slash: %q", command)
	}
	s.mu.Lock()
	url := s.responseURL(user, channelID, "")
	payload := object{
		"token": "verification", "team_id": teamID, "team_domain": teamDomain, "api_app_id": appID,
		"channel_id": channelID, "channel_name": channelName, "user_id": u.ID, "user_name": u.Name,
		"command": command, "text": text, "response_url": url, "trigger_id": s.newTrigger(user), "is_enterprise_install": "false",
	}
	s.mu.Unlock()
	answer, err := s.deliver("slash_commands", payload)
	if err != nil {
		return Message{}, fmt.Errorf("%s: %w", command, err)
	}
	return s.slashAnswer(&hook{user: user, channel: channelID}, answer)
}

// slashAnswer shows what an app answered to a slash command.
func (s *Server) slashAnswer(h *hook, answer json.RawMessage) (Message, error) {
	args := arguments{}
	var fields map[string]json.RawMessage
	if len(answer) == 0 {
		return Message{}, nil
	}
	if err := json.Unmarshal(answer, &fields); err != nil {
		return Message{}, errors.New("the app answered to a slash command with what is no JSON object")
	}
	args.addJSON(fields)
	if args["text"] == "" && args["blocks"] == "" && args["attachments"] == "" {
		return Message{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, refusal := s.respond(h, args)
	if refusal != nil {
		return Message{}, fmt.Errorf("the app's answer to a slash command cannot be shown: %v", refusal)
	}
	s.notify()
	return *m, nil
}

// OpenHome tells the app that a person opened its App Home.
func (s *Server) OpenHome(user string) error {
	if _, ok := s.user(user); !ok {
		return noUser(user)
	}
	s.mu.Lock()
	event := object{
		"type": "app_home_opened", "user": user, "channel": directChannel(user), "tab": "home", "event_ts": s.timestamp(),
	}
	if v := s.homes[user]; v != nil {
		event["view"] = *v
	}
	payload := object{
		"type": "event_callback", "token": "verification", "team_id": teamID, "api_app_id": appID,
		"event_id": s.id("Ev"), "event_time": s.lastTS / 1e6, "event": event,
	}
	s.mu.Unlock()
	_, err := s.deliver("events_api", payload)
	return err
}

// Home returns the blocks of a person's App Home, or nil before the app published
// one.
func (s *Server) Home(user string) json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.homes[user]; v != nil {
		return v.Blocks
	}
	return nil
}

// ClickHome uses an element of a person's App Home. Where several buttons have the
// same action, the value says which one; for a menu it is the option that is chosen.
func (s *Server) ClickHome(user, actionID, value string) error {
	return s.useHome(user, target{Action: actionID, Value: value})
}

func (s *Server) useHome(user string, t target) error {
	s.mu.Lock()
	v := s.homes[user]
	payload, err := s.viewAction(user, v, t)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	_, err = s.deliver("interactive", payload)
	return err
}

// viewAction describes the use of an element of a view. The caller holds mu.
func (s *Server) viewAction(user string, v *View, t target) (object, error) {
	u, ok := s.user(user)
	if !ok {
		return nil, noUser(user)
	}
	if v == nil {
		return nil, fmt.Errorf("%s sees no such view: the app published or opened none", u.Name)
	}
	action, err := s.use(t, v.Blocks, "the "+v.Type)
	if err != nil {
		return nil, err
	}
	payload := s.interaction(u, "block_actions")
	payload["actions"] = []object{action}
	payload["container"] = object{"type": "view", "view_id": v.ID}
	payload["view"] = *v
	return payload, nil
}
