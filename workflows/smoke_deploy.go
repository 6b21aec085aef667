package workflows

import (
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// SmokeDeploy deploys the newest release of a service to its staging, runs its
// integration tests there, and records how that went. Nothing in production changes.
//
// It fails with ErrorDisproven if the release did not pass, and with
// ErrorInconclusive if nobody knows; the details hold the StagedRelease.
func SmokeDeploy(ctx workflow.Context, in ReleaseInput) (*release.StagedRelease, error) {
	d := &smokeDeploy{in: in, result: release.StagedRelease{Service: in.Service}}
	if err := d.setup(ctx); err != nil {
		return nil, err
	}
	defer d.finish(ctx)
	err := d.run(ctx)
	return d.end(ctx, err)
}

type smokeDeploy struct {
	*teller
	*gate
	in     ReleaseInput
	plan   recovery.Plan
	result release.StagedRelease
}

func (d *smokeDeploy) setup(ctx workflow.Context) (err error) {
	if d.teller, err = newTeller(ctx, TypeSmokeDeploy, d.in.Service); err != nil {
		return err
	}
	if d.gate, err = newGate(ctx, d.teller); err != nil {
		return err
	}
	if err := checkInput(d.in.Service, d.in.malformed); err != nil {
		return err
	}
	if d.in.Tag != "" {
		if err := release.CheckTag(d.in.Tag); err != nil {
			return badInput("read input: tag: %v", err)
		}
	}
	return nil
}

func (d *smokeDeploy) run(ctx workflow.Context) error {
	if err := loadPlan(ctx, d.teller, d.in.Service, &d.plan); err != nil {
		return err
	}
	d.gate.plan = &d.plan
	startPoster(ctx, d.teller, d.gate, "Smoke deploy of "+d.in.Service, "")
	if err := needDeploy(d.plan); err != nil {
		return err
	}
	if d.plan.Deploy.Staging == nil {
		return badInput("try a release of %s: it has no staging: write deploy.staging into the config", d.in.Service)
	}
	if err := waitForChange(ctx, d.teller, d.in.Service); err != nil {
		return err
	}
	if err := d.choose(ctx); err != nil {
		return err
	}
	return inChild(ctx, d.teller, StageID(d.in.Service), TypeStageRelease, StageReleaseInput{Plan: d.plan, Release: d.result.Release}, &d.result)
}

// choose finds the release to try: the newest, unless one was named.
func (d *smokeDeploy) choose(ctx workflow.Context) error {
	known, err := overview(ctx, d.teller, d.plan)
	if err != nil {
		return err
	}
	if known.tags != "" && d.in.Tag == "" { // the newest that was seen is not the newest
		return errors.New(known.tags)
	}
	for _, r := range known.Releases {
		if d.in.Tag == "" || r.Tag.Tag == d.in.Tag {
			d.result.Release = r.Tag
			return nil
		}
	}
	switch {
	case d.in.Tag != "" && len(known.Releases) > 0:
		return badInput("try a release of %s: there is no release %q; the newest is %s", d.in.Service, d.in.Tag, known.Releases[0].Tag.Tag)
	case d.in.Tag != "":
		d.result.Release = release.Tag{Tag: d.in.Tag}
		return nil
	}
	return badInput("try a release of %s: no release is known: write deploy.repo or deploy.releases into the config", d.in.Service)
}

// end tells how it went: a release that does not pass is loud.
func (d *smokeDeploy) end(ctx workflow.Context, err error) (*release.StagedRelease, error) {
	if err != nil {
		return nil, d.stop(ctx, err, "production is untouched", d.plan.Owner)
	}
	if d.result.Verdict == recovery.Proven {
		d.outcome(ctx, recovery.Proven.String())
		d.posted(ctx, card.Done, d.result.Sentence)
		return &d.result, nil
	}
	kind := ErrorInconclusive
	if d.result.Verdict == recovery.Disproven {
		kind = ErrorDisproven
	}
	d.outcome(ctx, kind)
	d.shout(ctx, strings.TrimSpace(d.result.Sentence+"\n"+d.result.Output), d.plan.Owner)
	d.posted(ctx, card.Failed, d.result.Sentence)
	return nil, temporal.NewNonRetryableApplicationError(d.result.Sentence, kind, nil, &d.result)
}

// StageReleaseInput names a release to try on staging.
type StageReleaseInput struct {
	Plan    recovery.Plan `json:"plan"`
	Release release.Tag   `json:"release"`
}

// StageRelease deploys a release to staging and tests it there. Its id
// stage/<service> is the lock of that staging.
func StageRelease(ctx workflow.Context, in StageReleaseInput) (*release.StagedRelease, error) {
	s := &stageRelease{in: in, result: release.StagedRelease{Service: in.Plan.Service, Release: in.Release}}
	var err error
	if s.teller, err = newTeller(ctx, TypeStageRelease, in.Plan.Service); err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		s.outcome(ctx, "failed")
		return nil, err
	}
	s.outcome(ctx, s.result.Verdict.String())
	return &s.result, nil
}

