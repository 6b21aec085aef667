package slackapp_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestCardTellsTheRun(t *testing.T) {
	s := newStage(t)
	m := s.post(t, card.Card{
		Key: "k", Run: recovery.RunRef{WorkflowID: "drill-1"}, Title: "Drill where2eat", State: card.Failed,
		Line: "The service did not start.", Trouble: "staging is full",
		Facts: []approval.Fact{{Label: "Data age", Value: "4 min"}, {Label: "RTO", Value: "30m, missed"}},
		Done:  []string{"a", "b", "c", "d", "e", "f", "g", "h"}, Mention: []string{"rebecca", "nobody"},
		Started: noon, By: "sam",
	})
	require.Equal(t, "❌ FAILED", strings.TrimPrefix(read(t, m.Blocks)[0]["text"].(map[string]any)["text"].(string), "Drill where2eat: "))
	shown := texts(t, m.Blocks)
	for _, want := range []string{
		"The service did not start.", "⚠️ staging is full", "*Data age*\n4 min", "*RTO*\n30m, missed",
		"_…and 2 more before_\n✓ c", "✓ h", "<@U0REBECCA> nobody",
		"Started <!date^1795348800^{date_short_pretty} {time}|2026-11-22 12:00 UTC> by <@U0SAM>",
		"<http://127.0.0.1:8233/namespaces/default/workflows/drill-1|open in Temporal>",
	} {
		require.Contains(t, shown, want)
	}
	require.NotContains(t, shown, "✓ b")
	require.Equal(t, "Drill where2eat: ❌ FAILED\nThe service did not start.", m.Text)
}

func TestOpenRequestSaysWhatIsDecided(t *testing.T) {
	s := newStage(t)
	c := waiting("where2eat")
	c.Open.Refusals = []approval.Refusal{{By: "mallory", Why: "may not"}}
	c.Open.MoreRefusals = 1
	m := s.post(t, c)
	shown := texts(t, m.Blocks)
	for _, want := range []string{
		"✋ waits for a decision", "*Replace the database of where2eat*\ndatabase app on db.example.com:5432",
		"*orders:* 120 rows now → 118 then",
		"Asked by <@U0SAM> · needs 1 approval of rebecca · expires <!date^1795392000^{date_short_pretty} {time}|2026-11-23 00:00 UTC>",
		"2 decisions refused, see Details",
	} {
		require.Contains(t, shown, want)
	}
	require.Contains(t, m.Text, "To decide: Replace the database of where2eat")
}

func TestButtonsFitTheRisk(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*approval.Request)
		action  string
		style   string
		confirm bool
	}{
		"harmless":    {change: func(*approval.Request) {}, action: "approve", style: "primary"},
		"destructive": {change: func(r *approval.Request) { r.Destructive = true }, action: "approve", style: "danger", confirm: true},
		"chosen":      {change: func(r *approval.Request) { r.Choices = ways }, action: "approve-choose", style: "primary"},
		"chosen and typed": {
			change: func(r *approval.Request) { r.Destructive, r.Confirm, r.Choices = true, "where2eat", ways },
			action: "approve-choose", style: "danger",
		},
		"typed": {
			change: func(r *approval.Request) { r.Destructive, r.Confirm = true, "where2eat" },
			action: "approve-typed", style: "danger",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			c := waiting("where2eat")
			test.change(&c.Open.Request)
			found := buttons(t, s.post(t, c).Blocks)
			require.Len(t, found, 3)
			approve := found[test.action]
			require.Equal(t, test.style, approve["style"])
			require.Equal(t, "Replace it", approve["text"].(map[string]any)["text"])
			require.Equal(t, "Leave it", found["reject"]["text"].(map[string]any)["text"])
			require.Contains(t, found, "details")
			var value map[string]string
			require.NoError(t, json.Unmarshal([]byte(approve["value"].(string)), &value))
			require.Equal(t, "restore/where2eat", value["workflow"])
			require.Equal(t, "run-of-where2eat", value["run"])
			require.Equal(t, "where2eat/restore/1", value["request"])
			require.Equal(t, "digest-of-where2eat", value["digest"])
			if !test.confirm {
				require.NotContains(t, approve, "confirm")
				return
			}
			dialog := approve["confirm"].(map[string]any)
			require.Equal(t, "danger", dialog["style"])
			require.Equal(t, "Replace the database of where2eat database app on db.example.com:5432", dialog["text"].(map[string]any)["text"])
		})
	}
}

