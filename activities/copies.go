package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Copies brings recovery sets from one destination to another, sealed as they are.
// It needs no private key. Its slots are its own: a slow destination must not hold up
// what dumps and restores.
type Copies struct {
	Stores Stores
	Slots  Slots
}

// CopySetInput names a set, the destinations that may have it, and the one that is
// to get it.
type CopySetInput struct {
	Service    string                     `json:"service"`
	Set        recovery.SetID             `json:"set"`
	From       []recovery.DestinationSpec `json:"from"` // tried in this order
	To         recovery.DestinationSpec   `json:"to"`
	Encryption recovery.EncryptionSpec    `json:"encryption"`
}

// CopiedSet says what was copied. Objects that were there already are counted, not
// moved.
type CopiedSet struct {
	From    string            `json:"from"`
	Objects int               `json:"objects"`
	Bytes   int64             `json:"bytes"`
	Took    recovery.Duration `json:"took"`
}

// CopySet copies a set from the first destination that has a good copy: each object
// checked on its way against the signed manifest, and the manifest last. What
// earlier tries copied is not copied again.
func (c *Copies) CopySet(ctx context.Context, in CopySetInput) (*CopiedSet, error) {
	ctx, w := begin(ctx, "copying "+string(in.Set)+" to "+in.To.Name)
	out, err := c.copySet(ctx, in, w.progress)
	return out, w.finish(ctx, err)
}

func (c *Copies) copySet(ctx context.Context, in CopySetInput, progress func(int64)) (*CopiedSet, error) {
	to, err := c.Stores.OpenStore(ctx, in.To, in.Encryption)
	if err != nil {
		return nil, &atDestination{err, in.To.Name}
	}
	defer func() { _ = to.Close() }()
	_, err = Within(ctx, checkWithin, in.To.Name, func(ctx context.Context) (struct{}, error) { return struct{}{}, to.Check(ctx) })
	if err != nil {
		return nil, &atDestination{err, in.To.Name}
	}
	give, err := c.Slots.take(ctx) // by now it is worth waiting for
	if err != nil {
		return nil, err
	}
	defer give()
	started := time.Now()
	var first error
	for _, dest := range in.From {
		var out *CopiedSet
		err := useStore(ctx, c.Stores, dest, in.Encryption, func(from Store) error {
			var err error
			out, err = copyFrom(ctx, in, from, to, progress)
			return err
		})
		if err == nil {
			out.From, out.Took = dest.Name, recovery.Duration(time.Since(started).Round(time.Millisecond))
			return out, nil
		}
		if _, target := errors.AsType[*atDestination](err); target || ctx.Err() != nil {
			return nil, err // no other source helps
		}
		if first == nil || isFinal(first) && !isFinal(err) { // one that may answer later is worth waiting for
			first = err
		}
	}
	return nil, missing(in.Service, first)
}

// isFinal says whether trying again is of no use.
func isFinal(err error) bool {
	return recovery.KindOf(err) != recovery.Unavailable || errors.Is(err, recovery.ErrNotFound)
}

func copyFrom(ctx context.Context, in CopySetInput, from, to Store, progress func(int64)) (*CopiedSet, error) {
	m, signed, err := from.SignedManifest(ctx, in.Service, in.Set)
	if err != nil {
		return nil, err
	}
	out := &CopiedSet{}
	for i := range m.Artefacts {
		a := &m.Artefacts[i]
		for _, o := range a.Objects() {
			if err := copyObject(ctx, from, to, in, a.Key(in.Service, o), o, func(n int64) { progress(out.Bytes + n) }); err != nil {
				return nil, fmt.Errorf("copy %s of %s: %w", o.Name, a.Source, err)
			}
			out.Objects++
			out.Bytes += o.Size
		}
	}
	if err := to.Adopt(ctx, m, signed); err != nil {
		return nil, &atDestination{err, in.To.Name}
	}
	return out, nil
}

// copyObject copies one object, unless the very same is there.
func copyObject(ctx context.Context, from, to Store, in CopySetInput, key string, o recovery.Object, progress func(int64)) error {
	var readErr error
	var sink witness
	err := to.Receive(ctx, key, o, progress, func(w io.Writer) error {
		sink.Writer = w
		readErr = from.Send(ctx, key, o, &sink, progress)
		return readErr
	})
	if err != nil && (readErr == nil || sink.err != nil) {
		return &atDestination{err, in.To.Name}
	}
	return err
}

// FindMissingInput names a service and its destinations.
type FindMissingInput struct {
	Service      string                     `json:"service"`
	Destinations []recovery.DestinationSpec `json:"destinations"`
	Encryption   recovery.EncryptionSpec    `json:"encryption"`
}

// MissingCopy is a set that a destination lacks.
type MissingCopy struct {
	Set recovery.SetID `json:"set"`
	To  string         `json:"to"`
}

// comparedSets is how many of the newest sets of each destination are compared.
const comparedSets = 200

// FindMissing lists the copies that destinations lack, the newest first. One that
// does not answer now is left out.
func (c *Copies) FindMissing(ctx context.Context, in FindMissingInput) ([]MissingCopy, error) {
	ctx, w := begin(ctx, "looking which copies are missing")
	// That none answers is no error here: then nothing can be copied, either.
	lists, _ := askSets(ctx, c.Stores, in.Destinations, in.Encryption, func(ctx context.Context, s Store, list *recovery.CopyList) (err error) {
		if list.Sets, err = s.Summaries(ctx, in.Service, "", comparedSets); err != nil {
			return err
		}
		list.Pruned, err = s.Tombstones(ctx, in.Service)
		return err
	})
	var from recovery.SetID // what is older, not every list goes back to
	for _, list := range lists {
		if n := len(list.Sets); n == comparedSets {
			from = max(from, list.Sets[n-1].Set)
		}
	}
	behind := recovery.Behind(lists)
	var missing []MissingCopy
	for _, d := range in.Destinations {
		for _, set := range behind[d.Name] {
			if set >= from {
				missing = append(missing, MissingCopy{Set: set, To: d.Name})
			}
		}
	}
	return missing, w.finish(ctx, ctx.Err())
}
