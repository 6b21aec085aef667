package slacksim_test

import (
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

// modalApp opens a modal at a click, and answers submissions as it is told.
func modalApp(t *testing.T, s *slacksim.Server, view slack.ModalViewRequest, submitted func(slack.InteractionCallback) any) (*app, string) {
	t.Helper()
	a := connect(t, s, func(a *app, e socketmode.Event) any {
		callback, _ := e.Data.(slack.InteractionCallback)
		switch {
		case callback.Type == slack.InteractionTypeViewSubmission:
			return submitted(callback)
		case callback.Type == slack.InteractionTypeBlockActions && callback.View.ID == "":
			_, err := a.OpenView(callback.TriggerID, view)
			require.NoError(t, err)
		}
		return nil
	})
	return a, card(t, a.Client, s.Channel)
}

func TestAModalIsOpenedCorrectedAndSubmitted(t *testing.T) {
	s := start(t)
	a, ts := modalApp(t, s, reason(), func(callback slack.InteractionCallback) any {
		if callback.View.State.Values["why"]["reason"].Value == "no idea" {
			return slack.NewErrorsViewSubmissionResponse(map[string]string{"why": "Say more."})
		}
		return nil
	})
	require.NoError(t, s.Click(rebecca, ts, "approve"))
	modal, open := s.Modal(rebecca)
	require.True(t, open)
	require.Equal(t, "Reject", modal.Title.Text)
	require.Equal(t, "reject", modal.CallbackID)
	_, open = s.Modal(sam)
	require.False(t, open)

	result, err := s.SubmitModal(rebecca, nil)
	require.NoError(t, err)
	require.Equal(t, slacksim.SubmitResult{Action: "errors", Errors: map[string]string{"why": "Please complete this required field."}}, result)
	result, err = s.SubmitModal(rebecca, map[string]string{"reason": "no"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"why": "Please enter at least 5 characters."}, result.Errors)
	require.Len(t, a.interactions(), 1, "Slack keeps such input back")

	result, err = s.SubmitModal(rebecca, map[string]string{"reason": "no idea"})
	require.NoError(t, err)
	require.Equal(t, slacksim.SubmitResult{Action: "errors", Errors: map[string]string{"why": "Say more."}}, result)
	_, open = s.Modal(rebecca)
	require.True(t, open)

	result, err = s.SubmitModal(rebecca, map[string]string{"reason": "It is not Monday."})
	require.NoError(t, err)
	require.Equal(t, slacksim.SubmitResult{Action: "close"}, result)
	_, open = s.Modal(rebecca)
	require.False(t, open)
	submitted := a.interactions()[2]
	require.Equal(t, "reject", submitted.View.CallbackID)
	require.Equal(t, "request-1", submitted.View.PrivateMetadata)
	require.Equal(t, modal.ID, submitted.View.ID)
	require.Equal(t, rebecca, submitted.User.ID)
	require.Equal(t, "It is not Monday.", submitted.View.State.Values["why"]["reason"].Value)

	_, err = s.SubmitModal(rebecca, map[string]string{"reason": "again"})
	require.EqualError(t, err, "rebecca sees no modal")
}

func TestAnswersToASubmission(t *testing.T) {
	second := reason()
	second.CallbackID, second.Title = "second", text("Second")
	for name, c := range map[string]struct {
		answer any
		want   slacksim.SubmitResult
		top    string // the callback_id of the modal that is seen then
		err    string
	}{
		"nothing": {answer: nil, want: slacksim.SubmitResult{Action: "close"}},
		"clear":   {answer: slack.NewClearViewSubmissionResponse(), want: slacksim.SubmitResult{Action: "clear"}},
		"update":  {answer: slack.NewUpdateViewSubmissionResponse(&second), want: slacksim.SubmitResult{Action: "update"}, top: "second"},
		"push":    {answer: slack.NewPushViewSubmissionResponse(&second), want: slacksim.SubmitResult{Action: "push"}, top: "second"},
		"errors at what is no input": {
			answer: slack.NewErrorsViewSubmissionResponse(map[string]string{"elsewhere": "No."}), top: "reject",
			want: slacksim.SubmitResult{Action: "errors", Errors: map[string]string{"elsewhere": "No."}},
			err:  `the app reported an error at "elsewhere", which is no input block of the modal`,
		},
		"a view that Slack refuses": {
			answer: slack.NewUpdateViewSubmissionResponse(&slack.ModalViewRequest{Type: slack.VTModal}), top: "reject",
			err: "missing required field: title",
		},
		"an action that there is not": {
			answer: map[string]string{"response_action": "explode"}, top: "reject",
			err: `the app answered to a submission with the unknown action "explode"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			_, ts := modalApp(t, s, reason(), func(slack.InteractionCallback) any { return c.answer })
			require.NoError(t, s.Click(rebecca, ts, "approve"))
			result, err := s.SubmitModal(rebecca, map[string]string{"reason": "because"})
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, c.want, result)
			modal, open := s.Modal(rebecca)
			require.Equal(t, c.top != "", open)
			require.Equal(t, c.top, modal.CallbackID)
		})
	}
}

func TestInputsOfEveryKind(t *testing.T) {
	option := func(value string) *slack.OptionBlockObject {
		return slack.NewOptionBlockObject(value, text(value), nil)
	}
	set := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, nil, "set", option("a"), option("b"))
	set.InitialOption = option("a")
	note := slack.NewInputBlock("note", text("Note"), nil, slack.NewPlainTextInputBlockElement(nil, "note"))
	note.Optional = true
	checks := slack.NewInputBlock("checks", text("Checks"), nil, slack.NewCheckboxGroupsBlockElement("checks", option("x"), option("y"), option("z")))
	checks.Optional = true
	view := slack.ModalViewRequest{Type: slack.VTModal, Title: text("Restore"), Submit: text("Go on"), Blocks: slack.Blocks{BlockSet: []slack.Block{
		slack.NewInputBlock("set", text("Set"), nil, set),
		slack.NewInputBlock("level", text("Level"), nil, slack.NewRadioButtonsBlockElement("level", option("read"), option("proven"))),
		checks, note,
		slack.NewActionBlock("more", slack.NewButtonBlockElement("refresh", "", text("Refresh")),
			slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, nil, "copy", option("near"), option("far"))),
	}}}
	s := start(t)
	a, ts := modalApp(t, s, view, func(slack.InteractionCallback) any { return nil })
	require.NoError(t, s.Click(rebecca, ts, "approve"))

	require.NoError(t, s.ModalClick(rebecca, "refresh"))
	require.NoError(t, s.ModalChoose(rebecca, "copy", "far"))
	used := a.interactions()
	require.Equal(t, "refresh", used[1].ActionCallback.BlockActions[0].ActionID)
	require.Equal(t, "a", used[1].View.State.Values["set"]["set"].SelectedOption.Value)
	require.Equal(t, "far", used[2].ActionCallback.BlockActions[0].SelectedOption.Value)

	_, err := s.SubmitModal(rebecca, map[string]string{"level": "hoped for"})
	require.EqualError(t, err, `the input "level" has no option with the value "hoped for"`)
	_, err = s.SubmitModal(rebecca, map[string]string{"levels": "read"})
	require.EqualError(t, err, `the modal has no input with the action "levels"`)
	result, err := s.SubmitModal(rebecca, map[string]string{"set": "b"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"level": "Please complete this required field."}, result.Errors)
	result, err = s.SubmitModal(rebecca, map[string]string{"level/level": "proven", "checks": "x,z"})
	require.NoError(t, err)
	require.Equal(t, "close", result.Action)
	values := a.interactions()[3].View.State.Values
	require.Equal(t, "a", values["set"]["set"].SelectedOption.Value)
	require.Equal(t, "proven", values["level"]["level"].SelectedOption.Value)
	require.Equal(t, "x", values["checks"]["checks"].SelectedOptions[0].Value)
	require.Equal(t, "z", values["checks"]["checks"].SelectedOptions[1].Value)
	require.Empty(t, values["note"]["note"].Value)
}

func TestClosingAModalTellsTheApp(t *testing.T) {
	s := start(t)
	a, ts := modalApp(t, s, reason(), nil)
	require.NoError(t, s.Click(rebecca, ts, "approve"))
	require.NoError(t, s.CloseModal(rebecca))
	_, open := s.Modal(rebecca)
	require.False(t, open)
	closed := a.interactions()[1]
	require.Equal(t, slack.InteractionTypeViewClosed, closed.Type)
	require.Equal(t, "reject", closed.View.CallbackID)
	require.False(t, closed.IsCleared)
}

func TestPushedModalsAreAStackOfThree(t *testing.T) {
	triggers := make(chan string, 10)
	s := start(t)
	a := connect(t, s, func(_ *app, e socketmode.Event) any {
		if callback, ok := e.Data.(slack.InteractionCallback); ok {
			triggers <- callback.TriggerID
		}
		return nil
	})
	ts := card(t, a.Client, s.Channel)
	trigger := func() string {
		require.NoError(t, s.Click(rebecca, ts, "approve"))
		return <-triggers
	}
	_, err := a.PushView(trigger(), reason())
	require.EqualError(t, err, "not_found")
	first, err := a.OpenView(trigger(), reason())
	require.NoError(t, err)
	for range 2 {
		_, err = a.PushView(trigger(), reason())
		require.NoError(t, err)
	}
	_, err = a.PushView(trigger(), reason())
	require.EqualError(t, err, "push_limit_reached")
	modal, _ := s.Modal(rebecca)
	require.Equal(t, first.View.ID, modal.RootViewID)
	require.NotEqual(t, first.View.ID, modal.PreviousViewID)
	require.NoError(t, s.CloseModal(rebecca))
	require.NoError(t, s.CloseModal(rebecca))
	modal, open := s.Modal(rebecca)
	require.True(t, open)
	require.Equal(t, first.View.ID, modal.ID)
}

func TestTriggersWorkOnceAndSoon(t *testing.T) {
	triggers := make(chan string, 10)
	s := start(t)
	a := connect(t, s, func(_ *app, e socketmode.Event) any {
		if callback, ok := e.Data.(slack.InteractionCallback); ok {
			triggers <- callback.TriggerID
		}
		return nil
	})
	ts := card(t, a.Client, s.Channel)
	require.NoError(t, s.Click(rebecca, ts, "approve"))
	trigger := <-triggers
	_, err := a.OpenView("1.2.abc", reason())
	require.EqualError(t, err, "invalid_trigger_id")
	_, err = a.OpenView(trigger, reason())
	require.NoError(t, err)
	_, err = a.OpenView(trigger, reason())
	require.EqualError(t, err, "exchanged_trigger_id")

	s.Set(slacksim.Faults{TriggerLifetime: time.Nanosecond})
	require.NoError(t, s.Click(rebecca, ts, "approve"))
	_, err = a.OpenView(<-triggers, reason())
	require.EqualError(t, err, "expired_trigger_id")
}

func TestViewsAreUpdatedByIDAndExternalID(t *testing.T) {
	view := reason()
	view.ExternalID = "reject-1"
	s := start(t)
	a, ts := modalApp(t, s, view, nil)
	require.NoError(t, s.Click(rebecca, ts, "approve"))
	modal, _ := s.Modal(rebecca)

	view.Title = text("Once")
	once, err := a.UpdateView(view, "", modal.Hash, modal.ID)
	require.NoError(t, err)
	require.Equal(t, modal.ID, once.View.ID)
	_, err = a.UpdateView(view, "", modal.Hash, modal.ID)
	require.EqualError(t, err, "hash_conflict")
	view.Title = text("Twice")
	_, err = a.UpdateView(view, "reject-1", "", "")
	require.NoError(t, err)
	modal, _ = s.Modal(rebecca)
	require.Equal(t, "Twice", modal.Title.Text)
	_, err = a.UpdateView(view, "reject-2", "", "")
	require.EqualError(t, err, "not_found")
}

func TestPublishedViewsHaveAHash(t *testing.T) {
	s := start(t)
	c := client(s)
	first, err := c.PublishView(rebecca, home("where2eat"), "")
	require.NoError(t, err)
	second, err := c.PublishView(rebecca, home("ledger"), first.View.Hash)
	require.NoError(t, err)
	require.Equal(t, first.View.ID, second.View.ID)
	_, err = c.PublishView(rebecca, home("where2eat"), first.View.Hash)
	require.EqualError(t, err, "hash_conflict")
	_, err = c.PublishView("U0NOBODY", home("where2eat"), "")
	require.EqualError(t, err, "user_not_found")
}
