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
		c.result.BadCopy = c.reading && badCopy(err)
	}
	c.outcome(ctx, string(c.result.State))
	return &c.result, nil
}

type changeData struct {
	*teller
	in      ChangeDataInput
	copies  []activities.CopyRef
	kept    []activities.Kept // copies that have a lasting name
	halted  time.Time         // when the service was stopped
	reading bool              // the set is being read: what fails may be its copy
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
	c.reading = true
	for i := range c.copies {
		rows, err := c.restore(ctx, i)
		if err != nil {
			return nil, err
		}
		if i < len(c.in.Sources) {
			c.result.Rows += rows
		}
	}
	c.reading = false
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
