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
	"github.com/lifeboat-run/lifeboat/internal/release"
)

func (m *memory) Claim(_ context.Context, c *recovery.Claim) (bool, error) {
	if first, there := m.documents[c.Key]; there {
		return first == c.Nonce, nil
	}
	m.documents[c.Key] = c.Nonce
	return true, nil
}

// host is one on which nothing was started before, and a release is deployed.
type host struct {
	activities.Deploys
	nonce   string
	current func(ctx context.Context) (*release.Tag, error)
	asked   bool // what is deployed
	started bool
}

func (h *host) Current(ctx context.Context, _ *recovery.Plan) (*release.Tag, error) {
	h.asked = true
	return h.current(ctx)
}

func (h *host) RunOnce(ctx context.Context, _ *recovery.Plan, _ recovery.CommandSpec, _ string, claim func(context.Context, string) (bool, error)) (*recovery.CommandOutcome, error) {
	mine, err := claim(ctx, h.nonce)
	if err != nil {
		return nil, err
	}
	h.started = mine
	return &recovery.CommandOutcome{Known: mine}, ctx.Err()
}

func (h *host) runOnce(t *testing.T, b bay, attempt int, expect string) (*recovery.CommandOutcome, error) {
	t.Helper()
	return run[*recovery.CommandOutcome](t, (&activities.Hosts{Commands: h, Stores: b, Deploys: h}).RunOnce, activities.RunOnceInput{
		Plan: recovery.Plan{Service: service, Destinations: specs("main", "second")}, Key: "key", Attempt: attempt, Expect: expect,
	})
}

func TestRunOnceWantsTheExpectedRelease(t *testing.T) {
	for name, c := range map[string]struct {
		expect  string
		current func(context.Context) (*release.Tag, error)
		instead string
	}{
		"it is deployed":        {"v2", func(context.Context) (*release.Tag, error) { return &release.Tag{Tag: "v2", Commit: "2b2b2b2"}, nil }, ""},
		"another is deployed":   {"v2", func(context.Context) (*release.Tag, error) { return &release.Tag{Tag: "v3"}, nil }, "v3"},
		"the service is down":   {"v2", func(context.Context) (*release.Tag, error) { return nil, errors.New("connection refused") }, ""},
		"the service says none": {"v2", func(ctx context.Context) (*release.Tag, error) { <-ctx.Done(); return nil, ctx.Err() }, ""},
		"whatever is":           {"", func(context.Context) (*release.Tag, error) { return &release.Tag{Tag: "v3"}, nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				h := &host{nonce: "here", current: c.current}
				outcome, err := h.runOnce(t, newBay("main", "second"), 1, c.expect)
				require.NoError(t, err)
				require.Equal(t, recovery.CommandOutcome{Known: c.instead == "", Instead: c.instead}, *outcome)
				require.Equal(t, c.instead == "", h.started)
				require.Equal(t, c.expect != "", h.asked)
				require.LessOrEqual(t, time.Since(begun), 30*time.Second, "by the clock of the bubble")
			})
		})
	}
}

// What another host has started may have deployed another release already: that is no
// reason to say that nothing was done.
func TestRunOnceThatSomebodyElseHasStarted(t *testing.T) {
	b := newBay("main", "second")
	b["second"].documents["key"] = "there"
	h := &host{nonce: "here", current: func(context.Context) (*release.Tag, error) { return &release.Tag{Tag: "v3"}, nil }}
	outcome, err := h.runOnce(t, b, 2, "v2")
	require.NoError(t, err)
	require.Equal(t, recovery.CommandOutcome{}, *outcome)
	require.False(t, h.started)
	require.False(t, h.asked)
}

func TestRunOnceWhileADestinationIsAway(t *testing.T) {
	locked := recovery.NewFault(recovery.Permanent, errors.New("access denied"), "mend accessKey")
	for name, c := range map[string]struct {
		attempt int
		spoil   func(b bay)
		want    string // error
		started bool
	}{
		"the first attempt": {1, func(b bay) { b["main"].away() }, "", true},
		"a later one": {
			2, func(b bay) { b["second"].away() },
			"destination second does not answer, and may know that the command was started: connection to second refused", false,
		},
		"a later one, and it must be mended": {
			2, func(b bay) { b["main"].silent = func() error { return locked } },
			"destination main does not answer, and may know that the command was started: access denied (mend accessKey)", false,
		},
		"a later one, and all answer": {3, func(bay) {}, "", true},
		"a later one, and another destination knows": {
			2, func(b bay) { b["main"].away(); b["second"].documents["key"] = "there" }, "", false,
		},
		"the first, and nobody answers": {1, func(b bay) { b["main"].away(); b["second"].away() }, "connection to main refused", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBay("main", "second")
			c.spoil(b)
			h := &host{nonce: "here"}
			_, err := h.runOnce(t, b, c.attempt, "")
			require.Equal(t, c.started, h.started)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			kind, message := fails(t, err)
			require.Equal(t, activities.ErrorUnavailable, kind)
			require.Equal(t, c.want, message)
		})
	}
}
