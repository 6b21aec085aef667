package slackapp

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/slack-go/slack"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
)

// renderer makes blocks of what the runs show.
type renderer struct {
	desk Desk
}

var stateWords = map[card.State]string{
	card.Working:   "running",
	card.Waiting:   "✋ waits for a decision",
	card.Done:      "✅ done",
	card.Failed:    "❌ FAILED",
	card.Cancelled: "cancelled",
}

func title(c *card.Card) string {
	words, ok := stateWords[c.State]
	if !ok {
		words = string(c.State)
	}
	return clip(line(c.Title), maxHeader-length(words)-2) + ": " + words
}

// card returns a card's blocks, and the text that stands for them in
// notifications and for screen readers. A card that is too large shows less of
// everything, until it fits.
func (r renderer) card(c *card.Card) ([]slack.Block, markup) {
	for share := 1; ; share *= 2 {
		blocks := r.cardBlocks(c, share)
		if share >= 32 || len(blocks) <= maxBlocks && size(blocks) <= maxPayload {
			return blocks, r.cardText(c)
		}
	}
}

// size is how much room blocks take on their way to Slack.
func size(blocks []slack.Block) int {
	data, err := json.Marshal(blocks)
	if err != nil {
		return 0 // Slack's client says so again, and better
	}
	return length(string(data))
}

func (r renderer) cardText(c *card.Card) markup {
	text := escape(title(c), maxHeader) + "\n" + escape(line(c.Line), 600)
	if isOpen(c) {
		text += "\n" + escape("To decide: "+line(c.Open.Request.What), 600)
	}
	return text
}

// isOpen says whether the card waits for a decision that still counts.
func isOpen(c *card.Card) bool {
	ended := c.State == card.Done || c.State == card.Failed || c.State == card.Cancelled
	return c.Open != nil && c.Open.Outcome == approval.Open && !ended
}

// cardBlocks shows each part with the given share (1/share) of its room.
func (r renderer) cardBlocks(c *card.Card, share int) []slack.Block {
	blocks := []slack.Block{
		slack.NewHeaderBlock(plainText(title(c), maxHeader)),
		section(r.headline(c, share)),
	}
	blocks = append(blocks, facts(c.Facts, share)...)
	if len(c.Done) > 0 {
		blocks = append(blocks, section(parts(c.Done, share)))
	}
	decided := c.Decided
	if c.Open != nil && !isOpen(c) {
		decided = append(slices.Clip(decided), *c.Open)
	}
	if len(decided) > 0 {
		blocks = append(blocks, section(r.decisions(decided, share)))
	}
	if isOpen(c) {
		blocks = append(blocks, slack.NewDividerBlock())
		blocks = append(blocks, r.request(c.Open, share)...)
	}
	return append(blocks, small(r.footer(c)))
}

func (r renderer) headline(c *card.Card, share int) markup {
	text := escape(c.Line, 900/share)
	if c.Trouble != "" {
		text += "\n⚠️ " + escape(c.Trouble, 800/share)
	}
	if len(c.Mention) > 0 {
		text += "\n" + r.mentions(c.Mention, max(1, 10/share))
	}
	return text
}

// facts shows labelled lines in two columns.
func facts(list []approval.Fact, share int) []slack.Block {
	if len(list) == 0 {
		return nil
	}
	few := max(2, maxFields/share)
	shown := list[:min(few, len(list))]
	fields := make([]*slack.TextBlockObject, len(shown))
	for i, f := range shown {
		fields[i] = richText("*" + escape(line(f.Label), 100/share) + "*\n" + escape(f.Value, min(maxField-200, 600/share)))
	}
	blocks := []slack.Block{slack.NewSectionBlock(nil, fields, nil)}
	if rest := len(list) - len(shown); rest > 0 {
		blocks = append(blocks, small(markup(fmt.Sprintf("…and %d more", rest))))
	}
	return blocks
}

// parts lists what is finished, the newest few.
func parts(done []string, share int) markup {
	lines, done := newest(done, max(1, 6/share))
	for _, text := range done {
		lines = append(lines, "✓ "+escape(line(text), 200/share))
	}
	return stack(lines, maxSection)
}

func (r renderer) footer(c *card.Card) markup {
	text := "Started " + moment(c.Started, dayAndTime)
	if c.By != "" {
		text += " by " + r.person(c.By)
	}
	if open := link(r.desk.RunURL(c.Run), "open in Temporal"); open != "" {
		text += " · " + open
	}
	return text
}

// person names somebody, as a mention if they are in Slack.
func (r renderer) person(name string) markup {
	if user := r.desk.SlackUser(name); user != "" {
		return "<@" + escape(user, 50) + ">"
	}
	return escape(line(name), 100)
}

func (r renderer) mentions(names []string, most int) markup {
	var text markup
	for i, name := range names {
		if i == most {
			return text + markup(fmt.Sprintf(" …and %d more", len(names)-most))
		}
		if i > 0 {
			text += " "
		}
		text += r.person(name)
	}
	return text
}

// note returns a note's text.
func (r renderer) note(n *card.Note) markup {
	text := escape(n.Text, maxNote)
	if len(n.Mention) > 0 {
		return r.mentions(n.Mention, 20) + " " + text
	}
	return text
}
