package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// setLine is a recovery set as `sets` lists it.
type setLine struct {
	Set       recovery.SetID      `json:"set"`
	Service   string              `json:"service"`
	Created   time.Time           `json:"created"`
	Level     recovery.Level      `json:"level"`
	Verdict   recovery.Verdict    `json:"verdict"`
	Sentence  string              `json:"sentence"`
	ProvenAt  time.Time           `json:"provenAt,omitzero"`
	Size      int64               `json:"size"`
	Purpose   recovery.Purpose    `json:"purpose,omitempty"`
	Artefacts []recovery.Artefact `json:"artefacts"`
	Proofs    int                 `json:"proofs"`
}

func (c *cli) setsCommand() *cobra.Command {
	var since string
	var limit int
	cmd := &cobra.Command{
		Use:   "sets SERVICE",
		Short: "List the recovery sets of a service",
		Long: `List the recovery sets of a service, newest first, with what is proven of each.
All of it is read from the destination alone: neither Temporal nor a worker is needed.

` + exitCodes(exitReached, exitFailed, exitUsage, exitUnreachable),
		Example: "  starter sets where2eat\n  starter sets where2eat --since 7d --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return &exitError{code: exitUsage, err: fmt.Errorf("read --limit %d: give at least 1", limit)}
			}
			var from time.Time
			if since != "" {
				d, err := recovery.ParseDuration(since)
				if err != nil {
					return &exitError{code: exitUsage, err: fmt.Errorf("read --since: %w", err)}
				}
				from = c.now().Add(-d.Std())
			}
			return c.sets(cmd.Context(), args[0], from, limit)
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "only sets made within this time, such as 24h or 7d")
	cmd.Flags().IntVar(&limit, "limit", 30, "how many sets at most")
	return cmd
}

func (c *cli) sets(ctx context.Context, service string, since time.Time, limit int) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	plan, err := cfg.Plan(service)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	v, trusted, err := openVault(ctx, cfg, plan.Destination)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	entries, err := v.Catalogue(ctx, service, trusted, since, limit)
	if err != nil {
		return bucketError(err)
	}
	lines := make([]setLine, len(entries))
	for i, e := range entries {
		lines[i] = lineOf(service, e)
	}
	if c.json {
		return c.printJSON(lines)
	}
	return c.printSets(service, lines)
}

func openVault(ctx context.Context, cfg *config.Config, dest recovery.DestinationSpec) (*vault.Vault, []recovery.PublicKey, error) {
	trusted, err := app.TrustedKeys(cfg)
	if err != nil {
		return nil, nil, &exitError{code: exitUsage, err: err}
	}
	v, err := app.OpenVault(ctx, cfg, dest)
	if err != nil {
		return nil, nil, bucketError(err)
	}
	return v, trusted, nil
}

// bucketError chooses the exit code for an error of the destination.
func bucketError(err error) error {
	if recovery.KindOf(err) == recovery.Unavailable {
		return &exitError{code: exitUnreachable, err: err}
	}
	return err
}

func lineOf(service string, e vault.Entry) setLine {
	line := setLine{
		Set: e.Set, Service: service, Created: e.Set.Time(), Level: e.Standing.Level, Verdict: e.Standing.Verdict,
		Sentence: e.Standing.Sentence, ProvenAt: e.Standing.ProvenAt, Proofs: len(e.Proofs),
	}
	if e.Err != nil {
		line.Sentence = e.Err.Error()
	}
	if e.Manifest != nil {
		line.Created, line.Size, line.Artefacts, line.Purpose = e.Manifest.Created, e.Manifest.Size(), e.Manifest.Artefacts, e.Manifest.Purpose
	}
	return line
}

func (c *cli) printSets(service string, lines []setLine) error {
	if len(lines) == 0 {
		return c.printf("no recovery set of %s; make one: starter backup %s\n", service, service)
	}
	return c.writeSets(c.stdout, lines)
}

// writeSets writes a table of sets.
func (c *cli) writeSets(to io.Writer, lines []setLine) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "SET\tAGE\tSIZE\tLEVEL\tVERDICT\tSOURCES\tMADE AS"); err != nil {
		return err
	}
	for _, l := range lines {
		age := recovery.Duration(c.now().Sub(l.Created).Round(time.Second))
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", l.Set, age, recovery.Bytes(l.Size), l.Level, l.Verdict, len(l.Artefacts), l.Purpose.Words()); err != nil {
			return err
		}
	}
	return w.Flush()
}
