package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func TestUndoPutsBackWhatWasThere(t *testing.T) {
	w := newProduction(t)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	var offer, confirm approval.Request
	var meanwhile workflows.Status
	done := play(t, env,
		w.approve(env, "restore", "kim"),
		turn{"undo", func(b *approval.Book) {
			offer, meanwhile = b.Request, status(t, env)
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
		}},
		turn{"confirm undo", func(b *approval.Book) {
			confirm = b.Request
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
		}},
		w.reject(env, "remove", "kim"))
	r, err := restore(t, env, in)
	require.NoError(t, err)
	done()

	require.Equal(t, recovery.StateRestored, meanwhile.Restored.State, "whoever waits for the restore sees that it is done")
	require.Equal(t, r.UndoTil, meanwhile.Restored.UndoTil)
	require.Equal(t, offer.Asked.Add(24*time.Hour), offer.Expires)
	require.Empty(t, offer.Confirm)
	require.Equal(t, "Lifeboat", offer.RequestedBy, "so that each approver may decide")
	require.Equal(t, 1, offer.Needed())
	require.Equal(t, "where2eat", confirm.Confirm)
	require.Equal(t, string(w.committedFor(recovery.PurposeSafety)), fact(t, confirm.Facts, "Backup of what is there now"))
	require.NotEqual(t, r.Safety, w.committedFor(recovery.PurposeSafety), "it is another one than that of the restore")
	require.Equal(t, "2", fact(t, confirm.Facts, "Tables with the same rows"))

	require.Equal(t, []string{
		"commit safety", "decide restore: approved",
		"command stop", "swap app: copy-app.1 is app now, stopped true", "swap notes: copy-notes.1 is /srv/notes.db now, stopped true", "command start",
		"decide undo: approved", "commit safety", "decide confirm undo: approved",
		"command stop", "swap notes: /srv/notes.db.before-20261123t1800 is /srv/notes.db now, stopped true",
		"swap app: app.before-20261123t1800 is app now, stopped true", "command start",
		"commit setAside", "decide remove: rejected",
	}, trimTimes(w.only("commit", "decide", "command", "swap")), "backwards, and with the service stopped")
	app, notes := aside(t, w, "app"), aside(t, w, "/srv/notes.db")
	require.Equal(t, map[string]string{"app": "1", "/srv/notes.db": "2", app: "3", notes: "4"}, w.places.at)

	require.Equal(t, recovery.StateUndone, r.State)
	require.Regexp(t, `^production of where2eat is what it was before the restore; nothing answered for \S+; what was set aside stays where it is \(`, r.Sentence)
}

func TestUndoThatIsNotConfirmedChangesNothing(t *testing.T) {
	w := newProduction(t, onlyApp)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	done := play(t, env, w.approve(env, "restore", "kim"), w.approve(env, "undo", "kim"),
		turn{"confirm undo", func(b *approval.Book) {
			d := w.vouched(env, b, "kim", approval.Approve)
			d.Confirm = "yes"
			env.SignalWorkflow(workflows.Decide, d.Vouch(w.key))
		}},
		w.reject(env, "confirm undo", "rebecca"), w.reject(env, "remove", "kim"))
	r, err := restore(t, env, in)
	require.NoError(t, err)
	done()
	require.Equal(t, recovery.StateRestored, r.State)
	require.Len(t, w.only("swap"), 1)
}

func TestUndoWithoutABackupOfWhatItReplaces(t *testing.T) {
	w := newProduction(t, onlyApp)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	var confirm approval.Request
	done := play(t, env, w.approve(env, "restore", "kim"),
		turn{"undo", func(b *approval.Book) {
			w.dumpErrs["app"] = []error{recovery.NewFault(recovery.Permanent, errors.New("disk is full"), "")}
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
		}},
		turn{"confirm undo", func(b *approval.Book) {
			confirm = b.Request
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
		}}, w.reject(env, "remove", "kim"))
	r, err := restore(t, env, in)
	require.NoError(t, err)
	done()
	require.Equal(t, "NONE could be made: no recovery set was made: dump app: disk is full", fact(t, confirm.Facts, "Backup of what is there now"))
	require.Equal(t, recovery.StateUndone, r.State)
}

// What another restore has left there since is not undone, and the service is not
// stopped in vain.
func TestUndoThatComesTooLate(t *testing.T) {
	w := newProduction(t)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	play(t, env, w.approve(env, "restore", "kim"), w.approve(env, "undo", "kim"),
		turn{"confirm undo", func(b *approval.Book) {
			w.places.at["app"] = "99"
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
		}}, w.reject(env, "remove", "kim"))
	r, err := restore(t, env, in)
	require.NoError(t, err)
	require.Equal(t, recovery.StateRestored, r.State)
	require.Contains(t, r.Sentence, "database app on db1 is not what this restore left there: it cannot be undone any more")
	require.Len(t, w.only("command"), 2, "stopped and started for the restore alone")
	require.Equal(t, "99", w.places.at["app"])
}

