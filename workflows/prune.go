package workflows

import (
	"cmp"
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

// PruneInput starts Prune.
type PruneInput struct {
	Service string `json:"service"`

	malformed error
}

// UnmarshalJSON keeps a wrong shape for setup to answer.
func (in *PruneInput) UnmarshalJSON(data []byte) error {
	type plain PruneInput
	in.malformed = decodeInput(data, (*plain)(in))
	return nil
}

// PruneResult says what became of a service's sets, destination by destination.
type PruneResult struct {
	Service      string              `json:"service"`
	Destinations []PrunedDestination `json:"destinations"`
}

// PrunedDestination says what was removed at one destination.
type PrunedDestination struct {
	Destination string           `json:"destination"`
	Removed     []recovery.SetID `json:"removed,omitempty"`
	Freed       int64            `json:"freed"` // sealed bytes
	Kept        int              `json:"kept"`
	// Locked holds the sets that retention does not keep but that may not be removed
	// yet, each with the reason.
	Locked []string `json:"locked,omitempty"`
	// Waits names the run because of which the rest is left to the next prune.
	Waits string `json:"waits,omitempty"`
	Moved int    `json:"moved,omitempty"` // objects that changed their storage class
	Error string `json:"error,omitempty"` // why it could not be done here
}

// usersOfSets are the types of the runs that may be reading any set of a service.
// Replicate is none of them: it may wait for its destination for weeks, and of what
// retention does not keep it need not make a copy.
var usersOfSets = []string{TypeRestore, TypeRestoreDrill, TypeChangeData, TypeVerifySet, TypeVerify, TypeBackupService}

// stalled is how old an unfinished upload must be for nobody to end it any more.
const stalled = 7 * 24 * time.Hour

// Prune removes the sets that a service's retention does not keep, at each
// destination by itself. What may not be removed yet is named, and tried again by
// the next run.
func Prune(ctx workflow.Context, in PruneInput) (*PruneResult, error) {
	t, err := newTeller(ctx, TypePrune, in.Service)
	if err != nil {
		return nil, err
	}
	p := &prune{teller: t, in: in, began: workflow.Now(ctx), result: PruneResult{Service: in.Service}}
	err = p.run(ctx)
	p.pingEnd(ctx, p.plan.Pings, "prune", err)
	switch {
	case temporal.IsCanceledError(err):
		t.outcome(ctx, "cancelled")
		return nil, err
	case err != nil:
		t.outcome(ctx, "failed")
		return nil, temporal.NewNonRetryableApplicationError(reason(err), cmp.Or(errorType(err), ErrorFailed), nil, &p.result)
	}
	t.outcome(ctx, "done")
	return &p.result, nil
}

type prune struct {
	*teller
	in     PruneInput
	plan   recovery.Plan
	began  time.Time
	result PruneResult
}

func (p *prune) run(ctx workflow.Context) error {
	if err := checkInput(p.in.Service, p.in.malformed); err != nil {
		return err
	}
	if err := loadPlan(ctx, p.teller, p.in.Service, &p.plan); err != nil {
		return err
	}
	p.ping(ctx, p.plan.Pings, "prune", activities.PingStart, "")
	// Every day, also what no outage tells of: a new destination, a fault that was mended.
	if _, err := catchUp(ctx, p.teller, &p.plan); err != nil && (temporal.IsCanceledError(err) || ctx.Err() != nil) {
		return err
	}
	var failed []string
	for _, d := range p.plan.Destinations {
		at, err := p.plan.At(d.Name)
		if err != nil {
			return err
		}
		done := PrunedDestination{Destination: d.Name}
		if err := p.at(ctx, *at, &done); err != nil {
			if temporal.IsCanceledError(err) || ctx.Err() != nil {
				return err
			}
			done.Error = reason(err)
			failed = append(failed, d.Name+": "+done.Error)
		}
		p.result.Destinations = append(p.result.Destinations, done)
	}
	if len(failed) > 0 {
		return errors.New("remove old sets: " + strings.Join(failed, "; "))
	}
	return nil
}

func (p *prune) at(ctx workflow.Context, plan recovery.Plan, done *PrunedDestination) error {
	fates, err := p.decide(ctx, plan, done)
	if err != nil {
		return err
	}
	needed := map[recovery.SetID]recovery.SetID{} // by sets that could not be removed
	for _, fate := range fates {                  // newest first: references go to earlier ones
		switch by := needed[fate.Set]; {
		case fate.Keep:
			err = p.reclass(ctx, plan, fate, done)
		case by != "":
			done.Locked = append(done.Locked, fmt.Sprintf("%s: %s, which is still there, refers to it", fate.Set, by))
		default:
			err = p.remove(ctx, plan, fate, done)
		}
		if err != nil || done.Waits != "" {
			return err
		}
		if !fate.Keep && !slices.Contains(done.Removed, fate.Set) {
			for _, earlier := range fate.RefersTo {
				needed[earlier] = fate.Set
			}
		}
	}
	in := activities.AbortStaleInput{Destination: plan.Destination, Encryption: plan.Encryption, OlderThan: recovery.Duration(stalled)}
	if err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, janitor(QueueLifeboat)), prunes.AbortStale, in).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("remove unfinished uploads", "error", err)
	}
	if len(done.Removed) > 0 {
		p.did(ctx, fmt.Sprintf("%d sets removed at %s, %s", len(done.Removed), plan.Destination.Name, recovery.Bytes(done.Freed)))
	}
	return nil
}

