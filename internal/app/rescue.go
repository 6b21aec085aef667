package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// Rescue restores a recovery set where nothing of Lifeboat is but its recovery kit:
// no config, no Temporal, no worker. It replaces nothing.
type Rescue struct {
	Vault      *vault.Vault
	Identities []age.Identity
	Server     string            // URL of a maintenance database, as a superuser; empty: no PostgreSQL
	ToolDirs   []string          // where to look for pg_restore and pg_dump first
	Folder     string            // for SQLite files, absolute; empty: none
	Databases  map[string]string // names of databases by source; by default a source's own name
	// Accept keeps also what differs from its source as it was.
	Accept bool
	Tell   func(RescueStep)
}

// RescueStep says what is being done.
type RescueStep struct {
	Source string
	Doing  string // "restoring", "comparing", …
	Bytes  int64  // of Of, in clear; 0 where nothing is counted
	Of     int64
}

// Rescued is a source that is back.
type Rescued struct {
	Source      string                `json:"source"`
	Kind        string                `json:"kind"`
	Where       string                `json:"where"` // name of the database, or path of the file
	Snapshot    time.Time             `json:"snapshot"`
	Rows        int64                 `json:"rows"`
	Equal       bool                  `json:"equal"`    // it holds the rows that its source held
	Compared    bool                  `json:"compared"` // false: the set has no fingerprint of it
	Differences []recovery.Difference `json:"differences,omitempty"`
	Complaints  []string              `json:"complaints,omitempty"`
	Roles       []string              `json:"roles,omitempty"` // that it refers to
	Took        recovery.Duration     `json:"took"`
}

// ErrDiffers is wrapped by the error that a restored copy does not hold what its
// source held.
var ErrDiffers = errors.New("it does not hold what its source held")

// Restore restores all artefacts of a set and compares each with its fingerprint.
// They get the names that were wanted only when all of them are there; after an
// error none is left under such a name, or the error says which.
func (r *Rescue) Restore(ctx context.Context, m *recovery.Manifest) (done []Rescued, err error) {
	work, err := os.MkdirTemp("", "lifeboat-recover-") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("make a folder to work in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	copies, err := r.copies(m, work)
	if err != nil {
		return nil, err
	}
	if err := r.check(ctx, m, copies); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dropRescued(ctx, copies))
		}
	}()
	for _, c := range copies {
		rescued, err := r.one(ctx, m.Service, c)
		if err != nil {
			return nil, fmt.Errorf("restore %s: %w", c.artefact.Source, err)
		}
		done = append(done, *rescued)
	}
	for i, c := range copies {
		if err := c.keep(ctx); err != nil {
			return nil, fmt.Errorf("give %s its name%s: %w", c.artefact.Source, inPlaceAlready(done[:i]), err)
		}
		c.kept = true
	}
	return done, nil
}

func inPlaceAlready(done []Rescued) string {
	var names []string
	for _, d := range done {
		names = append(names, d.Where)
	}
	if len(names) == 0 {
		return ""
	}
	return " (in place already: " + strings.Join(names, ", ") + ")"
}

// cleanupTime bounds what is done after the command was interrupted.
const cleanupTime = 30 * time.Second

func dropRescued(ctx context.Context, copies []*rescueCopy) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	var errs []error
	for _, c := range copies {
		if c.kept {
			continue
		}
		if err := c.drop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("remove what was restored of %s: %w", c.artefact.Source, err))
		}
	}
	return errors.Join(errs...)
}

// check finds out before anything is made whether all that is needed is there.
func (r *Rescue) check(ctx context.Context, m *recovery.Manifest, copies []*rescueCopy) error {
	if err := r.checkKey(ctx, m); err != nil {
		return err
	}
	for _, c := range copies {
		r.tell(RescueStep{Source: c.artefact.Source, Doing: "checking " + c.where})
		if err := c.vacant(ctx); err != nil {
			return fmt.Errorf("restore %s: %w", c.artefact.Source, err)
		}
		if err := c.Preflight(ctx); err != nil {
			return fmt.Errorf("restore %s: %w", c.artefact.Source, err)
		}
	}
	return nil
}

// checkKey opens the smallest object of the set.
func (r *Rescue) checkKey(ctx context.Context, m *recovery.Manifest) error {
	var of *recovery.Artefact
	var smallest recovery.Object
	for i := range m.Artefacts {
		for _, o := range m.Artefacts[i].Objects() {
			if of == nil || o.Size < smallest.Size {
				of, smallest = &m.Artefacts[i], o
			}
		}
	}
	err := r.open(ctx, m.Service, of, smallest, func(io.Reader) error { return nil })
	if recovery.KindOf(err) == recovery.Permanent {
		return recovery.NewFault(recovery.Permanent, errors.New("try the secret key: it does not open this set"),
			"the kit is that of another installation, or the key was mistyped: compare it with the printed page")
	}
	return err
}

