package app

import (
	"context"
	"slices"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// referable is how many sets are looked at for the artefacts that a new set may
// refer to: far more than a cadence of weeks beside one of hours needs, because each
// set names all sources.
const referable = 50

// Artefacts implements activities.Store.
func (s *store) Artefacts(ctx context.Context, service string) ([]recovery.Artefact, error) {
	trusted, err := TrustedKeys(s.cfg)
	if err != nil {
		return nil, err
	}
	entries, err := s.vault.Catalogue(ctx, service, trusted, time.Time{}, referable)
	if err != nil {
		return nil, err
	}
	var newest []recovery.Artefact
	bad := map[string]bool{}
	for _, e := range entries {
		if e.Manifest == nil || e.Manifest.Purpose != "" {
			continue
		}
		for _, a := range e.Manifest.Artefacts {
			object := a.Key(service, a.Dump)
			bad[object] = bad[object] || disproven(e.Proofs, a.Source)
			known := slices.ContainsFunc(newest, func(other recovery.Artefact) bool { return other.Source == a.Source })
			if !known && !bad[object] {
				newest = append(newest, a)
			}
		}
	}
	return newest, nil
}

// disproven says whether the last try that learnt something of a source's artefact
// found it bad. proofs are oldest first.
func disproven(proofs []recovery.Proof, source string) bool {
	for _, p := range slices.Backward(proofs) {
		for _, a := range p.Artefacts {
			if a.Source == source && a.Verdict != recovery.Inconclusive {
				return a.Verdict == recovery.Disproven
			}
		}
	}
	return false
}

// Holdings implements activities.Store.
func (s *store) Holdings(ctx context.Context, service string) ([]recovery.Holding, error) {
	trusted, err := TrustedKeys(s.cfg)
	if err != nil {
		return nil, err
	}
	return Holdings(ctx, s.vault, service, trusted)
}

// Holdings lists all sets of a service at a destination as retention looks at them,
// newest first; those whose removal was begun are the last.
func Holdings(ctx context.Context, v *vault.Vault, service string, trusted []recovery.PublicKey) ([]recovery.Holding, error) {
	entries, err := v.Catalogue(ctx, service, trusted, time.Time{}, 0)
	if err != nil {
		return nil, err
	}
	holdings := make([]recovery.Holding, len(entries))
	for i := range entries {
		holdings[i] = holding(&entries[i])
	}
	begun, err := v.Pruning(ctx, service, trusted)
	for _, set := range begun {
		holdings = append(holdings, recovery.Holding{Set: set, Created: set.Time(), Pruned: true})
	}
	return holdings, err
}

func holding(e *vault.Entry) recovery.Holding {
	h := recovery.Holding{Set: e.Set, Created: e.Set.Time(), Standing: e.Standing}
	if e.Manifest == nil {
		h.Unreadable = e.Err.Error()
		return h
	}
	h.Created, h.Purpose = e.Manifest.Created, e.Manifest.Purpose
	for _, a := range e.Manifest.Artefacts {
		if a.Set != e.Set {
			h.RefersTo = append(h.RefersTo, a.Set)
			continue
		}
		h.Sources = append(h.Sources, a.Source)
		for _, o := range a.Objects() {
			h.Size += o.Size
		}
	}
	return h
}

// Prune implements activities.Store.
func (s *store) Prune(ctx context.Context, t *recovery.Tombstone) (*recovery.PrunedSet, error) {
	key, err := signingKey(s.cfg)
	if err != nil {
		return nil, err
	}
	signed, err := recovery.EncodeTombstone(t, key)
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, err, "")
	}
	trusted, err := TrustedKeys(s.cfg)
	if err != nil {
		return nil, err
	}
	done, err := s.vault.PruneSet(ctx, t.Service, t.Set, signed, trusted)
	return &recovery.PrunedSet{Removed: done.Removed, Freed: done.Freed, LockedUntil: done.LockedUntil, Hold: done.Hold, Refused: done.Refused}, err
}

// Tombstones implements activities.Store.
func (s *store) Tombstones(ctx context.Context, service string) ([]recovery.SetID, error) {
	trusted, err := TrustedKeys(s.cfg)
	if err != nil {
		return nil, err
	}
	return s.vault.Tombstones(ctx, service, trusted)
}

// LastTried implements activities.Store.
func (s *store) LastTried(ctx context.Context, service string) (time.Time, error) {
	return s.vault.LastTried(ctx, service)
}

// Reclass implements activities.Store.
func (s *store) Reclass(ctx context.Context, service string, set recovery.SetID, class string) (int, error) {
	moved, err := s.vault.Reclass(ctx, service, set, class)
	return moved.Objects, err
}

// Thaw implements activities.Store.
func (s *store) Thaw(ctx context.Context, m *recovery.Manifest, fetch bool) (*recovery.Thawing, error) {
	var keys []string
	for _, a := range m.Artefacts {
		for _, o := range a.Objects() {
			keys = append(keys, a.Key(m.Service, o))
		}
	}
	state, err := s.vault.Thaw(ctx, keys, fetch)
	return &recovery.Thawing{Ready: state.Ready, Class: state.Class, Expected: state.Expected, Objects: len(state.Waiting)}, err
}

// AbortStale implements activities.Store.
func (s *store) AbortStale(ctx context.Context, olderThan recovery.Duration) (int, error) {
	done, err := s.vault.AbortStale(ctx, olderThan.Std())
	return len(done.Removed), err
}
