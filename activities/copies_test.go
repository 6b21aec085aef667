package activities_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const (
	set1 recovery.SetID = "20261120T030000Z-000000"
	set2 recovery.SetID = "20261121T030000Z-000000"
)

// twoSources is a set of two sources, one of which lies in the folder of the set
// before it.
func twoSources(at *memory) *recovery.Manifest {
	earlier := at.add(set1, "notes", "notes of the 20th")
	m := at.add(set2, "app", "app of the 21st")
	m.Artefacts = append(m.Artefacts, earlier.Artefacts[0])
	return m
}

func copySet(t *testing.T, b bay, from ...string) (*activities.CopiedSet, error) {
	t.Helper()
	c := &activities.Copies{Stores: b}
	return run[*activities.CopiedSet](t, c.CopySet, activities.CopySetInput{Service: service, Set: set2, From: specs(from...), To: specs("to")[0]})
}

func TestCopyTakesAllThatTheSetNames(t *testing.T) {
	b := newBay("main", "to")
	twoSources(b["main"])
	out, err := copySet(t, b, "main")
	require.NoError(t, err)
	require.Equal(t, "main", out.From)
	require.Equal(t, 2, out.Objects)
	require.Equal(t, int64(len("app of the 21st")+len("notes of the 20th")), out.Bytes)
	require.Equal(t, b["main"].objects, b["to"].objects, "also what lies in the folder of an earlier set, and there")
	require.Equal(t, []string{"signed at main"}, b["to"].adopted, "the manifest as it was signed, and last")
	require.NotContains(t, b["to"].manifests, set1, "the earlier set has a copy of its own")
}

func TestCopyGoesOnWhereItStopped(t *testing.T) {
	b := newBay("main", "to")
	m := twoSources(b["main"])
	a := m.Artefacts[0]
	b["to"].objects[a.Key(service, a.Dump)] = "app of the 21st"
	out, err := copySet(t, b, "main")
	require.NoError(t, err)
	require.Equal(t, 2, out.Objects, "what was there is counted")
	require.Equal(t, []string{"notes.1.dump.zst.age"}, b["to"].received, "but not moved")
	require.Equal(t, []string{"notes.1.dump.zst.age"}, b["main"].sent)
}

func TestCopyAgainIsNoCopy(t *testing.T) {
	b := newBay("main", "to")
	twoSources(b["main"])
	_, err := copySet(t, b, "main")
	require.NoError(t, err)
	b["to"].received = nil
	_, err = copySet(t, b, "main")
	require.NoError(t, err)
	require.Empty(t, b["to"].received)
}

func TestCopyTakesTheNextSource(t *testing.T) {
	for name, spoil := range map[string]func(main *memory){
		"the first does not answer": func(main *memory) { main.away() },
		"the first lacks the set":   func(main *memory) { delete(main.manifests, set2) },
		"the first lacks an object": func(main *memory) { main.objects = map[string]string{} },
		"the first is damaged": func(main *memory) {
			for key := range main.objects {
				main.objects[key] = "rotten"
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBay("main", "second", "to")
			twoSources(b["main"])
			twoSources(b["second"])
			spoil(b["main"])
			out, err := copySet(t, b, "main", "second")
			require.NoError(t, err)
			require.Equal(t, "second", out.From)
			require.Equal(t, b["second"].objects, b["to"].objects)
			require.Equal(t, []string{"signed at second"}, b["to"].adopted)
		})
	}
}

func TestCopyThatFails(t *testing.T) {
	denied := recovery.NewFault(recovery.Permanent, errors.New("access denied"), "let the key write")
	for name, c := range map[string]struct {
		spoil      func(b bay)
		kind, want string
	}{
		"the target does not answer": {
			func(b bay) { b["to"].away() }, activities.ErrorUnavailable, "connection to to refused",
		},
		"the target refuses": {
			func(b bay) { b["to"].refuse = denied }, activities.ErrorPermanent,
			"copy app.1.dump.zst.age of app: access denied (let the key write)",
		},
		"something else stands at the target": {
			func(b bay) {
				a := b["main"].manifests[set2].Artefacts[0]
				b["to"].objects[a.Key(service, a.Dump)] = "something else"
			}, activities.ErrorDamaged, "copy app.1.dump.zst.age of app: its SHA-256 is not the one in the manifest",
		},
		"nobody has it": {
			func(b bay) { clear(b["main"].manifests); clear(b["second"].manifests) }, activities.ErrorPermanent,
			"read manifest at main: it is not there (`starter sets where2eat` lists the sets that are there)",
		},
		"the first lacks it, and the second may have it": {
			func(b bay) { clear(b["main"].manifests); b["second"].away() }, activities.ErrorUnavailable, "connection to second refused",
		},
		"the second lacks it, and the first may have it": {
			func(b bay) { b["main"].away(); clear(b["second"].manifests) }, activities.ErrorUnavailable, "connection to main refused",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBay("main", "second", "to")
			twoSources(b["main"])
			twoSources(b["second"])
			c.spoil(b)
			_, err := copySet(t, b, "main", "second")
			kind, message := fails(t, err)
			require.Equal(t, c.kind, kind)
			require.Equal(t, c.want, message)
			require.Empty(t, b["to"].adopted)
			require.Empty(t, b["second"].sent, "no other source helps")
		})
	}
}
