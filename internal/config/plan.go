package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Service finds a service. The fault for one that is not here is Permanent and
// names those that are.
func (c *Config) Service(name string) (*Service, error) {
	known := "known here: " + strings.Join(c.ServiceNames(), ", ")
	if name == "" {
		return nil, recovery.NewFault(recovery.Permanent, errors.New("find service: the input names none"),
			fmt.Sprintf(`give an input such as {"service":%q}; %s`, c.Services[0].Name, known))
	}
	i := slices.IndexFunc(c.Services, func(s Service) bool { return s.Name == name })
	if i < 0 {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("find service %q: it is not in %s", name, c.file), known)
	}
	return &c.Services[i], nil
}

// Plan resolves one service into what a run uses from its first step to its last.
// Faults are those of [Config.Service].
func (c *Config) Plan(service string) (*recovery.Plan, error) {
	s, err := c.Service(service)
	if err != nil {
		return nil, err
	}
	destinations := c.DestinationSpecs()
	plan := &recovery.Plan{
		Service: s.Name, Owner: s.Owner, Host: s.Host,
		Objectives:  recovery.Objectives{Availability: float64(s.Objectives.Availability), RTO: s.Objectives.RTO, RPO: s.Objectives.RPO},
		Destination: destinations[0], Destinations: destinations,
		Encryption:  c.EncryptionSpec(),
		Staging:     c.Staging.spec(),
		Smoke:       s.Smoke.spec(),
		Live:        s.Live.spec(),
		Commands:    recovery.CommandsSpec(s.Commands),
		Deploy:      s.Deploy.spec(),
		UndoFor:     s.Undo,
		Verify:      recovery.VerifyWhen(s.Verify),
		GiveUpAfter: c.GiveUpAfter,
		People:      c.People(),
		Approvals:   c.approvals(s),
		Slack:       c.Slack.spec(),
		TimeZone:    s.TimeZone,
		Schedules:   recovery.SchedulesSpec{Verify: s.Schedule.Verify, Drill: s.Schedule.Drill, Prune: s.Schedule.Prune, SmokeDeploy: s.Schedule.SmokeDeploy},
		KeepSafety:  s.KeepSafety,
		Pings:       s.Pings.refs(),
		Config:      c.ref(),
	}
	for _, source := range s.Sources {
		plan.Sources = append(plan.Sources, recovery.SourceSpec{
			Name: source.Name, Kind: source.Kind, URL: string(source.URL), Tables: source.Tables, Path: source.Path,
			Fingerprint: recovery.FingerprintMode(source.Fingerprint), RPO: source.RPO, Every: source.Every, Retention: source.Retention.spec(),
			Admin: string(source.Admin), SwapCommand: source.SwapCommand,
		})
	}
	return plan, nil
}

// ServiceNames returns the names of the services, in the order of the file.
func (c *Config) ServiceNames() []string {
	names := make([]string, len(c.Services))
	for i, s := range c.Services {
		names[i] = s.Name
	}
	return names
}

func (s Staging) spec() recovery.StagingSpec {
	spec := recovery.StagingSpec{Folder: s.Folder}
	if s.Postgres != nil {
		spec.PostgresURL = string(s.Postgres.URL)
		spec.SameServer = s.Postgres.SameServer == "accepted"
	}
	return spec
}

func (s *Smoke) spec() *recovery.SmokeSpec {
	if s == nil {
		return nil
	}
	spec := &recovery.SmokeSpec{Start: s.Start, Dir: s.Dir, Env: s.Env, BaseURL: s.BaseURL, Ready: s.Ready, Timeout: s.Timeout, Journey: journeySpec(s.Journey)}
	for _, check := range s.Checks {
		spec.Checks = append(spec.Checks, recovery.SQLCheck(check))
	}
	return spec
}

// findRef says which configuration this is. What Git cannot say is left out.
func (c *Config) findRef() recovery.ConfigRef {
	ref := recovery.ConfigRef{Digest: c.digest}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	commit, err := c.git(ctx, "rev-parse", "--verify", "HEAD")
	if err != nil {
		return ref
	}
	// A file that Git ignores or does not know is not in that commit either.
	status, err := c.git(ctx, "status", "--porcelain", "--ignored", "--", filepath.Base(c.file))
	if err != nil {
		return ref
	}
	ref.Commit, ref.Dirty = commit, status != ""
	return ref
}

func (c *Config) git(ctx context.Context, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", append([]string{"-C", c.dir}, arguments...)...)
	// Inside a Git hook, GIT_DIR and its like name another repository.
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
	command.Env = append(command.Env, "GIT_OPTIONAL_LOCKS=0")
	out, err := command.Output()
	return strings.TrimSpace(string(out)), err
}
