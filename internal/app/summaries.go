package app

import (
	"context"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
)

// newest is how many sets of a service are looked at to say how it stands.
const newest = 30

// Services says how each service stands, from the bucket alone.
func (d *Desk) Services(ctx context.Context) ([]slackapp.ServiceSummary, error) {
	cfg, err := d.Config()
	if err != nil {
		return nil, err
	}
	var list []slackapp.ServiceSummary
	for _, name := range cfg.ServiceNames() {
		plan, err := cfg.Plan(name)
		if err != nil {
			return nil, err
		}
		summary := slackapp.ServiceSummary{Service: name, Owner: plan.Owner, RPO: plan.Objectives.RPO}
		sets, err := d.summaries(ctx, plan)
		if err != nil {
			summary.Trouble = err.Error()
		} else {
			stand(&summary, sets, time.Now())
		}
		list = append(list, summary)
	}
	return list, nil
}

// Sets lists what a restore of the service may choose, newest first.
func (d *Desk) Sets(ctx context.Context, service string) ([]slackapp.SetSummary, error) {
	cfg, err := d.Config()
	if err != nil {
		return nil, err
	}
	plan, err := cfg.Plan(service)
	if err != nil {
		return nil, err
	}
	sets, err := d.summaries(ctx, plan)
	if err != nil {
		return nil, err
	}
	var usable []slackapp.SetSummary
	for _, s := range sets {
		if s.Usable() {
			usable = append(usable, line(s, time.Now()))
		}
	}
	return usable, nil
}

func (d *Desk) summaries(ctx context.Context, plan *recovery.Plan) ([]recovery.SetSummary, error) {
	cfg, err := d.Config()
	if err != nil {
		return nil, err
	}
	trusted, err := TrustedKeys(cfg)
	if err != nil {
		return nil, err
	}
	v, err := OpenVault(ctx, cfg, plan.Destination)
	if err != nil {
		return nil, err
	}
	defer func() { _ = v.Close() }()
	entries, err := v.Catalogue(ctx, plan.Service, trusted, time.Time{}, newest)
	return Summarize(entries), err
}

// stand fills in what the sets of a service, newest first, say of it.
func stand(summary *slackapp.ServiceSummary, sets []recovery.SetSummary, now time.Time) {
	for _, s := range sets {
		if s.Purpose != "" || !s.Usable() {
			continue
		}
		l := line(s, now)
		if summary.ReadBack == nil {
			summary.ReadBack, summary.ReadBackAge = &l, l.Age
			summary.RPOMet = l.Age <= summary.RPO
		}
		if summary.Proven == nil && s.Standing.Level == recovery.LevelProven {
			summary.Proven, summary.ProvenAge = &l, l.Age
		}
	}
	if p := recovery.LastDrill(sets); p != nil {
		summary.LastDrill = &slackapp.DrillSummary{At: p.Ended, Verdict: p.Verdict, RTO: p.RTO, Sentence: p.Sentence}
	}
}

func line(s recovery.SetSummary, now time.Time) slackapp.SetSummary {
	return slackapp.SetSummary{
		Set: s.Set, Created: s.Created, Age: recovery.Duration(now.Sub(s.Created).Round(time.Second)), Size: s.Size,
		Level: s.Standing.Level, Verdict: s.Standing.Verdict, Sources: s.Sources,
	}
}
