package activities

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Backups dumps sources and commits sets. It needs no private key.
type Backups struct {
	Sources Sources
	Stores  Stores
	Slots   Slots
}

// DumpSourceInput names one attempt at one source of a set.
type DumpSourceInput struct {
	Service     string                   `json:"service"`
	Set         recovery.SetID           `json:"set"`
	Attempt     int                      `json:"attempt"`
	Source      recovery.SourceSpec      `json:"source"`
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
}

// DumpSource dumps a source in one pass to sealed objects of this attempt's own
// name and returns the artefact. Until a manifest names them, they are nothing.
func (b *Backups) DumpSource(ctx context.Context, in DumpSourceInput) (*recovery.Artefact, error) {
	ctx, w := begin(ctx, "dumping "+in.Source.Name)
	artefact, err := b.dump(ctx, in, w.progress)
	return artefact, w.finish(ctx, err)
}

func (b *Backups) dump(ctx context.Context, in DumpSourceInput, progress func(int64)) (*recovery.Artefact, error) {
	give, err := b.Slots.take(ctx)
	if err != nil {
		return nil, err
	}
	defer give()
	source, err := b.Sources.OpenSource(ctx, in.Source)
	if err != nil {
		return nil, err
	}
	store, err := b.Stores.OpenStore(ctx, in.Destination, in.Encryption)
	if err != nil {
		return nil, &atDestination{err, in.Destination.Name}
	}
	defer func() { _ = store.Close() }()
	size, err := source.Estimate(ctx)
	if err != nil {
		return nil, fmt.Errorf("size it up: %w", err)
	}

	var dump *recovery.Dump
	object, err := b.seal(ctx, store, in, recovery.RoleDump, recovery.DumpExt(in.Source.Kind), size, func(w io.Writer) error {
		var err error
		dump, err = source.Dump(ctx, recovery.DumpJob{Set: in.Set, Source: in.Source.Name, Attempt: in.Attempt}, w, progress)
		return err
	})
	if err != nil {
		return nil, err
	}
	artefact := &recovery.Artefact{
		Source: in.Source.Name, Kind: in.Source.Kind, Set: in.Set, Attempt: in.Attempt, Tables: in.Source.Tables,
		Snapshot: dump.Snapshot.UTC(), Dump: object, Mode: in.Source.Fingerprint,
		Tool: dump.Tool, ServerVersion: dump.ServerVersion, Extensions: dump.Extensions, Roles: dump.Roles,
	}
	return artefact, b.sealCompanions(ctx, store, in, dump, artefact)
}

// sealCompanions stores the small documents that belong to the dump.
func (b *Backups) sealCompanions(ctx context.Context, store Store, in DumpSourceInput, dump *recovery.Dump, a *recovery.Artefact) error {
	companions := dump.Companions
	if dump.Fingerprint != nil {
		content, err := dump.Fingerprint.Encode()
		if err != nil {
			return err
		}
		if a.Fingerprint, err = dump.Fingerprint.Digest(); err != nil {
			return err
		}
		companions = append(companions, recovery.Companion{Role: recovery.RoleFingerprint, Ext: "fingerprint.json", Content: content})
	}
	for _, c := range companions {
		object, err := b.seal(ctx, store, in, c.Role, c.Ext, int64(len(c.Content)), func(w io.Writer) error {
			_, err := w.Write(c.Content)
			return err
		})
		if err != nil {
			return fmt.Errorf("store its %s: %w", c.Role, err)
		}
		a.Companions = append(a.Companions, object)
	}
	return nil
}

func (b *Backups) seal(ctx context.Context, store Store, in DumpSourceInput, role, ext string, size int64, fill func(io.Writer) error) (recovery.Object, error) {
	name := recovery.ObjectName(in.Source.Name, in.Attempt, ext)
	var sourceErr error
	var sink witness
	object, err := store.Seal(ctx, recovery.SetPrefix(in.Service, in.Set)+name, size, func(w io.Writer) error {
		sink.Writer = w
		sourceErr = fill(&sink)
		return sourceErr
	})
	if err != nil && (sourceErr == nil || sink.err != nil) {
		err = &atDestination{err, in.Destination.Name}
	}
	object.Role, object.Name = role, name
	return object, err
}

// witness keeps the error of a write, to tell it from errors of what is written.
type witness struct {
	io.Writer
	err error
}

func (w *witness) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// PlanSetInput asks which sources are due.
type PlanSetInput struct {
	Service     string                   `json:"service"`
	Sources     []recovery.SourceSpec    `json:"sources"`
	TimeZone    string                   `json:"timeZone"`
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
}

