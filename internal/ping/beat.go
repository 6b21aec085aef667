package ping

import (
	"context"
	"time"
)

// Heartbeat pings a check as long as something is well. When it is not, the check
// hears nothing, as if everything here were gone.
type Heartbeat struct {
	Every time.Duration
	// Address is asked before each ping; empty: there is no check.
	Address func() (string, error)
	Ready   func() bool
	// Failed is told why a ping, or its address, failed. The next one is sent anyway.
	Failed func(error)
}

// Run beats until ctx ends: at once when it becomes well, and then every Every.
func (h *Heartbeat) Run(ctx context.Context) {
	const share = 20 // of Every, to look whether it is well again
	for {
		wait := h.Every
		if !h.Ready() {
			wait /= share
		} else if err := h.beat(ctx); err != nil && ctx.Err() == nil {
			h.Failed(err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

func (h *Heartbeat) beat(ctx context.Context) error {
	address, err := h.Address()
	if err != nil || address == "" {
		return err
	}
	return Ping(ctx, address, Success, "")
}
