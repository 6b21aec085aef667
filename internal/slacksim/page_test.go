package slacksim_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

// TestPage uses the page as people do, in a browser.
func TestPage(t *testing.T) {
	browser := startBrowser(t)
	for name, test := range map[string]func(*page){
		"a click with a confirm dialog":  testClick,
		"a modal with an error":          testModal,
		"a modal that is updated":        testUpdatedModal,
		"edits, threads and ephemerals":  testLiveMessages,
		"text is shown, never run":       testEscaping,
		"Slack's kind of Markdown":       testMarkdown,
		"the App Home":                   testHome,
		"slash commands":                 testSlash,
		"menus":                          testMenus,
		"direct messages":                testDirect,
		"faults":                         testFaults,
		"trouble is told":                testTrouble,
		"nothing is too wide on a phone": testPhone,
	} {
		t.Run(name, func(t *testing.T) { test(openPage(browser, t)) })
	}
}

func testClick(p *page) {
	ts := card(p.T, p.app.Client, p.sim.Channel)
	p.shows(of(ts, "approve") + ".primary")
	p.click(of(ts, "replace") + ".danger")
	p.says("#confirm", "Replace the live data?")
	p.click("#confirm-no")
	p.lacks("#confirm")
	require.Empty(p, p.app.interactions(), "who says no has done nothing")

	p.click(of(ts, "replace"), "#confirm-yes.danger")
	wait(p.T, p.sim, func() bool { return len(p.app.interactions()) == 1 })
	click := p.app.interactions()[0]
	require.Equal(p, "replace", click.ActionCallback.BlockActions[0].ActionID)
	require.Equal(p, rebecca, click.User.ID)

	p.choose("#user", sam)
	p.click(of(ts, "approve"))
	wait(p.T, p.sim, func() bool { return len(p.app.interactions()) == 2 })
	require.Equal(p, sam, p.app.interactions()[1].User.ID)
}

// opensModal makes the app open a view at a click, and answer submissions.
func (p *page) opensModal(view slack.ModalViewRequest, submitted func(slack.InteractionCallback) any) {
	p.answers(func(e socketmode.Event) any {
		callback, _ := e.Data.(slack.InteractionCallback)
		if callback.Type == slack.InteractionTypeViewSubmission {
			return submitted(callback)
		}
		if callback.Type == slack.InteractionTypeBlockActions && callback.View.ID == "" {
			_, err := p.app.OpenView(callback.TriggerID, view)
			require.NoError(p, err)
		}
		return nil
	})
}

const reasonInput = `#modal [data-action-id="reason"]`

func testModal(p *page) {
	p.opensModal(reason(), func(callback slack.InteractionCallback) any {
		if callback.View.State.Values["why"]["reason"].Value == "no idea" {
			return slack.NewErrorsViewSubmissionResponse(map[string]string{"why": "Say more."})
		}
		return nil
	})
	ts := card(p.T, p.app.Client, p.sim.Channel)
	p.click(of(ts, "approve"), "#modal-submit")
	p.says(`#modal [data-block-id="why"] .problem`, "Please complete this required field.")
	p.enter(reasonInput, "no idea")
	p.click("#modal-submit")
	p.says(`#modal [data-block-id="why"] .problem`, "Say more.")
	p.enter(reasonInput, " at all\r")
	p.lacks("#modal")
	submitted := p.app.interactions()[2]
	require.Equal(p, "no idea at all", submitted.View.State.Values["why"]["reason"].Value)

	p.click(of(ts, "approve"), "#modal-close")
	p.lacks("#modal")
	wait(p.T, p.sim, func() bool { return len(p.app.interactions()) == 5 })
	require.Equal(p, slack.InteractionTypeViewClosed, p.app.interactions()[4].Type)
}

