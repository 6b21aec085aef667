package slacksim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

func TestBlocksAreHeldToSlacksLimits(t *testing.T) {
	s := start(t)
	long := func(n int) string { return strings.Repeat("é", n) }
	button := func(fields string) string {
		return `[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Go"}` + fields + `}]}]`
	}
	section := func(fields string) string { return `[{"type":"section"` + fields + `}]` }
	repeat := func(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	word := `{"type":"plain_text","text":"x"}`
	option := `{"text":` + word + `,"value":"v"}`
	divider := `{"type":"divider"}`
	for name, c := range map[string]struct{ fits, tooMuch, problem string }{
		"blocks":          {"[" + repeat(50, divider) + "]", "[" + repeat(51, divider) + "]", "no more than 50 items allowed [json-pointer:/blocks]"},
		"section":         {section(`,"text":{"type":"mrkdwn","text":"` + long(3000) + `"}`), section(`,"text":{"type":"mrkdwn","text":"` + long(3001) + `"}`), "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"},
		"empty text":      {section(`,"text":` + word), section(`,"text":{"type":"mrkdwn","text":""}`), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"},
		"no text":         {section(`,"fields":[` + word + `]`), section(""), "missing required field: text [json-pointer:/blocks/0]"},
		"fields":          {section(`,"fields":[` + repeat(10, word) + `]`), section(`,"fields":[` + repeat(11, word) + `]`), "no more than 10 items allowed [json-pointer:/blocks/0/fields]"},
		"field":           {section(`,"fields":[{"type":"mrkdwn","text":"` + long(2000) + `"}]`), section(`,"fields":[{"type":"mrkdwn","text":"` + long(2001) + `"}]`), "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]"},
		"header":          {`[{"type":"header","text":{"type":"plain_text","text":"` + long(150) + `"}}]`, `[{"type":"header","text":{"type":"plain_text","text":"` + long(151) + `"}}]`, "must be less than 151 characters [json-pointer:/blocks/0/text/text]"},
		"plain header":    {`[{"type":"header","text":` + word + `}]`, `[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]`, "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]"},
		"context":         {`[{"type":"context","elements":[` + repeat(10, word) + `]}]`, `[{"type":"context","elements":[` + repeat(11, word) + `]}]`, "no more than 10 items allowed"},
		"actions":         {`[{"type":"actions","elements":[` + repeat(25, `{"type":"button","text":`+word+`}`) + `]}]`, `[{"type":"actions","elements":[` + repeat(26, `{"type":"button","text":`+word+`}`) + `]}]`, "no more than 25 items allowed"},
		"no actions":      {button(""), `[{"type":"actions","elements":[]}]`, "no fewer than 1 items allowed [json-pointer:/blocks/0/elements]"},
		"button text":     {`[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"` + long(75) + `"}}]}]`, `[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"` + long(76) + `"}}]}]`, "must be less than 76 characters"},
		"button value":    {button(`,"value":"` + long(2000) + `"`), button(`,"value":"` + long(2001) + `"`), "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]"},
		"button style":    {button(`,"style":"danger"`), button(`,"style":"default"`), "must be one of primary, danger [json-pointer:/blocks/0/elements/0/style]"},
		"action_id":       {button(`,"action_id":"` + long(255) + `"`), button(`,"action_id":"` + long(256) + `"`), "must be less than 256 characters"},
		"same action_id":  {`[{"type":"actions","elements":[{"type":"button","action_id":"a","text":` + word + `}]},{"type":"actions","elements":[{"type":"button","action_id":"a","text":` + word + `}]}]`, `[{"type":"actions","elements":[` + repeat(2, `{"type":"button","action_id":"a","text":`+word+`}`) + `]}]`, "`action_id` must be unique within a block: a"},
		"block_id":        {`[{"type":"divider","block_id":"` + long(255) + `"}]`, `[{"type":"divider","block_id":"` + long(256) + `"}]`, "must be less than 256 characters"},
		"same block_id":   {`[{"type":"divider","block_id":"a"},{"type":"divider","block_id":"b"}]`, `[{"type":"divider","block_id":"a"},{"type":"divider","block_id":"a"}]`, "`block_id` must be unique: a [json-pointer:/blocks/1/block_id]"},
		"confirm title":   {button(confirm(100, 300, 30)), button(confirm(101, 300, 30)), "must be less than 101 characters [json-pointer:/blocks/0/elements/0/confirm/title/text]"},
		"confirm text":    {button(confirm(1, 1, 1)), button(confirm(1, 301, 1)), "must be less than 301 characters [json-pointer:/blocks/0/elements/0/confirm/text/text]"},
		"confirm button":  {button(confirm(1, 1, 30)), button(confirm(1, 1, 31)), "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/confirm/text]"},
		"options":         {section(`,"text":` + word + `,"accessory":{"type":"static_select","options":[` + repeat(100, option) + `]}`), section(`,"text":` + word + `,"accessory":{"type":"static_select","options":[` + repeat(101, option) + `]}`), "no more than 100 items allowed"},
		"option value":    {section(`,"text":` + word + `,"accessory":{"type":"overflow","options":[{"text":` + word + `,"value":"` + long(150) + `"}]}`), section(`,"text":` + word + `,"accessory":{"type":"overflow","options":[{"text":` + word + `,"value":"` + long(151) + `"}]}`), "must be less than 151 characters"},
		"option text":     {section(`,"text":` + word + `,"accessory":{"type":"overflow","options":[` + option + `]}`), section(`,"text":` + word + `,"accessory":{"type":"overflow","options":[{"text":{"type":"plain_text","text":"` + long(76) + `"},"value":"v"}]}`), "must be less than 76 characters"},
		"initial option":  {section(`,"text":` + word + `,"accessory":{"type":"static_select","options":[` + option + `],"initial_option":` + option + `}`), section(`,"text":` + word + `,"accessory":{"type":"static_select","options":[` + option + `],"initial_option":{"text":` + word + `,"value":"w"}}`), "initial_option must be one of the options"},
		"lengths":         {`[{"type":"input","label":` + word + `,"element":{"type":"plain_text_input","min_length":5,"max_length":3000}}]`, `[{"type":"input","label":` + word + `,"element":{"type":"plain_text_input","min_length":5,"max_length":3001}}]`, "must be a number from 0 to 3000"},
		"kind of block":   {"[" + divider + "]", `[{"type":"video"}]`, "unsupported type: video [json-pointer:/blocks/0/type]"},
		"kind of element": {button(""), `[{"type":"actions","elements":[{"type":"plain_text_input"}]}]`, "unsupported type: plain_text_input"},
		"objects":         {"[" + divider + "]", `["divider"]`, "must be an object [json-pointer:/blocks/0]"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, "", postBlocks(t, s.APIURL, s.BotToken, s.Channel, c.fits))
			require.Contains(t, postBlocks(t, s.APIURL, s.BotToken, s.Channel, c.tooMuch), "invalid_blocks: [ERROR] "+c.problem)
		})
	}
}

