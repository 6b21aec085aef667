package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Restore brings a service's production data back from a set: a safety backup
// first, then people decide on a plan that says what will be lost, then ChangeData
// carries it out. Afterwards it offers to undo it for a while, and asks before it
// removes what was set aside.
//
// It fails with ErrorNotApproved if people decide against it, and, the Restoration
// in the details, with ErrorUntouched if production was not replaced, or with
// ErrorUnclear if a person must look what it is.
func Restore(ctx workflow.Context, in RestoreInput) (*recovery.Restoration, error) {
	r := &restore{in: in}
	if err := r.setup(ctx); err != nil {
		return nil, err
	}
	err := r.run(ctx)
	return r.end(ctx, err)
}

type restore struct {
	*teller
	*gate
	in       RestoreInput
	plan     recovery.Plan
	by       string // who asked, if a door vouches for it
	sources  []string
	chosen   activities.ChosenSet
	manifest recovery.Manifest
	live     []recovery.LiveState
	safety   *recovery.Manifest // nil: none could be made
	safetyAt recovery.DestinationSpec
	noSafety string // why
	rows     activities.ComparedSets
	result   recovery.Restoration
	removed  []string // of what was set aside
}

func (r *restore) setup(ctx workflow.Context) (err error) {
	if r.teller, err = newTeller(ctx, TypeRestore, r.in.Service); err != nil {
		return err
	}
	if r.gate, err = newGate(ctx, r.teller); err != nil {
		return err
	}
	return checkRestoreInput(r.in.Service, r.in.Set, r.in.malformed)
}

func (r *restore) run(ctx workflow.Context) error {
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
			return notApproved(book, "production is untouched")
		}
		if err := r.change(ctx, book.Settled); err != nil || r.result.State != recovery.StateStale {
			return err
		}
		r.did(ctx, r.result.Sentence+": asking again")
	}
}

// prepare chooses what is restored.
func (r *restore) prepare(ctx workflow.Context) error {
	if err := loadPlan(ctx, r.teller, r.in.Service, &r.plan); err != nil {
		return err
	}
	r.gate.plan = &r.plan
	r.by = r.requester(ctx, TypeRestore, r.in.unclaimed(), r.in.Requested)
	startPoster(ctx, r.teller, r.gate, "Restore "+r.in.Service, r.by)
	if r.policy() == nil {
		return badInput("restore %s: nobody may decide it: write approvals.policies.restore into the config", r.in.Service)
	}
	if err := waitForChange(ctx, r.teller, r.in.Service); err != nil {
		return err
	}
	var err error
	if r.chosen, err = chooseSet(ctx, r.teller, r.plan, r.in.Set, ""); err != nil {
		return err
	}
	if err := r.readManifest(ctx); err != nil {
		return err
	}
	return r.chooseSources()
}

// readManifest reads the manifest from the best copy; one that cannot be read is left
// out from then on.
func (r *restore) readManifest(ctx workflow.Context) error {
	for {
		if err := r.readFrom(r.chosen.Copies[0]); err != nil {
			return err
		}
		plan := r.plan
		if len(r.chosen.Copies) > 1 {
			plan.GiveUpAfter = min(plan.GiveUpAfter, recovery.Duration(copyGiveUp))
		}
		err := loadManifest(ctx, r.teller, plan, r.chosen.Set.Set, &r.manifest)
		if err == nil || !badCopy(err) || len(r.chosen.Copies) == 1 {
			return err
		}
		r.did(ctx, fmt.Sprintf("the copy at %s cannot be read, taking the next one: %s", r.chosen.Copies[0], reason(err)))
		r.chosen.Copies = r.chosen.Copies[1:]
	}
}

// badCopy says whether an error of reading a set may be that of one copy alone.
func badCopy(err error) bool {
	kind := errorType(err)
	return kind == activities.ErrorDamaged || kind == activities.ErrorUnavailable
}

// readFrom makes the run read the set from another of its copies.
func (r *restore) readFrom(copyName string) error {
	at, err := r.plan.At(copyName)
	if err == nil {
		r.plan = *at
	}
	return err
}

func (r *restore) policy() *recovery.PolicySpec {
	if r.in.Beside {
		return r.plan.Approvals.Beside
	}
	return r.plan.Approvals.Restore
}

// loadManifest reads the manifest of a set where the plan works.
func loadManifest(ctx workflow.Context, t *teller, plan recovery.Plan, set recovery.SetID, m *recovery.Manifest) error {
	return step{
		name: "read manifest", options: quick(QueueLifeboat), activity: verifications.LoadSet, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.LoadSetInput{Service: plan.Service, Set: set, Destination: plan.Destination, Encryption: plan.Encryption}
		},
	}.run(ctx, t, m)
}

