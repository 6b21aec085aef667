package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// RestoreDrill rehearses a restore: a set goes to staging, is compared, the
// service is started on it and timed against the objectives, the outcome is
// written down, and staging is cleaned up. It runs the code that a real restore
// runs. It ends as BackupAndVerify does, or with ErrorNotApproved.
func RestoreDrill(ctx workflow.Context, in RestoreDrillInput) (*recovery.Drill, error) {
	d := &drill{in: in}
	if err := d.setup(ctx); err != nil {
		return nil, err
	}
	err := d.run(ctx)
	report, err := d.end(ctx, err)
	d.pingEnd(ctx, d.plan.Pings, "drill", err)
	return report, err
}

type drill struct {
	*teller
	*gate
	in     RestoreDrillInput
	plan   recovery.Plan
	chosen activities.ChosenSet
	drill  recovery.Drill
}

func (d *drill) setup(ctx workflow.Context) (err error) {
	if d.teller, err = newTeller(ctx, TypeRestoreDrill, d.in.Service); err != nil {
		return err
	}
	if d.gate, err = newGate(ctx, d.teller); err != nil {
		return err
	}
	info := workflow.GetInfo(ctx).WorkflowExecution
	d.drill = recovery.Drill{Started: workflow.Now(ctx).UTC(), Run: recovery.RunRef{WorkflowID: info.ID, RunID: info.RunID}}
	return checkRestoreInput(d.in.Service, d.in.Set, d.in.malformed)
}

func checkRestoreInput(service string, set recovery.SetID, malformed error) error {
	if err := checkInput(service, malformed); err != nil {
		return err
	}
	if set != "" {
		if _, err := recovery.ParseSetID(string(set)); err != nil {
			return badInput("%v", err)
		}
	}
	return nil
}

func (d *drill) run(ctx workflow.Context) error {
	if err := loadPlan(ctx, d.teller, d.in.Service, &d.plan); err != nil {
		return err
	}
	d.gate.plan = &d.plan
	if d.in.Copy != "" {
		if _, err := d.plan.At(d.in.Copy); err != nil {
			return badInput("read input: copy: %v", err)
		}
	}
	d.drill.By = d.requester(ctx, TypeRestoreDrill, d.in.unclaimed(), d.in.Requested)
	startPoster(ctx, d.teller, d.gate, "Restore drill of "+d.in.Service, d.drill.By)
	for {
		if err := d.choose(ctx); err != nil {
			return err
		}
		outcome, err := d.approve(ctx)
		if err != nil {
			return err
		}
		if outcome == approval.Approved {
			return d.rehearse(ctx)
		}
		d.now(ctx, "put off until "+day(workflow.Now(ctx).Add(snooze)))
		timer := workflow.NewTimerWithOptions(ctx, snooze, workflow.TimerOptions{Summary: "put off"})
		if err := timer.Get(ctx, nil); err != nil {
			return err
		}
	}
}

// snooze is how long a drill that fell due can be put off, each time.
const snooze = 24 * time.Hour

// choose finds the set, and the copy to read it from.
func (d *drill) choose(ctx workflow.Context) error {
	if err := waitForChange(ctx, d.teller, d.in.Service); err != nil {
		return err
	}
	var err error
	if d.chosen, err = chooseSet(ctx, d.teller, d.plan, d.in.Set, d.in.Copy); err != nil {
		return err
	}
	at, err := d.plan.At(d.chosen.Copies[0])
	if err != nil {
		return err
	}
	d.plan = *at
	cold, err := coldFacts(ctx, d.teller, &d.plan, d.chosen.Set.Set)
	if err != nil {
		return err
	}
	d.describe(ctx, cold)
	return nil
}

// chooseSet finds the wanted set, or the newest that was read back, and where it can
// be read.
func chooseSet(ctx workflow.Context, t *teller, plan recovery.Plan, wanted recovery.SetID, copyName string) (activities.ChosenSet, error) {
	t.now(ctx, "choosing a set")
	var chosen activities.ChosenSet
	err := step{
		name: "choose a set", options: quick(QueueLifeboat), activity: choices.ChooseSet, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.ChooseSetInput{Service: plan.Service, Set: wanted, Copy: copyName, Destinations: plan.Destinations, Encryption: plan.Encryption}
		},
	}.run(ctx, t, &chosen)
	t.status.Set = chosen.Set.Set
	for _, s := range chosen.Silent {
		t.did(ctx, fmt.Sprintf("destination %s was not asked: %s", s.Destination, s.Error))
	}
	return chosen, err
}

func (d *drill) describe(ctx workflow.Context, more []approval.Fact) {
	d.drill.Expected = d.chosen.Expected
	facts := []approval.Fact{
		{Label: "Set", Value: fmt.Sprintf("%s, %s, %s", d.chosen.Set.Set, recovery.Bytes(d.chosen.Set.Size), d.chosen.Set.Standing.Level)},
		{Label: "Read from", Value: d.plan.Destination.Name},
		{Label: "Objectives", Value: fmt.Sprintf("RTO %s, RPO %s", d.plan.Objectives.RTO, d.plan.Objectives.RPO)},
		{Label: "Expected to take", Value: expectation(d.chosen)},
	}
	d.facts(ctx, append(facts, more...)...)
}

