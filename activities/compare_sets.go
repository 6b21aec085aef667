package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// CompareSetsInput names two sets of a service.
type CompareSetsInput struct {
	Plan    recovery.Plan     `json:"plan"`
	Now     recovery.Manifest `json:"now"`
	Then    recovery.Manifest `json:"then"`
	Sources []string          `json:"sources"` // empty: all
	// NowAt is where the newer set lies; the other one lies where the plan works.
	NowAt recovery.DestinationSpec `json:"nowAt"`
}

// maxTables bounds the tables that a comparison names.
const maxTables = 15

// ComparedSets says how the rows of two sets differ.
type ComparedSets struct {
	Tables []recovery.TableChange `json:"tables"` // at most maxTables, the greatest losses first
	More   int                    `json:"more,omitempty"`
	Same   int                    `json:"same"` // tables with the same rows, not named
	// Unknown lists the sources whose rows are not known in both sets.
	Unknown []string `json:"unknown,omitempty"`
}

// CompareSets opens the fingerprints of two sets and compares the rows of each
// table.
func (r *Restores) CompareSets(ctx context.Context, in CompareSetsInput) (*ComparedSets, error) {
	ctx, w := begin(ctx, "comparing rows")
	out, err := r.compareSets(ctx, in)
	return out, w.finish(ctx, err)
}

func (r *Restores) compareSets(ctx context.Context, in CompareSetsInput) (*ComparedSets, error) {
	out := &ComparedSets{}
	err := r.withBoth(ctx, in, func(newer, older Store) error {
		for _, then := range in.Then.Artefacts {
			if len(in.Sources) > 0 && !slices.Contains(in.Sources, then.Source) {
				continue
			}
			now, ok := in.Now.Artefact(then.Source)
			if !ok || now.Fingerprint == "" || then.Fingerprint == "" {
				out.Unknown = append(out.Unknown, then.Source)
				continue
			}
			changes, err := compareArtefacts(ctx, in.Plan, newer, now, older, then)
			if err != nil {
				return err
			}
			out.add(changes)
		}
		return nil
	})
	return out, err
}

func (r *Restores) withBoth(ctx context.Context, in CompareSetsInput, use func(newer, older Store) error) error {
	return useStore(ctx, r.Stores, in.NowAt, in.Plan.Encryption, func(newer Store) error {
		return useStore(ctx, r.Stores, in.Plan.Destination, in.Plan.Encryption, func(older Store) error { return use(newer, older) })
	})
}

func (c *ComparedSets) add(changes []recovery.TableChange) {
	for _, change := range changes {
		switch {
		case change.Same:
			c.Same++
		case len(c.Tables) == maxTables:
			c.More++
		default:
			c.Tables = append(c.Tables, change)
		}
	}
}

func compareArtefacts(ctx context.Context, plan recovery.Plan, newer Store, now recovery.Artefact, older Store, then recovery.Artefact) ([]recovery.TableChange, error) {
	rowsNow, err := readFingerprint(ctx, newer, CopyInput{Plan: plan, Copy: CopyRef{Artefact: now}})
	if err != nil {
		return nil, fmt.Errorf("of set %s: %w", now.Set, err)
	}
	rowsThen, err := readFingerprint(ctx, older, CopyInput{Plan: plan, Copy: CopyRef{Artefact: then}})
	if err != nil {
		return nil, fmt.Errorf("of set %s: %w", then.Set, err)
	}
	return recovery.CompareRows(then.Source, rowsNow, rowsThen), nil
}
