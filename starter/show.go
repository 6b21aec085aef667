package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// setDetail is a recovery set as `show` prints it.
type setDetail struct {
	setLine
	Manifest *recovery.Manifest `json:"manifest"`
	Log      []recovery.Proof   `json:"log"` // the verification log, oldest first
}

func (c *cli) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show SET",
		Short: "Show a recovery set and its verification log",
		Long: `Show a recovery set: what is in it, where, and every try to prove it. All of it
is read from the destinations alone.

` + exitCodes(exitReached, exitFailed, exitUsage, exitDisproven, exitUnreachable),
		Example: "  starter show 20261122T180000Z-ab12cd",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := recovery.ParseSetID(args[0])
			if err != nil {
				return &exitError{code: exitUsage, err: err, hint: "starter sets SERVICE lists the sets that are there"}
			}
			return c.show(cmd.Context(), set)
		},
	}
}

func (c *cli) show(ctx context.Context, set recovery.SetID) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	d, err := c.findSet(ctx, cfg, set)
	if err != nil {
		return err
	}
	if d.Service == "" {
		return &exitError{code: exitFailed, err: fmt.Errorf("find set %s: %w", set, recovery.ErrNotFound), hint: "starter sets SERVICE lists the sets that are there"}
	}
	if err := c.printDetail(d); err != nil {
		return err
	}
	if d.Manifest == nil {
		return &exitError{code: exitDisproven, err: errors.New(d.Sentence)}
	}
	return nil
}

// findSet reads a set from every destination that has it.
func (c *cli) findSet(ctx context.Context, cfg *config.Config, set recovery.SetID) (setDetail, error) {
	var found setDetail
	err := c.eachDestination(ctx, cfg, func(dest string, v *vault.Vault, trusted []recovery.PublicKey) error {
		service, err := v.FindSet(ctx, set)
		if errors.Is(err, recovery.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		e, err := v.Entry(ctx, service, set, trusted)
		if err != nil {
			return err
		}
		line := lineOf(service, dest, e)
		if found.Service != "" {
			line = found.join(line)
		}
		found.setLine = line
		if found.Manifest == nil {
			found.Manifest = e.Manifest
		}
		found.Log = append(found.Log, e.Proofs...)
		return nil
	})
	slices.SortStableFunc(found.Log, func(a, b recovery.Proof) int { return a.Started.Compare(b.Started) })
	return found, err
}

func (c *cli) printDetail(d setDetail) error {
	if c.json {
		return c.printJSON(d)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s: %s, %s\n%s\n", d.Set, d.Service, d.Level, d.Verdict, d.Sentence)
	if d.Manifest != nil {
		fmt.Fprintf(&b, "\nmade %s, %s sealed, by run %s\n", stamp(d.Created), recovery.Bytes(d.Size), d.Manifest.Run.WorkflowID)
		for _, a := range d.Artefacts {
			fmt.Fprintf(&b, "\n%s (%s, %s)\n", a.Source, a.Kind, a.Tool)
			fmt.Fprintf(&b, "  data as of  %s\n", stamp(a.Snapshot))
			for _, o := range a.Objects() {
				fmt.Fprintf(&b, "  %-11s %s\n              %s in clear, %s sealed, sha256 %s\n", o.Role, a.Key(d.Service, o), recovery.Bytes(o.PlainSize), recovery.Bytes(o.Size), o.SHA256)
			}
		}
		fmt.Fprintf(&b, "\nby hand: %s\n", recovery.GuideKey(d.Service, d.Set))
	}
	b.WriteString("\ncopies:\n")
	for _, at := range d.Copies {
		fmt.Fprintf(&b, "  %-12s %s, %s\n", at.Destination, at.Level, at.Verdict)
	}
	b.WriteString("\nverification log:\n")
	for _, p := range d.Log {
		fmt.Fprintf(&b, "  %s  %-12s %-12s %-9s %s\n", stamp(p.Ended), p.Copy, p.Verdict, p.Level, p.Sentence)
	}
	if len(d.Log) == 0 {
		b.WriteString("  empty\n")
	}
	return c.printf("%s", b.String())
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