func expectation(c activities.ChosenSet) string {
	switch c.Of {
	case 0:
		return "not known: this is the first restore"
	case 1:
		return c.Expected.String() + ", as the last restore did"
	}
	return fmt.Sprintf("%s, the median of the last %d restores", c.Expected, c.Of)
}

// drillPlan is what people agree to: its digest is in the request.
type drillPlan struct {
	Service string         `json:"service"`
	Set     recovery.SetID `json:"set"`
	Copy    string         `json:"copy"`
	Config  string         `json:"config"`
}

// approve asks, if the policy says so. A drill that fell due may be put off.
func (d *drill) approve(ctx workflow.Context) (approval.Outcome, error) {
	if d.plan.Approvals.Drill == nil {
		return approval.Approved, nil
	}
	digest, err := approval.Digest(drillPlan{Service: d.in.Service, Set: d.chosen.Set.Set, Copy: d.plan.Destination.Name, Config: d.plan.Config.Digest})
	if err != nil {
		return approval.Open, err
	}
	d.now(ctx, "waiting for a decision")
	request := approval.Request{
		Playbook: TypeRestoreDrill, Step: "drill", Digest: digest, RequestedBy: d.drill.By, Policy: *d.plan.Approvals.Drill,
		What:  fmt.Sprintf("Rehearse the restore of %s from set %s", d.in.Service, d.chosen.Set.Set),
		Where: "staging; production is not touched", Facts: d.teller.shown, Approve: "Start the drill", Reject: "Not now",
	}
	if d.in.Scheduled {
		request.What += ": the drill is due"
		request.Reject, request.Snooze = "Skip this one", recovery.Duration(snooze)
	}
	book, err := d.ask(ctx, request)
	if err != nil {
		return approval.Open, err
	}
	d.drill.Decided = append(d.drill.Decided, decided(*book))
	if book.Outcome == approval.Approved || book.Outcome == approval.Snoozed {
		return book.Outcome, nil
	}
	return book.Outcome, notApproved(book, "the drill was not started")
}

// rehearse restores to staging and writes down what was found, good or bad.
func (d *drill) rehearse(ctx workflow.Context) error {
	d.ping(ctx, d.plan.Pings, "drill", activities.PingStart, "")
	d.drill.Started = workflow.Now(ctx).UTC()
	report, err := verifyInChild(ctx, d.teller, d.plan, VerifySetInput{
		Service: d.in.Service, Set: d.chosen.Set.Set, Target: d.plan.Target(true), Kind: recovery.ProofDrill,
	})
	if err != nil {
		return err
	}
	d.drill.Report, d.drill.Ended = *report, workflow.Now(ctx).UTC()
	d.now(ctx, "writing the report")
	err = step{
		name: "write the report", options: quick(QueueLifeboat), activity: drills.WriteDrill, giveUp: d.plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.WriteDrillInput{Destinations: d.plan.Destinations, Encryption: d.plan.Encryption, Drill: d.drill}
		},
	}.run(ctx, d.teller, &d.drill.Document)
	if err != nil {
		return err
	}
	d.did(ctx, "report written to "+d.drill.Document)
	return nil
}

// end tells how the drill went: one that failed is loud.
func (d *drill) end(ctx workflow.Context, err error) (*recovery.Drill, error) {
	defer d.gate.finish(ctx)
	if err == nil {
		report := &d.drill.Report
		text := fmt.Sprintf("%s\nRestore time %s\nData age %s\nReport: %s", report.Sentence, report.RTO.Sentence("RTO"), report.RPO.Sentence("RPO"), d.drill.Document)
		if report.Reached() {
			d.note(ctx, text)
		}
		_, err = concludeWith(ctx, d.teller, report, nil, &d.drill)
		if err == nil {
			d.posted(ctx, card.Done, report.Sentence)
			return &d.drill, nil
		}
		d.shout(ctx, text, d.people()...)
		d.posted(ctx, card.Failed, report.Sentence)
		return nil, err
	}
	return nil, d.stop(ctx, err, "staging is cleaned up", d.people()...)
}

// people are told when it goes wrong.
func (d *drill) people() []string {
	people := []string{d.plan.Owner}
	if d.plan.Approvals.Drill != nil {
		people = append(people, d.plan.Approvals.Drill.Approvers...)
	}
	return people
}

// stop ends a run that got to no result: cancelled, decided against, or failed.
// left is what a cancelled one leaves.
func (t *teller) stop(ctx workflow.Context, err error, left string, people ...string) error {
	switch {
	case temporal.IsCanceledError(err):
		t.outcome(ctx, "cancelled")
		t.posted(ctx, card.Cancelled, "cancelled; "+left)
		return temporal.NewCanceledError("cancelled; " + left)
	case errorType(err) == ErrorNotApproved:
		t.outcome(ctx, ErrorNotApproved)
		t.posted(ctx, card.Cancelled, reason(err))
		return err
	}
	t.outcome(ctx, "failed")
	t.shout(ctx, "failed: "+reason(err), people...)
	t.posted(ctx, card.Failed, reason(err))
	return plainError(err)
}

// posted shows the end of the run to people, if it is shown at all.
func (t *teller) posted(ctx workflow.Context, state card.State, line string) {
	if t.poster != nil {
		t.poster.finish(ctx, state, line)
	}
}
