package vault

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// sweptSets bounds how many of the newest sets are looked at.
const sweptSets = 50

// Swept says what a sweep did. That something could not be removed is no error:
// a key that may put, get and list is all that a backup needs.
type Swept struct {
	Removed []string `json:"removed,omitempty"` // keys of objects and unfinished uploads
	Left    []string `json:"left,omitempty"`
	Reason  string   `json:"reason,omitempty"` // why the first was left
}

func (s *Swept) note(key string, err error) {
	if err == nil {
		s.Removed = append(s.Removed, key)
		return
	}
	s.Left = append(s.Left, key)
	if s.Reason == "" {
		s.Reason = err.Error()
	}
}

// SweepSets removes what killed or failed runs of a service left among the sets
// older than current: unfinished uploads, the objects of sets that were never
// committed, and objects that a committed set does not name. It is called when a
// backup begins: then whoever still writes there was given up.
//
// A set without a manifest is kept if it has proofs, because then it had one. A
// set whose manifest is not signed by a trusted key is kept as it is.
func (v *Vault) SweepSets(ctx context.Context, service string, current recovery.SetID, trusted []recovery.PublicKey) (Swept, error) {
	var swept Swept
	older := func(key string) bool {
		set, _, _ := strings.Cut(strings.TrimPrefix(key, recovery.SetsPrefix(service)), "/")
		return set < string(current)
	}
	if err := v.sweepUploads(ctx, recovery.SetsPrefix(service), older, &swept); err != nil {
		return swept, err
	}
	ids, err := v.newestBefore(ctx, service, current)
	if err != nil {
		return swept, err
	}
	for _, id := range ids {
		if err := v.sweepFolder(ctx, service, id, trusted, &swept); err != nil {
			return swept, err
		}
	}
	return swept, nil
}

// SweepSet removes what the lost attempts of a committed set left in its folder.
func (v *Vault) SweepSet(ctx context.Context, service string, set recovery.SetID, trusted []recovery.PublicKey) (Swept, error) {
	var swept Swept
	m, err := v.readManifest(ctx, service, set, trusted)
	if err != nil {
		return swept, err
	}
	all := func(string) bool { return true }
	if err := v.sweepUploads(ctx, recovery.SetPrefix(service, set), all, &swept); err != nil {
		return swept, err
	}
	return swept, v.sweepLosers(ctx, m, &swept)
}

// newestBefore lists the folders of the newest sets older than current.
func (v *Vault) newestBefore(ctx context.Context, service string, current recovery.SetID) ([]recovery.SetID, error) {
	var older []recovery.SetID
	for _, from := range windows(current.Time(), time.Time{}, sweptSets) {
		ids, err := v.setFolders(ctx, service, from)
		if err != nil {
			return nil, err
		}
		older = ids[:0]
		for _, id := range ids {
			if id < current && len(older) < sweptSets {
				older = append(older, id)
			}
		}
		if len(older) == sweptSets {
			break
		}
	}
	return older, nil
}

func (v *Vault) sweepUploads(ctx context.Context, prefix string, doomed func(key string) bool, swept *Swept) error {
	uploads, err := v.store.unfinished(ctx, prefix)
	if err != nil {
		if err = v.fail(err, "list unfinished uploads"); recovery.KindOf(err) == recovery.Permanent {
			swept.note("unfinished uploads below "+prefix, err)
			return nil
		}
		return err
	}
	for _, u := range uploads {
		if !doomed(u.key) {
			continue
		}
		if err := u.abort(ctx); !isNoSuchUpload(err) { // it may have ended by itself
			swept.note(u.key, v.fail(err, "remove unfinished upload %s", u.key))
		}
	}
	return ctx.Err()
}

// sweepFolder sweeps the folder of a set that no run works on any more.
func (v *Vault) sweepFolder(ctx context.Context, service string, set recovery.SetID, trusted []recovery.PublicKey, swept *Swept) error {
	m, err := v.readManifest(ctx, service, set, trusted)
	switch {
	case err == nil:
		return v.sweepLosers(ctx, m, swept)
	case recovery.KindOf(err) == recovery.Damaged:
		return nil // what it names is not known; the catalogue shows it
	case !errors.Is(err, recovery.ErrNotFound):
		return err
	}
	proofs, err := v.list(ctx, recovery.ProofsPrefix(service, set))
	if err != nil {
		return err
	}
	if len(proofs) > 0 {
		swept.note(recovery.SetPrefix(service, set), errors.New("its manifest is gone, but it has proofs"))
		return nil
	}
	return v.sweepObjects(ctx, recovery.SetPrefix(service, set), nil, swept)
}

// sweepLosers removes what a committed set does not name.
func (v *Vault) sweepLosers(ctx context.Context, m *recovery.Manifest, swept *Swept) error {
	named := map[string]bool{
		recovery.ManifestKey(m.Service, m.Set): true,
		recovery.GuideKey(m.Service, m.Set):    true,
	}
	for _, a := range m.Artefacts {
		for _, o := range a.Objects() {
			named[a.Key(m.Service, o)] = true
		}
	}
	return v.sweepObjects(ctx, recovery.SetPrefix(m.Service, m.Set), named, swept)
}

func (v *Vault) sweepObjects(ctx context.Context, prefix string, named map[string]bool, swept *Swept) error {
	keys, err := v.list(ctx, prefix)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if !named[key] {
			swept.note(key, v.fail(v.store.remove(ctx, key), "remove %s", key))
		}
	}
	return ctx.Err()
}
