package activities

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// How long one destination may take, where another one may do instead.
const (
	checkWithin  = 15 * time.Second // to show that it is there
	recordWithin = 30 * time.Second // to take a small document
	listWithin   = time.Minute      // to tell what it has
)

// TooLong is the error of a destination that did not answer in its time.
type TooLong struct {
	Destination string
	Limit       time.Duration
}

func (e *TooLong) Error() string {
	return fmt.Sprintf("destination %s does not answer within %s", e.Destination, e.Limit)
}

// Within gives a question to a destination a limit of its own: TooLong. It returns at
// the limit also if f does not, as a file system that hangs heeds no context; then
// what f made is dropped.
func Within[T any](ctx context.Context, limit time.Duration, destination string, f func(ctx context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeoutCause(ctx, limit, &TooLong{Destination: destination, Limit: limit})
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

// askAll puts a question to all destinations at once.
func askAll[T any](ctx context.Context, limit time.Duration, destinations []recovery.DestinationSpec, question func(context.Context, recovery.DestinationSpec) (T, error)) (answers []T, errs []error) {
	answers, errs = make([]T, len(destinations)), make([]error, len(destinations))
	var asking sync.WaitGroup
	for i, d := range destinations {
		asking.Go(func() {
			answers[i], errs[i] = Within(ctx, limit, d.Name, func(ctx context.Context) (T, error) { return question(ctx, d) })
		})
	}
	asking.Wait()
	return answers, errs
}

// silence is the first error if no destination answered, nil if one did.
func silence(errs []error) error {
	if len(errs) == 0 || slices.Contains(errs, nil) {
		return nil
	}
	return errs[0]
}

// askSets asks all destinations what they have of a service. One that does not answer
// says so in its list; the error is that of the first if none does.
func askSets(ctx context.Context, stores Stores, destinations []recovery.DestinationSpec, enc recovery.EncryptionSpec, read func(context.Context, Store, *recovery.CopyList) error) ([]recovery.CopyList, error) {
	lists, errs := askAll(ctx, listWithin, destinations, func(ctx context.Context, d recovery.DestinationSpec) (recovery.CopyList, error) {
		list := recovery.CopyList{Destination: d.Name}
		err := useStore(ctx, stores, d, enc, func(s Store) error { return read(ctx, s, &list) })
		return list, err
	})
	for i, err := range errs {
		if err != nil {
			lists[i] = recovery.CopyList{Destination: destinations[i].Name, Unavailable: err.Error()}
		}
	}
	return lists, silence(errs)
}
