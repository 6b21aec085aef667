package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func TestRestoreOfOneDatabase(t *testing.T) {
	w := newProduction(t, onlyApp)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	var plan approval.Request
	turns := append([]turn{{"restore", func(b *approval.Book) {
		plan = b.Request
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
	}}}, w.kept(env)...)
	done := play(t, env, turns...)
	r, err := restore(t, env, in)
	require.NoError(t, err)
	done()

	require.Equal(t, []string{
		"dump app", "commit safety", // what is there now is saved first
		"decide restore: approved",
		"restore app beside", "try out 1 copies",
		"swap app: copy-app.1 is app now, stopped false", // renamed under the running service
		"check the running service",
		"decide undo: rejected", "dump app.before-20261123t1800", "commit setAside", "decide remove: rejected",
	}, trimTimes(w.log))
	require.Equal(t, map[string]string{"app": "3", aside(t, w, "app"): "1"}, w.places.at)

	require.Equal(t, recovery.StateRestored, r.State)
	require.Regexp(t, `^production of where2eat is now set 20261122T180000Z-\w+ \(7 rows\); nothing answered for 20ms; what was set aside stays where it is \(app.before-\w+\): removing it was not approved$`, r.Sentence)
	require.Equal(t, recovery.SetID("20261122T180000Z"), r.Set[:16])
	require.Equal(t, []string{"app"}, r.Sources)
	require.Equal(t, int64(7), r.Rows)
	require.Equal(t, 20*time.Millisecond, r.Down.Std())
	require.Equal(t, r.Safety, w.committedFor(recovery.PurposeSafety))
	require.True(t, r.RTO.Met)
	require.False(t, r.RPO.Met, "the set is a day and some minutes old")
	require.Equal(t, recovery.Proven, r.Tried.Verdict)
	require.Equal(t, recovery.Proven, r.Live.Verdict)
	require.False(t, r.UndoTil.IsZero())

	require.Equal(t, "sam", plan.RequestedBy)
	require.True(t, plan.Destructive)
	require.Equal(t, "where2eat", plan.Confirm)
	require.Equal(t, "PRODUCTION: database app on db1", plan.Where)
	require.Regexp(t, `^20261122T180000Z-\w+, made 2026-11-22 18:00 UTC, 182 B, proven$`, fact(t, plan.Facts, "Set"))
	require.Equal(t, "2m, as the last restore did", fact(t, plan.Facts, "Expected to take"))
	require.Equal(t, "database app on db1, 1.0 kB", fact(t, plan.Facts, "Replaces"))
	require.Equal(t, "made just now: "+string(r.Safety), fact(t, plan.Facts, "Safety backup"))
	require.Equal(t, "1", fact(t, plan.Facts, "Tables with the same rows"))
}

func TestRestoreOfTwoSourcesStopsTheService(t *testing.T) {
	w := newProduction(t, func(w *world) {
		w.plan.Commands.MaintenanceOn, w.plan.Commands.MaintenanceOff = []string{"on"}, []string{"off"}
	})
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	done := play(t, env, append([]turn{w.approve(env, "restore", "kim")}, w.kept(env)...)...)
	r, err := restore(t, env, in)
	require.NoError(t, err)
	done()
	require.Equal(t, []string{
		"restore app beside", "restore notes beside", "try out 2 copies",
		"command maintenanceOn", "command stop",
		"swap app: copy-app.1 is app now, stopped true", "swap notes: copy-notes.1 is /srv/notes.db now, stopped true",
		"command start", "command maintenanceOff", "check the running service",
	}, w.only("restore", "try", "command", "swap", "check"))
	require.Equal(t, recovery.StateRestored, r.State)
	require.Len(t, r.Swaps, 2)
	require.Equal(t, int64(14), r.Rows)
}

