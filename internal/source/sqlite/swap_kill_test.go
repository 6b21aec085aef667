package sqlite_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// A worker that is killed at any moment of a swap leaves the old database or the
// new one, and the next one brings the swap to its end.
func TestSwapThatIsKilledIsBroughtToItsEnd(t *testing.T) {
	const moments = 20
	for _, journal := range []string{"wal", "delete"} {
		for name, stopped := range map[string]bool{"stopped": true, "open": false} {
			t.Run(journal+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newSwapping(t, journal, stopped)
				if !stopped {
					start(t, "hold", s.live.Path)
				}
				whole := s.timed(t)
				s.requireSwapped(t)
				left := map[bool]int{}
				for moment := range moments {
					require.NoError(t, s.live.Drop(t.Context(), s.job.Aside, s.job.Out))
					s.bring(t, fmt.Sprint("k", moment), newRows+bulk+fmt.Sprintf("INSERT INTO keyed VALUES ('moment', %d)", moment))
					victim := start(t, "swap", s.order(t))
					time.Sleep(whole * time.Duration(moment) / moments)
					victim.kill(t)

					settleJournal(t, s.live.Path)
					now := fingerprintOf(t, s.live.Path)
					isOld, isNew := len(recovery.Compare(s.old, now)) == 0, len(recovery.Compare(s.new, now)) == 0
					require.True(t, isOld != isNew, "it is neither the old database nor the new one")
					left[isNew]++
					_, err := s.live.Swap(t.Context(), s.job)
					require.NoError(t, err)
					s.requireSwapped(t)
				}
				t.Logf("killed within %v: %d times before, %d times after the exchange", whole, left[false], left[true])
			})
		}
	}
}

func (s *swapping) order(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(swapOrder{Live: *s.live, Job: s.job})
	require.NoError(t, err)
	return string(text)
}

// timed swaps in another process and returns how long that took.
func (s *swapping) timed(t *testing.T) time.Duration {
	t.Helper()
	p := start(t, "swap", s.order(t))
	began := time.Now()
	p.end(t)
	return time.Since(began)
}

// settleJournal opens a database as its service does: SQLite takes back what a
// killed process has not committed, for which it must be able to write.
func settleJournal(t *testing.T, path string) {
	t.Helper()
	db, err := openAt(path, "mode=rw&_busy_timeout=10000")
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "SELECT count(*) FROM sqlite_schema")
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
