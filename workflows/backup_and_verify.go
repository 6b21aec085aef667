package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// BackupAndVerify makes one recovery set of a service and proves it: every
// source dumped, sealed and stored, then read back, restored to staging,
// compared with the source, and the service started on it.
//
// It completes only if the level asked for was reached. Otherwise it fails with
// ErrorDisproven or ErrorInconclusive, whose details hold the Report.
func BackupAndVerify(ctx workflow.Context, in BackupAndVerifyInput) (*recovery.Report, error) {
	p := &backupAndVerify{in: in}
	if err := p.setup(ctx); err != nil {
		return nil, err
	}
	defer p.finish(ctx)
	report, err := p.run(ctx)
	report, err = conclude(ctx, p.teller, report, err)
	p.pingEnd(ctx, p.gate.plan.Pings, "backup", err)
	switch {
	case temporal.IsCanceledError(err):
		p.posted(ctx, card.Cancelled, "cancelled")
	case err != nil:
		p.posted(ctx, card.Failed, reason(err))
	default:
		p.posted(ctx, card.Done, report.Sentence)
	}
	return report, err
}

type backupAndVerify struct {
	*teller
	*gate
	in BackupAndVerifyInput
}

func (p *backupAndVerify) setup(ctx workflow.Context) (err error) {
	if p.teller, err = newTeller(ctx, TypeBackupAndVerify, p.in.Service); err != nil {
		return err
	}
	if p.gate, err = newGate(ctx, p.teller); err != nil {
		return err
	}
	return checkInput(p.in.Service, p.in.malformed)
}

func (p *backupAndVerify) run(ctx workflow.Context) (*recovery.Report, error) {
	if err := loadPlan(ctx, p.teller, p.in.Service, p.gate.plan); err != nil {
		return nil, err
	}
	p.ping(ctx, p.gate.plan.Pings, "backup", activities.PingStart, "")
	if p.in.Requested != nil { // scheduled ones have no card
		startPoster(ctx, p.teller, p.gate, "Backup of "+p.in.Service, p.requester(ctx, TypeBackupAndVerify, p.in.unclaimed(), p.in.Requested))
	}
	var made BackupServiceResult
	child := inChild
	if p.in.Due { // a backup that somebody started by hand must not cost the one that is due
		child = inLine
	}
	if err := child(ctx, p.teller, BackupID(p.in.Service), TypeBackupService, BackupServiceInput{Service: p.in.Service, Due: p.in.Due}, &made); err != nil {
		return nil, err
	}
	if made.Manifest.Set == "" {
		return recovery.NothingDue(p.in.Service), nil
	}
	target := wanted(p.in.Level, made.Plan.Target(made.Plan.Verify == recovery.VerifyAfterBackup))
	return verifyInChild(ctx, p.teller, made.Plan, VerifySetInput{Service: p.in.Service, Set: made.Manifest.Set, Target: target})
}

// verifyInChild runs VerifySet. A set that is not proven is a report, not an
// error: the caller concludes from it as VerifySet did.
func verifyInChild(ctx workflow.Context, t *teller, plan recovery.Plan, in VerifySetInput) (*recovery.Report, error) {
	var report recovery.Report
	if in.Copy == "" {
		in.Copy = plan.Destination.Name
	}
	err := inChild(ctx, t, VerifyID(in.Set, in.Copy), TypeVerifySet, in, &report)
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok && app.HasDetails() {
		if err := app.Details(&report); err != nil {
			return nil, fmt.Errorf("read report: %w", err)
		}
		return &report, nil
	}
	return &report, err
}

// wanted lowers the level that the configuration reaches to the one asked for.
func wanted(asked *recovery.Level, reachable recovery.Level) recovery.Level {
	if asked != nil && *asked > recovery.LevelNone {
		return min(*asked, reachable)
	}
	return reachable
}

// conclude ends a playbook: green only if the level asked for was reached.
func conclude(ctx workflow.Context, t *teller, report *recovery.Report, err error) (*recovery.Report, error) {
	return concludeWith(ctx, t, report, err, report)
}

// concludeWith puts details other than the report into the error of a run that
// did not reach its level.
func concludeWith(ctx workflow.Context, t *teller, report *recovery.Report, err error, details any) (*recovery.Report, error) {
	switch {
	case temporal.IsCanceledError(err):
		t.outcome(ctx, "cancelled")
		return nil, err
	case err != nil:
		t.outcome(ctx, "failed")
		return nil, plainError(err)
	case report.Reached():
		t.outcome(ctx, report.Level.String())
		return report, nil
	}
	kind := ErrorInconclusive
	if report.Verdict == recovery.Disproven {
		kind = ErrorDisproven
	}
	t.outcome(ctx, kind)
	return nil, temporal.NewNonRetryableApplicationError(report.Sentence, kind, nil, details)
}

// plainError says what went wrong in one layer, not in Temporal's three.
func plainError(err error) error {
	kind := errorType(err)
	if kind == "" {
		kind = ErrorFailed
	}
	return temporal.NewNonRetryableApplicationError(reason(err), kind, nil)
}
