package slackapp

import (
	"context"

	"github.com/slack-go/slack"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// openChecklist shows a service's checklist. Looking takes longer than Slack waits
// for a form, so the form comes first.
func (a *App) openChecklist(ctx context.Context, c click) {
	p := private{Who: c.who, Service: c.action.Value}
	view := a.open(ctx, c.who, c.trigger, message("Checklist", "Looking at the evidence…", p))
	c.ack(nil)
	if view == "" {
		return
	}
	a.update(ctx, view, a.checklist(ctx, p))
}

func (a *App) checklist(ctx context.Context, p private) slack.ModalViewRequest {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	items, err := a.desk.Checklist(ctx, p.Service)
	if err != nil {
		return message("Checklist", "This cannot be looked up now: "+escape(err.Error(), 600), p)
	}
	blocks := []slack.Block{section("*" + escape(p.Service, 100) + "*: is it ready for the worst?")}
	for _, item := range items {
		blocks = append(blocks, section(answer(item)))
	}
	return form(formMessage, "Checklist", "", p, blocks...)
}

// answer is one line of the checklist, with what it rests on and what to do.
func answer(item recovery.Item) markup {
	mark := markup("❔ ")
	switch item.Answer {
	case recovery.Yes:
		mark = "✅ "
	case recovery.No:
		mark = "❌ "
	case recovery.NotKnown:
	}
	text := mark + escape(line(item.Question), 200) + "\n" + escape(line(item.Evidence), 400)
	if item.Next != "" {
		text += "\n→ " + escape(line(item.Next), 300)
	}
	return text
}
