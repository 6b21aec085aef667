package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// frozen puts what lies at main into cold storage, which needs some looks of a
// quarter of an hour to be fetched.
func (w *world) frozen(looks int) {
	w.plan.Destination.Class, w.plan.Destinations[0].Class = "DEEP_ARCHIVE", "DEEP_ARCHIVE"
	for range looks {
		w.cold = append(w.cold, recovery.Thawing{Class: "DEEP_ARCHIVE", Expected: recovery.Duration(12 * time.Hour), Objects: 4})
	}
	w.cold = append(w.cold, recovery.Thawing{Ready: true})
}

func TestVerifyWaitsForColdStorage(t *testing.T) {
	w := newWorld()
	set := w.proven(t)
	w.frozen(8)
	begun := w.start
	env := w.env(t)
	var during workflows.Status
	after(env, time.Hour, func() { during = status(t, env) })
	env.ExecuteWorkflow(workflows.TypeVerify, workflows.VerifyInput{Service: "where2eat"})
	report, err := reportOf(t, env)
	require.NoError(t, err)
	require.Equal(t, recovery.LevelProven, report.Level)
	require.WithinDuration(t, begun.Add(2*time.Hour), env.Now(), time.Minute)
	require.Equal(t, "fetching "+string(set)+" from cold storage (DEEP_ARCHIVE): up to 12h", during.Doing)
	require.Len(t, w.only("thaw:"), 9)
	require.Equal(t, "thaw: ready false", w.log[0])
	require.Equal(t, "thaw: ready true", w.log[8])
	require.True(t, w.proofs[len(w.proofs)-1].RTO.Met, "what cold storage takes is not a part of the restore")
}

func TestDrillSaysThatASetMustBeFetched(t *testing.T) {
	w, env := drillEnv(t, func(w *world) { w.frozen(4) })
	var planned string
	done := play(t, env, turn{"drill", func(b *approval.Book) {
		planned = fact(t, b.Request.Facts, "In cold storage")
		require.Empty(t, w.only("thaw:"))
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
	}})
	d, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	done()
	require.Equal(t, "DEEP_ARCHIVE: up to 12h until it can be read", planned)
	require.Len(t, w.only("thaw:"), 5)
	require.Equal(t, recovery.LevelProven, d.Report.Level)
}

func TestSetThatCanBeReadNeedsNoWordAboutColdStorage(t *testing.T) {
	w, env := drillEnv(t, func(w *world) { w.frozen(0) })
	var labels []string
	play(t, env, turn{"drill", func(b *approval.Book) {
		for _, f := range b.Request.Facts {
			labels = append(labels, f.Label)
		}
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
	}})
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.NotContains(t, labels, "In cold storage")
}

func TestWarmStorageIsNotAsked(t *testing.T) {
	w := newWorld()
	w.cold = []recovery.Thawing{{}}
	_, err := w.backup(t, where2eat)
	require.NoError(t, err)
	require.Empty(t, w.only("thaw:"))
}

// While a set is fetched, which takes hours, backups of the service go on.
func TestRestoreFetchesBeforeItLocksProduction(t *testing.T) {
	w := newProduction(t, onlyApp)
	w.frozen(12)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	s := watch(env)
	var during []string
	var doing, planned string
	var fetched int
	done := play(t, env, append([]turn{{"restore", func(b *approval.Book) {
		planned, fetched = fact(t, b.Request.Facts, "In cold storage"), len(w.only("thaw:"))
		after(env, 2*time.Hour, func() { during, doing = s.ids("change"), status(t, env).Doing })
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
	}}}, w.kept(env)...)...)
	r, err := restore(t, env, in)
	require.NoError(t, err)
	done()
	require.Equal(t, "DEEP_ARCHIVE: up to 12h until it can be read", planned, "people know before they decide")
	require.Zero(t, fetched, "nothing is fetched, which costs, before they have")
	require.Contains(t, doing, "from cold storage (DEEP_ARCHIVE): up to 12h")
	require.Empty(t, during, "nothing holds change/where2eat")
	require.Equal(t, []string{workflows.ChangeID("where2eat")}, s.ids("change"))
	require.Equal(t, recovery.StateRestored, r.State)
	require.GreaterOrEqual(t, r.Took.Std(), 3*time.Hour, "people have waited for it")
	require.Equal(t, []string{"thaw: ready true", "restore app beside"}, w.only("thaw:", "restore")[12:])
}

func TestCancelWhileASetIsFetched(t *testing.T) {
	w := newProduction(t, onlyApp)
	w.frozen(12)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	play(t, env, w.approve(env, "restore", "kim"))
	after(env, time.Hour, env.CancelWorkflow)
	_, err := restore(t, env, in)
	require.True(t, temporal.IsCanceledError(err), err)
	require.Empty(t, w.only("restore", "swap"))
	require.Equal(t, "cancelled; production is untouched", w.board.last().Line)
}
