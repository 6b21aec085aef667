package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// readSets asks all destinations of a service at once what they have: the newest
// sets, at most limit, and those that were restored or drilled last. What a
// destination does not tell, it says itself; the error is of the config.
func readSets(ctx context.Context, cfg *config.Config, plan *recovery.Plan, limit int, a *asking) ([]recovery.SetsAt, error) {
	trusted, err := TrustedKeys(cfg)
	if err != nil {
		return nil, err
	}
	at := make([]recovery.SetsAt, len(plan.Destinations))
	var reading sync.WaitGroup
	for i, dest := range plan.Destinations {
		reading.Go(func() {
			at[i] = readDestination(ctx, cfg, dest, reader{service: plan.Service, trusted: trusted, limit: limit}, a)
		})
	}
	reading.Wait()
	return at, ctx.Err()
}

func readDestination(ctx context.Context, cfg *config.Config, dest recovery.DestinationSpec, r reader, a *asking) recovery.SetsAt {
	at, err := ask(ctx, a, dest.Name, func(ctx context.Context) (recovery.SetsAt, error) {
		at := recovery.SetsAt{Destination: dest.Name}
		v, err := OpenVault(ctx, cfg, dest)
		if err != nil {
			return at, err
		}
		defer func() { _ = v.Close() }()
		err = r.read(ctx, v, &at)
		return at, err
	})
	if err != nil {
		return recovery.SetsAt{Destination: dest.Name, Unavailable: err.Error()}
	}
	return at
}

// reader reads the sets of a service.
type reader struct {
	service string
	trusted []recovery.PublicKey
	limit   int
}

func (r reader) read(ctx context.Context, v *vault.Vault, at *recovery.SetsAt) error {
	entries, err := v.Catalogue(ctx, r.service, r.trusted, time.Time{}, r.limit)
	if err != nil {
		return err
	}
	if len(entries) == r.limit {
		at.Since = entries[len(entries)-1].Set
	}
	for _, e := range entries {
		at.Sets = append(at.Sets, kept(e))
	}
	if at.Pruned, err = v.Tombstones(ctx, r.service, r.trusted); err != nil || at.Since == "" {
		return err
	}
	// The newest proven set and the last drill may be older than all of these.
	restored, err := r.restored(ctx, v)
	if err != nil {
		return err
	}
	for _, set := range restored {
		if set >= at.Since {
			continue
		}
		entry, err := v.Entry(ctx, r.service, set, r.trusted)
		if errors.Is(err, recovery.ErrNotFound) { // pruned since
			continue
		}
		if err != nil {
			return err
		}
		at.Sets = append(at.Sets, kept(entry))
	}
	return nil
}

func kept(e vault.Entry) recovery.KeptSet {
	k := recovery.KeptSet{Set: e.Set, Manifest: e.Manifest, Proofs: e.Proofs}
	if e.Manifest == nil {
		k.Unreadable = e.Err
	}
	return k
}

// restoredLooked is how many of the last restores, and of the last drills, are looked
// at where they are of sets that are not new.
const restoredLooked = 5

// restored finds the sets of the last restores and of the last drills by the keys of
// their proofs.
func (r reader) restored(ctx context.Context, v *vault.Vault) ([]recovery.SetID, error) {
	tries, err := v.Tries(ctx, r.service, time.Time{})
	if err != nil {
		return nil, err
	}
	var sets []recovery.SetID
	found := map[recovery.ProofKind]int{}
	for _, try := range tries {
		if found[try.Kind] < restoredLooked && !slices.Contains(sets, try.Set) {
			sets, found[try.Kind] = append(sets, try.Set), found[try.Kind]+1
		}
	}
	return sets, nil
}

// summaries are the sets of a service wherever they are, newest first. It fails only
// if no destination tells.
func summaries(ctx context.Context, cfg *config.Config, plan *recovery.Plan) ([]recovery.SetSummary, error) {
	at, err := readSets(ctx, cfg, plan, newest, newAsking())
	if err != nil {
		return nil, err
	}
	for _, a := range at {
		if a.Unavailable == "" {
			return recovery.MergeCopies(recovery.Lists(at)), nil
		}
	}
	return nil, errors.New(at[0].Unavailable)
}
