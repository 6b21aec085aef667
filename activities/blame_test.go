package activities_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// blamed is the destination that an error says is to blame, empty if none is.
func blamed(t *testing.T, err error) string {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	var b activities.Blame
	if app.HasDetails() {
		require.NoError(t, app.Details(&b))
	}
	return b.Destination
}

// wells are sources that can be told to fail.
type wells struct {
	openErr, sizeErr, dumpErr error
	content                   string
}

func (w *wells) OpenSource(context.Context, recovery.SourceSpec) (activities.Source, error) {
	return w, w.openErr
}

func (w *wells) SweepCopies(context.Context, []recovery.SourceSpec, recovery.SetID) error { return nil }

func (w *wells) Estimate(context.Context) (int64, error) { return 10, w.sizeErr }

func (w *wells) Dump(_ context.Context, _ recovery.DumpJob, to io.Writer, progress func(int64)) (*recovery.Dump, error) {
	if w.dumpErr != nil {
		return nil, w.dumpErr
	}
	if _, err := io.WriteString(to, w.content); err != nil {
		return nil, errors.New("dump app: the tool ended with status 1") // as tools do, which say no more
	}
	progress(int64(len(w.content)))
	return &recovery.Dump{PlainSize: int64(len(w.content)), Companions: []recovery.Companion{{Role: recovery.RoleDatabase, Ext: "database.json", Content: []byte("{}")}}}, nil
}

func dump(t *testing.T, w *wells, b bay) (*recovery.Artefact, error) {
	t.Helper()
	return run[*recovery.Artefact](t, (&activities.Backups{Sources: w, Stores: b}).DumpSource, activities.DumpSourceInput{
		Service: service, Set: set1, Attempt: 1, Source: recovery.SourceSpec{Name: "app", Kind: recovery.KindPostgres}, Destination: specs("main")[0],
	})
}

func TestDumpSaysWhoIsToBlame(t *testing.T) {
	full := recovery.NewFault(recovery.Permanent, errors.New("no space left on device"), "make room")
	for name, c := range map[string]struct {
		spoil   func(w *wells, m *memory)
		blamed  string
		kind    string
		message string
	}{
		"the source cannot be opened": {
			func(w *wells, _ *memory) { w.openErr = errors.New("no such database") }, "", activities.ErrorUnavailable, "no such database",
		},
		"the source does not tell its size": {
			func(w *wells, _ *memory) { w.sizeErr = errors.New("connection refused") }, "", activities.ErrorUnavailable, "size it up: connection refused",
		},
		"the source fails": {
			func(w *wells, _ *memory) { w.dumpErr = errors.New("connection reset by db1") }, "", activities.ErrorUnavailable, "connection reset by db1",
		},
		"the source is refused for good": {
			func(w *wells, _ *memory) {
				w.dumpErr = recovery.NewFault(recovery.Permanent, errors.New("password refused"), "")
			}, "", activities.ErrorPermanent, "password refused",
		},
		"the destination does not answer": {
			func(_ *wells, m *memory) { m.away() }, "main", activities.ErrorUnavailable, "connection to main refused",
		},
		"the destination takes no bytes, and the tool tells only that it failed": {
			func(_ *wells, m *memory) { m.writeErr = errors.New("connection reset") }, "main", activities.ErrorUnavailable, "dump app: the tool ended with status 1",
		},
		"the destination refuses what was written": {
			func(_ *wells, m *memory) { m.refuse = full }, "main", activities.ErrorPermanent, "no space left on device (make room)",
		},
		"the destination refuses what belongs to the dump": {
			func(_ *wells, m *memory) { m.sealed = func(n int) error { return map[int]error{2: full}[n] } }, "main", activities.ErrorPermanent,
			"store its " + recovery.RoleDatabase + ": no space left on device (make room)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBay("main")
			w := &wells{content: "rows"}
			c.spoil(w, b["main"])
			_, err := dump(t, w, b)
			kind, message := fails(t, err)
			require.Equal(t, c.kind, kind)
			require.Equal(t, c.message, message)
			require.Equal(t, c.blamed, blamed(t, err))
		})
	}
	t.Run("nobody", func(t *testing.T) {
		a, err := dump(t, &wells{content: "rows"}, newBay("main"))
		require.NoError(t, err)
		require.Len(t, a.Companions, 1)
	})
}

func TestPlanAndCommitBlameTheDestination(t *testing.T) {
	for name, spoil := range map[string]func(m *memory){
		"it does not answer": func(m *memory) { m.away() },
		"it refuses":         func(m *memory) { m.refuse = errors.New("access denied") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBay("main")
			spoil(b["main"])
			backups := &activities.Backups{Stores: b}
			_, err := run[*activities.SetPlan](t, backups.PlanSet, activities.PlanSetInput{Service: service, TimeZone: "UTC", Destination: specs("main")[0]})
			require.Equal(t, "main", blamed(t, err))
			_, err = run[any](t, backups.CommitSet, activities.CommitSetInput{Destination: specs("main")[0]})
			require.Equal(t, "main", blamed(t, err))
		})
	}
	t.Run("not for the config", func(t *testing.T) {
		_, err := run[*activities.SetPlan](t, (&activities.Backups{Stores: newBay("main")}).PlanSet, activities.PlanSetInput{TimeZone: "Europe/Atlantis", Destination: specs("main")[0]})
		require.Empty(t, blamed(t, err))
	})
}

func TestCopySaysWhoIsToBlame(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(b bay)
		blamed string
	}{
		"the target does not answer": {func(b bay) { b["to"].away() }, "to"},
		"the target refuses":         {func(b bay) { b["to"].refuse = errors.New("access denied") }, "to"},
		"the target takes no bytes":  {func(b bay) { b["to"].writeErr = errors.New("connection reset") }, "to"},
		"the sources do not answer":  {func(b bay) { b["main"].away(); b["second"].away() }, ""},
		"nobody has it":              {func(b bay) { clear(b["main"].manifests); clear(b["second"].manifests) }, ""},
		"all sources are damaged": {func(b bay) {
			for _, m := range []*memory{b["main"], b["second"]} {
				for key := range m.objects {
					m.objects[key] = "rotten"
				}
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBay("main", "second", "to")
			twoSources(b["main"])
			twoSources(b["second"])
			c.spoil(b)
			_, err := copySet(t, b, "main", "second")
			require.Equal(t, c.blamed, blamed(t, err))
			if c.blamed != "" {
				require.Empty(t, b["second"].sent, "no other source helps")
			}
		})
	}
}
