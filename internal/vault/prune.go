package vault

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// pruner is what removing for good needs of a store.
type pruner interface {
	// versions lists all that is stored below prefix: every version of every object
	// and the markers that hide them. Where there are no versions, it lists objects.
	versions(ctx context.Context, prefix string) ([]version, error)
	// retention says what forbids to remove a version now.
	retention(ctx context.Context, of version) (retention, error)
	// mayErase says whether erasing below prefix would be refused, erasing nothing.
	mayErase(ctx context.Context, prefix string, versions []version) error
	// erase removes a version for good. That it is gone already is no error.
	erase(ctx context.Context, v version) error
}

// version is one version of an object.
type version struct {
	key    string
	id     string // empty where there are no versions
	size   int64  // bytes
	marker bool   // hides the versions before it, and has no bytes
}

// retention is what forbids to remove a version.
type retention struct {
	until time.Time // zero: nothing
	hold  bool      // a legal hold, until somebody takes it away
}

// refusal marks that the credentials may not do what removing needs.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }

// Pruned says what PruneSet did. One of LockedUntil, Hold and Refused says why it
// did not finish.
type Pruned struct {
	Removed     int       `json:"removed"`              // versions of objects, by this call
	Freed       int64     `json:"freed"`                // their bytes
	LockedUntil time.Time `json:"lockedUntil,omitzero"` // nothing was touched: an object is locked until then
	Hold        bool      `json:"hold,omitempty"`       // nothing was touched: an object has a legal hold
	Refused     string    `json:"refused,omitempty"`    // the credentials may not remove; with the mend
}

// Done says whether nothing is left of the set but its tombstone and proofs.
func (p Pruned) Done() bool { return p.LockedUntil.IsZero() && !p.Hold && p.Refused == "" }

// PruneSet removes a set for good. It looks first at everything that is stored of
// it, and touches nothing if any of that is locked or must not be removed by these
// credentials. Then it writes the tombstone, from when on the set is in no list any
// more, removes the artefacts by version, the guide, and the manifest last. It can
// be called again after any interruption; a tombstone that is there stays, unless it
// is not believed. A set of which there is no trace is recovery.ErrNotFound. Whether
// other sets refer to its artefacts is for the caller to know.
func (v *Vault) PruneSet(ctx context.Context, service string, set recovery.SetID, tombstone []byte, trusted []recovery.PublicKey) (Pruned, error) {
	var p Pruned
	_, err := recovery.ParseSetID(string(set))
	err = cmp.Or(recovery.CheckName("service", service), err)
	if err != nil {
		return p, v.fail(recovery.NewFault(recovery.Permanent, err, ""), "prune")
	}
	if err := v.checkTombstone(service, set, tombstone, trusted); err != nil { // the set would be listed, in part
		return p, recovery.NewFault(recovery.Permanent, err, "add the public key of signing.key to signing.trusted in the config")
	}
	g := grave{v, service, set, tombstone, trusted}
	err = v.pruneSet(ctx, g, &p)
	if _, refused := errors.AsType[*refusal](err); refused {
		p.Refused = err.Error()
		return p, nil
	}
	return p, err
}

func (v *Vault) pruneSet(ctx context.Context, g grave, p *Pruned) error {
	service, set, prefix := g.service, g.set, recovery.SetPrefix(g.service, g.set)
	begun, err := g.marked(ctx)
	if err != nil {
		return err
	}
	versions, err := v.store.versions(ctx, prefix)
	if err != nil {
		return v.fail(err, "list all of set %s of %s", set, service)
	}
	if len(versions) == 0 {
		if begun {
			return nil
		}
		return v.fail(recovery.ErrNotFound, "find set %s of %s", set, service)
	}
	if err := v.lookAtRetention(ctx, versions, p); err != nil || !p.Done() {
		return err
	}
	if err := v.store.mayErase(ctx, prefix, versions); err != nil {
		return v.fail(err, "try to remove objects of set %s of %s", set, service)
	}
	if !begun {
		if err := g.mark(ctx); err != nil {
			return err
		}
	}
	last := []string{recovery.GuideKey(service, set), recovery.ManifestKey(service, set)}
	slices.SortStableFunc(versions, func(a, b version) int {
		return cmp.Compare(slices.Index(last, a.key), slices.Index(last, b.key))
	})
	for _, one := range versions {
		if err := v.store.erase(ctx, one); err != nil {
			return v.fail(err, "remove %s", one.key)
		}
		p.Removed++
		p.Freed += one.size
	}
	return nil
}

// grave is the place of a set's tombstone.
type grave struct {
	vault     *Vault
	service   string
	set       recovery.SetID
	tombstone []byte
	trusted   []recovery.PublicKey
}

// marked says whether a tombstone is there that is believed.
func (g *grave) marked(ctx context.Context) (bool, error) {
	data, err := g.vault.Get(ctx, recovery.TombstoneKey(g.service, g.set))
	if err == nil {
		err = g.vault.checkTombstone(g.service, g.set, data, g.trusted)
	}
	if errors.Is(err, recovery.ErrNotFound) || recovery.KindOf(err) == recovery.Damaged {
		return false, nil
	}
	return err == nil, err
}

// mark writes the tombstone, over one that is not believed.
func (g *grave) mark(ctx context.Context) error {
	key := recovery.TombstoneKey(g.service, g.set)
	err := g.vault.PutOnce(ctx, key, g.tombstone)
	if !errors.Is(err, ErrExists) {
		return err
	}
	if marked, err := g.marked(ctx); marked || err != nil { // by another run, meanwhile
		return err
	}
	err = g.vault.Put(ctx, key, g.tombstone)
	if errors.Is(err, ErrExists) {
		err = &refusal{errors.New("what is there is not a tombstone signed by a trusted key for this set, and cannot be written over")}
		return g.vault.fail(recovery.NewFault(recovery.Permanent, err, "remove it with the keys of the bucket's owner, once no lock forbids that"), "write %s", key)
	}
	return err
}

// lookAtRetention notes in p what forbids to remove any of the versions.
func (v *Vault) lookAtRetention(ctx context.Context, versions []version, p *Pruned) error {
	found := make([]retention, len(versions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, one := range versions {
		if one.marker {
			continue
		}
		group.Go(func() (err error) {
			found[i], err = v.store.retention(ctx, one)
			return v.fail(err, "look at the retention of %s", one.key)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, r := range found {
		p.Hold = p.Hold || r.hold
		if r.until.After(time.Now()) && r.until.After(p.LockedUntil) {
			p.LockedUntil = r.until
		}
	}
	return nil
}
