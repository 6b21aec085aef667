package activities

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Restores opens sealed bytes: its steps run only where the private key is.
type Restores struct {
	Stores  Stores
	Staging Staging
	Slots   Slots
}

// ReadBack fetches and opens every object of an artefact, with a negative control.
func (r *Restores) ReadBack(ctx context.Context, in CheckInput) (*Checked, error) {
	ctx, w := begin(ctx, "reading back "+in.Artefact.Source)
	give, err := r.Slots.take(ctx)
	if err != nil {
		return nil, w.finish(ctx, err)
	}
	defer give()
	out, err := checkObjects(ctx, r.Stores, in, func(s Store, key string, o recovery.Object) error {
		return s.ReadBack(ctx, key, o, w.progress)
	})
	return out, w.finish(ctx, err)
}

// StagingInput says which artefacts of which run are tried out.
type StagingInput struct {
	Plan   recovery.Plan `json:"plan"`
	Copies []CopyRef     `json:"copies"`
}

// PrepareStaging sweeps what ended runs left on staging, then checks that
// staging can hold the copies. What it lacks is a permanent error.
func (r *Restores) PrepareStaging(ctx context.Context, in StagingInput) error {
	ctx, w := begin(ctx, "preparing staging")
	return w.finish(ctx, r.prepare(ctx, in))
}

func (r *Restores) prepare(ctx context.Context, in StagingInput) error {
	if _, err := r.Staging.Sweep(ctx, &in.Plan); recovery.KindOf(err) == recovery.Permanent {
		// What cannot be removed must not keep every set from being proven.
		activity.GetLogger(ctx).Warn("sweep staging", "error", err)
	} else if err != nil {
		return fmt.Errorf("sweep staging: %w", err)
	}
	for _, ref := range in.Copies {
		c, err := r.Staging.OpenCopy(ctx, &in.Plan, ref)
		if err != nil {
			return err
		}
		if err := c.Preflight(ctx); err != nil {
			return fmt.Errorf("for %s: %w", ref.Artefact.Source, err)
		}
	}
	return nil
}

// CopyInput names one copy.
type CopyInput struct {
	Plan recovery.Plan `json:"plan"`
	Copy CopyRef       `json:"copy"`
}

// RestoredCopy says how a restore went; whether it is right, CompareCopy tells.
type RestoredCopy struct {
	PlainSize  int64             `json:"plainSize"`
	Complaints []string          `json:"complaints,omitempty"`
	Took       recovery.Duration `json:"took"`
}

// RestoreArtefact restores an artefact to a copy of its own on staging.
func (r *Restores) RestoreArtefact(ctx context.Context, in CopyInput) (*RestoredCopy, error) {
	ctx, w := begin(ctx, "restoring "+in.Copy.Artefact.Source)
	out, err := r.restore(ctx, in, w.progress)
	return out, w.finish(ctx, err)
}

