package slacksim

import (
	"slices"
	"strconv"
	"strings"
)

// Pages of a conversation: what is given without a limit, and at most.
const (
	defaultPage = 100
	maxPage     = 999
)

func (s *Server) conversationsHistory(args arguments) object {
	channel, ok := s.resolve(args["channel"])
	if !ok || channel != args["channel"] {
		return failed("channel_not_found")
	}
	var newestFirst []*Message
	for _, m := range slices.Backward(s.messages) {
		if m.Channel == channel && (m.ThreadTS == "" || m.Broadcast) {
			newestFirst = append(newestFirst, m)
		}
	}
	return s.page(args, newestFirst)
}

func (s *Server) conversationsReplies(args arguments) object {
	channel, ok := s.resolve(args["channel"])
	if !ok || channel != args["channel"] {
		return failed("channel_not_found")
	}
	parent := s.message(channel, args["ts"])
	if parent == nil {
		return failed("thread_not_found")
	}
	thread := []*Message{parent}
	for _, m := range s.messages {
		if m.Channel == channel && m.ThreadTS == parent.TS {
			thread = append(thread, m)
		}
	}
	return s.page(args, thread)
}

// page answers with the messages between oldest and latest that a call's limit and
// cursor select. A cursor is the place in the list.
func (s *Server) page(args arguments, list []*Message) object {
	limit, problem := number(args["limit"], defaultPage)
	start, wrong := number(strings.TrimPrefix(args["cursor"], "next:"), 0)
	oldest, bad := microseconds(args["oldest"])
	latest, worse := microseconds(args["latest"])
	switch {
	case problem:
		return failed("invalid_limit")
	case wrong:
		return failed("invalid_cursor")
	case bad:
		return failed("invalid_ts_oldest")
	case worse:
		return failed("invalid_ts_latest")
	}
	list = slices.DeleteFunc(list, func(m *Message) bool {
		at, _ := microseconds(m.TS)
		edge := args.flag("inclusive") && (at == oldest || at == latest)
		return !edge && (at <= oldest || latest > 0 && at >= latest)
	})
	list = list[min(start, len(list)):]
	answer := object{"ok": true, "has_more": false}
	if limit = max(1, min(limit, maxPage)); len(list) > limit {
		list = list[:limit]
		answer["has_more"] = true
		answer["response_metadata"] = object{"next_cursor": "next:" + strconv.Itoa(start+limit)}
	}
	messages := make([]object, len(list))
	for i, m := range list {
		messages[i] = s.asSlack(m, args.flag("include_all_metadata"))
	}
	answer["messages"] = messages
	return answer
}

// number reads a count. The second result says that it is none.
func number(text string, absent int) (int, bool) {
	if text == "" {
		return absent, false
	}
	n, err := strconv.Atoi(text)
	return n, err != nil || n < 0
}

// microseconds reads a time as Slack writes it: seconds since 1970, and a fraction. The
// second result says that it is none.
func microseconds(text string) (int64, bool) {
	if text == "" {
		return 0, false
	}
	seconds, fraction, _ := strings.Cut(text, ".")
	if len(seconds) > 12 || len(fraction) > 6 {
		return 0, true
	}
	n, err := strconv.ParseUint(seconds+fraction+strings.Repeat("0", 6-len(fraction)), 10, 63)
	return int64(n), err != nil
}

func (s *Server) conversationsInfo(args arguments) object {
	channel, ok := s.resolve(args["channel"])
	if !ok || channel != args["channel"] {
		return failed("channel_not_found")
	}
	return object{"ok": true, "channel": channelAsSlack(channel)}
}

func (s *Server) conversationsOpen(args arguments) object {
	if _, ok := s.user(args["users"]); !ok {
		return failed("user_not_found")
	}
	return object{"ok": true, "channel": channelAsSlack(directChannel(args["users"]))}
}

func channelAsSlack(channel string) object {
	if channel == channelID {
		return object{"id": channel, "name": channelName, "name_normalized": channelName, "is_channel": true, "is_member": true}
	}
	return object{"id": channel, "is_im": true}
}

func (s *Server) usersInfo(args arguments) object {
	u, ok := s.user(args["user"])
	if args["user"] == botUserID {
		u, ok = User{ID: botUserID, Name: channelName, RealName: "The app"}, true
	}
	if !ok {
		return failed("user_not_found")
	}
	return object{"ok": true, "user": object{
		"id": u.ID, "team_id": teamID, "name": u.Name, "real_name": u.RealName, "deleted": false, "is_bot": u.ID == botUserID,
		"tz": "UTC", "profile": object{"real_name": u.RealName, "display_name": u.Name},
	}}
}

func (s *Server) authTest(arguments) object {
	return object{
		"ok": true, "url": s.URL, "team": teamDomain, "team_id": teamID,
		"user": channelName, "user_id": botUserID, "bot_id": botID, "is_enterprise_install": false,
	}
}
