package app

import (
	"context"
	"errors"
	"io"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// SignedManifest implements activities.Store.
func (s *store) SignedManifest(ctx context.Context, service string, set recovery.SetID) (*recovery.Manifest, []byte, error) {
	data, err := s.vault.Manifest(ctx, service, set)
	if err != nil {
		return nil, nil, err
	}
	trusted, err := TrustedKeys(s.cfg)
	if err != nil {
		return nil, nil, err
	}
	m, err := recovery.DecodeManifest(data, trusted)
	if err != nil {
		return nil, nil, err
	}
	if m.Service != service || m.Set != set {
		return nil, nil, damaged("read manifest: it is the manifest of set %s of %s", m.Set, m.Service)
	}
	return m, data, nil
}

// Adopt implements activities.Store. The guide is this destination's own.
func (s *store) Adopt(ctx context.Context, m *recovery.Manifest, signed []byte) error {
	return conflict(s.vault.CommitSet(ctx, m.Service, m.Set, signed, recovery.Guide(m, s.dest)))
}

// Send implements activities.Store.
func (s *store) Send(ctx context.Context, key string, want recovery.Object, w io.Writer, progress func(int64)) error {
	object, err := openObject(ctx, s.vault, key, want)
	if err != nil {
		return err
	}
	defer func() { _ = object.Close() }()
	return pass(w, object, want, progress)
}

// Receive implements activities.Store. What is there already is read, because a
// size alone proves nothing.
func (s *store) Receive(ctx context.Context, key string, want recovery.Object, progress func(int64), fill func(io.Writer) error) error {
	err := s.Digest(ctx, key, want, progress)
	if !errors.Is(err, recovery.ErrNotFound) {
		return err
	}
	upload, err := s.vault.Create(ctx, key, want.Size)
	if err != nil {
		return err
	}
	if err := fill(upload); err != nil {
		return errors.Join(err, upload.Abort())
	}
	err = upload.Commit()
	if errors.Is(err, vault.ErrExists) { // another run copied the same object meanwhile
		return s.Digest(ctx, key, want, progress)
	}
	return err
}
