package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lifeboat-run/lifeboat/activities"
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
	answer, err := activities.Within(ctx, a.within, destination, question)
	if _, silent := errors.AsType[*activities.TooLong](err); !silent {
		return answer, err
	}
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
