package slacksim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

func TestWhoTheAppIs(t *testing.T) {
	s := start(t)
	c := client(s)
	me, err := c.AuthTest()
	require.NoError(t, err)
	require.Equal(t, s.TeamID, me.TeamID)
	require.Equal(t, s.BotUser, me.UserID)
	require.NotEmpty(t, me.BotID)

	u, err := c.GetUserInfo(sam)
	require.NoError(t, err)
	require.Equal(t, "sam", u.Name)
	require.Equal(t, "Sam Lindqvist", u.RealName)
	_, err = c.GetUserInfo("U0NOBODY")
	require.EqualError(t, err, "user_not_found")

	channel, err := c.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: s.Channel})
	require.NoError(t, err)
	require.Equal(t, "lifeboat", channel.Name)
	require.True(t, channel.IsMember)
	_, err = c.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: "C0ELSEWHERE"})
	require.EqualError(t, err, "channel_not_found")

	ts := card(t, c, s.Channel)
	link, err := c.GetPermalink(&slack.PermalinkParameters{Channel: s.Channel, Ts: ts})
	require.NoError(t, err)
	require.Equal(t, s.URL+"#"+ts, link)
	_, err = c.GetPermalink(&slack.PermalinkParameters{Channel: s.Channel, Ts: "1.2"})
	require.EqualError(t, err, "message_not_found")
}

func TestTokens(t *testing.T) {
	s := start(t)
	_, err := slack.New("", slack.OptionAPIURL(s.APIURL)).AuthTest()
	require.EqualError(t, err, "not_authed")
	_, err = slack.New("xoxb-guessed", slack.OptionAPIURL(s.APIURL)).AuthTest()
	require.EqualError(t, err, "invalid_auth")
	_, err = slack.New(s.AppToken, slack.OptionAPIURL(s.APIURL)).AuthTest()
	require.EqualError(t, err, "not_allowed_token_type")
	_, _, err = slack.New("", slack.OptionAPIURL(s.APIURL), slack.OptionAppLevelToken(s.BotToken)).StartSocketModeContext(t.Context())
	require.EqualError(t, err, "not_allowed_token_type")
	require.NotEqual(t, s.BotToken, start(t).BotToken)
}

func TestCallsAreReadAsFormsAndAsJSON(t *testing.T) {
	s := start(t)
	answer := func(method, kind, body string, header http.Header) string {
		response := post(t, s.APIURL+method, kind, body, header)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		var fields map[string]any
		require.NoError(t, json.Unmarshal(text, &fields), string(text))
		problem, _ := fields["error"].(string)
		return problem
	}
	bearer := http.Header{"Authorization": {"Bearer " + s.BotToken}}
	require.Empty(t, answer("chat.postMessage", "application/x-www-form-urlencoded", "token="+s.BotToken+"&channel=%23lifeboat&text=form", nil))
	require.Empty(t, answer("chat.postMessage", "application/json; charset=utf-8",
		`{"channel":"`+s.Channel+`","text":"json","thread_ts":null,"blocks":[{"type":"section","text":{"type":"mrkdwn","text":"*json*"}}]}`, bearer))
	require.Equal(t, []string{"form", "json"}, texts(s.Messages()))
	require.Equal(t, "unknown_method", answer("chat.shout", "application/json", "{}", bearer))
	require.Equal(t, "invalid_json", answer("chat.postMessage", "application/json", "[1]", bearer))
	require.Equal(t, "invalid_form_data", answer("chat.postMessage", "application/x-www-form-urlencoded", "%zz", bearer))
	require.Equal(t, "invalid_post_type", answer("chat.postMessage", "text/plain", "hello", bearer))

	calls := s.Calls()
	require.Len(t, calls, 6)
	require.Equal(t, "chat.postMessage", calls[0].Method)
	require.Equal(t, map[string]string{"channel": "#lifeboat", "text": "form"}, calls[0].Args)
	require.Equal(t, "unknown_method", calls[2].Error)
	require.NotContains(t, calls[0].Args, "token")
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:80"} {
		_, err := slacksim.Start(slacksim.Options{Address: address})
		require.ErrorIs(t, err, slacksim.ErrNotLoopback, address)
	}
	_, err := slacksim.Start(slacksim.Options{Address: "127.0.0.1"})
	require.ErrorContains(t, err, "missing port")

	s := start(t)
	_, err = slacksim.Start(slacksim.Options{Address: strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), "/")})
	require.ErrorContains(t, err, "start the Slack stand-in: ")

	require.Equal(t, http.StatusForbidden, post(t, s.APIURL+"auth.test", "application/json", "{}", http.Header{"Host": {"evil.example"}}).StatusCode)
	say := `{"user":"U0SAM","text":"hello"}`
	require.Equal(t, http.StatusForbidden, post(t, s.URL+"sim/say", "application/json", say, http.Header{"Host": {"evil.example:80"}}).StatusCode)
	require.Equal(t, http.StatusForbidden, post(t, s.URL+"sim/say", "application/json", say, http.Header{"Origin": {"http://evil.example"}}).StatusCode)
	require.Equal(t, http.StatusUnsupportedMediaType, post(t, s.URL+"sim/say", "text/plain", say, nil).StatusCode)
	require.Empty(t, s.Messages())
	require.Equal(t, http.StatusOK, post(t, s.URL+"sim/say", "application/json", say, nil).StatusCode)
	require.Equal(t, []string{"hello"}, texts(s.Messages()))
	require.Equal(t, http.StatusConflict, post(t, s.URL+"sim/click", "application/json", `{"user":"U0SAM","ts":"1.2"}`, nil).StatusCode)
	require.Equal(t, http.StatusBadRequest, post(t, s.URL+"sim/click", "application/json", `[]`, nil).StatusCode)
}

func TestOtherProcessesSeeWhatPeopleSee(t *testing.T) {
	s := start(t)
	ts := card(t, client(s), s.Channel)
	_, err := client(s).PostEphemeral(s.Channel, sam, slack.MsgOptionText("for sam", false))
	require.NoError(t, err)
	get := func(path string, result any) {
		response, err := http.Get(s.URL + path)
		require.NoError(t, err)
		defer response.Body.Close()
		require.NoError(t, json.NewDecoder(response.Body).Decode(result))
	}
	var seen struct {
		User        string
		Messages    []slacksim.Message
		Ephemerals  []slacksim.Message
		Connections int
	}
	get("sim/state?user="+sam, &seen)
	require.Equal(t, sam, seen.User)
	require.Equal(t, ts, seen.Messages[0].TS)
	require.Equal(t, []string{"for sam"}, texts(seen.Ephemerals))
	get("sim/state?user="+rebecca, &seen)
	require.Empty(t, seen.Ephemerals)
	var calls []slacksim.Call
	get("sim/calls", &calls)
	require.Equal(t, "chat.postMessage", calls[0].Method)
}