func TestRestoreOfAFileWhoseServiceCannotBeStopped(t *testing.T) {
	w := newProduction(t, onlyNotes, func(w *world) { w.plan.Commands = recovery.CommandsSpec{} })
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	play(t, env, append([]turn{w.approve(env, "restore", "kim")}, w.kept(env)...)...)
	_, err := restore(t, env, in)
	require.NoError(t, err)
	require.Equal(t, []string{"swap notes: copy-notes.1 is /srv/notes.db now, stopped false"}, w.only("swap", "command"))
}

// Production that cannot be dumped any more is what a restore is for.
func TestRestoreWithoutSafetyBackup(t *testing.T) {
	w := newProduction(t, onlyApp)
	w.dumpErrs["app"] = []error{recovery.NewFault(recovery.Permanent, errors.New("there is no database app"), "")}
	delete(w.places.at, "app")
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	var plan approval.Request
	done := play(t, env, turn{"restore", func(b *approval.Book) {
		plan = b.Request
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
	}})
	r, err := restore(t, env, in)
	require.NoError(t, err)
	done()
	require.Equal(t, "NONE could be made: no recovery set was made: dump app: there is no database app", fact(t, plan.Facts, "Safety backup"))
	require.Equal(t, "database app on db1, which is not there now", fact(t, plan.Facts, "Replaces"))
	require.Equal(t, recovery.StateRestored, r.State)
	require.Empty(t, r.Safety)
	require.True(t, r.UndoTil.IsZero(), "there is nothing to go back to")
	require.Equal(t, map[string]string{"app": "3"}, w.places.at)
	require.NotContains(t, r.Sentence, "set aside")
}

func TestRestoreThatIsRefusedAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		in     workflows.RestoreInput
		want   string
	}{
		"nobody may decide": {
			func(w *world) { w.plan.Approvals.Restore = nil },
			workflows.RestoreInput{},
			"restore where2eat: nobody may decide it: write approvals.policies.restore into the config",
		},
		"a source that there is not": {
			func(*world) {},
			workflows.RestoreInput{Sources: []string{"apps"}},
			`read input: sources: "apps" is no source of where2eat: there are app, notes`,
		},
		"two sources, and no command to stop the service": {
			func(w *world) { w.plan.Commands.Stop = nil },
			workflows.RestoreInput{},
			"2 sources are swapped while the service is stopped: write commands.stop and commands.start into the config, or restore one source at a time",
		},
		"only chosen tables are in the set": {
			func(w *world) { w.plan.Sources[0].Tables = []string{"users"} },
			workflows.RestoreInput{Sources: []string{"app"}},
			"holds only chosen tables of app, which must not replace the whole: restore it beside, and copy what you need",
		},
		"a malformed set": {func(*world) {}, workflows.RestoreInput{Set: "latest"}, `read set id "latest"`},
		"what must be mended first": {
			func(w *world) { w.refusals = []string{"There is a prepared transaction.", "There is a slot."} },
			workflows.RestoreInput{},
			"restore where2eat: database app on db1 cannot be replaced: There is a prepared transaction.; There is a slot.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newProduction(t, c.change)
			in := w.bySam(c.in)
			_, err := restore(t, w.env(t), in)
			kind, message, _ := failure(t, err)
			require.Equal(t, workflows.ErrorBadInput, kind)
			require.Contains(t, message, c.want)
			require.Empty(t, w.log, "nothing was done")
		})
	}
}

func TestRestoreNamesASourceThatIsNotInTheSet(t *testing.T) {
	w := newProduction(t, onlyApp)
	w.plan.Sources = append(w.plan.Sources, recovery.SourceSpec{Name: "later", Kind: recovery.KindPostgres})
	in := w.bySam(workflows.RestoreInput{})
	_, err := restore(t, w.env(t), in)
	_, message, _ := failure(t, err)
	require.Contains(t, message, "source later is not in set 20261122T180000Z-")
}

