package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// ChangeReleaseInput is a remedy that people have agreed to.
type ChangeReleaseInput struct {
	Plan   recovery.Plan  `json:"plan"`
	Remedy release.Remedy `json:"remedy"`
	Ran    bool           `json:"ran,omitempty"`   // it ran already: only its effect is looked at
	From   release.Tag    `json:"from"`            // what must be deployed when it begins; without a tag: whatever is
	To     release.Tag    `json:"to,omitzero"`     // deploy
	Leaves release.Tag    `json:"leaves,omitzero"` // the bad release that people go back from; without a tag: they do not
	// Key is that of the approval: its command runs at most once under it.
	Key      string    `json:"key"`
	Approved time.Time `json:"approved"`
	By       string    `json:"by"` // who approved it, in words
	// Back puts back what was there before: how the service is then is told, not judged.
	Back bool `json:"back,omitempty"`
}

// ChangeRelease applies one remedy to a service, and sees whether it is well
// afterwards. Its id change/<service> is the lock. A cancel is obeyed until a worker is
// asked to run the command; from then on the result tells what became of it. An error
// means that nothing was done.
func ChangeRelease(ctx workflow.Context, in ChangeReleaseInput) (*release.Change, error) {
	c := &changeRelease{in: in, result: release.Change{Remedy: in.Remedy, To: in.To, Looked: in.Ran, Approved: in.Approved, State: release.Untouched}}
	var err error
	if c.teller, err = newTeller(ctx, TypeChangeRelease, in.Plan.Service); err != nil {
		return nil, err
	}
	if err := c.run(ctx); err != nil {
		if temporal.IsCanceledError(err) {
			c.outcome(ctx, "cancelled")
			return nil, err
		}
		c.outcome(ctx, "failed")
		return nil, plainError(err)
	}
	c.outcome(ctx, string(c.result.State))
	return &c.result, nil
}

type changeRelease struct {
	*teller
	in     ChangeReleaseInput
	result release.Change
}

