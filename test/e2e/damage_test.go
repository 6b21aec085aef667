package e2e_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
)

// Any one byte of any artefact: the beginning, the middle and the end of every
// object that the manifest names.
func TestDamageIsDisproven(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.StartWorker()
	set := r.Backup().Set
	m := r.Manifest(set)
	verify := func(t *testing.T, wantCode int) string {
		t.Helper()
		out := r.Starter("verify", sandbox.Service, "--level", "readBack")
		require.Equal(t, wantCode, out.Code, out.Stderr)
		return out.Stderr
	}
	for _, a := range m.Artefacts {
		for _, o := range a.Objects() {
			for where, at := range map[string]int64{"first byte": 0, "header": 30, "middle": o.Size / 2, "last byte": o.Size - 1} {
				t.Run(o.Name+" "+where, func(t *testing.T) {
					undo := r.Damage(a.Key(m.Service, o), at)
					said := verify(t, 3)
					require.Contains(t, said, "is DISPROVEN")
					require.Contains(t, said, o.Name+" of "+a.Source)
					undo()
				})
			}
		}
	}
	object := r.ObjectFile(m.Artefacts[0].Key(m.Service, m.Artefacts[0].Dump))
	t.Run("cut short", func(t *testing.T) {
		content, err := os.ReadFile(object)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(object, content[:len(content)-1], 0o600))
		require.Contains(t, verify(t, 3), "is DISPROVEN")
		require.NoError(t, os.WriteFile(object, append(content, 'x'), 0o600))
		require.Contains(t, verify(t, 3), "is DISPROVEN")
		require.NoError(t, os.WriteFile(object, content, 0o600))
	})
	t.Run("gone", func(t *testing.T) {
		require.NoError(t, os.Rename(object, object+".away"))
		require.Contains(t, verify(t, 3), "is DISPROVEN")
		require.NoError(t, os.Rename(object+".away", object))
	})
	t.Run("mended", func(t *testing.T) {
		out := r.Starter("verify", sandbox.Service, "--json")
		require.Zero(t, out.Code, out.Stderr)
		require.Equal(t, recovery.LevelProven, out.Report(t).Level)
	})
	t.Run("manifest", func(t *testing.T) {
		undo := r.Damage(recovery.ManifestKey(m.Service, set), 60)
		out := r.Starter("verify", sandbox.Service)
		require.Equal(t, 3, out.Code, out.Stderr)
		require.Contains(t, out.Stderr, "read manifest: ")
		shown := r.Starter("show", string(set))
		require.Equal(t, 3, shown.Code, shown.Stderr)
		undo()
	})
}
