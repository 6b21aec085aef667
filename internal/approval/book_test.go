package approval_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

var asked = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

// ask opens a request that sam made, which change may alter.
func ask(change ...func(r *approval.Request)) *approval.Book {
	b := &approval.Book{Request: approval.Request{
		ID: "run-1", Service: "where2eat", Step: "restore", Digest: "d1", RequestedBy: "sam",
		Policy: recovery.PolicySpec{Approvers: []string{"kim", "rebecca", "sam"}, Needed: 1},
		Asked:  asked, Expires: asked.Add(time.Hour),
	}}
	for _, c := range change {
		c(&b.Request)
	}
	return b
}

func unverified(r *approval.Request)  { r.Policy.Unverified = true }
func confirmed(r *approval.Request)   { r.Confirm = "where2eat" }
func nobodyAsked(r *approval.Request) { r.RequestedBy = "" }
func onlyRebecca(r *approval.Request) { r.Policy.Approvers = []string{"rebecca"} }
func needing(n int) func(r *approval.Request) {
	return func(r *approval.Request) { r.Policy.Needed = n }
}

func snoozable(r *approval.Request) { r.Snooze = recovery.Duration(24 * time.Hour) }

func selfAfter(d time.Duration) func(*approval.Request) {
	return func(r *approval.Request) { r.Policy.SelfAfter = recovery.Duration(d) }
}

