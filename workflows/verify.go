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
	report, err = conclude(ctx, p.teller, report, err)
	p.pingEnd(ctx, p.plan.Pings, "verify", err)
	return report, err
}

type verify struct {
	*teller
	in   VerifyInput
	plan recovery.Plan
}

func (p *verify) setup(ctx workflow.Context) (err error) {
	if p.teller, err = newTeller(ctx, TypeVerify, p.in.Service); err != nil {
		return err
	}
	if err := checkInput(p.in.Service, p.in.malformed); err != nil {
		return err
	}
	if p.in.Rotate && (p.in.Set != "" || p.in.Copy != "") {
		return badInput("read input: rotate chooses the copy by itself: leave out set and copy, or rotate")
	}
	if p.in.Set != "" {
		if _, err := recovery.ParseSetID(string(p.in.Set)); err != nil {
			return badInput("%v", err)
		}
	}
	return nil
}

func (p *verify) run(ctx workflow.Context) (*recovery.Report, error) {
	if err := loadPlan(ctx, p.teller, p.in.Service, &p.plan); err != nil {
		return nil, err
	}
	p.ping(ctx, p.plan.Pings, "verify", activities.PingStart, "")
	chosen, err := p.resolve(ctx)
	if err != nil {
		return nil, err
	}
	return verifyInChild(ctx, p.teller, p.plan, VerifySetInput{
		Service: p.in.Service, Set: chosen.Set, Copy: chosen.Copy, Target: wanted(p.in.Level, p.plan.Target(true)),
	})
}

// resolve finds the copy that is verified.
func (p *verify) resolve(ctx workflow.Context) (*activities.ChosenCopy, error) {
	if p.in.Copy != "" {
		if _, err := p.plan.At(p.in.Copy); err != nil {
			return nil, badInput("read input: copy: %v", err)
		}
	}
	p.now(ctx, "choosing a copy")
	var chosen activities.ChosenCopy
	err := step{
		name: "choose a copy", options: quick(QueueLifeboat), activity: choices.ChooseCopy, giveUp: p.plan.GiveUpAfter.Std(),
		input: func(int) any {
			in := activities.ChooseSetInput{Service: p.in.Service, Set: p.in.Set, Copy: p.in.Copy, Destinations: p.plan.Destinations, Encryption: p.plan.Encryption}
			return activities.ChooseCopyInput{ChooseSetInput: in, Rotate: p.in.Rotate}
		},
	}.run(ctx, p.teller, &chosen)
	return &chosen, err
}
