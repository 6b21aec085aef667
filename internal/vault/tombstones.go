package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Tombstones lists the sets of a service that were pruned, or are being pruned,
// oldest first. As everywhere, only a tombstone that is signed by a trusted key, and
// for this set, counts: whoever can only write here must not be able to hide a set.
func (v *Vault) Tombstones(ctx context.Context, service string, trusted []recovery.PublicKey) ([]recovery.SetID, error) {
	marked, err := v.tombstones(ctx, service, time.Time{})
	if err != nil {
		return nil, err
	}
	gone, _, err := v.believe(ctx, service, marked, trusted)
	return gone, err
}

// Pruning lists the sets of a service whose pruning was begun and not finished:
// those that have a tombstone, and objects still; newest first.
func (v *Vault) Pruning(ctx context.Context, service string, trusted []recovery.PublicKey) ([]recovery.SetID, error) {
	marked, err := v.tombstones(ctx, service, time.Time{})
	if err != nil || len(marked) == 0 {
		return nil, err
	}
	ids, err := v.setFolders(ctx, service, marked[0].Time())
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(ids, func(id recovery.SetID) bool { return !contains(marked, id) })
	gone, _, err := v.believe(ctx, service, ids, trusted)
	return gone, err
}

// doubts says why a tombstone is not believed.
type doubts map[recovery.SetID]error

// keptFolders is setFolders without the sets that have a tombstone. Of most of those
// nothing is left but the tombstone, so few are read.
func (v *Vault) keptFolders(ctx context.Context, service string, trusted []recovery.PublicKey, from time.Time) ([]recovery.SetID, doubts, error) {
	ids, err := v.setFolders(ctx, service, from)
	if err != nil || len(ids) == 0 {
		return nil, nil, err
	}
	marked, err := v.tombstones(ctx, service, from)
	if err != nil {
		return nil, nil, err
	}
	marked = slices.DeleteFunc(marked, func(id recovery.SetID) bool { return !slices.Contains(ids, id) })
	gone, doubted, err := v.believe(ctx, service, marked, trusted)
	if err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(ids, func(id recovery.SetID) bool { return contains(gone, id) }), doubted, nil
}

// believe reads the tombstones of sets and returns those that are believed, in the
// same order.
func (v *Vault) believe(ctx context.Context, service string, sets []recovery.SetID, trusted []recovery.PublicKey) ([]recovery.SetID, doubts, error) {
	errs := make([]error, len(sets))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, set := range sets {
		group.Go(func() error {
			errs[i] = v.believeOne(ctx, service, set, trusted)
			if errs[i] == nil || recovery.KindOf(errs[i]) == recovery.Damaged || errors.Is(errs[i], recovery.ErrNotFound) {
				return nil
			}
			return errs[i]
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	var gone []recovery.SetID
	doubted := doubts{}
	for i, set := range sets {
		switch {
		case errs[i] == nil:
			gone = append(gone, set)
		case !errors.Is(errs[i], recovery.ErrNotFound): // removed since it was listed
			doubted[set] = errs[i]
		}
	}
	return gone, doubted, nil
}

// believeOne fetches a tombstone once for as long as the vault is open, and checks it
// each time: another caller may trust other keys.
func (v *Vault) believeOne(ctx context.Context, service string, set recovery.SetID, trusted []recovery.PublicKey) error {
	key := recovery.TombstoneKey(service, set)
	if data, ok := v.graves.Load(key); ok {
		return v.checkTombstone(service, set, data.([]byte), trusted)
	}
	data, err := v.Get(ctx, key)
	if err == nil {
		err = v.checkTombstone(service, set, data, trusted)
	}
	if err == nil {
		v.graves.Store(key, data)
	}
	return err
}

// checkTombstone says whether a tombstone is signed by a trusted key, and for this
// set at this destination. The error is Damaged.
func (v *Vault) checkTombstone(service string, set recovery.SetID, data []byte, trusted []recovery.PublicKey) error {
	t, err := recovery.DecodeTombstone(data, trusted)
	if err == nil {
		err = belongs(service, set, t.Service, t.Set)
	}
	if err == nil && t.Destination != v.name {
		err = recovery.NewFault(recovery.Damaged, fmt.Errorf("it is that of destination %q", t.Destination), "")
	}
	return v.fail(err, "check tombstone %s", recovery.TombstoneKey(service, set))
}

// tombstones lists, in order, those of sets that were begun at from or later, whoever
// wrote them.
func (v *Vault) tombstones(ctx context.Context, service string, from time.Time) ([]recovery.SetID, error) {
	if err := recovery.CheckName("service", service); err != nil {
		return nil, v.fail(recovery.NewFault(recovery.Permanent, err, ""), "list tombstones")
	}
	_, names, err := v.store.below(ctx, recovery.TombstonePrefix(service), before(from))
	if err != nil {
		return nil, v.fail(err, "list tombstones of %s", service)
	}
	return setIDs(names, ".json"), nil
}

func contains(sorted []recovery.SetID, id recovery.SetID) bool {
	_, found := slices.BinarySearch(sorted, id)
	return found
}