// by is a decision as a door sends it, ten minutes after it was asked for.
func by(name string, verdict approval.Verdict, change ...func(d *approval.Decision)) approval.Decision {
	d := approval.Decision{
		Request: "run-1", Digest: "d1", Verdict: verdict,
		Claim: approval.Claim{By: name, Via: approval.ViaSlack, At: asked.Add(10 * time.Minute)},
	}
	if verdict == approval.Reject {
		d.Reason = "not tonight"
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func at(after time.Duration) func(*approval.Decision) {
	return func(d *approval.Decision) { d.At = asked.Add(after) }
}

func typing(text string) func(*approval.Decision) {
	return func(d *approval.Decision) { d.Confirm = text }
}

func TestDecisionsThatCount(t *testing.T) {
	type given struct {
		decision approval.Decision
		verified bool
	}
	door := func(d approval.Decision) given { return given{d, true} }
	temporal := func(d approval.Decision) given { return given{d, false} }
	for name, c := range map[string]struct {
		book      *approval.Book
		decisions []given
		answer    string // the last one
		want      approval.Outcome
	}{
		"an approver approves":    {ask(), []given{door(by("rebecca", approval.Approve))}, "approved by rebecca", approval.Approved},
		"an approver rejects":     {ask(), []given{door(by("rebecca", approval.Reject))}, "rejected by rebecca", approval.Rejected},
		"an approver puts it off": {ask(snoozable), []given{door(by("rebecca", approval.Snooze))}, "snoozed by rebecca", approval.Snoozed},
		"whoever asked puts it off": {
			ask(snoozable), []given{door(by("sam", approval.Snooze))}, "snoozed by sam", approval.Snoozed,
		},
		"one is enough to put off what needs two": {
			ask(snoozable, needing(2)), []given{door(by("rebecca", approval.Approve)), door(by("kim", approval.Snooze))}, "snoozed by kim", approval.Snoozed,
		},
		"putting off needs no typing, and no waiting": {
			ask(snoozable, confirmed, selfAfter(time.Hour)), []given{door(by("sam", approval.Snooze))}, "snoozed by sam", approval.Snoozed,
		},
		"put off through Temporal, where that is enough": {
			ask(snoozable, unverified),
			[]given{temporal(approval.Decision{Verdict: approval.Snooze, Claim: approval.Claim{By: "rebecca"}})},
			"snoozed by rebecca", approval.Snoozed,
		},
		"what may be put off may be approved": {ask(snoozable), []given{door(by("rebecca", approval.Approve))}, "approved by rebecca", approval.Approved},
		"whoever asked rejects": {
			ask(), []given{door(by("sam", approval.Reject))}, "rejected by sam", approval.Rejected,
		},
		"through Temporal, where that is enough": {
			ask(unverified), []given{temporal(by("rebecca", approval.Approve))}, "approved by rebecca", approval.Approved,
		},
		"through Temporal, as short as can be": {
			ask(unverified),
			[]given{temporal(approval.Decision{Verdict: approval.Approve, Claim: approval.Claim{By: "rebecca"}})},
			"approved by rebecca", approval.Approved,
		},
		"what must be typed was typed": {
			ask(confirmed), []given{door(by("rebecca", approval.Approve, typing("where2eat")))}, "approved by rebecca", approval.Approved,
		},
		"a rejection needs no typing": {ask(confirmed), []given{door(by("rebecca", approval.Reject))}, "rejected by rebecca", approval.Rejected},
		"one of two": {
			ask(needing(2)), []given{door(by("rebecca", approval.Approve))}, "counted: 1 of 2 approvals", approval.Open,
		},
		"two of two": {
			ask(needing(2)), []given{door(by("rebecca", approval.Approve)), door(by("kim", approval.Approve))}, "approved by kim", approval.Approved,
		},
		"one approves, another rejects": {
			ask(needing(2)), []given{door(by("rebecca", approval.Approve)), door(by("kim", approval.Reject))}, "rejected by kim", approval.Rejected,
		},
		"nobody vouches for who asked: two must agree on what replaces data": {
			ask(nobodyAsked, confirmed), []given{door(by("rebecca", approval.Approve, typing("where2eat")))}, "counted: 1 of 2 approvals", approval.Open,
		},
		"and one is enough for what does not": {
			ask(nobodyAsked), []given{door(by("rebecca", approval.Approve))}, "approved by rebecca", approval.Approved,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var answer approval.Answer
			for _, g := range c.decisions {
				answer = c.book.Take(asked.Add(10*time.Minute), g.decision, g.verified)
				require.True(t, answer.Accepted, answer.Text)
			}
			require.Equal(t, approval.Answer{Accepted: true, Text: c.answer, Outcome: c.want}, answer)
			require.Equal(t, c.want, c.book.Outcome)
			require.Len(t, c.book.Votes, len(c.decisions))
			require.Empty(t, c.book.Refusals)
			require.Equal(t, c.want != approval.Open, !c.book.Settled.IsZero())
		})
	}
}

func TestDecisionsThatAreRefused(t *testing.T) {
	const verified, unvouched = true, false
	soon := asked.Add(10 * time.Minute)
	without := func(change func(d *approval.Decision)) approval.Decision {
		return by("rebecca", approval.Approve, change)
	}
	for name, c := range map[string]struct {
		book     *approval.Book
		decision approval.Decision
		verified bool
		at       time.Time
		want     string
	}{
		"another request": {
			ask(), without(func(d *approval.Decision) { d.Request = "run-0" }), verified, soon, "this request is not open any more: run-0",
		},
		"no verdict": {ask(), by("rebecca", approval.Undecided), verified, soon, `the verdict is missing: write "approve" or "reject"`},
		"a verdict that there is not": {
			ask(), by("rebecca", approval.Verdict(7)), verified, soon, `the verdict is missing: write "approve" or "reject"`,
		},
		"nobody": {ask(unverified), by("", approval.Approve), unvouched, soon, `who decides is missing: write "by":"your name"`},
		"another plan": {
			ask(), without(func(d *approval.Decision) { d.Digest = "d0" }), verified, soon,
			"the plan has changed since it was shown: look at the newest card and decide again",
		},
		"a door that shows no plan": {
			ask(), without(func(d *approval.Decision) { d.Digest = "" }), verified, soon,
			"the plan has changed since it was shown: look at the newest card and decide again",
		},
		"a door that names no request": {
			ask(), without(func(d *approval.Decision) { d.Request = "" }), verified, soon,
			"the decision does not say which request it is for: look at the newest card and decide again",
		},
		"another plan, through Temporal": {
			ask(unverified), without(func(d *approval.Decision) { d.Digest = "d0" }), unvouched, soon,
			"the plan has changed since it was shown: look at the newest card and decide again",
		},
		"as it expires": {ask(), by("rebecca", approval.Approve), verified, asked.Add(time.Hour), "this request has expired, and counts as not approved"},
		"too late":      {ask(), by("rebecca", approval.Approve), verified, asked.Add(2 * time.Hour), "this request has expired, and counts as not approved"},
		"an outsider":   {ask(), by("eve", approval.Approve), verified, soon, "eve may not decide this; kim or rebecca may"},
		"an outsider who would stop it": {
			ask(), by("eve", approval.Reject), verified, soon, "eve may not decide this; kim or rebecca may",
		},
		"through Temporal, where that is not enough": {
			ask(), by("rebecca", approval.Approve), unvouched, soon,
			"a decision sent through Temporal is not enough here, because nobody vouches for who sent it: use the button in Slack, or starter decide",
		},
		"a rejection through Temporal, where that is not enough": {
			ask(), by("rebecca", approval.Reject), unvouched, soon,
			"a decision sent through Temporal is not enough here, because nobody vouches for who sent it: use the button in Slack, or starter decide",
		},
		"to put off what may not be": {ask(), by("rebecca", approval.Snooze), verified, soon, "this cannot be put off: approve or reject it"},
		"an outsider who would put it off": {
			ask(snoozable), by("eve", approval.Snooze), verified, soon, "eve may not decide this; kim or rebecca may",
		},
		"to put it off when it has expired": {
			ask(snoozable), by("rebecca", approval.Snooze), verified, asked.Add(time.Hour), "this request has expired, and counts as not approved",
		},
		"to put it off through Temporal, where that is not enough": {
			ask(snoozable), by("rebecca", approval.Snooze), unvouched, soon,
			"a decision sent through Temporal is not enough here, because nobody vouches for who sent it: use the button in Slack, or starter decide",
		},
		"no reason": {
			ask(), by("rebecca", approval.Reject, func(d *approval.Decision) { d.Reason = " \n" }), verified, soon, "a rejection needs a reason",
		},
		"whoever asked": {ask(), by("sam", approval.Approve), verified, soon, "sam asked for this and may not approve it; kim or rebecca may"},
		"whoever asked, too soon": {
			ask(selfAfter(15 * time.Minute)), by("sam", approval.Approve), verified, soon,
			"sam may approve this alone from 18:15:00 UTC on: time to think again",
		},
		"whoever asked, too soon and sent again": {
			ask(selfAfter(15 * time.Minute)), by("sam", approval.Approve), verified, asked.Add(20 * time.Minute),
			"sam may approve this alone from 18:15:00 UTC on: time to think again",
		},
		"the only approver, who may have asked": {
			ask(nobodyAsked, confirmed, onlyRebecca), by("rebecca", approval.Approve, typing("where2eat")), verified, soon,
			"it is not known who asked for this: rebecca may have, and may not approve it alone",
		},
		"the only approver, too soon": {
			ask(nobodyAsked, confirmed, onlyRebecca, selfAfter(15*time.Minute)), by("rebecca", approval.Approve, typing("where2eat")), verified, soon,
			"rebecca may approve this alone from 18:15:00 UTC on: time to think again",
		},
		"nothing typed": {ask(confirmed), by("rebecca", approval.Approve), verified, soon, `this replaces data: confirm it by typing "where2eat"`},
		"something else typed": {
			ask(confirmed), by("rebecca", approval.Approve, typing("Where2Eat")), verified, soon, `this replaces data: confirm it by typing "where2eat"`,
		},
		"nobody may": {
			ask(func(r *approval.Request) { r.Policy.Approvers = nil }), by("rebecca", approval.Approve), verified, soon,
			"rebecca may not decide this; nobody may",
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := *c.book
			answer := c.book.Take(c.at, c.decision, c.verified)
			require.Equal(t, approval.Answer{Text: c.want}, answer)
			via := approval.ViaTemporal
			if c.verified {
				via = approval.ViaSlack
			}
			before.Refusals = []approval.Refusal{{By: c.decision.By, Via: via, Verdict: c.decision.Verdict, At: c.at, Why: c.want}}
			require.Equal(t, &before, c.book, "nothing but the record changes")
		})
	}
}

