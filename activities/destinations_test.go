package activities_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func choose(t *testing.T, b activities.Stores) (*activities.ChosenDestination, error) {
	t.Helper()
	return run[*activities.ChosenDestination](t, (&activities.Destinations{Stores: b}).ChooseDestination, activities.ChooseDestinationInput{Destinations: specs("main", "second")})
}

func TestChooseDestination(t *testing.T) {
	t.Run("the preferred one", func(t *testing.T) {
		out, err := choose(t, newBay("main", "second"))
		require.NoError(t, err)
		require.Equal(t, activities.ChosenDestination{Name: "main"}, *out)
	})
	t.Run("the next one", func(t *testing.T) {
		b := newBay("main", "second")
		b["main"].away()
		out, err := choose(t, b)
		require.NoError(t, err)
		require.Equal(t, activities.ChosenDestination{
			Name: "second", Passed: []activities.Trouble{{Destination: "main", Error: "connection to main refused"}},
		}, *out)
	})
	t.Run("one that a person must mend is passed over", func(t *testing.T) {
		b := newBay("main", "second")
		b["main"].silent = func() error {
			return recovery.NewFault(recovery.Permanent, errors.New("access denied"), "mend accessKey")
		}
		out, err := choose(t, b)
		require.NoError(t, err)
		require.Equal(t, "second", out.Name)
	})
	t.Run("none", func(t *testing.T) {
		b := newBay("main", "second")
		b["main"].away()
		b["second"].away()
		_, err := choose(t, b)
		kind, message := fails(t, err)
		require.Equal(t, activities.ErrorUnavailable, kind)
		require.Equal(t, "connection to main refused", message)
	})
}

// hanging opens destinations of which main never answers.
type hanging struct{ bay }

func (h hanging) OpenStore(ctx context.Context, dest recovery.DestinationSpec, enc recovery.EncryptionSpec) (activities.Store, error) {
	if dest.Name == "main" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.bay.OpenStore(ctx, dest, enc)
}

func TestDestinationThatHangsIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, err := choose(t, hanging{newBay("second")})
		require.NoError(t, err)
		require.Equal(t, activities.ChosenDestination{
			Name: "second", Passed: []activities.Trouble{{Destination: "main", Error: "destination main does not answer within 15s"}},
		}, *out)
	})
}

func TestAwaitDestination(t *testing.T) {
	for name, c := range map[string]struct {
		outage, limit time.Duration
		want          activities.Awaited
		took          time.Duration
	}{
		"it answers":           {0, 5 * time.Minute, activities.Awaited{Answers: true}, 0},
		"it comes back":        {3 * time.Minute, 5 * time.Minute, activities.Awaited{Answers: true}, 3 * time.Minute},
		"it stays away":        {8 * time.Minute, 5 * time.Minute, activities.Awaited{Error: "connection refused"}, 5 * time.Minute},
		"one look, it answers": {0, 0, activities.Awaited{Answers: true}, 0},
		"one look":             {time.Hour, 0, activities.Awaited{Error: "connection refused"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBay("main")
				begun := time.Now()
				b["main"].silent = func() error {
					if time.Since(begun) < c.outage {
						return errors.New("connection refused")
					}
					return nil
				}
				out, err := run[*activities.Awaited](t, (&activities.Destinations{Stores: b}).AwaitDestination, activities.AwaitDestinationInput{
					Destination: specs("main")[0], For: recovery.Duration(c.limit),
				})
				require.NoError(t, err)
				require.Equal(t, c.want, *out)
				require.Equal(t, c.took, time.Since(begun), "by the clock of the bubble")
			})
		})
	}
}
