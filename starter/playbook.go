package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// dialTimeout bounds the wait for Temporal to answer at all.
const dialTimeout = 10 * time.Second

// playbook is a run to be started: which, for what, and how it is followed.
type playbook struct {
	name    string // workflow type
	service string
	level   string // flag --level
	detach  bool   // flag --detach
}

// flags adds what all playbooks have.
func (p *playbook) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.level, "level", "", "ask for less than the config can reach: stored, readBack, restored or proven")
	cmd.Flags().BoolVar(&p.detach, "detach", false, "start the run and do not wait for its end")
}

// asked reads --level.
func (p *playbook) asked() (*recovery.Level, error) {
	if p.level == "" {
		return nil, nil
	}
	var level recovery.Level
	if err := level.UnmarshalText([]byte(p.level)); err != nil || level == recovery.LevelNone {
		return nil, &exitError{code: exitUsage, err: fmt.Errorf("read --level %q: use stored, readBack, restored or proven", p.level)}
	}
	return &level, nil
}

// run starts the playbook, follows it, and prints the report.
func (p *playbook) run(ctx context.Context, c *cli, input any) error {
	temporalClient, run, err := c.startFor(ctx, p.service, p.name, c.labelFor(p.name, p.service), input)
	if err != nil {
		return err
	}
	defer temporalClient.Close()
	if p.detach {
		return p.detached(c, run.GetID())
	}
	var report *recovery.Report
	if err := c.follow(ctx, &follower{client: temporalClient, run: run}, &report); err != nil && report == nil {
		return err
	}
	return c.printReport(report)
}

// loadFor reads the config and wants the service in it.
func (c *cli) loadFor(service string) (*config.Config, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	if _, err := cfg.Service(service); err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	return cfg, nil
}

// loadPlan reads the config, and what it says of a service.
func (c *cli) loadPlan(service string) (*config.Config, *recovery.Plan, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	plan, err := cfg.Plan(service)
	if err != nil {
		return nil, nil, &exitError{code: exitUsage, err: err}
	}
	return cfg, plan, nil
}

// startFor starts a workflow for a service. The caller closes the client.
func (c *cli) startFor(ctx context.Context, service, workflowType, id string, input any) (client.Client, client.WorkflowRun, error) {
	cfg, err := c.loadFor(service)
	if err != nil {
		return nil, nil, err
	}
	temporalClient, err := dial(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	run, err := temporalClient.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.QueueLifeboat, StaticSummary: workflowType + " of " + service,
	}, workflowType, input)
	if err != nil {
		temporalClient.Close()
		return nil, nil, unreachable("start "+workflowType, err)
	}
	c.notef("started %s", id)
	return temporalClient, run, nil
}

// labelFor is the id of a run that is started now.
func (c *cli) labelFor(workflowType, service string) string {
	return workflows.PlaybookID(workflowType, service, c.now().UTC().Format("20060102T150405.000Z"))
}

// follow follows a run to its end and reads its result, or the details of its
// error, into result, which stays as it is if there is neither.
func (c *cli) follow(ctx context.Context, f *follower, result any) error {
	f.cli = c
	err := f.follow(ctx, result)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		c.notef("detached: the run goes on; look at it in the Temporal UI, or with: temporal workflow show --workflow-id %s", f.run.GetID())
		return &exitError{code: exitDetached, err: errors.New("detached by Ctrl-C")}
	}
	if err != nil {
		return playbookError(err)
	}
	return nil
}

func (p *playbook) detached(c *cli, id string) error {
	if c.json {
		return c.printJSON(map[string]string{"workflowId": id})
	}
	return c.printf("%s\n", id)
}

// dial reaches Temporal, or fails with the exit code for that.
func dial(ctx context.Context, cfg *config.Config) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := client.DialContext(ctx, client.Options{
		HostPort: cfg.TemporalAddress(), Namespace: cfg.Namespace(), Logger: app.NewTemporalLogger(zap.NewNop()),
	})
	if err != nil {
		return nil, &exitError{
			code: exitUnreachable, err: fmt.Errorf("reach Temporal at %s: it does not answer", cfg.TemporalAddress()),
			hint: "start it, or set temporal.address in the config or TEMPORAL_ADDRESS",
		}
	}
	return c, nil
}

func unreachable(doing string, err error) error {
	var unavailable *serviceerror.Unavailable
	if errors.As(err, &unavailable) || errors.Is(err, context.DeadlineExceeded) {
		return &exitError{code: exitUnreachable, err: fmt.Errorf("%s: Temporal does not answer: %w", doing, err)}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// printReport prints how a playbook ended and chooses the exit code.
func (c *cli) printReport(report *recovery.Report) error {
	if c.json {
		if err := c.printJSON(report); err != nil {
			return err
		}
	} else if err := c.printf("%s", describe(report)); err != nil {
		return err
	}
	return reached(report)
}

// reached chooses the exit code for a report.
func reached(report *recovery.Report) error {
	switch {
	case report.Reached():
		return nil
	case report.Verdict == recovery.Disproven:
		return &exitError{code: exitDisproven, err: errors.New(report.Sentence)}
	}
	return &exitError{code: exitInconclusive, err: errors.New(report.Sentence)}
}

// playbookError translates the error of a run that made no report.
func playbookError(err error) error {
	var failed *temporal.ApplicationError
	if !errors.As(err, &failed) {
		return unreachable("follow the run", err)
	}
	code := exitFailed
	switch failed.Type() {
	case workflows.ErrorBadInput:
		code = exitUsage
	case activities.ErrorUnavailable:
		code = exitUnreachable
	case workflows.ErrorNotApproved:
		code = exitNotApproved
	case workflows.ErrorDisproven:
		code = exitDisproven
	case workflows.ErrorInconclusive:
		code = exitInconclusive
	case workflows.ErrorUnhealthy:
		code = exitUnhealthy
	case workflows.ErrorUnclear:
		code = exitUnclear
	}
	return &exitError{code: code, err: errors.New(failed.Message())}
}
