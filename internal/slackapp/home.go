package slackapp

import (
	"context"
	"fmt"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const (
	shownServices = 30 // in an App Home
	shownTodo     = 5  // things to do, of each service
)

// showHome publishes somebody's App Home, with a notice about what they just did,
// if anything.
func (a *App) showHome(ctx context.Context, user string, notice markup) {
	view := slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: a.home(ctx, user, notice)}}
	err := a.call(ctx, "publish the app home", func() error {
		_, err := a.api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: user, View: view})
		return err
	})
	if err != nil {
		a.log.Warn("no app home", zap.String("slack user", user), zap.Error(err))
	}
}

func (a *App) home(ctx context.Context, user string, notice markup) []slack.Block {
	name, ok := a.desk.Person(user)
	if !ok {
		return []slack.Block{section(stranger(user)), section(help("/lifeboat"))}
	}
	var blocks []slack.Block
	if notice != "" {
		blocks = append(blocks, section(notice), slack.NewDividerBlock())
	}
	blocks = append(blocks, slack.NewHeaderBlock(plainText("Waits for you", maxHeader)))
	blocks = append(blocks, a.homeRequests(ctx, name)...)
	blocks = append(blocks, slack.NewHeaderBlock(plainText("Services", maxHeader)))
	return append(blocks, a.homeServices(ctx)...)
}

func (a *App) homeRequests(ctx context.Context, name string) []slack.Block {
	books, err := a.pending(ctx)
	if err != nil {
		return []slack.Block{section(cannotList(err))}
	}
	mine := waitingFor(books, name)
	if len(mine) == 0 {
		return []slack.Block{section("Nothing.")}
	}
	return a.render.requests(mine)
}

func (a *App) homeServices(ctx context.Context) []slack.Block {
	services, err := a.services(ctx)
	if err != nil {
		return []slack.Block{section(cannotList(err))}
	}
	if len(services) == 0 {
		return []slack.Block{section("There is no service in the config.")}
	}
	var blocks []slack.Block
	for i := range services[:min(len(services), shownServices)] {
		s := &services[i]
		blocks = append(blocks, section(standing(s)), slack.NewActionBlock(clip("service/"+s.Service, maxBlockID), serviceButtons(s)...))
	}
	if rest := len(services) - shownServices; rest > 0 {
		blocks = append(blocks, small(markup(fmt.Sprintf("…and %d more: /lifeboat status", rest))))
	}
	return blocks
}

func serviceButtons(s *ServiceSummary) []slack.BlockElement {
	button := func(action, label string) slack.BlockElement {
		return slack.NewButtonBlockElement(action, s.Service, plainText(label, maxButton))
	}
	buttons := []slack.BlockElement{button(actionBackup, "Back up"), button(actionDrill, "Drill"), button(actionRestore, "Restore…")}
	if s.CanRollBack {
		buttons = append(buttons, button(actionRollback, "Roll back"))
	}
	return append(buttons, button(actionCheck, "Checklist"))
}

// standing says in a few lines how a service stands.
func standing(s *ServiceSummary) markup {
	text := "*" + escape(s.Service, 100) + "*"
	if s.Owner != "" {
		text += " · " + escape(line(s.Owner), 100)
	}
	if s.Release != "" {
		text += "\nRuns " + escape(line(s.Release), 200)
	}
	text += "\n" + readBack(s) + "\n" + proven(s) + "\n" + lastDrill(s.LastDrill)
	if !s.NextDrill.IsZero() {
		text += "\nNext drill: " + moment(s.NextDrill, dayAndTime)
	}
	for _, todo := range s.Todo[:min(len(s.Todo), shownTodo)] {
		text += "\n• To do: " + escape(line(todo), 300)
	}
	if rest := len(s.Todo) - shownTodo; rest > 0 {
		text += markup(fmt.Sprintf("\n…and %d more: `starter check %s`", rest, s.Service))
	}
	if s.Trouble != "" {
		text += "\n⚠️ " + escape(line(s.Trouble), 500)
	}
	return text
}

func readBack(s *ServiceSummary) markup {
	objective := markup(s.RPO.String())
	switch {
	case s.ReadBack == nil && s.Trouble != "":
		return "Newest backup that was read back: not known"
	case s.ReadBack == nil:
		return "No backup was read back: RPO of " + objective + " *MISSED*"
	}
	text := "Newest backup that was read back: " + moment(s.ReadBack.Created, dayAndTime) + markup(", "+short(s.ReadBackAge)+" old: ")
	if s.RPOMet {
		return text + "RPO of " + objective + " met"
	}
	return text + "RPO of " + objective + " *MISSED*"
}

func proven(s *ServiceSummary) markup {
	switch {
	case s.Proven == nil && s.Trouble != "":
		return "Newest proven backup: not known"
	case s.Proven == nil:
		return "No backup is proven yet"
	}
	return "Newest proven backup: " + moment(s.Proven.Created, dayAndTime) +
		markup(fmt.Sprintf(", %s old, %s", short(s.ProvenAge), recovery.Bytes(s.Proven.Size)))
}

func lastDrill(d *DrillSummary) markup {
	if d == nil {
		return "No drill yet"
	}
	text := "Last drill: " + moment(d.At, dayAndTime) + ": "
	switch d.Verdict {
	case recovery.Proven:
		text += "it worked"
	case recovery.Disproven:
		text += "*it FAILED*"
	case recovery.Inconclusive:
		text += "inconclusive"
	}
	if d.RTO != nil {
		met := "met"
		if !d.RTO.Met {
			met = "*MISSED*"
		}
		text += markup(fmt.Sprintf(" in %s, RTO of %s %s", d.RTO.Actual, d.RTO.Objective, met))
	}
	if d.Sentence != "" && d.Verdict != recovery.Proven {
		text += "\n" + escape(line(d.Sentence), 400)
	}
	return text
}
