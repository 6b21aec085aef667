package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/runbook"
)

func (c *cli) runbooksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runbooks",
		Short: "Check, list and show the pages that people follow in an incident",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(c.runbooksCheckCommand(), c.runbooksListCommand(), c.runbooksShowCommand())
	return cmd
}

func (c *cli) runbooksCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [DIR]",
		Short: "Report all problems of the runbook pages at once",
		Long: `Report everything that is wrong with the runbook pages at once, each with file, line
and mend: those that come with Lifeboat and those of the config's folder, or those of
DIR alone. Without a config only their form is checked, not whether the people,
services, sources and variables that they name are there.

` + exitCodes(exitReached, exitFailed, exitUsage),
		Example: "  starter runbooks check\n  starter runbooks check ops/runbooks --json",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return c.checkRunbooks(strings.Join(args, "")) },
	}
}

func (c *cli) runbooksListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the runbook pages",
		Long: `List the runbook pages, with the alerts that open them.

` + exitCodes(exitReached, exitFailed, exitUsage),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return c.listRunbooks() },
	}
}

// loadOptional reads the config, nil if there is none and none was named.
func (c *cli) loadOptional() (*config.Config, error) {
	path := config.Path(c.configFile)
	if _, err := os.Stat(path); path == config.DefaultFile && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return c.load()
}

// loadRunbooks reads the pages of a folder; or, without one, those that come with
// Lifeboat and those of the config's folder. The config is nil if there is none.
func (c *cli) loadRunbooks(dir string) ([]app.Runbook, *config.Config, error) {
	cfg, err := c.loadOptional()
	if err != nil {
		return nil, nil, err
	}
	read := app.Runbooks
	if dir != "" {
		read = app.RunbooksIn
	} else if cfg != nil {
		dir = cfg.RunbooksFolder()
	}
	books, err := read(dir)
	if err != nil {
		return nil, nil, &exitError{code: exitUsage, err: err}
	}
	return books, cfg, nil
}

// checkedRunbooks is what runbooks check found.
type checkedRunbooks struct {
	OK       bool             `json:"ok"`
	Config   string           `json:"config,omitempty"` // that they were compared with
	Runbooks []checkedRunbook `json:"runbooks"`
}

type checkedRunbook struct {
	Name     string            `json:"name"`
	File     string            `json:"file"`
	Problems []runbook.Problem `json:"problems"`
}

func (c *cli) checkRunbooks(dir string) error {
	books, cfg, err := c.loadRunbooks(dir)
	if err != nil {
		return err
	}
	result := checkedRunbooks{OK: true}
	if cfg == nil {
		c.notef("there is no %s: only the form of the pages is checked", config.DefaultFile)
	} else {
		result.Config = cfg.File()
		if err := app.CheckRunbooks(cfg, books); err != nil {
			return err
		}
	}
	found := 0
	for _, book := range books {
		found += len(book.Problems)
		result.Runbooks = append(result.Runbooks, checkedRunbook{Name: book.Page.Name, File: book.Page.File, Problems: append([]runbook.Problem{}, book.Problems...)})
	}
	result.OK = found == 0
	switch {
	case c.json:
		err = c.printJSON(result)
	case result.OK:
		err = c.printf("%s good\n", areGood(len(books)))
	default:
		for _, book := range books {
			for _, problem := range book.Problems {
				c.notef("%s", problem)
			}
		}
	}
	if err != nil || result.OK {
		return err
	}
	return &exitError{code: exitUsage, err: fmt.Errorf("%s in %s", count(found, "problem"), count(len(books), "runbook"))}
}

func areGood(n int) string {
	if n == 1 {
		return "1 runbook is"
	}
	return fmt.Sprintf("%d runbooks are", n)
}

func (c *cli) listRunbooks() error {
	books, _, err := c.loadRunbooks("")
	if err != nil {
		return err
	}
	if c.json {
		pages := make([]*runbook.Page, len(books))
		for i, book := range books {
			pages[i] = book.Page
		}
		return c.printJSON(pages)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "NAME\tTITLE\tSEVERITY\tSERVICES\tALERTS\tFILE"); err != nil {
		return err
	}
	for _, book := range books {
		p := book.Page
		services := "all"
		if len(p.Services) > 0 {
			services = strings.Join(p.Services, ", ")
		}
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, orDash(p.Title), p.Severity, services, orDash(strings.Join(p.Alerts, ", ")), p.File); err != nil {
			return err
		}
	}
	return w.Flush()
}

// findRunbook returns the page of a name.
func (c *cli) findRunbook(name string) (app.Runbook, *config.Config, error) {
	books, cfg, err := c.loadRunbooks("")
	if err != nil {
		return app.Runbook{}, nil, err
	}
	i := slices.IndexFunc(books, func(b app.Runbook) bool { return b.Page.Name == name })
	if i < 0 {
		return app.Runbook{}, nil, &exitError{code: exitUsage, err: fmt.Errorf("find runbook %q: it is not there", name), hint: "starter runbooks list lists those that are there"}
	}
	return books[i], cfg, nil
}
