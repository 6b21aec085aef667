package app

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/probe"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// Checklist answers from evidence whether a service is ready.
func (s *Survey) Checklist(ctx context.Context, service string, now time.Time) ([]recovery.Item, error) {
	cfg, err := s.Config()
	if err != nil {
		return nil, err
	}
	plan, err := cfg.Plan(service)
	if err != nil {
		return nil, err
	}
	digest, err := s.digest(ctx, cfg, []*recovery.Plan{plan}, now)
	if err != nil {
		return nil, err
	}
	e := recovery.Evidence{
		Plan: plan, Digest: digest, Standing: &digest.Services[0], KeyDrill: allAnswered(digest),
		Metrics: findMetrics(ctx, cfg.Worker.Listen), Drills: s.findDrill(ctx, plan), Keys: findKeys(cfg, now), Switch: findSwitch(cfg, plan.Service),
		Schedules: recovery.Finding{Text: notAsked},
	}
	e.Health, e.Journey = findLive(ctx, plan)
	e.Rollback, e.Staging = findReleases(ctx, cfg, plan, digest)
	if s.Temporal != nil {
		e.Schedules = findSchedulesInStep(ctx, s.Temporal, cfg)
	}
	return recovery.Checklist(e), ctx.Err()
}

const notAsked = "Temporal does not answer"

// allAnswered says whether no destination was left out: one of them may keep the
// report of a key-loss drill.
func allAnswered(d *recovery.Digest) bool {
	return d.KeyDrill != nil || !slices.ContainsFunc(d.Destinations, func(dest recovery.DestinationDigest) bool { return dest.Error != "" })
}

// findLive tries the running service: it answers, and passes its journey.
func findLive(ctx context.Context, plan *recovery.Plan) (health, journey recovery.Finding) {
	spec, prober := plan.Live, &probe.Prober{}
	if spec == nil {
		none := recovery.Finding{Answer: recovery.No, Text: "the config does not say where it answers"}
		return none, none
	}
	if err := prober.Get(ctx, spec.BaseURL+spec.Ready); err != nil {
		return recovery.Finding{Answer: recovery.No, Text: err.Error()}, recovery.Finding{Text: "the service does not answer"}
	}
	health = recovery.Finding{Answer: recovery.Yes, Text: spec.BaseURL + spec.Ready + " answers"}
	if len(spec.Journey) == 0 {
		return health, recovery.Finding{Answer: recovery.No, Text: "the config has no journey"}
	}
	limited, cancel := context.WithTimeout(ctx, spec.Timeout.Std())
	defer cancel()
	proof := conclude(prober.Journey(limited, spec.BaseURL, spec.Journey), 0)
	if proof.Verdict != recovery.Proven {
		return health, recovery.Finding{Answer: recovery.No, Text: "it did not pass " + proof.Sentence}
	}
	return health, recovery.Finding{Answer: recovery.Yes, Text: fmt.Sprintf("it passed %d of %d steps", len(proof.Steps), len(spec.Journey))}
}

// findMetrics asks the worker on this machine for its metrics. That it does not
// answer here says little: it may run elsewhere.
func findMetrics(ctx context.Context, listen string) recovery.Finding {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return recovery.Finding{Text: err.Error()}
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	address := "http://" + net.JoinHostPort(host, port) + "/metrics"
	if err := (&probe.Prober{}).Get(ctx, address); err != nil {
		return recovery.Finding{Text: err.Error()}
	}
	return recovery.Finding{Answer: recovery.Yes, Text: address + " answers"}
}

func (s *Survey) findDrill(ctx context.Context, plan *recovery.Plan) recovery.Finding {
	if s.Temporal == nil {
		return recovery.Finding{Text: notAsked}
	}
	next, ok, err := NextRun(ctx, s.Temporal, workflows.DrillScheduleID(plan.Service))
	switch {
	case err != nil:
		return recovery.Finding{Text: err.Error()}
	case !ok:
		return recovery.Finding{Answer: recovery.No, Text: "Temporal has no schedule " + workflows.DrillScheduleID(plan.Service) + ", or it is paused"}
	}
	return recovery.Finding{Answer: recovery.Yes, Text: "the next one on " + next.Format("2 January 2006 15:04 MST")}
}

// findSwitch says which pings are set: at least the worker's and the backup's.
func findSwitch(cfg *config.Config, service string) recovery.Finding {
	_, worker, workerErr := cfg.WorkerPing()
	var set, missing []string
	note := func(name string, is bool, err error) {
		switch {
		case err != nil:
			missing = append(missing, name+" (it cannot be read)")
		case is:
			set = append(set, name)
		default:
			missing = append(missing, name)
		}
	}
	note("worker", worker, workerErr)
	_, backup, backupErr := cfg.PingURL(service, "backup")
	note("backup", backup, backupErr)
	if len(missing) > 0 {
		return recovery.Finding{Answer: recovery.No, Text: "no ping is set for " + strings.Join(missing, ", ")}
	}
	return recovery.Finding{Answer: recovery.Yes, Text: "pings are set for " + strings.Join(set, ", ")}
}

// findKeys says how old the keys in use are.
func findKeys(cfg *config.Config, now time.Time) recovery.Finding {
	var old, unknown []string
	known := 0
	for _, key := range Keys(cfg) {
		switch {
		case key.Use == KeyOpens || key.Use == KeyTrusted: // what was made is not sealed or signed anew
		case key.Made.IsZero():
			unknown = append(unknown, "the one that "+key.Use)
		case key.Old(now):
			old = append(old, fmt.Sprintf("the one that %s was made on %s", key.Use, key.Made.Format("2 January 2006")))
		default:
			known++
		}
	}
	switch {
	case len(old) > 0:
		return recovery.Finding{Answer: recovery.No, Text: strings.Join(old, ", ")}
	case known == 0 || len(unknown) > 0:
		return recovery.Finding{Text: "their age is not known here: " + strings.Join(unknown, ", ")}
	}
	return recovery.Finding{Answer: recovery.Yes, Text: fmt.Sprintf("all %d are younger than a year", known)}
}
