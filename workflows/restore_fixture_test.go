package workflows_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// newProduction is a world whose production may be restored: sam asks, rebecca and
// kim decide. There is a proven set of it.
func newProduction(t *testing.T, change ...func(w *world)) *world {
	t.Helper()
	w := newTeam()
	w.plan.People = append(w.plan.People, recovery.Person{Name: "sam"})
	policy := func() *recovery.PolicySpec {
		return &recovery.PolicySpec{Approvers: []string{"kim", "rebecca"}, Needed: 1, Expires: recovery.Duration(10 * time.Hour), Escalate: []string{"ann"}}
	}
	w.plan.Approvals.Restore, w.plan.Approvals.Beside, w.plan.Approvals.Undo, w.plan.Approvals.Drop = policy(), policy(), policy(), policy()
	w.plan.UndoFor = recovery.Duration(24 * time.Hour)
	w.plan.Live = &recovery.LiveSpec{BaseURL: "http://127.0.0.1:8080"}
	w.plan.Commands = recovery.CommandsSpec{Stop: []string{"stop"}, Start: []string{"start"}}
	for _, c := range change {
		c(w)
	}
	w.proven(t)
	return w
}

// onlyApp leaves the service one PostgreSQL database.
func onlyApp(w *world) {
	w.plan.Sources = w.plan.Sources[:1]
	delete(w.places.at, "/srv/notes.db")
}

// onlyNotes leaves it one SQLite file.
func onlyNotes(w *world) {
	w.plan.Sources = w.plan.Sources[1:]
	delete(w.places.at, "app")
}

// bySam asks for a restore, and the CLI vouches that it was sam.
func (w *world) bySam(in workflows.RestoreInput) workflows.RestoreInput {
	in.Service = "where2eat"
	claim := approval.Claim{By: "sam", Via: approval.ViaCLI, At: w.start}.Vouch(w.key, approval.StartSubject(workflows.TypeRestore, runID(workflows.TypeRestore), in))
	in.Requested = &claim
	return in
}

// restore runs Restore to its end.
func restore(t *testing.T, env *testsuite.TestWorkflowEnvironment, in any) (*recovery.Restoration, error) {
	t.Helper()
	execute(env, workflows.TypeRestore, in)
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return nil, err
	}
	var r *recovery.Restoration
	return r, env.GetWorkflowResult(&r)
}

// kept ends the offers that follow a restore: nobody wants to undo it, nothing is
// removed.
func (w *world) kept(env *testsuite.TestWorkflowEnvironment) []turn {
	return []turn{w.reject(env, "undo", "kim"), w.reject(env, "remove", "kim")}
}

// left returns the Restoration in an error's details.
func left(t *testing.T, err error, kind string) *recovery.Restoration {
	t.Helper()
	var r *recovery.Restoration
	app := appError(t, err)
	require.Equal(t, kind, app.Type())
	require.NoError(t, app.Details(&r))
	require.Equal(t, app.Message(), r.Sentence)
	return r
}

// only keeps the lines of the log that begin with one of the words.
func (w *world) only(words ...string) []string {
	var lines []string
	for _, line := range w.log {
		first, _, _ := strings.Cut(line, " ")
		if strings.Contains(" "+strings.Join(words, " ")+" ", " "+first+" ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// fact finds what a plan says under a label.
func fact(t *testing.T, facts []approval.Fact, label string) string {
	t.Helper()
	for _, f := range facts {
		if f.Label == label {
			return f.Value
		}
	}
	require.Fail(t, fmt.Sprintf("no fact %q in %v", label, facts))
	return ""
}

// aside is where production of a name was set aside.
func aside(t *testing.T, w *world, name string) string {
	t.Helper()
	for place := range w.places.at {
		if strings.HasPrefix(place, name+".before-") {
			return place
		}
	}
	require.Fail(t, fmt.Sprintf("nothing of %s was set aside: %v", name, w.places.at))
	return ""
}

// trimTimes takes minutes and seconds off names, which depend on when people were
// asked.
func trimTimes(log []string) []string {
	var lines []string
	for _, line := range log {
		lines = append(lines, secondsOfNames.ReplaceAllString(line, "$1"))
	}
	return lines
}

var secondsOfNames = regexp.MustCompile(`(\d{8}t\d{4})\d\dz`)

// committedFor is the newest set made for a purpose.
func (w *world) committedFor(purpose recovery.Purpose) recovery.SetID {
	var newest recovery.SetID
	for id, m := range w.manifests {
		if m.Purpose == purpose && id > newest {
			newest = id
		}
	}
	return newest
}

// stampOf is a time as it stands in names.
func stampOf(t time.Time) string { return strings.ToLower(t.UTC().Format("20060102T150405Z")) }
