package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// BackupServiceInput starts BackupService.
type BackupServiceInput struct {
	Service string `json:"service"`
	// Purpose is empty for a backup, and else says what a restore makes the set for.
	Purpose recovery.Purpose `json:"purpose,omitempty"`
	// Instead names, by source, the database or file that is dumped instead of the
	// live one; other sources are left out. Empty: all sources as they are.
	Instead map[string]string `json:"instead,omitempty"`
	// Due dumps only the sources whose cadence fell due, and refers to artefacts of
	// earlier sets for the others.
	Due bool `json:"due,omitempty"`
}

// BackupServiceResult is the committed set, and the plan it was made by, whose
// destination is where it lies. The set has no id if nothing was due.
type BackupServiceResult struct {
	Plan     recovery.Plan     `json:"plan"`
	Manifest recovery.Manifest `json:"manifest"`
}

// BackupService dumps every source of a service and commits one recovery set.
// Its id backup/<service> is the lock: it ends at the commit, so that nothing
// that comes after holds the next backup up.
func BackupService(ctx workflow.Context, in BackupServiceInput) (*BackupServiceResult, error) {
	b := &backup{in: in, service: in.Service}
	if err := b.setup(ctx); err != nil {
		return nil, err
	}
	if err := b.run(ctx); err != nil {
		outcome := "failed"
		if temporal.IsCanceledError(err) {
			outcome = "cancelled"
		}
		b.teller.outcome(ctx, outcome)
		return nil, err
	}
	if b.idle {
		b.teller.outcome(ctx, "nothing was due")
		return &BackupServiceResult{Plan: b.plan}, nil
	}
	b.teller.outcome(ctx, "committed")
	return &BackupServiceResult{Plan: b.plan, Manifest: b.manifest}, nil
}

type backup struct {
	*teller
	in       BackupServiceInput
	service  string
	plan     recovery.Plan
	due      []recovery.SourceSpec // those that are dumped
	manifest recovery.Manifest
	attempts map[string]int // of each source so far, at whatever destination
	moves    int            // how often the run went on at another destination
	failed   []string       // destinations that did not take the set, and are not tried again
	patient  bool           // all have failed: the preferred one is tried for as long as it takes
	dumped   int
	failedBy string // the type of the last source's error
	idle     bool   // nothing was due
}

func (b *backup) setup(ctx workflow.Context) (err error) {
	b.attempts = map[string]int{}
	b.teller, err = newTeller(ctx, TypeBackupService, b.service)
	return err
}

func (b *backup) run(ctx workflow.Context) error {
	if err := loadPlan(ctx, b.teller, b.service, &b.plan); err != nil {
		return err
	}
	if b.in.Purpose == "" {
		if err := waitForChange(ctx, b.teller, b.service); err != nil {
			return err
		}
	}
	b.plan.Sources = instead(b.plan.Sources, b.in.Instead)
	if err := b.chooseDestination(ctx); err != nil {
		return err
	}
	for {
		err := b.make(ctx)
		if err == nil {
			b.replicate(ctx)
			return nil
		}
		moved, chooseErr := b.goElsewhere(ctx, err)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case chooseErr != nil || !moved:
			return err
		}
	}
}

// make makes the set at the chosen destination. An error that is the destination's
// has blame for it.
func (b *backup) make(ctx workflow.Context) error {
	b.begin(ctx)
	if err := b.planSet(ctx); err != nil || b.idle {
		return err
	}
	b.sweep(ctx, backups.SweepSets)
	for _, source := range b.due {
		if err := b.dump(ctx, source); err != nil {
			return err
		}
	}
	if b.dumped == 0 {
		b.sweep(ctx, backups.SweepSet)
		return b.nothingDumped()
	}
	if err := b.commit(ctx); err != nil {
		b.sweepDisconnected(ctx)
		return err
	}
	b.sweep(ctx, backups.SweepSet)
	return nil
}

// instead points sources to what is dumped in their place.
func instead(sources []recovery.SourceSpec, names map[string]string) []recovery.SourceSpec {
	if len(names) == 0 {
		return sources
	}
	var chosen []recovery.SourceSpec
	for _, s := range sources {
		name, ok := names[s.Name]
		switch {
		case !ok:
			continue
		case s.Kind == recovery.KindSQLite:
			s.Path = name
		default:
			s.Database = name
		}
		chosen = append(chosen, s)
	}
	return chosen
}

// begin gives the set its id: another one at each destination, because it is not
// always known whether the last one has it.
func (b *backup) begin(ctx workflow.Context) {
	now := workflow.Now(ctx)
	info := workflow.GetInfo(ctx)
	run := info.WorkflowExecution
	// The original run id stays the same when a run is reset, and so does the set's.
	seed := info.OriginalRunID
	if b.moves > 0 {
		seed += "/" + strconv.Itoa(b.moves)
	}
	suffix := sha256.Sum256([]byte(seed))
	b.manifest = recovery.Manifest{
		Format: recovery.ManifestFormat, Service: b.service, Set: recovery.NewSetID(now, hex.EncodeToString(suffix[:3])), Created: now.UTC(),
		Run: recovery.RunRef{WorkflowID: run.ID, RunID: run.RunID}, Config: b.plan.Config, Purpose: b.in.Purpose,
	}
	b.dumped = 0
	b.status.Set = b.manifest.Set
}

