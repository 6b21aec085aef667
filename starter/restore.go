package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
	"github.com/lifeboat-run/lifeboat/workflows"
)

var restoreExits = []int{exitReached, exitFailed, exitUsage, exitUnreachable, exitNotApproved, exitDetached}

// restoreFlags are what `restore` is asked.
type restoreFlags struct {
	restoring
	sources []string
	beside  bool
	list    bool
}

func (c *cli) restoreCommand() *cobra.Command {
	r := &restoreFlags{}
	cmd := &cobra.Command{
		Use:   "restore SERVICE",
		Short: "Bring production data back from a recovery set",
		Long: `Start the playbook Restore and wait until production is restored, or is certain to
be untouched. A safety backup is made first; then people decide on a plan that says
what would be lost; then the set is restored beside production, compared and tried
out there, and only then swapped. Afterwards it can be undone for a while.

--list shows the sets that can be chosen. --beside restores beside production and
leaves the copy there, to take single rows out of the past.

Ctrl-C ends this command, not the run.

` + exitCodes(restoreExits...),
		Example: "  starter restore where2eat --list\n  starter restore where2eat --set 20261122T180000Z-ab12cd\n  starter restore where2eat --source app\n  starter restore where2eat --beside",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.restore(cmd.Context(), r, args[0]) },
	}
	r.flags(cmd)
	cmd.Flags().StringSliceVar(&r.sources, "source", nil, "restore only this source; may be given several times (default all)")
	cmd.Flags().BoolVar(&r.beside, "beside", false, "restore beside production and replace nothing")
	cmd.Flags().BoolVar(&r.list, "list", false, "list the sets that can be chosen, and start nothing")
	return cmd
}

func (c *cli) restore(ctx context.Context, r *restoreFlags, service string) error {
	if r.list {
		return c.listRestorable(ctx, service)
	}
	if err := r.check(ctx, c, service); err != nil {
		return err
	}
	defer r.client.Close()
	run, err := r.start(ctx, c, slackapp.Start{
		Playbook: workflows.TypeRestore, Service: service, Set: recovery.SetID(r.set), Sources: r.sources, Beside: r.beside,
	})
	if err != nil {
		return err
	}
	if r.detach {
		return (&playbook{}).detached(c, run.GetID())
	}
	var restored *recovery.Restoration
	var result *recovery.Restoration
	f := &follower{client: r.client, run: run, until: func(s *workflows.Status) bool {
		restored = s.Restored
		return restored != nil
	}}
	err = c.follow(ctx, f, &result)
	if restored == nil {
		restored = result
	}
	if restored == nil {
		return err
	}
	return c.printRestored(run.GetID(), restored)
}

// printRestored prints in which state production is, and chooses the exit code.
func (c *cli) printRestored(run string, r *recovery.Restoration) error {
	if c.json {
		if err := c.printJSON(r); err != nil {
			return err
		}
	} else if err := c.printf("%s", describeRestored(run, r)); err != nil {
		return err
	}
	switch r.State {
	case recovery.StateRestored, recovery.StateBeside, recovery.StateUndone:
		return nil
	default:
		return &exitError{code: exitFailed, err: errors.New(r.Sentence)}
	}
}

func describeRestored(run string, r *recovery.Restoration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", strings.ToUpper(string(r.State)), r.Sentence)
	if r.State != recovery.StateRestored {
		return b.String()
	}
	fmt.Fprintf(&b, "  restore time   %s\n  age of data    %s\n", r.RTO.Sentence("RTO"), r.RPO.Sentence("RPO"))
	if r.Safety != "" {
		fmt.Fprintf(&b, "  safety backup  %s\n", r.Safety)
	}
	for _, s := range r.Swaps {
		if s.Out != "" {
			fmt.Fprintf(&b, "  set aside      %s\n", s.Aside)
		}
	}
	if !r.UndoTil.IsZero() {
		fmt.Fprintf(&b, "  undo           until %s: starter decide %s approve\n", stamp(r.UndoTil), run)
	}
	return b.String()
}

// listRestorable shows the sets that a restore may choose.
func (c *cli) listRestorable(ctx context.Context, service string) error {
	cfg, err := c.loadFor(service)
	if err != nil {
		return err
	}
	d := deskFor(cfg)
	sets, err := d.Sets(ctx, service)
	if err != nil {
		return bucketError(err)
	}
	if c.json {
		return c.printJSON(sets)
	}
	if len(sets) == 0 {
		return c.printf("no set of %s can be restored; make one: starter backup %s\n", service, service)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "SET\tAGE\tSIZE\tLEVEL\tSOURCES"); err != nil {
		return err
	}
	for _, s := range sets {
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Set, s.Age, recovery.Bytes(s.Size), s.Level, strings.Join(s.Sources, ", ")); err != nil {
			return err
		}
	}
	return w.Flush()
}