// one restores a copy and compares it.
func (r *Rescue) one(ctx context.Context, service string, c *rescueCopy) (*Rescued, error) {
	a := &c.artefact
	began := time.Now()
	done := &Rescued{Source: a.Source, Kind: a.Kind, Where: c.where, Snapshot: a.Snapshot, Roles: a.Roles}
	database, err := r.companion(ctx, service, a, recovery.RoleDatabase)
	if err != nil {
		return nil, err
	}
	step := RescueStep{Source: a.Source, Doing: "restoring", Of: a.Dump.PlainSize}
	r.tell(step)
	err = r.open(ctx, service, a, a.Dump, func(dump io.Reader) error {
		restored, err := c.Restore(ctx, database, dump, func(n int64) {
			step.Bytes = n
			r.tell(step)
		})
		if err == nil {
			done.Complaints = restored.Complaints
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := r.compare(ctx, service, c, done); err != nil {
		return nil, err
	}
	done.Took = recovery.Duration(time.Since(began).Round(time.Millisecond))
	if done.Compared && !done.Equal && !r.Accept {
		return nil, recovery.NewFault(recovery.Damaged, fmt.Errorf("%w: %s", ErrDiffers, firstOf(done.Differences)), "")
	}
	return done, nil
}

// firstOf names the first differences.
func firstOf(diffs []recovery.Difference) string {
	const shown = 3
	var lines []string
	for _, d := range diffs[:min(len(diffs), shown)] {
		lines = append(lines, d.String())
	}
	if more := len(diffs) - shown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

// compare says in done whether the copy holds what its source held. A definition
// that is worded differently is told and changes nothing about that.
func (r *Rescue) compare(ctx context.Context, service string, c *rescueCopy, done *Rescued) error {
	a := &c.artefact
	if a.Mode == recovery.FingerprintOff {
		return nil
	}
	r.tell(RescueStep{Source: a.Source, Doing: "comparing"})
	text, err := r.companion(ctx, service, a, recovery.RoleFingerprint)
	if err != nil {
		return err
	}
	want, err := recovery.DecodeFingerprint(text, a.Fingerprint)
	if err != nil {
		return err
	}
	got, err := c.Fingerprint(ctx)
	if err != nil {
		return err
	}
	diffs := recovery.Compare(want, got)
	if recovery.AnyText(diffs) {
		var reworded *recovery.Fingerprint
		err := peekSealed(ctx, r.Vault, r.Identities, a.Key(service, a.Dump), func(dump io.Reader) error {
			reworded, err = c.Definitions(ctx, dump)
			return err
		})
		if err != nil {
			return err
		}
		if reworded != nil {
			diffs = recovery.DropReworded(diffs, reworded, got)
		}
	}
	// The schemas of chosen tables are made for them, and are not in their dump.
	diffs = slices.DeleteFunc(diffs, func(d recovery.Difference) bool {
		return d.Kind == recovery.DifferentPresence && strings.HasPrefix(d.What, "SCHEMA ")
	})
	done.Compared, done.Rows, done.Differences = true, got.Rows(), diffs
	done.Equal = len(diffs) == 0 || recovery.OnlyText(diffs)
	return nil
}

// companion returns the plain bytes of a companion, nil if there is none.
func (r *Rescue) companion(ctx context.Context, service string, a *recovery.Artefact, role string) ([]byte, error) {
	o, ok := a.Companion(role)
	if !ok {
		return nil, nil
	}
	var content bytes.Buffer
	err := r.open(ctx, service, a, o, func(plain io.Reader) error {
		_, err := content.ReadFrom(plain)
		return err
	})
	return content.Bytes(), err
}

// open hands the plain bytes of an object to use, and names the object if it is not
// what was stored.
func (r *Rescue) open(ctx context.Context, service string, a *recovery.Artefact, o recovery.Object, use func(io.Reader) error) error {
	err := openSealed(ctx, r.Vault, r.Identities, a.Key(service, o), o, nil, use)
	if recovery.KindOf(err) == recovery.Damaged {
		return fmt.Errorf("read %s: %w", o.Name, err)
	}
	return err
}

func (r *Rescue) tell(step RescueStep) {
	if r.Tell != nil {
		r.Tell(step)
	}
}
