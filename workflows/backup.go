package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Activities are named through nil pointers; the worker registers filled structs.
var (
	plans         *activities.Plans
	backups       *activities.Backups
	verifications *activities.Verifications
	restores      *activities.Restores
	approvals     *activities.Approvals
	cards         *activities.Cards
	locks         *activities.Locks
	drills        *activities.Drills
	changes       *activities.Changes
)

// BackupServiceInput starts BackupService.
type BackupServiceInput struct {
	Service string `json:"service"`
	// Purpose is empty for a backup, and else says what a restore makes the set for.
	Purpose recovery.Purpose `json:"purpose,omitempty"`
	// Instead names, by source, the database or file that is dumped instead of the
	// live one; other sources are left out. Empty: all sources as they are.
	Instead map[string]string `json:"instead,omitempty"`
}

// BackupServiceResult is the committed set, and the plan it was made by.
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
	b.teller.outcome(ctx, "committed")
	return &BackupServiceResult{Plan: b.plan, Manifest: b.manifest}, nil
}

type backup struct {
	*teller
	in       BackupServiceInput
	service  string
	plan     recovery.Plan
	manifest recovery.Manifest
	failedBy string // the type of the last source's error
}

func (b *backup) setup(ctx workflow.Context) (err error) {
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
	b.begin(ctx)
	b.sweep(ctx, backups.SweepSets)
	for _, source := range b.plan.Sources {
		if err := b.dump(ctx, source); err != nil {
			return err
		}
	}
	if len(b.manifest.Artefacts) == 0 {
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

// begin gives the set its id.
func (b *backup) begin(ctx workflow.Context) {
	now := workflow.Now(ctx)
	info := workflow.GetInfo(ctx)
	run := info.WorkflowExecution
	// The original run id stays the same when a run is reset, and so does the set's.
	suffix := sha256.Sum256([]byte(info.OriginalRunID))
	b.manifest = recovery.Manifest{
		Format: recovery.ManifestFormat, Service: b.service, Set: recovery.NewSetID(now, hex.EncodeToString(suffix[:3])), Created: now.UTC(),
		Run: recovery.RunRef{WorkflowID: run.ID, RunID: run.RunID}, Config: b.plan.Config, Purpose: b.in.Purpose,
	}
	b.status.Set = b.manifest.Set
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

// dump adds the artefact of one source to the set, or records why there is none.
// Only a cancel is returned.
func (b *backup) dump(ctx workflow.Context, source recovery.SourceSpec) error {
	queue := QueueLifeboat
	if source.Kind == recovery.KindSQLite {
		queue = HostQueue(b.plan.Host)
	}
	b.now(ctx, "dumping "+source.Name)
	var artefact recovery.Artefact
	err := step{
		name: "dump " + source.Name, options: long(queue), activity: backups.DumpSource, giveUp: b.plan.GiveUpAfter.Std(),
		input: func(attempt int) any {
			return activities.DumpSourceInput{
				Service: b.service, Set: b.manifest.Set, Attempt: attempt, Source: source,
				Destination: b.plan.Destination, Encryption: b.plan.Encryption,
			}
		},
	}.run(ctx, b.teller, &artefact)
	switch {
	case err == nil:
		b.manifest.Artefacts = append(b.manifest.Artefacts, artefact)
		b.did(ctx, fmt.Sprintf("%s dumped, %s sealed to %s", source.Name, recovery.Bytes(artefact.Dump.PlainSize), recovery.Bytes(artefact.Dump.Size)))
	case temporal.IsCanceledError(err) || ctx.Err() != nil:
		b.sweepDisconnected(ctx)
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

// sweepDisconnected sweeps also after a cancel.
func (b *backup) sweepDisconnected(ctx workflow.Context) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	b.sweep(ctx, backups.SweepSet)
}

func (b *backup) commit(ctx workflow.Context) error {
	b.now(ctx, "committing the set")
	err := step{
		name: "commit " + string(b.manifest.Set), options: quick(QueueLifeboat), activity: backups.CommitSet, giveUp: b.plan.GiveUpAfter.Std(),
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

// loadPlan is the first step of every run.
func loadPlan(ctx workflow.Context, t *teller, service string, plan *recovery.Plan) error {
	t.now(ctx, "reading the configuration")
	return step{
		name: "read configuration", options: quick(QueueLifeboat), activity: plans.LoadPlan, giveUp: planGiveUp,
		input: func(int) any { return activities.LoadPlanInput{Service: service} },
	}.run(ctx, t, plan)
}

// waitForChange waits in line behind whatever changes the service's production.
func waitForChange(ctx workflow.Context, t *teller, service string) error {
	return standInLine(ctx, t, ChangeID(service), func() (bool, error) {
		var held bool
		err := step{
			name: "look whether production is being changed", options: quick(QueueLifeboat), activity: locks.IsHeld, giveUp: planGiveUp,
			input: func(int) any { return activities.LockInput{ID: ChangeID(service)} },
		}.run(ctx, t, &held)
		return held, err
	})
}

// inLine runs a locked child as soon as its lock is free.
func inLine(ctx workflow.Context, t *teller, id, workflowType string, in, out any) error {
	return standInLine(ctx, t, id, func() (bool, error) {
		err := inChild(ctx, t, id, workflowType, in, out)
		if errorType(err) == ErrorBusy {
			return true, nil
		}
		return false, err
	})
}

// standInLine calls try until it no longer says that the lock is busy: less and
// less often, so that a wait of hours does not fill the history.
func standInLine(ctx workflow.Context, t *teller, id string, try func() (busy bool, err error)) error {
	for pause := firstInLine; ; pause = min(2*pause, maxPause) {
		if busy, err := try(); err != nil || !busy {
			return err
		}
		t.now(ctx, "waiting for "+id+" to end")
		timer := workflow.NewTimerWithOptions(ctx, pause, workflow.TimerOptions{Summary: "wait in line"})
		if err := timer.Get(ctx, nil); err != nil {
			return err
		}
	}
}

// inChild runs a locked child to its end and follows what it tells. If the lock
// is taken it refuses and says by what.
func inChild(ctx workflow.Context, t *teller, id, workflowType string, in, out any) error {
	stop := t.follow(ctx, id)
	defer stop()
	t.show(ctx)
	err := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, lock(id, workflowType+" of "+t.status.Service)), workflowType, in).Get(ctx, out)
	if _, ok := errors.AsType[*temporal.ChildWorkflowExecutionAlreadyStartedError](err); ok {
		return temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("%s is already running: wait for it to end, or look at it in the Temporal UI", id), ErrorBusy, nil)
	}
	return err
}
