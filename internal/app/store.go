package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/seal"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// OpenVault opens the destination of a plan with the secrets that cfg resolves.
func OpenVault(ctx context.Context, cfg *config.Config, dest recovery.DestinationSpec) (*vault.Vault, error) {
	var cred vault.Credentials
	for _, secret := range []struct {
		ref  string
		into *string
	}{{dest.AccessKey, &cred.AccessKey}, {dest.SecretKey, &cred.SecretKey}} {
		if secret.ref == "" {
			continue
		}
		revealed, err := cfg.Reveal(secret.ref)
		if err != nil {
			return nil, fmt.Errorf("open destination %s: %w", dest.Name, err)
		}
		*secret.into = revealed.Reveal()
	}
	return vault.Open(ctx, dest, cred)
}

// stores joins seal and vault to what the activities call a store.
type stores struct {
	configs *configs
}

// OpenStore implements activities.Stores.
func (s *stores) OpenStore(ctx context.Context, dest recovery.DestinationSpec, enc recovery.EncryptionSpec) (activities.Store, error) {
	cfg, err := s.configs.load()
	if err != nil {
		return nil, err
	}
	v, err := OpenVault(ctx, cfg, dest)
	if err != nil {
		return nil, err
	}
	return &store{vault: v, cfg: cfg, dest: dest, enc: enc}, nil
}

type store struct {
	vault *vault.Vault
	cfg   *config.Config
	dest  recovery.DestinationSpec
	enc   recovery.EncryptionSpec
}

// Seal implements activities.Store.
func (s *store) Seal(ctx context.Context, key string, sizeHint int64, fill func(io.Writer) error) (recovery.Object, error) {
	recipients, err := seal.ParseRecipients(s.enc.Recipients)
	if err != nil {
		return recovery.Object{}, err
	}
	upload, err := s.vault.Create(ctx, key, sizeHint)
	if err != nil {
		return recovery.Object{}, err
	}
	sum, err := sealInto(upload, recipients, fill)
	if err != nil {
		return recovery.Object{}, errors.Join(err, upload.Abort())
	}
	if err := upload.Commit(); err != nil {
		return recovery.Object{}, err
	}
	return recovery.Object{PlainSize: sum.PlainSize, Size: sum.Size, SHA256: sum.SHA256}, nil
}

func sealInto(dst io.Writer, recipients []age.Recipient, fill func(io.Writer) error) (seal.Sum, error) {
	w, err := seal.NewWriter(dst, recipients)
	if err != nil {
		return seal.Sum{}, err
	}
	if err := fill(w); err != nil {
		return seal.Sum{}, err
	}
	if err := w.Close(); err != nil {
		return seal.Sum{}, err
	}
	return w.Sealed(), nil
}

// Unseal implements activities.Store.
func (s *store) Unseal(ctx context.Context, key string, want recovery.Object, use func(io.Reader) error) error {
	return s.unseal(ctx, key, want, nil, use)
}

// ReadBack implements activities.Store.
func (s *store) ReadBack(ctx context.Context, key string, want recovery.Object, progress func(int64)) error {
	identities, err := s.identities()
	if err != nil {
		return err
	}
	var ends seal.Ends
	observe := io.MultiWriter(&ends, &meter{report: progress})
	err = s.unseal(ctx, key, want, observe, func(plain io.Reader) error {
		_, err := io.Copy(io.Discard, plain)
		return err
	})
	if err != nil {
		return err
	}
	return ends.Check(identities)
}

// unseal opens an object with this store's keys, see openSealed.
func (s *store) unseal(ctx context.Context, key string, want recovery.Object, observe io.Writer, use func(io.Reader) error) error {
	identities, err := s.identities()
	if err != nil {
		return err
	}
	return openSealed(ctx, s.vault, identities, key, want, observe, use)
}