func testUpdatedModal(p *page) {
	view := reason()
	view.Blocks.BlockSet = append(view.Blocks.BlockSet, slack.NewActionBlock("", slack.NewButtonBlockElement("more", "", text("More"))))
	p.opensModal(view, nil)
	ts := card(p.T, p.app.Client, p.sim.Channel)
	p.click(of(ts, "approve"))
	p.enter(reasonInput, "because")
	p.click(`#modal [data-action-id="more"]`)
	wait(p.T, p.sim, func() bool { return len(p.app.interactions()) == 2 })
	used := p.app.interactions()[1].View
	require.Equal(p, "because", used.State.Values["why"]["reason"].Value, "the app sees what was entered so far")
	view.Title = text("Reject, really")
	_, err := p.app.UpdateView(view, "", "", used.ID)
	require.NoError(p, err)
	p.says("#modal h2", "Reject, really")
	require.Equal(p, "because", evaluate[string](p, fmt.Sprintf("document.querySelector(%q).value", reasonInput)), "an update leaves what was entered")
}

func testLiveMessages(p *page) {
	ts := card(p.T, p.app.Client, p.sim.Channel)
	p.says("#channel", "Approve: restore")
	_, _, err := p.app.PostMessage(p.sim.Channel, slack.MsgOptionText("step 1 of 5", false), slack.MsgOptionTS(ts))
	require.NoError(p, err)
	p.says(".thread", "1 reply")
	p.click(".thread summary")
	p.says(".thread", "step 1 of 5")
	_, _, _, err = p.app.UpdateMessage(p.sim.Channel, ts, slack.MsgOptionText("Approved by rebecca", false))
	require.NoError(p, err)
	p.says("#channel", "Approved by rebecca")
	p.lacks(of(ts, "approve"))
	p.says(".thread", "step 1 of 5") // still open

	_, err = p.app.PostEphemeral(p.sim.Channel, mallory, slack.MsgOptionText("not for rebecca", false))
	require.NoError(p, err)
	_, err = p.app.PostEphemeral(p.sim.Channel, rebecca, slack.MsgOptionText("You may not approve this.", false))
	require.NoError(p, err)
	p.says(".ephemeral", "Only visible to you")
	p.says(".ephemeral", "You may not approve this.")
	require.NotContains(p, evaluate[string](p, `document.body.innerText`), "not for rebecca")
}

func testEscaping(p *page) {
	const attack = `<script>window.hit = 1</script><img src=x onerror="window.hit = 2">`
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(attack)
	option := slack.NewOptionBlockObject("v", text(attack[:60]), nil)
	p.post(attack,
		slack.NewHeaderBlock(text(attack)),
		slack.NewSectionBlock(mrkdwn("*"+escaped+"* `"+escaped+"` <javascript:window.hit=3|a link>"), nil, nil),
		slack.NewContextBlock("", mrkdwn(attack)),
		slack.NewActionBlock("", slack.NewButtonBlockElement("a", `"><script>`, text(attack[:60])),
			slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, text(attack), "s", option)))
	p.says("#channel h2", attack)
	p.says("#channel .text strong", attack)
	p.says("#channel code", attack)
	p.says("#channel", "a link")
	_, err := p.sim.Say(mallory, attack+" <javascript:alert(1)>")
	require.NoError(p, err)
	p.says(`[data-user="U0MALLORY"]`, "javascript:alert(1)")
	require.Zero(p, evaluate[int](p, `document.querySelectorAll("main script, main img, main a").length + (window.hit ?? 0)`))
}

func testMarkdown(p *page) {
	p.post("fallback", slack.NewSectionBlock(mrkdwn(strings.Join([]string{
		"*bold* _italic_ ~gone~ `a_b_c` snake_case_name 2*3*4 :white_check_mark: :no_such_emoji:",
		"<@U0SAM> <https://example.com/a?b=1&amp;c=2|the run> &amp;lt; <!here>",
		"&gt; quoted",
		"```\ntable | *1*\n```",
		"expires <!date^1700000000^{date_num} {nothing}|some day>, <!date^never^{date_num}|some other day>",
	}, "\n")), nil, nil))
	p.says("#channel .text strong", "bold")
	html := evaluate[string](p, `document.querySelector("#channel .said .text").innerHTML`)
	for _, want := range []string{
		"<strong>bold</strong> <em>italic</em> <s>gone</s> <code>a_b_c</code> snake_case_name 2*3*4 ✅ :no_such_emoji:",
		`<span class="mention">@sam</span>`,
		`<a href="https://example.com/a?b=1&amp;c=2" target="_blank" rel="noopener noreferrer">the run</a> &amp;lt;`,
		`<span class="mention">@here</span>`,
		"<blockquote>quoted</blockquote>",
		"<pre>table | *1*\n</pre>",
		">2023-11-14 {nothing}</time>",
		", some other day",
	} {
		require.Contains(p, html, want)
	}
}

