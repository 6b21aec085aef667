package app

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/config"
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
	list := make([]slackapp.ServiceSummary, len(cfg.ServiceNames()))
	var reading errgroup.Group
	asking := newAsking()
	for i, name := range cfg.ServiceNames() {
		reading.Go(func() (err error) {
			list[i], err = summarize(ctx, cfg, name, time.Now(), asking)
			return err
		})
	}
	return list, reading.Wait()
}

// Checklist answers from evidence whether a service is ready for the worst.
func (d *Desk) Checklist(ctx context.Context, service string) ([]recovery.Item, error) {
	survey := &Survey{Config: d.Config, Temporal: d.Client}
	return survey.Checklist(ctx, service, time.Now())
}

// summarize says how a service stands, from its destinations and the config.
func summarize(ctx context.Context, cfg *config.Config, name string, now time.Time, a *asking) (slackapp.ServiceSummary, error) {
	plan, err := cfg.Plan(name)
	if err != nil {
		return slackapp.ServiceSummary{}, err
	}
	at, err := readSets(ctx, cfg, plan, newest, a)
	if err != nil {
		return slackapp.ServiceSummary{}, err
	}
	service := recovery.Assess(plan, at, now)
	summary := slackapp.ServiceSummary{
		Service: name, Owner: plan.Owner, RPO: plan.Objectives.RPO, Trouble: service.Trouble, NextDrill: plannedDrill(plan, now),
		CanRollBack: plan.Deploy != nil && plan.Approvals.Rollback != nil,
	}
	if service.Trouble == "" {
		stand(&summary, recovery.MergeCopies(recovery.Lists(at)), now)
		summary.Todo = todo(cfg, plan, service, now)
	}
	return summary, nil
}

// todo lists what the destinations and the config alone show to be done: the
// checklist without asking the running service, the worker and Temporal.
func todo(cfg *config.Config, plan *recovery.Plan, service recovery.ServiceDigest, now time.Time) []string {
	d := recovery.Digest{At: now, TimeZone: cfg.TimeZone, Services: []recovery.ServiceDigest{service}}
	d.Services[0].NextDrill = plannedDrill(plan, now)
	d.Conclude()
	todo := d.Services[0].Todo
	for _, item := range recovery.Checklist(recovery.Evidence{Plan: plan, Keys: findKeys(cfg, now), Switch: findSwitch(cfg, plan.Service)}) {
		if item.Answer == recovery.No {
			todo = append(todo, item.Question+" No: "+item.Evidence+". Next: "+item.Next)
		}
	}
	return todo
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
	sets, err := summaries(ctx, cfg, plan)
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
