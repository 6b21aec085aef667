package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// tryOut restores every artefact to staging, compares it with its source, and
// starts the service on the whole. Only a cancel is returned: all else is a
// finding about the set or about staging.
func (v *verifySet) tryOut(ctx workflow.Context) error {
	for _, a := range v.manifest.Artefacts {
		v.copies = append(v.copies, v.copyOf(ctx, a, 1))
	}
	v.now(ctx, "checking that staging can hold it")
	err := step{
		name: "prepare staging", options: quick(QueueRestore), activity: restores.PrepareStaging, giveUp: v.plan.GiveUpAfter.Std(),
		input: func(int) any { return v.staging() },
	}.run(ctx, v.teller, nil)
	if err != nil {
		return v.unsettled(ctx, err, 0)
	}
	for i := range v.manifest.Artefacts {
		if err := v.restore(ctx, i); err != nil {
			return v.unsettled(ctx, err, i)
		}
	}
	if v.plan.Smoke == nil || v.in.Target < recovery.LevelProven || v.standing() != recovery.Proven || len(v.manifest.Failures) > 0 {
		return nil
	}
	return v.smoke(ctx)
}

// unsettled records that nothing was learnt about an artefact, or, if its bytes
// are damaged, that it is disproven. A cancel is passed on.
func (v *verifySet) unsettled(ctx workflow.Context, err error, artefact int) error {
	if temporal.IsCanceledError(err) || ctx.Err() != nil {
		return err
	}
	proof := &v.proof.Artefacts[artefact]
	proof.Verdict, proof.Sentence = recovery.Inconclusive, reason(err)
	if errorType(err) == activities.ErrorDamaged {
		proof.Verdict = recovery.Disproven
	}
	return nil
}

func (v *verifySet) restore(ctx workflow.Context, i int) error {
	a := v.manifest.Artefacts[i]
	v.now(ctx, "restoring "+a.Source+" to staging")
	var restored activities.RestoredCopy
	err := step{
		name: "restore " + a.Source, options: long(QueueRestore), activity: restores.RestoreArtefact, giveUp: v.plan.GiveUpAfter.Std(),
		input: func(attempt int) any {
			v.copies[i] = v.copyOf(ctx, a, attempt)
			return activities.CopyInput{Plan: v.plan, Copy: v.copies[i]}
		},
	}.run(ctx, v.teller, &restored)
	if err != nil {
		return err
	}
	v.proof.Artefacts[i].RestoreTook = restored.Took
	v.did(ctx, fmt.Sprintf("%s restored, %s in %s", a.Source, recovery.Bytes(restored.PlainSize), restored.Took))

	v.now(ctx, "comparing "+a.Source+" with its source")
	var compared activities.Compared
	err = step{
		name: "compare " + a.Source, options: long(QueueRestore), activity: restores.CompareCopy, giveUp: v.plan.GiveUpAfter.Std(),
		input: func(int) any { return activities.CopyInput{Plan: v.plan, Copy: v.copies[i]} },
	}.run(ctx, v.teller, &compared)
	if err != nil {
		return err
	}
	judge(&v.proof.Artefacts[i], restored, compared)
	return nil
}

// judge draws the conclusion from a restore and its comparison.
func judge(p *recovery.ArtefactProof, restored activities.RestoredCopy, compared activities.Compared) {
	p.Rows, p.Differences, p.MoreDifferences = compared.Rows, compared.Differences, compared.More
	equal := len(compared.Differences) == 0
	if compared.Compared {
		p.FingerprintEqual = &equal
	}
	switch {
	case !equal && compared.OnlyTexts && compared.OtherVersion:
		p.Verdict = recovery.Inconclusive
		p.Sentence = fmt.Sprintf("%s: the wording of definitions differs, as it may between versions of PostgreSQL: %s", p.Source, differences(compared))
	case !equal:
		p.Verdict = recovery.Disproven
		p.Sentence = fmt.Sprintf("%s: the restored copy is not the source: %s", p.Source, differences(compared))
	case len(restored.Complaints) > 0:
		p.Verdict, p.Level = recovery.Inconclusive, recovery.LevelRestored
		p.Sentence = fmt.Sprintf("%s: everything compared is there, but the restore complained: %s", p.Source, strings.Join(restored.Complaints, "; "))
	case !compared.Compared:
		p.Level = recovery.LevelRestored
		p.Sentence = p.Source + ": restored without complaint; not compared, its fingerprint is off"
	default:
		p.Level = recovery.LevelRestored
	}
}

func differences(c activities.Compared) string {
	var names []string
	for _, d := range c.Differences {
		names = append(names, d.String())
	}
	text := strings.Join(names, "; ")
	if c.More > 0 {
		text += fmt.Sprintf("; and %d more", c.More)
	}
	return text
}

func (v *verifySet) smoke(ctx workflow.Context) error {
	v.now(ctx, "starting the service on the restored data")
	var proof recovery.SmokeProof
	err := step{
		name: "smoke test", options: long(QueueRestore), activity: restores.SmokeTest, giveUp: v.plan.GiveUpAfter.Std(),
		input: func(int) any { return v.staging() },
	}.run(ctx, v.teller, &proof)
	if err != nil {
		if temporal.IsCanceledError(err) || ctx.Err() != nil {
			return err
		}
		proof = recovery.SmokeProof{Sentence: reason(err)} // inconclusive
	}
	v.proof.Smoke = &proof
	return nil
}

// clean drops what the run made on staging, also after a cancel.
func (v *verifySet) clean(ctx workflow.Context) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	v.now(ctx, "cleaning up staging")
	err := step{
		name: "clean staging", options: quick(QueueRestore), activity: restores.CleanStaging, giveUp: cleanGiveUp,
		input: func(int) any { return v.staging() },
	}.run(ctx, v.teller, nil)
	if err != nil {
		// The next run's janitor drops what is left.
		workflow.GetLogger(ctx).Error("clean staging", "error", err)
	}
}

func (v *verifySet) copyOf(ctx workflow.Context, a recovery.Artefact, attempt int) activities.CopyRef {
	info := workflow.GetInfo(ctx).WorkflowExecution
	return activities.CopyRef{Artefact: a, Run: recovery.RunRef{WorkflowID: info.ID, RunID: info.RunID}, Attempt: attempt}
}

func (v *verifySet) staging() activities.StagingInput {
	return activities.StagingInput{Plan: v.plan, Copies: v.copies}
}
