package approval_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
)

var (
	deployV1 = approval.Choice{Key: "deploy:v1", Label: "Deploy v1", Detail: "good since Monday"}
	flagOff  = approval.Choice{Key: "flag-off", Label: "Turn the flag off"}
)

func offering(choices ...approval.Choice) func(*approval.Request) {
	return func(r *approval.Request) { r.Choices = choices }
}

func choosing(key string) func(*approval.Decision) {
	return func(d *approval.Decision) { d.Choice = key }
}

func TestChoicesThatCount(t *testing.T) {
	for name, c := range map[string]struct {
		book      *approval.Book
		decisions []approval.Decision
		answer    string // the last one
		chosen    string
		choices   []string // of each vote
	}{
		"one of several": {
			ask(offering(deployV1, flagOff)),
			[]approval.Decision{by("rebecca", approval.Approve, choosing("flag-off"))},
			"approved by rebecca", "flag-off",
			[]string{"flag-off"},
		},
		"the only one, unnamed": {
			ask(offering(deployV1)), []approval.Decision{by("rebecca", approval.Approve)}, "approved by rebecca", "deploy:v1", []string{"deploy:v1"},
		},
		"the only one, named": {
			ask(offering(deployV1)),
			[]approval.Decision{by("rebecca", approval.Approve, choosing("deploy:v1"))},
			"approved by rebecca", "deploy:v1",
			[]string{"deploy:v1"},
		},
		"two who agree": {
			ask(offering(deployV1, flagOff), needing(2)),
			[]approval.Decision{by("rebecca", approval.Approve, choosing("deploy:v1")), by("kim", approval.Approve, choosing("deploy:v1"))},
			"approved by kim", "deploy:v1",
			[]string{"deploy:v1", "deploy:v1"},
		},
		"two who agree, the only one unnamed": {
			ask(offering(deployV1), needing(2)),
			[]approval.Decision{by("rebecca", approval.Approve, choosing("deploy:v1")), by("kim", approval.Approve)},
			"approved by kim", "deploy:v1",
			[]string{"deploy:v1", "deploy:v1"},
		},
		"one approves, another rejects all": {
			ask(offering(deployV1, flagOff), needing(2)),
			[]approval.Decision{by("rebecca", approval.Approve, choosing("deploy:v1")), by("kim", approval.Reject)},
			"rejected by kim", "deploy:v1",
			[]string{"deploy:v1", ""},
		},
		"a rejection chooses nothing": {
			ask(offering(deployV1, flagOff)),
			[]approval.Decision{by("rebecca", approval.Reject, choosing("flag-off"))},
			"rejected by rebecca", "",
			[]string{""},
		},
		"nor does putting it off": {
			ask(offering(deployV1), snoozable),
			[]approval.Decision{by("rebecca", approval.Snooze, choosing("deploy:v1"))},
			"snoozed by rebecca", "",
			[]string{""},
		},
		"a rejection where there is nothing to choose": {
			ask(), []approval.Decision{by("rebecca", approval.Reject, choosing("flag-off"))}, "rejected by rebecca", "", []string{""},
		},
		"typed, too": {
			ask(offering(deployV1, flagOff), confirmed),
			[]approval.Decision{by("rebecca", approval.Approve, typing("where2eat"), choosing("flag-off"))},
			"approved by rebecca", "flag-off",
			[]string{"flag-off"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var answer approval.Answer
			for _, d := range c.decisions {
				answer = c.book.Take(asked, d, true)
				require.True(t, answer.Accepted, answer.Text)
			}
			require.Equal(t, c.answer, answer.Text)
			require.Equal(t, c.chosen, c.book.Chosen())
			var choices []string
			for _, v := range c.book.Votes {
				choices = append(choices, v.Choice)
			}
			require.Equal(t, c.choices, choices)
		})
	}
}

