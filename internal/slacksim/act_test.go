package slacksim_test

import (
	"testing"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"
)

func TestAClickReachesTheApp(t *testing.T) {
	s := start(t)
	a := connect(t, s, acknowledge)
	ts := card(t, a.Client, s.Channel)
	require.NoError(t, s.Click(rebecca, ts, "approve"))
	require.Len(t, a.interactions(), 1)
	click := a.interactions()[0]
	require.Equal(t, slack.InteractionTypeBlockActions, click.Type)
	require.Equal(t, rebecca, click.User.ID)
	require.Equal(t, "rebecca", click.User.Name)
	require.Equal(t, s.TeamID, click.Team.ID)
	require.Equal(t, s.AppID, click.APIAppID)
	require.Equal(t, s.Channel, click.Channel.ID)
	require.Equal(t, ts, click.Message.Timestamp)
	require.Equal(t, "Restore where2eat?", click.Message.Text)
	require.Equal(t, ts, click.Container.MessageTs)
	require.NotEmpty(t, click.TriggerID)
	require.Contains(t, click.ResponseURL, s.URL+"response/")
	require.Len(t, click.ActionCallback.BlockActions, 1)
	action := click.ActionCallback.BlockActions[0]
	require.Equal(t, "approve", action.ActionID)
	require.Equal(t, "gate", action.BlockID)
	require.Equal(t, "request-1", action.Value)
	require.NotEmpty(t, action.ActionTs)
}

func TestWhatCannotBeClicked(t *testing.T) {
	s := start(t)
	ts := card(t, client(s), s.Channel)
	require.EqualError(t, s.Click(rebecca, ts, "approve"), "no app is connected by Socket Mode")
	connect(t, s, acknowledge)
	require.EqualError(t, s.Click("U0NOBODY", ts, "approve"), `there is no user "U0NOBODY"`)
	require.EqualError(t, s.Click(rebecca, "1.2", "approve"), `rebecca sees no message "1.2"`)
	require.EqualError(t, s.Click(rebecca, ts, "details"), `the message `+ts+` has no button with the action "details"`)
	require.EqualError(t, s.Choose(rebecca, ts, "approve", "request-2"), `the message `+ts+` has no element with the action "approve" and the value "request-2"`)
	require.EqualError(t, s.ClickHome(rebecca, "backup", ""), "rebecca sees no such view: the app published or opened none")
	require.EqualError(t, s.ModalClick(rebecca, "more"), "rebecca sees no such view: the app published or opened none")
	require.EqualError(t, s.CloseModal(rebecca), "rebecca sees no modal")
	_, err := s.SubmitModal(rebecca, nil)
	require.EqualError(t, err, "rebecca sees no modal")
	_, err = s.Slash(rebecca, "lifeboat", "")
	require.EqualError(t, err, `a slash command begins with a slash: "lifeboat"`)
}

func TestMenusInAMessage(t *testing.T) {
	s := start(t)
	a := connect(t, s, acknowledge)
	option := func(value string) *slack.OptionBlockObject {
		return slack.NewOptionBlockObject(value, text(value), nil)
	}
	_, ts, err := a.PostMessage(s.Channel, slack.MsgOptionText("choose", false), slack.MsgOptionBlocks(
		slack.NewSectionBlock(mrkdwn("one"), nil, slack.NewAccessory(slack.NewOverflowBlockElement("more", option("a"), option("b")))),
		slack.NewActionBlock("", slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, text("Which?"), "set", option("c"), option("d")))))
	require.NoError(t, err)
	require.EqualError(t, s.Click(sam, ts, "more"), `the message `+ts+` has no button with the action "more"`)
	require.NoError(t, s.Choose(sam, ts, "more", "b"))
	require.NoError(t, s.Choose(sam, ts, "set", "d"))
	chosen := a.interactions()
	require.Len(t, chosen, 2)
	require.Equal(t, "b", chosen[0].ActionCallback.BlockActions[0].SelectedOption.Value)
	require.Equal(t, "d", chosen[1].ActionCallback.BlockActions[0].SelectedOption.Value)
	require.NotEmpty(t, chosen[1].ActionCallback.BlockActions[0].BlockID, "Slack gives blocks ids that have none")
}

func TestSlashCommands(t *testing.T) {
	s := start(t)
	a := connect(t, s, func(a *app, e socketmode.Event) any {
		command, ok := e.Data.(slack.SlashCommand)
		if !ok {
			return nil
		}
		switch command.Text {
		case "status":
			return map[string]any{"text": "All is well.", "response_type": "ephemeral"}
		case "tell":
			return map[string]any{"text": "Told all.", "response_type": "in_channel"}
		case "late":
			_, _, err := a.PostMessage(command.ChannelID, slack.MsgOptionResponseURL(command.ResponseURL, slack.ResponseTypeEphemeral), slack.MsgOptionText("Here it is.", false))
			require.NoError(t, err)
		}
		return nil
	})
	reply, err := s.Slash(rebecca, "/lifeboat", "status")
	require.NoError(t, err)
	require.Equal(t, "All is well.", reply.Text)
	require.True(t, reply.Ephemeral)
	command := a.got(socketmode.EventTypeSlashCommand)[0].Data.(slack.SlashCommand)
	require.Equal(t, "/lifeboat", command.Command)
	require.Equal(t, "rebecca", command.UserName)
	require.Equal(t, s.Channel, command.ChannelID)
	require.Equal(t, s.AppID, command.APIAppID)

	reply, err = s.Slash(rebecca, "/lifeboat", "late")
	require.NoError(t, err)
	require.Empty(t, reply.Text)
	require.Equal(t, []string{"All is well.", "Here it is."}, texts(s.Ephemerals(rebecca)))
	require.Empty(t, s.Ephemerals(sam), "nobody else sees it")
	require.Empty(t, s.Messages())

	_, err = s.Slash(sam, "/lifeboat", "tell")
	require.NoError(t, err)
	require.Equal(t, []string{"Told all."}, texts(s.Messages()))
}

func TestAppHome(t *testing.T) {
	s := start(t)
	a := connect(t, s, func(a *app, e socketmode.Event) any {
		event, ok := e.Data.(slackevents.EventsAPIEvent)
		if !ok {
			return nil
		}
		opened := event.InnerEvent.Data.(*slackevents.AppHomeOpenedEvent)
		_, err := a.PublishView(opened.User, home("where2eat", "ledger"), "")
		require.NoError(t, err)
		return nil
	})
	require.Nil(t, s.Home(sam))
	require.NoError(t, s.OpenHome(sam))
	require.Contains(t, string(s.Home(sam)), "Back ledger up")
	require.Nil(t, s.Home(rebecca), "each person has a home")

	require.NoError(t, s.ClickHome(sam, "backup", "ledger"))
	click := a.interactions()[0]
	require.Equal(t, "ledger", click.ActionCallback.BlockActions[0].Value)
	require.Equal(t, slack.VTHomeTab, click.View.Type)
	require.Equal(t, "view", click.Container.Type)
	require.Empty(t, click.ResponseURL)
}

// home has a button for each service.
func home(services ...string) slack.HomeTabViewRequest {
	v := slack.HomeTabViewRequest{Type: slack.VTHomeTab}
	for _, service := range services {
		v.Blocks.BlockSet = append(v.Blocks.BlockSet,
			slack.NewSectionBlock(mrkdwn("*"+service+"*"), nil,
				slack.NewAccessory(slack.NewButtonBlockElement("backup", service, text("Back "+service+" up")))))
	}
	return v
}
