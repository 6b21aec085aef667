package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// listedSets is how many sets are looked at, newest first.
const listedSets = 30

// chooseEntry finds the set to restore: the one that was named, or, after a
// question, the newest that can be relied upon.
func (c *cli) chooseEntry(ctx context.Context, f *recoverFlags, k *kit, v *vault.Vault, trusted []recovery.PublicKey) (*vault.Entry, error) {
	if f.set != "" {
		return namedEntry(ctx, recovery.SetID(f.set), k, v, trusted)
	}
	entries, err := v.Catalogue(ctx, k.Service, trusted, time.Time{}, listedSets)
	if err != nil {
		return nil, bucketError(err)
	}
	if len(entries) == 0 {
		return nil, noSets(k)
	}
	if !slices.ContainsFunc(entries, func(e vault.Entry) bool { return e.Manifest != nil }) {
		return nil, unreadable(&entries[0], otherKit)
	}
	lines := make([]setLine, len(entries))
	for i, e := range entries {
		lines[i] = lineOf(k.Service, "of the kit", e)
	}
	if err := c.writeSets(c.stderr, lines); err != nil {
		return nil, err
	}
	e, doubt := newestEntry(entries)
	if e == nil {
		return nil, &exitError{code: exitDisproven, err: errors.New("none of these sets holds"), hint: "restore one all the same with --set"}
	}
	return e, c.confirm(ctx, f, e, doubt)
}

func namedEntry(ctx context.Context, set recovery.SetID, k *kit, v *vault.Vault, trusted []recovery.PublicKey) (*vault.Entry, error) {
	const list = "without --set the sets that are there are listed"
	set, err := recovery.ParseSetID(string(set))
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err, hint: list}
	}
	e, err := v.Entry(ctx, k.Service, set, trusted)
	switch {
	case errors.Is(err, recovery.ErrNotFound):
		return nil, &exitError{code: exitFailed, err: fmt.Errorf("there is no recovery set %s of %s at %s", set, k.Service, k.Destination), hint: list}
	case err != nil:
		return nil, bucketError(err)
	case e.Manifest == nil:
		return nil, unreadable(&e, "choose another set; if none can be read, "+otherKit)
	}
	return &e, nil
}

func noSets(k *kit) error {
	return &exitError{
		code: exitFailed, err: fmt.Errorf("there is no recovery set of %s at %s", k.Service, k.Destination),
		hint: "compare the service's name, and the lines from \"destination:\" on, with the printed kit",
	}
}

const otherKit = "the kit is that of another installation, or its line \"trusted:\" was mistyped"

// unreadable says that the manifest of a set is not to be trusted.
func unreadable(e *vault.Entry, hint string) error {
	return &exitError{code: exitDisproven, err: e.Err, hint: hint}
}

// newestEntry finds the newest backup that was read back, or else the newest that
// nothing speaks against; doubt says what is not known of it.
func newestEntry(entries []vault.Entry) (e *vault.Entry, doubt string) {
	sets := app.Summarize(entries)
	if i := slices.IndexFunc(sets, func(s recovery.SetSummary) bool { return s.Purpose == "" && s.Usable() }); i >= 0 {
		return &entries[i], ""
	}
	if i := slices.IndexFunc(sets, func(s recovery.SetSummary) bool {
		return s.Purpose == "" && s.Unreadable == "" && s.Standing.Verdict != recovery.Disproven
	}); i >= 0 {
		return &entries[i], ", which nobody has read back yet"
	}
	return nil, ""
}

// confirm asks whether the set is the right one.
func (c *cli) confirm(ctx context.Context, f *recoverFlags, e *vault.Entry, doubt string) error {
	age := recovery.Duration(c.now().Sub(e.Manifest.Created).Round(time.Second))
	what := fmt.Sprintf("set %s, %s old%s", e.Set, age, doubt)
	if f.yes {
		c.notef("restoring %s", what)
		return nil
	}
	if !c.interactive {
		return &exitError{code: exitUsage, err: fmt.Errorf("nobody can be asked here whether to restore %s", what), hint: "give --yes, or name a set with --set"}
	}
	_, _ = fmt.Fprintf(c.stderr, "restore %s? [y/N] ", what)
	answer, err := readLine(ctx, bufio.NewReader(c.stdin))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
		return nil
	}
	return &exitError{code: exitFailed, err: errors.New("nothing was restored"), hint: "name another set with --set"}
}
