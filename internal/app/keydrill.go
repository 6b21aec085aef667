package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// KeyDrill opens sets with nothing but what a recovery kit holds.
type KeyDrill struct {
	Identities []age.Identity
	Trusted    []recovery.PublicKey
	Tell       func(service string, o recovery.Object) // says which object is opened now
}

// Open opens every object of the newest set of each service that has one, and of
// each that is named. What a set is found to be stands in the result; the error, the
// first one of its kind, says what to do: a Permanent fault if the key does not fit,
// Damaged, or Unavailable.
func (d *KeyDrill) Open(ctx context.Context, v *vault.Vault, services []string) ([]recovery.KeyDrillSet, error) {
	found, err := v.Services(ctx)
	if err != nil {
		return nil, err
	}
	var sets []recovery.KeyDrillSet
	var first error
	for _, service := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(found, services)))) {
		ids, err := v.Sets(ctx, service, d.Trusted, time.Time{}, 1)
		if err != nil {
			return sets, err
		}
		set := recovery.KeyDrillSet{Service: service}
		switch {
		case len(ids) > 0:
			set.Set = ids[0]
			err = d.openSet(ctx, v, &set)
		case slices.Contains(services, service):
			err = recovery.NewFault(recovery.Permanent, fmt.Errorf("there is no recovery set of %s", service), "compare the names and places with the printed kit")
		default: // a folder of another kind
			continue
		}
		if err != nil {
			set.Error = err.Error()
			first = errorOr(first, err)
		}
		sets = append(sets, set)
	}
	return sets, first
}

// errorOr returns the first of two errors.
func errorOr(first, other error) error {
	if first != nil {
		return first
	}
	return other
}

// openSet opens every object of a set.
func (d *KeyDrill) openSet(ctx context.Context, v *vault.Vault, set *recovery.KeyDrillSet) error {
	began := time.Now()
	defer func() { set.Took = recovery.Duration(time.Since(began).Round(time.Millisecond)) }()
	e, err := v.Entry(ctx, set.Service, set.Set, d.Trusted)
	if err != nil {
		return err
	}
	if e.Manifest == nil {
		return e.Err
	}
	set.Created = e.Manifest.Created
	for _, f := range e.Manifest.Failures {
		set.Missing = append(set.Missing, f.Source)
	}
	for i := range e.Manifest.Artefacts {
		a := &e.Manifest.Artefacts[i]
		for _, o := range a.Objects() {
			if d.Tell != nil {
				d.Tell(set.Service, o)
			}
			if err := d.openObject(ctx, v, a.Key(set.Service, o), o); err != nil {
				return err
			}
			set.Objects, set.Size = set.Objects+1, set.Size+o.Size
		}
	}
	return nil
}

func (d *KeyDrill) openObject(ctx context.Context, v *vault.Vault, key string, o recovery.Object) error {
	err := openSealed(ctx, v, d.Identities, key, o, nil, func(plain io.Reader) error {
		_, err := io.Copy(io.Discard, plain)
		return err
	})
	fault, ok := errors.AsType[*recovery.Fault](err)
	switch {
	case err == nil:
		return nil
	case ok:
		return recovery.NewFault(fault.Kind, fmt.Errorf("open %s: %w", o.Name, fault.Err), fault.Hint)
	}
	return fmt.Errorf("open %s: %w", o.Name, err)
}

// LastKeyDrill says when the newest key-loss drill that went well at a destination
// began; false if there is none. Nothing signs that: whoever does the drill has no
// signing key.
func LastKeyDrill(ctx context.Context, v *vault.Vault) (time.Time, bool, error) {
	keys, err := v.Documents(ctx, recovery.KeyDrillsPrefix)
	if err != nil {
		return time.Time{}, false, err
	}
	var newest time.Time
	for _, key := range keys {
		if t, ok := recovery.PassedKeyDrill(key); ok && t.After(newest) {
			newest = t
		}
	}
	return newest, !newest.IsZero(), nil
}
