package slackapp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

// ways are what an approver chooses from.
var ways = []approval.Choice{
	{Key: "deploy:v1", Label: "Deploy v1", Detail: "good since <Monday>"},
	{Key: "flagOff", Label: "Turn the flag off"},
}

// choosing is a card with an open request that offers choices, which the desk knows.
func (s *stage) choosing(choices []approval.Choice, change ...func(*approval.Request)) card.Card {
	c := waiting("where2eat")
	q := &c.Open.Request
	q.What, q.Approve, q.Choices = "Roll back where2eat: choose how", "Choose…", choices
	for _, f := range change {
		f(q)
	}
	s.desk.books = []approval.Book{*c.Open}
	return c
}

// choose opens the form in which an approver chooses.
func (s *stage) choose(t *testing.T, c card.Card) slacksim.View {
	t.Helper()
	m := s.post(t, c)
	require.NoError(t, s.sim.Click(rebecca, m.TS, "approve-choose"))
	return s.modal(t, rebecca, func(v slacksim.View) bool { return v.Submit != nil })
}

func (s *stage) submit(t *testing.T, values map[string]string) slacksim.SubmitResult {
	t.Helper()
	result, err := s.sim.SubmitModal(rebecca, values)
	require.NoError(t, err)
	return result
}

func TestCardListsWhatCanBeChosen(t *testing.T) {
	s := newStage(t)
	m := s.post(t, s.choosing(ways))
	require.Contains(t, texts(t, m.Blocks), "*To choose from:*\n• Deploy v1 — good since &lt;Monday&gt;\n• Turn the flag off\n")
	found := buttons(t, m.Blocks)
	require.Len(t, found, 3)
	require.Equal(t, "Choose…", found["approve-choose"]["text"].(map[string]any)["text"])
	require.NotContains(t, found["approve-choose"]["value"], "deploy:v1", "a button does not carry what may be long")

	c := s.choosing(ways, func(q *approval.Request) { q.Approve = "" })
	require.Equal(t, "Choose…", buttons(t, s.post(t, c).Blocks)["approve-choose"]["text"].(map[string]any)["text"])
}

func TestChoiceIsHandedOver(t *testing.T) {
	s := listening(t)
	view := s.choose(t, s.choosing(ways))
	require.Contains(t, string(view.Blocks), `"type":"radio_buttons"`)
	shown := texts(t, view.Blocks)
	for _, want := range []string{"*Roll back where2eat: choose how*\ndatabase app on db.example.com:5432", "Deploy v1\ngood since <Monday>\n", "Turn the flag off"} {
		require.Contains(t, shown, want)
	}
	require.NotContains(t, shown, "to confirm")
	require.Equal(t, "Approve", view.Submit.Text)
	require.Empty(t, s.desk.Decisions())

	require.Equal(t, "errors", s.submit(t, nil).Action, "nothing is chosen for anybody")
	require.Empty(t, s.desk.Decisions())

	require.Equal(t, "close", s.submit(t, map[string]string{"choice": "flagOff"}).Action)
	require.Equal(t, []taken{{
		run: recovery.RunRef{WorkflowID: "restore/where2eat", RunID: "run-of-where2eat"},
		Decision: approval.Decision{
			Request: "where2eat/restore/1", Digest: "digest-of-where2eat", Verdict: approval.Approve, Choice: "flagOff",
			Claim: approval.Claim{By: "rebecca", Via: "slack"},
		},
	}}, s.desk.Decisions())
	require.Equal(t, "Your decision was taken: approved by rebecca", s.answer(t, rebecca, 0).Text)
}

func TestChoiceIsConfirmedByTyping(t *testing.T) {
	s := listening(t)
	view := s.choose(t, s.choosing(ways, func(q *approval.Request) { q.Confirm = "where2eat" }))
	require.Contains(t, texts(t, view.Blocks), "⚠️ This replaces data.\nType \"where2eat\" to confirm")
	result := s.submit(t, map[string]string{"choice": "deploy:v1", "confirm": "where2drink"})
	require.Equal(t, map[string]string{"confirm": `That is not "where2eat": nothing was approved.`}, result.Errors)
	require.Empty(t, s.desk.Decisions())
	require.Equal(t, "close", s.submit(t, map[string]string{"choice": "deploy:v1", "confirm": " where2eat "}).Action)
	require.Equal(t, "deploy:v1", s.desk.Decisions()[0].Choice)
	require.Equal(t, "where2eat", s.desk.Decisions()[0].Confirm)
}

func TestOnlyChoiceIsChosenAlready(t *testing.T) {
	s := listening(t)
	s.choose(t, s.choosing(ways[:1]))
	require.Equal(t, "close", s.submit(t, nil).Action)
	require.Equal(t, "deploy:v1", s.desk.Decisions()[0].Choice)
}

