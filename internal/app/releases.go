package app

import (
	"context"
	"encoding/json"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// recordsAtOnce bounds the records that are read at the same time.
const recordsAtOnce = 16

// Claim implements activities.Store.
func (s *store) Claim(ctx context.Context, c *recovery.Claim) (bool, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return false, recovery.NewFault(recovery.Permanent, err, "")
	}
	err = s.vault.PutOnce(ctx, recovery.ClaimKey(c.Service, c.Key), text)
	if errors.Is(err, vault.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// Record implements activities.Store.
func (s *store) Record(ctx context.Context, r *release.Record) error {
	key, err := signingKey(s.cfg)
	if err != nil {
		return err
	}
	signed, err := r.Encode(key)
	if err != nil {
		return recovery.NewFault(recovery.Permanent, err, "")
	}
	return conflict(s.vault.PutOnce(ctx, r.Key(), signed))
}

// Records implements activities.Store.
func (s *store) Records(ctx context.Context, service string, limit int) ([]release.Record, error) {
	trusted, err := TrustedKeys(s.cfg)
	if err != nil {
		return nil, err
	}
	return ReadRecords(ctx, s.vault, trusted, service, limit)
}

// ReadRecords reads the newest findings about a service's releases at a destination,
// the oldest first. What nobody trusted has signed is left out: anybody who can write
// there could have put it.
func ReadRecords(ctx context.Context, v *vault.Vault, trusted []recovery.PublicKey, service string, limit int) ([]release.Record, error) {
	keys, err := v.Documents(ctx, release.Prefix(service))
	if err != nil {
		return nil, err
	}
	keys = keys[max(len(keys)-limit, 0):]
	found := make([]*release.Record, len(keys))
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(recordsAtOnce)
	for i, key := range keys {
		reading.Go(func() error {
			data, err := v.Get(ctx, key)
			if err != nil {
				return err
			}
			if r, err := release.Decode(data, trusted); err == nil && r.Service == service && r.Key() == key {
				found[i] = r
			}
			return nil
		})
	}
	if err := reading.Wait(); err != nil {
		return nil, err
	}
	records := make([]release.Record, 0, len(found))
	for _, r := range found {
		if r != nil {
			records = append(records, *r)
		}
	}
	return records, nil
}
