package workflows_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

var refused = recovery.NewFault(recovery.Permanent, errors.New("sessions of backup could not be closed"), "end them")

// restored runs an approved restore whose offers nobody takes.
func restored(t *testing.T, w *world) (*recovery.Restoration, error) {
	t.Helper()
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	play(t, env, append([]turn{w.approve(env, "restore", "kim")}, w.kept(env)...)...)
	return restore(t, env, in)
}

// untouched says that production is what it was, and that nothing else is left.
func (w *world) untouched(t *testing.T) {
	t.Helper()
	require.Equal(t, map[string]string{"app": "1", "/srv/notes.db": "2"}, w.places.at)
}

func TestCopyThatFailsItsTestsIsNotSwapped(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"rows differ": {
			func(w *world) { w.got = func(_ string, f *recovery.Fingerprint) { f.Data[0].Rows = 6 } },
			"production is untouched: app: the restored copy is not the source: table public.app: 7 rows in the backup, 6 restored",
		},
		"a file differs": {
			func(w *world) {
				w.got = func(source string, f *recovery.Fingerprint) {
					if source == "notes" {
						f.Data[0].Rows = 6
					}
				}
			}, "production is untouched: notes: the restored copy is not the source: notes: its fingerprint is not the one in the manifest",
		},
		"the restore complains": {
			func(w *world) { w.complaints = []string{"pg_restore: error: could not execute query"} },
			"production is untouched: app: everything compared is there, but the restore complained: pg_restore: error: could not execute query",
		},
		"the service fails on it": {
			func(w *world) {
				w.smoke = recovery.SmokeProof{Verdict: recovery.Disproven, Sentence: `the service did not pass "log in"`}
			}, `production is untouched: the service did not pass "log in"`,
		},
		"nobody knows whether it would": {
			func(w *world) { w.smoke = recovery.SmokeProof{Sentence: "the service did not start: port taken"} },
			"production is untouched: the service did not start: port taken",
		},
		"it cannot be restored": {
			func(w *world) {
				w.restoreErr = []error{recovery.NewFault(recovery.Permanent, errors.New("permission denied to create database"), "")}
			}, "production is untouched: restore app: permission denied to create database",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newProduction(t)
			c.change(w)
			_, err := restored(t, w)
			r := left(t, err, workflows.ErrorUntouched)
			require.Equal(t, recovery.StateUntouched, r.State)
			require.Equal(t, c.want, r.Sentence)
			require.NotEmpty(t, r.Safety)
			require.Empty(t, w.only("swap", "command"))
			w.untouched(t)
			require.Equal(t, []string{"kim", "rebecca"}, w.board.notes[len(w.board.notes)-1].Mention, "it is loud")
		})
	}
}

// What was put in production's place while the copy was made is not set aside as if
// it were what people agreed to replace.
func TestProductionThatChangesMeanwhileIsLeftAlone(t *testing.T) {
	w := newProduction(t, onlyApp)
	w.got = func(string, *recovery.Fingerprint) { w.places.at["app"] = "99" }
	_, err := restored(t, w)
	r := left(t, err, workflows.ErrorUntouched)
	require.Equal(t, "production is untouched: database app on db1 is not what it was when the plan was made", r.Sentence)
	require.Equal(t, map[string]string{"app": "99"}, w.places.at)
}

func TestChangeThatIsCancelledBeforeItsFirstStep(t *testing.T) {
	w := newProduction(t, onlyApp)
	env := w.env(t)
	after(env, 0, env.CancelWorkflow)
	env.ExecuteWorkflow(workflows.TypeChangeData, workflows.ChangeDataInput{Plan: w.plan, Back: []recovery.Swap{{Source: "app", Live: "app", Out: "1", In: "2", New: "n", Aside: "a"}}})
	require.True(t, temporal.IsCanceledError(env.GetWorkflowError()))
	require.Empty(t, w.log)
}

func TestSwapThatFailsIsPutBack(t *testing.T) {
	w := newProduction(t)
	w.swapErr["copy-notes.1"] = []error{refused}
	_, err := restored(t, w)
	r := left(t, err, workflows.ErrorUntouched)
	require.Equal(t, "production is what it was before: the swap did not work: swap notes: sessions of backup could not be closed (end them)", r.Sentence)
	require.Empty(t, r.Swaps)
	require.Equal(t, []string{
		"command stop", "swap app: copy-app.1 is app now, stopped true",
		"swap notes: done already", "swap app: app.before-20261123t1800 is app now, stopped true", "command start",
		"drop app.before-20261123t1800-undone", "drop the copy of notes",
	}, trimTimes(w.only("command", "swap", "drop")))
	w.untouched(t)
}

