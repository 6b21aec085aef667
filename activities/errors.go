package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// The types of the errors that steps return. Workflows decide by them; they are
// part of running histories and must not be renamed.
const (
	ErrorPermanent   = "permanent"   // a person must mend something: do not retry
	ErrorDamaged     = "damaged"     // stored bytes are not what was stored: do not retry
	ErrorUnavailable = "unavailable" // does not answer now: retry
	ErrorInterrupted = "interrupted" // the worker is stopping: retry at once
)

// Blame says in the details of an error which destination it is about: another one
// may do.
type Blame struct {
	Destination string `json:"destination"`
}

// atDestination marks an error as one of a destination, not of what is done there.
type atDestination struct {
	error
	name string
}

func (e *atDestination) Unwrap() error { return e.error }

// errStopping is the cause of a context that ends because the worker stops.
var errStopping = errors.New("worker is stopping")

// classify turns an error into the one that Temporal records. This is the only
// place that does. A step whose context ended did not fail by itself: it was
// cancelled, or its worker stops or lost the server.
func classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		if temporal.IsCanceledError(cause) {
			return temporal.NewCanceledError()
		}
		return temporal.NewApplicationError("interrupted: "+cause.Error(), ErrorInterrupted)
	}
	var details []any
	if at, ok := errors.AsType[*atDestination](err); ok {
		details = []any{Blame{Destination: at.name}}
	}
	switch recovery.KindOf(err) {
	case recovery.Permanent:
		return temporal.NewNonRetryableApplicationError(err.Error(), ErrorPermanent, nil, details...)
	case recovery.Damaged:
		return temporal.NewNonRetryableApplicationError(err.Error(), ErrorDamaged, nil, details...)
	case recovery.Unavailable:
	}
	return temporal.NewApplicationError(err.Error(), ErrorUnavailable, details...)
}
