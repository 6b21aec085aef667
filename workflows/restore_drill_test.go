package workflows_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func noPolicy(w *world) { w.plan.Approvals.Drill = nil }

func TestDrillThatNobodyDecides(t *testing.T) {
	w, env := drillEnv(t, noPolicy)
	set := w.committed.Set
	d, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.Empty(t, w.decisions)
	require.Equal(t, set, d.Report.Set)
	require.Equal(t, recovery.LevelProven, d.Report.Level)
	require.Equal(t, "2m", d.Expected.String())
	require.ElementsMatch(t, []string{"app", "notes"}, w.dropped, "staging is cleaned up")
	proof := w.proofs[len(w.proofs)-1]
	require.Equal(t, recovery.ProofDrill, proof.Kind)
	require.Equal(t, d.Report.Sentence, proof.Sentence)

	require.Equal(t, "drills/where2eat/2026-11-23T180000Z.md", d.Document)
	document := w.documents[d.Document]
	require.Contains(t, document, "# Restore drill of where2eat: PASSED\n")
	require.Contains(t, document, "| Set | `"+string(set)+"` from main |\n")
	require.Contains(t, document, "| Restore time | ")
	require.Contains(t, document, "RTO 1h met, ")
	require.Contains(t, document, "| Expected | 2m, from the restores before |\n")
	require.Contains(t, document, "| notes | proven, proven | 7 | ")
	require.Contains(t, document, "1. log in: passed (")
}

func TestDrillTellsWhatWasDecided(t *testing.T) {
	w := newTeam()
	w.proven(t)
	claim := approval.Claim{By: "sam", Via: approval.ViaCLI, At: w.start}.Vouch(w.key, approval.StartSubject(workflows.TypeRestoreDrill, runID(workflows.TypeRestoreDrill), workflows.RestoreDrillInput{Service: "where2eat", Copy: "main"}))
	env := w.env(t)
	var asked approval.Request
	play(t, env, turn{"drill", func(b *approval.Book) {
		asked = b.Request
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
	}})
	d, err := drill(t, env, workflows.RestoreDrillInput{Service: "where2eat", Copy: "main", Requested: &claim})
	require.NoError(t, err)
	require.Equal(t, "sam", asked.RequestedBy)
	require.Equal(t, "staging; production is not touched", asked.Where)
	require.False(t, asked.Destructive)
	require.Equal(t, asked.Asked.Add(10*time.Second), d.Started, "the clock starts once it is approved")
	require.Contains(t, w.documents[d.Document], "| Asked for by | sam |\n| Decision | drill approved: kim by slack |\n")
}

func TestDrillOfAChosenSet(t *testing.T) {
	w := newTeam()
	noPolicy(w)
	first := w.proven(t)
	second := w.proven(t)
	require.NotEqual(t, first, second)
	for name, c := range map[string]struct{ chosen, want recovery.SetID }{"chosen": {first, first}, "newest": {"", second}} {
		t.Run(name, func(t *testing.T) {
			d, err := drill(t, w.env(t), workflows.RestoreDrillInput{Service: "where2eat", Set: c.chosen})
			require.NoError(t, err)
			require.Equal(t, c.want, d.Report.Set)
		})
	}
}

func TestDrillRefusesBadInput(t *testing.T) {
	for name, c := range map[string]struct{ input, want string }{
		"no service":       {`{}`, "service is missing"},
		"misspelt":         {`{"service":"where2eat","copys":"main"}`, `unknown field "copys"`},
		"malformed set":    {`{"service":"where2eat","set":"latest"}`, `read set id "latest"`},
		"unknown copy":     {`{"service":"where2eat","copy":"second"}`, `read input: copy: find destination "second": it is not in the config (known: main)`},
		"no such set":      {`{"service":"where2eat","set":"20261122T180000Z-000000"}`, "`starter sets where2eat` lists the sets that are there"},
		"a set not proven": {`{"service":"where2eat","set":"20261120T180000Z-000000"}`, "read it back first with `starter verify where2eat --set 20261120T180000Z-000000"},
	} {
		t.Run(name, func(t *testing.T) {
			w, env := drillEnv(t)
			stored := *w.committed
			stored.Set = "20261120T180000Z-000000"
			w.manifests[stored.Set] = &stored
			_, err := drill(t, env, json.RawMessage(c.input))
			_, message, _ := failure(t, err)
			require.Contains(t, message, c.want)
			require.Empty(t, w.dropped)
		})
	}
}