// chooseSources refuses what cannot be restored as asked.
func (r *restore) chooseSources() error {
	var there []string
	for _, s := range r.plan.Sources {
		there = append(there, s.Name)
	}
	for _, s := range r.in.Sources {
		if !slices.Contains(there, s) {
			return badInput("read input: sources: %q is no source of %s: there are %s", s, r.in.Service, strings.Join(there, ", "))
		}
	}
	for _, name := range there {
		if len(r.in.Sources) > 0 && !slices.Contains(r.in.Sources, name) {
			continue
		}
		a, ok := r.manifest.Artefact(name)
		if !ok {
			return badInput("restore %s: source %s is not in set %s: choose another set, or name the sources that you want", r.in.Service, name, r.manifest.Set)
		}
		if len(a.Tables) > 0 && !r.in.Beside {
			return badInput("restore %s: set %s holds only chosen tables of %s, which must not replace the whole: restore it beside, and copy what you need", r.in.Service, r.manifest.Set, name)
		}
		r.sources = append(r.sources, name)
	}
	if len(r.sources) > 1 && !r.in.Beside && len(r.plan.Commands.Stop) == 0 {
		return badInput("restore %s: %d sources are swapped while the service is stopped: write commands.stop and commands.start into the config, or restore one source at a time", r.in.Service, len(r.sources))
	}
	return nil
}

// look makes the plan: what production is now, saved once more, and what it would
// lose.
func (r *restore) look(ctx workflow.Context) error {
	var err error
	if r.live, err = inspectLive(ctx, r.teller, r.plan, r.sources); err != nil {
		return err
	}
	for _, state := range r.live {
		if len(state.Refusals) > 0 && !r.in.Beside {
			return badInput("restore %s: %s cannot be replaced: %s", r.in.Service, state.Where, strings.Join(state.Refusals, "; "))
		}
	}
	if err := r.checkRoom(); err != nil {
		return err
	}
	if !r.in.Beside {
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	cold, err := coldFacts(ctx, r.teller, &r.plan, r.manifest.Set)
	if err != nil {
		return err
	}
	r.facts(ctx, append(r.describe(), cold...)...)
	return nil
}

// checkRoom refuses a restore that would fill the disk of the running service, as
// far as it is known how much is free there.
func (r *restore) checkRoom() error {
	for _, state := range r.live {
		a, _ := r.manifest.Artefact(state.Source)
		if need := a.Room(); state.Free > 0 && state.Free < need {
			return badInput("restore %s: there is no room beside %s: it needs about %s, and %s are free: make room, or choose one source", r.in.Service, state.Where, recovery.Bytes(need), recovery.Bytes(state.Free))
		}
	}
	return nil
}

// madeAs names a backup, and what it lacks.
func madeAs(m recovery.Manifest) string {
	parts := []string{string(m.Set)}
	for _, f := range m.Failures {
		parts = append(parts, fmt.Sprintf("WITHOUT %s: %s", f.Source, f.Error))
	}
	return strings.Join(parts, ", ")
}

// save makes the safety backup. Where production cannot be dumped any more, the
// plan says so: what is replaced is set aside in any case.
func (r *restore) save(ctx workflow.Context) error {
	var made BackupServiceResult
	in := BackupServiceInput{Service: r.in.Service, Purpose: recovery.PurposeSafety}
	err := inLine(ctx, r.teller, BackupID(r.in.Service), TypeBackupService, in, &made)
	r.status.Set = r.chosen.Set.Set
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.safety, r.noSafety = nil, reason(err)
		r.did(ctx, "NO safety backup could be made: "+r.noSafety)
		return nil
	}
	r.safety, r.noSafety, r.safetyAt = &made.Manifest, "", made.Plan.Destination
	r.result.Safety = made.Manifest.Set
	r.did(ctx, "safety backup made: "+string(made.Manifest.Set))
	r.rows, err = compareSets(ctx, r.teller, r.plan, made, r.manifest, r.sources)
	return err
}

