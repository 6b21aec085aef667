package app

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/loopback"
	"github.com/lifeboat-run/lifeboat/internal/probe"
	"github.com/lifeboat-run/lifeboat/internal/process"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// drillVariable tells the service that it runs on restored data: it must send no
// mail and charge no card.
const drillVariable = "LIFEBOAT_DRILL=1"

// outputKept is how many bytes of the service's last output are kept, to say why
// it did not start.
const outputKept = 4096

// Smoke implements activities.Staging.
func (s *staging) Smoke(ctx context.Context, plan *recovery.Plan, copies map[string]activities.Copy) (*recovery.SmokeProof, error) {
	cfg, err := s.configs.load()
	if err != nil {
		return nil, err
	}
	trial := &trial{spec: plan.Smoke, copies: copies, cfg: cfg, prober: &probe.Prober{}}
	started := time.Now()
	err = trial.run(ctx)
	if err != nil {
		return nil, err
	}
	return trial.conclude(time.Since(started)), nil
}

// trial is one start of the service on restored data.
type trial struct {
	spec   *recovery.SmokeSpec
	copies map[string]activities.Copy
	cfg    *config.Config
	prober *probe.Prober
	fill   *strings.Replacer
	secret []string // pairs for a replacer that takes secrets out of what the service says
	steps  []recovery.SmokeStep
}

// run returns an error only if the trial could not be made; how it went is in
// the steps.
func (t *trial) run(ctx context.Context) error {
	port, err := loopback.Reserve()
	if err != nil {
		return err
	}
	defer port.Release()
	t.fill = t.replacer(port.Number)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	output := process.NewTail(outputKept)
	service, err := t.start(ctx, output)
	if err != nil {
		return err
	}
	defer func() {
		cancel()
		_ = service.Wait() // it is stopped by the cancel: how it takes that is no finding
	}()
	if !t.waitUp(ctx, service, output) {
		return ctx.Err()
	}
	journey, cancelJourney := context.WithTimeout(ctx, t.spec.Timeout.Std())
	defer cancelJourney()
	t.steps = append(t.steps, t.prober.Journey(journey, t.fill.Replace(t.spec.BaseURL), t.spec.Journey)...)
	for _, check := range t.spec.Checks {
		step, err := t.check(ctx, check)
		if err != nil {
			return fmt.Errorf("check %q: %w", check.Name, err)
		}
		t.steps = append(t.steps, step)
	}
	select {
	case <-service.Done(): // whoever answered, it was not the service
		t.steps = append(t.steps, recovery.SmokeStep{Name: "the service stays up", Error: t.ending(service, output)})
	default:
	}
	return ctx.Err()
}

// replacer fills in {port} and {restored.SOURCE}.
func (t *trial) replacer(port int) *strings.Replacer {
	pairs := []string{"{port}", strconv.Itoa(port)}
	for source, c := range t.copies {
		pairs = append(pairs, "{restored."+source+"}", c.Address())
		t.secret = append(t.secret, c.Address(), "{restored."+source+"}")
		if u, err := url.Parse(c.Address()); err == nil && u.User != nil {
			if password, ok := u.User.Password(); ok && password != "" {
				t.secret = append(t.secret, password, "***")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

// start starts the service with staging's environment alone.
func (t *trial) start(ctx context.Context, output *process.Tail) (*process.Process, error) {
	env := []string{drillVariable}
	for name, value := range t.spec.Env {
		if config.IsReference(value) {
			secret, err := t.cfg.Reveal(value)
			if err != nil {
				return nil, fmt.Errorf("start the service: %w", err)
			}
			t.secret = append(t.secret, secret.Reveal(), "***")
			value = secret.Reveal()
		}
		env = append(env, name+"="+t.fill.Replace(value))
	}
	slices.Sort(env)
	args := make([]string, len(t.spec.Start))
	for i, arg := range t.spec.Start {
		args[i] = t.fill.Replace(arg)
	}
	service, err := process.Start(ctx, process.Command{Path: process.PathIn(t.spec.Dir, args[0]), Args: args[1:], Dir: t.spec.Dir, Env: env, Stdout: output, Stderr: output})
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, err, "mend smoke.start in the config")
	}
	return service, nil
}

// waitUp waits until the service answers, and records that it did.
func (t *trial) waitUp(ctx context.Context, service *process.Process, output *process.Tail) bool {
	started := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, t.spec.Timeout.Std(), fmt.Errorf("no answer within %s", t.spec.Timeout))
	defer cancel()
	go func() {
		select {
		case <-service.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	step := recovery.SmokeStep{Name: "the service starts", OK: true}
	if err := t.prober.WaitUp(ctx, t.fill.Replace(t.spec.BaseURL+t.spec.Ready)); err != nil {
		step.OK, step.Error = false, err.Error()
	}
	select {
	case <-service.Done():
		step.OK, step.Error = false, t.ending(service, output)
	default:
	}
	step.Took = recovery.Duration(time.Since(started).Round(time.Millisecond))
	t.steps = append(t.steps, step)
	return step.OK
}

// ending says how the service ended, without the secrets that it was given.
func (t *trial) ending(service *process.Process, output *process.Tail) string {
	how := "it ended"
	if err := service.Wait(); err != nil {
		how = "it ended: " + err.Error()
	}
	return strings.NewReplacer(t.secret...).Replace(how + lastLine(output))
}

// lastLine is the service's own last word, as the end of a sentence.
func lastLine(output *process.Tail) string {
	last := output.LastLine()
	if last == "" {
		return ""
	}
	return ": " + last
}

// check asks a restored source. A query that cannot be asked says nothing about
// the data: that is an error. What it answered is the user's data and not told.
func (t *trial) check(ctx context.Context, check recovery.SQLCheck) (recovery.SmokeStep, error) {
	started := time.Now()
	step := recovery.SmokeStep{Name: check.Name, OK: true}
	c, ok := t.copies[check.Source]
	if !ok {
		return step, recovery.NewFault(recovery.Permanent, fmt.Errorf("source %s is not in the set", check.Source), "")
	}
	got, err := c.Query(ctx, check.Query)
	if err != nil {
		return step, err
	}
	if got != check.Expect {
		step.OK, step.Error = false, fmt.Sprintf("the answer is not %q", check.Expect)
	}
	step.Took = recovery.Duration(time.Since(started).Round(time.Millisecond))
	return step, nil
}

func (t *trial) conclude(took time.Duration) *recovery.SmokeProof {
	proof := conclude(t.steps, took)
	if proof.Verdict == recovery.Disproven {
		proof.Sentence = "the service did not pass " + proof.Sentence
	}
	return proof
}

// conclude judges steps; the sentence names the first that was not passed.
func conclude(steps []recovery.SmokeStep, took time.Duration) *recovery.SmokeProof {
	proof := &recovery.SmokeProof{Verdict: recovery.Proven, Steps: steps, Took: recovery.Duration(took.Round(time.Millisecond))}
	for _, step := range steps {
		if !step.OK {
			proof.Verdict, proof.Sentence = recovery.Disproven, fmt.Sprintf("%q: %s", step.Name, step.Error)
			break
		}
	}
	return proof
}
