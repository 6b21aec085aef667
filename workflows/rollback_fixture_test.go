package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// newReleased is a world in which v4 is deployed, and is not well. v2 and v1 were
// seen to be; of v3 nothing is known. sam asks, rebecca and kim decide.
func newReleased(change ...func(w *world)) *world {
	w := newTeam()
	w.plan.People = append(w.plan.People, recovery.Person{Name: "sam"})
	w.plan.Approvals.Rollback = &recovery.PolicySpec{Approvers: []string{"kim", "rebecca"}, Needed: 1, Expires: recovery.Duration(10 * time.Hour), Escalate: []string{"ann"}}
	w.plan.UndoFor = recovery.Duration(24 * time.Hour)
	w.plan.Live = &recovery.LiveSpec{BaseURL: "http://127.0.0.1:8080", Timeout: recovery.Duration(10 * time.Second)}
	w.plan.Deploy = &recovery.DeploySpec{
		Dir: "/srv/where2eat", Timeout: recovery.Duration(10 * time.Minute), Repo: "/srv/where2eat/repo", Deploy: []string{"./deploy.sh", "--tag", "{tag}"},
		GoodAfter: recovery.Duration(10 * time.Minute), Settle: recovery.Duration(time.Minute),
	}
	w.deployed.tag, w.deployed.sick["v4"] = "v4", `the service did not pass "log in"`
	for _, tag := range []string{"v4", "v3", "v2", "v1"} {
		w.deployed.tags = append(w.deployed.tags, release.Tag{Tag: tag, Commit: commitOf(tag)})
	}
	w.deployed.between = release.Comparison{Commits: []string{"c0ffeev4 Log in by mail", "c0ffeev3 Show the menu"}}
	w.seen("v1", release.Watched, recovery.Proven, 72*time.Hour)
	w.seen("v2", release.Watched, recovery.Proven, 48*time.Hour)
	for _, c := range change {
		c(w)
	}
	return w
}

// seen makes evidence of a release, of some time before the next run.
func (w *world) seen(tag string, kind release.Kind, verdict recovery.Verdict, ago time.Duration) *release.Record {
	r := release.Record{
		Format: release.RecordFormat, Service: "where2eat", Tag: tag, Commit: commitOf(tag), Kind: kind, Verdict: verdict, At: w.start.Add(-ago),
		For: recovery.Duration(10 * time.Minute), Checks: 21,
	}
	w.deployed.records = append(w.deployed.records, r)
	return &w.deployed.records[len(w.deployed.records)-1]
}

func noEvidence(w *world) { w.deployed.records = nil }

// quickRemedies gives the service a flag and a second instance. Both help.
func quickRemedies(w *world) {
	w.plan.Deploy.FlagOff, w.plan.Deploy.FlagOn = []string{"./flag.sh", "off"}, []string{"./flag.sh", "on"}
	w.plan.Deploy.Switch, w.plan.Deploy.SwitchBack = []string{"./switch.sh", "blue"}, []string{"./switch.sh", "green"}
}

// rollBack runs Rollback to its end, as sam asked for by the CLI.
func (w *world) rollBack(t *testing.T, env *testsuite.TestWorkflowEnvironment, in workflows.RollbackInput) (*release.Rollback, error) {
	t.Helper()
	in.Service = "where2eat"
	claim := approval.Claim{By: "sam", Via: approval.ViaCLI, At: env.Now()}.Vouch(w.key, approval.StartSubject(workflows.TypeRollback, runID(workflows.TypeRollback), in))
	in.Requested = &claim
	execute(env, workflows.TypeRollback, in)
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return nil, err
	}
	var r *release.Rollback
	return r, env.GetWorkflowResult(&r)
}

// attempt rolls back while people take the turns.
func (w *world) attempt(t *testing.T, in workflows.RollbackInput, turns func(env *testsuite.TestWorkflowEnvironment) []turn) (*release.Rollback, error) {
	t.Helper()
	env := w.env(t)
	done := play(t, env, turns(env)...)
	r, err := w.rollBack(t, env, in)
	done()
	return r, err
}

// failedRollback returns the Rollback in an error's details.
func failedRollback(t *testing.T, err error, kind string) *release.Rollback {
	t.Helper()
	var r *release.Rollback
	app := appError(t, err)
	require.Equal(t, kind, app.Type(), app.Message())
	require.NoError(t, app.Details(&r))
	require.Equal(t, app.Message(), r.Sentence)
	return r
}

// choose is a turn in which a door vouches that somebody approves one of the choices.
func (w *world) choose(env *testsuite.TestWorkflowEnvironment, step, name, key string) turn {
	return turn{step, func(b *approval.Book) { w.chooses(env, b, name, key) }}
}

func (w *world) chooses(env *testsuite.TestWorkflowEnvironment, b *approval.Book, name, key string) {
	d := w.vouched(env, b, name, approval.Approve)
	d.Choice = key
	env.SignalWorkflow(workflows.Decide, d.Vouch(w.key))
}

// noting keeps the request that a turn is about.
func noting(into *approval.Request, then turn) turn {
	return turn{then.step, func(b *approval.Book) { *into = b.Request; then.do(b) }}
}

// keys are those of a request's choices.
func keys(r approval.Request) []string {
	var keys []string
	for _, c := range r.Choices {
		keys = append(keys, c.Key)
	}
	return keys
}

// findings are what was recorded since the fixture was made, in short.
func (w *world) findings(known int) []string {
	var lines []string
	for _, r := range w.deployed.records[known:] {
		lines = append(lines, r.Tag+" "+string(r.Kind)+" "+r.Verdict.String())
	}
	return lines
}

// noteOutcomes returns the values that the outcome gets, in order.
func noteOutcomes(env *testsuite.TestWorkflowEnvironment) *[]string {
	var outcomes []string
	env.OnUpsertTypedSearchAttributes(mock.MatchedBy(func(a temporal.SearchAttributes) bool {
		if outcome, ok := a.GetKeyword(workflows.AttributeOutcome); ok {
			outcomes = append(outcomes, outcome)
		}
		return true
	})).Return(nil)
	return &outcomes
}

// loud are the notes that the whole channel sees.
func (b *board) loud() []string {
	var texts []string
	for _, n := range b.notes {
		if n.Loud {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

// doneLike is the finished part of a run that begins like that.
func doneLike(t *testing.T, env *testsuite.TestWorkflowEnvironment, prefix string) string {
	t.Helper()
	done := status(t, env).Done
	for _, d := range done {
		if strings.HasPrefix(d, prefix) {
			return d
		}
	}
	require.Fail(t, "not done: "+prefix, "%q", done)
	return ""
}

// mended is an error that only a person mends.
func mended(text string) error { return recovery.NewFault(recovery.Permanent, errors.New(text), "") }