func confirm(title, body, button int) string {
	return fmt.Sprintf(`,"confirm":{"title":{"type":"plain_text","text":%q},"text":{"type":"mrkdwn","text":%q},"confirm":{"type":"plain_text","text":%q},"deny":{"type":"plain_text","text":"No"}}`,
		strings.Repeat("t", title), strings.Repeat("b", body), strings.Repeat("c", button))
}

// postBlocks posts blocks as they are, and returns what Slack says is wrong.
func postBlocks(t *testing.T, api, token, channel, blocks string) string {
	t.Helper()
	require.True(t, json.Valid([]byte(blocks)), blocks)
	body, err := json.Marshal(map[string]any{"channel": channel, "text": "fallback", "blocks": json.RawMessage(blocks)})
	require.NoError(t, err)
	response := post(t, api+"chat.postMessage", "application/json", string(body), http.Header{"Authorization": {"Bearer " + token}})
	var answer struct {
		Error    string
		Metadata struct{ Messages []string } `json:"response_metadata"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	if answer.Error == "" {
		return ""
	}
	return answer.Error + ": " + strings.Join(answer.Metadata.Messages, "; ")
}

func TestMessagesAreHeldToSlacksLimits(t *testing.T) {
	s := start(t)
	c := client(s)
	say := func(options ...slack.MsgOption) error {
		_, _, err := c.PostMessage(s.Channel, options...)
		return err
	}
	require.EqualError(t, say(), "no_text")
	require.EqualError(t, say(slack.MsgOptionText("  ", false)), "no_text")
	require.NoError(t, say(slack.MsgOptionText(strings.Repeat("x", 40_000), false)))
	require.EqualError(t, say(slack.MsgOptionText(strings.Repeat("x", 40_001), false)), "msg_too_long")
	_, _, _, err := c.UpdateMessage(s.Channel, s.Messages()[0].TS, slack.MsgOptionText(strings.Repeat("x", 4_001), false))
	require.EqualError(t, err, "msg_too_long")
	require.EqualError(t, say(slack.MsgOptionText("x", false), slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "card"})), "invalid_metadata_format")
	require.EqualError(t, say(slack.MsgOptionText("x", false), slack.MsgOptionMetadata(slack.SlackMetadata{EventPayload: map[string]any{}})), "invalid_metadata_format")

	var blocks []slack.Block
	for range 5 {
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(strings.Repeat("x", 2_900)), nil, nil))
	}
	require.NoError(t, say(slack.MsgOptionText("x", false), slack.MsgOptionBlocks(blocks[:4]...)))
	require.EqualError(t, say(slack.MsgOptionText("x", false), slack.MsgOptionBlocks(blocks...)), "msg_blocks_too_long")

	_, _, err = c.PostMessage("C0ELSEWHERE", slack.MsgOptionText("x", false))
	require.EqualError(t, err, "channel_not_found")
	_, _, err = c.PostMessage(s.Channel, slack.MsgOptionText("x", false), slack.MsgOptionBlocks(slack.NewHeaderBlock(text(strings.Repeat("x", 151)))))
	require.Equal(t, []string{"[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"}, slackError(t, err).ResponseMetadata.Messages)
}

func TestViewsAreHeldToSlacksLimits(t *testing.T) {
	s := start(t)
	a := connect(t, s, acknowledge)
	ts := card(t, a.Client, s.Channel)
	require.NoError(t, s.Click(rebecca, ts, "approve"))
	trigger := a.interactions()[0].TriggerID
	for name, c := range map[string]struct {
		change  func(*slack.ModalViewRequest)
		problem string
	}{
		"title":            {func(v *slack.ModalViewRequest) { v.Title = text(strings.Repeat("x", 25)) }, "must be less than 25 characters [json-pointer:/view/title/text]"},
		"no title":         {func(v *slack.ModalViewRequest) { v.Title = nil }, "missing required field: title [json-pointer:/view]"},
		"submit":           {func(v *slack.ModalViewRequest) { v.Submit = text(strings.Repeat("x", 25)) }, "must be less than 25 characters [json-pointer:/view/submit/text]"},
		"no submit":        {func(v *slack.ModalViewRequest) { v.Submit = nil }, "missing required field: submit [json-pointer:/view]"},
		"close":            {func(v *slack.ModalViewRequest) { v.Close = text(strings.Repeat("x", 25)) }, "must be less than 25 characters [json-pointer:/view/close/text]"},
		"private_metadata": {func(v *slack.ModalViewRequest) { v.PrivateMetadata = strings.Repeat("x", 3001) }, "must be less than 3001 characters [json-pointer:/view/private_metadata]"},
		"callback_id":      {func(v *slack.ModalViewRequest) { v.CallbackID = strings.Repeat("x", 256) }, "must be less than 256 characters [json-pointer:/view/callback_id]"},
		"kind":             {func(v *slack.ModalViewRequest) { v.Type = slack.VTHomeTab }, "must be modal [json-pointer:/view/type]"},
		"blocks": {func(v *slack.ModalViewRequest) {
			for range 100 {
				v.Blocks.BlockSet = append(v.Blocks.BlockSet, slack.NewDividerBlock())
			}
		}, "no more than 100 items allowed [json-pointer:/view/blocks]"},
	} {
		t.Run(name, func(t *testing.T) {
			view := reason()
			c.change(&view)
			_, err := a.OpenView(trigger, view)
			require.EqualError(t, err, "invalid_arguments")
			require.Equal(t, []string{"[ERROR] " + c.problem}, slackError(t, err).ResponseMetadata.Messages)
		})
	}
	_, err := a.OpenView(trigger, reason())
	require.NoError(t, err, "a view that is refused leaves the trigger")
}