func TestRequestThatNoButtonCanNameHasNone(t *testing.T) {
	s := newStage(t)
	c := waiting("where2eat")
	c.Open.Request.ID = strings.Repeat("x", 3000)
	m := s.post(t, c)
	require.Empty(t, buttons(t, m.Blocks))
	require.Contains(t, texts(t, m.Blocks), "Decide it by: starter decide restore/where2eat")
}

func TestSettledCardsHaveNoButtons(t *testing.T) {
	settled := func(outcome approval.Outcome) func(*card.Card) {
		return func(c *card.Card) {
			c.Open.Outcome, c.Open.Settled = outcome, noon
			c.Decided, c.Open, c.State = []approval.Book{*c.Open}, nil, card.Working
		}
	}
	for name, test := range map[string]struct {
		change func(*card.Card)
		want   string
	}{
		"approved":           {settled(approval.Approved), "Replace the database of where2eat"},
		"expired":            {settled(approval.Expired), "Expired <!date^1795348800^{date_short_pretty} {time}|2026-11-22 12:00 UTC>: nobody decided in time"},
		"superseded":         {settled(approval.Superseded), "Superseded: the plan changed and is asked again"},
		"withdrawn":          {settled(approval.Withdrawn), "Withdrawn: the run ended before it was decided"},
		"settled, not moved": {func(c *card.Card) { c.Open.Outcome = approval.Superseded }, "Superseded"},
		"run done":           {func(c *card.Card) { c.State = card.Done }, "Not decided: the run ended"},
		"run failed":         {func(c *card.Card) { c.State = card.Failed }, "Not decided: the run ended"},
		"run cancelled":      {func(c *card.Card) { c.State = card.Cancelled }, "Not decided: the run ended"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			c := waiting("where2eat")
			ref, err := s.app.PostCard(t.Context(), card.Ref{}, c, false)
			require.NoError(t, err)
			require.Len(t, buttons(t, s.message(t, ref).Blocks), 3)

			test.change(&c)
			_, err = s.app.PostCard(t.Context(), ref, c, false)
			require.NoError(t, err)
			m := s.message(t, ref)
			require.Empty(t, buttons(t, m.Blocks))
			require.Contains(t, texts(t, m.Blocks), test.want)
			require.NotContains(t, m.Text, "To decide")
		})
	}
}

func TestVotesSayWhoAndByWhichDoor(t *testing.T) {
	s := newStage(t)
	c := waiting("where2eat")
	c.Open.Request.Policy.Needed = 3
	c.Open.Votes = []approval.Vote{
		{By: "rebecca", Via: approval.ViaSlack, Verified: true, Verdict: approval.Approve, At: noon.Add(2 * time.Hour)},
		{By: "sam", Via: approval.ViaCLI, Verified: true, Verdict: approval.Approve, At: noon, Self: true},
		{By: "kim", Via: approval.ViaTemporal, Verdict: approval.Reject, Reason: "not <today>", At: noon},
	}
	shown := texts(t, s.post(t, c).Blocks)
	for _, want := range []string{
		"Approved by <@U0REBECCA> <!date^1795356000^{time}|2026-11-22 14:00 UTC> (1 of 3)\n",
		"Approved by <@U0SAM> <!date^1795348800^{time}|2026-11-22 12:00 UTC> (2 of 3) · by starter · asked for it, too",
		"Rejected by kim <!date^1795348800^{time}|2026-11-22 12:00 UTC>: not &lt;today&gt; · Temporal, unverified",
		"needs 3 approvals, has 2 of",
	} {
		require.Contains(t, shown, want)
	}
}

