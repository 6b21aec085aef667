package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/internal/slacksim"
	"github.com/lifeboat-run/lifeboat/test/rig"
	"github.com/lifeboat-run/lifeboat/workflows"
)

const (
	rebecca = "U0REBECCA"
	sam     = "U0SAM"
	mallory = "U0MALLORY" // not in the config
)

// withSlack gives a rig a stand-in for Slack.
func withSlack(o *sandbox.Options) { o.SlackAddress = "127.0.0.1:0" }

// await waits for something in Slack.
func await(t *testing.T, s *slacksim.Server, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, s.Wait(ctx, is), what)
}

// awaitCard waits for the only card in the channel to hold a text, and returns it.
func awaitCard(t *testing.T, s *slacksim.Server, text string) slacksim.Message {
	t.Helper()
	var card slacksim.Message
	var cards int
	await(t, s, "no card holds "+text, func() bool {
		cards = 0
		for _, m := range s.Messages() {
			if m.ThreadTS == "" { // and no message of a thread that is shown in the channel as well
				card, cards = m, cards+1
			}
		}
		return strings.Contains(string(card.Blocks), text)
	})
	require.Equal(t, 1, cards, "one card for a run")
	return card
}

// told waits for a message that one person alone sees.
func told(t *testing.T, s *slacksim.Server, user, text string) {
	t.Helper()
	await(t, s, user+" is not told "+text, func() bool {
		for _, m := range s.Ephemerals(user) {
			if strings.Contains(m.Text, text) || strings.Contains(string(m.Blocks), text) {
				return true
			}
		}
		return false
	})
}

// A drill asked for and decided in Slack, while others try what they may not.
func TestDrillInSlack(t *testing.T) {
	t.Parallel()
	r := rig.New(t, withSlack)
	r.StartWorker()
	slack := r.Slack
	set := r.Backup().Set
	_, err := slack.Slash(sam, "/lifeboat", "drill where2eat")
	require.NoError(t, err)
	told(t, slack, sam, "The drill of where2eat is started.")
	card := awaitCard(t, slack, `"action_id":"approve"`)
	asked := r.AwaitPendingOf(workflows.TypeRestoreDrill)
	run := asked.Request.Run.WorkflowID
	require.Equal(t, "sam", asked.Request.RequestedBy)

	require.NoError(t, slack.Click(mallory, card.TS, "approve"))
	told(t, slack, mallory, "people")
	require.NoError(t, slack.Click(sam, card.TS, "approve"))
	told(t, slack, sam, "sam asked for this and may not approve it; rebecca may")

	signal := func(d any) {
		require.NoError(t, r.Client().SignalWorkflow(context.Background(), run, "", workflows.Decide, d))
	}
	signal(map[string]string{"verdict": "approve", "by": "rebecca", "via": "slack", "proof": "00"}) // claims to come from Slack
	signal(map[string]string{"verdict": "approve", "by": "rebecca", "digest": "another"})
	signal("approve")
	refused := r.AwaitBook(run, func(b approval.Book) bool { return len(b.Refusals) == 4 })
	var why []string
	for _, refusal := range refused.Refusals {
		why = append(why, refusal.Via+": "+refusal.Why)
	}
	all := strings.Join(why, "\n")
	require.Contains(t, all, "temporal: it could not be checked who sent this")
	require.Contains(t, all, "temporal: the plan has changed since it was shown")
	require.Contains(t, all, "temporal: this is not a decision")
	require.Empty(t, refused.Votes)

	slack.Set(slacksim.Faults{Redeliver: true})
	require.NoError(t, slack.Click(rebecca, card.TS, "approve"))
	_ = slack.Click(rebecca, card.TS, "approve") // a second click, if the button is still there
	slack.Set(slacksim.Faults{})

	var drill recovery.Drill
	require.NoError(t, r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), &drill))
	require.Equal(t, recovery.LevelProven, drill.Report.Level)
	require.Equal(t, []string{"drill approved: rebecca by slack"}, drill.Decided)
	record := r.Decision(asked.Request.ID)
	require.Len(t, record.Votes, 1)
	require.GreaterOrEqual(t, len(record.Refusals), 4)

	card = awaitCard(t, slack, "PROVEN")
	require.NotContains(t, string(card.Blocks), `"action_id":"approve"`, "a decided card has no buttons")
	var thread []string
	for _, m := range slack.Thread(card.TS) {
		thread = append(thread, m.Text)
	}
	timeline := r.Starter("timeline", run)
	require.Equal(t, 0, timeline.Code, timeline.Stderr)
	for _, line := range []string{
		"begun, as its input says asked for by sam (slack)", "approve by sam (slack): sam asked for this and may not approve it; rebecca may",
		"approve by rebecca (slack): approved by rebecca", "a decision that cannot be read, as a signal claims", "restore app (", "ended well",
	} {
		require.Contains(t, timeline.Stdout, line)
	}
	story := strings.Join(thread, "\n")
	require.Contains(t, story, "RTO 1h met")
	require.Contains(t, story, "RPO 24h met")
	require.Contains(t, story, "drills/where2eat/")
	r.RequireClean(set)
}

