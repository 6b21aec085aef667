package slacksim_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

func TestRateLimit(t *testing.T) {
	s := start(t)
	s.Set(slacksim.Faults{RateLimit: 1, RetryAfter: 7})
	_, err := client(s).AuthTest()
	var limited *slack.RateLimitedError
	require.ErrorAs(t, err, &limited)
	require.Equal(t, 7*time.Second, limited.RetryAfter)
	require.Empty(t, s.Calls(), "a refused call has no effect")
	_, err = client(s).AuthTest()
	require.NoError(t, err)

	s.Set(slacksim.Faults{RateLimit: 1, Method: "chat.postMessage"})
	_, err = client(s).AuthTest()
	require.NoError(t, err)
	_, _, err = client(s, slack.OptionRetry(1)).PostMessage(s.Channel, slack.MsgOptionText("patient", false))
	require.NoError(t, err)
	require.Equal(t, []string{"patient"}, texts(s.Messages()))
	require.Zero(t, s.Faults().RateLimit)
}

func TestALostAnswerIsOfACallThatTookEffect(t *testing.T) {
	s := start(t)
	c := client(s)
	_, err := c.AuthTest() // leaves a connection that the next call uses
	require.NoError(t, err)
	s.Set(slacksim.Faults{LoseAnswers: 1, Method: "chat.postMessage"})
	_, _, err = c.PostMessage(s.Channel, slack.MsgOptionText("once", false))
	require.ErrorContains(t, err, "EOF")
	require.Equal(t, []string{"once"}, texts(s.Messages()))
	_, _, err = c.PostMessage(s.Channel, slack.MsgOptionText("twice", false))
	require.NoError(t, err)
}

func TestOutage(t *testing.T) {
	s := start(t)
	a := connect(t, s, acknowledge)
	ts := card(t, a.Client, s.Channel)
	s.Set(slacksim.Faults{Outage: true})
	wait(t, s, func() bool { return s.Connections() == 0 })
	_, err := a.AuthTest()
	var status slack.StatusCodeError
	require.ErrorAs(t, err, &status)
	require.Equal(t, http.StatusServiceUnavailable, status.Code)
	require.ErrorIs(t, s.Click(rebecca, ts, "approve"), slacksim.ErrNotConnected)

	s.Set(slacksim.Faults{})
	wait(t, s, func() bool { return s.Connections() == 1 })
	require.NoError(t, s.Click(rebecca, ts, "approve"))
}

func TestAnAddressForASocketIsRefusedDuringAnOutage(t *testing.T) {
	s := start(t)
	_, url, err := client(s).StartSocketModeContext(t.Context())
	require.NoError(t, err)
	s.Set(slacksim.Faults{Outage: true})
	_, response, err := websocket.DefaultDialer.Dial(url, nil)
	require.Error(t, err)
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	_ = response.Body.Close()
}

func TestRedelivery(t *testing.T) {
	s := start(t)
	a := connect(t, s, acknowledge)
	ts := card(t, a.Client, s.Channel)
	s.Set(slacksim.Faults{Redeliver: true})
	require.NoError(t, s.Click(rebecca, ts, "approve"))
	clicks := a.got(socketmode.EventTypeInteractive)
	require.Len(t, clicks, 2)
	require.Equal(t, clicks[0].Data.(slack.InteractionCallback).ActionTs, clicks[1].Data.(slack.InteractionCallback).ActionTs)
	require.NotEqual(t, clicks[0].Request.EnvelopeID, clicks[1].Request.EnvelopeID)
	require.Equal(t, 0, clicks[0].Request.RetryAttempt)
	require.Equal(t, 1, clicks[1].Request.RetryAttempt)
	require.Equal(t, "timeout", clicks[1].Request.RetryReason)
}

func TestWhatIsNotAcknowledgedIsSentAgain(t *testing.T) {
	s := startWith(t, slacksim.Options{AckTimeout: 50 * time.Millisecond})
	a := connect(t, s, func(_ *app, e socketmode.Event) any {
		if e.Request.RetryAttempt < 2 {
			return silence
		}
		return nil
	})
	ts := card(t, a.Client, s.Channel)
	require.EqualError(t, s.Click(rebecca, ts, "approve"), "the app did not acknowledge within 50ms")
	wait(t, s, func() bool { return len(a.interactions()) == 3 })
	clicks := a.got(socketmode.EventTypeInteractive)
	require.Equal(t, "timeout", clicks[2].Request.RetryReason)
	require.NotEqual(t, clicks[1].Request.EnvelopeID, clicks[2].Request.EnvelopeID)
}