func TestUndoThatFails(t *testing.T) {
	run := func(t *testing.T, w *world, change func(retired, former string)) (*recovery.Restoration, error) {
		in := w.bySam(workflows.RestoreInput{})
		env := w.env(t)
		play(t, env, w.approve(env, "restore", "kim"), w.approve(env, "undo", "kim"),
			turn{"confirm undo", func(b *approval.Book) {
				former := aside(t, w, "app")
				change(former+"-undone", former)
				env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
			}}, w.reject(env, "remove", "kim"))
		return restore(t, env, in)
	}
	t.Run("leaves what was restored, and what was set aside", func(t *testing.T) {
		w := newProduction(t)
		r, err := run(t, w, func(_, former string) { w.swapErr[former] = []error{refused} })
		require.NoError(t, err)
		require.Equal(t, recovery.StateRestored, r.State)
		require.Regexp(t, `what was set aside stays where it is \(app\S+, /srv/notes.db\S+\): undoing it did not work: the restored data is still in place: the swap did not work: swap app: sessions`, r.Sentence)
		require.Equal(t, map[string]string{"app": "3", "/srv/notes.db": "4", aside(t, w, "app"): "1", aside(t, w, "/srv/notes.db"): "2"}, w.places.at)
		require.Empty(t, w.only("drop"))
	})
	t.Run("between the two", func(t *testing.T) {
		w := newProduction(t)
		r := (*recovery.Restoration)(nil)
		_, err := run(t, w, func(_, former string) {
			w.swapErr[former] = []error{refused}
			w.swapErr[aside(t, w, "/srv/notes.db")+"-undone"] = []error{refused}
		})
		r = left(t, err, workflows.ErrorUnclear)
		require.Contains(t, r.Sentence, "a person must look at production of where2eat: the swap did not work: swap app: sessions of backup could not be closed")
		require.Contains(t, r.Sentence, "notes could not be put back: ")
		require.Empty(t, w.only("drop"))
		require.NotContains(t, w.log, "commit setAside", "nothing is tidied up")
	})
}

func TestUndoOfferExpires(t *testing.T) {
	w := newProduction(t, onlyApp)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	play(t, env, w.approve(env, "restore", "kim"))
	r, err := restore(t, env, in)
	require.NoError(t, err)
	require.Equal(t, []string{"decide restore: approved", "decide undo: expired", "decide remove: expired"}, w.only("decide"))
	require.Regexp(t, `; what was set aside stays where it is \(app.before-\w+\): removing it was not approved$`, r.Sentence)
	undo, remove := w.decisions[1].Request, w.decisions[2].Request
	require.WithinDuration(t, undo.Expires, remove.Asked, time.Second, "one follows the other")
	for _, n := range w.board.notes {
		require.NotContains(t, n.Text, "Undo the restore of where2eat", "nobody is urged to undo")
	}
}

func TestWhatWasSetAsideIsRemovedOnceItIsBackedUp(t *testing.T) {
	w := newProduction(t)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	var asked approval.Request
	done := play(t, env, w.approve(env, "restore", "kim"), w.reject(env, "undo", "kim"),
		turn{"remove", func(b *approval.Book) {
			asked = b.Request
			env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "rebecca", approval.Approve))
		}})
	r, err := restore(t, env, in)
	require.NoError(t, err)
	done()
	require.Equal(t, []string{
		"dump app.before-20261123t1800", "dump /srv/notes.db.before-20261123t1800", "commit setAside",
		"decide remove: approved", "drop app.before-20261123t1800", "drop /srv/notes.db.before-20261123t1800",
	}, trimTimes(w.log[len(w.log)-6:]))
	require.Equal(t, map[string]string{"app": "3", "/srv/notes.db": "4"}, w.places.at)
	set := w.committedFor(recovery.PurposeSetAside)
	require.Equal(t, set, r.Removed)
	require.Equal(t, string(set)+", read back", fact(t, asked.Facts, "Backed up as"))
	require.Regexp(t, `; what was set aside is removed, and kept as set `+string(set)+`$`, r.Sentence)
	require.Equal(t, recovery.StateRestored, r.State)
}

func TestWhatWasSetAsideStaysIfItCannotBeBackedUp(t *testing.T) {
	for name, source := range map[string][]string{"none of it": {"app", "notes"}, "half of it": {"notes"}} {
		t.Run(name, func(t *testing.T) {
			w := newProduction(t)
			in := w.bySam(workflows.RestoreInput{})
			env := w.env(t)
			done := play(t, env, w.approve(env, "restore", "kim"), turn{"undo", func(b *approval.Book) {
				for _, s := range source {
					w.dumpErrs[s] = []error{recovery.NewFault(recovery.Permanent, errors.New("disk is full"), "")}
				}
				env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Reject))
			}})
			r, err := restore(t, env, in)
			require.NoError(t, err)
			done()
			require.Equal(t, []string{"decide restore: approved", "decide undo: rejected"}, w.only("decide"), "nobody is asked to remove it")
			require.Regexp(t, `what was set aside stays where it is \(.*\): .*disk is full`, r.Sentence)
			require.Len(t, w.places.at, 4)
		})
	}
}