func TestOutsideTextIsShownAsItIs(t *testing.T) {
	const nasty = "<!channel> & *bold* `code` <@U0SAM> <http://x|y>\x00"
	const harmless = "&lt;!channel&gt; &amp; ∗bold∗ ˋcodeˋ &lt;@U0SAM&gt; &lt;http://x|y&gt;"
	s := newStage(t)
	c := waiting("where2eat")
	c.Title, c.Line, c.Trouble, c.By = nasty, nasty, nasty, nasty
	c.Facts, c.Done = []approval.Fact{{Label: nasty, Value: nasty}}, []string{nasty}
	c.Mention = []string{nasty}
	q := &c.Open.Request
	q.What, q.Where, q.Facts, q.RequestedBy = nasty, nasty, c.Facts, nasty
	q.Policy.Approvers = []string{nasty, "sam"}
	c.Open.Votes = []approval.Vote{{By: nasty, Verdict: approval.Reject, Reason: nasty, At: noon}}
	c.Decided = []approval.Book{*c.Open}
	m := s.post(t, c)

	for _, item := range read(t, m.Blocks) {
		if item["type"] == "header" { // plain text
			require.Contains(t, item["text"].(map[string]any)["text"], "<!channel> & *bold*")
			require.Equal(t, "plain_text", item["text"].(map[string]any)["type"])
			continue
		}
		if item["type"] == "actions" {
			continue
		}
		data, err := json.Marshal([]block{item})
		require.NoError(t, err)
		shown := texts(t, data)
		for _, never := range []string{"<!channel>", "& ", "*bold*", "`", "<@U0SAM>", "<http://x", "\x00"} {
			require.NotContains(t, shown, never)
		}
	}
	require.Contains(t, texts(t, m.Blocks), harmless)
	require.Contains(t, m.Text, harmless)
	require.NotContains(t, m.Text, "<!channel>")
	for _, call := range s.sim.Calls() {
		require.Equal(t, "false", call.Args["unfurl_links"])
		require.Equal(t, "false", call.Args["unfurl_media"])
	}
}

func TestAbsurdCardsFit(t *testing.T) {
	for name, letter := range map[string]string{"letters": "x", "markup": "<", "ampersands": "&", "emoji": "💥", "quotes": `"`, "words": "word ", "lines": "a\n", "control": "\x01"} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			long := strings.Repeat(letter, 5_000)
			c := waiting("where2eat")
			c.Title, c.Line, c.Trouble, c.By = long, long, long, long
			for i := range 100 {
				c.Facts = append(c.Facts, approval.Fact{Label: long, Value: long})
				c.Done = append(c.Done, long)
				c.Mention = append(c.Mention, fmt.Sprintf("%s %d", long[:100], i))
			}
			q := &c.Open.Request
			q.What, q.Where, q.Facts, q.Approve, q.Reject, q.RequestedBy = long, long, c.Facts, long, long, long
			q.Destructive = true
			q.Policy.Approvers = c.Mention
			for range 40 {
				q.Choices = append(q.Choices, approval.Choice{Key: long, Label: long, Detail: long})
			}
			for range 30 {
				c.Open.Votes = append(c.Open.Votes, approval.Vote{By: long, Verdict: approval.Reject, Reason: long, At: noon})
			}
			for range 50 {
				c.Decided = append(c.Decided, *c.Open)
			}
			m := s.post(t, c) // the stand-in refuses what Slack would
			require.Len(t, buttons(t, m.Blocks), 3, "what must be decided can be decided")
			shown := texts(t, m.Blocks)
			require.Contains(t, shown, "…and ")
			require.Contains(t, shown, "expires <!date^")
			calls := s.sim.Calls()
			require.LessOrEqual(t, len([]rune(calls[len(calls)-1].Args["blocks"])), 13_000)
		})
	}
}

func TestRowsPerTableAreAllShown(t *testing.T) {
	s := newStage(t)
	c := waiting("where2eat")
	c.Open.Request.Facts = nil
	for i := range 15 {
		c.Open.Request.Facts = append(c.Open.Request.Facts, approval.Fact{Label: fmt.Sprintf("table_%d", i), Value: "120,000 rows now → 119,998 then"})
	}
	shown := texts(t, s.post(t, c).Blocks)
	for i := range 15 {
		require.Contains(t, shown, fmt.Sprintf("*table_%d:* 120,000 rows now → 119,998 then", i))
	}
	require.NotContains(t, shown, "…and")
}