func TestManyChoicesAreAMenu(t *testing.T) {
	for name, test := range map[string]struct {
		n    int
		kind string
		left string
	}{
		"as many as radio buttons": {10, "radio_buttons", ""},
		"more":                     {11, "static_select", ""},
		"as many as a menu":        {100, "static_select", ""},
		"too many":                 {103, "static_select", "3 choices that Slack cannot show: starter decide restore/where2eat approve --choose KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			s := listening(t)
			var choices []approval.Choice
			for i := range test.n {
				choices = append(choices, approval.Choice{Key: fmt.Sprintf("deploy:v%d", i), Label: strings.Repeat("long ", 40), Detail: strings.Repeat("& on ", 40)})
			}
			view := s.choose(t, s.choosing(choices))
			require.Contains(t, string(view.Blocks), `"type":"`+test.kind+`"`)
			if test.left == "" {
				require.NotContains(t, texts(t, view.Blocks), "cannot show")
			}
			require.Contains(t, texts(t, view.Blocks), test.left)
			require.Equal(t, "close", s.submit(t, map[string]string{"choice": "deploy:v9"}).Action)
			require.Equal(t, "deploy:v9", s.desk.Decisions()[0].Choice)
		})
	}
}

func TestChoiceThatNoMenuCanNameIsLeftToStarter(t *testing.T) {
	const left = "1 choice that Slack cannot show: starter decide restore/where2eat approve --choose KEY"
	long := approval.Choice{Key: "deploy:" + strings.Repeat("v", 150), Label: "Deploy v…"}
	s := listening(t)
	m := s.post(t, s.choosing([]approval.Choice{long}))
	require.NoError(t, s.sim.Click(rebecca, m.TS, "approve-choose"))
	require.Nil(t, s.modal(t, rebecca, holds(left)).Submit)
	require.NoError(t, s.sim.CloseModal(rebecca))

	view := s.choose(t, s.choosing([]approval.Choice{long, ways[1]}))
	require.Contains(t, texts(t, view.Blocks), left)
	require.Contains(t, texts(t, view.Blocks), "Turn the flag off")
	require.Equal(t, "errors", s.submit(t, nil).Action, "it is not the only choice that there is")
}

func TestStaleCardOffersNoChoice(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*fakeDesk)
		want   string
	}{
		"decided": {func(d *fakeDesk) { d.books = nil }, "This request is not open any more."},
		"asked again": {
			func(d *fakeDesk) { d.books[0].Request.ID = "where2eat/restore/2" }, "This request is not open any more.",
		},
		"of another run": {
			func(d *fakeDesk) { d.books[0].Request.Run.RunID = "another" }, "This request is not open any more.",
		},
		"plan changed": {
			func(d *fakeDesk) { d.books[0].Request.Digest = "another" }, "The plan has changed since it was shown: look at the newest card.",
		},
		"trouble": {
			func(d *fakeDesk) { d.trouble = errors.New("temporal does not answer") }, "This cannot be looked up now: temporal does not answer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := listening(t)
			m := s.post(t, s.choosing(ways))
			test.change(s.desk)
			require.NoError(t, s.sim.Click(rebecca, m.TS, "approve-choose"))
			require.Nil(t, s.modal(t, rebecca, holds(test.want)).Submit)
			require.Empty(t, s.desk.Decisions())
		})
	}
}

// Whoever chose what does not count may choose another.
func TestRefusedChoiceIsSaidAtTheField(t *testing.T) {
	s := listening(t)
	s.desk.decide = func(_ context.Context, _ recovery.RunRef, d approval.Decision) (approval.Answer, error) {
		if d.Choice == "flagOff" {
			return approval.Answer{Text: "sam chose “Deploy v1”: choose the same, or reject"}, nil
		}
		return approval.Answer{Accepted: true, Text: "approved by rebecca", Outcome: approval.Approved}, nil
	}
	c := s.choosing(ways)
	s.desk.books[0].Request.Policy.Needed = 2
	s.desk.books[0].Votes = []approval.Vote{{By: "sam", Via: "slack", Verified: true, Verdict: approval.Approve, Choice: "deploy:v1", At: noon}}
	require.Contains(t, texts(t, s.choose(t, c).Blocks), "(1 of 2): Deploy v1", "the form says what the first approver chose")
	result := s.submit(t, map[string]string{"choice": "flagOff"})
	require.Equal(t, map[string]string{"choice": "This does not count: sam chose “Deploy v1”: choose the same, or reject"}, result.Errors)
	require.Equal(t, "close", s.submit(t, map[string]string{"choice": "deploy:v1"}).Action)
	require.Equal(t, "Your decision was taken: approved by rebecca", s.answer(t, rebecca, 0).Text)
	require.Len(t, s.desk.Decisions(), 2)
}

