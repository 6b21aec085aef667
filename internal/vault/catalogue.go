package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Entry is a committed set and what is known of it.
type Entry struct {
	Set      recovery.SetID
	Manifest *recovery.Manifest // nil if it cannot be read
	Proofs   []recovery.Proof   // those that can be read, oldest first
	Standing recovery.Standing
	Err      error // what cannot be read or is not signed by a trusted key
}

// Catalogue reads the committed sets of a service that were begun at since or
// later, newest first: at most limit, all if limit is 0. A manifest that is not
// whole or not signed by a trusted key makes its set disproven; one that could
// not be fetched fails the whole reading, since it says nothing about the set. A set
// whose tombstone is not believed is there, and its Err says so.
func (v *Vault) Catalogue(ctx context.Context, service string, trusted []recovery.PublicKey, since time.Time, limit int) ([]Entry, error) {
	ids, doubted, err := v.sets(ctx, service, trusted, since, limit)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, id := range ids {
		group.Go(func() (err error) {
			entries[i], err = v.Entry(ctx, service, id, trusted)
			if doubt := doubted[id]; doubt != nil {
				entries[i].Err = errors.Join(entries[i].Err, doubt)
			}
			return err
		})
	}
	return entries, group.Wait()
}

// Entry reads one set of the catalogue; recovery.ErrNotFound if it is not committed.
func (v *Vault) Entry(ctx context.Context, service string, set recovery.SetID, trusted []recovery.PublicKey) (Entry, error) {
	e := Entry{Set: set}
	manifest, err := v.readManifest(ctx, service, set, trusted)
	if err != nil && recovery.KindOf(err) != recovery.Damaged {
		return e, err
	}
	proofs, proofsErr := v.Proofs(ctx, service, set)
	if proofsErr != nil && recovery.KindOf(proofsErr) != recovery.Damaged {
		return e, proofsErr
	}
	errs := []error{err, proofsErr}
	for _, data := range proofs {
		p, err := recovery.DecodeProof(data, trusted)
		if err == nil {
			err = belongs(service, set, p.Service, p.Set)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read a proof of set %s: %w", set, err))
			continue
		}
		e.Proofs = append(e.Proofs, *p)
	}
	e.Manifest, e.Err = manifest, errors.Join(errs...)
	if manifest == nil {
		e.Standing = recovery.Standing{Verdict: recovery.Disproven, Sentence: err.Error()}
		return e, nil
	}
	e.Standing = recovery.Stand(manifest, e.Proofs)
	return e, nil
}

// readManifest reads and checks the manifest of a set.
func (v *Vault) readManifest(ctx context.Context, service string, set recovery.SetID, trusted []recovery.PublicKey) (*recovery.Manifest, error) {
	data, err := v.Manifest(ctx, service, set)
	if err != nil {
		return nil, err
	}
	m, err := recovery.DecodeManifest(data, trusted)
	if err == nil {
		err = belongs(service, set, m.Service, m.Set)
	}
	if err != nil {
		return nil, v.fail(err, "check set %s of %s", set, service)
	}
	return m, nil
}
