package activities

import (
	"context"
	"errors"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Destinations finds out which destinations answer. It needs no private key.
type Destinations struct {
	Stores Stores
}

// lookAgain is how often a destination that does not answer is looked at.
const lookAgain = 10 * time.Second

// ChooseDestinationInput lists destinations, the preferred one first.
type ChooseDestinationInput struct {
	Destinations []recovery.DestinationSpec `json:"destinations"`
	Encryption   recovery.EncryptionSpec    `json:"encryption"`
}

// ChosenDestination is the first that answers, and what was the matter with those
// before it.
type ChosenDestination struct {
	Name   string    `json:"name"`
	Passed []Trouble `json:"passed,omitempty"`
}

// Trouble is a destination that cannot be used, and why.
type Trouble struct {
	Destination string `json:"destination"`
	Error       string `json:"error"`
}

// ChooseDestination finds the first destination that answers. One that a person
// must mend is passed over like one that is down: what can be saved is saved. If
// there is none, the error is that of the first.
func (d *Destinations) ChooseDestination(ctx context.Context, in ChooseDestinationInput) (*ChosenDestination, error) {
	ctx, w := begin(ctx, "looking which destination answers")
	var out ChosenDestination
	var first error
	for _, dest := range in.Destinations {
		err := d.check(ctx, dest, in.Encryption)
		if err == nil {
			out.Name = dest.Name
			return &out, w.finish(ctx, nil)
		}
		first = firstOf(first, err)
		out.Passed = append(out.Passed, Trouble{Destination: dest.Name, Error: err.Error()})
	}
	return nil, w.finish(ctx, first)
}

func firstOf(first, err error) error {
	if first != nil {
		return first
	}
	return err
}

func (d *Destinations) check(ctx context.Context, dest recovery.DestinationSpec, enc recovery.EncryptionSpec) error {
	_, err := Within(ctx, checkWithin, dest.Name, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, useStore(ctx, d.Stores, dest, enc, func(s Store) error { return s.Check(ctx) })
	})
	return err
}

// AwaitDestinationInput names a destination, and how long to wait for it.
type AwaitDestinationInput struct {
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
	For         recovery.Duration        `json:"for"`
}

// Awaited says whether a destination answers now, and if not, why.
type Awaited struct {
	Answers bool   `json:"answers"`
	Error   string `json:"error,omitempty"`
}

// AwaitDestination waits until a destination answers, or until For has passed: an
// outage of days is one step, not thousands.
func (d *Destinations) AwaitDestination(ctx context.Context, in AwaitDestinationInput) (*Awaited, error) {
	ctx, w := begin(ctx, "waiting for destination "+in.Destination.Name)
	out, err := d.await(ctx, in)
	return out, w.finish(ctx, err)
}

func (d *Destinations) await(ctx context.Context, in AwaitDestinationInput) (*Awaited, error) {
	end := time.NewTimer(in.For.Std())
	defer end.Stop()
	for {
		err := d.check(ctx, in.Destination, in.Encryption)
		if err == nil {
			return &Awaited{Answers: true}, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		select {
		case <-time.After(lookAgain):
		case <-end.C:
			return &Awaited{Error: err.Error()}, nil
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), err)
		}
	}
}