func TestWhatCannotBeRemovedIsNamed(t *testing.T) {
	w := newProduction(t)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	var notes string
	play(t, env, w.approve(env, "restore", "kim"), w.reject(env, "undo", "kim"), turn{"remove", func(b *approval.Book) {
		notes = aside(t, w, "/srv/notes.db")
		w.places.at[notes] = "99" // somebody put something else there
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
	}})
	r, err := restore(t, env, in)
	require.NoError(t, err)
	require.Contains(t, r.Sentence, "what was set aside stays where it is ("+notes+"): remove "+notes+": drop "+notes+": it is 99, not 2")
	require.Empty(t, r.Removed)
}

func TestNothingIsOfferedWithoutAPolicy(t *testing.T) {
	w := newProduction(t, onlyApp, func(w *world) { w.plan.Approvals.Undo, w.plan.Approvals.Drop = nil, nil })
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	play(t, env, w.approve(env, "restore", "kim"))
	r, err := restore(t, env, in)
	require.NoError(t, err)
	require.True(t, r.UndoTil.IsZero())
	require.Equal(t, []string{"decide restore: approved"}, w.only("decide"))
	require.Len(t, w.places.at, 2)
}

func TestCancelWhileUndoIsOffered(t *testing.T) {
	w := newProduction(t, onlyApp)
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	done := play(t, env, w.approve(env, "restore", "kim"), turn{"undo", func(*approval.Book) { env.CancelWorkflow() }})
	r, err := restore(t, env, in)
	require.NoError(t, err)
	done()
	require.Equal(t, recovery.StateRestored, r.State)
	require.Regexp(t, `\): cancelled$`, r.Sentence)
}

// Whoever asked may not approve it: so it matters who that was.
func TestRequesterCountsOnlyIfADoorVouchesForThem(t *testing.T) {
	about := func(playbook string, in workflows.RestoreInput) string {
		return approval.StartSubject(playbook, runID(workflows.TypeRestore), in)
	}
	subject := func(playbook string) string { return about(playbook, workflows.RestoreInput{Service: "where2eat"}) }
	for name, c := range map[string]struct {
		claim func(w *world) *approval.Claim
		want  string
	}{
		"nobody says who": {func(*world) *approval.Claim { return nil }, ""},
		"vouched for": {func(w *world) *approval.Claim {
			return new(approval.Claim{By: "sam", Via: approval.ViaCLI, At: w.start}.Vouch(w.key, subject(workflows.TypeRestore)))
		}, "sam"},
		"claimed only": {func(w *world) *approval.Claim {
			return &approval.Claim{By: "sam", Via: approval.ViaCLI, At: w.start}
		}, ""},
		"vouched for by somebody else": {func(w *world) *approval.Claim {
			return new(approval.Claim{By: "sam", Via: approval.ViaCLI, At: w.start}.Vouch([]byte("another key"), subject(workflows.TypeRestore)))
		}, ""},
		"for something else": {func(w *world) *approval.Claim {
			return new(approval.Claim{By: "sam", Via: approval.ViaCLI, At: w.start}.Vouch(w.key, subject(workflows.TypeRestoreDrill)))
		}, ""},
		"for another input": {func(w *world) *approval.Claim {
			other := about(workflows.TypeRestore, workflows.RestoreInput{Service: "where2eat", Beside: true})
			return new(approval.Claim{By: "sam", Via: approval.ViaCLI, At: w.start}.Vouch(w.key, other))
		}, ""},
		"of an earlier run": {func(w *world) *approval.Claim {
			return new(approval.Claim{By: "sam", Via: approval.ViaCLI, At: w.start.Add(-time.Hour)}.Vouch(w.key, subject(workflows.TypeRestore)))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newProduction(t, onlyApp)
			in := workflows.RestoreInput{Service: "where2eat", Requested: c.claim(w)}
			env := w.env(t)
			var asked *approval.Book
			play(t, env, turn{"restore", func(b *approval.Book) {
				asked = b
				env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Reject))
			}})
			_, err := restore(t, env, in)
			require.Error(t, err)
			require.Equal(t, c.want, asked.Request.RequestedBy)
			require.Equal(t, c.want, w.board.last().By)
			if c.want == "" {
				require.Equal(t, 2, asked.Request.Needed(), "then two must agree")
			}
		})
	}
}
