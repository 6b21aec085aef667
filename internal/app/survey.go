package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// Survey finds out how services stand: from the buckets, and from Temporal as far as
// it answers.
type Survey struct {
	// Config reads the configuration, anew for each use.
	Config func() (*config.Config, error)
	// Temporal is nil where it does not answer: its part is then not known.
	Temporal client.Client
	// Since says since when a destination does not answer, zero if that is not known.
	// It may be nil.
	Since func(destination string) time.Time
}

// surveyed is how many sets of a service are looked at: more than a day has.
const surveyed = 100

// Digest says how all services stand.
func (s *Survey) Digest(ctx context.Context, now time.Time) (*recovery.Digest, error) {
	cfg, err := s.Config()
	if err != nil {
		return nil, err
	}
	plans, err := allPlans(cfg)
	if err != nil {
		return nil, err
	}
	return s.digest(ctx, cfg, plans, now)
}

func allPlans(cfg *config.Config) ([]*recovery.Plan, error) {
	var plans []*recovery.Plan
	for _, name := range cfg.ServiceNames() {
		plan, err := cfg.Plan(name)
		if err != nil {
			return nil, err
		}
		plans = append(plans, plan)
	}
	return plans, nil
}

// digest looks at the services of the plans.
func (s *Survey) digest(ctx context.Context, cfg *config.Config, plans []*recovery.Plan, now time.Time) (*recovery.Digest, error) {
	d := &recovery.Digest{At: now.UTC().Truncate(time.Second), TimeZone: cfg.TimeZone}
	for _, dest := range cfg.DestinationSpecs() {
		d.Destinations = append(d.Destinations, recovery.DestinationDigest{Name: dest.Name})
	}
	asking := newAsking()
	read, err := readAll(ctx, cfg, plans, asking)
	if err != nil {
		return nil, err
	}
	for i, plan := range plans {
		service := recovery.Assess(plan, read[i], d.At)
		s.noteDestinations(d, read[i], &service)
		if err := s.askTemporal(ctx, cfg, plan, &service, d); err != nil {
			return nil, err
		}
		d.Services = append(d.Services, service)
	}
	if err := s.keyDrill(ctx, cfg, d, asking); err != nil {
		return nil, err
	}
	if err := s.compareSchedules(ctx, cfg, d); err != nil {
		return nil, err
	}
	d.Conclude()
	return d, ctx.Err()
}

// readAtOnce is how many services are read at the same time.
const readAtOnce = 4

// readAll reads the sets of the services of plans, in their order.
func readAll(ctx context.Context, cfg *config.Config, plans []*recovery.Plan, a *asking) ([][]recovery.SetsAt, error) {
	read := make([][]recovery.SetsAt, len(plans))
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(readAtOnce)
	for i, plan := range plans {
		reading.Go(func() (err error) {
			read[i], err = readSets(ctx, cfg, plan, surveyed, a)
			return err
		})
	}
	return read, reading.Wait()
}

// noteDestinations adds what a service shows of the destinations.
func (s *Survey) noteDestinations(d *recovery.Digest, at []recovery.SetsAt, service *recovery.ServiceDigest) {
	for i := range d.Destinations {
		dest := &d.Destinations[i]
		for _, a := range at {
			if a.Destination == dest.Name && a.Unavailable != "" && dest.Error == "" {
				dest.Error = a.Unavailable
				if s.Since != nil {
					dest.Since = s.Since(dest.Name)
				}
			}
		}
		for _, c := range service.Copies {
			if c.Destination != dest.Name {
				continue
			}
			dest.Behind, dest.Bad, dest.Unread = dest.Behind+c.Behind, dest.Bad+c.Bad, dest.Unread+c.Unread
			if c.Behind == 0 {
				continue
			}
			if dest.Oldest.IsZero() || c.Oldest.Before(dest.Oldest) {
				dest.Oldest = c.Oldest
			}
		}
	}
}

