package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// remains is what lies in the folder of a set and is not the set's.
type remains struct {
	prefix    string // of the folder
	committed bool   // whether the folder has a manifest
	keys      []string
}

// remainsIn looks into the folder of a set that no run works on any more.
func (v *Vault) remainsIn(ctx context.Context, service string, set recovery.SetID, trusted []recovery.PublicKey, swept *Swept) (remains, error) {
	m, err := v.readManifest(ctx, service, set, trusted)
	switch {
	case err == nil:
		return v.losers(ctx, m)
	case recovery.KindOf(err) == recovery.Damaged:
		return remains{}, nil // what it names is not known; the catalogue shows it
	case !errors.Is(err, recovery.ErrNotFound):
		return remains{}, err
	}
	proofs, err := v.list(ctx, recovery.ProofsPrefix(service, set), "")
	if err != nil {
		return remains{}, err
	}
	r := remains{prefix: recovery.SetPrefix(service, set)}
	if len(proofs) > 0 {
		swept.note(r.prefix, errors.New("its manifest is gone, but it has proofs"))
		return r, nil
	}
	r.keys, err = v.list(ctx, r.prefix, "")
	return r, err
}

// losers are what a committed set does not name.
func (v *Vault) losers(ctx context.Context, m *recovery.Manifest) (remains, error) {
	r := remains{prefix: recovery.SetPrefix(m.Service, m.Set), committed: true}
	keys, err := v.list(ctx, r.prefix, "")
	named := map[string]bool{recovery.ManifestKey(m.Service, m.Set): true, recovery.GuideKey(m.Service, m.Set): true}
	for _, key := range artefactKeys(m) {
		named[key] = true
	}
	r.keys = slices.DeleteFunc(keys, func(key string) bool { return named[key] })
	return r, err
}

func artefactKeys(m *recovery.Manifest) []string {
	var keys []string
	for _, a := range m.Artefacts {
		for _, o := range a.Objects() {
			keys = append(keys, a.Key(m.Service, o))
		}
	}
	return keys
}

// sweepRemains removes what no set of the service refers to. All manifests are read
// for that, so only if there is something to remove.
func (v *Vault) sweepRemains(ctx context.Context, service string, all []remains, trusted []recovery.PublicKey, swept *Swept) error {
	all = slices.DeleteFunc(all, func(r remains) bool { return len(r.keys) == 0 })
	if len(all) == 0 {
		return nil
	}
	referred, unread, err := v.references(ctx, service, trusted)
	if err != nil {
		return err
	}
	for _, r := range all {
		keys := slices.DeleteFunc(r.keys, func(key string) bool { return referred[key] })
		if !r.committed && unread != nil && len(keys) > 0 {
			swept.note(r.prefix, unread)
			continue
		}
		for _, key := range keys {
			swept.note(key, v.fail(v.store.remove(ctx, key), "remove %s", key))
		}
	}
	return ctx.Err()
}

// references collects the keys that the sets of a service refer to, in whose folder
// they may be. unread says of a set that it cannot be read: what it refers to is not
// known.
func (v *Vault) references(ctx context.Context, service string, trusted []recovery.PublicKey) (referred map[string]bool, unread, err error) {
	ids, _, err := v.keptFolders(ctx, service, trusted, time.Time{})
	if err != nil {
		return nil, nil, err
	}
	referred = map[string]bool{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, id := range ids {
		group.Go(func() error {
			m, err := v.readManifest(ctx, service, id, trusted)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, recovery.ErrNotFound):
			case recovery.KindOf(err) == recovery.Damaged:
				unread = fmt.Errorf("set %s cannot be read, and may refer to it: %w", id, err)
			case err != nil:
				return err
			default:
				for _, key := range artefactKeys(m) {
					referred[key] = true
				}
			}
			return nil
		})
	}
	return referred, unread, group.Wait()
}
