package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/runbook"
)

func (c *cli) runbooksShowCommand() *cobra.Command {
	service, markdown := "", false
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a runbook page",
		Long: `Show a runbook page for a terminal; with --service as it is for a service, with the
exact commands. --markdown prints the page as it is written, to begin one of your own.

` + exitCodes(exitReached, exitFailed, exitUsage),
		Example: `  starter runbooks show app-is-down --service where2eat
  starter runbooks show app-is-down --markdown > ops/runbooks/app-is-down.md`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return c.showRunbook(args[0], service, markdown) },
	}
	cmd.Flags().StringVar(&service, "service", "", "fill the page in for this service")
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print the page as it is written")
	cmd.MarkFlagsMutuallyExclusive("service", "markdown")
	return cmd
}

func (c *cli) showRunbook(name, service string, markdown bool) error {
	book, cfg, err := c.findRunbook(name)
	if err != nil {
		return err
	}
	page := book.Page
	if service != "" {
		if page, err = fillIn(cfg, page, service); err != nil {
			return err
		}
	}
	switch {
	case markdown:
		_, err = c.stdout.Write(book.Markdown)
	case c.json:
		err = c.printJSON(page)
	default:
		err = c.printf("%s", page)
	}
	if len(book.Problems) > 0 && err == nil && !markdown {
		c.notef("this page has %s; 'starter runbooks check' names them", count(len(book.Problems), "problem"))
	}
	return err
}

// fillIn makes a page that of a service.
func fillIn(cfg *config.Config, page *runbook.Page, service string) (*runbook.Page, error) {
	if cfg == nil {
		return nil, &exitError{code: exitUsage, err: fmt.Errorf("fill in %s: there is no %s", page.Name, config.DefaultFile), hint: "name the config by --config, or leave --service out"}
	}
	s, err := app.RunbookService(cfg, service)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	if !page.IsFor(service) {
		return nil, &exitError{code: exitUsage, err: errors.New("fill in " + page.Name + ": it is not for " + service), hint: "starter runbooks list says for which services each page is"}
	}
	return page.For(s), nil
}