// Slack does not answer during the whole run: it is decided by the CLI, and the
// card is right once Slack is back.
func TestSlackOutage(t *testing.T) {
	t.Parallel()
	r := rig.New(t, withSlack)
	w := r.StartWorker()
	r.Backup()
	r.Slack.Set(slacksim.Faults{Outage: true})
	run := r.StartRun("drill")
	r.AwaitPending(run)
	require.Equal(t, 0, r.Starter("decide", run, "approve", "--as", "sam").Code)
	var drill recovery.Drill
	require.NoError(t, r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), &drill))
	require.Equal(t, recovery.LevelProven, drill.Report.Level)
	require.Empty(t, r.Slack.Messages())

	var ready struct{ Slack struct{ State string } }
	require.Eventually(t, func() bool {
		getJSON(t, "http://"+w.Address+"/ready", &ready)
		return ready.Slack.State == "degraded"
	}, time.Minute, time.Second, "/ready does not say so")

	r.Slack.Set(slacksim.Faults{})
	card := awaitCard(t, r.Slack, "PROVEN")
	require.Contains(t, string(card.Blocks), "sam")
	require.NotContains(t, string(card.Blocks), `"action_id":"approve"`)
	await(t, r.Slack, "the report is not in the thread", func() bool {
		for _, m := range r.Slack.Thread(card.TS) {
			if strings.Contains(m.Text, "RTO 1h met") {
				return true
			}
		}
		return false
	})
}

// A click that comes after the time is over changes nothing, and is answered.
func TestClickAfterExpiry(t *testing.T) {
	t.Parallel()
	r := rig.New(t, withSlack)
	r.Configure(func(c *sandbox.Config) { c.DrillExpires = "8s" })
	r.StartWorker()
	r.Backup()
	run := r.StartRun("drill")
	card := awaitCard(t, r.Slack, `"action_id":"approve"`)
	// The card keeps its buttons, as it does for whoever has not seen the edit yet.
	r.Slack.Set(slacksim.Faults{RateLimit: 1000, Method: "chat.update"})
	err := r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), nil)
	var failed *temporal.ApplicationError
	require.True(t, errors.As(err, &failed))
	require.Equal(t, workflows.ErrorNotApproved, failed.Type())
	require.Equal(t, "nobody decided in time; the drill was not started", failed.Message())

	require.NoError(t, r.Slack.Click(sam, card.TS, "approve"))
	told(t, r.Slack, sam, "this run has ended: nothing was changed")
	r.Slack.Set(slacksim.Faults{})
	card = awaitCard(t, r.Slack, "expired")
	require.NotContains(t, string(card.Blocks), `"action_id":"approve"`)
	out := r.Starter("decide", run, "approve", "--as", "sam")
	require.Equal(t, 6, out.Code)
	require.Contains(t, out.Stderr, "it waits for no decision")
}

// A production restore asked for and decided in Slack: a form to choose, a typed
// confirmation, and App Home before and after.
func TestRestoreInSlack(t *testing.T) {
	t.Parallel()
	r := rig.New(t, withSlack)
	r.Serve()
	r.StartWorker()
	set := r.Backup().Set
	good := marks(r)
	mark(r, "broken")
	slack := r.Slack

	require.NoError(t, slack.OpenHome(rebecca))
	await(t, slack, "App Home does not show the set", func() bool {
		home := string(slack.Home(rebecca))
		return strings.Contains(home, "where2eat") && strings.Contains(home, "start-restore")
	})
	_, err := slack.Slash(rebecca, "/lifeboat", "restore where2eat")
	require.NoError(t, err)
	await(t, slack, "the form does not offer the set", func() bool {
		form, open := slack.Modal(rebecca)
		return open && strings.Contains(string(form.Blocks), string(set))
	})
	submitted, err := slack.SubmitModal(rebecca, map[string]string{"set": string(set), "target": "replace", "sources": "app"})
	require.NoError(t, err)
	require.Empty(t, submitted.Errors)
	told(t, slack, rebecca, "The restore of where2eat is started.")

	card := awaitCard(t, slack, `"action_id":"approve-typed"`)
	require.Contains(t, string(card.Blocks), "PRODUCTION: database where2eat on ")
	require.NoError(t, slack.Click(sam, card.TS, "approve-typed"))
	wrong, err := slack.SubmitModal(sam, map[string]string{"confirm": "where2drink"})
	require.NoError(t, err)
	require.NotEmpty(t, wrong.Errors)
	require.Equal(t, "broken", marks(r)[0])
	right, err := slack.SubmitModal(sam, map[string]string{"confirm": sandbox.Service})
	require.NoError(t, err)
	require.Empty(t, right.Errors)

	run := r.AwaitPendingOf(workflows.TypeRestore).Request.Run.WorkflowID
	result := restored(r, run)
	require.Equal(t, recovery.StateRestored, result.State, result.Sentence)
	require.Equal(t, [2]string{good[0], "broken"}, marks(r), "only what was chosen")
	card = awaitCard(t, slack, "Keep what was restored")
	require.NoError(t, slack.Click(sam, card.TS, "reject"))
	_, err = slack.SubmitModal(sam, map[string]string{"reason": "all is well"})
	require.NoError(t, err)
	awaitCard(t, slack, "Leave it there")
	require.NoError(t, r.Client().CancelWorkflow(context.Background(), run, ""))
	card = awaitCard(t, slack, "what was set aside stays where it is")
	require.NotContains(t, string(card.Blocks), `"action_id":"approve`)
}
