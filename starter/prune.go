package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// fatesAt is what `prune --plan` prints of a destination.
type fatesAt struct {
	Destination string          `json:"destination"`
	Fates       []recovery.Fate `json:"fates"` // newest first
}

func (c *cli) pruneCommand() *cobra.Command {
	var plan, detach bool
	cmd := &cobra.Command{
		Use:   "prune SERVICE",
		Short: "Remove the recovery sets that retention does not keep",
		Long: `Start the playbook Prune and wait for its end: at each destination the sets that no
tier of the service's retention keeps are removed for good. The newest proven set, what
others refer to, and what is in use are never removed. What is locked is left, and
named.

With --plan nothing is removed: it lists what would be, what is kept, and why. All of
that is read from the destinations alone.

` + exitCodes(exitReached, exitFailed, exitUsage, exitUnreachable, exitDetached),
		Example: "  starter prune where2eat --plan\n  starter prune where2eat",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if plan {
				return c.planPrune(cmd.Context(), args[0])
			}
			return c.prune(cmd.Context(), args[0], detach)
		},
	}
	cmd.Flags().BoolVar(&plan, "plan", false, "only say what would be removed, and why the rest is kept")
	cmd.Flags().BoolVar(&detach, "detach", false, "start the run and do not wait for its end")
	return cmd
}

func (c *cli) planPrune(ctx context.Context, service string) error {
	cfg, plan, err := c.loadPlan(service)
	if err != nil {
		return err
	}
	var all []fatesAt
	err = c.eachDestination(ctx, cfg, func(dest string, v *vault.Vault, _ []recovery.PublicKey) error {
		fates, err := app.FatesAt(ctx, cfg, plan, v, c.now())
		if err == nil {
			all = append(all, fatesAt{Destination: dest, Fates: fates})
		}
		return err
	})
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(all)
	}
	for _, at := range all {
		if err := c.printFates(at); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) printFates(at fatesAt) error {
	removed, freed := 0, int64(0)
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "%s\nSET\tSIZE\tFATE\tWHY\n", at.Destination)
	for _, f := range at.Fates {
		word := "kept"
		if !f.Keep {
			word = "REMOVED"
			removed++
			freed += f.Size
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Set, recovery.Bytes(f.Size), word, strings.Join(f.Why, "; "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return c.printf("%d of %d sets would be removed, which frees %s\n\n", removed, len(at.Fates), recovery.Bytes(freed))
}

func (c *cli) prune(ctx context.Context, service string, detach bool) error {
	temporalClient, run, err := c.startFor(ctx, service, workflows.TypePrune, c.labelFor(workflows.TypePrune, service), workflows.PruneInput{Service: service})
	if err != nil {
		return err
	}
	defer temporalClient.Close()
	if detach {
		return (&playbook{}).detached(c, run.GetID())
	}
	var result *workflows.PruneResult
	ended := c.follow(ctx, &follower{client: temporalClient, run: run}, &result)
	if result == nil {
		return ended
	}
	if c.json {
		if err := c.printJSON(result); err != nil {
			return err
		}
		return ended
	}
	return cmp.Or(c.printPruned(result), ended)
}

func (c *cli) printPruned(result *workflows.PruneResult) error {
	for _, d := range result.Destinations {
		if d.Error != "" {
			c.notef("%s: %s", d.Destination, d.Error)
			continue
		}
		if err := c.printf("%s: %s removed, %s freed, %d kept\n", d.Destination, count(len(d.Removed), "set"), recovery.Bytes(d.Freed), d.Kept); err != nil {
			return err
		}
		if d.Waits != "" {
			if err := c.printf("  the rest is left to the next prune: %s may be reading it\n", d.Waits); err != nil {
				return err
			}
		}
		for _, locked := range d.Locked {
			if err := c.printf("  not removed: %s\n", locked); err != nil {
				return err
			}
		}
	}
	return nil
}
