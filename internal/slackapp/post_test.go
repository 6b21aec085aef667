package slackapp_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

func TestCardIsPostedOnceAndThenEdited(t *testing.T) {
	s := newStage(t)
	c := waiting("where2eat")
	ref, err := s.app.PostCard(t.Context(), card.Ref{}, c, false)
	require.NoError(t, err)
	require.Equal(t, s.sim.Channel, ref.Channel)
	posted := s.message(t, ref)
	require.Equal(t, slacksim.Metadata{EventType: "lifeboat_card", EventPayload: map[string]any{"key": "card-of-where2eat"}}, posted.Metadata)

	c.Line = "The swap is done."
	same, err := s.app.PostCard(t.Context(), ref, c, true)
	require.NoError(t, err)
	require.Equal(t, ref, same)
	require.Len(t, s.sim.Messages(), 1)
	edited := s.message(t, ref)
	require.Contains(t, texts(t, edited.Blocks), "The swap is done.")
	require.Equal(t, posted.Metadata, edited.Metadata)
}

func TestPostWhoseAnswerWasLostIsFoundAgain(t *testing.T) {
	s := newStage(t)
	other := s.post(t, waiting("other"))
	s.sim.Set(slacksim.Faults{LoseAnswers: 1, Method: "chat.postMessage"})
	c := waiting("where2eat")
	_, err := s.app.PostCard(t.Context(), card.Ref{}, c, false)
	require.Error(t, err)
	require.Equal(t, recovery.Unavailable, recovery.KindOf(err))
	require.Len(t, s.sim.Messages(), 2)

	c.Line = "Newer than what was posted."
	ref, err := s.app.PostCard(t.Context(), card.Ref{}, c, true)
	require.NoError(t, err)
	require.Len(t, s.sim.Messages(), 2, "no second message")
	require.NotEqual(t, other.TS, ref.Message)
	require.Contains(t, texts(t, s.message(t, ref).Blocks), "Newer than what was posted.")
}

func TestPostThatNeverArrivedIsPosted(t *testing.T) {
	s := newStage(t)
	s.post(t, waiting("other"))
	_, err := s.app.PostCard(t.Context(), card.Ref{}, waiting("where2eat"), true)
	require.NoError(t, err)
	require.Len(t, s.sim.Messages(), 2)
}

func TestEarlierPostIsFoundBehindManyOthers(t *testing.T) {
	s := newStage(t)
	first := s.post(t, waiting("where2eat"))
	for range 450 { // more than two pages
		_, err := s.sim.Say(sam, "chatter")
		require.NoError(t, err)
	}
	ref, err := s.app.PostCard(t.Context(), card.Ref{}, waiting("where2eat"), true)
	require.NoError(t, err)
	require.Equal(t, first.TS, ref.Message)
}

func TestDeletedCardIsPostedAnew(t *testing.T) {
	s := newStage(t)
	gone := card.Ref{Channel: s.sim.Channel, Message: "1700000000.000001"}
	ref, err := s.app.PostCard(t.Context(), gone, waiting("where2eat"), true)
	require.NoError(t, err)
	require.NotEqual(t, gone, ref)
	require.Len(t, s.sim.Messages(), 1)
}

func TestNoteIsPostedOnceInTheThread(t *testing.T) {
	s := newStage(t)
	ref, err := s.app.PostCard(t.Context(), card.Ref{}, waiting("where2eat"), false)
	require.NoError(t, err)
	note := card.Note{Key: "reminder-1", Text: "Half the time is over & nobody decided", Mention: []string{"rebecca"}}
	s.sim.Set(slacksim.Faults{LoseAnswers: 1, Method: "chat.postMessage"})
	require.Error(t, s.app.PostNote(t.Context(), ref, note, false))
	require.NoError(t, s.app.PostNote(t.Context(), ref, note, true))
	thread := s.sim.Thread(ref.Message)
	require.Len(t, thread, 1)
	require.Equal(t, "<@U0REBECCA> Half the time is over &amp; nobody decided", thread[0].Text)
	require.Equal(t, map[string]any{"key": "reminder-1", "thread": ref.Message}, thread[0].Metadata.EventPayload)
	require.False(t, thread[0].Broadcast)

	require.NoError(t, s.app.PostNote(t.Context(), ref, card.Note{Key: "failed", Text: "The drill FAILED", Loud: true}, true))
	thread = s.sim.Thread(ref.Message)
	require.Len(t, thread, 2)
	require.True(t, thread[1].Broadcast)
}

