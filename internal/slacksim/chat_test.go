package slacksim_test

import (
	"fmt"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

func TestMessagesArePostedEditedAndDeleted(t *testing.T) {
	s := start(t)
	c := client(s)
	metadata := slack.SlackMetadata{EventType: "card", EventPayload: map[string]any{"key": "run-1"}}
	channel, ts, err := c.PostMessage(s.Channel, slack.MsgOptionText("a <b> & c", true), slack.MsgOptionMetadata(metadata))
	require.NoError(t, err)
	require.Equal(t, s.Channel, channel)
	require.Equal(t, []slacksim.Message{{
		Channel: s.Channel, TS: ts, User: s.BotUser, Text: "a &lt;b&gt; &amp; c",
		Metadata: slacksim.Metadata{EventType: "card", EventPayload: map[string]any{"key": "run-1"}},
	}}, s.Messages())

	_, _, _, err = c.UpdateMessage(s.Channel, ts, slack.MsgOptionText("a card", false), slack.MsgOptionBlocks(cardBlocks()...))
	require.NoError(t, err)
	message := s.Messages()[0]
	require.Contains(t, string(message.Blocks), "request-1")
	require.True(t, message.Edited)
	require.Equal(t, "card", message.Metadata.EventType, "an edit without metadata leaves them")
	_, _, _, err = c.UpdateMessage(s.Channel, ts, slack.MsgOptionText("done", false))
	require.NoError(t, err)
	require.Nil(t, s.Messages()[0].Blocks, "an edit with text alone takes the blocks away")

	_, _, err = c.DeleteMessage(s.Channel, ts)
	require.NoError(t, err)
	require.Empty(t, s.Messages())
	_, _, _, err = c.UpdateMessage(s.Channel, ts, slack.MsgOptionText("done", false))
	require.EqualError(t, err, "message_not_found")
}

func TestOnlyOwnMessagesCanBeEdited(t *testing.T) {
	s := start(t)
	message, err := s.Say(sam, "hello")
	require.NoError(t, err)
	_, _, _, err = client(s).UpdateMessage(s.Channel, message.TS, slack.MsgOptionText("bye", false))
	require.EqualError(t, err, "cant_update_message")
	_, _, err = client(s).DeleteMessage(s.Channel, message.TS)
	require.EqualError(t, err, "cant_delete_message")
	require.Equal(t, []string{"hello"}, texts(s.Messages()))
}

func TestThreads(t *testing.T) {
	s := start(t)
	c := client(s)
	ts := card(t, c, s.Channel)
	_, reply, err := c.PostMessage(s.Channel, slack.MsgOptionText("step 1", false), slack.MsgOptionTS(ts))
	require.NoError(t, err)
	_, _, err = c.PostMessage(s.Channel, slack.MsgOptionText("step 2", false), slack.MsgOptionTS(reply), slack.MsgOptionBroadcast())
	require.NoError(t, err)
	_, _, err = c.PostMessage(s.Channel, slack.MsgOptionText("lost", false), slack.MsgOptionTS("1700000000.000001"))
	require.NoError(t, err)
	require.Equal(t, []string{"step 1", "step 2"}, texts(s.Thread(ts)))
	require.Equal(t, []string{"Restore where2eat?", "step 2", "lost"}, texts(s.Messages()))

	replies, _, _, err := c.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: s.Channel, Timestamp: ts})
	require.NoError(t, err)
	require.Len(t, replies, 3)
	require.Equal(t, 2, replies[0].ReplyCount)
	require.Equal(t, ts, replies[1].ThreadTimestamp)
	_, _, _, err = c.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: s.Channel, Timestamp: "1.2"})
	require.EqualError(t, err, "thread_not_found")
}

func TestHistoryComesInPagesNewestFirst(t *testing.T) {
	s := start(t)
	c := client(s)
	var stamps []string
	for i := range 5 {
		_, ts, err := c.PostMessage(s.Channel, slack.MsgOptionText(fmt.Sprint(i), false),
			slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "card", EventPayload: map[string]any{"n": i}}))
		require.NoError(t, err)
		stamps = append(stamps, ts)
	}
	history := func(p slack.GetConversationHistoryParameters) ([]string, *slack.GetConversationHistoryResponse) {
		p.ChannelID = s.Channel
		page, err := c.GetConversationHistory(&p)
		require.NoError(t, err)
		var list []string
		for _, m := range page.Messages {
			list = append(list, m.Text)
		}
		return list, page
	}
	all, page := history(slack.GetConversationHistoryParameters{})
	require.Equal(t, []string{"4", "3", "2", "1", "0"}, all)
	require.False(t, page.HasMore)
	require.Empty(t, page.Messages[0].Metadata.EventType, "metadata only come when asked for")

	first, page := history(slack.GetConversationHistoryParameters{Limit: 3, IncludeAllMetadata: true})
	require.Equal(t, []string{"4", "3", "2"}, first)
	require.True(t, page.HasMore)
	require.InDelta(t, 4, page.Messages[0].Metadata.EventPayload["n"], 0)
	rest, page := history(slack.GetConversationHistoryParameters{Limit: 3, Cursor: page.ResponseMetaData.NextCursor})
	require.Equal(t, []string{"1", "0"}, rest)
	require.False(t, page.HasMore)

	since, _ := history(slack.GetConversationHistoryParameters{Oldest: stamps[2]})
	require.Equal(t, []string{"4", "3"}, since)
	since, _ = history(slack.GetConversationHistoryParameters{Oldest: stamps[2], Inclusive: true})
	require.Equal(t, []string{"4", "3", "2"}, since)
	until, _ := history(slack.GetConversationHistoryParameters{Latest: stamps[2]})
	require.Equal(t, []string{"1", "0"}, until)

	_, err := c.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: s.Channel, Oldest: "yesterday"})
	require.EqualError(t, err, "invalid_ts_oldest")
	_, err = c.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "C0ELSEWHERE"})
	require.EqualError(t, err, "channel_not_found")
}