// planSet decides which sources are dumped: all, or those that are due.
func (b *backup) planSet(ctx workflow.Context) error {
	b.due = b.plan.Sources
	if !b.in.Due {
		return nil
	}
	b.now(ctx, "looking what is due")
	var set activities.SetPlan
	err := step{
		name: "look what is due", options: quick(QueueLifeboat), activity: backups.PlanSet, giveUp: b.giveUp(),
		input: func(int) any {
			return activities.PlanSetInput{
				Service: b.service, Sources: b.plan.Sources, TimeZone: b.plan.TimeZone, Destination: b.plan.Destination, Encryption: b.plan.Encryption,
			}
		},
	}.run(ctx, b.teller, &set)
	if err != nil {
		return err
	}
	b.idle = len(set.Dump) == 0
	b.manifest.Artefacts = set.Refer
	b.due = nil
	for _, source := range b.plan.Sources {
		if slices.Contains(set.Dump, source.Name) {
			b.due = append(b.due, source)
		}
	}
	for _, a := range set.Refer {
		b.did(ctx, fmt.Sprintf("%s is not due: the set refers to what was dumped %s", a.Source, day(a.Snapshot)))
	}
	return nil
}

// sweep removes what earlier runs, or lost attempts of this one, left. Failing to
// does not fail a backup: the next run sweeps again.
func (b *backup) sweep(ctx workflow.Context, objects any) {
	b.now(ctx, "sweeping what was left half-done")
	in := activities.SweepInput{Service: b.service, Set: b.manifest.Set, Destination: b.plan.Destination, Encryption: b.plan.Encryption}
	var swept activities.Swept
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, janitor(QueueLifeboat)), objects, in).Get(ctx, &swept)
	if err != nil || len(swept.Left) > 0 {
		workflow.GetLogger(ctx).Warn("sweep left-over objects", "error", err, "left", swept.Left)
	}
	if !slices.ContainsFunc(b.plan.Sources, func(s recovery.SourceSpec) bool { return s.Kind == recovery.KindSQLite }) {
		return
	}
	copies := activities.SweepHostInput{Current: b.manifest.Set, Sources: b.plan.Sources}
	if err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, janitor(HostQueue(b.plan.Host))), backups.SweepHost, copies).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("sweep left-over copies", "error", err)
	}
}

// dump adds the artefact of one source to the set, or records why there is none. What
// is returned is a cancel, or an error that the destination is to blame for while
// there is another one.
func (b *backup) dump(ctx workflow.Context, source recovery.SourceSpec) error {
	b.now(ctx, "dumping "+source.Name)
	var artefact recovery.Artefact
	err := b.tryDump(ctx, source, b.giveUp(), &artefact)
	if err != nil && blame(err) == nil && errorType(err) == activities.ErrorUnavailable && b.giveUp() < b.plan.GiveUpAfter.Std() {
		err = b.tryDump(ctx, source, b.plan.GiveUpAfter.Std(), &artefact) // the source is to blame: elsewhere is no better
	}
	switch {
	case err == nil:
		b.dumped++
		b.manifest.Artefacts = append(b.manifest.Artefacts, artefact)
		b.did(ctx, fmt.Sprintf("%s dumped, %s sealed to %s", source.Name, recovery.Bytes(artefact.Dump.PlainSize), recovery.Bytes(artefact.Dump.Size)))
	case temporal.IsCanceledError(err) || ctx.Err() != nil:
		b.sweepDisconnected(ctx)
		return err
	case blame(err) != nil && b.mayMove():
		return err
	default:
		b.failedBy = ErrorFailed
		if errorType(err) == activities.ErrorUnavailable {
			b.failedBy = activities.ErrorUnavailable
		}
		b.manifest.Failures = append(b.manifest.Failures, recovery.SourceFailure{Source: source.Name, Error: reason(err)})
		b.did(ctx, source.Name+" FAILED: "+reason(err))
	}
	return nil
}

func (b *backup) tryDump(ctx workflow.Context, source recovery.SourceSpec, giveUp time.Duration, artefact *recovery.Artefact) error {
	queue := QueueLifeboat
	if source.Kind == recovery.KindSQLite {
		queue = HostQueue(b.plan.Host)
	}
	return step{
		name: "dump " + source.Name, options: long(queue), activity: backups.DumpSource, giveUp: giveUp,
		input: func(int) any {
			b.attempts[source.Name]++
			return activities.DumpSourceInput{
				Service: b.service, Set: b.manifest.Set, Attempt: b.attempts[source.Name], Source: source,
				Destination: b.plan.Destination, Encryption: b.plan.Encryption,
			}
		},
	}.run(ctx, b.teller, artefact)
}

// sweepDisconnected sweeps also after a cancel.
func (b *backup) sweepDisconnected(ctx workflow.Context) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	b.sweep(ctx, backups.SweepSet)
}

func (b *backup) commit(ctx workflow.Context) error {
	b.now(ctx, "committing the set")
	err := step{
		name: "commit " + string(b.manifest.Set), options: quick(QueueLifeboat), activity: backups.CommitSet, giveUp: b.giveUp(),
		input: func(int) any {
			return activities.CommitSetInput{Destination: b.plan.Destination, Encryption: b.plan.Encryption, Manifest: b.manifest}
		},
	}.run(ctx, b.teller, nil)
	if err == nil {
		b.did(ctx, fmt.Sprintf("set committed, %s", recovery.Bytes(b.manifest.Size())))
	}
	return err
}

func (b *backup) nothingDumped() error {
	var why []string
	for _, f := range b.manifest.Failures {
		why = append(why, f.Error)
	}
	return temporal.NewNonRetryableApplicationError("no recovery set was made: "+strings.Join(why, "; "), b.failedBy, nil)
}