// A swap that was done although its step failed is found out, and put back.
func TestSwapThatWasDoneNeverthelessIsPutBack(t *testing.T) {
	w := newProduction(t)
	w.swapLost = map[string]error{"copy-notes.1": refused}
	_, err := restored(t, w)
	left(t, err, workflows.ErrorUntouched)
	require.Equal(t, []string{
		"swap app: copy-app.1 is app now, stopped true", "swap notes: copy-notes.1 is /srv/notes.db now, stopped true",
		"swap notes: /srv/notes.db.before-20261123t1800 is /srv/notes.db now, stopped true", "swap app: app.before-20261123t1800 is app now, stopped true",
		"drop app.before-20261123t1800-undone", "drop /srv/notes.db.before-20261123t1800-undone",
	}, trimTimes(w.only("swap", "drop")))
	w.untouched(t)
}

func TestServiceThatIsNotWellIsSwappedBack(t *testing.T) {
	w := newProduction(t)
	w.well = []recovery.SmokeProof{{Verdict: recovery.Disproven, Sentence: "the service answered 500 to GET /"}}
	_, err := restored(t, w)
	r := left(t, err, workflows.ErrorUntouched)
	app, notes := aside(t, w, "app"), aside(t, w, "/srv/notes.db")
	require.Equal(t, "production is what it was before: the service answered 500 to GET /; what the service wrote meanwhile is in "+
		app+", "+notes+": remove that once nobody needs it", r.Sentence)
	require.Equal(t, []string{app, notes}, r.Beside)
	require.Equal(t, recovery.Disproven, r.Live.Verdict)
	require.Equal(t, []string{
		"command stop", "swap app: copy-app.1 is app now, stopped true", "swap notes: copy-notes.1 is /srv/notes.db now, stopped true", "command start",
		"check the running service",
		"command stop", "swap notes: /srv/notes.db.before-20261123t1800 is /srv/notes.db now, stopped true",
		"swap app: app.before-20261123t1800 is app now, stopped true", "command start",
	}, trimTimes(w.only("command", "swap", "check", "drop")))
	require.Equal(t, map[string]string{"app": "1", "/srv/notes.db": "2", app: "3", notes: "4"}, w.places.at)
}

func TestServiceThatDoesNotStartIsSwappedBack(t *testing.T) {
	failing := recovery.NewFault(recovery.Permanent, errors.New("start ended with 1: port taken"), "")
	t.Run("and starts then", func(t *testing.T) {
		w := newProduction(t)
		w.commandErr["start"] = []error{failing}
		_, err := restored(t, w)
		r := left(t, err, workflows.ErrorUntouched)
		require.Contains(t, r.Sentence, "production is what it was before: the service could not be started: command start: start ended with 1: port taken; what the service wrote")
		require.Equal(t, "1", w.places.at["app"])
	})
	t.Run("and does not start then either", func(t *testing.T) {
		w := newProduction(t)
		w.commandErr["start"] = []error{failing, failing}
		_, err := restored(t, w)
		r := left(t, err, workflows.ErrorUntouched)
		require.Contains(t, r.Sentence, "; AND the service could not be started again: command start: start ended with 1: port taken; ")
	})
}

func TestServiceThatCannotBeStoppedIsLeftAlone(t *testing.T) {
	w := newProduction(t)
	w.commandErr["stop"] = []error{recovery.NewFault(recovery.Permanent, errors.New("stop ended with 1"), "")}
	_, err := restored(t, w)
	r := left(t, err, workflows.ErrorUntouched)
	require.Equal(t, "production is untouched: command stop: stop ended with 1", r.Sentence)
	require.Equal(t, []string{"command stop", "command start", "drop the copy of app", "drop the copy of notes"}, w.only("command", "swap", "drop"))
	w.untouched(t)
}

// That nobody can look at the service is no reason to take the restored data away.
func TestServiceThatCannotBeLookedAtIsKept(t *testing.T) {
	w := newProduction(t)
	w.wellErr = recovery.NewFault(recovery.Permanent, errors.New("live.baseURL is refused by this host"), "")
	r, err := restored(t, w)
	require.NoError(t, err)
	require.Equal(t, recovery.StateRestored, r.State)
	require.Nil(t, r.Live)
	require.Contains(t, r.Sentence, "; the running service was NOT checked: check the running service: live.baseURL is refused by this host")
}

// Where nothing was before, there is nothing to go back to.
func TestServiceThatIsNotWellOnWhatWasLost(t *testing.T) {
	w := newProduction(t, onlyApp)
	delete(w.places.at, "app")
	w.well = []recovery.SmokeProof{{Verdict: recovery.Disproven, Sentence: "the service answered 500 to GET /"}}
	r, err := restored(t, w)
	require.NoError(t, err)
	require.Regexp(t, `^production of where2eat is now set .* \(7 rows\); nothing answered for 20ms; BUT the service answered 500 to GET /$`, r.Sentence)
	require.Equal(t, map[string]string{"app": "3"}, w.places.at)
}

