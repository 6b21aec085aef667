package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
	"github.com/lifeboat-run/lifeboat/workflows"
)

var drillExits = []int{exitReached, exitFailed, exitUsage, exitDisproven, exitInconclusive, exitUnreachable, exitNotApproved, exitDetached}

// restoring is what drill and restore have in common.
type restoring struct {
	desk
	service, set string
	detach       bool
}

func (r *restoring) flags(cmd *cobra.Command) {
	r.desk.flags(cmd)
	cmd.Flags().StringVar(&r.set, "set", "", "id of the recovery set (default the newest that was read back)")
	cmd.Flags().BoolVar(&r.detach, "detach", false, "start the run and do not wait for its end")
}

// check reads the flags, and reaches Temporal.
func (r *restoring) check(ctx context.Context, c *cli, service string) error {
	r.service = service
	cfg, err := c.loadFor(service)
	if err != nil {
		return err
	}
	if r.set != "" {
		if _, err := recovery.ParseSetID(r.set); err != nil {
			return &exitError{code: exitUsage, err: err, hint: "starter sets " + service + " lists the sets that are there"}
		}
	}
	return r.open(ctx, cfg)
}

func (c *cli) drillCommand() *cobra.Command {
	r := &restoring{}
	cmd := &cobra.Command{
		Use:   "drill SERVICE",
		Short: "Rehearse a restore on staging",
		Long: `Start the playbook RestoreDrill and wait for its end: a recovery set is restored to
staging by the code that a real restore runs, compared, tried out by the service,
timed against the objectives, written down, and cleaned up. Production is not
touched. If the config says so, it waits for a decision first.

Ctrl-C ends this command, not the run.

` + exitCodes(drillExits...),
		Example: "  starter drill where2eat\n  starter drill where2eat --set 20261122T180000Z-ab12cd",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.drill(cmd.Context(), r, args[0]) },
	}
	r.flags(cmd)
	return cmd
}

func (c *cli) drill(ctx context.Context, r *restoring, service string) error {
	if err := r.check(ctx, c, service); err != nil {
		return err
	}
	defer r.client.Close()
	run, err := r.start(ctx, c, slackapp.Start{Playbook: workflows.TypeRestoreDrill, Service: service, Set: recovery.SetID(r.set)})
	if err != nil {
		return err
	}
	if r.detach {
		return (&playbook{}).detached(c, run.GetID())
	}
	var drill *recovery.Drill
	if err := c.follow(ctx, &follower{client: r.client, run: run}, &drill); err != nil && drill == nil {
		return err
	}
	if c.json {
		if err := c.printJSON(drill); err != nil {
			return err
		}
	} else if err := c.printf("%s\nreport  %s\n", describe(&drill.Report), drill.Document); err != nil {
		return err
	}
	return reached(&drill.Report)
}
