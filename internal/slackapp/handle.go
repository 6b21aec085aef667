package slackapp

import (
	"context"
	"errors"
	"slices"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"
)

// asker is who did something, and where they are answered. It travels in forms.
type asker struct {
	User    string `json:"user"`
	Channel string `json:"channel,omitempty"`
	URL     string `json:"url,omitempty"`  // Slack's response_url: half an hour, five answers
	Home    bool   `json:"home,omitempty"` // answered in their App Home
}

// acknowledge tells Slack that an event was taken, with what a form does next, if
// anything. What is not acknowledged within 3 s, Slack delivers again.
type acknowledge func(next any)

// handle takes one event.
func (a *App) handle(ctx context.Context, client *socketmode.Client, event *socketmode.Event) {
	ack := func(next any) {
		if err := client.AckCtx(ctx, event.Request.EnvelopeID, next); err != nil {
			a.log.Warn("acknowledge to slack", zap.Error(err))
		}
	}
	switch data := event.Data.(type) {
	case slack.InteractionCallback:
		if a.accept(data.Team.ID, data.APIAppID, ack) {
			a.interaction(ctx, &data, ack)
		}
	case slack.SlashCommand:
		if a.accept(data.TeamID, data.APIAppID, ack) {
			a.command(ctx, &data, ack)
		}
	case slackevents.EventsAPIEvent:
		if a.accept(data.TeamID, data.APIAppID, ack) {
			ack(nil)
			a.event(ctx, &data)
		}
	}
}

// accept drops what another workspace or app sent.
func (a *App) accept(team, app string, ack acknowledge) bool {
	if err := a.checkOrigin(team, app); err != nil {
		a.log.Warn("dropped what slack sent", zap.Error(err))
		ack(nil)
		return false
	}
	return true
}

func (a *App) event(ctx context.Context, event *slackevents.EventsAPIEvent) {
	if opened, ok := event.InnerEvent.Data.(*slackevents.AppHomeOpenedEvent); ok && opened.Tab == "home" {
		a.showHome(ctx, opened.User, "")
	}
}

func (a *App) interaction(ctx context.Context, ic *slack.InteractionCallback, ack acknowledge) {
	submitted := ic.Type == slack.InteractionTypeViewSubmission
	clicked := ic.Type == slack.InteractionTypeBlockActions && len(ic.ActionCallback.BlockActions) > 0
	if !submitted && !clicked {
		ack(nil)
		return
	}
	who, form := origin(ic)
	name, ok := a.desk.Person(ic.User.ID)
	if !ok {
		ack(nil)
		a.refuseStranger(ctx, who)
		return
	}
	if submitted {
		a.submission(ctx, ic, submission{who: who, name: name, form: form, ack: ack})
		return
	}
	action := ic.ActionCallback.BlockActions[0]
	a.click(ctx, click{who: who, name: name, action: action, trigger: ic.TriggerID, view: ic.View.ID, ack: ack})
}

// origin says who acted, and what the form that they acted in carries.
func origin(ic *slack.InteractionCallback) (asker, private) {
	switch ic.View.Type {
	case slack.VTHomeTab:
		return asker{User: ic.User.ID, Home: true}, private{}
	case slack.VTModal:
		form := readPrivate(ic.View.PrivateMetadata)
		form.Who.User = ic.User.ID
		return form.Who, form
	}
	return asker{User: ic.User.ID, Channel: ic.Channel.ID, URL: ic.ResponseURL}, private{}
}

// refuseStranger answers somebody whom the config does not know.
func (a *App) refuseStranger(ctx context.Context, who asker) {
	a.log.Info("refused somebody who is not in the config's people", zap.String("slack user", who.User))
	a.answer(ctx, who, stranger(who.User))
}

func stranger(user string) markup {
	return "You are not in the config's people, so this did nothing: only help answers you. To be added, give your Slack user id " +
		escape(user, 50) + " to whoever keeps lifeboat.yaml."
}

// answer tells somebody something that nobody else sees.
func (a *App) answer(ctx context.Context, who asker, text markup, blocks ...slack.Block) {
	if who.Home {
		a.showHome(ctx, who.User, text)
		return
	}
	content := []slack.MsgOption{
		slack.MsgOptionText(string(text), false), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
	if len(blocks) > 0 {
		content = append(content, slack.MsgOptionBlocks(blocks...))
	}
	err := errors.New("there is no place to answer")
	if who.URL != "" {
		hooked := append(slices.Clip(content), slack.MsgOptionResponseURL(who.URL, slack.ResponseTypeEphemeral))
		err = a.call(ctx, "answer at the response_url", func() error {
			_, _, err := a.api.PostMessageContext(ctx, who.Channel, hooked...)
			return err
		})
	}
	if err != nil && who.Channel != "" { // the response_url is used up, or was never there
		err = a.call(ctx, "answer in the channel", func() error {
			_, err := a.api.PostEphemeralContext(ctx, who.Channel, who.User, content...)
			return err
		})
	}
	if err != nil {
		a.log.Warn("could not answer in slack", zap.String("slack user", who.User), zap.Error(err))
	}
}