// compareSets compares rows for a plan. That they are not known keeps nobody from
// restoring: only a cancel is returned.
func compareSets(ctx workflow.Context, t *teller, plan recovery.Plan, now BackupServiceResult, then recovery.Manifest, sources []string) (activities.ComparedSets, error) {
	t.now(ctx, "comparing rows, now and then")
	var out activities.ComparedSets
	err := step{
		name: "compare rows", options: quick(QueueRestore), activity: restores.CompareSets, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.CompareSetsInput{Plan: plan, Now: now.Manifest, NowAt: now.Plan.Destination, Then: then, Sources: sources}
		},
	}.run(ctx, t, &out)
	if err == nil || temporal.IsCanceledError(err) || ctx.Err() != nil {
		return out, err
	}
	t.did(ctx, "rows could not be compared: "+reason(err))
	return activities.ComparedSets{Unknown: sources}, nil
}

// change carries the plan out, and tells how that went. If a copy of the set cannot
// be read, it takes the next one.
func (r *restore) change(ctx workflow.Context, decided time.Time) error {
	var result *recovery.Restoration
	for i, copyName := range r.chosen.Copies {
		last := i == len(r.chosen.Copies)-1
		if err := r.readFrom(copyName); err != nil {
			return err
		}
		err := thaw(ctx, r.teller, &r.plan, &r.manifest)
		if err == nil {
			result, err = r.carryOut(ctx, ChangeDataInput{
				Plan: r.plan, Manifest: r.manifest, Sources: r.sources, Live: r.live, Beside: r.in.Beside, Stamp: stamp(decided),
			})
		}
		var why string
		switch {
		case err != nil && (last || !badCopy(err)):
			return err
		case err != nil:
			why = reason(err)
		case result.BadCopy && !last:
			why = result.Sentence
		}
		if why == "" {
			break
		}
		r.did(ctx, fmt.Sprintf("the copy at %s cannot be used, taking the next one: %s", copyName, why))
	}
	result.Safety = r.result.Safety
	result.Took = recovery.Duration(workflow.Now(ctx).Sub(decided).Round(10 * time.Millisecond))
	r.result = *result
	r.measure(ctx)
	return nil
}

// carryOut changes production under the lock. It returns an error only if
// production is untouched.
func (r *restore) carryOut(ctx workflow.Context, in ChangeDataInput) (*recovery.Restoration, error) {
	result := &recovery.Restoration{Service: r.in.Service, Set: r.manifest.Set, Sources: r.sources}
	err := inLine(ctx, r.teller, ChangeID(r.in.Service), TypeChangeData, in, result)
	if err != nil && !temporal.IsCanceledError(err) {
		result.State = recovery.StateUnclear
		result.Sentence = fmt.Sprintf("a person must look at production of %s: %s ended without saying what it left: %s", r.in.Service, ChangeID(r.in.Service), reason(err))
		return result, nil
	}
	return result, err
}

// measure compares the restore with the service's objectives.
func (r *restore) measure(ctx workflow.Context) {
	if r.result.State != recovery.StateRestored {
		return
	}
	r.result.RTO = recovery.NewMeasure(r.plan.Objectives.RTO, r.result.Took.Std())
	oldest := workflow.Now(ctx)
	for _, source := range r.sources {
		if a, ok := r.manifest.Artefact(source); ok && a.Snapshot.Before(oldest) {
			oldest = a.Snapshot
		}
	}
	r.result.RPO = recovery.NewMeasure(r.plan.Objectives.RPO, workflow.Now(ctx).Sub(oldest))
}

// stamp is a time as it stands in names.
func stamp(t time.Time) string { return strings.ToLower(t.UTC().Format("20060102T150405Z")) }

// end tells how the restore went.
func (r *restore) end(ctx workflow.Context, err error) (*recovery.Restoration, error) {
	defer r.gate.finish(ctx)
	if err != nil {
		return nil, r.stop(ctx, err, "production is untouched", r.people()...)
	}
	switch r.result.State {
	case recovery.StateRestored:
		r.tellRestored(ctx)
		r.aftermath(ctx)
	case recovery.StateBeside:
		r.note(ctx, r.result.Sentence)
	}
	state := r.result.State
	r.outcome(ctx, string(state))
	if state != recovery.StateUntouched && state != recovery.StateUnclear {
		r.posted(ctx, card.Done, r.result.Sentence)
		return &r.result, nil
	}
	r.shout(ctx, r.result.Sentence, r.people()...)
	r.posted(ctx, card.Failed, r.result.Sentence)
	kind := ErrorUntouched
	if state == recovery.StateUnclear {
		kind = ErrorUnclear
	}
	return nil, temporal.NewNonRetryableApplicationError(r.result.Sentence, kind, nil, &r.result)
}

// people are told when it goes wrong.
func (r *restore) people() []string {
	people := []string{r.plan.Owner}
	if policy := r.policy(); policy != nil {
		people = append(people, policy.Approvers...)
	}
	return people
}
