package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// Rollback takes a service back to its last known good release, or applies a quick
// remedy: people decide on a plan, ChangeRelease carries it out and sees whether the
// service is well. If it is not, people are asked what to try next, or to put back
// what was there.
//
// It fails with ErrorNotApproved if people decide against it, and, the Rollback in the
// details, with ErrorUntouched if what was there before is there again, with
// ErrorUnhealthy if the service is not well, or with ErrorUnclear if a person must
// look what is deployed.
func Rollback(ctx workflow.Context, in RollbackInput) (*release.Rollback, error) {
	r := &rollback{in: in, result: release.Rollback{Service: in.Service, State: release.Untouched}}
	if err := r.setup(ctx); err != nil {
		return nil, err
	}
	err := r.run(ctx)
	return r.end(ctx, err)
}

type rollback struct {
	*teller
	*gate
	in       RollbackInput
	plan     recovery.Plan
	known    known
	refuses  string // what is done if people refuse
	between  release.Comparison
	compared release.Tag // what between goes back to
	options  []option
	result   release.Rollback
}

func (r *rollback) setup(ctx workflow.Context) (err error) {
	if r.teller, err = newTeller(ctx, TypeRollback, r.in.Service); err != nil {
		return err
	}
	if r.gate, err = newGate(ctx, r.teller); err != nil {
		return err
	}
	if err := checkInput(r.in.Service, r.in.malformed); err != nil {
		return err
	}
	if r.in.To != "" {
		if err := release.CheckTag(r.in.To); err != nil {
			return badInput("read input: to: %v", err)
		}
	}
	return nil
}

func (r *rollback) run(ctx workflow.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	for {
		if err := r.look(ctx); err != nil {
			return err
		}
		book, err := r.approve(ctx)
		if err != nil {
			return err
		}
		if book.Outcome != approval.Approved {
			return notApproved(book, "nothing was changed")
		}
		chosen, err := r.chosen(book)
		if err != nil {
			return err
		}
		if err := r.apply(ctx, chosen, book); err != nil {
			return err
		}
		if r.result.State != release.Stale {
			break
		}
		r.result.Changes = nil
		r.did(ctx, r.result.Sentence+": asking again")
	}
	for r.troubled() {
		if over, err := r.askNext(ctx); err != nil || over {
			return err
		}
	}
	if r.result.State == release.Healthy {
		r.tellHealthy(ctx)
		r.offerUndo(ctx)
	}
	return nil
}

func (r *rollback) prepare(ctx workflow.Context) error {
	if err := loadPlan(ctx, r.teller, r.in.Service, &r.plan); err != nil {
		return err
	}
	r.gate.plan = &r.plan
	r.result.By = r.requester(ctx, TypeRollback, r.in.unclaimed(), r.in.Requested)
	startPoster(ctx, r.teller, r.gate, "Roll back "+r.in.Service, r.result.By)
	if err := needDeploy(r.plan); err != nil {
		return err
	}
	if r.plan.Approvals.Rollback == nil {
		return badInput("roll back %s: nobody may decide it: write approvals.policies.rollback into the config", r.in.Service)
	}
	return waitForChange(ctx, r.teller, r.in.Service)
}

// needDeploy refuses a service of which nobody knows how it is deployed.
func needDeploy(plan recovery.Plan) error {
	if plan.Deploy == nil || plan.Live == nil {
		return badInput("look at the releases of %s: the config does not say how it is deployed: write deploy and live into it, as docs/rollback.md shows", plan.Service)
	}
	return nil
}

// apply carries an option out, under the lock of whatever changes the service.
func (r *rollback) apply(ctx workflow.Context, o option, book *approval.Book) error {
	in := ChangeReleaseInput{
		Plan: r.plan, Remedy: o.remedy, Ran: o.ran, From: r.known.Current, To: o.to, Leaves: r.result.From,
		Key: book.Request.ID + "-" + string(o.remedy), Approved: book.Settled, By: deciders(book), Back: o.back,
	}
	if r.forward(o.to.Tag) {
		in.Leaves = release.Tag{} // nobody went back from it
	}
	var change release.Change
	err := inLine(ctx, r.teller, ChangeID(r.in.Service), TypeChangeRelease, in, &change)
	switch {
	case temporal.IsCanceledError(err), err != nil && len(r.result.Changes) == 0 && errorType(err) != "":
		return err
	case err != nil:
		change = release.Change{Remedy: o.remedy, To: o.to, Looked: o.ran, Approved: book.Settled, State: release.Unknown, Sentence: reason(err)}
		if errorType(err) != "" { // it says that nothing was done
			change.State, change.Sentence = release.Refused, "nothing was done: "+reason(err)
		}
	}
	r.result.Changes = append(r.result.Changes, change)
	r.result.State = change.State
	if o.back && inEffect(change) {
		r.result.State = release.Undone
	}
	r.result.Sentence = r.sentence(&change)
	return nil
}

