// Package slackapp is the door to Slack: it shows runs as cards and notes, and
// takes decisions, commands and clicks, over Socket Mode.
//
// It remembers nothing between events. Slack delivers a click to any of several
// workers, and delivers it again when in doubt: what a handler must know is in the
// button, the form or the message itself, and what a click means is decided by
// the Desk, for which the same decision may come any number of times.
package slackapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"
)

// Options say which app to be, where, and for whom.
type Options struct {
	BotToken string // xoxb-…; never logged
	AppToken string // xapp-…; never logged
	APIURL   string // of Slack's Web API, with the slash at its end; "" for Slack's own
	Channel  string // id of the channel where cards are posted
	Desk     Desk
	Log      *zap.Logger // nil: no log
}

// App is the Slack app. Its methods may be called at the same time.
type App struct {
	api     *slack.Client
	http    *http.Client
	channel string
	desk    Desk
	render  renderer
	log     *zap.Logger

	mu    sync.Mutex
	self  identity
	link  connection
	appID string // as Slack said hello, "" before
}

// identity is who Slack says the bot is.
type identity struct {
	team, bot, user string
}

// connection is how the listener is connected now.
type connection struct {
	up    bool
	since time.Time
	last  error // why it is not, or the last thing that went wrong
}

// callTimeout bounds one request to Slack.
const callTimeout = 15 * time.Second

// New makes the app. It talks to nobody yet.
func New(o Options) (*App, error) {
	switch {
	case !strings.HasPrefix(o.BotToken, "xoxb-"):
		return nil, errors.New("set up slack: the bot token does not begin with xoxb-: " + mendBot)
	case !strings.HasPrefix(o.AppToken, "xapp-"):
		return nil, errors.New("set up slack: the app token does not begin with xapp-: " + mendApp)
	case o.APIURL != "" && !strings.HasSuffix(o.APIURL, "/"):
		return nil, errors.New("set up slack: the address of the Web API must end in a slash")
	case o.Channel == "":
		return nil, errors.New("set up slack: the channel is missing: set slack.channel")
	case o.Desk == nil:
		return nil, errors.New("set up slack: the desk is missing")
	}
	log := o.Log
	if log == nil {
		log = zap.NewNop()
	}
	client := &http.Client{Timeout: callTimeout}
	options := []slack.Option{slack.OptionAppLevelToken(o.AppToken), slack.OptionHTTPClient(client)}
	if o.APIURL != "" {
		options = append(options, slack.OptionAPIURL(o.APIURL))
	}
	return &App{
		api: slack.New(o.BotToken, options...), http: client, channel: o.Channel,
		desk: o.Desk, render: renderer{desk: o.Desk}, log: log,
		link: connection{since: time.Now()},
	}, nil
}

// Check asks Slack whether the bot's token is good and the channel is there for
// it. Its error says what to mend.
func (a *App) Check(ctx context.Context) error {
	if _, err := a.identify(ctx); err != nil {
		return err
	}
	const about = "look at the channel"
	return a.call(ctx, about, func() error {
		_, err := a.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: a.channel, Limit: 1})
		return err
	})
}

// Connected says whether the listener is connected, since when it is or is not,
// and what went wrong last.
func (a *App) Connected() (bool, time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.link.up, a.link.since, a.link.last
}

// call makes a call to the Web API, and classifies its error.
func (a *App) call(ctx context.Context, about string, call func() error) error {
	return classify(whenAllowed(ctx, call), about, mendBot)
}

// identify asks who the bot is.
func (a *App) identify(ctx context.Context) (identity, error) {
	var self identity
	err := a.call(ctx, "log in to slack", func() error {
		answer, err := a.api.AuthTestContext(ctx)
		if err == nil {
			self = identity{team: answer.TeamID, bot: answer.BotID, user: answer.UserID}
		}
		return err
	})
	if err != nil {
		return identity{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.self = self
	return self, nil
}

// whoami returns who the bot is, asking only once.
func (a *App) whoami(ctx context.Context) (identity, error) {
	a.mu.Lock()
	self := a.self
	a.mu.Unlock()
	if self != (identity{}) {
		return self, nil
	}
	return a.identify(ctx)
}

// checkOrigin refuses what another app, or another workspace, sent.
func (a *App) checkOrigin(team, app string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.self.team != "" && team != "" && team != a.self.team:
		return fmt.Errorf("the workspace %s is not the app's: %s", clip(team, 50), a.self.team)
	case a.appID != "" && app != "" && app != a.appID:
		return fmt.Errorf("the app %s is not this one: %s", clip(app, 50), a.appID)
	}
	return nil
}
