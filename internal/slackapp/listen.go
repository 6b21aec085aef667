package slackapp

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const (
	maxHandlers    = 32               // events that are handled at the same time
	handlerTimeout = time.Minute      // for one event
	drainTimeout   = 5 * time.Second  // for the handlers when the listener ends
	longestPause   = 30 * time.Second // between two tries to connect
	firstPause     = time.Second
)

// Run listens until ctx ends, and then returns nil. It connects anew by itself, as
// long as that takes; only what a person must mend, such as a bad token, ends it
// with an error that says how.
func (a *App) Run(ctx context.Context) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		_, err := a.identify(ctx)
		if err == nil {
			break
		}
		a.disconnected(err)
		if recovery.KindOf(err) == recovery.Permanent {
			return err
		}
		a.log.Warn("slack does not answer", zap.Error(err), zap.Duration("again in", pause))
		if !sleep(ctx, pause) {
			return nil
		}
	}
	return a.listen(ctx)
}

// listen holds the connection. It outlives ctx until the handlers are done, so that
// they can acknowledge what they took.
func (a *App) listen(ctx context.Context) error {
	connected, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	client := socketmode.New(a.api)
	impatient := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() { ended <- stayConnected(connected, client, impatient) }()

	var handlers sync.WaitGroup
	free := make(chan struct{}, maxHandlers)
	for {
		select {
		case event := <-client.Events:
			if err := a.follow(&event, impatient); err != nil {
				return err
			}
			if event.Request == nil || event.Data == nil {
				continue
			}
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				continue // not acknowledged: Slack delivers it elsewhere, or says so
			}
			handlers.Go(func() {
				defer func() { <-free }()
				bounded, cancel := context.WithTimeout(connected, handlerTimeout)
				defer cancel()
				a.handle(bounded, client, &event)
			})
		case err := <-ended:
			a.disconnected(err)
			return err
		case <-ctx.Done():
			drain(&handlers)
			hangUp()
			err := <-ended
			a.disconnected(err)
			return err
		}
	}
}

// drain waits for handlers, but not for ever.
func drain(handlers *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		handlers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(drainTimeout):
	}
}

// stayConnected returns when ctx ends, or with an error that a person must mend.
// The client connects anew by itself, but waits up to five minutes after many
// failures: whoever is impatient makes it begin again.
func stayConnected(ctx context.Context, client *socketmode.Client, impatient <-chan struct{}) error {
	for {
		attempts, giveUp := context.WithCancel(ctx)
		go func() {
			select {
			case <-impatient:
				giveUp()
			case <-attempts.Done():
			}
		}()
		err := classify(client.RunContext(attempts), "connect to slack", mendApp)
		giveUp()
		switch {
		case ctx.Err() != nil:
			return nil
		case recovery.KindOf(err) == recovery.Permanent:
			return err
		case !sleep(ctx, longestPause):
			return nil
		}
	}
}

// follow keeps account of the connection. It returns an error that a person must
// mend.
func (a *App) follow(event *socketmode.Event, impatient chan<- struct{}) error {
	switch event.Type {
	case socketmode.EventTypeConnected:
		a.connectedNow()
		a.log.Info("connected to slack")
	case socketmode.EventTypeHello:
		a.mu.Lock()
		a.appID = event.Request.ConnectionInfo.AppID
		a.mu.Unlock()
	case socketmode.EventTypeConnecting:
		a.disconnected(nil)
	case socketmode.EventTypeConnectionError:
		failed, ok := event.Data.(*slack.ConnectionErrorEvent)
		if !ok {
			return nil
		}
		err := classify(failed.ErrorObj, "connect to slack", mendApp)
		a.disconnected(err)
		if recovery.KindOf(err) == recovery.Permanent {
			return err
		}
		a.log.Warn("no connection to slack", zap.Error(err), zap.Duration("again in", min(failed.Backoff, longestPause)))
		if _, asked := errors.AsType[*slack.RateLimitedError](failed.ErrorObj); failed.Backoff > longestPause && !asked {
			select {
			case impatient <- struct{}{}:
			default:
			}
		}
	case socketmode.EventTypeErrorBadMessage:
		a.log.Warn("slack sent what cannot be read")
	}
	return nil
}

func (a *App) connectedNow() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.link = connection{up: true, since: time.Now()}
}

// disconnected notes that there is no connection. A nil error keeps the last one.
func (a *App) disconnected(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.link.up {
		a.link = connection{since: time.Now(), last: a.link.last}
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		a.link.last = err
	}
}
