package slackapp

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/lifeboat-run/lifeboat/internal/approval"
)

// details shows the whole of a request, in as many sections as it takes.
func (r renderer) details(b *approval.Book) []slack.Block {
	q := &b.Request
	lines := []markup{
		"*" + escape(line(q.What), 1000) + "*",
		escape(line(q.Where), 1000),
		"*Service:* " + escape(q.Service, 200) + " · *playbook:* " + escape(q.Playbook, 100) + " · *step:* " + escape(q.Step, 100),
		r.terms(b),
		"*Asked:* " + moment(q.Asked, dayAndTime),
	}
	if len(q.Policy.Escalate) > 0 {
		lines = append(lines, "*If nobody decides, told is:* "+escape(strings.Join(q.Policy.Escalate, ", "), 300))
	}
	if open := link(r.desk.RunURL(q.Run), "open the run in Temporal"); open != "" {
		lines = append(lines, open)
	}
	blocks := sections(lines)
	if len(q.Facts) > 0 {
		blocks = append(blocks, slack.NewDividerBlock())
		blocks = append(blocks, sections(factLines(q.Facts, 1000))...)
	}
	if len(q.Choices) > 0 {
		lines := choiceLines(q.Choices, 1)
		for i, c := range q.Choices {
			lines[i] += " · key `" + escape(line(c.Key), 300) + "`"
		}
		blocks = append(blocks, slack.NewDividerBlock())
		blocks = append(blocks, sections(append([]markup{"*To choose from:*"}, lines...))...)
	}
	decided := append(r.votes(b, 1), refusals(b)...)
	if len(decided) > 0 {
		blocks = append(blocks, slack.NewDividerBlock())
		blocks = append(blocks, sections(decided)...)
	}
	byHand := "starter decide " + q.Run.WorkflowID + " approve"
	if len(q.Choices) > 0 {
		byHand += " --choose KEY"
	}
	if q.Confirm != "" {
		byHand += " --confirm " + q.Confirm
	}
	return append(blocks, small("Digest of this plan: "+escape(q.Digest, 100)+"\nBy hand: "+escape(byHand, 400)))
}

func refusals(b *approval.Book) []markup {
	lines := make([]markup, 0, len(b.Refusals)+1)
	for _, refused := range b.Refusals {
		lines = append(lines, "Refused "+moment(refused.At, dayAndTime)+": "+escape(orElse(refused.By, "somebody"), 100)+", "+escape(line(refused.Why), 400))
	}
	if b.MoreRefusals > 0 {
		lines = append(lines, markup(fmt.Sprintf("…and %d more refusals", b.MoreRefusals)))
	}
	return lines
}

// sections puts lines below each other, beginning a new section when one is full.
func sections(lines []markup) []slack.Block {
	var blocks []slack.Block
	var text markup
	for _, l := range lines {
		if text != "" && length(string(text))+length(string(l))+1 > maxSection {
			blocks = append(blocks, section(text))
			text = ""
		}
		if text != "" {
			text += "\n"
		}
		text += l
	}
	return append(blocks, section(text))
}