func TestChoiceThatCannotBeHandedOverKeepsTheForm(t *testing.T) {
	s := listening(t)
	s.desk.decide = func(context.Context, recovery.RunRef, approval.Decision) (approval.Answer, error) {
		return approval.Answer{}, errors.New("temporal does not answer")
	}
	s.choose(t, s.choosing(ways))
	result := s.submit(t, map[string]string{"choice": "flagOff"})
	require.Contains(t, result.Errors["choice"], "does not count yet: temporal does not answer")
	_, open := s.sim.Modal(rebecca)
	require.True(t, open)
}

func TestStrangerMayNotChoose(t *testing.T) {
	s := listening(t)
	m := s.post(t, s.choosing(ways))
	require.NoError(t, s.sim.Click(mallory, m.TS, "approve-choose"))
	require.Contains(t, s.answer(t, mallory, 0).Text, "You are not in the config's people")
	_, open := s.sim.Modal(mallory)
	require.False(t, open)
}

// Who may approve is decided where the decision counts.
func TestWhoMayNotApproveIsToldAtTheField(t *testing.T) {
	s := listening(t)
	s.desk.decide = func(_ context.Context, _ recovery.RunRef, d approval.Decision) (approval.Answer, error) {
		book := s.desk.books[0]
		return book.Take(noon, d, true), nil
	}
	m := s.post(t, s.choosing(ways))
	require.NoError(t, s.sim.Click(sam, m.TS, "approve-choose"))
	s.modal(t, sam, func(v slacksim.View) bool { return v.Submit != nil })
	result, err := s.sim.SubmitModal(sam, map[string]string{"choice": "flagOff"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"choice": "This does not count: sam asked for this and may not approve it; rebecca may"}, result.Errors)
}

func TestRedeliveredChoiceIsTheSameDecision(t *testing.T) {
	s := listening(t)
	s.sim.Set(slacksim.Faults{Redeliver: true})
	m := s.post(t, s.choosing(ways))
	require.NoError(t, s.sim.Click(rebecca, m.TS, "approve-choose"))
	s.wait(t, "a second try to open the form", func() bool {
		for _, call := range s.sim.Calls() {
			if call.Error == "exchanged_trigger_id" {
				return true
			}
		}
		return false
	})
	s.modal(t, rebecca, func(v slacksim.View) bool { return v.Submit != nil })
	s.submit(t, map[string]string{"choice": "flagOff"})
	s.awaitDecisions(t, 2)
	decisions := s.desk.Decisions()
	require.Equal(t, decisions[0], decisions[1], "the desk can tell that it is the same")
}

func TestCardSaysWhatWasChosen(t *testing.T) {
	s := newStage(t)
	c := s.choosing(ways)
	book := *c.Open
	book.Outcome = approval.Approved
	book.Votes = []approval.Vote{
		{By: "rebecca", Via: "slack", Verified: true, Verdict: approval.Approve, Choice: "flagOff", At: noon},
		{By: "sam", Via: "cli", Verified: true, Verdict: approval.Approve, Choice: "not there & any more", At: noon},
	}
	c.Open, c.Decided, c.State = nil, []approval.Book{book}, card.Working
	m := s.post(t, c)
	require.Empty(t, buttons(t, m.Blocks))
	shown := texts(t, m.Blocks)
	require.Contains(t, shown, "(1 of 1): Turn the flag off\n")
	require.Contains(t, shown, "(2 of 1): not there &amp; any more · by starter")
	require.NotContains(t, shown, "To choose from")
}

func TestChoicesInHomeAndDetails(t *testing.T) {
	s := listening(t)
	s.choosing(ways)
	require.Contains(t, s.home(t, rebecca, "Services"), "• Deploy v1 — good since &lt;Monday&gt;")
	require.NoError(t, s.sim.ClickHome(rebecca, "details", ""))
	shown := texts(t, s.modal(t, rebecca, holds("Digest of this plan")).Blocks)
	require.Contains(t, shown, "• Deploy v1 — good since &lt;Monday&gt; · key `deploy:v1`\n• Turn the flag off · key `flagOff`\n")
	require.Contains(t, shown, "By hand: starter decide restore/where2eat approve --choose KEY")
	require.NoError(t, s.sim.CloseModal(rebecca))

	require.NoError(t, s.sim.ClickHome(rebecca, "approve-choose", ""))
	s.modal(t, rebecca, func(v slacksim.View) bool { return v.Submit != nil })
	s.submit(t, map[string]string{"choice": "flagOff"})
	s.homeShows(t, rebecca, "Your decision was taken: approved by rebecca")
	require.Equal(t, "flagOff", s.desk.Decisions()[0].Choice)
}
