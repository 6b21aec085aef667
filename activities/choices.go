package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Choices chooses among the sets of a service, and among the copies of a set. It
// needs no private key.
type Choices struct {
	Stores Stores
}

// ChooseSetInput names the service, and a set or a copy if one is wanted.
type ChooseSetInput struct {
	Service      string                     `json:"service"`
	Set          recovery.SetID             `json:"set,omitempty"`
	Copy         string                     `json:"copy,omitempty"` // a destination's name
	Destinations []recovery.DestinationSpec `json:"destinations"`
	Encryption   recovery.EncryptionSpec    `json:"encryption"`
}

// ChosenSet is a set that may be restored, from where, and how long that will take.
type ChosenSet struct {
	Set      recovery.SetSummary `json:"set"`
	Copies   []string            `json:"copies"`   // the destinations to read it from, the best first
	Expected recovery.Duration   `json:"expected"` // median of the last restores, 0 if there was none
	Of       int                 `json:"of"`       // how many restores that is from
	Silent   []Trouble           `json:"silent,omitempty"`
}

// lookBack is how many sets are looked at to choose one and to expect how long it
// will take.
const lookBack = 50

// ChooseSet finds the wanted set, or the newest that was read back, wherever there
// is a copy of it.
func (c *Choices) ChooseSet(ctx context.Context, in ChooseSetInput) (*ChosenSet, error) {
	ctx, w := begin(ctx, "choosing a set")
	out, err := c.choose(ctx, in)
	return out, w.finish(ctx, err)
}

func (c *Choices) choose(ctx context.Context, in ChooseSetInput) (*ChosenSet, error) {
	lists, err := c.lists(ctx, in)
	if err != nil {
		return nil, err
	}
	sets := recovery.MergeCopies(lists)
	chosen, err := recovery.ChooseSet(in.Service, sets, in.Set)
	if err != nil {
		return nil, err
	}
	out := &ChosenSet{Set: *chosen, Silent: silent(lists)}
	for _, at := range chosen.Copies {
		if at.Standing.Usable() {
			out.Copies = append(out.Copies, at.Destination)
		}
	}
	out.Expected, out.Of = recovery.ExpectRestore(sets)
	return out, nil
}

// lists asks all destinations at once, or the wanted one. The error is that of the
// first if none answers.
func (c *Choices) lists(ctx context.Context, in ChooseSetInput) ([]recovery.CopyList, error) {
	var asked []recovery.DestinationSpec
	for _, d := range in.Destinations {
		if in.Copy == "" || in.Copy == d.Name {
			asked = append(asked, d)
		}
	}
	if len(asked) == 0 {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("read copy %q: there is no such destination", in.Copy), "`starter config check` lists the destinations")
	}
	return askSets(ctx, c.Stores, asked, in.Encryption, func(ctx context.Context, s Store, list *recovery.CopyList) (err error) {
		list.Sets, err = s.Summaries(ctx, in.Service, in.Set, lookBack)
		return err
	})
}

func silent(lists []recovery.CopyList) []Trouble {
	var all []Trouble
	for _, l := range lists {
		if l.Unavailable != "" {
			all = append(all, Trouble{Destination: l.Destination, Error: l.Unavailable})
		}
	}
	return all
}

// ChooseCopyInput names the service, and a set or a copy if one is wanted.
type ChooseCopyInput struct {
	ChooseSetInput
	// Rotate chooses the destination whose copies were not restored for the longest.
	Rotate bool `json:"rotate,omitempty"`
}

// ChosenCopy names one copy of a set.
type ChosenCopy struct {
	Set  recovery.SetID `json:"set"`
	Copy string         `json:"copy"`
}

// ChooseCopy finds a copy to verify: of the wanted set, or of the newest backup,
// readable or not.
func (c *Choices) ChooseCopy(ctx context.Context, in ChooseCopyInput) (*ChosenCopy, error) {
	ctx, w := begin(ctx, "choosing a copy")
	lists, err := c.lists(ctx, in.ChooseSetInput)
	if err != nil {
		return nil, w.finish(ctx, err)
	}
	var chosen *ChosenCopy
	var tried time.Time
	var untold error
	for _, l := range lists {
		set := newestBackup(l.Sets, in.Set)
		if set == "" || chosen != nil && !in.Rotate {
			continue
		}
		last, lastErr := c.lastTried(ctx, in, l.Destination)
		if lastErr != nil {
			untold = firstOf(untold, lastErr) // one that does not tell now is another week's
		} else if chosen == nil || last.Before(tried) {
			chosen, tried = &ChosenCopy{Set: set, Copy: l.Destination}, last
		}
	}
	switch {
	case chosen != nil:
	case untold != nil:
		err = untold
	case in.Set != "":
		err = fmt.Errorf("find set %s of %s: %w", in.Set, in.Service, recovery.ErrNotFound)
	default:
		err = fmt.Errorf("find the newest set of %s: %w", in.Service, recovery.ErrNotFound)
	}
	return chosen, w.finish(ctx, missing(in.Service, err))
}

// newestBackup finds the wanted set, or the newest that no restore made for itself:
// one that cannot be read is bad news that must be heard.
func newestBackup(sets []recovery.SetSummary, wanted recovery.SetID) recovery.SetID {
	for _, s := range sets {
		if s.Set == wanted || wanted == "" && s.Purpose == "" {
			return s.Set
		}
	}
	return ""
}

// lastTried is when a restore from a destination was last tried.
func (c *Choices) lastTried(ctx context.Context, in ChooseCopyInput, destination string) (time.Time, error) {
	if !in.Rotate {
		return time.Time{}, nil
	}
	i := slices.IndexFunc(in.Destinations, func(d recovery.DestinationSpec) bool { return d.Name == destination })
	return Within(ctx, listWithin, destination, func(ctx context.Context) (last time.Time, err error) {
		err = useStore(ctx, c.Stores, in.Destinations[i], in.Encryption, func(s Store) error {
			last, err = s.LastTried(ctx, in.Service)
			return err
		})
		return last, err
	})
}

// ThawSetInput names a set, and says whether to fetch what lies in cold storage.
type ThawSetInput struct {
	Manifest    recovery.Manifest        `json:"manifest"`
	Fetch       bool                     `json:"fetch"`
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
}

// ThawSet says whether all of a set can be read; what cannot is asked for if wanted.
func (c *Choices) ThawSet(ctx context.Context, in ThawSetInput) (*recovery.Thawing, error) {
	ctx, w := begin(ctx, "looking whether "+string(in.Manifest.Set)+" is in cold storage")
	var out *recovery.Thawing
	err := useStore(ctx, c.Stores, in.Destination, in.Encryption, func(s Store) error {
		var err error
		out, err = s.Thaw(ctx, &in.Manifest, in.Fetch)
		return err
	})
	return out, w.finish(ctx, err)
}
