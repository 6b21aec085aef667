package slackapp

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/lifeboat-run/lifeboat/internal/approval"
)

// command takes a slash command. All answers are for whoever typed it alone.
func (a *App) command(ctx context.Context, cmd *slack.SlashCommand, ack acknowledge) {
	who := asker{User: cmd.UserID, Channel: cmd.ChannelID, URL: cmd.ResponseURL}
	typed, ok := parse(cmd.Text)
	name, known := a.desk.Person(cmd.UserID)
	switch {
	case typed.verb == "help":
		ack(nil)
		a.answer(ctx, who, help(cmd.Command))
	case !known:
		ack(nil)
		a.refuseStranger(ctx, who)
	case !ok:
		ack(nil)
		a.answer(ctx, who, "There is no `"+escape(cmd.Command+" "+line(cmd.Text), 300)+"`.\n"+help(cmd.Command))
	case typed.verb == "status":
		ack(nil)
		a.answerStatus(ctx, who, typed.service)
	case typed.verb == "pending":
		ack(nil)
		a.answerPending(ctx, who, name)
	case typed.verb == formRestore:
		a.openRestore(ctx, who, cmd.TriggerID, typed.service, ack)
	case typed.service == "":
		a.openStart(ctx, who, cmd.TriggerID, typed.verb, ack)
	default:
		s := Start{Playbook: playbookOf[typed.verb], Service: typed.service, To: typed.tag, By: name}
		a.startNow(ctx, who, cmd.TriggerID, s, ack)
	}
}

// words are what was typed after the command.
type words struct {
	verb, service, tag string
}

// parse reads what was typed after the command: nothing asks for help.
func parse(text string) (typed words, ok bool) {
	list := strings.Fields(text)
	if len(list) == 0 {
		return words{verb: "help"}, true
	}
	typed.verb = strings.ToLower(list[0])
	most := map[string]int{
		"help": len(list), "status": 2, "pending": 1, formBackup: 2, formDrill: 2, formRestore: 2, formRollback: 3,
	}[typed.verb]
	if len(list) > 1 {
		typed.service = list[1]
	}
	if len(list) > 2 {
		typed.tag = list[2]
	}
	return typed, len(list) <= most
}

func help(command string) markup {
	c := escape(command, 50)
	return "`" + c + " status [SERVICE]` how the services stand\n" +
		"`" + c + " backup [SERVICE]` back up and prove it\n" +
		"`" + c + " drill [SERVICE]` restore the newest backup to staging, and time it\n" +
		"`" + c + " restore [SERVICE]` choose a recovery set to restore\n" +
		"`" + c + " rollback [SERVICE [TAG]]` plan the way back to the last known good release, or to a tag\n" +
		"`" + c + " pending` what waits for a decision\n" +
		"`" + c + " help` this"
}

func (a *App) answerStatus(ctx context.Context, who asker, service string) {
	services, err := a.services(ctx)
	if err != nil {
		a.answer(ctx, who, cannotList(err))
		return
	}
	if service != "" {
		services = slices.DeleteFunc(slices.Clone(services), func(s ServiceSummary) bool { return s.Service != service })
		if len(services) == 0 {
			a.answer(ctx, who, "There is no service "+escape(service, 100)+" in the config.")
			return
		}
	}
	entries := make([]markup, len(services))
	for i := range services {
		entries[i] = standing(&services[i])
	}
	text := stack(entries, maxText)
	if text == "" {
		text = "There is no service in the config."
	}
	a.answer(ctx, who, text)
}

// answerPending lists what waits, with buttons for what this person may decide.
func (a *App) answerPending(ctx context.Context, who asker, name string) {
	books, err := a.pending(ctx)
	if err != nil {
		a.answer(ctx, who, cannotList(err))
		return
	}
	mine := waitingFor(books, name)
	text := markup(fmt.Sprintf("%s for a decision, %d of them for you.", waits(len(books)), len(mine)))
	if len(mine) == 0 {
		if len(books) == 0 {
			text = "Nothing waits for a decision."
		}
		a.answer(ctx, who, text+a.render.others(books))
		return
	}
	a.answer(ctx, who, text, append([]slack.Block{section(text)}, a.render.requests(mine)...)...)
}

func waits(n int) string {
	if n == 1 {
		return "1 request waits"
	}
	return fmt.Sprintf("%d requests wait", n)
}

// waitingFor picks the requests that a person may approve, and did not decide yet.
func waitingFor(books []approval.Book, name string) []approval.Book {
	var mine []approval.Book
	for _, b := range books {
		voted := slices.ContainsFunc(b.Votes, func(v approval.Vote) bool { return v.By == name })
		if b.Outcome == approval.Open && !voted && slices.Contains(b.Request.MayApprove(), name) {
			mine = append(mine, b)
		}
	}
	return mine
}

// shownRequests is how many requests a list shows with their buttons.
const shownRequests = 5

// requests shows several requests with their buttons, as far as they fit.
func (r renderer) requests(books []approval.Book) []slack.Block {
	for few := min(len(books), shownRequests); ; few-- {
		var blocks []slack.Block
		for i := range books[:few] {
			blocks = append(blocks, slack.NewDividerBlock())
			blocks = append(blocks, r.request(&books[i], 4)...)
		}
		if rest := len(books) - few; rest > 0 {
			blocks = append(blocks, small(markup(fmt.Sprintf("…and %d more", rest))))
		}
		if few <= 1 || size(blocks) <= maxPayload-maxText && len(blocks) < maxBlocks {
			return blocks
		}
	}
}

// others lists requests that are for others to decide.
func (r renderer) others(books []approval.Book) markup {
	lines := make([]markup, len(books))
	for i := range books {
		lines[i] = "• " + escape(line(books[i].Request.What), 200) + ": " + r.terms(&books[i])
	}
	if len(lines) == 0 {
		return ""
	}
	return "\n" + stack(lines, maxText-200)
}
