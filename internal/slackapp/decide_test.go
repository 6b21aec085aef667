package slackapp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

func TestApproveIsHandedOver(t *testing.T) {
	s := listening(t)
	m := s.post(t, waiting("where2eat"))
	require.NoError(t, s.sim.Click(rebecca, m.TS, "approve"))
	require.Equal(t, []taken{{
		run: recovery.RunRef{WorkflowID: "restore/where2eat", RunID: "run-of-where2eat"},
		Decision: approval.Decision{
			Request: "where2eat/restore/1", Digest: "digest-of-where2eat", Verdict: approval.Approve,
			Claim: approval.Claim{By: "rebecca", Via: "slack"},
		},
	}}, s.desk.Decisions())
	require.Equal(t, "Your decision was taken: approved by rebecca", s.answer(t, rebecca, 0).Text)
	require.Len(t, buttons(t, s.sim.Messages()[0].Blocks), 3, "only the run changes the card")
}

func TestSnoozeIsHandedOver(t *testing.T) {
	s := listening(t)
	c := waiting("where2eat")
	c.Open.Request.Snooze = recovery.Duration(24 * time.Hour)
	m := s.post(t, c)
	shown := buttons(t, m.Blocks)
	require.Len(t, shown, 4)
	require.Equal(t, "Ask again in 24h", shown["snooze"]["text"].(map[string]any)["text"])
	require.NoError(t, s.sim.Click(rebecca, m.TS, "snooze"))
	require.Equal(t, []taken{{
		run: recovery.RunRef{WorkflowID: "restore/where2eat", RunID: "run-of-where2eat"},
		Decision: approval.Decision{
			Request: "where2eat/restore/1", Digest: "digest-of-where2eat", Verdict: approval.Snooze,
			Claim: approval.Claim{By: "rebecca", Via: "slack"},
		},
	}}, s.desk.Decisions())
	require.Contains(t, s.answer(t, rebecca, 0).Text, "Your decision was taken")
}

func TestWhatCannotBePutOffHasNoButtonForIt(t *testing.T) {
	s := listening(t)
	require.NotContains(t, buttons(t, s.post(t, waiting("where2eat")).Blocks), "snooze")
}

func TestCardSaysThatARequestWasPutOff(t *testing.T) {
	s := listening(t)
	c := waiting("where2eat")
	book := *c.Open
	book.Request.Snooze, book.Outcome = recovery.Duration(24*time.Hour), approval.Snoozed
	book.Votes = []approval.Vote{{By: "rebecca", Via: "slack", Verified: true, Verdict: approval.Snooze, At: noon}}
	c.Open, c.Decided, c.State = nil, []approval.Book{book}, card.Working
	m := s.post(t, c)
	require.Contains(t, texts(t, m.Blocks), "Put off for 24h by <@"+rebecca+">")
	require.NotContains(t, texts(t, m.Blocks), "Approved")
}

func TestRefusedDecisionIsAnsweredToThatPersonAlone(t *testing.T) {
	s := listening(t)
	s.desk.decide = func(context.Context, recovery.RunRef, approval.Decision) (approval.Answer, error) {
		return approval.Answer{Text: "sam asked for this & may not approve it; rebecca may"}, nil
	}
	m := s.post(t, waiting("where2eat"))
	require.NoError(t, s.sim.Click(sam, m.TS, "approve"))
	require.Equal(t, "Your decision does not count: sam asked for this &amp; may not approve it; rebecca may", s.answer(t, sam, 0).Text)
	require.Empty(t, s.sim.Ephemerals(rebecca))
	require.Equal(t, m, s.sim.Messages()[0])
}

func TestStrangerIsRefused(t *testing.T) {
	s := listening(t)
	s.desk.books = []approval.Book{request("where2eat")}
	m := s.post(t, waiting("where2eat"))
	for i, action := range []string{"approve", "reject", "details"} {
		require.NoError(t, s.sim.Click(mallory, m.TS, action))
		require.Contains(t, s.answer(t, mallory, i).Text, "You are not in the config's people, so this did nothing")
	}
	require.Contains(t, s.sim.Ephemerals(mallory)[0].Text, "U0MALLORY")
	require.Empty(t, s.desk.Decisions())
	_, open := s.sim.Modal(mallory)
	require.False(t, open)
	require.Equal(t, m, s.sim.Messages()[0])
}

