package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
)

// errNoSlack is what posting fails with where Slack is not set up; it is tried
// again, because that may be mended while a run goes on.
var errNoSlack = errors.New("post to Slack: the worker has no Slack: see /ready")

// slackDoor keeps the Slack app: made when its tokens can be read, listening as
// long as the worker runs. Without Slack everything else works.
type slackDoor struct {
	configs *configs
	desk    *Desk
	log     *zap.Logger

	mu      sync.Mutex
	app     *slackapp.App
	options slackapp.Options   // of app
	stop    context.CancelFunc // ends its listening, nil if it does not listen
	trouble error              // the last that was logged
}

func newSlackDoor(files *configs, temporal client.Client, log *zap.Logger) *slackDoor {
	return &slackDoor{configs: files, log: log, desk: &Desk{Via: approval.ViaSlack, Client: temporal, Config: files.load, Patience: slackPatience}}
}

// slackPatience leaves Slack its answer within three seconds, also if the decision
// has to be left for the run.
const slackPatience = 1200 * time.Millisecond

// slackEvery is how soon a setting that was mended is noticed.
const slackEvery = 15 * time.Second

// run listens until ctx ends.
func (s *slackDoor) run(ctx context.Context) error {
	for ctx.Err() == nil {
		app, err := s.open()
		if err == nil && app != nil {
			err = s.listen(ctx, app)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.fail(err)
		}
		select {
		case <-time.After(slackEvery):
		case <-ctx.Done():
		}
	}
	return nil
}

// listen runs an app until ctx ends, or the settings ask for another one.
func (s *slackDoor) listen(ctx context.Context, app *slackapp.App) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	current := s.app == app
	s.stop = cancel
	s.mu.Unlock()
	if !current {
		return nil
	}
	return app.Run(ctx)
}

func (s *slackDoor) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble == nil || s.trouble.Error() != err.Error() {
		s.log.Warn("slack does not work", zap.Error(err))
	}
	s.trouble = err
}

// open returns the app for the present configuration; nil if it says nothing of
// Slack.
func (s *slackDoor) open() (*slackapp.App, error) {
	cfg, err := s.configs.load()
	if err != nil || cfg.Slack == nil {
		return nil, err
	}
	bot, token, apiURL, err := cfg.SlackTokens()
	if err != nil {
		return nil, err
	}
	options := slackapp.Options{BotToken: bot.Reveal(), AppToken: token.Reveal(), APIURL: apiURL, Channel: cfg.Slack.Channel, Desk: s.desk, Log: s.log}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.app != nil && s.options == options {
		return s.app, nil
	}
	app, err := slackapp.New(options)
	if err != nil {
		return nil, err
	}
	if s.stop != nil { // it listens with the settings of before
		s.stop()
	}
	s.app, s.options, s.stop, s.trouble = app, options, nil, nil
	return app, nil
}

// check says why Slack does not work; ok is false where it is not set up at all.
func (s *slackDoor) check(ctx context.Context) (ok bool, err error) {
	app, err := s.open()
	if err != nil || app == nil {
		return app != nil || err != nil, err
	}
	if err := app.Check(ctx); err != nil {
		return true, err
	}
	if up, _, last := app.Connected(); !up {
		return true, errors.Join(errors.New("listen to Slack: not connected"), last)
	}
	return true, nil
}

// PostCard implements activities.Board.
func (s *slackDoor) PostCard(ctx context.Context, ref card.Ref, c card.Card, again bool) (card.Ref, error) {
	app, err := s.open()
	if err != nil {
		return ref, unavailable(err)
	}
	if app == nil {
		return ref, errNoSlack
	}
	return app.PostCard(ctx, ref, c, again)
}

// PostNote implements activities.Board.
func (s *slackDoor) PostNote(ctx context.Context, ref card.Ref, n card.Note, again bool) error {
	app, err := s.open()
	if err != nil {
		return unavailable(err)
	}
	if app == nil {
		return errNoSlack
	}
	return app.PostNote(ctx, ref, n, again)
}

// unavailable says that an error may be mended while a run goes on.
func unavailable(err error) error { return recovery.NewFault(recovery.Unavailable, err, "") }

// keys reads the key with which doors vouch for people.
type keys struct {
	configs *configs
}

// ApprovalKey implements activities.Keys.
func (k *keys) ApprovalKey(_ context.Context, ref string) ([]byte, error) {
	cfg, err := k.configs.load()
	if err != nil {
		return nil, err
	}
	key, err := cfg.Reveal(ref)
	if err != nil {
		return nil, err
	}
	return []byte(key.Reveal()), nil
}