// askTemporal adds the runs that failed and the next drill. That Temporal does not
// answer is said once.
func (s *Survey) askTemporal(ctx context.Context, cfg *config.Config, plan *recovery.Plan, service *recovery.ServiceDigest, d *recovery.Digest) error {
	service.NextDrill = plannedDrill(plan, d.At)
	if s.Temporal == nil || len(d.Problems) > 0 {
		s.silent(d, errors.New("it was not asked"))
		return nil
	}
	failed, err := failedRuns(ctx, s.Temporal, cfg.Namespace(), plan.Service, d.At.Add(-recovery.MissedWithin))
	if err == nil {
		service.Failed = failed
		service.NextDrill, _, err = NextRun(ctx, s.Temporal, workflows.DrillScheduleID(plan.Service))
	}
	if err != nil && ctx.Err() == nil {
		service.NextDrill = plannedDrill(plan, d.At)
		s.silent(d, err)
		return nil
	}
	return ctx.Err()
}

func (s *Survey) silent(d *recovery.Digest, err error) {
	if len(d.Problems) == 0 {
		d.Problems = append(d.Problems, fmt.Sprintf("See why Temporal does not say which runs failed: %v", err))
	}
}

// plannedDrill is when the config wants the next drill; zero if it wants none.
func plannedDrill(plan *recovery.Plan, now time.Time) time.Time {
	zone, err := time.LoadLocation(plan.TimeZone)
	if err != nil { // the config was checked
		zone = time.UTC
	}
	if next := plan.Schedules.Drill.Next(now, zone); !next.IsZero() {
		return next.UTC()
	}
	return time.Time{}
}

// keyDrill finds the newest key-loss drill, whichever destination it used. What does
// not answer here was named before, or is named by the next survey.
func (s *Survey) keyDrill(ctx context.Context, cfg *config.Config, d *recovery.Digest, a *asking) error {
	for i, dest := range cfg.DestinationSpecs() {
		if d.Destinations[i].Error != "" {
			continue
		}
		last, err := lastKeyDrillAt(ctx, cfg, dest, a)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			d.Destinations[i].Error = err.Error()
		case !last.IsZero() && (d.KeyDrill == nil || last.After(*d.KeyDrill)):
			d.KeyDrill = &last
		}
	}
	return nil
}

// lastKeyDrillAt is when the newest key-loss drill at a destination began, zero if
// there was none.
func lastKeyDrillAt(ctx context.Context, cfg *config.Config, dest recovery.DestinationSpec, a *asking) (time.Time, error) {
	return ask(ctx, a, dest.Name, func(ctx context.Context) (time.Time, error) {
		v, err := OpenVault(ctx, cfg, dest)
		if err != nil {
			return time.Time{}, err
		}
		defer func() { _ = v.Close() }()
		last, _, err := LastKeyDrill(ctx, v)
		return last, err
	})
}

// compareSchedules says so if Temporal would not run what the config asks for.
func (s *Survey) compareSchedules(ctx context.Context, cfg *config.Config, d *recovery.Digest) error {
	if s.Temporal == nil || len(d.Problems) > 0 {
		return nil // said already
	}
	f := findSchedulesInStep(ctx, s.Temporal, cfg)
	if f.Answer != recovery.Yes && ctx.Err() == nil {
		d.Problems = append(d.Problems, "Let Temporal have the schedules of the config: starter schedules plan shows what differs ("+f.Text+")")
	}
	return ctx.Err()
}

// findSchedulesInStep compares the schedules of all services with those that Temporal
// has.
func findSchedulesInStep(ctx context.Context, temporal client.Client, cfg *config.Config) recovery.Finding {
	plans, err := allPlans(cfg)
	if err != nil {
		return recovery.Finding{Text: err.Error()}
	}
	steps, err := PlanSchedules(ctx, temporal, Schedules(plans, cfg.DigestPlan()))
	if err != nil {
		return recovery.Finding{Text: err.Error()}
	}
	differ, paused := 0, 0
	for _, step := range steps {
		if step.Do != ScheduleKeep {
			differ++
		}
		if step.Paused {
			paused++
		}
	}
	switch {
	case differ > 0:
		return recovery.Finding{Answer: recovery.No, Text: fmt.Sprintf("%d of %d are not as the config says", differ, len(steps))}
	case paused > 0:
		return recovery.Finding{Answer: recovery.No, Text: fmt.Sprintf("%d of %d are paused", paused, len(steps))}
	}
	return recovery.Finding{Answer: recovery.Yes, Text: fmt.Sprintf("all %d are as the config says", len(steps))}
}
