package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Verifications reads sets and writes proofs. It needs no private key.
type Verifications struct {
	Stores Stores
}

// LoadSetInput names a set.
type LoadSetInput struct {
	Service     string                   `json:"service"`
	Set         recovery.SetID           `json:"set"`
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
}

// LoadSet reads the manifest of a set and checks its signature.
func (v *Verifications) LoadSet(ctx context.Context, in LoadSetInput) (*recovery.Manifest, error) {
	ctx, w := begin(ctx, "reading the manifest")
	var m *recovery.Manifest
	err := useStore(ctx, v.Stores, in.Destination, in.Encryption, func(s Store) error {
		var err error
		m, err = s.Manifest(ctx, in.Service, in.Set)
		return err
	})
	return m, w.finish(ctx, missing(in.Service, err))
}

// missing gives the mend for a set that is not there.
func missing(service string, err error) error {
	if !errors.Is(err, recovery.ErrNotFound) {
		return err
	}
	return recovery.NewFault(recovery.Permanent, err, "`starter sets "+service+"` lists the sets that are there")
}

// CheckInput names an artefact of a set.
type CheckInput struct {
	Service     string                   `json:"service"`
	Artefact    recovery.Artefact        `json:"artefact"`
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
}

// Checked is what fetching an artefact showed.
type Checked struct {
	Verdict  recovery.Verdict  `json:"verdict"`
	Sentence string            `json:"sentence,omitempty"`
	Took     recovery.Duration `json:"took"`
}

// CheckDigest fetches every object of an artefact and compares size and digest,
// without opening it.
func (v *Verifications) CheckDigest(ctx context.Context, in CheckInput) (*Checked, error) {
	ctx, w := begin(ctx, "checksumming "+in.Artefact.Source)
	out, err := checkObjects(ctx, v.Stores, in, func(s Store, key string, o recovery.Object) error {
		return s.Digest(ctx, key, o, w.progress)
	})
	return out, w.finish(ctx, err)
}

// AppendProofInput holds a finished proof.
type AppendProofInput struct {
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
	Proof       recovery.Proof           `json:"proof"`
}

// AppendProof signs a proof and adds it to the verification log.
func (v *Verifications) AppendProof(ctx context.Context, in AppendProofInput) error {
	ctx, w := begin(ctx, "writing the proof")
	return w.finish(ctx, useStore(ctx, v.Stores, in.Destination, in.Encryption, func(s Store) error {
		return s.Prove(ctx, &in.Proof)
	}))
}

// checkObjects runs check on each object of an artefact. Damage is a finding,
// not an error: it names the artefact.
func checkObjects(ctx context.Context, stores Stores, in CheckInput, check func(s Store, key string, o recovery.Object) error) (*Checked, error) {
	started := time.Now()
	out := &Checked{Verdict: recovery.Proven}
	err := useStore(ctx, stores, in.Destination, in.Encryption, func(s Store) error {
		for _, o := range in.Artefact.Objects() {
			err := check(s, in.Artefact.Key(in.Service, o), o)
			switch {
			case err == nil:
			case recovery.KindOf(err) == recovery.Damaged, errors.Is(err, recovery.ErrNotFound):
				out.Verdict = recovery.Disproven
				out.Sentence = fmt.Sprintf("%s of %s: %v", o.Name, in.Artefact.Source, err)
				return nil
			default:
				return fmt.Errorf("read %s of %s: %w", o.Name, in.Artefact.Source, err)
			}
		}
		return nil
	})
	out.Took = recovery.Duration(time.Since(started).Round(time.Millisecond))
	return out, err
}
