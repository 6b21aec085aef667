package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// chooseDestination makes the run work with the first destination that answers. With
// a single one there is no choice.
func (b *backup) chooseDestination(ctx workflow.Context) error {
	if len(b.plan.Destinations) < 2 {
		return nil
	}
	b.now(ctx, "looking which destination answers")
	var candidates []recovery.DestinationSpec
	for _, d := range b.plan.Destinations {
		if !slices.Contains(b.failed, d.Name) {
			candidates = append(candidates, d)
		}
	}
	giveUp := b.giveUp()
	if len(b.failed) == 0 { // all are asked: there is no other one
		giveUp = b.plan.GiveUpAfter.Std()
	}
	var chosen activities.ChosenDestination
	err := step{
		name: "look which destination answers", options: quick(QueueLifeboat), activity: destinations.ChooseDestination, giveUp: giveUp,
		input: func(int) any {
			return activities.ChooseDestinationInput{Destinations: candidates, Encryption: b.plan.Encryption}
		},
	}.run(ctx, b.teller, &chosen)
	if err != nil {
		return err
	}
	for _, passed := range chosen.Passed {
		b.did(ctx, fmt.Sprintf("destination %s does not answer, and gets its copy later: %s", passed.Destination, passed.Error))
		watchDestination(ctx, b.plan, passed.Destination)
	}
	plan, err := b.plan.At(chosen.Name)
	if err != nil {
		return plainError(err)
	}
	b.plan = *plan
	return nil
}

// mayMove says whether the set may still be made at another destination.
func (b *backup) mayMove() bool { return len(b.plan.Destinations) > 1 && !b.patient }

// giveUp is how long a step that needs the destination is tried: not for long while
// there is another one.
func (b *backup) giveUp() time.Duration {
	if b.mayMove() {
		return min(elsewhereAfter, b.plan.GiveUpAfter.Std())
	}
	return b.plan.GiveUpAfter.Std()
}

// goElsewhere makes the run begin anew at the next destination, if the present one is
// to blame for an error. Once all have failed, the preferred one is tried patiently.
func (b *backup) goElsewhere(ctx workflow.Context, why error) (moved bool, err error) {
	if blame(why) == nil || !b.mayMove() {
		return false, nil
	}
	b.did(ctx, fmt.Sprintf("destination %s does not take the set: %s", b.plan.Destination.Name, reason(why)))
	if errorType(why) == activities.ErrorUnavailable {
		watchDestination(ctx, b.plan, b.plan.Destination.Name)
	}
	b.moves++
	b.failed = append(b.failed, b.plan.Destination.Name)
	if len(b.failed) == len(b.plan.Destinations) {
		b.failed, b.patient = nil, true
	}
	err = b.chooseDestination(ctx)
	if err != nil && ctx.Err() == nil && !b.patient { // no other one answers, either
		b.failed, b.patient = nil, true
		err = b.chooseDestination(ctx)
	}
	return true, err
}

// replicate leaves a copy for each other destination to a run of its own: one that
// does not answer holds up nothing but its copy.
func (b *backup) replicate(ctx workflow.Context) {
	if b.idle {
		return
	}
	for _, d := range b.plan.Others() {
		in := ReplicateInput{Service: b.service, Set: b.manifest.Set, To: d.Name}
		leave(ctx, ReplicateID(in.Set, in.To), TypeReplicate, "copy of "+string(in.Set)+" to "+in.To, in)
	}
}

// leave starts a run that this one does not wait for. One that is going on already
// does the work.
func leave(ctx workflow.Context, id, workflowType, summary string, in any) {
	ctx, _ = workflow.NewDisconnectedContext(ctx) // never cancelled: the child would be, too
	options := lock(id, summary)
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), workflowType, in)
	err := child.GetChildWorkflowExecution().Get(ctx, nil)
	if err != nil && !isBusy(err) {
		workflow.GetLogger(ctx).Error("start "+id, "error", err)
	}
}

func watchDestination(ctx workflow.Context, plan recovery.Plan, name string) {
	in := WatchDestinationInput{Service: plan.Service, Destination: name}
	leave(ctx, OutageID(name), TypeWatchDestination, "outage of destination "+name, in)
}

// WatchDestinationInput starts WatchDestination.
type WatchDestinationInput struct {
	Service     string `json:"service"` // whose plan says how to reach it
	Destination string `json:"destination"`
}