func TestWhoeverAskedMayApproveInTheEnd(t *testing.T) {
	for name, b := range map[string]*approval.Book{
		"known":                ask(selfAfter(15 * time.Minute)),
		"the only approver":    ask(nobodyAsked, confirmed, onlyRebecca, selfAfter(15*time.Minute)),
		"through Temporal too": ask(selfAfter(15*time.Minute), unverified),
	} {
		t.Run(name, func(t *testing.T) {
			who := b.Request.Policy.Approvers[len(b.Request.Policy.Approvers)-1]
			answer := b.Take(asked.Add(15*time.Minute), by(who, approval.Approve, at(15*time.Minute), typing(b.Request.Confirm)), !b.Request.Policy.Unverified)
			require.True(t, answer.Accepted, answer.Text)
			require.Equal(t, approval.Approved, b.Outcome)
			require.Equal(t, b.Request.RequestedBy != "", b.Votes[0].Self, "it is recorded that it was whoever asked")
		})
	}
}

func TestFirstDecisionOfEachPersonCounts(t *testing.T) {
	b := ask(needing(2))
	require.True(t, b.Take(asked, by("rebecca", approval.Approve), true).Accepted)
	for verdict, want := range map[approval.Verdict]string{
		approval.Approve: "your decision was counted already",
		approval.Reject:  "your first decision stands: approve",
	} {
		require.Equal(t, approval.Answer{Text: want}, b.Take(asked, by("rebecca", verdict), true))
	}
	require.Equal(t, 1, b.Approvals(), "the same person twice is not two")
	require.Equal(t, approval.Open, b.Outcome)

	require.True(t, b.Take(asked, by("kim", approval.Approve), true).Accepted)
	settled := *b
	answer := b.Take(asked.Add(time.Minute), by("rebecca", approval.Approve), true)
	require.Equal(t, approval.Answer{Text: "your decision was counted already", Outcome: approval.Approved}, answer)
	answer = b.Take(asked.Add(time.Minute), by("sam", approval.Reject), true)
	require.Equal(t, approval.Answer{Text: "this was decided already: approved", Outcome: approval.Approved}, answer)
	require.Equal(t, settled.Votes, b.Votes)
	require.Equal(t, settled.Settled, b.Settled)
}

func TestApprovalsNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		book *approval.Book
		want int
	}{
		"one at least":                 {ask(needing(0)), 1},
		"as the policy says":           {ask(needing(3)), 3},
		"nobody asked":                 {ask(nobodyAsked), 1},
		"nobody asked to replace data": {ask(nobodyAsked, confirmed), 2},
		"and there is but one":         {ask(nobodyAsked, confirmed, onlyRebecca), 1},
		"the policy is stricter":       {ask(nobodyAsked, confirmed, needing(3)), 3},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.book.Request.Needed()) })
	}
}

func TestZeroValuesAreNotDecided(t *testing.T) {
	var v approval.Verdict
	var o approval.Outcome
	var b approval.Book
	var a approval.Answer
	require.Equal(t, approval.Undecided, v)
	require.Equal(t, approval.Open, o)
	require.Equal(t, approval.Open, b.Outcome)
	require.False(t, a.Accepted)
	require.Equal(t, "open", approval.Outcome(99).String())
	require.Equal(t, "", approval.Verdict(-1).String())
	require.False(t, b.Take(time.Time{}, approval.Decision{}, true).Accepted)
	require.False(t, b.Take(time.Time{}, approval.Decision{Verdict: approval.Approve, Claim: approval.Claim{By: "rebecca"}}, false).Accepted)
	require.Equal(t, approval.Open, b.Outcome)
}