func testHome(p *page) {
	p.answers(func(e socketmode.Event) any {
		if event, ok := e.Data.(slackevents.EventsAPIEvent); ok {
			_, err := p.app.PublishView(event.InnerEvent.Data.(*slackevents.AppHomeOpenedEvent).User, home("where2eat", "ledger"), "")
			require.NoError(p, err)
		}
		return nil
	})
	p.click(`[data-tab="home"]`, `#home [data-action-id="backup"][data-value="ledger"]`)
	wait(p.T, p.sim, func() bool { return len(p.app.interactions()) == 1 })
	require.Equal(p, "ledger", p.app.interactions()[0].ActionCallback.BlockActions[0].Value)
	_, err := p.app.PublishView(rebecca, home("shop"), "")
	require.NoError(p, err)
	p.says("#home", "Back shop up")
}

func testSlash(p *page) {
	p.answers(func(socketmode.Event) any { return map[string]string{"text": "All is *well*."} })
	p.enter("#compose input", "/lifeboat status where2eat\r")
	p.says(".ephemeral", "All is well.")
	command := p.app.got(socketmode.EventTypeSlashCommand)[0].Data.(slack.SlashCommand)
	require.Equal(p, "/lifeboat", command.Command)
	require.Equal(p, "status where2eat", command.Text)
	p.enter("#compose input", "good morning\r")
	p.says(`[data-user="U0REBECCA"]`, "good morning")
}

func testMenus(p *page) {
	option := func(value string) *slack.OptionBlockObject {
		return slack.NewOptionBlockObject(value, text("option "+value), nil)
	}
	radio := slack.NewRadioButtonsBlockElement("level", option("e"), option("f"))
	radio.InitialOption = option("e")
	view := slack.ModalViewRequest{Type: slack.VTModal, Title: text("Restore"), Submit: text("Go on"), Blocks: slack.Blocks{BlockSet: []slack.Block{
		slack.NewInputBlock("", text("Level"), text("A hint."), radio),
		slack.NewInputBlock("", text("Checks"), nil, slack.NewCheckboxGroupsBlockElement("checks", option("g"), option("h"))),
		slack.NewInputBlock("", text("Set"), nil, slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, text("Which?"), "set", option("i"), option("j"))),
		slack.NewInputBlock("", text("Note"), nil, slack.NewPlainTextInputBlockElement(nil, "note").WithMultiline(true)),
	}}}
	p.opensModal(view, func(slack.InteractionCallback) any { return nil })
	ts := p.post("menus",
		slack.NewSectionBlock(mrkdwn("one"), nil, slack.NewAccessory(slack.NewOverflowBlockElement("more", option("a"), option("b")))),
		slack.NewActionBlock("", slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, text("Which?"), "set", option("c"), option("d"))))
	p.click(of(ts, "more")+" summary", of(ts, "more")+` [data-value="b"]`, `#modal [data-action-id="level"] [value="f"]`,
		`#modal [data-action-id="checks"] [value="g"]`, `#modal [data-action-id="checks"] [value="h"]`)
	p.choose(`#modal [data-action-id="set"]`, "j")
	p.enter(`#modal textarea[data-action-id="note"]`, "two\nlines")
	p.click("#modal-submit")
	p.lacks("#modal")
	done := p.app.interactions()
	require.Equal(p, "b", done[0].ActionCallback.BlockActions[0].SelectedOption.Value)
	entered := map[string]slack.BlockAction{}
	for _, values := range done[1].View.State.Values {
		maps.Copy(entered, values)
	}
	require.Equal(p, "f", entered["level"].SelectedOption.Value)
	require.Len(p, entered["checks"].SelectedOptions, 2)
	require.Equal(p, "j", entered["set"].SelectedOption.Value)
	require.Equal(p, "two\nlines", entered["note"].Value)

	p.answers(nil)
	p.choose(of(ts, "set"), "d")
	wait(p.T, p.sim, func() bool { return len(p.app.interactions()) == 3 })
	require.Equal(p, "d", p.app.interactions()[2].ActionCallback.BlockActions[0].SelectedOption.Value)
}

