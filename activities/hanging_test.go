package activities_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// deaf opens destinations of which some hang and heed no context, as a file system
// does whose server is gone.
type deaf struct {
	bay
	hang   []string
	wakeUp chan struct{} // at the end of the test
}

func newDeaf(t *testing.T, b bay, hang ...string) *deaf {
	t.Helper()
	d := &deaf{bay: b, hang: hang, wakeUp: make(chan struct{})}
	t.Cleanup(func() { close(d.wakeUp) })
	return d
}

func (d *deaf) OpenStore(ctx context.Context, dest recovery.DestinationSpec, enc recovery.EncryptionSpec) (activities.Store, error) {
	for _, name := range d.hang {
		if dest.Name == name {
			<-d.wakeUp
		}
	}
	return d.bay.OpenStore(ctx, dest, enc)
}

func TestCallThatHangsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		out, err := choose(t, newDeaf(t, newBay("main", "second"), "main"))
		require.NoError(t, err)
		require.Equal(t, activities.ChosenDestination{
			Name: "second", Passed: []activities.Trouble{{Destination: "main", Error: "destination main does not answer within 15s"}},
		}, *out)
		require.Equal(t, 15*time.Second, time.Since(begun), "by the clock of the bubble")
	})
}

func TestDecisionIsRecordedWhileADestinationHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBay("main", "second", "third")
		begun := time.Now()
		out, err := recordAt(t, newDeaf(t, b, "main", "third"), "main", "second", "third")
		require.NoError(t, err)
		require.Equal(t, activities.RecordedDecision{Fresh: true, Unasked: []string{"main", "third"}}, *out)
		require.Len(t, b["second"].decided, 1)
		require.Equal(t, 30*time.Second, time.Since(begun), "all are asked at once")
	})
}

func TestDecisionThatCannotBeRecordedBecauseAllHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := recordAt(t, newDeaf(t, newBay("main", "second"), "main", "second"), "main", "second")
		kind, message := fails(t, err)
		require.Equal(t, activities.ErrorUnavailable, kind)
		require.Equal(t, "destination main does not answer within 30s", message)
	})
}

func TestSetIsChosenWhileADestinationHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCopies()
		b["second"].prove(set2, recovery.LevelReadBack, recovery.Proven, noon)
		in := activities.ChooseSetInput{Service: service, Destinations: specs("main", "second", "third")}
		begun := time.Now()
		out, err := run[*activities.ChosenSet](t, (&activities.Choices{Stores: newDeaf(t, b, "main", "third")}).ChooseSet, in)
		require.NoError(t, err)
		require.Equal(t, []string{"second"}, out.Copies)
		require.Equal(t, "destination main does not answer within 1m0s", out.Silent[0].Error)
		require.Len(t, out.Silent, 2)
		require.Equal(t, time.Minute, time.Since(begun), "all are asked at once")
	})
}

func TestMissingCopiesAreFoundWhileADestinationHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCopies()
		b["main"].prove(set2, recovery.LevelReadBack, recovery.Proven, noon)
		missing, err := findMissing(t, newDeaf(t, b, "second"))
		require.NoError(t, err)
		require.Equal(t, []activities.MissingCopy{{Set: set2, To: "third"}}, missing)
	})
}

func TestCopyToADestinationThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBay("main", "to")
		twoSources(b["main"])
		b["to"].check = func(context.Context) error {
			<-t.Context().Done() // heeds no context of the step
			return nil
		}
		_, err := copySet(t, b, "main")
		kind, message := fails(t, err)
		require.Equal(t, activities.ErrorUnavailable, kind)
		require.Equal(t, "destination to does not answer within 15s", message)
		require.Equal(t, "to", blamed(t, err))
	})
}
