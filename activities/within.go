package activities

import (
	"context"
	"fmt"
	"time"
)

// How long one destination may take, where another one may do instead.
const (
	checkWithin  = 15 * time.Second // to show that it is there
	recordWithin = 30 * time.Second // to take a small document
	listWithin   = time.Minute      // to tell what it has
)

// within gives f a limit of its own. It returns at the limit also if f does not, as
// a file system that hangs heeds no context; then what f made is dropped.
func within[T any](ctx context.Context, limit time.Duration, who string, f func(ctx context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s does not answer within %s", who, limit))
	defer cancel()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f(limited)
		done <- result{value, err}
	}()
	var none T
	select {
	case r := <-done:
		if r.err != nil && limited.Err() != nil {
			return none, context.Cause(limited)
		}
		return r.value, r.err
	case <-limited.Done():
		return none, context.Cause(limited)
	}
}