// inEffect says whether a remedy was carried out, whatever it came to.
func inEffect(c release.Change) bool {
	return c.State == release.Healthy || c.State == release.Unhealthy
}

// sentence says what was done, and what it came to.
func (r *rollback) sentence(c *release.Change) string {
	if c.State == release.Stale {
		return c.Sentence
	}
	what := map[release.Remedy]string{
		release.Deploy: c.To.Tag + " is deployed", release.FlagOff: "the flag is off", release.FlagOn: "the flag is on again",
		release.Switch: "switched", release.SwitchBack: "switched back",
	}[c.Remedy]
	if c.State == release.Refused || c.State == release.Unknown {
		return c.Sentence
	}
	if from := r.result.From.Tag; c.Remedy == release.Deploy && from != "" && from != c.To.Tag {
		what += ", " + from + " before"
	}
	return what + "; " + c.Sentence
}

// troubled says whether people must be asked what to do next.
func (r *rollback) troubled() bool {
	return slices.Contains([]release.State{release.Unhealthy, release.Refused, release.Unknown, release.Stale}, r.result.State)
}

// deciders names who approved a request.
func deciders(b *approval.Book) string {
	var names []string
	for _, v := range b.Votes {
		names = append(names, v.By)
	}
	return strings.Join(names, ", ")
}

// end tells how the rollback went.
func (r *rollback) end(ctx workflow.Context, err error) (*release.Rollback, error) {
	defer r.gate.finish(ctx)
	if err != nil && len(r.result.Changes) == 0 {
		return nil, r.stop(ctx, err, "nothing was changed", r.people()...)
	}
	if temporal.IsCanceledError(err) {
		err = errors.New("cancelled")
	}
	if err != nil && !r.troubled() {
		workflow.GetLogger(ctx).Error("after the rollback", "error", err)
	} else if err != nil {
		r.result.Sentence += "; what to do next was not decided: " + reason(err)
	}
	kind := map[release.State]string{
		release.Unhealthy: ErrorUnhealthy, release.Refused: ErrorUnhealthy, release.Stale: ErrorUnhealthy, release.Unknown: ErrorUnclear, release.Undone: ErrorUntouched,
	}[r.result.State]
	if r.undone() {
		kind = "" // they had a remedy that worked, and wanted it so
	}
	r.outcome(ctx, string(r.result.State))
	if kind == "" {
		r.posted(ctx, card.Done, r.result.Sentence)
		return &r.result, nil
	}
	r.shout(ctx, r.result.Sentence, r.people()...)
	r.posted(ctx, card.Failed, r.result.Sentence)
	return nil, temporal.NewNonRetryableApplicationError(r.result.Sentence, kind, nil, &r.result)
}

// undone says whether a quick remedy worked, and was undone by intent.
func (r *rollback) undone() bool {
	return r.result.State == release.Undone && !r.result.UndoTil.IsZero()
}

// people are told when it goes wrong.
func (r *rollback) people() []string {
	people := []string{r.plan.Owner}
	if policy := r.plan.Approvals.Rollback; policy != nil {
		people = append(people, policy.Approvers...)
	}
	return people
}

// tellHealthy shows that the service is well again.
func (r *rollback) tellHealthy(ctx workflow.Context) {
	last := r.result.Last()
	if len(r.undos()) > 0 && r.plan.UndoFor > 0 {
		r.result.UndoTil = workflow.Now(ctx).UTC().Add(r.plan.UndoFor.Std())
	}
	for _, c := range r.result.Changes[:len(r.result.Changes)-1] {
		if c.Remedy == release.FlagOff && inEffect(c) && last.Remedy != release.FlagOff {
			r.result.Sentence += "; the flag is still off"
		}
	}
	if last.Remedy != release.Deploy {
		r.result.Commits = 0
	} else if from := r.result.From; from.Tag != "" && last.To != r.compared {
		r.compare(ctx, from, last.To)
	}
	if n := r.result.Commits; n > 0 {
		r.result.Sentence += "; given up: " + commits(n)
	}
	told := r.result
	r.status.RolledBack = &told
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeOutcome.ValueSet(string(release.Healthy))); err != nil {
		workflow.GetLogger(ctx).Error("set search attributes", "error", err)
	}
	r.did(ctx, r.result.Sentence)
	r.shout(ctx, r.result.Sentence, r.plan.Owner)
}

func commits(n int) string {
	if n == 1 {
		return "1 commit"
	}
	return fmt.Sprintf("%d commits", n)
}