func TestNoteOfADeletedCardIsPosted(t *testing.T) {
	s := newStage(t)
	gone := card.Ref{Channel: s.sim.Channel, Message: "1700000000.000001"}
	require.NoError(t, s.app.PostNote(t.Context(), gone, card.Note{Key: "k", Text: "still said"}, true))
	require.Equal(t, "still said", s.sim.Messages()[0].Text)
}

func TestRateLimitIsHonoured(t *testing.T) {
	s := newStage(t)
	s.sim.Set(slacksim.Faults{RateLimit: 2, RetryAfter: 1})
	began := time.Now()
	s.post(t, waiting("where2eat"))
	require.GreaterOrEqual(t, time.Since(began), 2*time.Second, "Slack asked to wait twice")
	require.Len(t, s.sim.Messages(), 1)
}

func TestLongRateLimitIsReported(t *testing.T) {
	s := newStage(t)
	for name, wait := range map[string]struct {
		seconds int
		within  time.Duration
	}{
		"longer than a call waits":   {seconds: 120, within: time.Hour},
		"longer than the step lasts": {seconds: 20, within: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s.sim.Set(slacksim.Faults{RateLimit: 1, RetryAfter: wait.seconds})
			ctx, cancel := context.WithTimeout(t.Context(), wait.within)
			defer cancel()
			_, err := s.app.PostCard(ctx, card.Ref{}, waiting("where2eat"), false)
			require.ErrorContains(t, err, "slack asks to wait "+(time.Duration(wait.seconds)*time.Second).String())
			require.Equal(t, recovery.Unavailable, recovery.KindOf(err))
			require.NoError(t, ctx.Err(), "it returns at once")
		})
	}
}

func TestOutageIsUnavailable(t *testing.T) {
	s := newStage(t)
	s.sim.Set(slacksim.Faults{Outage: true})
	_, err := s.app.PostCard(t.Context(), card.Ref{}, waiting("where2eat"), false)
	require.ErrorContains(t, err, "post the card: slack answers 503")
	require.Equal(t, recovery.Unavailable, recovery.KindOf(err))
	s.sim.Set(slacksim.Faults{})
	s.post(t, waiting("where2eat"))
}

func TestErrorsSayWhatToMend(t *testing.T) {
	const bot, app = "xoxb-SECRETBOT", "xapp-SECRETAPP"
	for name, test := range map[string]struct {
		status int
		body   string
		kind   recovery.FaultKind
		says   []string
	}{
		"bad token":     {200, `{"ok":false,"error":"invalid_auth"}`, recovery.Permanent, []string{"slack.botToken", "OAuth & Permissions"}},
		"revoked token": {200, `{"ok":false,"error":"token_revoked"}`, recovery.Permanent, []string{"slack.botToken"}},
		"wrong token":   {200, `{"ok":false,"error":"not_allowed_token_type"}`, recovery.Permanent, []string{"slack.botToken"}},
		"not invited":   {200, `{"ok":false,"error":"not_in_channel"}`, recovery.Permanent, []string{"/invite @Lifeboat", "slack.channel"}},
		"no channel":    {200, `{"ok":false,"error":"channel_not_found"}`, recovery.Permanent, []string{"/invite @Lifeboat"}},
		"archived":      {200, `{"ok":false,"error":"is_archived"}`, recovery.Permanent, []string{"slack.channel"}},
		"scope":         {200, `{"ok":false,"error":"missing_scope","needed":"chat:write"}`, recovery.Permanent, []string{"needed: chat:write", "slack-app-manifest.yaml"}},
		"our fault":     {200, `{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] too long"]}}`, recovery.Permanent, []string{"[ERROR] too long", "report it"}},
		"slack's fault": {200, `{"ok":false,"error":"internal_error"}`, recovery.Unavailable, []string{"slack says internal_error"}},
		"unknown":       {200, `{"ok":false,"error":"something_new"}`, recovery.Unavailable, []string{"something_new"}},
		"bad gateway":   {502, `<html>`, recovery.Unavailable, []string{"slack answers 502"}},
		"no answer":     {http.StatusOK, `<html>`, recovery.Unavailable, []string{"post the card"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := slackapp.New(slackapp.Options{
				BotToken: bot, AppToken: app, APIURL: answering(t, test.status, test.body), Channel: "C1", Desk: &fakeDesk{},
			})
			require.NoError(t, err)
			_, err = a.PostCard(t.Context(), card.Ref{}, waiting("where2eat"), false)
			require.Error(t, err)
			require.Equal(t, test.kind, recovery.KindOf(err), err.Error())
			for _, want := range test.says {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "SECRET")
		})
	}
}

