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
	noSafety string             // why
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
	if r.chosen, err = chooseSet(ctx, r.teller, r.plan, r.in.Set); err != nil {
		return err
	}
	if err := r.loadSet(ctx); err != nil {
		return err
	}
	return r.chooseSources()
}

func (r *restore) policy() *recovery.PolicySpec {
	if r.in.Beside {
		return r.plan.Approvals.Beside
	}
	return r.plan.Approvals.Restore
}

func (r *restore) loadSet(ctx workflow.Context) error {
	return step{
		name: "read manifest", options: quick(QueueLifeboat), activity: verifications.LoadSet, giveUp: r.plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.LoadSetInput{Service: r.in.Service, Set: r.chosen.Set.Set, Destination: r.plan.Destination, Encryption: r.plan.Encryption}
		},
	}.run(ctx, r.teller, &r.manifest)
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
	r.facts(ctx, r.describe()...)
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
	r.safety, r.noSafety = &made.Manifest, ""
	r.result.Safety = made.Manifest.Set
	r.did(ctx, "safety backup made: "+string(made.Manifest.Set))
	r.rows, err = compareSets(ctx, r.teller, r.plan, made.Manifest, r.manifest, r.sources)
	return err
}

// compareSets compares rows for a plan. That they are not known keeps nobody from
// restoring: only a cancel is returned.
func compareSets(ctx workflow.Context, t *teller, plan recovery.Plan, now, then recovery.Manifest, sources []string) (activities.ComparedSets, error) {
	t.now(ctx, "comparing rows, now and then")
	var out activities.ComparedSets
	err := step{
		name: "compare rows", options: quick(QueueRestore), activity: restores.CompareSets, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.CompareSetsInput{Plan: plan, Now: now, Then: then, Sources: sources}
		},
	}.run(ctx, t, &out)
	if err == nil || temporal.IsCanceledError(err) || ctx.Err() != nil {
		return out, err
	}
	t.did(ctx, "rows could not be compared: "+reason(err))
	return activities.ComparedSets{Unknown: sources}, nil
}

// describe writes the plan for people.
func (r *restore) describe() []approval.Fact {
	facts := []approval.Fact{
		{Label: "Set", Value: fmt.Sprintf("%s, made %s, %s, %s", r.chosen.Set.Set, day(r.chosen.Set.Created), recovery.Bytes(r.chosen.Set.Size), r.chosen.Set.Standing.Level)},
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

// change carries the plan out, and tells how that went.
func (r *restore) change(ctx workflow.Context, decided time.Time) error {
	result, err := r.carryOut(ctx, ChangeDataInput{
		Plan: r.plan, Manifest: r.manifest, Sources: r.sources, Live: r.live, Beside: r.in.Beside, Stamp: stamp(decided),
	})
	if err != nil {
		return err
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
