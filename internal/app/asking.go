package app

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// asking puts questions to destinations. One that once did not answer in time is not
// asked again: whoever asks for many services waits for it once.
type asking struct {
	within time.Duration // for each question
	mu     sync.Mutex
	silent map[string]error // by destination
}

// readWithin bounds how long a destination may take to tell what it has of a service.
const readWithin = time.Minute

func newAsking() *asking { return &asking{within: readWithin, silent: map[string]error{}} }

// ask puts a question to a destination, and gives up once its time has passed. A
// question that does not heed its context, such as one to a mount that is dead, goes
// on alone: nobody waits for its answer.
func ask[T any](ctx context.Context, a *asking, destination string, question func(context.Context) (T, error)) (T, error) {
	var none T
	if err := a.saidNothing(destination); err != nil {
		return none, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, a.within, fmt.Errorf("destination %s does not answer within %s", destination, a.within))
	defer cancel()
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := question(limited)
		answers <- answer{value, err}
	}()
	select {
	case got := <-answers:
		if got.err == nil || limited.Err() == nil {
			return got.value, got.err
		}
	case <-limited.Done():
	}
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	err := context.Cause(limited)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.silent[destination] = err
	return none, err
}

// saidNothing is why a destination is not asked again, nil if it may be.
func (a *asking) saidNothing(destination string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.silent[destination]
}
