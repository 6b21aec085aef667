package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Verify proves a set that is there already: the newest of a service, or a
// chosen one. It ends as BackupAndVerify does.
func Verify(ctx workflow.Context, in VerifyInput) (*recovery.Report, error) {
	p := &verify{in: in}
	if err := p.setup(ctx); err != nil {
		return nil, err
	}
	report, err := p.run(ctx)
	return conclude(ctx, p.teller, report, err)
}

type verify struct {
	*teller
	in VerifyInput
}

func (p *verify) setup(ctx workflow.Context) (err error) {
	if p.teller, err = newTeller(ctx, TypeVerify, p.in.Service); err != nil {
		return err
	}
	if err := checkInput(p.in.Service, p.in.malformed); err != nil {
		return err
	}
	if p.in.Set != "" {
		if _, err := recovery.ParseSetID(string(p.in.Set)); err != nil {
			return badInput("%v", err)
		}
	}
	return nil
}

func (p *verify) run(ctx workflow.Context) (*recovery.Report, error) {
	var plan recovery.Plan
	if err := loadPlan(ctx, p.teller, p.in.Service, &plan); err != nil {
		return nil, err
	}
	set, err := p.resolve(ctx, plan)
	if err != nil {
		return nil, err
	}
	return verifyInChild(ctx, p.teller, plan, VerifySetInput{Service: p.in.Service, Set: set, Target: wanted(p.in.Level, plan.Target(true))})
}

// resolve finds the newest set if none was chosen.
func (p *verify) resolve(ctx workflow.Context, plan recovery.Plan) (recovery.SetID, error) {
	if p.in.Set != "" {
		return p.in.Set, nil
	}
	p.now(ctx, "looking for the newest set")
	var newest recovery.SetID
	err := step{
		name: "find the newest set", options: quick(QueueLifeboat), activity: verifications.FindNewestSet, giveUp: plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.FindNewestSetInput{Service: plan.Service, Destination: plan.Destination, Encryption: plan.Encryption}
		},
	}.run(ctx, p.teller, &newest)
	return newest, err
}
