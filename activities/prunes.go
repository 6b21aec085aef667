package activities

import (
	"context"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Prunes removes the sets that retention does not keep. It needs no private key,
// and may have credentials of its own.
type Prunes struct {
	Stores Stores
	Runs   Runs
}

// PlanPruneInput names a service at a destination, and what uses its sets.
type PlanPruneInput struct {
	Service     string                   `json:"service"`
	Rules       recovery.PruneRules      `json:"rules"`
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
	// Users are the types of the workflows that may be reading any set of the service.
	Users []string `json:"users"`
}

// PrunePlan says what happens to each set of a service at a destination.
type PrunePlan struct {
	Fates []recovery.Fate `json:"fates"` // of those that go, and those that change class
	Kept  int             `json:"kept"`
	// Waits names the run because of which nothing is removed now.
	Waits string `json:"waits,omitempty"`
}

// PlanPrune decides which sets go. While a run may be reading any of them, none
// does.
func (p *Prunes) PlanPrune(ctx context.Context, in PlanPruneInput) (*PrunePlan, error) {
	ctx, w := begin(ctx, "looking what may be removed")
	out, err := p.plan(ctx, in)
	return out, w.finish(ctx, err)
}

func (p *Prunes) plan(ctx context.Context, in PlanPruneInput) (*PrunePlan, error) {
	running, err := p.Runs.Running(ctx, in.Service, in.Users)
	if err != nil {
		return nil, err
	}
	if len(running) > 0 {
		return &PrunePlan{Waits: running[0]}, nil
	}
	var fates []recovery.Fate
	err = useStore(ctx, p.Stores, in.Destination, in.Encryption, func(s Store) error {
		holdings, err := s.Holdings(ctx, in.Service)
		if err != nil {
			return err
		}
		fates, err = recovery.PlanPrune(in.Rules, holdings, nil, time.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &PrunePlan{}
	for _, f := range fates {
		switch {
		case !f.Keep:
			out.Fates = append(out.Fates, f)
		case in.Destination.Classes[f.ClassTier] != "":
			out.Fates = append(out.Fates, f)
			out.Kept++
		default:
			out.Kept++
		}
	}
	return out, nil
}

// PruneSetInput names a set that goes, and why.
type PruneSetInput struct {
	Service     string                   `json:"service"`
	Fate        recovery.Fate            `json:"fate"`
	Users       []string                 `json:"users"` // as in PlanPruneInput
	Run         recovery.RunRef          `json:"run"`
	Decided     time.Time                `json:"decided"`
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
}

// PruneSet removes a set, with the credentials that may, unless a run may be reading
// it by now.
func (p *Prunes) PruneSet(ctx context.Context, in PruneSetInput) (*recovery.PrunedSet, error) {
	ctx, w := begin(ctx, "removing "+string(in.Fate.Set))
	running, err := p.Runs.Running(ctx, in.Service, in.Users)
	if err != nil || len(running) > 0 {
		return &recovery.PrunedSet{Waits: strings.Join(running, ", ")}, w.finish(ctx, err)
	}
	var out *recovery.PrunedSet
	err = useStore(ctx, p.Stores, in.Destination.ForPruning(), in.Encryption, func(s Store) error {
		var err error
		out, err = s.Prune(ctx, &recovery.Tombstone{
			Format: recovery.TombstoneFormat, Service: in.Service, Set: in.Fate.Set, Destination: in.Destination.Name, Pruned: in.Decided, Why: in.Fate.Why, Run: in.Run, Size: in.Fate.Size,
		})
		return err
	})
	return out, w.finish(ctx, err)
}

// ReclassSetInput names a set that only a longer tier keeps, and its class.
type ReclassSetInput struct {
	Service     string                   `json:"service"`
	Set         recovery.SetID           `json:"set"`
	Class       string                   `json:"class"`
	Users       []string                 `json:"users"` // as in PlanPruneInput
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
}

// ReclassSet moves a set to a storage class, and returns how many objects it moved:
// none while a run may be reading it.
func (p *Prunes) ReclassSet(ctx context.Context, in ReclassSetInput) (int, error) {
	ctx, w := begin(ctx, "moving "+string(in.Set)+" to "+in.Class)
	moved := 0
	running, err := p.Runs.Running(ctx, in.Service, in.Users)
	if err != nil || len(running) > 0 {
		return 0, w.finish(ctx, err)
	}
	err = useStore(ctx, p.Stores, in.Destination.ForPruning(), in.Encryption, func(s Store) error {
		var err error
		moved, err = s.Reclass(ctx, in.Service, in.Set, in.Class)
		return err
	})
	return moved, w.finish(ctx, err)
}

// AbortStaleInput names a destination, and how old an upload may be.
type AbortStaleInput struct {
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
	OlderThan   recovery.Duration        `json:"olderThan"`
}

// AbortStale removes uploads that nobody will end any more: they cost as much as
// objects, and no list shows them.
func (p *Prunes) AbortStale(ctx context.Context, in AbortStaleInput) (int, error) {
	ctx, w := begin(ctx, "removing unfinished uploads")
	removed := 0
	err := useStore(ctx, p.Stores, in.Destination.ForPruning(), in.Encryption, func(s Store) error {
		var err error
		removed, err = s.AbortStale(ctx, in.OlderThan)
		return err
	})
	return removed, w.finish(ctx, err)
}
