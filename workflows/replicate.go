package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// ReplicateInput starts Replicate.
type ReplicateInput struct {
	Service string         `json:"service"`
	Set     recovery.SetID `json:"set"`
	To      string         `json:"to"` // a destination's name
}

// Replicate copies a set to a destination and proves the copy there. However long
// the destination does not answer, only this copy waits. Its id
// replicate/<set>/<destination> is the lock.
func Replicate(ctx workflow.Context, in ReplicateInput) (*recovery.Report, error) {
	t, err := newTeller(ctx, TypeReplicate, in.Service)
	if err != nil {
		return nil, err
	}
	t.status.Set, t.left = in.Set, true
	r := &replicate{teller: t, in: in, began: workflow.Now(ctx)}
	report, err := r.run(ctx)
	return conclude(ctx, t, report, err)
}

type replicate struct {
	*teller
	in    ReplicateInput
	plan  recovery.Plan // at the destination that gets the copy
	began time.Time
}

// maxHealed bounds how often a copy that turns out bad is completed and proven anew.
const maxHealed = 2

func (r *replicate) run(ctx workflow.Context) (*recovery.Report, error) {
	if err := loadPlan(ctx, r.teller, r.in.Service, &r.plan); err != nil {
		return nil, err
	}
	at, err := r.plan.At(r.in.To)
	if err != nil {
		return nil, err
	}
	r.plan = *at
	for healed := 0; ; healed++ {
		if err := r.copySet(ctx); err != nil {
			return nil, err
		}
		report, err := verifyInChild(ctx, r.teller, r.plan, VerifySetInput{Service: r.in.Service, Set: r.in.Set, Target: r.plan.Target(false), Copy: r.in.To})
		// A sweep may have taken an object of a copy that was not complete yet.
		if err != nil || report.Verdict != recovery.Disproven || healed == maxHealed {
			return report, err
		}
		r.did(ctx, "the copy is not good, copying what is missing: "+report.Sentence)
	}
}

// copySet copies, and waits out outages: less and less often, so that one of weeks
// does not fill the history, or until it is told that the destination answers. It
// holds no worker meanwhile.
func (r *replicate) copySet(ctx workflow.Context) error {
	answers := workflow.GetSignalChannel(ctx, signalAnswers)
	for pause := maxPause; ; pause = min(2*pause, maxCopyPause) {
		r.now(ctx, "copying to "+r.in.To)
		var copied activities.CopiedSet
		err := step{
			name: "copy to " + r.in.To, options: long(QueueLifeboat), activity: copies.CopySet, giveUp: copyGiveUp,
			input: func(int) any {
				return activities.CopySetInput{Service: r.in.Service, Set: r.in.Set, From: r.plan.Others(), To: r.plan.Destination, Encryption: r.plan.Encryption}
			},
		}.run(ctx, r.teller, &copied)
		if err == nil {
			r.did(ctx, fmt.Sprintf("%s copied from %s in %s", recovery.Bytes(copied.Bytes), copied.From, copied.Took))
			return nil
		}
		if temporal.IsCanceledError(err) || errorType(err) != activities.ErrorUnavailable || workflow.Now(ctx).Sub(r.began) > copyFor {
			return err
		}
		if blame(err) != nil {
			watchDestination(ctx, r.plan, r.in.To)
		}
		r.trouble(ctx, reason(err)+"; next try "+clock(workflow.Now(ctx).Add(pause)))
		told, err := answersWithin(ctx, answers, pause)
		if err != nil {
			return err
		}
		if told {
			pause = maxPause / 2 // it begins anew
		}
	}
}

// answersWithin waits to be told that the destination answers, but not longer than
// limit.
func answersWithin(ctx workflow.Context, answers workflow.ReceiveChannel, limit time.Duration) (told bool, err error) {
	return workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: limit, TimerOptions: workflow.TimerOptions{Summary: "try again to copy"},
	}, func() bool { return answers.ReceiveAsync(nil) })
}

// CatchUpInput starts CatchUp.
type CatchUpInput struct {
	Service string `json:"service"`

	malformed error
}

// UnmarshalJSON keeps a wrong shape for setup to answer.
func (in *CatchUpInput) UnmarshalJSON(data []byte) error {
	type plain CatchUpInput
	in.malformed = decodeInput(data, (*plain)(in))
	return nil
}

// CatchUp sees to it that every destination gets the sets of a service that it lacks:
// after an outage, after a fault was mended, or because it is new. It returns how many
// those are; each is copied by its own run of Replicate.
func CatchUp(ctx workflow.Context, in CatchUpInput) (int, error) {
	t, err := newTeller(ctx, TypeCatchUp, in.Service)
	if err != nil {
		return 0, err
	}
	t.left = true
	if err := checkInput(in.Service, in.malformed); err != nil {
		return 0, err
	}
	var plan recovery.Plan
	err = loadPlan(ctx, t, in.Service, &plan)
	n := 0
	if err == nil {
		n, err = catchUp(ctx, t, &plan)
	}
	if err != nil {
		t.outcome(ctx, "failed")
		return 0, plainError(err)
	}
	t.outcome(ctx, "done")
	return n, nil
}

// catchUp starts the runs that copy what is missing; those that are waiting already
// are told to try at once.
func catchUp(ctx workflow.Context, t *teller, plan *recovery.Plan) (int, error) {
	if len(plan.Destinations) < 2 {
		return 0, nil
	}
	t.now(ctx, "looking which copies are missing")
	var missing []activities.MissingCopy
	err := step{
		name: "look which copies are missing", options: long(QueueLifeboat), activity: copies.FindMissing, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.FindMissingInput{Service: plan.Service, Destinations: plan.Destinations, Encryption: plan.Encryption}
		},
	}.run(ctx, t, &missing)
	if err != nil {
		return 0, err
	}
	for _, m := range missing {
		id := ReplicateID(m.Set, m.To)
		if workflow.SignalExternalWorkflow(ctx, id, "", signalAnswers, nil).Get(ctx, nil) == nil {
			continue
		}
		leave(ctx, id, TypeReplicate, "copy of "+string(m.Set)+" to "+m.To, ReplicateInput{Service: plan.Service, Set: m.Set, To: m.To})
	}
	if len(missing) > 0 {
		t.did(ctx, fmt.Sprintf("%d missing copies are being made", len(missing)))
	}
	return len(missing), nil
}