// openSealed opens an object, shows its sealed bytes to observe, and checks all of
// them against want, also those that use did not read.
func openSealed(ctx context.Context, v *vault.Vault, identities []age.Identity, key string, want recovery.Object, observe io.Writer, use func(io.Reader) error) error {
	object, err := openObject(ctx, v, key, want)
	if err != nil {
		return err
	}
	defer func() { _ = object.Close() }()
	var sealed io.Reader = object
	if observe != nil {
		sealed = io.TeeReader(object, observe)
	}
	plain, err := seal.NewReader(sealed, identities)
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }()
	seen := &witness{Reader: plain}
	err = use(seen)
	if err == nil {
		_, err = io.Copy(io.Discard, seen)
	}
	switch {
	case err == nil:
		return checkSum(plain.Sum(), want)
	case seen.err != nil && recovery.KindOf(seen.err) != recovery.Unavailable && plain.Sum().SHA256 != want.SHA256:
		// A changed byte in the header looks like a key that does not fit; the
		// digest tells the two apart.
		return damaged("its SHA-256 is not the one in the manifest")
	}
	return err
}

// openObject opens an object that a manifest names: one that is not there, or has
// another size, is damage.
func openObject(ctx context.Context, v *vault.Vault, key string, want recovery.Object) (io.ReadCloser, error) {
	object, size, err := v.Open(ctx, key)
	if errors.Is(err, recovery.ErrNotFound) {
		return nil, recovery.NewFault(recovery.Damaged, err, "")
	}
	if err != nil {
		return nil, err
	}
	if size != want.Size {
		_ = object.Close() // what was read is of no use
		return nil, damaged("it has %d bytes, the manifest says %d", size, want.Size)
	}
	return object, nil
}

// pass copies sealed bytes, and checks all of them against the manifest.
func pass(w io.Writer, sealed io.Reader, want recovery.Object, progress func(int64)) error {
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(hash, w, &meter{report: progress}), sealed)
	if err != nil {
		return err
	}
	return checkSum(seal.Sum{Size: size, SHA256: hex.EncodeToString(hash.Sum(nil)), PlainSize: want.PlainSize}, want)
}

// witness keeps the error that ended a stream, to tell it from errors of whoever
// reads it.
type witness struct {
	io.Reader
	err error
}

func (w *witness) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

func checkSum(got seal.Sum, want recovery.Object) error {
	switch {
	case got.Size != want.Size:
		return damaged("it has %d bytes, the manifest says %d", got.Size, want.Size)
	case got.SHA256 != want.SHA256:
		return damaged("its SHA-256 is not the one in the manifest")
	case got.PlainSize != want.PlainSize:
		return damaged("it opens to %d bytes, the manifest says %d", got.PlainSize, want.PlainSize)
	}
	return nil
}

func damaged(format string, args ...any) error {
	return recovery.NewFault(recovery.Damaged, fmt.Errorf(format, args...), "")
}

// Peek implements activities.Store.
func (s *store) Peek(ctx context.Context, key string, use func(io.Reader) error) error {
	identities, err := s.identities()
	if err != nil {
		return err
	}
	return peekSealed(ctx, s.vault, identities, key, use)
}

// peekSealed opens an object for a reader that wants only the beginning; nothing is
// checked.
func peekSealed(ctx context.Context, v *vault.Vault, identities []age.Identity, key string, use func(io.Reader) error) error {
	object, _, err := v.Open(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = object.Close() }()
	plain, err := seal.NewReader(object, identities)
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }()
	return use(plain)
}

// Digest implements activities.Store.
func (s *store) Digest(ctx context.Context, key string, want recovery.Object, progress func(int64)) error {
	object, _, err := s.vault.Open(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = object.Close() }()
	return pass(io.Discard, object, want, progress)
}

func (s *store) identities() ([]age.Identity, error) {
	if s.enc.Identities == "" {
		return nil, recovery.NewFault(recovery.Permanent, errors.New("open sealed bytes: there is no private key here"), "set encryption.identities in the config, or run this step on a worker that has the key")
	}
	text, err := s.cfg.Reveal(s.enc.Identities)
	if err != nil {
		return nil, err
	}
	return seal.ParseIdentities(text.Reveal())
}

// meter counts bytes as they pass.
type meter struct {
	n      int64
	report func(int64)
}

func (m *meter) Write(p []byte) (int, error) {
	m.n += int64(len(p))
	m.report(m.n)
	return len(p), nil
}

// Check implements activities.Store.
func (s *store) Check(ctx context.Context) error { return s.vault.Check(ctx) }

// Close implements activities.Store.
func (s *store) Close() error { return s.vault.Close() }