func testDirect(p *page) {
	_, _, err := p.app.PostMessage(rebecca, slack.MsgOptionText("It is your turn.", false))
	require.NoError(p, err)
	p.click(`[data-tab="direct"]`)
	p.says("#direct", "It is your turn.")
	p.lacks("#channel, #compose")
}

func testFaults(p *page) {
	p.click("#faults summary", `#faults [name="redeliver"]`)
	p.choose(`#faults [name="rateLimit"]`, "2")
	p.click(`#faults [name="triggers"]`)
	p.shows("#faults.on")
	wait(p.T, p.sim, func() bool {
		return p.sim.Faults() == slacksim.Faults{Redeliver: true, RateLimit: 2, TriggerLifetime: time.Nanosecond}
	})
	p.click(`#faults [name="disconnect"]`)
	wait(p.T, p.sim, func() bool {
		return count(p.sim, "apps.connections.open") == 2 && p.sim.Faults().RateLimit == 0 && p.sim.Connections() == 1
	})
	p.click(`#faults [name="outage"]`)
	p.shows(`#connection[data-connections="0"]`)
	p.click(`#faults [name="outage"]`)
	p.shows(`#connection[data-connections="1"]`)
}

func testTrouble(p *page) {
	p.answers(func(socketmode.Event) any {
		return slack.NewErrorsViewSubmissionResponse(map[string]string{"elsewhere": "No."})
	})
	ts := card(p.T, p.app.Client, p.sim.Channel)
	require.NoError(p, p.sim.Click(rebecca, ts, "approve"))
	_, err := p.app.OpenView(p.app.interactions()[0].TriggerID, reason())
	require.NoError(p, err)
	p.enter(reasonInput, "because")
	p.click("#modal-submit")
	p.says("#modal p.problem", `the app reported an error at "elsewhere"`)
	require.NoError(p, p.sim.CloseModal(rebecca))
	p.lacks("#modal")
	p.sim.Set(slacksim.Faults{Outage: true})
	p.shows(`#connection[data-connections="0"]`)
	p.click(of(ts, "approve"))
	p.says("#toast", "no app is connected by Socket Mode")
}

func testPhone(p *page) {
	p.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
	word := strings.Repeat("long", 40)
	more := slack.NewOverflowBlockElement("more", slack.NewOptionBlockObject("v", text(word[:75]), nil))
	ts := p.post(word,
		slack.NewHeaderBlock(text(word[:150])),
		slack.NewSectionBlock(mrkdwn(word+" ```"+word+"```"), []*slack.TextBlockObject{mrkdwn("*Service*\n" + word), mrkdwn("*Set*\n" + word)}, nil),
		slack.NewContextBlock("", mrkdwn(word)),
		slack.NewActionBlock("", slack.NewButtonBlockElement("a", "", text(word[:75])), slack.NewButtonBlockElement("b", "", text(word[:75])), more))
	_, _, err := p.app.PostMessage(p.sim.Channel, slack.MsgOptionText(word, false), slack.MsgOptionTS(ts))
	require.NoError(p, err)
	fits := func(what string) {
		p.Helper()
		require.Empty(p, evaluate[[]string](p, `[...document.querySelectorAll("body, body *")].filter((e) => {
			const { left, right } = e.getBoundingClientRect();
			return e.checkVisibility() && (left < -1 || right > 361);
		}).map((e) => e.outerHTML.slice(0, 200))`), what)
	}
	p.opensModal(reason(), nil)
	p.click(".thread summary")
	p.shows(".thread .text")
	fits("the channel")
	p.click(of(ts, "more") + " summary")
	fits("a menu")
	p.click("#faults summary")
	p.lacks(of(ts, "more") + " .menu")
	fits("the faults")
	p.click("#faults summary", `[data-tab="home"]`)
	fits("the App Home")
	p.click(`[data-tab="direct"]`)
	fits("direct messages")
	p.click(`[data-tab="channel"]`, of(ts, "a"))
	p.shows(reasonInput)
	fits("a modal")
}
