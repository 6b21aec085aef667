package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func (c *cli) schedulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedules",
		Short: "Let playbooks run by themselves, as the config says",
		Long: `Let playbooks run by themselves: make, change and remove Temporal Schedules so that
they are what the config says. Only schedules that Lifeboat made are touched, and one
that somebody paused stays paused.

` + exitCodes(exitReached, exitFailed, exitUsage, exitUnreachable),
		Args: cobra.NoArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(
		c.schedulesSubcommand("plan", "Show what apply would do", c.planSchedules),
		c.schedulesSubcommand("apply", "Make the schedules what the config says", c.applySchedules),
		c.schedulesSubcommand("list", "List the schedules that are there, with their next runs", c.listSchedules),
	)
	return cmd
}

// schedulesSubcommand is a command that works with a config and Temporal.
func (c *cli) schedulesSubcommand(name, short string, do func(context.Context, client.Client, *config.Config) error) *cobra.Command {
	return &cobra.Command{
		Use:     name,
		Short:   short,
		Long:    short + ".\n\n" + exitCodes(exitReached, exitFailed, exitUsage, exitUnreachable),
		Example: "  starter schedules " + name + "\n  starter schedules " + name + " --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load()
			if err != nil {
				return err
			}
			temporalClient, err := dial(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			defer temporalClient.Close()
			return do(cmd.Context(), temporalClient, cfg)
		},
	}
}

// schedulesPlan compares what the config wants with what there is.
func schedulesPlan(ctx context.Context, temporalClient client.Client, cfg *config.Config) ([]app.ScheduleStep, error) {
	var plans []*recovery.Plan
	for _, service := range cfg.ServiceNames() {
		plan, err := cfg.Plan(service)
		if err != nil {
			return nil, &exitError{code: exitUsage, err: err}
		}
		plans = append(plans, plan)
	}
	steps, err := app.PlanSchedules(ctx, temporalClient, app.Schedules(plans, cfg.DigestPlan()))
	if err != nil {
		return nil, unreachable("plan schedules", err)
	}
	return steps, nil
}

func (c *cli) planSchedules(ctx context.Context, temporalClient client.Client, cfg *config.Config) error {
	steps, err := schedulesPlan(ctx, temporalClient, cfg)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(steps)
	}
	if err := c.printSteps(steps); err != nil {
		return err
	}
	if changes(steps) == 0 {
		return c.printf("no change: %s\n", asShould(len(steps)))
	}
	return c.printf("%s; to carry this out: starter schedules apply\n", counted(steps, "%d to create", "%d to change", "%d to remove"))
}

func (c *cli) applySchedules(ctx context.Context, temporalClient client.Client, cfg *config.Config) error {
	steps, err := schedulesPlan(ctx, temporalClient, cfg)
	if err != nil {
		return err
	}
	done, err := app.ApplySchedules(ctx, temporalClient, steps)
	if err != nil {
		err = unreachable("apply schedules", err)
	}
	if c.json {
		if failed := c.printJSON(steps[:done]); failed != nil {
			return failed
		}
		return err
	}
	if failed := c.printSteps(steps[:done]); failed != nil {
		return failed
	}
	switch {
	case err != nil:
		return err
	case changes(steps) == 0:
		return c.printf("no change: %s\n", asShould(len(steps)))
	}
	return c.printf("%s\n", counted(steps, "%d created", "%d changed", "%d removed"))
}

// changes counts the steps that change something.
func changes(steps []app.ScheduleStep) int {
	n := 0
	for _, s := range steps {
		if s.Do != app.ScheduleKeep {
			n++
		}
	}
	return n
}

// asShould says that all schedules are right.
func asShould(n int) string {
	if n == 1 {
		return "1 schedule is as it should be"
	}
	return fmt.Sprintf("%d schedules are as they should be", n)
}