type stageRelease struct {
	*teller
	in     StageReleaseInput
	result release.StagedRelease
}

// run returns an error only for a cancel: all else is a finding.
func (s *stageRelease) run(ctx workflow.Context) error {
	staging, tag := s.in.Plan.Deploy.Staging, s.in.Release
	passed, err := s.command(ctx, "deploy", staging.Deploy, &s.result.Deploy)
	if err == nil && passed {
		s.did(ctx, fmt.Sprintf("%s deployed to staging in %s", tag.Tag, s.result.Deploy))
		passed, err = s.command(ctx, "test", staging.Test, &s.result.Test)
	}
	if err != nil {
		return err
	}
	if passed {
		s.result.Verdict = recovery.Proven
		s.result.Sentence = fmt.Sprintf("%s passed its tests on staging in %s, deployed in %s", tag.Tag, s.result.Test, s.result.Deploy)
	}
	recordRelease(ctx, s.teller, s.in.Plan, release.Record{
		Tag: tag.Tag, Commit: tag.Commit, Kind: release.Staged, Verdict: s.result.Verdict, Sentence: s.result.Sentence, Took: s.result.Deploy + s.result.Test,
	})
	return ctx.Err()
}

// command runs one of staging's commands, and says whether it ended well; otherwise
// the result says what is known.
func (s *stageRelease) command(ctx workflow.Context, name string, args []string, took *recovery.Duration) (passed bool, err error) {
	spec := s.in.Plan.Deploy.OnStaging(name, args, s.in.Release.Tag, s.in.Release.Commit)
	s.now(ctx, fmt.Sprintf("running %s of %s", spec.Name, s.in.Release.Tag))
	info := workflow.GetInfo(ctx).WorkflowExecution
	s.result.Output = ""
	outcome, err := commandOnce{plan: s.in.Plan, command: spec, key: info.RunID + "-" + name, repeatable: true}.run(ctx, s.teller)
	switch {
	case temporal.IsCanceledError(err) || ctx.Err() != nil:
		return false, errors.Join(err, ctx.Err())
	case err != nil:
		s.result.Sentence = reason(err)
		return false, nil
	}
	*took, s.result.Output = outcome.Took(), outcome.Output
	switch {
	case !outcome.Known:
		s.result.Sentence = fmt.Sprintf("nobody knows how %s of %s ended: %s", spec.Name, s.in.Release.Tag, outcome.Why)
	case outcome.Failure != "":
		s.result.Verdict = recovery.Disproven
		s.result.Sentence = fmt.Sprintf("%s did not pass on staging: %s: %s", s.in.Release.Tag, spec.Name, outcome.Failure)
	default:
		return true, nil
	}
	return false, nil
}
