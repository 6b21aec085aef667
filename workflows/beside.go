package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// forTrial names the sources that are not asked for, but without which the service
// cannot be started: they are restored as well, tried out, and removed again. None,
// if it is not started.
func (c *changeData) forTrial() []string {
	if c.in.Plan.Smoke == nil || c.in.Beside {
		return nil
	}
	var others []string
	for _, s := range c.in.Plan.Sources {
		if slices.Contains(c.in.Sources, s.Name) {
			continue
		}
		if _, ok := c.in.Manifest.Artefact(s.Name); !ok {
			return nil
		}
		others = append(others, s.Name)
	}
	return others
}

// sweep removes what terminated runs left beside production. Failing to does not
// fail a restore: the next one sweeps again.
func (c *changeData) sweep(ctx workflow.Context, source string) {
	info := workflow.GetInfo(ctx).WorkflowExecution
	in := activities.SweepBesideInput{Plan: c.in.Plan, Source: source, Current: recovery.RunRef{WorkflowID: info.ID, RunID: info.RunID}}
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, janitor(liveQueue(c.in.Plan, source))), changes.SweepBeside, in).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Warn("sweep left-over copies", "error", err)
	}
}

func (c *changeData) copyOf(ctx workflow.Context, a recovery.Artefact, attempt int) activities.CopyRef {
	info := workflow.GetInfo(ctx).WorkflowExecution
	return activities.CopyRef{Artefact: a, Run: recovery.RunRef{WorkflowID: info.ID, RunID: info.RunID}, Attempt: attempt, Beside: true}
}

// restore restores one source beside production, compares it, and returns its rows.
func (c *changeData) restore(ctx workflow.Context, i int) (rows int64, err error) {
	a := c.copies[i].Artefact
	plan, queue, compare := c.in.Plan, QueueRestore, any(restores.CompareCopy)
	if a.Kind == recovery.KindSQLite {
		key, handed, err := c.handOver(ctx, c.copies[i])
		if err != nil {
			return 0, err
		}
		plan.Encryption, queue, compare = *key, HostQueue(plan.Host), changes.CompareDigest
		c.copies[i].Artefact.Dump, c.copies[i].Artefact.Companions = *handed, nil
	}
	c.now(ctx, "restoring "+a.Source+" beside production")
	var restored activities.RestoredCopy
	err = step{
		name: "restore " + a.Source, options: long(queue), activity: restores.RestoreArtefact, giveUp: plan.GiveUpAfter.Std(),
		input: func(attempt int) any {
			c.copies[i].Attempt = attempt
			return activities.CopyInput{Plan: plan, Copy: c.copies[i]}
		},
	}.run(ctx, c.teller, &restored)
	if err != nil {
		return 0, err
	}
	c.did(ctx, fmt.Sprintf("%s restored beside production, %s in %s", a.Source, recovery.Bytes(restored.PlainSize), restored.Took))
	var compared activities.Compared
	c.now(ctx, "comparing "+a.Source+" with the set")
	err = step{
		name: "compare " + a.Source, options: long(queue), activity: compare, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any { return activities.CopyInput{Plan: plan, Copy: c.copies[i]} },
	}.run(ctx, c.teller, &compared)
	if err != nil {
		return 0, err
	}
	proof := recovery.ArtefactProof{Source: a.Source, Verdict: recovery.Proven}
	judge(&proof, restored, compared)
	if proof.Verdict != recovery.Proven {
		return 0, errors.New(proof.Sentence)
	}
	c.did(ctx, fmt.Sprintf("%s is equal to the set, %d rows", a.Source, compared.Rows))
	return compared.Rows, nil
}

// handOver gets an artefact to the host of its file, which does not hold the key
// to all backups.
func (c *changeData) handOver(ctx workflow.Context, ref activities.CopyRef) (*recovery.EncryptionSpec, *recovery.Object, error) {
	plan, source := c.in.Plan, ref.Artefact.Source
	c.now(ctx, "handing "+source+" over to its host")
	var key recovery.EncryptionSpec
	err := step{
		name: "make a key for " + source, options: quick(HostQueue(plan.Host)), activity: changes.OfferKey, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any { return activities.CopyInput{Plan: plan, Copy: ref} },
	}.run(ctx, c.teller, &key)
	if err != nil {
		return nil, nil, err
	}
	var handed recovery.Object
	err = step{
		name: "hand over " + source, options: long(QueueRestore), activity: restores.HandOver, giveUp: plan.GiveUpAfter.Std(),
		input: func(attempt int) any {
			name := recovery.ObjectName(source, attempt, "handover-"+strings.ToLower(ref.Run.RunID)+"."+recovery.DumpExt(ref.Artefact.Kind))
			return activities.HandOverInput{Plan: plan, Copy: ref, Key: key, Name: name}
		},
	}.run(ctx, c.teller, &handed)
	return &key, &handed, err
}

// tryOut starts the service on the copies, as its own role.
func (c *changeData) tryOut(ctx workflow.Context) error {
	plan := c.in.Plan
	if plan.Smoke == nil || len(c.copies) < len(plan.Sources) {
		c.did(ctx, "not tried out: the service is started only on all of its sources, and only if smoke is configured")
		return nil
	}
	c.now(ctx, "starting the service on the restored data")
	var proof recovery.SmokeProof
	err := step{
		name: "smoke test", options: long(HostQueue(plan.Host)), activity: changes.TryBeside, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any { return activities.StagingInput{Plan: plan, Copies: c.copies} },
	}.run(ctx, c.teller, &proof)
	if err != nil {
		return err
	}
	c.result.Tried = &proof
	if proof.Verdict != recovery.Proven {
		return errors.New(proof.Sentence)
	}
	c.did(ctx, fmt.Sprintf("the service passed %d checks on the restored data", len(proof.Steps)))
	return nil
}
