package slackapp_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

func TestBadTokensEndTheListener(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*slackapp.Options)
		want   string
	}{
		"bot token": {func(o *slackapp.Options) { o.BotToken = "xoxb-SECRET" }, "log in to slack: slack says invalid_auth (put the Bot User OAuth Token (xoxb-…) of the app's page OAuth & Permissions into what slack.botToken refers to)"},
		"app token": {func(o *slackapp.Options) { o.AppToken = "xapp-SECRET" }, "connect to slack: slack says invalid_auth (put an App-Level Token (xapp-…) with the scope connections:write, from the app's page Basic Information, into what slack.appToken refers to)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			app := s.newApp(t, test.change)
			err := app.Run(t.Context())
			require.EqualError(t, err, test.want)
			require.Equal(t, recovery.Permanent, recovery.KindOf(err))
			up, _, last := app.Connected()
			require.False(t, up)
			require.EqualError(t, last, test.want)
		})
	}
}

// connected waits until the app says that it is, or is not, connected.
func (s *stage) connected(t *testing.T, want bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		up, _, _ := s.app.Connected()
		return up == want
	}, patience, tick)
}

func TestListenerConnectsAnew(t *testing.T) {
	for name, trouble := range map[string]func(*slacksim.Server){
		"disconnect": (*slacksim.Server).Disconnect,
		"drop":       (*slacksim.Server).DropSockets,
	} {
		t.Run(name, func(t *testing.T) {
			s := listening(t)
			m := s.post(t, waiting("where2eat"))
			opened := func() int {
				n := 0
				for _, call := range s.sim.Calls() {
					if call.Method == "apps.connections.open" {
						n++
					}
				}
				return n
			}
			before := opened()
			trouble(s.sim)
			s.wait(t, "a new connection", func() bool { return opened() > before })
			s.clickArrives(t, m)
		})
	}
}

func TestListenerOutlastsAnOutage(t *testing.T) {
	s := newStage(t)
	s.sim.Set(slacksim.Faults{Outage: true})
	s.listen(t, s.app)
	require.Eventually(t, func() bool {
		_, _, err := s.app.Connected()
		return err != nil
	}, patience, tick)
	up, since, err := s.app.Connected()
	require.False(t, up)
	require.False(t, since.IsZero())
	require.ErrorContains(t, err, "log in to slack: slack answers 503")

	s.sim.Set(slacksim.Faults{})
	s.connected(t, true)
	_, _, err = s.app.Connected()
	require.NoError(t, err)

	s.sim.Set(slacksim.Faults{Outage: true})
	s.connected(t, false)
	s.sim.Set(slacksim.Faults{})
	s.connected(t, true)
	s.clickArrives(t, s.post(t, waiting("where2eat")))
}

// clickArrives clicks until Slack has a connection by which it can tell the app.
func (s *stage) clickArrives(t *testing.T, m slacksim.Message) {
	t.Helper()
	require.Eventually(t, func() bool { return s.sim.Click(rebecca, m.TS, "approve") == nil }, patience, tick)
	require.NotEmpty(t, s.desk.Decisions())
}

func TestListenerEndsWithItsHandlers(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.app.Run(ctx) }()
	s.wait(t, "a connection", func() bool { return s.sim.Connections() == 1 })
	has := make(chan struct{})
	s.desk.decide = func(ctx context.Context, _ recovery.RunRef, _ approval.Decision) (approval.Answer, error) {
		<-has
		return approval.Answer{Accepted: true}, ctx.Err()
	}
	m := s.post(t, waiting("where2eat"))
	clicked := make(chan error, 1)
	go func() { clicked <- s.sim.Click(rebecca, m.TS, "approve") }()
	s.awaitDecisions(t, 1)
	cancel()
	select {
	case err := <-ended:
		require.NoError(t, err)
		require.Fail(t, "ended before its handler")
	case <-time.After(tick):
	}
	close(has)
	require.NoError(t, <-clicked, "the click is acknowledged")
	require.NoError(t, <-ended)
	require.Equal(t, "Your decision was taken.", s.answer(t, rebecca, 0).Text)
	up, _, _ := s.app.Connected()
	require.False(t, up)
	s.wait(t, "no connection", func() bool { return s.sim.Connections() == 0 })
}

func TestManyClicksAtTheSameTime(t *testing.T) {
	s := listening(t)
	m := s.post(t, waiting("where2eat"))
	const clicks = 120 // more than handlers, and more than the client buffers
	failed := make(chan error, clicks)
	for range clicks {
		go func() { failed <- s.sim.Click(rebecca, m.TS, "approve") }()
	}
	for range clicks {
		require.NoError(t, <-failed)
	}
	require.GreaterOrEqual(t, len(s.desk.Decisions()), clicks)
}

func TestSeveralWorkersShareTheClicks(t *testing.T) {
	s := listening(t)
	s.listen(t, s.newApp(t, func(*slackapp.Options) {}))
	s.wait(t, "two connections", func() bool { return s.sim.Connections() == 2 })
	m := s.post(t, waiting("where2eat"))
	require.NoError(t, s.sim.Click(rebecca, m.TS, "reject")) // one worker opens the form
	s.modal(t, rebecca, holds("Reason"))
	result, err := s.sim.SubmitModal(rebecca, map[string]string{"reason": "no"}) // the other takes it
	require.NoError(t, err)
	require.Equal(t, "close", result.Action)
	require.Equal(t, "no", s.desk.Decisions()[0].Reason)
}

func TestNoTokenIsLogged(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	s := newStage(t)
	s.app = s.newApp(t, func(o *slackapp.Options) { o.Log = zap.New(core) })
	s.sim.Set(slacksim.Faults{Outage: true})
	s.listen(t, s.app)
	require.Eventually(t, func() bool { return logs.Len() > 0 }, patience, tick)
	s.sim.Set(slacksim.Faults{})
	s.connected(t, true)
	m := s.post(t, waiting("where2eat"))
	s.wait(t, "a connection", func() bool { return s.sim.Connections() == 1 })
	require.NoError(t, s.sim.Click(mallory, m.TS, "approve"))
	s.answer(t, mallory, 0)
	require.NotZero(t, logs.FilterMessage("refused somebody who is not in the config's people").Len())
	for _, entry := range logs.All() {
		for _, field := range append([]zap.Field{zap.String("message", entry.Message)}, entry.Context...) {
			text := field.String
			if err, ok := field.Interface.(error); ok {
				text = err.Error()
			}
			require.NotContains(t, text, s.sim.BotToken)
			require.NotContains(t, text, s.sim.AppToken)
		}
	}
}