func TestRejectedRestoreLeavesProductionAlone(t *testing.T) {
	w := newProduction(t)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	play(t, env, w.reject(env, "restore", "kim"))
	_, err := restore(t, env, in)
	kind, message, _ := failure(t, err)
	require.Equal(t, workflows.ErrorNotApproved, kind)
	require.Equal(t, "rejected by kim: not now; production is untouched", message)
	require.Empty(t, w.only("restore", "swap", "command"))
}

// What people agree to is the production that they were shown.
func TestRestoreAsksAgainIfProductionHasChanged(t *testing.T) {
	w := newProduction(t, onlyApp)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	var digests []string
	turns := append([]turn{{"restore", func(b *approval.Book) {
		digests = append(digests, b.Request.Digest)
		w.places.at["app"] = "99"
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
	}}, {"restore", func(b *approval.Book) {
		digests = append(digests, b.Request.Digest)
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
	}}}, w.kept(env)...)
	done := play(t, env, turns...)
	r, err := restore(t, env, in)
	require.NoError(t, err)
	done()
	require.NotEqual(t, digests[0], digests[1])
	require.Equal(t, []string{"commit safety", "decide restore: approved", "commit safety", "decide restore: approved"}, w.only("commit", "decide")[:4])
	require.Len(t, w.only("restore"), 1, "the first approval restored nothing")
	require.Equal(t, "99", w.places.at[aside(t, w, "app")])
	require.Equal(t, recovery.StateRestored, r.State)
}

// One source alone is restored, but the service is tried out on all of them.
func TestRestoreOfAChosenSource(t *testing.T) {
	w := newProduction(t)
	in := w.bySam(workflows.RestoreInput{Sources: []string{"app"}})
	env := w.env(t)
	play(t, env, append([]turn{w.approve(env, "restore", "kim")}, w.kept(env)...)...)
	r, err := restore(t, env, in)
	require.NoError(t, err)
	require.Equal(t, []string{"app"}, r.Sources)
	require.Equal(t, recovery.Proven, r.Tried.Verdict)
	require.Equal(t, "2", w.places.at["/srv/notes.db"], "the other one is left alone")
	require.Len(t, r.Swaps, 1)
	for place := range w.places.at {
		require.NotContains(t, place, copyPrefix, "what was for the trial is gone")
	}
}

func TestCancelBeforeTheSwap(t *testing.T) {
	for name, wait := range map[string]time.Duration{"while it waits": time.Minute, "while it is restored": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			w := newProduction(t)
			in := w.bySam(workflows.RestoreInput{})
			env := w.env(t)
			env.OnActivity("TryBeside", anything, anything).After(time.Hour).Return(&w.smoke, nil)
			after(env, 5*time.Minute, func() {
				if b := pending(t, env); b != nil {
					env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
				}
			})
			after(env, wait, env.CancelWorkflow)
			_, err := restore(t, env, in)
			require.True(t, temporal.IsCanceledError(err), err)
			require.Equal(t, "cancelled; production is untouched", w.board.last().Line)
			require.Equal(t, map[string]string{"app": "1", "/srv/notes.db": "2"}, w.places.at, "the copies are dropped")
			require.Empty(t, w.only("swap", "command"))
		})
	}
}

func TestCancelDuringTheSwapComesTooLate(t *testing.T) {
	w := newProduction(t)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	env.OnActivity("CheckLive", anything, anything).After(time.Hour).Return(&w.smoke, nil)
	play(t, env, w.approve(env, "restore", "kim"))
	after(env, 30*time.Minute, env.CancelWorkflow)
	r, err := restore(t, env, in)
	require.NoError(t, err)
	require.Equal(t, recovery.StateRestored, r.State)
	require.Regexp(t, `^production of where2eat is now set .*; what was set aside stays where it is \(app.before-\w+, /srv/notes.db.before-\w+\): cancelled$`, r.Sentence)
	require.Equal(t, "decide undo: withdrawn", w.log[len(w.log)-1])
}