// WatchDestination waits until a destination answers again. Its id is that of the
// outage, so that people are told once that it began and once that it is over,
// however many runs have met it.
func WatchDestination(ctx workflow.Context, in WatchDestinationInput) error {
	t, err := newTeller(ctx, TypeWatchDestination, in.Service)
	if err != nil {
		return err
	}
	t.left = true
	w := &outage{teller: t, in: in, began: workflow.Now(ctx).UTC()}
	if err := w.run(ctx); err != nil {
		t.outcome(ctx, "failed")
		return plainError(err)
	}
	if w.gone {
		t.outcome(ctx, "not in the config")
		return nil
	}
	t.outcome(ctx, "answers again")
	return nil
}

type outage struct {
	*teller
	in    WatchDestinationInput
	plan  recovery.Plan
	began time.Time
	gone  bool // it was taken out of the config
}

func (w *outage) run(ctx workflow.Context) error {
	seen, err := w.await(ctx, outageAfter)
	if err != nil || w.gone {
		return err
	}
	if !seen.Answers {
		if err := w.tell(ctx, seen); err != nil {
			return err
		}
	}
	if !w.gone {
		w.catchUp(ctx)
	}
	return nil
}

// tell says that the destination does not answer, and, once it does, for how long it
// did not.
func (w *outage) tell(ctx workflow.Context, seen activities.Awaited) (err error) {
	mail := delivery{Card: w.card(ctx, card.Waiting, "does not answer since "+day(w.began)+": "+seen.Error)}
	mail.Card.Line += ". Backups go on at the other destinations; it gets its copies when it is back."
	stale := true
	for !seen.Answers && !w.gone {
		if stale && w.plan.Slack != nil {
			_ = mail.post(ctx, &stale) // if Slack does not take it, an hour later
		}
		if workflow.Now(ctx).Sub(w.began) > outageFor {
			return fmt.Errorf("destination %s has not answered since %s: mend it, or take it out of the config", w.in.Destination, day(w.began))
		}
		if seen, err = w.await(ctx, awaitFor); err != nil {
			return err
		}
	}
	lasted := recovery.Duration(workflow.Now(ctx).Sub(w.began).Round(time.Minute))
	mail.Card = w.card(ctx, card.Done, fmt.Sprintf("answers again, after %s. It gets what it has missed now.", lasted))
	if w.gone {
		mail.Card = w.card(ctx, card.Cancelled, "is not in the config any more.")
	}
	if w.plan.Slack != nil {
		leaveToDeliver(ctx, CardID(mail.Card.Run), mail)
	}
	return nil
}

// await waits for the destination as the config has it by now.
func (w *outage) await(ctx workflow.Context, limit time.Duration) (activities.Awaited, error) {
	if err := loadPlan(ctx, w.teller, w.in.Service, &w.plan); err != nil {
		return activities.Awaited{}, err
	}
	at, err := w.plan.At(w.in.Destination)
	if err != nil {
		w.gone = true
		return activities.Awaited{}, nil
	}
	return awaitDestination(ctx, w.teller, *at, limit)
}

// catchUp leaves it to runs of their own to copy what the destination has missed, of
// every service.
func (w *outage) catchUp(ctx workflow.Context) {
	var services []string
	err := step{name: "list the services", options: quick(QueueLifeboat), activity: plans.ListServices, giveUp: planGiveUp}.run(ctx, w.teller, &services)
	if err != nil {
		workflow.GetLogger(ctx).Error("list the services", "error", err)
	}
	for _, service := range services {
		leave(ctx, CatchUpID(service), TypeCatchUp, "copies that "+service+" lacks", CatchUpInput{Service: service})
	}
}

func (w *outage) card(ctx workflow.Context, state card.State, line string) card.Card {
	name := "Destination " + w.in.Destination
	return w.newCard(ctx, name, state, name+" "+line)
}

// awaitDestination waits until the plan's destination answers, or not longer than
// limit.
func awaitDestination(ctx workflow.Context, t *teller, plan recovery.Plan, limit time.Duration) (activities.Awaited, error) {
	t.now(ctx, "waiting for destination "+plan.Destination.Name+" to answer")
	var seen activities.Awaited
	err := step{
		name: "wait for destination " + plan.Destination.Name, options: long(QueueLifeboat), activity: destinations.AwaitDestination, giveUp: copyFor,
		input: func(int) any {
			return activities.AwaitDestinationInput{Destination: plan.Destination, Encryption: plan.Encryption, For: recovery.Duration(limit)}
		},
	}.run(ctx, t, &seen)
	return seen, err
}

// isBusy says whether a child could not be started because its id is taken.
func isBusy(err error) bool {
	return temporal.IsWorkflowExecutionAlreadyStartedError(err)
}