// decide makes the plan, as soon as nothing reads the service's sets. If that takes
// too long it is left to the next run.
func (p *prune) decide(ctx workflow.Context, plan recovery.Plan, done *PrunedDestination) ([]recovery.Fate, error) {
	for pause := maxPause; ; pause = min(2*pause, awaitFor) {
		var decided activities.PrunePlan
		p.now(ctx, "looking what may be removed at "+plan.Destination.Name)
		err := step{
			name: "look what may be removed", options: quick(QueueLifeboat), activity: prunes.PlanPrune, giveUp: plan.GiveUpAfter.Std(),
			input: func(int) any {
				return activities.PlanPruneInput{Service: plan.Service, Rules: plan.PruneRules(), Destination: plan.Destination, Encryption: plan.Encryption, Users: usersOfSets}
			},
		}.run(ctx, p.teller, &decided)
		done.Kept, done.Waits = decided.Kept, decided.Waits
		if err != nil || decided.Waits == "" || workflow.Now(ctx).Sub(p.began) > pruneWaits {
			return decided.Fates, err
		}
		p.now(ctx, "waiting for "+decided.Waits+", which may be reading the sets")
		timer := workflow.NewTimerWithOptions(ctx, pause, workflow.TimerOptions{Summary: "wait for what reads the sets"})
		if err := timer.Get(ctx, nil); err != nil {
			return nil, err
		}
	}
}

func (p *prune) remove(ctx workflow.Context, plan recovery.Plan, fate recovery.Fate, done *PrunedDestination) error {
	info := workflow.GetInfo(ctx).WorkflowExecution
	decided := workflow.Now(ctx).UTC()
	p.now(ctx, "removing "+string(fate.Set)+" at "+plan.Destination.Name)
	var pruned recovery.PrunedSet
	err := step{
		name: "remove " + string(fate.Set), options: long(QueueLifeboat), activity: prunes.PruneSet, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.PruneSetInput{
				Service: plan.Service, Fate: fate, Users: usersOfSets, Run: recovery.RunRef{WorkflowID: info.ID, RunID: info.RunID}, Decided: decided,
				Destination: plan.Destination, Encryption: plan.Encryption,
			}
		},
	}.run(ctx, p.teller, &pruned)
	if err != nil {
		return err
	}
	done.Freed += pruned.Freed
	switch {
	case pruned.Gone():
		done.Removed = append(done.Removed, fate.Set)
	case pruned.Waits != "":
		done.Waits = pruned.Waits
	case pruned.Hold:
		done.Locked = append(done.Locked, string(fate.Set)+": a legal hold is on it")
	case !pruned.LockedUntil.IsZero():
		done.Locked = append(done.Locked, string(fate.Set)+": locked until "+day(pruned.LockedUntil))
	default:
		done.Locked = append(done.Locked, string(fate.Set)+": "+pruned.Refused)
	}
	return nil
}

func (p *prune) reclass(ctx workflow.Context, plan recovery.Plan, fate recovery.Fate, done *PrunedDestination) error {
	class := plan.Destination.Classes[fate.ClassTier]
	p.now(ctx, "moving "+string(fate.Set)+" to "+class)
	moved := 0
	err := step{
		name: "move " + string(fate.Set) + " to " + class, options: long(QueueLifeboat), activity: prunes.ReclassSet, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.ReclassSetInput{Service: plan.Service, Set: fate.Set, Class: class, Users: usersOfSets, Destination: plan.Destination, Encryption: plan.Encryption}
		},
	}.run(ctx, p.teller, &moved)
	done.Moved += moved
	return err
}