func (r *Restores) restore(ctx context.Context, in CopyInput, progress func(int64)) (*RestoredCopy, error) {
	give, err := r.Slots.take(ctx)
	if err != nil {
		return nil, err
	}
	defer give()
	started := time.Now()
	a := &in.Copy.Artefact
	c, err := r.Staging.OpenCopy(ctx, &in.Plan, in.Copy)
	if err != nil {
		return nil, err
	}
	var restored *recovery.Restored
	err = useStore(ctx, r.Stores, in.Plan.Destination, in.Plan.Encryption, func(s Store) error {
		database, err := readCompanion(ctx, s, in, recovery.RoleDatabase)
		if err != nil {
			return err
		}
		return s.Unseal(ctx, a.Key(in.Plan.Service, a.Dump), a.Dump, func(dump io.Reader) error {
			restored, err = c.Restore(ctx, database, dump, progress)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return &RestoredCopy{
		PlainSize: restored.PlainSize, Complaints: restored.Complaints,
		Took: recovery.Duration(time.Since(started).Round(time.Millisecond)),
	}, nil
}

// Compared is how a restored copy compares with its source at the moment of the
// dump.
type Compared struct {
	Compared    bool                  `json:"compared"` // false: the dump has no fingerprint
	Rows        int64                 `json:"rows"`
	Differences []recovery.Difference `json:"differences,omitempty"`
	More        int                   `json:"more,omitempty"` // differences not named
	// OnlyTexts is true if every difference is in the wording of definitions.
	OnlyTexts bool `json:"onlyTexts,omitempty"`
	// OtherVersion is true if staging's server is of another version than the
	// source's, so that texts may differ without meaning anything.
	OtherVersion bool `json:"otherVersion,omitempty"`
}

// CompareCopy dumps the copy through the reader that read the source, keeps
// nothing of it, and compares. Texts of definitions that PostgreSQL re-words
// are compared after the dump's own definitions went through one restore.
func (r *Restores) CompareCopy(ctx context.Context, in CopyInput) (*Compared, error) {
	ctx, w := begin(ctx, "comparing "+in.Copy.Artefact.Source)
	out, err := r.compare(ctx, in)
	return out, w.finish(ctx, err)
}

func (r *Restores) compare(ctx context.Context, in CopyInput) (*Compared, error) {
	a := &in.Copy.Artefact
	if a.Mode == recovery.FingerprintOff {
		return &Compared{}, nil
	}
	give, err := r.Slots.take(ctx)
	if err != nil {
		return nil, err
	}
	defer give()
	c, err := r.Staging.OpenCopy(ctx, &in.Plan, in.Copy)
	if err != nil {
		return nil, err
	}
	var diffs []recovery.Difference
	var rows int64
	var version string
	err = useStore(ctx, r.Stores, in.Plan.Destination, in.Plan.Encryption, func(s Store) error {
		want, err := readFingerprint(ctx, s, in)
		if err != nil {
			return err
		}
		rows = want.Rows()
		got, err := c.Fingerprint(ctx)
		if err != nil {
			return err
		}
		if version, err = c.ServerVersion(ctx); err != nil {
			return err
		}
		diffs = recovery.Compare(want, got)
		if !recovery.AnyText(diffs) {
			return nil
		}
		diffs, err = r.explain(ctx, s, c, in, got, diffs)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &Compared{Compared: true, Rows: rows, Differences: diffs, OnlyTexts: recovery.OnlyText(diffs), OtherVersion: version != a.ServerVersion}
	if n := len(diffs) - recovery.MaxDifferences; n > 0 {
		out.Differences, out.More = diffs[:recovery.MaxDifferences], n
	}
	return out, nil
}

// explain compares the texts of definitions again, with the dump's own ones
// restored once; all other differences stand.
func (r *Restores) explain(ctx context.Context, s Store, c Copy, in CopyInput, got *recovery.Fingerprint, diffs []recovery.Difference) ([]recovery.Difference, error) {
	a := &in.Copy.Artefact
	var reworded *recovery.Fingerprint
	err := s.Peek(ctx, a.Key(in.Plan.Service, a.Dump), func(dump io.Reader) error {
		var err error
		reworded, err = c.Definitions(ctx, dump)
		return err
	})
	if err != nil || reworded == nil {
		return diffs, err
	}
	return recovery.DropReworded(diffs, reworded, got), nil
}

// SmokeTest starts the service on the restored copies and tries it out.
func (r *Restores) SmokeTest(ctx context.Context, in StagingInput) (*recovery.SmokeProof, error) {
	return tryOut(ctx, r.Staging, in)
}

func tryOut(ctx context.Context, staging Staging, in StagingInput) (*recovery.SmokeProof, error) {
	ctx, w := begin(ctx, "trying out the service on the restored data")
	copies := map[string]Copy{}
	for _, ref := range in.Copies {
		c, err := staging.OpenCopy(ctx, &in.Plan, ref)
		if err != nil {
			return nil, w.finish(ctx, err)
		}
		copies[ref.Artefact.Source] = c
	}
	proof, err := staging.Smoke(ctx, &in.Plan, copies)
	return proof, w.finish(ctx, err)
}

// CleanStaging drops the copies of a run, and whatever attempts that were lost
// left beside them. It may be called again.
func (r *Restores) CleanStaging(ctx context.Context, in StagingInput) error {
	ctx, w := begin(ctx, "cleaning up staging")
	return w.finish(ctx, dropCopies(ctx, r.Staging, in))
}

func dropCopies(ctx context.Context, staging Staging, in StagingInput) error {
	for _, ref := range in.Copies {
		c, err := staging.OpenCopy(ctx, &in.Plan, ref)
		if err != nil {
			return err
		}
		if err := c.Drop(ctx); err != nil {
			return fmt.Errorf("drop the copy of %s: %w", ref.Artefact.Source, err)
		}
		if err := staging.Release(ctx, &in.Plan, ref); err != nil {
			return err
		}
	}
	return nil
}

func readFingerprint(ctx context.Context, s Store, in CopyInput) (*recovery.Fingerprint, error) {
	content, err := readCompanion(ctx, s, in, recovery.RoleFingerprint)
	if err != nil {
		return nil, err
	}
	return recovery.DecodeFingerprint(content, in.Copy.Artefact.Fingerprint)
}

// readCompanion returns the plain bytes of a companion, nil if there is none.
func readCompanion(ctx context.Context, s Store, in CopyInput, role string) ([]byte, error) {
	a := &in.Copy.Artefact
	o, ok := a.Companion(role)
	if !ok {
		return nil, nil
	}
	var content bytes.Buffer
	err := s.Unseal(ctx, a.Key(in.Plan.Service, o), o, func(plain io.Reader) error {
		content.Reset()
		_, err := content.ReadFrom(plain)
		return err
	})
	return content.Bytes(), err
}
