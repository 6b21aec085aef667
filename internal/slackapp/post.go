package slackapp

import (
	"context"
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"github.com/lifeboat-run/lifeboat/internal/card"
)

// What messages carry in their metadata, so that one which was posted can be told
// from one which was not: Slack has no key for posting once.
const (
	eventCard = "lifeboat_card"
	eventNote = "lifeboat_note"
	keyField  = "key"
	inThread  = "thread"
)

// PostCard shows the card: it posts it if ref is empty, and else edits the message
// that ref names. again says that an earlier try may have posted it: then that
// message is looked for first. A message that somebody deleted is posted anew.
func (a *App) PostCard(ctx context.Context, ref card.Ref, c card.Card, again bool) (card.Ref, error) {
	blocks, text := a.render.card(&c)
	content := []slack.MsgOption{
		slack.MsgOptionBlocks(blocks...), slack.MsgOptionText(string(text), false),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventCard, EventPayload: map[string]any{keyField: c.Key}}),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
	if ref.Message != "" {
		gone, err := a.edit(ctx, ref, content)
		if !gone {
			return ref, err
		}
	}
	if again {
		found, err := a.findCard(ctx, &c)
		if err != nil {
			return card.Ref{}, err
		}
		if found != "" {
			ref = card.Ref{Channel: a.channel, Message: found}
			_, err := a.edit(ctx, ref, content)
			return ref, err
		}
	}
	return a.post(ctx, "post the card", a.channel, content)
}

// edit replaces what a message says. gone says that there is no such
// message that the app may edit.
func (a *App) edit(ctx context.Context, ref card.Ref, content []slack.MsgOption) (gone bool, err error) {
	err = whenAllowed(ctx, func() error {
		_, _, _, err := a.api.UpdateMessageContext(ctx, ref.Channel, ref.Message, content...)
		return err
	})
	return saysSlack(err, "message_not_found", "cant_update_message", "edit_window_closed"), classify(err, "edit the card", mendBot)
}

func (a *App) post(ctx context.Context, about, channel string, content []slack.MsgOption) (card.Ref, error) {
	var ref card.Ref
	err := a.call(ctx, about, func() error {
		channel, message, err := a.api.PostMessageContext(ctx, channel, content...)
		ref = card.Ref{Channel: channel, Message: message}
		return err
	})
	if err != nil {
		return card.Ref{}, err
	}
	return ref, nil
}

// PostNote posts a note in the thread of a card. again says that an earlier try
// may have posted it: then nothing is done if it is there.
func (a *App) PostNote(ctx context.Context, ref card.Ref, n card.Note, again bool) error {
	if again {
		found, err := a.findNote(ctx, ref, n.Key)
		if err != nil || found {
			return err
		}
	}
	content := []slack.MsgOption{
		slack.MsgOptionText(string(a.render.note(&n)), false), slack.MsgOptionTS(ref.Message),
		slack.MsgOptionMetadata(slack.SlackMetadata{
			EventType: eventNote, EventPayload: map[string]any{keyField: n.Key, inThread: ref.Message},
		}),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
	if n.Loud {
		content = append(content, slack.MsgOptionBroadcast())
	}
	_, err := a.post(ctx, "post the note", ref.Channel, content)
	return err
}

// How far back an earlier post is looked for.
const (
	pageSize  = 200
	maxPages  = 10
	clockSkew = 10 * time.Minute
)

// findCard looks for the card among the app's messages since the run started, and
// returns the message's id, "" if there is none.
func (a *App) findCard(ctx context.Context, c *card.Card) (string, error) {
	oldest := fmt.Sprintf("%d.000000", c.Started.Add(-clockSkew).Unix())
	if c.Started.IsZero() {
		oldest = ""
	}
	return a.find(ctx, func(cursor string) ([]slack.Message, string, error) {
		page, err := a.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
			ChannelID: a.channel, Oldest: oldest, Cursor: cursor, Limit: pageSize, IncludeAllMetadata: true,
		})
		if err != nil {
			return nil, "", err
		}
		return page.Messages, page.ResponseMetaData.NextCursor, nil
	}, slack.SlackMetadata{EventType: eventCard, EventPayload: map[string]any{keyField: c.Key}})
}

func (a *App) findNote(ctx context.Context, ref card.Ref, key string) (bool, error) {
	found, err := a.find(ctx, func(cursor string) ([]slack.Message, string, error) {
		messages, _, next, err := a.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: ref.Channel, Timestamp: ref.Message, Cursor: cursor, Limit: pageSize, IncludeAllMetadata: true,
		})
		if saysSlack(err, "thread_not_found", "message_not_found") {
			return nil, "", nil // the card was deleted, and its thread with it
		}
		return messages, next, err
	}, slack.SlackMetadata{EventType: eventNote, EventPayload: map[string]any{keyField: key}})
	return found != "", err
}

// wrote says whether a message is the bot's own.
func (i identity) wrote(m *slack.Message) bool {
	return i.bot != "" && m.BotID == i.bot || i.user != "" && m.User == i.user
}

// find looks through pages of messages for the app's own with the given metadata.
func (a *App) find(ctx context.Context, page func(cursor string) ([]slack.Message, string, error), want slack.SlackMetadata) (string, error) {
	const about = "look for what was posted before"
	self, err := a.whoami(ctx)
	if err != nil {
		return "", err
	}
	cursor := ""
	for range maxPages {
		var messages []slack.Message
		var next string
		err := a.call(ctx, about, func() error {
			var err error
			messages, next, err = page(cursor)
			return err
		})
		if err != nil {
			return "", err
		}
		for _, m := range messages {
			if self.wrote(&m) && m.Metadata.EventType == want.EventType && m.Metadata.EventPayload[keyField] == want.EventPayload[keyField] {
				return m.Timestamp, nil
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return "", nil
}