// counted sums steps up, each kind in its own words.
func counted(steps []app.ScheduleStep, create, change, remove string) string {
	n := map[string]int{}
	for _, s := range steps {
		n[s.Do]++
	}
	var parts []string
	for _, kind := range []struct{ do, words string }{
		{app.ScheduleCreate, create}, {app.ScheduleChange, change}, {app.ScheduleRemove, remove}, {app.ScheduleKeep, "%d as before"},
	} {
		if n[kind.do] > 0 {
			parts = append(parts, fmt.Sprintf(kind.words, n[kind.do]))
		}
	}
	return strings.Join(parts, ", ")
}

// printSteps lists the steps that change something, and what is paused.
func (c *cli) printSteps(steps []app.ScheduleStep) error {
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, s := range steps {
		for i, words := range stepWords(s) {
			do, id := s.Do, s.ID
			if i > 0 {
				do, id = "", ""
			}
			if _, err := fmt.Fprintf(w, "%s\t%s\t%s\n", do, id, words); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

// stepWords says in lines what a step is about; none, if nothing needs to be said.
func stepWords(s app.ScheduleStep) []string {
	var lines []string
	switch s.Do {
	case app.ScheduleCreate:
		lines = append(lines, shortNote(s.Note))
	case app.ScheduleRemove:
		lines = append(lines, "the config does not ask for it")
	case app.ScheduleChange:
		for _, d := range s.Differs {
			lines = append(lines, fmt.Sprintf("%s: now %q, should be %q", d.What, d.Is, d.Should))
		}
	}
	if s.Paused {
		words := "paused: " + s.Note
		if s.Do != app.ScheduleRemove {
			words += " (it stays paused until somebody resumes it: temporal schedule toggle --unpause --schedule-id " + s.ID + ")"
		}
		lines = append(lines, words)
	}
	return lines
}

// scheduleLine is a schedule as `schedules list` lists it.
type scheduleLine struct {
	ID     string    `json:"id"`
	Next   time.Time `json:"next,omitzero"` // jitter included
	Last   time.Time `json:"last,omitzero"` // when it last started a run
	Runs   int       `json:"runs"`
	Missed int       `json:"missed"` // due while Temporal was not there, and not made up for
	Paused bool      `json:"paused,omitempty"`
	Note   string    `json:"note"`
}

func (c *cli) listSchedules(ctx context.Context, temporalClient client.Client, _ *config.Config) error {
	found, err := app.ListSchedules(ctx, temporalClient)
	if err != nil {
		return unreachable("list schedules", err)
	}
	lines := make([]scheduleLine, len(found))
	for i, f := range found {
		lines[i] = scheduleLine{
			ID: f.ID, Runs: f.Info.NumActions, Missed: f.Info.NumActionsMissedCatchupWindow, Paused: f.Schedule.State.Paused, Note: f.Schedule.State.Note,
		}
		lines[i].Next, _ = f.Next()
		if n := len(f.Info.RecentActions); n > 0 {
			lines[i].Last = f.Info.RecentActions[n-1].ActualTime
		}
	}
	if c.json {
		return c.printJSON(lines)
	}
	if len(lines) == 0 {
		return c.printf("there are no schedules; make them: starter schedules apply\n")
	}
	return c.printSchedules(lines)
}

func (c *cli) printSchedules(lines []scheduleLine) error {
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "SCHEDULE\tNEXT\tLAST\tRUNS\tMISSED\tNOTE"); err != nil {
		return err
	}
	for _, l := range lines {
		next, last := stampOr(l.Next, "-"), stampOr(l.Last, "-")
		if l.Paused {
			next = "paused"
		}
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", l.ID, next, last, l.Runs, l.Missed, shortNote(l.Note)); err != nil {
			return err
		}
	}
	return w.Flush()
}

// shortNote is a note without what only people who see it elsewhere must be told.
func shortNote(note string) string { return strings.TrimSuffix(note, app.ScheduleNoteEnd) }

func stampOr(t time.Time, other string) string {
	if t.IsZero() {
		return other
	}
	return stamp(t)
}