func (c *changeRelease) run(ctx workflow.Context) error {
	stale, err := c.checkCurrent(ctx)
	if err != nil || stale {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	goOn, err := c.apply(ctx)
	if err != nil || !goOn {
		return err
	}
	c.settle(ctx)
	c.record(ctx)
	return nil
}

// checkCurrent looks whether what is deployed is still what the plan said.
func (c *changeRelease) checkCurrent(ctx workflow.Context) (stale bool, err error) {
	if c.in.From.Tag == "" {
		return false, nil
	}
	now, unknown, err := currentRelease(ctx, c.teller, c.in.Plan)
	if err != nil || unknown != "" || now.Tag == c.in.From.Tag {
		return false, err // what cannot be asked because the service is down is no reason to leave it down
	}
	c.stale(now.Tag)
	return true, nil
}

// stale says that nothing was done, because the plan was about something else.
func (c *changeRelease) stale(now string) {
	c.result.State = release.Stale
	c.result.Sentence = fmt.Sprintf("this run did nothing: %s is deployed now, not %s", now, c.in.From.Tag)
}

// apply runs the remedy's command, and says whether the service is worth looking at.
func (c *changeRelease) apply(ctx workflow.Context) (goOn bool, err error) {
	if c.in.Ran {
		return c.in.Remedy != release.Deploy || c.arrived(ctx), nil
	}
	d := c.in.Plan.Deploy
	command := d.Command(string(c.in.Remedy), c.in.Remedy.Args(d), c.in.From.Tag, c.in.To.Tag, c.in.To.Commit)
	c.now(ctx, c.doing())
	outcome, err := commandOnce{
		plan: c.in.Plan, command: command, key: c.in.Key, expect: c.in.From.Tag, repeatable: c.in.Remedy == release.Deploy && d.Repeatable,
	}.run(ctx, c.teller)
	if err != nil {
		return false, err
	}
	c.result.Ran, c.result.Output = outcome.Took(), outcome.Output
	switch {
	case outcome.Instead != "":
		c.stale(outcome.Instead)
	case !outcome.Known:
		c.result.State = release.Unknown
		c.result.Sentence = fmt.Sprintf("nobody knows whether %s ran to its end: %s", command.Name, outcome.Why)
	case outcome.Failure != "":
		c.result.State = release.Refused
		c.result.Sentence = fmt.Sprintf("%s did not work: %s", command.Name, outcome.Failure)
	case c.in.Remedy == release.Deploy:
		return c.arrived(ctx), nil
	default:
		c.did(ctx, fmt.Sprintf("%s: done in %s", c.doing(), c.result.Ran))
		return true, nil
	}
	return false, nil
}

// arrived looks whether a deploy that ended well deployed what it should. A service
// that does not tell is given the benefit of the doubt: its health is looked at next.
func (c *changeRelease) arrived(ctx workflow.Context) bool {
	now, unknown, err := currentRelease(ctx, c.teller, c.in.Plan)
	if err == nil && unknown == "" && now.Tag != c.in.To.Tag {
		c.result.State = release.Refused
		c.result.Sentence = fmt.Sprintf("deploy.deploy did not do it: %s is deployed now, not %s", now.Tag, c.in.To.Tag)
		return false
	}
	if !c.in.Ran {
		c.did(ctx, fmt.Sprintf("%s deployed in %s", c.in.To.Tag, c.result.Ran))
	}
	return true
}

func (c *changeRelease) doing() string {
	switch c.in.Remedy {
	case release.FlagOff:
		return "turning the flag off"
	case release.FlagOn:
		return "turning the flag on again"
	case release.Switch:
		return "switching"
	case release.SwitchBack:
		return "switching back"
	case release.Deploy:
	}
	return "deploying " + c.in.To.Tag
}

// settle watches the service until it is known whether it is well.
func (c *changeRelease) settle(ctx workflow.Context) {
	trial := release.Trial{Began: workflow.Now(ctx), Need: c.in.Plan.Deploy.Settle.Std(), Grace: c.in.Plan.Live.Timeout.Std()}
	c.now(ctx, "watching the service for "+c.in.Plan.Deploy.Settle.String())
	every := min(max(trial.Need/10, time.Second), 10*time.Second)
	for unseen := 0; ; {
		health, why := checkHealth(ctx, c.teller, c.in.Plan)
		if health == recovery.Inconclusive {
			if unseen++; unseen == maxUnseen {
				c.result.State, c.result.Sentence = release.Unknown, "nobody could look whether the service is well: "+why
				return
			}
			continue
		}
		now := workflow.Now(ctx)
		verdict := trial.Take(now, health == recovery.Proven, why)
		c.result.Checks = trial.Checks
		switch verdict {
		case recovery.Proven:
			c.result.State = release.Healthy
			c.result.Took = rounded(trial.Well().Sub(c.in.Approved))
			c.result.Stayed = rounded(now.Sub(trial.Well()))
			c.result.Sentence = fmt.Sprintf("the service is well since %s after the approval, and stayed so for %s (%d checks)", c.result.Took, c.in.Plan.Deploy.Settle, trial.Checks)
			return
		case recovery.Disproven:
			c.result.State, c.result.Sentence = release.Unhealthy, "the service is not well: "+trial.Reason
			return
		case recovery.Inconclusive:
		}
		if c.in.Back && health == recovery.Disproven && now.Sub(trial.Began) >= trial.Grace { // it may well have been bad before
			c.result.State, c.result.Sentence = release.Unhealthy, "the service is not well: "+why
			return
		}
		if workflow.Sleep(ctx, every) != nil { // this context is never cancelled
			return
		}
	}
}

// record keeps what was learnt. That it could not be kept is told, and changes
// nothing.
func (c *changeRelease) record(ctx workflow.Context) {
	r := release.Record{Tag: c.in.To.Tag, Commit: c.in.To.Commit, Kind: release.Deployed, Took: c.result.Took, For: c.result.Stayed, Checks: c.result.Checks, By: c.in.By}
	healthy := c.result.State == release.Healthy
	switch {
	case c.in.Back, c.in.Ran && !healthy, c.result.State == release.Unknown:
		return
	case c.in.To.Tag == "" && (c.in.Leaves.Tag == "" || !healthy):
		return
	case c.in.To.Tag == "":
		c.recordRemedied(ctx, r)
		return
	case healthy:
		r.Verdict = recovery.Proven
	default:
		r.Verdict, r.Sentence = recovery.Disproven, c.result.Sentence
	}
	recordRelease(ctx, c.teller, c.in.Plan, r)
	if healthy {
		c.recordLeft(ctx, c.in.To.Tag)
	}
}

// recordRemedied keeps what a quick remedy did; after a switch another release may run.
func (c *changeRelease) recordRemedied(ctx workflow.Context, r release.Record) {
	r.Tag, r.Commit, r.Kind, r.Sentence = c.in.Leaves.Tag, c.in.Leaves.Commit, release.Remedied, c.doing()
	recordRelease(ctx, c.teller, c.in.Plan, r)
	if c.in.Remedy != release.Switch {
		return
	}
	if now, unknown, err := currentRelease(ctx, c.teller, c.in.Plan); err == nil && unknown == "" {
		c.recordLeft(ctx, now.Tag)
	}
}

// recordLeft keeps that people went back from a release.
func (c *changeRelease) recordLeft(ctx workflow.Context, to string) {
	left := c.in.Leaves
	if left.Tag == "" || left.Tag == to {
		return
	}
	recordRelease(ctx, c.teller, c.in.Plan, release.Record{
		Tag: left.Tag, Commit: left.Commit, Kind: release.Left, Verdict: recovery.Disproven, By: c.in.By,
		Sentence: "people went back from it to " + to,
	})
}

// recordRelease keeps a finding about a release in the buckets.
func recordRelease(ctx workflow.Context, t *teller, plan recovery.Plan, r release.Record) {
	info := workflow.GetInfo(ctx).WorkflowExecution
	r.Format, r.Service, r.At, r.Config = release.RecordFormat, plan.Service, workflow.Now(ctx).UTC(), plan.Config
	r.Run = recovery.RunRef{WorkflowID: info.ID, RunID: info.RunID}
	err := step{
		name: "record what was found about " + r.Tag, options: quick(QueueLifeboat), activity: evidence.RecordRelease, giveUp: min(recordGiveUp, plan.GiveUpAfter.Std()),
		input: func(int) any {
			return activities.RecordReleaseInput{Destinations: plan.Destinations, Encryption: plan.Encryption, Record: r}
		},
	}.run(ctx, t, nil)
	if err != nil {
		t.did(ctx, "what was found about "+r.Tag+" could not be recorded: "+reason(err))
	}
}

// currentRelease asks which release is deployed. A service that is down may not tell:
// then unknown says why. Only a cancel is an error.
func currentRelease(ctx workflow.Context, t *teller, plan recovery.Plan) (now release.Tag, unknown string, err error) {
	t.now(ctx, "asking which release is deployed")
	err = step{
		name: "ask which release is deployed", options: quick(HostQueue(plan.Host)), activity: releases.CurrentRelease, giveUp: min(askGiveUp, plan.GiveUpAfter.Std()),
		input: func(int) any { return activities.LivePlan{Plan: plan} },
	}.run(ctx, t, &now)
	if err != nil && !temporal.IsCanceledError(err) && ctx.Err() == nil {
		return release.Tag{}, reason(err), nil
	}
	return now, "", err
}

// maxUnseen is how often in a row nobody may be able to look at the service.
const maxUnseen = 3

// checkHealth sees once whether the running service is well, and why not; inconclusive
// if nobody could look.
func checkHealth(ctx workflow.Context, t *teller, plan recovery.Plan) (health recovery.Verdict, why string) {
	var proof recovery.SmokeProof
	err := step{
		name: "check the running service", options: urgent(HostQueue(plan.Host)), activity: changes.CheckLive, giveUp: min(downGiveUp, plan.GiveUpAfter.Std()),
		input: func(int) any { return activities.LivePlan{Plan: plan} },
	}.run(ctx, t, &proof)
	switch {
	case err != nil:
		return recovery.Inconclusive, reason(err)
	case proof.Verdict != recovery.Proven:
		return recovery.Disproven, proof.Sentence
	}
	return recovery.Proven, ""
}

// rounded is a time for people.
func rounded(d time.Duration) recovery.Duration {
	return recovery.Duration(d.Round(10 * time.Millisecond))
}