func TestDecisionThatCannotBeHandedOverIsSaidSo(t *testing.T) {
	s := listening(t)
	s.desk.decide = func(context.Context, recovery.RunRef, approval.Decision) (approval.Answer, error) {
		return approval.Answer{}, errors.New("temporal does not answer")
	}
	m := s.post(t, waiting("where2eat"))
	require.NoError(t, s.sim.Click(rebecca, m.TS, "approve"))
	text := s.answer(t, rebecca, 0).Text
	require.Contains(t, text, "could not be handed over, and does not count yet: temporal does not answer")
	require.Contains(t, text, "starter decide")
}

func TestClickIsAcknowledgedOnceTheDeskHasIt(t *testing.T) {
	s := listening(t)
	has := make(chan struct{})
	s.desk.decide = func(ctx context.Context, _ recovery.RunRef, _ approval.Decision) (approval.Answer, error) {
		_, bounded := ctx.Deadline()
		if !bounded {
			return approval.Answer{}, errors.New("no deadline")
		}
		<-has
		return approval.Answer{Accepted: true, Text: "late"}, nil
	}
	m := s.post(t, waiting("where2eat"))
	clicked := make(chan error, 1)
	go func() { clicked <- s.sim.Click(rebecca, m.TS, "approve") }()
	s.awaitDecisions(t, 1)
	select {
	case err := <-clicked:
		require.NoError(t, err)
		require.Fail(t, "acknowledged before the desk had it")
	default:
	}
	close(has)
	require.NoError(t, <-clicked)
	require.Equal(t, "Your decision was taken: late", s.answer(t, rebecca, 0).Text)
}

// awaitDecisions waits until the desk was given so many decisions.
func (s *stage) awaitDecisions(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.desk.Decisions()) >= n }, patience, tick)
}

func TestRedeliveredClicksAreTheSameDecision(t *testing.T) {
	s := listening(t)
	s.sim.Set(slacksim.Faults{Redeliver: true})
	m := s.post(t, waiting("where2eat"))
	require.NoError(t, s.sim.Click(rebecca, m.TS, "approve"))
	s.awaitDecisions(t, 2)
	decisions := s.desk.Decisions()
	require.Equal(t, decisions[0], decisions[1], "the desk can tell that it is the same")
}

func TestRedeliveredClickOpensOneForm(t *testing.T) {
	s := listening(t)
	s.sim.Set(slacksim.Faults{Redeliver: true})
	m := s.post(t, waiting("where2eat"))
	require.NoError(t, s.sim.Click(rebecca, m.TS, "reject"))
	s.wait(t, "a second try to open the form", func() bool {
		calls := s.sim.Calls()
		return calls[len(calls)-1].Error == "exchanged_trigger_id"
	})
	s.modal(t, rebecca, holds("Reason"))
	require.Empty(t, s.sim.Ephemerals(rebecca))
}

func TestRejectAsksForAReason(t *testing.T) {
	s := listening(t)
	m := s.post(t, waiting("where2eat"))
	require.NoError(t, s.sim.Click(rebecca, m.TS, "reject"))
	view := s.modal(t, rebecca, holds("Replace the database of where2eat"))
	require.Equal(t, "Leave it", view.Submit.Text)
	require.Empty(t, s.desk.Decisions())

	result, err := s.sim.SubmitModal(rebecca, map[string]string{"reason": "   "})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"reason": "A rejection needs a reason: whoever asked wants to know what to do instead."}, result.Errors)
	require.Empty(t, s.desk.Decisions())

	result, err = s.sim.SubmitModal(rebecca, map[string]string{"reason": "the set is too old"})
	require.NoError(t, err)
	require.Equal(t, "close", result.Action)
	decision := s.desk.Decisions()[0]
	require.Equal(t, approval.Reject, decision.Verdict)
	require.Equal(t, "the set is too old", decision.Reason)
	require.Equal(t, "where2eat/restore/1", decision.Request)
	require.Equal(t, "digest-of-where2eat", decision.Digest)
	require.Equal(t, "restore/where2eat", decision.run.WorkflowID)
	require.Contains(t, s.answer(t, rebecca, 0).Text, "Your decision was taken")
}

