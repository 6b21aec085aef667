package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
	"github.com/lifeboat-run/lifeboat/workflows"
)

var rollbackExits = []int{exitReached, exitFailed, exitUsage, exitUnreachable, exitNotApproved, exitUnhealthy, exitUnclear, exitDetached}

// rollbackFlags are what `rollback` is asked.
type rollbackFlags struct {
	desk
	to     string
	detach bool
}

func (c *cli) rollbackCommand() *cobra.Command {
	r := &rollbackFlags{}
	cmd := &cobra.Command{
		Use:   "rollback SERVICE",
		Short: "Go back to the last release that was well",
		Long: `Start the playbook Rollback and wait until the service is well again, or it is
certain that it is not. People decide on a plan that says what is deployed, what would
be instead, which commits lie between, and what makes it risky; where the config has
quick remedies, they may choose one of those. Then the command runs, at most once, and
the service is watched until it has stayed well for a while.

Without --to it goes back to the newest release before the deployed one that was seen
to be well; "starter releases" lists them.

Ctrl-C ends this command, not the run.

` + exitCodes(rollbackExits...),
		Example: "  starter rollback where2eat\n  starter rollback where2eat --to v1.2\n  starter rollback where2eat --as rebecca --detach",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.rollback(cmd.Context(), r, args[0]) },
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&r.to, "to", "", "tag of the release to go back to (default the last known good one)")
	cmd.Flags().BoolVar(&r.detach, "detach", false, "start the run and do not wait for its end")
	return cmd
}

func (c *cli) rollback(ctx context.Context, r *rollbackFlags, service string) error {
	cfg, _, err := c.loadDeployed(service, r.to)
	if err != nil {
		return err
	}
	if err := r.open(ctx, cfg); err != nil {
		return err
	}
	defer r.client.Close()
	run, err := r.start(ctx, c, slackapp.Start{Playbook: workflows.TypeRollback, Service: service, To: r.to})
	if err != nil {
		return err
	}
	if r.detach {
		return (&playbook{}).detached(c, run.GetID())
	}
	var well, result *release.Rollback
	f := &follower{client: r.client, run: run, pending: r.PendingOf, until: func(s *workflows.Status) bool {
		well = s.RolledBack
		return well != nil
	}}
	err = c.follow(ctx, f, &result)
	if well == nil {
		well = result
	}
	if well == nil {
		return err
	}
	return cmp.Or(c.printRollback(run.GetID(), well), err)
}

// printRollback prints how a rollback ended, or stands.
func (c *cli) printRollback(run string, r *release.Rollback) error {
	if c.json {
		return c.printJSON(r)
	}
	return c.printf("%s", describeRollback(run, r))
}

func describeRollback(run string, r *release.Rollback) string {
	var b strings.Builder
	line := func(label, text string) { fmt.Fprintf(&b, "  %-9s %s\n", label, text) }
	fmt.Fprintf(&b, "%s: %s\n", strings.ToUpper(string(r.State)), r.Sentence)
	if r.From.Tag != "" {
		line("from", tagWords(r.From))
	}
	if last := r.Last(); last != nil && last.To.Tag != "" && made(last) {
		line("to", tagWords(last.To))
		if r.Commits > 0 {
			line("between", count(r.Commits, "commit"))
		}
	}
	for i := range r.Changes {
		label := "tried"
		if r.Changes[i].Looked || made(&r.Changes[i]) {
			label = "did"
		}
		line(label, changeWords(&r.Changes[i]))
	}
	if last := r.Last(); last != nil && last.Took > 0 {
		line("took", fmt.Sprintf("%s from the approval until it was well", last.Took))
	}
	if r.State == release.Healthy && !r.UndoTil.IsZero() {
		line("undo", fmt.Sprintf("until %s: starter decide %s approve", stamp(r.UndoTil), run))
	}
	return b.String()
}

// made says whether a change was made, for better or worse.
func made(c *release.Change) bool { return c.State == release.Healthy || c.State == release.Unhealthy }

// changeWords says what became of one remedy.
func changeWords(c *release.Change) string {
	toDo, did := remedyWords(c)
	if c.Ran > 0 {
		did += " in " + c.Ran.String()
	}
	looked := ""
	if c.Looked {
		looked = "looked: "
	}
	switch {
	case c.State == release.Stale && c.Remedy == release.Deploy:
		return looked + tagWords(c.To) + ": not deployed, something else is deployed now"
	case c.State == release.Stale:
		return looked + toDo + ": not done, something else is deployed now"
	case c.State == release.Refused && c.Looked:
		return looked + tagWords(c.To) + " is not deployed"
	case c.State == release.Refused:
		return toDo + ": it did not work"
	case c.State == release.Unknown && (c.Looked || c.Ran > 0):
		return looked + did + ": nobody knows whether the service is well"
	case c.State == release.Unknown:
		return toDo + ": nobody knows whether it ran"
	case !made(c):
		return looked + toDo + ": not done"
	}
	text := looked + did + ": " + string(c.State)
	if c.Stayed > 0 {
		text += fmt.Sprintf(", and stayed so for %s (%s)", c.Stayed, count(c.Checks, "check"))
	}
	return text
}

// remedyWords says what a remedy is to do, and what it did.
func remedyWords(c *release.Change) (toDo, did string) {
	switch c.Remedy {
	case release.FlagOff:
		return "turn the flag off", "turned the flag off"
	case release.FlagOn:
		return "turn the flag on", "turned the flag on"
	case release.Switch:
		return "switch", "switched"
	case release.SwitchBack:
		return "switch back", "switched back"
	case release.Deploy:
	}
	return "deploy " + tagWords(c.To), "deployed " + tagWords(c.To)
}

// tagWords is a release with the beginning of its commit.
func tagWords(t release.Tag) string {
	if t.Commit == "" {
		return t.Tag
	}
	return fmt.Sprintf("%s (%.7s)", t.Tag, t.Commit)
}