func TestChoicesThatAreRefused(t *testing.T) {
	const both = "deploy:v1 (Deploy v1), flag-off (Turn the flag off)"
	chose := func(b *approval.Book, d approval.Decision) *approval.Book {
		b.Take(asked, d, true)
		return b
	}
	two := func() *approval.Book {
		return chose(ask(offering(deployV1, flagOff), needing(2)), by("rebecca", approval.Approve, choosing("deploy:v1")))
	}
	var many []approval.Choice
	for i := range 12 {
		many = append(many, approval.Choice{Key: fmt.Sprintf("k%d", i), Label: "L"})
	}
	for name, c := range map[string]struct {
		book     *approval.Book
		decision approval.Decision
		want     string
	}{
		"nothing chosen": {ask(offering(deployV1, flagOff)), by("rebecca", approval.Approve), "choose one of " + both + `: write "choice":"deploy:v1"`},
		"what there is not": {
			ask(offering(deployV1, flagOff)), by("rebecca", approval.Approve, choosing("deploy:v9")), `there is no choice "deploy:v9": choose one of ` + both,
		},
		"what there is not, of one": {
			ask(offering(deployV1)), by("rebecca", approval.Approve, choosing("flag-off")), `there is no choice "flag-off": choose one of deploy:v1 (Deploy v1)`,
		},
		"by its label": {
			ask(offering(deployV1)), by("rebecca", approval.Approve, choosing("Deploy v1")), `there is no choice "Deploy v1": choose one of deploy:v1 (Deploy v1)`,
		},
		"where there is nothing to choose": {
			ask(), by("rebecca", approval.Approve, choosing("flag-off")), "there is nothing to choose here: look at the newest card and decide again",
		},
		"another than the first approver": {
			two(), by("kim", approval.Approve, choosing("flag-off")), "rebecca chose “Deploy v1”: choose the same, or reject",
		},
		"nothing, after the first approver": {two(), by("kim", approval.Approve), "choose one of " + both + `: write "choice":"deploy:v1"`},
		"something else, by the same person": {
			two(), by("rebecca", approval.Approve, choosing("flag-off")), "your first decision stands: you chose “Deploy v1”",
		},
		"the same, by the same person": {two(), by("rebecca", approval.Approve, choosing("deploy:v1")), "your decision was counted already"},
		"somebody who may not":         {ask(offering(deployV1)), by("eve", approval.Approve, choosing("deploy:v1")), "eve may not decide this; kim or rebecca may"},
		"without typing": {
			ask(offering(deployV1), confirmed), by("rebecca", approval.Approve, choosing("deploy:v1")), `this replaces data: confirm it by typing "where2eat"`,
		},
		"of very many": {
			ask(offering(many...)), by("rebecca", approval.Approve, choosing(strings.Repeat("x", 500))),
			`there is no choice "` + strings.Repeat("x", 100) + `…": choose one of k0 (L), k1 (L), k2 (L), k3 (L), k4 (L), k5 (L), k6 (L), k7 (L), k8 (L), k9 (L), and 2 more`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(c.book.Votes)
			require.Equal(t, approval.Answer{Text: c.want}, c.book.Take(asked, c.decision, true))
			require.Len(t, c.book.Votes, before)
			require.Len(t, c.book.Refusals, 1)
			require.Equal(t, approval.Open, c.book.Outcome)
		})
	}
}

// Whoever approves after another decides the same, or nothing is done.
func TestRejectionEndsADisagreement(t *testing.T) {
	b := ask(offering(deployV1, flagOff), needing(2))
	require.True(t, b.Take(asked, by("rebecca", approval.Approve, choosing("deploy:v1")), true).Accepted)
	require.False(t, b.Take(asked, by("kim", approval.Approve, choosing("flag-off")), true).Accepted)
	require.True(t, b.Take(asked, by("kim", approval.Reject), true).Accepted)
	require.Equal(t, approval.Rejected, b.Outcome)
}

func TestChoicesSurviveJSON(t *testing.T) {
	b := ask(offering(deployV1, flagOff))
	b.Take(asked, by("rebecca", approval.Approve, choosing("flag-off")), true)
	data, err := json.Marshal(b)
	require.NoError(t, err)
	require.Contains(t, string(data), `"choice":"flag-off"`)
	var again approval.Book
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, b, &again)
	require.Equal(t, "flag-off", again.Chosen())
}

func TestChoiceIsSentThroughTemporal(t *testing.T) {
	var d approval.Decision
	require.NoError(t, json.Unmarshal([]byte(`{"verdict":"approve","by":"rebecca","choice":"flag-off"}`), &d))
	b := ask(offering(deployV1, flagOff), unverified)
	require.True(t, b.Take(asked, d, false).Accepted)
	require.Equal(t, "flag-off", b.Chosen())
}
