package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func (c *cli) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check SERVICE",
		Short: "Say from evidence whether a service is ready for the worst",
		Long: `Say from evidence whether a service is ready for the worst: one line for each
question, yes, no, or not known, with what to do next. The destinations, the running
service, the worker and Temporal are asked; what does not answer is not known.

It ends with 1 if an answer is no.

` + exitCodes(exitReached, exitFailed, exitUsage),
		Example: "  starter check where2eat\n  starter check where2eat --json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.check(cmd.Context(), args[0]) },
	}
}

// errNotReady ends a check that found something missing.
var errNotReady = errors.New("the service is not ready")

func (c *cli) check(ctx context.Context, service string) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if _, err := cfg.Plan(service); err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	survey := &app.Survey{Config: func() (*config.Config, error) { return cfg, nil }}
	temporalClient, err := dial(ctx, cfg)
	if err == nil {
		defer temporalClient.Close()
		survey.Temporal = temporalClient
	} else {
		c.notef("%v: what it knows is left out", err)
	}
	items, err := survey.Checklist(ctx, service, c.now())
	if err != nil {
		return err
	}
	if c.json {
		err = c.printJSON(items)
	} else {
		err = c.printf("%s", describeChecklist(items))
	}
	if n := answered(items, recovery.No); err == nil && n > 0 {
		return &exitError{code: exitFailed, err: fmt.Errorf("check %s: %w: %d of %d answers are no", service, errNotReady, n, len(items))}
	}
	return err
}

func answered(items []recovery.Item, answer recovery.Answer) int {
	n := 0
	for _, i := range items {
		if i.Answer == answer {
			n++
		}
	}
	return n
}

// answerMarks stand before the lines of a checklist.
var answerMarks = map[recovery.Answer]string{recovery.Yes: "yes", recovery.No: "NO", recovery.NotKnown: "?"}

// describeChecklist writes a checklist for a person: the evidence below each
// question, and what to do.
func describeChecklist(items []recovery.Item) string {
	var b strings.Builder
	for _, i := range items {
		fmt.Fprintf(&b, "%-4s %s\n     %s\n", answerMarks[i.Answer], i.Question, i.Evidence)
		if i.Next != "" {
			fmt.Fprintf(&b, "     -> %s\n", i.Next)
		}
	}
	fmt.Fprintf(&b, "\n%d yes, %d no, %d not known\n", answered(items, recovery.Yes), answered(items, recovery.No), answered(items, recovery.NotKnown))
	return b.String()
}
