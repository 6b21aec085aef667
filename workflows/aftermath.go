package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// lifeboat is who asks for what follows from a restore: no person does, so that
// each approver may decide it.
const lifeboat = "Lifeboat"

// tellRestored shows that the service is back, while the run goes on to offer the
// way back.
func (r *restore) tellRestored(ctx workflow.Context) {
	if len(r.backwards()) > 0 {
		r.result.UndoTil = workflow.Now(ctx).UTC().Add(r.plan.UndoFor.Std())
	}
	r.status.Restored = &r.result
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeOutcome.ValueSet(string(recovery.StateRestored))); err != nil {
		workflow.GetLogger(ctx).Error("set search attributes", "error", err)
	}
	text := fmt.Sprintf("%s.\nRestore time %s\nData age %s", r.result.Sentence, r.result.RTO.Sentence("RTO"), r.result.RPO.Sentence("RPO"))
	r.did(ctx, "restored: "+r.result.Sentence)
	r.shout(ctx, text, r.plan.Owner)
}

// aftermath offers to undo the restore, then asks before it removes what was set
// aside. Trouble here changes nothing about the restore: it is told, and what was
// set aside stays.
func (r *restore) aftermath(ctx workflow.Context) {
	err := r.offerUndo(ctx)
	if err == nil && r.result.State != recovery.StateUnclear {
		err = r.offerDrop(ctx)
	}
	if temporal.IsCanceledError(err) {
		err = errors.New("cancelled")
	}
	if asides := r.asides(); err != nil && len(asides) > 0 {
		r.result.Sentence += "; what was set aside stays where it is (" + strings.Join(asides, ", ") + "): " + reason(err)
	}
}

// asides names what is set aside now.
func (r *restore) asides() []string {
	var names []string
	for _, s := range r.result.Swaps {
		if s.Out != "" && !slices.Contains(r.removed, s.Aside) {
			names = append(names, s.Aside)
		}
	}
	return names
}

// backwards holds the swaps that put back what was there before; none if that is
// not possible.
func (r *restore) backwards() []recovery.Swap {
	if r.plan.Approvals.Undo == nil || r.plan.UndoFor <= 0 {
		return nil
	}
	var back []recovery.Swap
	for _, s := range slices.Backward(r.result.Swaps) {
		b, ok := s.Back()
		if !ok { // half of it would be worse than none
			return nil
		}
		back = append(back, b)
	}
	return back
}

// offerUndo waits for a person who wants the former data back.
func (r *restore) offerUndo(ctx workflow.Context) error {
	back := r.backwards()
	if len(back) == 0 {
		return nil
	}
	policy := *r.plan.Approvals.Undo
	policy.Expires, policy.Needed = r.plan.UndoFor, 1
	r.now(ctx, "restored; it can be undone until "+day(r.result.UndoTil))
	request, err := r.requestFor("undo", policy, back)
	if err != nil {
		return err
	}
	request.What, request.Approve, request.Reject = "Undo the restore of "+r.in.Service+": put back what was there before", "Undo", "Keep what was restored"
	request.Facts = []approval.Fact{
		{Label: "First", Value: "what is there now is backed up, and you are shown what it would lose"},
		{Label: "Set aside", Value: strings.Join(r.asides(), ", ")},
	}
	book, err := r.offer(ctx, request)
	if err != nil || book.Outcome != approval.Approved {
		return err
	}
	return r.undo(ctx, back)
}

// requestFor begins a request about swaps, which are what its digest names.
func (r *restore) requestFor(stepName string, policy recovery.PolicySpec, swaps []recovery.Swap) (approval.Request, error) {
	digest, err := approval.Digest(swaps)
	return approval.Request{
		Playbook: TypeRestore, Step: stepName, Digest: digest, RequestedBy: lifeboat, Policy: policy, Destructive: true, Where: r.where(),
	}, err
}

// losses backs up what is there now, and says what putting the former data back
// would lose.
func (r *restore) losses(ctx workflow.Context) ([]approval.Fact, error) {
	const label = "Backup of what is there now"
	var made BackupServiceResult
	in := BackupServiceInput{Service: r.in.Service, Purpose: recovery.PurposeSafety}
	err := inLine(ctx, r.teller, BackupID(r.in.Service), TypeBackupService, in, &made)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return []approval.Fact{{Label: label, Value: "NONE could be made: " + reason(err)}}, nil
	}
	facts := []approval.Fact{{Label: label, Value: madeAs(made.Manifest)}}
	if r.safety == nil {
		return facts, nil
	}
	plan := r.plan
	plan.Destination = r.safetyAt
	rows, err := compareSets(ctx, r.teller, plan, made, *r.safety, r.sources)
	return append(facts, rowFacts(rows)...), err
}