func TestDataLossIsConfirmedByTyping(t *testing.T) {
	s := listening(t)
	c := waiting("where2eat")
	c.Open.Request.Destructive, c.Open.Request.Confirm = true, "where2eat"
	m := s.post(t, c)
	require.NoError(t, s.sim.Click(rebecca, m.TS, "approve-typed"))
	view := s.modal(t, rebecca, holds(`Type \"where2eat\" to confirm`))
	require.Contains(t, texts(t, view.Blocks), "Replace the database of where2eat")
	require.Contains(t, texts(t, view.Blocks), "database app on db.example.com:5432")
	require.Equal(t, "Replace it", view.Submit.Text)

	result, err := s.sim.SubmitModal(rebecca, map[string]string{"confirm": "where2drink"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"confirm": `That is not "where2eat": nothing was approved.`}, result.Errors)
	require.Empty(t, s.desk.Decisions())

	result, err = s.sim.SubmitModal(rebecca, map[string]string{"confirm": " where2eat "})
	require.NoError(t, err)
	require.Equal(t, "close", result.Action)
	decision := s.desk.Decisions()[0]
	require.Equal(t, approval.Approve, decision.Verdict)
	require.Equal(t, "where2eat", decision.Confirm)
	require.Equal(t, "rebecca", decision.By)
}

func TestFormStaysOpenWhenNobodyTookTheDecision(t *testing.T) {
	s := listening(t)
	s.desk.decide = func(context.Context, recovery.RunRef, approval.Decision) (approval.Answer, error) {
		return approval.Answer{}, errors.New("temporal does not answer")
	}
	m := s.post(t, waiting("where2eat"))
	require.NoError(t, s.sim.Click(rebecca, m.TS, "reject"))
	s.modal(t, rebecca, holds("Reason"))
	result, err := s.sim.SubmitModal(rebecca, map[string]string{"reason": "no"})
	require.NoError(t, err)
	require.Contains(t, result.Errors["reason"], "does not count yet: temporal does not answer")
	_, open := s.sim.Modal(rebecca)
	require.True(t, open)
}

func TestRefusedFormIsClosedAndAnswered(t *testing.T) {
	s := listening(t)
	s.desk.decide = func(context.Context, recovery.RunRef, approval.Decision) (approval.Answer, error) {
		return approval.Answer{Text: "this request has expired, and counts as not approved"}, nil
	}
	m := s.post(t, waiting("where2eat"))
	require.NoError(t, s.sim.Click(rebecca, m.TS, "reject"))
	s.modal(t, rebecca, holds("Reason"))
	result, err := s.sim.SubmitModal(rebecca, map[string]string{"reason": "no"})
	require.NoError(t, err)
	require.Equal(t, "close", result.Action)
	require.Equal(t, "Your decision does not count: this request has expired, and counts as not approved", s.answer(t, rebecca, 0).Text)
}

func TestDetailsShowTheWholePlan(t *testing.T) {
	s := listening(t)
	other, book := request("other"), request("where2eat")
	for range 40 {
		book.Request.Facts = append(book.Request.Facts, approval.Fact{Label: "table", Value: strings.Repeat("long ", 60)})
	}
	book.Request.Facts = append(book.Request.Facts, approval.Fact{Label: "last", Value: "of all"})
	book.Refusals = []approval.Refusal{{By: "mallory", Why: "mallory may not decide this", At: noon}}
	s.desk.books = []approval.Book{other, book}
	m := s.post(t, waiting("where2eat"))
	require.NoError(t, s.sim.Click(sam, m.TS, "details"))
	shown := texts(t, s.modal(t, sam, holds("Digest of this plan")).Blocks)
	for _, want := range []string{
		"*Replace the database of where2eat*", "*last:* of all", "mallory, mallory may not decide this",
		"digest-of-where2eat", "starter decide restore/where2eat approve", "open the run in Temporal",
	} {
		require.Contains(t, shown, want)
	}
	require.NotContains(t, shown, "of other")
}

func TestDetailsOfWhatCannotBeLookedUp(t *testing.T) {
	for name, test := range map[string]struct {
		trouble error
		want    string
	}{
		"gone":    {nil, "This request is not open any more."},
		"trouble": {errors.New("temporal does not answer"), "This cannot be looked up now: temporal does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			s := listening(t)
			s.desk.trouble = test.trouble
			m := s.post(t, waiting("where2eat"))
			require.NoError(t, s.sim.Click(rebecca, m.TS, "details"))
			s.modal(t, rebecca, holds(test.want))
		})
	}
}

func TestFormThatDoesNotOpenIsSaidSo(t *testing.T) {
	s := listening(t)
	s.sim.Set(slacksim.Faults{TriggerLifetime: 1}) // a nanosecond
	m := s.post(t, waiting("where2eat"))
	require.NoError(t, s.sim.Click(rebecca, m.TS, "reject"))
	require.Contains(t, s.answer(t, rebecca, 0).Text, "Slack did not open the form: open the form: slack says expired_trigger_id")
}
