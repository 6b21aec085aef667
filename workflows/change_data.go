package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// ChangeDataInput is a plan that people have agreed to.
type ChangeDataInput struct {
	Plan     recovery.Plan        `json:"plan"`
	Manifest recovery.Manifest    `json:"manifest"`
	Sources  []string             `json:"sources"`
	Live     []recovery.LiveState `json:"live"`  // production, as the plan showed it
	Stamp    string               `json:"stamp"` // for the names of what is set aside
	Beside   bool                 `json:"beside,omitempty"`
	// Back holds swaps that put back what an earlier change has set aside; then
	// nothing is restored.
	Back []recovery.Swap `json:"back,omitempty"`
}

// ChangeData replaces a service's production data by a set: restored beside it,
// compared and tried out there, and only then swapped. Its id change/<service> is
// the lock. Whatever happens, production is afterwards what it was, or what was
// restored; the result says which. A cancel is obeyed until the swap begins.
func ChangeData(ctx workflow.Context, in ChangeDataInput) (*recovery.Restoration, error) {
	c := &changeData{in: in}
	var err error
	if c.teller, err = newTeller(ctx, TypeChangeData, in.Plan.Service); err != nil {
		return nil, err
	}
	c.status.Set = in.Manifest.Set
	c.result = recovery.Restoration{Service: in.Plan.Service, Set: in.Manifest.Set, Sources: in.Sources, State: recovery.StateUntouched}
	begun := workflow.Now(ctx)
	err = c.run(ctx)
	c.result.Took = recovery.Duration(workflow.Now(ctx).Sub(begun).Round(10 * time.Millisecond))
	if temporal.IsCanceledError(err) {
		c.outcome(ctx, "cancelled")
		return nil, err
	}
	if err != nil { // nothing was swapped: what comes after is in the result
		c.result.State, c.result.Sentence = recovery.StateUntouched, "production is untouched: "+reason(err)
	}
	c.outcome(ctx, string(c.result.State))
	return &c.result, nil
}

type changeData struct {
	*teller
	in     ChangeDataInput
	copies []activities.CopyRef
	kept   []activities.Kept // copies that have a lasting name
	halted time.Time         // when the service was stopped
	// unchecked says why the running service could not be checked.
	unchecked string
	result    recovery.Restoration
}

func (c *changeData) run(ctx workflow.Context) error {
	if len(c.in.Back) > 0 {
		if err := c.checkBack(ctx); err != nil {
			return err
		}
		return c.exchange(ctx, c.in.Back)
	}
	if err := c.checkLive(ctx); err != nil || c.result.State == recovery.StateStale {
		return err
	}
	swaps, err := c.prepare(ctx)
	if err != nil {
		c.dropCopies(ctx)
		return err
	}
	if c.in.Beside {
		return nil
	}
	return c.exchange(ctx, swaps)
}

// checkLive looks whether production is still what the plan showed.
func (c *changeData) checkLive(ctx workflow.Context) error {
	states, err := inspectLive(ctx, c.teller, c.in.Plan, c.in.Sources)
	if err != nil {
		return err
	}
	for i, now := range states {
		if was := c.in.Live[i]; now.Exists != was.Exists || now.Identity != was.Identity {
			c.result.State = recovery.StateStale
			c.result.Sentence = fmt.Sprintf("production is untouched: %s is not what it was when the plan was made", now.Where)
			return nil
		}
	}
	return nil
}

// checkBack looks whether production is still what the restore left: otherwise it
// cannot be undone, and the service is not stopped in vain.
func (c *changeData) checkBack(ctx workflow.Context) error {
	for _, s := range c.in.Back {
		if switches(c.in.Plan, s.Source) {
			continue // the service's own command decides what is live
		}
		states, err := inspectLive(ctx, c.teller, c.in.Plan, []string{s.Source})
		if err != nil {
			return err
		}
		if states[0].Identity != s.Out {
			return fmt.Errorf("%s is not what this restore left there: it cannot be undone any more", states[0].Where)
		}
	}
	return nil
}

// inspectLive looks at the production of each source.
func inspectLive(ctx workflow.Context, t *teller, plan recovery.Plan, sources []string) ([]recovery.LiveState, error) {
	var states []recovery.LiveState
	for _, source := range sources {
		t.now(ctx, "looking at production's "+source)
		var state recovery.LiveState
		err := step{
			name: "look at " + source, options: quick(liveQueue(plan, source)), activity: changes.InspectLive, giveUp: plan.GiveUpAfter.Std(),
			input: func(int) any { return activities.LiveInput{Plan: plan, Source: source} },
		}.run(ctx, t, &state)
		if err != nil {
			return nil, err
		}
		states = append(states, state)
	}
	return states, nil
}

// liveQueue serves a production source: files live on the service's host.
func liveQueue(plan recovery.Plan, source string) string {
	for _, s := range plan.Sources {
		if s.Name == source && s.Kind == recovery.KindSQLite {
			return HostQueue(plan.Host)
		}
	}
	return QueueRestore
}

