package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// exchange swaps what was proven beside production with production. From here on
// a cancel comes too late: it goes on to its end, and every outcome is told by the
// result. An error means that nothing was swapped.
func (c *changeData) exchange(ctx workflow.Context, swaps []recovery.Swap) error {
	if err := ctx.Err(); err != nil {
		c.dropCopies(ctx)
		return err
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	stop := c.stops(swaps)
	c.halted = workflow.Now(ctx)
	if err := c.halt(ctx, stop); err != nil {
		what := c.revive(ctx, stop, reason(err))
		c.dropCopies(ctx)
		return errors.New(what)
	}
	done, err := c.swap(ctx, swaps, stop)
	if err != nil {
		c.retreat(ctx, done, stop, "the swap did not work: "+reason(err), false)
		return nil
	}
	resumed := c.resume(ctx, stop)
	c.did(ctx, fmt.Sprintf("swapped; nothing answered for %s", briefly(c.result.Down)))
	trouble := ""
	if resumed != nil {
		trouble = "the service could not be started: " + reason(resumed)
	} else {
		trouble = c.checkService(ctx)
	}
	if trouble != "" && len(c.in.Back) == 0 && !slices.ContainsFunc(done, func(s recovery.Swap) bool { return s.Out == "" }) {
		if err := c.halt(ctx, stop); err != nil {
			c.did(ctx, reason(err))
		}
		c.retreat(ctx, done, stop, trouble, true)
		return nil
	}
	c.dropBeside(ctx, c.copies) // what the run made around what was swapped
	c.result.State, c.result.Swaps, c.result.Sentence = recovery.StateRestored, done, c.restoredSentence(trouble)
	return nil
}

func (c *changeData) restoredSentence(trouble string) string {
	what := fmt.Sprintf("production of %s is now set %s (%d rows)", c.in.Plan.Service, c.in.Manifest.Set, c.result.Rows)
	if len(c.in.Back) > 0 {
		what = "production of " + c.in.Plan.Service + " is what it was before the restore"
	}
	what += fmt.Sprintf("; nothing answered for %s", briefly(c.result.Down))
	if trouble != "" {
		what += "; BUT " + trouble
	}
	if c.unchecked != "" {
		what += "; the running service was NOT checked: " + c.unchecked
	}
	return what
}

// retreat puts back what was there, and says why. ran is true if the service ran
// on what was swapped in: what it wrote there is not thrown away.
func (c *changeData) retreat(ctx workflow.Context, done []recovery.Swap, stop bool, why string, ran bool) {
	c.did(ctx, why+": swapping back")
	if stuck := c.putBack(ctx, done, stop); len(stuck) > 0 {
		c.result.State, c.result.Swaps = recovery.StateUnclear, done
		c.result.Sentence = fmt.Sprintf("a person must look at production of %s: %s; %s", c.in.Plan.Service, why, strings.Join(stuck, "; "))
		if stop {
			c.result.Sentence += "; the service is left stopped, so that it does not run on half of each: start it once you have looked"
		}
		c.did(ctx, c.result.Sentence)
		return
	}
	c.result.Sentence = "production is what it was before: "
	if len(c.in.Back) > 0 {
		c.result.Sentence = "the restored data is still in place: "
	}
	c.result.Sentence += c.revive(ctx, stop, why)
	if !ran {
		c.dropRetired(ctx, done)
		c.dropCopies(ctx)
		return
	}
	for _, s := range done {
		c.result.Beside = append(c.result.Beside, s.Retired)
	}
	c.result.Sentence += "; what the service wrote meanwhile is in " + strings.Join(c.result.Beside, ", ") + ": remove that once nobody needs it"
	c.dropBeside(ctx, c.copies)
}

// dropRetired removes what was swapped in and out again before anybody used it.
// What an undo swapped in is the former production: that stays.
func (c *changeData) dropRetired(ctx workflow.Context, done []recovery.Swap) {
	if len(c.in.Back) > 0 {
		return
	}
	for _, s := range done {
		if err := dropNamed(ctx, c.teller, c.in.Plan, activities.NamedInput{Plan: c.in.Plan, Source: s.Source, Name: s.Retired, Identity: s.In}); err != nil {
			c.did(ctx, fmt.Sprintf("%s could not be removed: %s", s.Retired, reason(err)))
		}
	}
}

// revive starts the service again, and adds to what is said if that does not work.
func (c *changeData) revive(ctx workflow.Context, stop bool, what string) string {
	if err := c.resume(ctx, stop); err != nil {
		return what + "; AND the service could not be started again: " + reason(err)
	}
	return what
}

// stops says whether the service is stopped while its data is swapped: one
// database alone is renamed under the running service.
func (c *changeData) stops(swaps []recovery.Swap) bool {
	alone := len(swaps) == 1 && swaps[0].Kind == recovery.KindPostgres
	return !alone && len(c.in.Plan.Commands.Stop) > 0
}

func (c *changeData) halt(ctx workflow.Context, stop bool) error {
	if err := c.command(ctx, activities.CommandMaintenanceOn, c.in.Plan.Commands.MaintenanceOn, c.hurried()); err != nil {
		return err
	}
	if !stop {
		return nil
	}
	return c.command(ctx, activities.CommandStop, c.in.Plan.Commands.Stop, c.hurried())
}

// hurried is how long a step is tried for which the service is down: rather than
// longer, what was there is put back.
func (c *changeData) hurried() time.Duration { return min(downGiveUp, c.in.Plan.GiveUpAfter.Std()) }

// resume is halt backwards; it does all it can.
func (c *changeData) resume(ctx workflow.Context, stop bool) error {
	var err error
	if stop {
		err = c.command(ctx, activities.CommandStart, c.in.Plan.Commands.Start, c.in.Plan.GiveUpAfter.Std())
	}
	if off := c.command(ctx, activities.CommandMaintenanceOff, c.in.Plan.Commands.MaintenanceOff, c.in.Plan.GiveUpAfter.Std()); off != nil {
		c.did(ctx, "the maintenance page could not be taken off: "+reason(off))
	}
	if stop {
		c.result.Down = recovery.Duration(workflow.Now(ctx).Sub(c.halted).Round(10 * time.Millisecond))
	}
	return err
}

func (c *changeData) command(ctx workflow.Context, name activities.CommandName, command []string, giveUp time.Duration) error {
	if len(command) == 0 {
		return nil
	}
	c.now(ctx, "running the service's command "+string(name))
	plan := c.in.Plan
	return step{
		name: "command " + string(name), options: urgent(HostQueue(plan.Host)), activity: changes.RunCommand, giveUp: giveUp,
		input: func(int) any { return activities.CommandInput{Plan: plan, Command: name} },
	}.run(ctx, c.teller, nil)
}

// swap swaps each source and returns those that it touched, also when one fails.
func (c *changeData) swap(ctx workflow.Context, swaps []recovery.Swap, stopped bool) ([]recovery.Swap, error) {
	var done []recovery.Swap
	for _, s := range swaps {
		done = append(done, s) // also one that fails: it may have been done nevertheless
		if err := c.swapOne(ctx, s, stopped, c.hurried()); err != nil {
			return done, err
		}
	}
	return done, nil
}

func (c *changeData) swapOne(ctx workflow.Context, s recovery.Swap, stopped bool, giveUp time.Duration) error {
	c.now(ctx, "swapping "+s.Source)
	if switches(c.in.Plan, s.Source) {
		return step{
			name: "switch " + s.Source, options: urgent(HostQueue(c.in.Plan.Host)), activity: changes.SwitchDatabase, giveUp: giveUp,
			input: func(int) any { return activities.SwitchInput{Plan: c.in.Plan, Source: s.Source, Name: s.New} },
		}.run(ctx, c.teller, nil)
	}
	var swapped recovery.Swapped
	err := step{
		name: "swap " + s.Source, options: urgent(liveQueue(c.in.Plan, s.Source)), activity: changes.SwapLive, giveUp: giveUp,
		input: func(int) any { return activities.SwapInput{Plan: c.in.Plan, Swap: s, Stopped: stopped} },
	}.run(ctx, c.teller, &swapped)
	c.result.Down += swapped.Down
	return err
}

// switches says whether the user's own command points the service to another
// database, because the server forbids renaming.
func switches(plan recovery.Plan, source string) bool {
	return slices.ContainsFunc(plan.Sources, func(s recovery.SourceSpec) bool { return s.Name == source && len(s.SwapCommand) > 0 })
}

// putBack undoes swaps, the last one first, and says of each that it could not
// undo where the former data is.
func (c *changeData) putBack(ctx workflow.Context, done []recovery.Swap, stopped bool) (stuck []string) {
	for _, s := range slices.Backward(done) {
		back, ok := s.Back()
		if !ok {
			stuck = append(stuck, fmt.Sprintf("nothing was there before as %s, so nothing was put back: if it is there now, it is what was restored", s.Live))
			continue
		}
		if err := c.swapOne(ctx, back, stopped, c.in.Plan.GiveUpAfter.Std()); err != nil {
			stuck = append(stuck, fmt.Sprintf("%s could not be put back: %s; what was there before is kept as %s, unless it is still there as %s", s.Source, reason(err), s.Aside, s.Live))
		}
	}
	return stuck
}

// checkService sees whether the running service is well, and says what is wrong.
// That it could not be looked at is told, but is no reason to swap back.
func (c *changeData) checkService(ctx workflow.Context) (trouble string) {
	plan := c.in.Plan
	if plan.Live == nil {
		c.unchecked = "live is not configured"
		return ""
	}
	c.now(ctx, "checking the running service")
	var proof recovery.SmokeProof
	err := step{
		name: "check the running service", options: urgent(HostQueue(plan.Host)), activity: changes.CheckLive, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any { return activities.LivePlan{Plan: plan} },
	}.run(ctx, c.teller, &proof)
	if err != nil {
		c.unchecked = reason(err)
		return ""
	}
	c.result.Live = &proof
	if proof.Verdict != recovery.Proven {
		return proof.Sentence
	}
	c.did(ctx, fmt.Sprintf("the running service passed %d checks", len(proof.Steps)))
	return ""
}

// briefly is a time to the millisecond.
func briefly(d recovery.Duration) recovery.Duration {
	return recovery.Duration(d.Std().Round(time.Millisecond))
}