func TestDrillWithoutASetThatWasReadBack(t *testing.T) {
	w := newTeam()
	w.plan.Encryption.Identities = "" // sets are only stored
	_, err := w.backup(t, where2eat)
	require.NoError(t, err)
	_, err = drill(t, w.env(t), drillWhere2eat)
	_, message, _ := failure(t, err)
	require.Equal(t, "choose a set: choose a set of where2eat: none has been read back (make one with `starter backup where2eat`)", message)
}

// A drill that fails is loud, and written down like any other.
func TestFailedDrillIsLoud(t *testing.T) {
	w, env := drillEnv(t, func(w *world) {
		w.plan.Owner = "ann"
		w.smoke = recovery.SmokeProof{Verdict: recovery.Disproven, Sentence: `the service did not pass "log in"`, Steps: []recovery.SmokeStep{{Name: "log in", Error: "status 500"}}}
	})
	play(t, env, w.approve(env, "drill", "kim"))
	_, err := drill(t, env, drillWhere2eat)
	app := appError(t, err)
	require.Equal(t, workflows.ErrorDisproven, app.Type())
	require.Contains(t, app.Message(), `the service did not pass "log in"`)
	var d recovery.Drill
	require.NoError(t, app.Details(&d))
	require.Contains(t, w.documents[d.Document], "# Restore drill of where2eat: FAILED\n")
	require.Contains(t, w.documents[d.Document], "1. log in: FAILED: status 500 (")

	last := w.board.notes[len(w.board.notes)-1]
	require.True(t, last.Loud)
	require.Equal(t, []string{"ann", "kim", "rebecca"}, last.Mention)
	require.Contains(t, last.Text, "is DISPROVEN")
	require.Contains(t, last.Text, "Report: "+d.Document)
	require.Equal(t, card.Failed, w.board.last().State)
	require.ElementsMatch(t, []string{"app", "notes"}, w.dropped, "staging is cleaned up")
}

func TestDrillWaitsWhileProductionIsChanged(t *testing.T) {
	_, env := drillEnv(t, noPolicy, func(w *world) { w.held = []bool{true, true} })
	var during workflows.Status
	after(env, 2*time.Second, func() { during = status(t, env) })
	d, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.Equal(t, "waiting for change/where2eat to end", during.Doing)
	require.Equal(t, "drills/where2eat/2026-11-23T180015Z.md", d.Document, "5 s and then 10 s later")
}

func TestCardOfADrill(t *testing.T) {
	w, env := drillEnv(t)
	var id string
	play(t, env, turn{"drill", func(b *approval.Book) {
		id = b.Request.ID
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "eve", approval.Approve))
	}}, w.approve(env, "drill", "rebecca"))
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)

	cards := w.board.cards
	first, last := cards[0], cards[len(cards)-1]
	require.Equal(t, card.Working, first.State)
	require.Equal(t, "Restore drill of where2eat", first.Title)
	require.Equal(t, "where2eat", first.Service)
	require.Equal(t, workflows.TypeRestoreDrill, first.Playbook)
	require.Equal(t, time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC), first.Started)

	var waiting []card.Card
	for _, c := range cards {
		require.Equal(t, c.State == card.Waiting, c.Open != nil)
		require.Equal(t, first.Key, c.Key)
		if c.Open != nil {
			waiting = append(waiting, c)
		}
	}
	require.Len(t, waiting, 2, "as it is asked, and with the refusal")
	require.Equal(t, id, waiting[0].Open.Request.ID)
	require.Empty(t, waiting[0].Open.Refusals)
	require.Len(t, waiting[1].Open.Refusals, 1)
	require.Equal(t, "2m, as the last restore did", fact(t, waiting[0].Open.Request.Facts, "Expected to take"))
	require.Equal(t, "RTO 1h, RPO 24h", fact(t, waiting[0].Open.Request.Facts, "Objectives"))

	require.Equal(t, card.Done, last.State)
	require.Contains(t, last.Line, "is PROVEN")
	require.Nil(t, last.Open)
	require.Len(t, last.Decided, 1)
	require.Equal(t, approval.Approved, last.Decided[0].Outcome)
	require.Contains(t, last.Done, "drill approved: rebecca by slack")
	require.Contains(t, last.Done, "report written to drills/where2eat/2026-11-23T180020Z.md")
}