// prepare restores everything beside production, proves it there, and plans the
// swaps.
func (c *changeData) prepare(ctx workflow.Context) ([]recovery.Swap, error) {
	for _, source := range slices.Concat(c.in.Sources, c.forTrial()) {
		a, ok := c.in.Manifest.Artefact(source)
		if !ok {
			return nil, errors.New("source " + source + " is not in the set")
		}
		c.sweep(ctx, source)
		c.copies = append(c.copies, c.copyOf(ctx, a, 1))
	}
	for i := range c.copies {
		rows, err := c.restore(ctx, i)
		if err != nil {
			return nil, err
		}
		if i < len(c.in.Sources) {
			c.result.Rows += rows
		}
	}
	if err := c.tryOut(ctx); err != nil {
		return nil, err
	}
	c.dropBeside(ctx, c.copies[len(c.in.Sources):]) // they were for the trial alone
	c.copies = c.copies[:len(c.in.Sources)]
	if !c.in.Beside {
		return c.planSwaps(ctx)
	}
	for _, ref := range c.copies {
		if _, err := c.keep(ctx, ref); err != nil {
			return nil, err
		}
	}
	for _, k := range c.kept {
		c.result.Beside = append(c.result.Beside, k.Where)
	}
	c.dropBeside(ctx, c.copies) // what the run made around what is kept
	c.result.State = recovery.StateBeside
	c.result.Sentence = "restored beside production, which is untouched: " + strings.Join(c.result.Beside, "; ")
	return nil, nil
}

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

// keep gives a copy a lasting name.
func (c *changeData) keep(ctx workflow.Context, ref activities.CopyRef) (*activities.Kept, error) {
	var kept activities.Kept
	err := step{
		name: "keep " + ref.Artefact.Source, options: quick(liveQueue(c.in.Plan, ref.Artefact.Source)), activity: changes.KeepBeside, giveUp: c.in.Plan.GiveUpAfter.Std(),
		input: func(int) any { return activities.KeepInput{Plan: c.in.Plan, Copy: ref} },
	}.run(ctx, c.teller, &kept)
	if err == nil {
		c.kept = append(c.kept, kept)
	}
	return &kept, err
}

func (c *changeData) planSwaps(ctx workflow.Context) ([]recovery.Swap, error) {
	var swaps []recovery.Swap
	for _, ref := range c.copies {
		source := ref.Artefact.Source
		c.now(ctx, "preparing the swap of "+source)
		in := activities.PlanSwapInput{Plan: c.in.Plan, Copy: ref, Stamp: c.in.Stamp}
		if switches(c.in.Plan, source) {
			kept, err := c.keep(ctx, ref)
			if err != nil {
				return nil, err
			}
			in.Switch = kept.Name
		}
		var swap recovery.Swap
		err := step{
			name: "prepare the swap of " + source, options: quick(liveQueue(c.in.Plan, source)), activity: changes.PlanSwap, giveUp: c.in.Plan.GiveUpAfter.Std(),
			input: func(int) any { return in },
		}.run(ctx, c.teller, &swap)
		if err != nil {
			return nil, err
		}
		was := c.in.Live[slices.Index(c.in.Sources, source)]
		if swap.Out != was.Identity {
			return nil, fmt.Errorf("%s is not what it was when the plan was made", was.Where)
		}
		swaps = append(swaps, swap)
	}
	return swaps, nil
}

// dropCopies removes what was restored beside production, also after a cancel.
func (c *changeData) dropCopies(ctx workflow.Context) {
	c.dropBeside(ctx, c.copies)
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	for _, k := range c.kept {
		if err := dropNamed(ctx, c.teller, c.in.Plan, activities.NamedInput{Plan: c.in.Plan, Source: k.Source, Name: k.Name, Identity: k.Identity}); err != nil {
			c.did(ctx, fmt.Sprintf("%s could not be removed: %s", k.Name, reason(err)))
		}
	}
}

// dropBeside removes what the run made beside production, but for what has a
// lasting name by now.
func (c *changeData) dropBeside(ctx workflow.Context, copies []activities.CopyRef) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	for _, ref := range copies {
		source := ref.Artefact.Source
		if ref.Artefact.Kind == recovery.KindSQLite {
			c.sweepHandOver(ctx)
		}
		c.now(ctx, "removing the restored copy of "+source)
		err := step{
			name: "remove the copy of " + source, options: quick(liveQueue(c.in.Plan, source)), activity: changes.DropBeside, giveUp: cleanGiveUp,
			input: func(int) any {
				return activities.StagingInput{Plan: c.in.Plan, Copies: []activities.CopyRef{ref}}
			},
		}.run(ctx, c.teller, nil)
		if err != nil {
			c.did(ctx, fmt.Sprintf("the restored copy of %s could not be removed: %s", source, reason(err)))
		}
	}
}

// sweepHandOver removes what was sealed for the host from the set's folder: no
// manifest names it.
func (c *changeData) sweepHandOver(ctx workflow.Context) {
	in := activities.SweepInput{Service: c.in.Plan.Service, Set: c.in.Manifest.Set, Destination: c.in.Plan.Destination, Encryption: c.in.Plan.Encryption}
	if err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, janitor(QueueLifeboat)), backups.SweepSet, in).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("sweep what was handed over", "error", err)
	}
}

// dropNamed removes what has that name and identity beside production.
func dropNamed(ctx workflow.Context, t *teller, plan recovery.Plan, in activities.NamedInput) error {
	t.now(ctx, "removing "+in.Name)
	return step{
		name: "remove " + in.Name, options: long(liveQueue(plan, in.Source)), activity: changes.DropAside, giveUp: cleanGiveUp,
		input: func(int) any { return in },
	}.run(ctx, t, nil)
}
