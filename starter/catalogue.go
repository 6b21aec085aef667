package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
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
	Copies    []copyLine          `json:"copies"` // where it is, the best first
}

// copyLine is one copy of a set.
type copyLine struct {
	Destination string           `json:"destination"`
	Level       recovery.Level   `json:"level"`
	Verdict     recovery.Verdict `json:"verdict"`
}

func (c *cli) setsCommand() *cobra.Command {
	var since string
	var limit int
	cmd := &cobra.Command{
		Use:   "sets SERVICE",
		Short: "List the recovery sets of a service",
		Long: `List the recovery sets of a service, newest first, with what is proven of each.
All of it is read from the destinations alone: neither Temporal nor a worker is needed.

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
	cfg, plan, err := c.loadPlan(service)
	if err != nil {
		return err
	}
	lines, err := c.listSets(ctx, cfg, plan, since, limit)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(lines)
	}
	return c.printSets(service, lines)
}

// listSets makes one list of the sets of all destinations, newest first. Each is as
// its best copy says.
func (c *cli) listSets(ctx context.Context, cfg *config.Config, plan *recovery.Plan, since time.Time, limit int) ([]setLine, error) {
	known := map[recovery.SetID]setLine{}
	err := c.eachDestination(ctx, cfg, func(dest string, v *vault.Vault, trusted []recovery.PublicKey) error {
		entries, err := v.Catalogue(ctx, plan.Service, trusted, since, limit)
		for _, e := range entries {
			line := lineOf(plan.Service, dest, e)
			if before, ok := known[e.Set]; ok {
				line = before.join(line)
			}
			known[e.Set] = line
		}
		return err
	})
	lines := slices.AppendSeq([]setLine{}, maps.Values(known)) // never null in JSON
	slices.SortFunc(lines, func(a, b setLine) int { return cmp.Compare(b.Set, a.Set) })
	return lines[:min(limit, len(lines))], err
}

// join adds what is known of a set from another destination.
func (l setLine) join(other setLine) setLine {
	best := l
	if l.Verdict != recovery.Proven && other.Verdict == recovery.Proven || l.Verdict == other.Verdict && other.Level > l.Level {
		best = other
	}
	best.Copies = append(slices.Clone(l.Copies), other.Copies...)
	best.Proofs = l.Proofs + other.Proofs
	return best
}

// eachDestination reads from every destination. One that does not answer is named
// and left out; if none does, the error is that of the first.
func (c *cli) eachDestination(ctx context.Context, cfg *config.Config, read func(dest string, v *vault.Vault, trusted []recovery.PublicKey) error) error {
	trusted, err := app.TrustedKeys(cfg)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	destinations := cfg.DestinationSpecs()
	var errs []error
	for _, dest := range destinations {
		if err := readDestination(ctx, cfg, dest, trusted, read); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == len(destinations) {
		return bucketError(errs[0])
	}
	for _, err := range errs {
		c.notef("left out: %v", err)
	}
	return nil
}

func readDestination(ctx context.Context, cfg *config.Config, dest recovery.DestinationSpec, trusted []recovery.PublicKey, read func(dest string, v *vault.Vault, trusted []recovery.PublicKey) error) error {
	v, err := app.OpenVault(ctx, cfg, dest)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	return read(dest.Name, v, trusted)
}

// bucketError chooses the exit code for an error of the destination.
func bucketError(err error) error {
	if recovery.KindOf(err) == recovery.Unavailable {
		return &exitError{code: exitUnreachable, err: err}
	}
	return err
}

func lineOf(service, dest string, e vault.Entry) setLine {
	line := setLine{
		Set: e.Set, Service: service, Created: e.Set.Time(), Level: e.Standing.Level, Verdict: e.Standing.Verdict,
		Sentence: e.Standing.Sentence, ProvenAt: e.Standing.ProvenAt, Proofs: len(e.Proofs),
		Copies: []copyLine{{Destination: dest, Level: e.Standing.Level, Verdict: e.Standing.Verdict}},
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
	if _, err := fmt.Fprintln(w, "SET\tAGE\tSIZE\tLEVEL\tVERDICT\tSOURCES\tCOPIES\tMADE AS"); err != nil {
		return err
	}
	for _, l := range lines {
		age := recovery.Duration(c.now().Sub(l.Created).Round(time.Second))
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", l.Set, age, recovery.Bytes(l.Size), l.Level, l.Verdict, len(l.Artefacts), len(l.Copies), l.Purpose.Words()); err != nil {
			return err
		}
	}
	return w.Flush()
}