// undo backs up what it replaces, shows what that loses, and puts back what was
// there before.
func (r *restore) undo(ctx workflow.Context, back []recovery.Swap) error {
	facts, err := r.losses(ctx)
	if err != nil {
		return err
	}
	request, err := r.requestFor("confirm undo", *r.plan.Approvals.Undo, back)
	if err != nil {
		return err
	}
	request.What, request.Approve, request.Reject = "Put back what was there before the restore of "+r.in.Service, "Put it back", "Keep what was restored"
	request.Facts, request.Confirm = facts, r.in.Service
	book, err := r.ask(ctx, request)
	if err != nil || book.Outcome != approval.Approved {
		return err
	}
	change := ChangeDataInput{Plan: r.plan, Manifest: r.manifest, Sources: r.sources, Back: back, Stamp: stamp(book.Settled)}
	undone, err := r.carryOut(ctx, change)
	switch {
	case err != nil:
		return err
	case undone.State == recovery.StateUnclear:
		r.result.State, r.result.Sentence = undone.State, undone.Sentence
		return nil
	case undone.State != recovery.StateRestored:
		r.shout(ctx, "undoing it did not work: "+undone.Sentence, r.people()...)
		return errors.New("undoing it did not work: " + undone.Sentence)
	}
	r.result.State, r.result.Sentence, r.result.Swaps = recovery.StateUndone, undone.Sentence, undone.Swaps
	r.status.Restored = &r.result
	r.did(ctx, "undone: "+undone.Sentence)
	r.shout(ctx, undone.Sentence, r.plan.Owner)
	return nil
}

// offerDrop backs up what was set aside, which holds what was written after the
// safety backup, and asks before it removes it.
func (r *restore) offerDrop(ctx workflow.Context) error {
	names := map[string]string{}
	var doomed []recovery.Swap
	for _, s := range r.result.Swaps {
		if s.Out != "" && !switches(r.plan, s.Source) {
			names[s.Source] = s.Aside
			doomed = append(doomed, s)
		}
	}
	if len(doomed) == 0 || r.plan.Approvals.Drop == nil {
		return nil
	}
	var made BackupServiceResult
	in := BackupServiceInput{Service: r.in.Service, Purpose: recovery.PurposeSetAside, Instead: names}
	if err := inLine(ctx, r.teller, BackupID(r.in.Service), TypeBackupService, in, &made); err != nil {
		return err
	}
	if n := len(made.Manifest.Failures); n > 0 {
		return errors.New("it could not be backed up: " + made.Manifest.Failures[0].Error)
	}
	// What is removed must have been read back: it is the only copy of some rows.
	report, err := verifyInChild(ctx, r.teller, made.Plan, VerifySetInput{Service: r.in.Service, Set: made.Manifest.Set, Target: recovery.LevelReadBack})
	if err != nil {
		return err
	}
	if !report.Reached() {
		return errors.New("its backup could not be read back: " + report.Sentence)
	}
	request, err := r.requestFor("remove", *r.plan.Approvals.Drop, doomed)
	if err != nil {
		return err
	}
	request.What, request.Approve, request.Reject = "Remove what the restore of "+r.in.Service+" has set aside", "Remove it", "Leave it there"
	request.Facts = []approval.Fact{
		{Label: "Set aside", Value: strings.Join(r.asides(), ", ")},
		{Label: "Backed up as", Value: string(made.Manifest.Set) + ", read back"},
	}
	book, err := r.ask(ctx, request)
	if err != nil {
		return err
	}
	if book.Outcome != approval.Approved {
		return errors.New("removing it was not approved")
	}
	for _, s := range doomed {
		if err := dropNamed(ctx, r.teller, r.plan, activities.NamedInput{Plan: r.plan, Source: s.Source, Name: s.Aside, Identity: s.Out}); err != nil {
			return err
		}
		r.removed = append(r.removed, s.Aside)
		r.did(ctx, s.Aside+" removed")
	}
	r.result.Removed = made.Manifest.Set
	r.result.Sentence += "; what was set aside is removed, and kept as set " + string(made.Manifest.Set)
	return nil
}
