package config

import (
	"fmt"
	"time"
	_ "time/tzdata" // time zones are known also on a machine that has no list of them

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Schedule says when the playbooks of a service run by themselves.
type Schedule struct {
	Backup      recovery.Cadence `yaml:"backup" jsonschema_description:"Back up the sources that do not say it themselves. By default as often as fits their RPO, at most once a day."`
	Verify      recovery.Cadence `yaml:"verify" jsonschema_description:"Restore a copy of the newest set to prove it, each destination's in turn; weekly on sunday at 04:00 by default."`
	Drill       recovery.Cadence `yaml:"drill" jsonschema_description:"Ask for a restore drill; quarterly on 15 at 09:00 by default."`
	Prune       recovery.Cadence `yaml:"prune" jsonschema_description:"Remove the sets that retention does not keep; 24h at 05:00 by default."`
	SmokeDeploy recovery.Cadence `yaml:"smokeDeploy" jsonschema_description:"Deploy the newest release to staging and test it there; weekly on monday at 05:00 by default, where there is deploy.staging."`
}

// Retention says how many sets are kept of each length of time. Its fields are
// those of [recovery.Retention].
type Retention struct {
	Hourly  int `yaml:"hourly" jsonschema:"minimum=0,maximum=10000" jsonschema_description:"The newest set of each of the last so many hours."`
	Daily   int `yaml:"daily" jsonschema:"minimum=0,maximum=10000" jsonschema_description:"The newest set of each of the last so many days."`
	Weekly  int `yaml:"weekly" jsonschema:"minimum=0,maximum=10000" jsonschema_description:"The newest set of each of the last so many weeks."`
	Monthly int `yaml:"monthly" jsonschema:"minimum=0,maximum=10000" jsonschema_description:"The newest set of each of the last so many months."`
	Yearly  int `yaml:"yearly" jsonschema:"minimum=0,maximum=10000" jsonschema_description:"The newest set of each of the last so many years."`
}

// Pings are a dead man's switch: URLs that are called when a playbook starts, ends
// well or fails, at a service that raises the alarm when they stop coming.
type Pings struct {
	Backup Reference `yaml:"backup" jsonschema_description:"URL to ping for backups, such as https://hc-ping.com/UUID."`
	Verify Reference `yaml:"verify" jsonschema_description:"URL to ping for verifications."`
	Drill  Reference `yaml:"drill" jsonschema_description:"URL to ping for restore drills."`
	Prune  Reference `yaml:"prune" jsonschema_description:"URL to ping for pruning."`
}

// The cadences of a service that names none, and how long its safety backups are kept.
var (
	daily              = recovery.Cadence{Every: "24h", Hour: 3}
	defaultVerify      = recovery.Cadence{Every: "weekly", Day: time.Sunday, Hour: 4}
	defaultDrill       = recovery.Cadence{Every: "quarterly", Date: 15, Hour: 9}
	defaultPrune       = recovery.Cadence{Every: "24h", Hour: 5}
	defaultSmokeDeploy = recovery.Cadence{Every: "weekly", Day: time.Monday, Hour: 5}
	defaultSafety      = 30 * 24 * hour
)

// setScheduleDefaults fills in when a service's playbooks run and what is kept.
func (s *Service) setScheduleDefaults() {
	zone := location(s.TimeZone)
	later := func(c recovery.Cadence) recovery.Cadence { return c.Clear(time.Now(), zone) }
	for i := range s.Sources {
		source := &s.Sources[i]
		fill(&source.Every, s.Schedule.Backup)
		fill(&source.Every, later(fitting(source.RPO, hours)))
		fill(&source.Retention, s.Retention)
	}
	fill(&s.Schedule.Verify, later(defaultVerify))
	fill(&s.Schedule.Drill, later(defaultDrill))
	fill(&s.Schedule.Prune, later(defaultPrune))
	if s.Deploy != nil && s.Deploy.Staging != nil {
		fill(&s.Schedule.SmokeDeploy, later(defaultSmokeDeploy))
	}
	fill(&s.KeepSafety, defaultSafety)
}

// location is the time zone of that name; UTC for a name that is reported elsewhere.
func location(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// hours are the cadences that backups have by default, and longer the others that
// can be suggested; the shortest first.
var (
	hours = []recovery.Cadence{
		{Every: "1h"}, {Every: "2h"}, {Every: "3h"}, {Every: "4h"}, {Every: "6h"}, {Every: "8h"}, {Every: "12h"}, daily,
	}
	longer = []recovery.Cadence{{Every: "weekly", Day: time.Sunday, Hour: 3}, {Every: "monthly", Date: 1, Hour: 3}}
)

// fitting is the longest of the cadences that meets an RPO, or the shortest if none
// does.
func fitting(rpo recovery.Duration, cadences []recovery.Cadence) recovery.Cadence {
	best := cadences[0]
	for _, c := range cadences {
		if c.Period() <= rpo {
			best = c
		}
	}
	return best
}

func (r *Retention) spec() recovery.Retention {
	if r == nil {
		return recovery.Retention{}
	}
	return recovery.Retention(*r)
}

// all returns the references by playbook.
func (p Pings) all() map[string]Reference {
	return map[string]Reference{"backup": p.Backup, "verify": p.Verify, "drill": p.Drill, "prune": p.Prune}
}

// refs are the references that are given, by playbook; nil if none is.
func (p Pings) refs() map[string]string {
	var refs map[string]string
	for playbook, ref := range p.all() {
		if ref == "" {
			continue
		}
		if refs == nil {
			refs = map[string]string{}
		}
		refs[playbook] = string(ref)
	}
	return refs
}

// PingURL returns the URL that is pinged for a playbook of a service (backup,
// verify, drill, prune); false if there is none. The fault of one that cannot be
// read is Permanent.
func (c *Config) PingURL(service, playbook string) (Secret, bool, error) {
	s, err := c.Service(service)
	if err != nil {
		return Secret{}, false, err
	}
	ref, known := s.Pings.all()[playbook]
	if !known {
		return Secret{}, false, recovery.NewFault(recovery.Permanent, fmt.Errorf("find the ping of %q: there is no such playbook", playbook), "known: backup, verify, drill, prune")
	}
	return c.ping(ref)
}

// WorkerPing returns the URL that is pinged while the worker is ready; false if
// there is none.
func (c *Config) WorkerPing() (Secret, bool, error) { return c.ping(c.Worker.Ping) }

func (c *Config) ping(ref Reference) (Secret, bool, error) {
	if ref == "" {
		return Secret{}, false, nil
	}
	secret, err := c.Reveal(string(ref))
	return secret, err == nil, err
}
