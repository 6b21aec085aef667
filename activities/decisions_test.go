package activities_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/activities"
)

// recordAt records a decision on the request r1.
func recordAt(t *testing.T, b activities.Stores, names ...string) (*activities.RecordedDecision, error) {
	t.Helper()
	in := activities.RecordDecisionInput{Destinations: specs(names...)}
	in.Book.Request.ID = "r1"
	return run[*activities.RecordedDecision](t, (&activities.Approvals{Stores: b}).RecordDecision, in)
}

func TestDecisionIsRecordedWhereverItCanBe(t *testing.T) {
	t.Run("at each", func(t *testing.T) {
		b := newBay("main", "second")
		out, err := recordAt(t, b, "main", "second")
		require.NoError(t, err)
		require.Equal(t, activities.RecordedDecision{Fresh: true}, *out)
		require.Len(t, b["main"].decided, 1)
		require.Len(t, b["second"].decided, 1)
	})
	for name, other := range map[string]string{"main": "second", "second": "main"} {
		t.Run("one is enough, without "+name, func(t *testing.T) {
			b := newBay("main", "second")
			b[name].away()
			out, err := recordAt(t, b, "main", "second")
			require.NoError(t, err)
			require.Equal(t, activities.RecordedDecision{Fresh: true, Unasked: []string{name}}, *out)
			require.Len(t, b[other].decided, 1)
		})
		t.Run("used by another run, as "+name+" says", func(t *testing.T) {
			b := newBay("main", "second")
			b[name].decided["r1"] = true
			out, err := recordAt(t, b, "main", "second")
			require.NoError(t, err)
			require.Equal(t, activities.RecordedDecision{}, *out)
		})
		t.Run("used by another run, as "+name+" alone can say", func(t *testing.T) {
			b := newBay("main", "second")
			b[name].decided["r1"] = true
			b[other].away()
			out, err := recordAt(t, b, "main", "second")
			require.NoError(t, err)
			require.Equal(t, activities.RecordedDecision{Unasked: []string{other}}, *out)
		})
	}
	t.Run("nowhere", func(t *testing.T) {
		b := newBay("main", "second")
		b["main"].away()
		b["second"].refuse = errors.New("access denied")
		_, err := recordAt(t, b, "main", "second")
		kind, message := fails(t, err)
		require.Equal(t, activities.ErrorUnavailable, kind)
		require.Equal(t, "connection to main refused", message)
	})
}
