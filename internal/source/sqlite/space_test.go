package sqlite

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestFullDisk(t *testing.T) {
	t.Run("before the copy", func(t *testing.T) {
		err := checkSpace(t.TempDir(), 1<<60)
		require.ErrorContains(t, err, "the copy needs 1209462790553 MB (free space there")
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
		require.NoError(t, checkSpace(t.TempDir(), 1<<10))
	})
	t.Run("while the copy is made", func(t *testing.T) {
		db, err := sql.Open("sqlite", ":memory:")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		_, err = db.ExecContext(t.Context(), "PRAGMA max_page_count = 2; CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000));")
		err = classify(t.Context(), err)
		require.ErrorContains(t, err, "full")
		require.ErrorContains(t, err, mendSpace)
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	})
	t.Run("while it is restored", func(t *testing.T) {
		err := mendable(unix.ENOSPC)
		require.ErrorContains(t, err, "no space left on device (free space there")
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	})
}
