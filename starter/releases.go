package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/internal/vault"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// answersWithin is how long a worker may take to list the releases, until what the
// destinations say is shown alone.
const answersWithin = 20 * time.Second

func (c *cli) releasesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "releases SERVICE",
		Short: "List the releases of a service, and which of them were well",
		Long: `List the releases of a service, newest first, with what is known of each: good if it
passed its checks in production for long enough, bad if it did not or people went back
from it, unproven otherwise. A star marks the one that is deployed.

A worker on the service's host says which releases there are and which is deployed. If
none answers, what the destinations know is listed alone.

` + exitCodes(exitReached, exitFailed, exitUsage, exitUnreachable),
		Example: "  starter releases where2eat\n  starter releases where2eat --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.releases(cmd.Context(), args[0], answersWithin)
		},
	}
}

// releases lists the releases of a service; a worker is given so long to do it.
func (c *cli) releases(ctx context.Context, service string, within time.Duration) error {
	cfg, _, err := c.loadDeployed(service, "")
	if err != nil {
		return err
	}
	known, err := c.askReleases(ctx, service, within)
	if code := codeOf(err); err != nil && code != exitUnreachable {
		return err
	}
	if err != nil {
		c.notef("%v", err)
		if known, err = c.readReleases(ctx, cfg, service); err != nil {
			return err
		}
	}
	if c.json {
		return c.printJSON(known)
	}
	return c.printReleases(known)
}

// askReleases lets a worker list the releases.
func (c *cli) askReleases(ctx context.Context, service string, within time.Duration) (*release.Overview, error) {
	temporalClient, run, err := c.startFor(ctx, service, workflows.TypeReleases, c.labelFor(workflows.TypeReleases, service), workflows.ReleaseInput{Service: service})
	if err != nil {
		return nil, err
	}
	defer temporalClient.Close()
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var known *release.Overview
	err = run.Get(limited, &known)
	switch {
	case err == nil:
		return known, nil
	case ended(err):
		return nil, playbookError(err)
	}
	// It changes nothing, and nobody waits for it any more.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), dialTimeout)
	defer cancel()
	if err := temporalClient.TerminateWorkflow(ending, run.GetID(), run.GetRunID(), "whoever asked no longer waits"); err != nil {
		c.notef("end %s: %v", run.GetID(), err)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, &exitError{code: exitUnreachable, err: fmt.Errorf("list releases of %s: no worker answers within %s", service, recovery.Duration(within))}
}

// ended says whether an error is that of a run, rather than of waiting for it.
func ended(err error) bool {
	_, of := errors.AsType[*temporal.WorkflowExecutionError](err)
	return of
}

// readReleases lists the releases that the destinations know of.
func (c *cli) readReleases(ctx context.Context, cfg *config.Config, service string) (*release.Overview, error) {
	var lists [][]release.Record
	err := c.eachDestination(ctx, cfg, func(_ string, v *vault.Vault, trusted []recovery.PublicKey) error {
		records, err := app.ReadRecords(ctx, v, trusted, service, release.MaxRecords)
		lists = append(lists, records)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &release.Overview{
		Service: service, Releases: release.List(nil, release.Tag{}, release.Merge(lists, release.MaxRecords)),
		Unknown: []string{"what is deployed, and which releases can be, is not known: this is what the destinations know"},
	}, nil
}

func (c *cli) printReleases(known *release.Overview) error {
	for _, unknown := range known.Unknown {
		c.notef("%s", unknown)
	}
	if len(known.Releases) == 0 {
		return c.printf("no release of %s is known\n", known.Service)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "  TAG\tCOMMIT\tSTANDING\tSINCE\tWHY\tSTAGING"); err != nil {
		return err
	}
	for _, r := range known.Releases {
		mark, staging := " ", "-"
		if r.Current {
			mark = "*"
		}
		if s := r.Staging; s != nil {
			staging = fmt.Sprintf("%s, %s", s.Verdict, stamp(s.At))
		}
		commit := fmt.Sprintf("%.7s", cmp.Or(r.Commit, "-"))
		if _, err := fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\t%s\t%s\n", mark, r.Tag.Tag, commit, r.Standing, stampOr(r.At, "-"), cmp.Or(r.Why, "-"), staging); err != nil {
			return err
		}
	}
	return w.Flush()
}

// loadDeployed reads the config, which must say how the service is deployed, and
// checks a tag if one is given.
func (c *cli) loadDeployed(service, tag string) (*config.Config, *recovery.DeploySpec, error) {
	cfg, plan, err := c.loadPlan(service)
	if err != nil {
		return nil, nil, err
	}
	if plan.Deploy == nil {
		return nil, nil, &exitError{
			code: exitUsage, err: fmt.Errorf("look at the releases of %s: the config does not say how it is deployed", service),
			hint: "write deploy into the config: docs/rollback.md",
		}
	}
	if tag != "" {
		if err := release.CheckTag(tag); err != nil {
			return nil, nil, &exitError{code: exitUsage, err: err, hint: "starter releases " + service + " lists the releases"}
		}
	}
	return cfg, plan.Deploy, nil
}
