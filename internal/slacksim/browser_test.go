package slacksim_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

// page is the stand-in's page in a tab of the browser, with an app behind it.
type page struct {
	*testing.T
	sim *slacksim.Server
	app *app
	ctx context.Context

	mu         sync.Mutex
	answer     func(socketmode.Event) any // to what people do; nil acknowledges
	complaints []string
}

// startBrowser runs a headless browser until the end of the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	require.NotEmpty(t, program, "there is no Chromium; install it: apt-get install chromium, or run 'make tools'")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.Flag("lang", "en-GB"))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	browser, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(closeBrowser)
	require.NoError(t, chromedp.Do(browser))
	return browser
}

// openPage opens the page of a new stand-in as rebecca. Whatever the browser complains
// of, and every request that goes elsewhere, fails the test.
func openPage(browser context.Context, t *testing.T) *page {
	t.Helper()
	p := &page{T: t, sim: start(t)}
	p.app = connect(t, p.sim, func(_ *app, e socketmode.Event) any {
		p.mu.Lock()
		answer := p.answer
		p.mu.Unlock()
		if answer == nil {
			return nil
		}
		return answer(e)
	})
	tab, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	require.NoError(t, chromedp.Do(tab))
	ctx, cancel := context.WithTimeout(tab, time.Minute)
	t.Cleanup(cancel)
	p.ctx = ctx
	require.NoError(t, chromedp.Listen(ctx, p.hear))
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		require.Empty(t, p.complaints)
	})
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	p.do(chromedp.Navigate(p.sim.URL))
	p.shows(`#connection[data-connections="1"]`)
	return p
}

// hear keeps what the browser complains of.
func (p *page) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		p.complaints = append(p.complaints, event.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		// The browser notes every answer 409, which the page tells of.
		if event.Entry.Level == log.EntryLevelError && !strings.Contains(event.Entry.Text, "409") {
			p.complaints = append(p.complaints, event.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		if url := event.Request.URL; !strings.HasPrefix(url, p.sim.URL) && !strings.HasPrefix(url, "data:") {
			p.complaints = append(p.complaints, "a request for "+url)
		}
	}
}

func (p *page) answers(answer func(socketmode.Event) any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	require.NoError(p, chromedp.Do(p.ctx, steps...))
}

func (p *page) click(selectors ...string) {
	p.Helper()
	for _, selector := range selectors {
		require.NoError(p, chromedp.Do(p.ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible)), selector)
	}
}

func (p *page) enter(selector, text string) {
	p.Helper()
	require.NoError(p, chromedp.Do(p.ctx, chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible)), selector)
}

// choose gives a menu or a field a value, and tells the page that it changed.
func (p *page) choose(selector, value string) {
	p.Helper()
	require.NoError(p, chromedp.Do(p.ctx, chromedp.SetValue(chromedp.CSS(selector), value, chromedp.NodeVisible)), selector)
}

// shows waits until an element is visible.
func (p *page) shows(selector string) {
	p.Helper()
	require.NoError(p, chromedp.Do(p.ctx, chromedp.WaitVisible(chromedp.CSS(selector))), selector)
}

// says waits until an element has a text.
func (p *page) says(selector, text string) {
	p.Helper()
	poll(p, selector+" says "+text, `(selector, text) => Boolean(document.querySelector(selector)?.innerText.includes(text))`, selector, text)
}

// lacks waits until nothing that is visible matches a selector.
func (p *page) lacks(selector string) {
	p.Helper()
	poll(p, "no "+selector, `(selector) => ![...document.querySelectorAll(selector)].some((e) => e.checkVisibility())`, selector)
}

// poll waits until a function returns true.
func poll(p *page, what, function string, args ...any) {
	p.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.PollFunction[bool](function, chromedp.WithPollingArgs(args...), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		shown, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		require.NoError(p, err, "%s; the page says:\n%s", what, shown)
	}
}

func evaluate[T any](p *page, script string) T {
	p.Helper()
	result, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script))
	require.NoError(p, err)
	return result
}

func (p *page) post(message string, blocks ...slack.Block) string {
	p.Helper()
	_, ts, err := p.app.PostMessage(p.sim.Channel, slack.MsgOptionText(message, false), slack.MsgOptionBlocks(blocks...))
	require.NoError(p, err)
	return ts
}

func of(ts, action string) string { return fmt.Sprintf(`[data-ts=%q][data-action-id=%q]`, ts, action) }
