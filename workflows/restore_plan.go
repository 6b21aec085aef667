package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// describe writes the plan for people.
func (r *restore) describe() []approval.Fact {
	facts := []approval.Fact{
		{Label: "Set", Value: fmt.Sprintf("%s, made %s, %s, %s", r.chosen.Set.Set, day(r.chosen.Set.Created), recovery.Bytes(r.chosen.Set.Size), r.chosen.Set.Standing.Level)},
		{Label: "Read from", Value: strings.Join(r.chosen.Copies, ", or else ")},
		{Label: "Sources", Value: strings.Join(r.sources, ", ")},
		{Label: "Expected to take", Value: expectation(r.chosen)},
	}
	for _, state := range r.live {
		verb := "Replaces"
		if r.in.Beside {
			verb = "Stands beside"
		}
		value := state.Where + ", " + recovery.Bytes(state.Size)
		if !state.Exists {
			value = state.Where + ", which is not there now"
		}
		facts = append(facts, approval.Fact{Label: verb, Value: value})
	}
	if r.in.Beside {
		return facts
	}
	safety := "NONE could be made: " + r.noSafety
	if r.safety != nil {
		safety = "made just now: " + madeAs(*r.safety)
	}
	facts = append(facts, approval.Fact{Label: "Safety backup", Value: safety},
		approval.Fact{Label: "Can be undone", Value: fmt.Sprintf("for %s; what is replaced is set aside", r.plan.UndoFor)})
	return append(facts, rowFacts(r.rows)...)
}

// rowFacts says how many rows each table has now and would have.
func rowFacts(rows activities.ComparedSets) []approval.Fact {
	var facts []approval.Fact
	for _, t := range rows.Tables {
		facts = append(facts, approval.Fact{Label: "Rows of " + t.Table + " (" + t.Source + ")", Value: fmt.Sprintf("%s now, %s then", rowCount(t.Now), rowCount(t.Then))})
	}
	if rows.More > 0 {
		facts = append(facts, approval.Fact{Label: "More tables differ", Value: fmt.Sprint(rows.More)})
	}
	if rows.Same > 0 {
		facts = append(facts, approval.Fact{Label: "Tables with the same rows", Value: fmt.Sprint(rows.Same)})
	}
	for _, source := range rows.Unknown {
		facts = append(facts, approval.Fact{Label: "Rows of " + source, Value: "not known"})
	}
	return facts
}

func rowCount(n int64) string {
	if n < 0 {
		return "not there"
	}
	return fmt.Sprint(n)
}

// restorePlan is what people agree to: its digest is in the request.
type restorePlan struct {
	Service string               `json:"service"`
	Set     recovery.SetID       `json:"set"`
	Digests []string             `json:"digests"` // of the sealed dumps
	Live    []recovery.LiveState `json:"live"`
	Safety  recovery.SetID       `json:"safety"`
	Beside  bool                 `json:"beside"`
	Config  string               `json:"config"`
}

func (r *restore) approve(ctx workflow.Context) (*approval.Book, error) {
	agreed := restorePlan{Service: r.in.Service, Set: r.manifest.Set, Live: r.live, Safety: r.result.Safety, Beside: r.in.Beside, Config: r.plan.Config.Digest}
	for _, source := range r.sources {
		a, _ := r.manifest.Artefact(source)
		agreed.Digests = append(agreed.Digests, a.Dump.SHA256)
	}
	digest, err := approval.Digest(agreed)
	if err != nil {
		return nil, err
	}
	request := approval.Request{
		Playbook: TypeRestore, Step: "restore", Digest: digest, RequestedBy: r.by, Policy: *r.policy(), Facts: r.teller.shown,
		What: fmt.Sprintf("Restore %s from set %s", r.in.Service, r.manifest.Set), Where: r.where(), Approve: "Restore", Reject: "Do not restore",
		Destructive: true, Confirm: r.in.Service,
	}
	if r.in.Beside {
		request.Step, request.Approve, request.Reject = "restore beside", "Restore beside", "Not now"
		request.Destructive, request.Confirm = false, ""
	}
	r.now(ctx, "waiting for a decision")
	return r.ask(ctx, request)
}

func (r *restore) where() string {
	var places []string
	for _, state := range r.live {
		places = append(places, state.Where)
	}
	if r.in.Beside {
		return "beside " + strings.Join(places, ", ") + "; production is not touched"
	}
	return "PRODUCTION: " + strings.Join(places, ", ")
}