// SetPlan says what a set is made of: the sources to dump, and artefacts of earlier
// sets for the others.
type SetPlan struct {
	Dump  []string            `json:"dump"`
	Refer []recovery.Artefact `json:"refer,omitempty"`
}

// PlanSet looks at the bucket to see which sources are due.
func (b *Backups) PlanSet(ctx context.Context, in PlanSetInput) (*SetPlan, error) {
	ctx, w := begin(ctx, "looking what is due")
	out, err := b.planSet(ctx, in)
	return out, w.finish(ctx, err)
}

func (b *Backups) planSet(ctx context.Context, in PlanSetInput) (*SetPlan, error) {
	zone, err := time.LoadLocation(in.TimeZone)
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, err, "mend timeZone in the config")
	}
	var there []recovery.Artefact
	err = b.withStore(ctx, in.Destination, in.Encryption, func(s Store) error {
		there, err = s.Artefacts(ctx, in.Service)
		return err
	})
	if err != nil {
		return nil, &atDestination{err, in.Destination.Name}
	}
	newest := map[string]time.Time{}
	for _, a := range there {
		newest[a.Source] = a.Snapshot
	}
	out := &SetPlan{Dump: recovery.Due(in.Sources, newest, zone, time.Now())}
	for _, source := range in.Sources {
		i := slices.IndexFunc(there, func(a recovery.Artefact) bool { return a.Source == source.Name })
		if i >= 0 && !slices.Contains(out.Dump, source.Name) {
			out.Refer = append(out.Refer, there[i])
		}
	}
	return out, nil
}

// CommitSetInput holds the manifest of a set whose artefacts are all stored.
type CommitSetInput struct {
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
	Manifest    recovery.Manifest        `json:"manifest"`
}

// CommitSet signs and writes the manifest: the one write from which on the set
// exists.
func (b *Backups) CommitSet(ctx context.Context, in CommitSetInput) error {
	ctx, w := begin(ctx, "committing "+string(in.Manifest.Set))
	err := b.withStore(ctx, in.Destination, in.Encryption, func(s Store) error { return s.Commit(ctx, &in.Manifest) })
	if err != nil {
		err = &atDestination{err, in.Destination.Name}
	}
	return w.finish(ctx, err)
}

// SweepInput names the set that is being made, or was.
type SweepInput struct {
	Service     string                   `json:"service"`
	Set         recovery.SetID           `json:"set"`
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
}

// Swept says what a janitor did.
type Swept struct {
	Removed int      `json:"removed"`
	Left    []string `json:"left,omitempty"` // what could not be removed, and why
}

// SweepSets removes uploads and objects that runs before this set left half-done.
func (b *Backups) SweepSets(ctx context.Context, in SweepInput) (*Swept, error) {
	return b.sweep(ctx, in, Store.SweepSets)
}

// SweepSet removes uploads and objects that lost attempts left of this set; if it
// was never committed, all of it.
func (b *Backups) SweepSet(ctx context.Context, in SweepInput) (*Swept, error) {
	return b.sweep(ctx, in, Store.SweepSet)
}

func (b *Backups) sweep(ctx context.Context, in SweepInput, sweep func(Store, context.Context, string, recovery.SetID) (int, []string, error)) (*Swept, error) {
	ctx, w := begin(ctx, "sweeping left-over objects")
	var out Swept
	err := b.withStore(ctx, in.Destination, in.Encryption, func(s Store) error {
		var err error
		out.Removed, out.Left, err = sweep(s, ctx, in.Service, in.Set)
		return err
	})
	return &out, w.finish(ctx, err)
}

// SweepHostInput names the sources that live on a host.
type SweepHostInput struct {
	Current recovery.SetID        `json:"current"`
	Sources []recovery.SourceSpec `json:"sources"`
}

// SweepHost removes temporary copies that earlier dumps left on the host.
func (b *Backups) SweepHost(ctx context.Context, in SweepHostInput) error {
	ctx, w := begin(ctx, "sweeping left-over copies")
	return w.finish(ctx, b.Sources.SweepCopies(ctx, in.Sources, in.Current))
}

func (b *Backups) withStore(ctx context.Context, dest recovery.DestinationSpec, enc recovery.EncryptionSpec, use func(Store) error) error {
	return useStore(ctx, b.Stores, dest, enc, use)
}

func useStore(ctx context.Context, stores Stores, dest recovery.DestinationSpec, enc recovery.EncryptionSpec, use func(Store) error) error {
	store, err := stores.OpenStore(ctx, dest, enc)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	return use(store)
}
