package activities

import (
	"context"
	"fmt"
)

// Slots bound how many steps of a worker move whole databases at once, because
// each holds the buffers of a pipeline. Steps that wait for one still heartbeat,
// and quick steps need none, so that a busy worker is not taken for a dead one.
type Slots chan struct{}

// NewSlots makes n slots. The zero value of Slots has no bound.
func NewSlots(n int) Slots { return make(Slots, n) }

// take waits for a slot; give returns it.
func (s Slots) take(ctx context.Context) (give func(), err error) {
	if s == nil {
		return func() {}, nil
	}
	select {
	case s <- struct{}{}:
		return func() { <-s }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a free slot: %w", context.Cause(ctx))
	}
}