func TestOnlyAnOpenRequestIsClosed(t *testing.T) {
	b := ask()
	b.Close(approval.Expired, asked.Add(time.Hour))
	require.Equal(t, approval.Expired, b.Outcome)
	b.Close(approval.Withdrawn, asked.Add(2*time.Hour))
	require.Equal(t, approval.Expired, b.Outcome)
	require.Equal(t, asked.Add(time.Hour), b.Settled)
	require.Equal(t, "this was decided already: expired", b.Take(asked, by("rebecca", approval.Approve), true).Text)
}

func TestRefusalsAreKeptThenCounted(t *testing.T) {
	b := ask()
	long := strings.Repeat("ü", 1000)
	for i := range 60 {
		b.Take(asked, by(fmt.Sprintf("%d%s", i, long), approval.Approve, func(d *approval.Decision) { d.Request = long }), false)
	}
	require.Len(t, b.Refusals, 50)
	require.Equal(t, 10, b.MoreRefusals)
	require.Equal(t, "0"+strings.Repeat("ü", 99)+"…", b.Refusals[0].By, "what is claimed is clipped")
	require.LessOrEqual(t, len([]rune(b.Refusals[0].Why)), 301)
	require.True(t, b.Take(asked, by("rebecca", approval.Approve), true).Accepted, "they stop nobody")
}

func TestReasonIsClipped(t *testing.T) {
	b := ask()
	b.Take(asked, by("rebecca", approval.Reject, func(d *approval.Decision) { d.Reason = strings.Repeat("n", 5000) }), true)
	require.Equal(t, strings.Repeat("n", 1000)+"…", b.Votes[0].Reason)
}

// What a decision says about the door it came by counts only if that door vouches
// for it.
func TestUnverifiedDecisionCameByTemporal(t *testing.T) {
	b := ask(unverified)
	b.Take(asked, by("eve", approval.Approve), false)
	b.Take(asked, by("rebecca", approval.Approve), false)
	require.Equal(t, approval.ViaTemporal, b.Refusals[0].Via)
	require.Equal(t, approval.ViaTemporal, b.Votes[0].Via)
	require.False(t, b.Votes[0].Verified)
}

func TestBookSurvivesJSON(t *testing.T) {
	b := ask(needing(2), confirmed, selfAfter(time.Minute))
	b.Request.Facts = []approval.Fact{{Label: "Set", Value: "20261122T180000Z-ab12cd"}}
	b.Take(asked, by("rebecca", approval.Approve, typing("where2eat")), true)
	b.Take(asked, by("eve", approval.Reject), false)
	b.Take(asked, by("kim", approval.Reject), true)
	data, err := json.Marshal(b)
	require.NoError(t, err)
	require.Contains(t, string(data), `"outcome":"rejected"`)
	require.Contains(t, string(data), `"verdict":"approve"`)
	var again approval.Book
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, b, &again)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"outcome":"passed"}`), &again), `read outcome "passed": use one of ["open" "approved"`)
}

// A request that nobody could ever approve says so at once.
func TestImpossibleRequest(t *testing.T) {
	r := approval.Request{RequestedBy: "sam", Policy: recovery.PolicySpec{Approvers: []string{"kim", "sam"}, Needed: 2}}
	require.Equal(t, "approvals needed: 2, but only kim may give one, because sam asked for it: let somebody else ask, or change the policy", r.Impossible())
	r.RequestedBy = "ann"
	require.Empty(t, r.Impossible())
	r.RequestedBy, r.Policy.SelfAfter = "sam", recovery.Duration(time.Minute)
	require.Empty(t, r.Impossible())
	alone := approval.Request{Confirm: "where2eat", Policy: recovery.PolicySpec{Approvers: []string{"kim"}, Needed: 1}}
	require.Contains(t, alone.Impossible(), "but nobody may give one, because nobody vouches for who asked")
}
