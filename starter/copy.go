package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/workflows"
)

func (c *cli) copyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "copy SERVICE",
		Short: "Copy the sets that a destination lacks",
		Long: `Start the playbook CatchUp and wait for its end: for every set that a destination
lacks and another one has, a run of Replicate is started, which copies and proves it.
This happens by itself when a destination answers again, and once a day.

` + exitCodes(exitReached, exitFailed, exitUsage, exitUnreachable, exitDetached),
		Example: "  starter copy where2eat",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.copySets(cmd.Context(), args[0]) },
	}
}

func (c *cli) copySets(ctx context.Context, service string) error {
	temporalClient, run, err := c.startFor(ctx, service, workflows.TypeCatchUp, workflows.CatchUpID(service), workflows.CatchUpInput{Service: service})
	if err != nil {
		return err
	}
	defer temporalClient.Close()
	missing := 0
	if err := c.follow(ctx, &follower{client: temporalClient, run: run}, &missing); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]int{"copies": missing})
	}
	switch missing {
	case 0:
		return c.printf("no destination that answers lacks a set of %s\n", service)
	case 1:
		return c.printf("1 copy is being made; starter sets %s shows when it is there\n", service)
	}
	return c.printf("%d copies are being made; starter sets %s shows when they are there\n", missing, service)
}
