package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// cli is one run of the program: what it was given, and the flags that every
// command has.
//
// Rules of output: results go to stdout, and with --json they are JSON and nothing
// else; progress, questions and errors go to stderr. An error is one line,
// "starter: error: …", with what to do about it on a line of its own.
type cli struct {
	stdin       io.Reader
	stdout      io.Writer
	stderr      io.Writer
	interactive bool // a person answers on stdin
	progress    bool // stderr is a terminal: lines may be drawn over
	now         func() time.Time

	configFile string
	json       bool
	understood bool // the command line was; a later error is no bad usage
}

// run performs one command line and returns the exit code.
func (c *cli) run(ctx context.Context, args []string) int {
	root := c.rootCommand()
	root.SetArgs(args)
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && !c.understood {
		err = &exitError{code: exitUsage, err: err, hint: "run 'starter --help' to see what there is"}
	}
	c.printError(err)
	return codeOf(err)
}

func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Back services up, prove the backups, and see what is there",
		Long: `starter is the operator's way to Lifeboat: it sets a configuration up, starts
playbooks, and shows what they left.

` + exitCodes(exitReached, exitFailed, exitUsage, exitDisproven, exitInconclusive, exitUnreachable, exitNotApproved, exitUnhealthy, exitUnclear, exitDetached),
		Version:           version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		RunE:              showHelp,
		PersistentPreRun:  func(*cobra.Command, []string) { c.understood = true },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.PersistentFlags().StringVar(&c.configFile, "config", "", "config file (default $LIFEBOAT_CONFIG, else "+config.DefaultFile+")")
	root.PersistentFlags().BoolVar(&c.json, "json", false, "write the result as JSON")
	root.AddCommand(
		c.initCommand(),
		c.configCommand(),
		c.bucketCommand(),
		c.backupCommand(),
		c.verifyCommand(),
		c.drillCommand(),
		c.restoreCommand(),
		c.rollbackCommand(),
		c.releasesCommand(),
		c.smokeDeployCommand(),
		c.runbooksCommand(),
		c.pendingCommand(),
		c.decideCommand(),
		c.timelineCommand(),
		c.setsCommand(),
		c.copyCommand(),
		c.pruneCommand(),
		c.showCommand(),
		c.schedulesCommand(),
		c.checkCommand(),
		c.costCommand(),
		c.keysCommand(),
		c.recoverCommand(),
		c.slacksimCommand(),
	)
	return root
}

// showHelp is what a command does that only holds others.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// load reads the config file; its problems are a bad config's exit code.
func (c *cli) load() (*config.Config, error) {
	cfg, err := config.Load(config.Path(c.configFile))
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	return cfg, nil
}

// printf writes a line, or a part of one, of the result.
func (c *cli) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(c.stdout, format, args...)
	return err
}

// printJSON writes the result for --json.
func (c *cli) printJSON(result any) error {
	encoder := json.NewEncoder(c.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(result)
}

// notef writes a line beside the result: progress, or a hint. That stderr is gone
// is no reason to stop.
func (c *cli) notef(format string, args ...any) {
	_, _ = fmt.Fprintf(c.stderr, format+"\n", args...)
}

func (c *cli) printError(err error) {
	if err == nil {
		return
	}
	text, hint := err.Error(), ""
	var exit *exitError
	var fault *recovery.Fault
	switch {
	case errors.As(err, &exit) && exit.hint != "":
		hint = exit.hint
	case errors.As(err, &fault) && fault.Hint != "":
		// A fault's text ends with its hint in parentheses.
		text, hint = strings.Replace(text, " ("+fault.Hint+")", "", 1), fault.Hint
	}
	if problems, ok := errors.AsType[*config.Problems](err); ok {
		// Bare lines of file:line:column are what editors and people jump by.
		c.notef("%s", problems)
		text = count(len(problems.List), "problem") + " in " + problems.File
	}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		c.notef("starter: error: %s", strings.TrimSuffix(line, "\n"))
	}
	if hint != "" {
		c.notef("starter: hint: %s", hint)
	}
}
