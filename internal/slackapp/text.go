package slackapp

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/slack-go/slack"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Slack's limits, in characters unless it says otherwise:
// https://docs.slack.dev/reference/block-kit
const (
	maxBlocks       = 50 // in a message
	maxViewBlocks   = 100
	maxPayload      = 13000 // all blocks of a message, as JSON
	maxHeader       = 150
	maxSection      = 3000
	maxFields       = 10 // in a section
	maxField        = 2000
	maxButton       = 30 // 75 by the reference, but phones show no more
	maxValue        = 2000
	maxOption       = 75
	maxOptions      = 100
	maxRadio        = 10 // options of radio buttons
	maxOptionValue  = 150
	maxModalTitle   = 24 // and the modal's buttons
	maxMetadata     = 3000
	maxBlockID      = 255
	maxConfirmTitle = 100
	maxConfirmText  = 300
	maxError        = 300 // below a field; no limit is written down
	maxText         = 3000
	maxNote         = 11000
)

// markup is text in Slack's mrkdwn in which all that came from outside is
// escaped already.
type markup string

// unsafeInMarkup are the characters that mean something to Slack. For * and `
// there is no escape: look-alikes stand for them.
var unsafeInMarkup = map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '*': "∗", '`': "ˋ"}

// escape makes outside text markup of at most limit characters.
func escape(text string, limit int) markup {
	return markup(cut(text, limit, func(r rune) string {
		if safe, ok := unsafeInMarkup[r]; ok {
			return safe
		}
		return string(r)
	}))
}

// clip cuts text for where Slack takes it as it is.
func clip(text string, limit int) string {
	return cut(text, limit, func(r rune) string { return string(r) })
}

// cut joins the written forms of text's characters as long as they fit. Control
// characters become spaces.
func cut(text string, limit int, written func(rune) string) string {
	text = strings.TrimSpace(text)
	var b strings.Builder
	used, fits := 0, 0 // fits: bytes of b that leave room for "…"
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' {
			r = ' '
		}
		form := written(r)
		if used += length(form); used > limit {
			return strings.TrimRightFunc(b.String()[:fits], unicode.IsSpace) + "…"
		}
		b.WriteString(form)
		if used < limit {
			fits = b.Len()
		}
	}
	return b.String()
}

// length counts as Slack's clients do: in UTF-16 units.
func length(text string) int {
	n := 0
	for _, r := range text {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// line makes one line of text.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }

// stack puts lines below each other as long as they fit, and says how many more
// there are.
func stack(lines []markup, limit int) markup {
	const more = 40 // room for the last line
	var b strings.Builder
	for i, l := range lines {
		if length(b.String())+length(string(l))+more > limit {
			fmt.Fprintf(&b, "…and %d more", len(lines)-i)
			break
		}
		b.WriteString(string(l) + "\n")
	}
	return markup(strings.TrimSuffix(b.String(), "\n"))
}

// newest keeps the last few items, and says in a line how many came before them.
func newest[T any](items []T, few int) (earlier []markup, last []T) {
	if len(items) <= few {
		return nil, items
	}
	rest := len(items) - few
	return []markup{markup(fmt.Sprintf("_…and %d more before_", rest))}, items[rest:]
}

func plainText(text string, limit int) *slack.TextBlockObject {
	if text = clip(line(text), limit); text == "" {
		text = "–" // Slack refuses an empty text
	}
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

// richText takes markup as it is: no channel names or addresses become links.
func richText(text markup) *slack.TextBlockObject {
	if text == "" {
		text = "–"
	}
	return slack.NewTextBlockObject(slack.MarkdownType, string(text), false, true)
}

func section(text markup) *slack.SectionBlock {
	return slack.NewSectionBlock(richText(text), nil, nil)
}

// small is text in small grey letters.
func small(text markup) *slack.ContextBlock {
	return slack.NewContextBlock("", richText(text))
}

// link makes a link of an address that Lifeboat made.
func link(address, words string) markup {
	parsed, err := url.Parse(address)
	if address == "" || err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return ""
	}
	safe := strings.NewReplacer("&", "&amp;", "|", "%7C", "<", "%3C", ">", "%3E").Replace(parsed.String())
	return markup("<"+safe+"|") + escape(words, 100) + ">"
}

// The forms in which Slack shows a moment, in the reader's own time zone.
const (
	dayAndTime = "{date_short_pretty} {time}"
	timeOnly   = "{time}"
)

// moment shows a time; who cannot see it in their own time zone reads UTC.
func moment(t time.Time, form string) markup {
	return markup(fmt.Sprintf("<!date^%d^%s|%s>", t.Unix(), form, utc(t)))
}

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// short rounds a duration to what a person wants to know.
func short(d recovery.Duration) string {
	std := d.Std()
	switch {
	case std < time.Minute:
		return recovery.Duration(max(std, 0).Round(time.Second)).String()
	case std < time.Hour:
		return fmt.Sprintf("%d min", int(std.Minutes()))
	case std < 48*time.Hour:
		hours, minutes := int(std.Hours()), int(std.Minutes())%60
		if minutes == 0 {
			return fmt.Sprintf("%d h", hours)
		}
		return fmt.Sprintf("%d h %d min", hours, minutes)
	}
	return fmt.Sprintf("%d days", int(std.Hours()/24))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
