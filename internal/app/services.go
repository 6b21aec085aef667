package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/probe"
	"github.com/lifeboat-run/lifeboat/internal/process"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// services acts on the running services of this host.
type services struct {
	configs *configs
}

// RunCommand implements activities.Services.
func (s *services) RunCommand(ctx context.Context, plan *recovery.Plan, command string) error {
	args := map[string][]string{
		"stop": plan.Commands.Stop, "start": plan.Commands.Start,
		"maintenanceOn": plan.Commands.MaintenanceOn, "maintenanceOff": plan.Commands.MaintenanceOff,
	}[command]
	if len(args) == 0 {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("run the command %s of %s: there is none", command, plan.Service), "write commands."+command+" into the config")
	}
	return runCommand(ctx, plan, "commands."+command, args)
}

// The variables that a swapCommand is given.
const (
	newDatabaseURL  = "LIFEBOAT_NEW_DATABASE_URL"
	newDatabaseName = "LIFEBOAT_NEW_DATABASE"
)

// SwitchDatabase implements activities.Services.
func (s *services) SwitchDatabase(ctx context.Context, plan *recovery.Plan, source, database string) error {
	cfg, err := s.configs.load()
	if err != nil {
		return err
	}
	spec, err := sourceOf(plan, source)
	if err != nil {
		return err
	}
	live, err := openPostgresLive(cfg, spec)
	if err != nil {
		return err
	}
	return runCommand(ctx, plan, "swapCommand of "+source, spec.SwapCommand, newDatabaseURL+"="+live.URLOf(database), newDatabaseName+"="+database)
}

// runCommand runs a command of the service to its end, with little more of this
// worker's environment than where programs are found: its secrets are not the
// service's.
func runCommand(ctx context.Context, plan *recovery.Plan, name string, args []string, env ...string) error {
	timeout := plan.Commands.Timeout.Std()
	if timeout == 0 {
		timeout = 2 * time.Minute
	}
	limited, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it took longer than commands.timeout, %s", plan.Commands.Timeout))
	defer cancel()
	output := process.NewTail(outputKept)
	err := process.Run(limited, process.Command{
		Path: process.PathIn(plan.Commands.Dir, args[0]), Args: args[1:], Dir: plan.Commands.Dir,
		Env: append(config.CommandEnvironment(), env...), Stdout: output, Stderr: output,
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	var secrets mask
	for _, variable := range env {
		if name, value, _ := strings.Cut(variable, "="); name == newDatabaseURL {
			secrets.add(value)
		}
	}
	return recovery.NewFault(recovery.Permanent, fmt.Errorf("run %s: %w%s", name, err, secrets.hide(lastLine(output))), "mend the command, and see that it may be run again")
}

// CheckLive implements activities.Services.
func (s *services) CheckLive(ctx context.Context, plan *recovery.Plan) (*recovery.SmokeProof, error) {
	spec, prober := plan.Live, &probe.Prober{}
	started := time.Now()
	up := recovery.SmokeStep{Name: "the service answers", OK: true}
	waiting, cancel := context.WithTimeoutCause(ctx, spec.Timeout.Std(), fmt.Errorf("no answer within %s", spec.Timeout))
	defer cancel()
	if err := prober.WaitUp(waiting, spec.BaseURL+spec.Ready); err != nil {
		up.OK, up.Error = false, err.Error()
	}
	up.Took = recovery.Duration(time.Since(started).Round(time.Millisecond))
	steps := []recovery.SmokeStep{up}
	if up.OK {
		journey, cancel := context.WithTimeout(ctx, spec.Timeout.Std())
		defer cancel()
		steps = append(steps, prober.Journey(journey, spec.BaseURL, spec.Journey)...)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	proof := conclude(steps, time.Since(started))
	if proof.Verdict == recovery.Disproven {
		proof.Sentence = "the running service did not pass " + proof.Sentence
	}
	return proof, nil
}