func TestEphemeralAndDirectMessages(t *testing.T) {
	s := start(t)
	c := client(s)
	_, err := c.PostEphemeral(s.Channel, mallory, slack.MsgOptionText("You may not approve this.", false))
	require.NoError(t, err)
	require.Equal(t, []string{"You may not approve this."}, texts(s.Ephemerals(mallory)))
	require.Empty(t, s.Ephemerals(sam))
	require.Empty(t, s.Messages())
	_, err = c.PostEphemeral(s.Channel, "U0NOBODY", slack.MsgOptionText("x", false))
	require.EqualError(t, err, "user_not_in_channel")

	channel, _, err := c.PostMessage(sam, slack.MsgOptionText("It is your turn.", false))
	require.NoError(t, err)
	opened, _, _, err := c.OpenConversation(&slack.OpenConversationParameters{Users: []string{sam}})
	require.NoError(t, err)
	require.Equal(t, opened.ID, channel)
	require.Equal(t, []string{"It is your turn."}, texts(s.Direct(sam)))
	require.Empty(t, s.Direct(rebecca))
	require.Empty(t, s.Messages())
}

func TestResponseURLs(t *testing.T) {
	s := start(t)
	a := connect(t, s, acknowledge)
	ts := card(t, a.Client, s.Channel)
	respond := func(options ...slack.MsgOption) error {
		_, _, err := a.PostMessage("", options...)
		return err
	}
	require.NoError(t, s.Click(sam, ts, "approve"))
	url := a.interactions()[0].ResponseURL
	say := slack.MsgOptionText("Only you see this.", false)
	require.NoError(t, respond(slack.MsgOptionResponseURL(url, slack.ResponseTypeEphemeral), say))
	require.Equal(t, []string{"Only you see this."}, texts(s.Ephemerals(sam)))
	require.NoError(t, respond(slack.MsgOptionResponseURL(url, slack.ResponseTypeInChannel), slack.MsgOptionText("All see this.", false)))
	require.Equal(t, []string{"Restore where2eat?", "All see this."}, texts(s.Messages()))
	require.NoError(t, respond(slack.MsgOptionReplaceOriginal(url), slack.MsgOptionText("Approved.", false)))
	require.Equal(t, "Approved.", s.Messages()[0].Text)
	require.Nil(t, s.Messages()[0].Blocks)
	require.NoError(t, respond(slack.MsgOptionDeleteOriginal(url)))
	require.Equal(t, []string{"All see this."}, texts(s.Messages()))
	require.NoError(t, respond(slack.MsgOptionResponseURL(url, slack.ResponseTypeEphemeral), say))
	require.ErrorContains(t, respond(slack.MsgOptionResponseURL(url, slack.ResponseTypeEphemeral), say), "404", "five answers are all")
	require.ErrorContains(t, respond(slack.MsgOptionResponseURL(s.URL+"response/unknown", slack.ResponseTypeEphemeral), say), "404")
}

func TestAButtonOfAnEphemeralMessage(t *testing.T) {
	s := start(t)
	a := connect(t, s, acknowledge)
	ts, err := a.PostEphemeral(s.Channel, rebecca, slack.MsgOptionText("Sure?", false), slack.MsgOptionBlocks(cardBlocks()...))
	require.NoError(t, err)
	require.ErrorContains(t, s.Click(sam, ts, "approve"), "sam sees no message")
	require.NoError(t, s.Click(rebecca, ts, "approve"))
	click := a.interactions()[0]
	require.True(t, click.Container.IsEphemeral)
	_, _, err = a.PostMessage("", slack.MsgOptionDeleteOriginal(click.ResponseURL))
	require.NoError(t, err)
	require.Empty(t, s.Ephemerals(rebecca))
}
