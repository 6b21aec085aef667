package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

var notWhatWasStored = recovery.NewFault(recovery.Damaged, errors.New("app.1.dump.zst.age is not what was stored"), "")

// newCopiedProduction has the set of production at main and at second.
func newCopiedProduction(t *testing.T) *world {
	t.Helper()
	w := newProduction(t, onlyApp)
	w.also("second")
	for _, p := range w.proofs {
		w.keep("second", w.manifests[p.Set])
		p.Copy = "second"
		w.proofs = append(w.proofs, p)
	}
	return w
}

// restoreFrom runs Restore; once it is approved, the copies are spoilt.
func restoreFrom(t *testing.T, w *world, spoil func(), further ...func(env *testsuite.TestWorkflowEnvironment) []turn) (*recovery.Restoration, workflows.Status, *seen, error) {
	t.Helper()
	in := w.bySam(workflows.RestoreInput{})
	env := w.env(t)
	w.await(env)
	s := watch(env)
	turns := []turn{{"restore", func(b *approval.Book) {
		spoil()
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
	}}}
	for _, f := range further {
		turns = append(turns, f(env)...)
	}
	done := play(t, env, turns...)
	r, err := restore(t, env, in)
	done()
	return r, status(t, env), s, err
}

func TestRestoreTakesTheNextCopy(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(w *world)
		want  string
	}{
		"the first is damaged": {
			func(w *world) { w.unsealErr["main"] = notWhatWasStored },
			"the copy at main cannot be used, taking the next one: production is untouched: restore app: app.1.dump.zst.age is not what was stored",
		},
		"the first does not answer": {
			func(w *world) { w.silence("main", w.clock().Add(10*time.Hour)) },
			"the copy at main cannot be used, taking the next one: production is untouched: restore app: gave up after 3",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCopiedProduction(t)
			r, ended, s, err := restoreFrom(t, w, func() { c.spoil(w) }, w.kept)
			require.NoError(t, err)
			require.Equal(t, recovery.StateRestored, r.State)
			require.Contains(t, strings.Join(ended.Done, "\n"), c.want)
			require.Equal(t, []string{workflows.ChangeID("where2eat"), workflows.ChangeID("where2eat")}, s.ids("change"))
			require.Len(t, w.only("swap"), 1)
			require.Equal(t, int64(7), r.Rows)
			for place := range w.places.at {
				require.NotContains(t, place, copyPrefix, "nothing of the first try is left")
			}
		})
	}
}

// The manifest is read before people are asked: what they see is what will be read.
func TestRestoreReadsTheManifestOfTheNextCopy(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"it is damaged":      {recovery.NewFault(recovery.Damaged, errors.New("it is not signed"), ""), "read manifest: it is not signed"},
		"it does not answer": {errors.New("connection reset"), "read manifest: gave up after 2m2s: connection reset"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCopiedProduction(t)
			w.plan.Approvals.Drop = nil
			w.unreadable["main"] = c.err
			var from string
			in := w.bySam(workflows.RestoreInput{})
			env := w.env(t)
			w.await(env)
			s := watch(env)
			done := play(t, env, turn{"restore", func(b *approval.Book) {
				from = fact(t, b.Request.Facts, "Read from")
				env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Approve))
			}}, w.reject(env, "undo", "kim"))
			r, err := restore(t, env, in)
			require.NoError(t, err)
			done()
			require.Equal(t, recovery.StateRestored, r.State)
			require.Equal(t, "second", from)
			require.Contains(t, status(t, env).Done, "the copy at main cannot be read, taking the next one: "+c.want)
			require.Len(t, s.ids("change"), 1)
		})
	}
}

func TestRestoreOfWhichNoManifestCanBeRead(t *testing.T) {
	w := newCopiedProduction(t)
	for _, d := range w.plan.Destinations {
		w.unreadable[d.Name] = recovery.NewFault(recovery.Damaged, errors.New("it is not signed at "+d.Name), "")
	}
	in := w.bySam(workflows.RestoreInput{})
	_, err := restore(t, w.env(t), in)
	_, message, _ := failure(t, err)
	require.Equal(t, "read manifest: it is not signed at second", message)
	require.Empty(t, w.decisions, "nobody was asked")
}

