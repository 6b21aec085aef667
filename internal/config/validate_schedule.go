package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func (v *validator) timeZone(path, name string) {
	if !v.given(path) {
		return
	}
	// Local is another one on each machine.
	if _, err := time.LoadLocation(name); err != nil || name == "Local" {
		v.problem(path, "is not a time zone that is known", "write its IANA name, such as Europe/Berlin, or UTC")
	}
}

// schedule checks when the playbooks of a service run and what is kept of it.
func (v *validator) schedule(path string, s *Service) {
	v.timeZone(path+".timeZone", s.TimeZone)
	v.retention(path+".retention", s.Retention)
	field := path + ".schedule.backup"
	var strictest *Source
	for i := range s.Sources {
		source := &s.Sources[i]
		own := at(path+".sources", i)
		v.retention(own+".retention", source.Retention)
		switch {
		case v.given(own + ".every"):
			v.fits(own+".every", source.Every, source)
		case v.given(field) && (strictest == nil || source.RPO < strictest.RPO):
			strictest = source
		}
	}
	if strictest != nil {
		v.fits(field, s.Schedule.Backup, strictest)
	}
	v.leaps(path, s)
	if field = path + ".schedule.smokeDeploy"; v.given(field) && (s.Deploy == nil || s.Deploy.Staging == nil) {
		v.problem(field, "needs deploy.staging", "write deploy.staging with deploy and test, or remove it")
	}
}

// leaps reports the times that clocks leap over.
func (v *validator) leaps(path string, s *Service) {
	for i := range s.Sources {
		v.leap(at(path+".sources", i)+".every", s.Sources[i].Every, s.TimeZone)
	}
	for _, each := range []struct {
		name    string
		cadence recovery.Cadence
	}{{"backup", s.Schedule.Backup}, {"verify", s.Schedule.Verify}, {"drill", s.Schedule.Drill}, {"prune", s.Schedule.Prune}, {"smokeDeploy", s.Schedule.SmokeDeploy}} {
		v.leap(path+".schedule."+each.name, each.cadence, s.TimeZone)
	}
}

func (v *validator) leap(path string, c recovery.Cadence, zone string) {
	if !v.given(path) {
		return
	}
	if day, leapt := c.Leap(time.Now(), location(zone)); leapt {
		v.problem(path, fmt.Sprintf("is a time that clocks in %s leap over on %s: nothing would run on that day", zone, day.Format(time.DateOnly)),
			fmt.Sprintf("write %q", c.Clear(time.Now(), location(zone))))
	}
}

// fits reports a cadence that cannot meet the RPO of a source.
func (v *validator) fits(path string, every recovery.Cadence, source *Source) {
	if source.RPO == 0 || every.Period() <= source.RPO {
		return
	}
	mend := "write a longer rpo: more than once an hour is not possible"
	if best := fitting(source.RPO, slices.Concat(hours, longer)); best.Period() <= source.RPO {
		mend = fmt.Sprintf("write %q, or a longer rpo", best)
	}
	v.problem(path, fmt.Sprintf("cannot meet the RPO of %s of the source %s", source.RPO, source.Name), mend)
}

// maxKept bounds how many sets a tier keeps.
const maxKept = 10_000

func (v *validator) retention(path string, r *Retention) {
	if r == nil {
		return
	}
	for _, tier := range []struct {
		name string
		kept int
	}{
		{recovery.TierHourly, r.Hourly},
		{recovery.TierDaily, r.Daily},
		{recovery.TierWeekly, r.Weekly},
		{recovery.TierMonthly, r.Monthly},
		{recovery.TierYearly, r.Yearly},
	} {
		if tier.kept < 0 || tier.kept > maxKept {
			v.problem(join(path, tier.name), "is not a number of sets", fmt.Sprintf("write 0 to %d", maxKept))
		}
	}
	if *r == (Retention{}) && !v.reportedBelow(path) {
		v.problem(path, "keeps nothing", "write how many sets to keep, such as { daily: 30, weekly: 8, monthly: 12 }; or remove it, to keep all")
	}
}
