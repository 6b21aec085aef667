package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// Commit implements activities.Store.
func (s *store) Commit(ctx context.Context, m *recovery.Manifest) error {
	key, err := signingKey(s.cfg)
	if err != nil {
		return err
	}
	signed, err := recovery.EncodeManifest(m, key)
	if err != nil {
		return recovery.NewFault(recovery.Permanent, err, "")
	}
	return conflict(s.vault.CommitSet(ctx, m.Service, m.Set, signed, recovery.Guide(m, s.dest)))
}

// Summaries implements activities.Store.
func (s *store) Summaries(ctx context.Context, service string, wanted recovery.SetID, limit int) ([]recovery.SetSummary, error) {
	trusted, err := TrustedKeys(s.cfg)
	if err != nil {
		return nil, err
	}
	entries, err := s.vault.Catalogue(ctx, service, trusted, time.Time{}, limit)
	if err != nil {
		return nil, err
	}
	if wanted != "" && !slices.ContainsFunc(entries, func(e vault.Entry) bool { return e.Set == wanted }) {
		entry, err := s.vault.Entry(ctx, service, wanted, trusted)
		if err != nil && !errors.Is(err, recovery.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			entries = append(entries, entry)
		}
	}
	return Summarize(entries), nil
}

// Summarize tells of sets what a choice among them needs.
func Summarize(entries []vault.Entry) []recovery.SetSummary {
	sets := make([]recovery.SetSummary, len(entries))
	for i, e := range entries {
		var unreadable error
		if e.Manifest == nil {
			unreadable = e.Err
		}
		sets[i] = recovery.Summarize(e.Set, e.Manifest, e.Proofs, unreadable)
	}
	return sets
}

// Decide implements activities.Store.
func (s *store) Decide(ctx context.Context, b *approval.Book) (bool, error) {
	key, err := signingKey(s.cfg)
	if err != nil {
		return false, err
	}
	signed, err := recovery.EncodeDecision(b, key)
	if err != nil {
		return false, recovery.NewFault(recovery.Permanent, err, "")
	}
	err = s.vault.PutOnce(ctx, recovery.DecisionKey(b.Request.Service, b.Request.ID), signed)
	if errors.Is(err, vault.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// Write implements activities.Store.
func (s *store) Write(ctx context.Context, key string, content []byte) error {
	return conflict(s.vault.PutOnce(ctx, key, content))
}

// Manifest implements activities.Store.
func (s *store) Manifest(ctx context.Context, service string, set recovery.SetID) (*recovery.Manifest, error) {
	m, _, err := s.SignedManifest(ctx, service, set)
	return m, err
}

// Prove implements activities.Store.
func (s *store) Prove(ctx context.Context, p *recovery.Proof) error {
	key, err := signingKey(s.cfg)
	if err != nil {
		return err
	}
	signed, err := recovery.EncodeProof(p, key)
	if err != nil {
		return err
	}
	return conflict(s.vault.PutOnce(ctx, recovery.ProofKey(p.Service, p.Set, p.Started, p.Kind), signed))
}

// conflict says that no retry mends a key which holds something else.
func conflict(err error) error {
	if errors.Is(err, vault.ErrExists) {
		return recovery.NewFault(recovery.Permanent, err, "another run wrote it: look at the set with `starter show`")
	}
	return err
}

// SweepSets implements activities.Store.
func (s *store) SweepSets(ctx context.Context, service string, current recovery.SetID) (int, []string, error) {
	trusted, err := TrustedKeys(s.cfg)
	if err != nil {
		return 0, nil, err
	}
	return swept(s.vault.SweepSets(ctx, service, current, trusted))
}

// SweepSet implements activities.Store.
func (s *store) SweepSet(ctx context.Context, service string, set recovery.SetID) (int, []string, error) {
	trusted, err := TrustedKeys(s.cfg)
	if err != nil {
		return 0, nil, err
	}
	done, err := s.vault.SweepSet(ctx, service, set, trusted)
	if errors.Is(err, recovery.ErrNotFound) { // never committed: it is what a later run would sweep
		return swept(s.vault.SweepSets(ctx, service, recovery.NewSetID(set.Time().Add(time.Second), "000000"), trusted))
	}
	return swept(done, err)
}

func swept(done vault.Swept, err error) (int, []string, error) {
	left := done.Left
	if done.Reason != "" {
		left = append(left, done.Reason)
	}
	return len(done.Removed), left, err
}

// TrustedKeys returns the keys whose signatures cfg believes.
func TrustedKeys(cfg *config.Config) ([]recovery.PublicKey, error) {
	var keys []recovery.PublicKey
	for _, text := range cfg.Signing.Trusted {
		key, err := recovery.ParsePublicKey(text)
		if err != nil {
			return nil, recovery.NewFault(recovery.Permanent, err, "mend signing.trusted in the config")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func signingKey(cfg *config.Config) (recovery.SigningKey, error) {
	text, err := cfg.Reveal(string(cfg.Signing.Key))
	if err != nil {
		return recovery.SigningKey{}, err
	}
	key, err := recovery.ParseSigningKey(text.Reveal())
	if err != nil {
		return recovery.SigningKey{}, recovery.NewFault(recovery.Permanent, err, "mend what signing.key in the config refers to")
	}
	return key, nil
}