func TestRestoreTakesTheNextCopyIfOneCannotBeFetched(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"it is damaged":      {recovery.NewFault(recovery.Damaged, errors.New("an object is gone"), ""), "is in cold storage: an object is gone"},
		"it does not answer": {errors.New("503 Slow Down"), "is in cold storage: gave up after 3"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCopiedProduction(t)
			w.plan.Approvals.Undo, w.plan.Approvals.Drop = nil, nil
			w.frozen(4)
			w.thawErr["main"] = c.err
			r, ended, s, err := restoreFrom(t, w, func() {})
			require.NoError(t, err)
			require.Equal(t, recovery.StateRestored, r.State)
			done := strings.Join(ended.Done, "\n")
			require.Contains(t, done, "the copy at main cannot be used, taking the next one: look whether ")
			require.Contains(t, done, c.want)
			require.Len(t, s.ids("change"), 1, "production is locked once there is something to restore")
			require.Len(t, w.only("swap"), 1)
		})
	}
}

func TestRestoreOfWhichNoCopyCanBeFetched(t *testing.T) {
	w := newProduction(t, onlyApp)
	w.frozen(4)
	w.thawErr["main"] = recovery.NewFault(recovery.Damaged, errors.New("an object is gone"), "")
	_, _, s, err := restoreFrom(t, w, func() {})
	_, message, _ := failure(t, err)
	require.Contains(t, message, "an object is gone")
	require.Empty(t, s.ids("change"))
	require.Empty(t, w.only("swap"))
}

func TestRestoreOfWhichEachCopyIsBad(t *testing.T) {
	w := newCopiedProduction(t)
	_, _, s, err := restoreFrom(t, w, func() {
		w.unsealErr["main"], w.unsealErr["second"] = notWhatWasStored, notWhatWasStored
	})
	r := left(t, err, workflows.ErrorUntouched)
	require.Equal(t, "production is untouched: restore app: app.1.dump.zst.age is not what was stored", r.Sentence)
	require.Len(t, s.ids("change"), 2, "both were tried")
	require.Equal(t, map[string]string{"app": "1"}, w.places.at)
	require.Empty(t, w.only("swap", "command"))
}

// What is wrong with the data, or with the service's host, is no better with another
// copy.
func TestRestoreThatFailsTheTrialTakesNoOtherCopy(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(w *world)
		want  string
	}{
		"the service does not start": {
			func(w *world) {
				w.smoke = recovery.SmokeProof{Verdict: recovery.Disproven, Sentence: "it did not start"}
			}, "it did not start",
		},
		"its host does not answer": {func(w *world) { w.smokeErr = errors.New("web1 does not answer") }, "smoke test: gave up after 3"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCopiedProduction(t)
			_, _, s, err := restoreFrom(t, w, func() { c.spoil(w) })
			r := left(t, err, workflows.ErrorUntouched)
			require.Contains(t, r.Sentence, c.want)
			require.Len(t, s.ids("change"), 1)
		})
	}
}

func TestRestorePlanSaysFromWhereItReads(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"both":                {func(*world) {}, "main, or else second"},
		"the first is silent": {func(w *world) { w.silence("main", w.start.Add(10*time.Minute)) }, "second"},
		"the second is better": {func(w *world) {
			for i := range w.proofs {
				if w.proofs[i].Copy == "main" {
					w.proofs[i].Level, w.proofs[i].Artefacts = recovery.LevelReadBack, nil
				}
			}
		}, "second, or else main"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCopiedProduction(t)
			c.change(w)
			in := w.bySam(workflows.RestoreInput{})
			env := w.env(t)
			w.await(env)
			var from string
			play(t, env, turn{"restore", func(b *approval.Book) {
				from = fact(t, b.Request.Facts, "Read from")
				env.SignalWorkflow(workflows.Decide, w.vouched(env, b, "kim", approval.Reject))
			}})
			_, err := restore(t, env, in)
			require.Error(t, err)
			require.Equal(t, c.want, from)
		})
	}
}