func TestSwapThatCannotBePutBackIsSaidClearly(t *testing.T) {
	w := newProduction(t)
	w.well = []recovery.SmokeProof{{Verdict: recovery.Disproven, Sentence: "the service answered 500 to GET /"}}
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	play(t, env, turn{"restore", func(b *approval.Book) {
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
		w.swapErr["app.before-"+stampOf(env.Now())] = []error{refused}
	}})
	_, err := restore(t, env, in)
	r := left(t, err, workflows.ErrorUnclear)
	require.Equal(t, recovery.StateUnclear, r.State)
	former := aside(t, w, "app")
	require.Equal(t, "a person must look at production of where2eat: the service answered 500 to GET /; app could not be put back: swap app: "+
		"sessions of backup could not be closed (end them); what was there before is kept as "+former+", unless it is still there as app; "+
		"the service is left stopped, so that it does not run on half of each: start it once you have looked", r.Sentence)
	require.Len(t, r.Swaps, 2)
	require.Equal(t, "1", w.places.at[former])
	require.Equal(t, "2", w.places.at["/srv/notes.db"], "the other one was put back")
	require.Equal(t, "command stop", w.only("command")[2])
	require.Len(t, w.only("command"), 3)
}

// Who ended a change by force, does not leave it to be guessed what it left.
func TestChangeThatWasEndedByForceIsUnclear(t *testing.T) {
	w := newProduction(t)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	env.OnWorkflow(workflows.TypeChangeData, anything, anything).Return(nil, errors.New("terminated"))
	play(t, env, w.approve(env, "restore", "kim"))
	_, err := restore(t, env, in)
	r := left(t, err, workflows.ErrorUnclear)
	require.Equal(t, "a person must look at production of where2eat: change/where2eat ended without saying what it left: terminated", r.Sentence)
}

func TestRestoreBeside(t *testing.T) {
	w := newProduction(t, func(w *world) { w.plan.Sources[0].Tables = []string{"users"} }) // which may not replace the whole
	w.refusals = []string{"There is a prepared transaction."}                              // which matters only for what is replaced
	in := w.bySam(workflows.RestoreInput{Beside: true, Sources: []string{"app"}})
	env := w.env(t)
	var plan approval.Request
	done := play(t, env, turn{"restore beside", func(b *approval.Book) {
		plan = b.Request
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
	}})
	r, err := restore(t, env, in)
	require.NoError(t, err)
	done()
	require.False(t, plan.Destructive)
	require.Empty(t, plan.Confirm)
	require.Equal(t, "beside database app on db1; production is not touched", plan.Where)
	require.Equal(t, "database app on db1, 1.0 kB", fact(t, plan.Facts, "Stands beside"))
	name := "app.at-" + string(r.Set)
	require.Equal(t, recovery.StateBeside, r.State)
	require.Equal(t, "restored beside production, which is untouched: database "+name, r.Sentence)
	require.Equal(t, map[string]string{"app": "1", "/srv/notes.db": "2", name: "3"}, w.places.at)
	require.Equal(t, []string{"decide restore beside: approved", "restore app beside", "keep app"}, w.log, "nothing is backed up, tried out or swapped")
}

func TestRestoreByTheUsersOwnCommand(t *testing.T) {
	switching := func(w *world) { w.plan.Sources[0].SwapCommand = []string{"use-database"} }
	t.Run("and back", func(t *testing.T) {
		w := newProduction(t, onlyApp, switching)
		in := w.bySam(workflows.RestoreInput{})
		env := w.env(t)
		done := play(t, env, w.approve(env, "restore", "kim"), w.approve(env, "undo", "kim"), w.approve(env, "confirm undo", "kim"))
		r, err := restore(t, env, in)
		require.NoError(t, err)
		done()
		require.Equal(t, recovery.StateUndone, r.State)
		require.Equal(t, []string{"keep app", "switch app to app.at-" + string(r.Set), "switch app to app"}, w.only("keep", "switch", "swap", "drop"))
		require.Equal(t, map[string]string{"app": "1", "app.at-" + string(r.Set): "3"}, w.places.at, "what was made stays: it was production for a while")
	})
	t.Run("that fails", func(t *testing.T) {
		w := newProduction(t, onlyApp, switching)
		set := w.committedFor("")
		w.swapErr["app.at-"+string(set)] = []error{recovery.NewFault(recovery.Permanent, errors.New("use-database ended with 1"), "")}
		_, err := restored(t, w)
		r := left(t, err, workflows.ErrorUntouched)
		require.Equal(t, "production is what it was before: the swap did not work: switch app: use-database ended with 1", r.Sentence)
		require.Equal(t, []string{"switch app to app.at-" + string(set), "switch app to app", "drop app.at-" + string(set)}, w.only("switch", "drop"))
		require.Equal(t, map[string]string{"app": "1"}, w.places.at)
	})
}