func TestUnreachableSlackIsUnavailable(t *testing.T) {
	s := newStage(t)
	app := s.newApp(t, func(o *slackapp.Options) { o.APIURL = "http://127.0.0.1:1/api/" })
	_, err := app.PostCard(t.Context(), card.Ref{}, waiting("where2eat"), false)
	require.ErrorContains(t, err, "connection refused")
	require.Equal(t, recovery.Unavailable, recovery.KindOf(err))
	require.NotContains(t, err.Error(), "/api/")
}

func TestCheck(t *testing.T) {
	s := newStage(t)
	require.NoError(t, s.app.Check(t.Context()))

	elsewhere := s.newApp(t, func(o *slackapp.Options) { o.Channel = "C0ELSEWHERE" })
	err := elsewhere.Check(t.Context())
	require.ErrorContains(t, err, "look at the channel: slack says channel_not_found (invite the app by writing /invite @Lifeboat")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))

	stranger := s.newApp(t, func(o *slackapp.Options) { o.BotToken = "xoxb-wrong" })
	require.ErrorContains(t, stranger.Check(t.Context()), "slack.botToken")
}

func TestOptionsAreChecked(t *testing.T) {
	good := slackapp.Options{BotToken: "xoxb-SECRET", AppToken: "xapp-SECRET", Channel: "C1", Desk: &fakeDesk{}}
	for name, test := range map[string]struct {
		change func(*slackapp.Options)
		want   string
	}{
		"tokens swapped": {func(o *slackapp.Options) { o.BotToken, o.AppToken = o.AppToken, o.BotToken }, "the bot token does not begin with xoxb-"},
		"no app token":   {func(o *slackapp.Options) { o.AppToken = "" }, "slack.appToken"},
		"address":        {func(o *slackapp.Options) { o.APIURL = "http://127.0.0.1/api" }, "must end in a slash"},
		"no channel":     {func(o *slackapp.Options) { o.Channel = "" }, "set slack.channel"},
		"no desk":        {func(o *slackapp.Options) { o.Desk = nil }, "the desk is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			test.change(&o)
			_, err := slackapp.New(o)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "SECRET")
		})
	}
	_, err := slackapp.New(good)
	require.NoError(t, err)
}

func TestParallelRunsDoNotCross(t *testing.T) {
	s := listening(t)
	one, two := s.post(t, waiting("one")), s.post(t, waiting("two"))
	require.NoError(t, s.sim.Click(rebecca, two.TS, "approve"))
	require.NoError(t, s.sim.Click(rebecca, one.TS, "approve"))
	decisions := s.desk.Decisions()
	require.Len(t, decisions, 2)
	for i, name := range []string{"two", "one"} {
		require.Equal(t, recovery.RunRef{WorkflowID: "restore/" + name, RunID: "run-of-" + name}, decisions[i].run)
		require.Equal(t, name+"/restore/1", decisions[i].Request)
		require.Equal(t, "digest-of-"+name, decisions[i].Digest)
		require.Equal(t, approval.Approve, decisions[i].Verdict)
	}
}