func TestAClickOutlivesTheConnectionThatItWasSentOn(t *testing.T) {
	s := start(t)
	a := connect(t, s, func(_ *app, e socketmode.Event) any {
		if e.Request.RetryAttempt == 0 {
			s.DropSockets()
			return silence
		}
		return nil
	})
	ts := card(t, a.Client, s.Channel)
	require.NoError(t, s.Click(rebecca, ts, "approve"))
	clicks := a.got(socketmode.EventTypeInteractive)
	require.Len(t, clicks, 2)
	require.Equal(t, "connection_failed", clicks[1].Request.RetryReason)
}

func TestClientsConnectAnew(t *testing.T) {
	for name, leave := range map[string]func(*slacksim.Server){
		"asked to":   (*slacksim.Server).Disconnect,
		"cut off":    (*slacksim.Server).DropSockets,
		"both kinds": func(s *slacksim.Server) { s.Disconnect(); s.DropSockets() },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			a := connect(t, s, acknowledge)
			ts := card(t, a.Client, s.Channel)
			leave(s)
			wait(t, s, func() bool { return count(s, "apps.connections.open") == 2 && s.Connections() == 1 })
			require.NoError(t, s.Click(rebecca, ts, "approve"))
			require.Len(t, a.got(socketmode.EventTypeConnected), 2)
		})
	}
}

func TestAConnectionThatWasAskedToLeaveGetsNothingNew(t *testing.T) {
	s := start(t)
	_, url, err := client(s).StartSocketModeContext(t.Context())
	require.NoError(t, err)
	conn, response, err := websocket.DefaultDialer.Dial(url, nil)
	require.NoError(t, err)
	defer response.Body.Close()
	defer conn.Close()
	var message struct{ Type, Reason string }
	require.NoError(t, conn.ReadJSON(&message))
	require.Equal(t, "hello", message.Type)
	s.Disconnect()
	require.NoError(t, conn.ReadJSON(&message))
	require.Equal(t, "disconnect", message.Type)
	require.Equal(t, "warning", message.Reason)

	a := connect(t, s, acknowledge)
	ts := card(t, a.Client, s.Channel)
	for range 3 {
		require.NoError(t, s.Click(rebecca, ts, "approve"))
	}
	for _, click := range a.got(socketmode.EventTypeInteractive) {
		require.Zero(t, click.Request.RetryAttempt)
	}
}

// count tells how often a method was called.
func count(s *slacksim.Server, method string) int {
	n := 0
	for _, call := range s.Calls() {
		if call.Method == method {
			n++
		}
	}
	return n
}

func TestSeveralConnectionsTakeTurns(t *testing.T) {
	s := start(t)
	one, two := connect(t, s, acknowledge), connect(t, s, acknowledge)
	ts := card(t, one.Client, s.Channel)
	for range 4 {
		require.NoError(t, s.Click(rebecca, ts, "approve"))
	}
	require.Len(t, one.interactions(), 2)
	require.Len(t, two.interactions(), 2)
}

func TestConnectionsNeedATicketAndAreTenAtMost(t *testing.T) {
	s := start(t)
	dial := func(url string) (*websocket.Conn, error) {
		conn, response, err := websocket.DefaultDialer.Dial(url, nil)
		if err != nil && response != nil {
			err = errors.New(response.Status)
			_ = response.Body.Close()
		}
		return conn, err
	}
	address := func() string {
		_, url, err := client(s).StartSocketModeContext(t.Context())
		require.NoError(t, err)
		return url
	}
	first := address()
	for range 9 {
		conn, err := dial(address())
		require.NoError(t, err)
		defer conn.Close()
	}
	conn, err := dial(first)
	require.NoError(t, err)
	defer conn.Close()
	wait(t, s, func() bool { return s.Connections() == 10 })
	_, err = dial(first)
	require.EqualError(t, err, "403 Forbidden", "a ticket is good once")
	_, err = dial(address())
	require.EqualError(t, err, "429 Too Many Requests")
}

func TestPingsKeepAClientConnected(t *testing.T) {
	s := start(t)
	_, url, err := client(s).StartSocketModeContext(t.Context())
	require.NoError(t, err)
	conn, response, err := websocket.DefaultDialer.Dial(url, nil)
	require.NoError(t, err)
	defer response.Body.Close()
	defer conn.Close()
	pinged := errors.New("pinged")
	conn.SetPingHandler(func(string) error { return pinged })
	var hello struct{ Type string }
	require.NoError(t, conn.ReadJSON(&hello))
	require.Equal(t, "hello", hello.Type)
	_, _, err = conn.ReadMessage()
	require.ErrorIs(t, err, pinged, "clients want a ping soon")
}

func TestWaitEndsWithItsContextAndWithTheServer(t *testing.T) {
	s, err := slacksim.Start(slacksim.Options{})
	require.NoError(t, err)
	never := func() bool { return false }
	ended := make(chan error)
	go func() { ended <- s.Wait(t.Context(), never) }()
	require.NoError(t, s.Close())
	require.EqualError(t, <-ended, "wait for a change in the Slack stand-in: it is closed")
	require.NoError(t, s.Close(), "closing twice is no mistake")
}
