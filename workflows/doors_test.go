package workflows_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// newTeam is a world in which people decide: rebecca and kim approve, ann is told
// when they do not.
func newTeam() *world {
	w := newWorld()
	w.plan.People = []recovery.Person{{Name: "ann"}, {Name: "kim"}, {Name: "rebecca"}}
	w.plan.Approvals.Key = "env:APPROVAL_KEY"
	w.plan.Approvals.Drill = &recovery.PolicySpec{
		Approvers: []string{"kim", "rebecca"}, Needed: 1, Expires: recovery.Duration(10 * time.Hour), Escalate: []string{"ann"},
	}
	w.plan.Slack = &recovery.SlackSpec{Channel: "C1"}
	return w
}

// proven makes a proven set, so that there is something to restore.
func (w *world) proven(t *testing.T) recovery.SetID {
	t.Helper()
	report, err := w.backup(t, where2eat)
	require.NoError(t, err)
	w.proofs[len(w.proofs)-1].RTO.Actual = recovery.Duration(2 * time.Minute) // not what this machine needed
	w.log, w.dropped, w.decisions = nil, nil, nil
	return report.Set
}

// runID is the id of a playbook's run that a door starts.
func runID(playbook string) string { return workflows.PlaybookID(playbook, "where2eat", "1") }

// execute runs a playbook as a door does.
func execute(env *testsuite.TestWorkflowEnvironment, playbook string, in any) {
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: runID(playbook)})
	env.ExecuteWorkflow(playbook, in)
}

// pending returns the request that waits for a decision, nil if none does.
func pending(t *testing.T, env *testsuite.TestWorkflowEnvironment) *approval.Book {
	t.Helper()
	value, err := env.QueryWorkflow(workflows.QueryPending)
	require.NoError(t, err)
	var books []approval.Book
	require.NoError(t, value.Get(&books))
	if len(books) == 0 {
		return nil
	}
	require.Len(t, books, 1)
	return &books[0]
}

func status(t *testing.T, env *testsuite.TestWorkflowEnvironment) workflows.Status {
	t.Helper()
	value, err := env.QueryWorkflow(workflows.QueryStatus)
	require.NoError(t, err)
	var s workflows.Status
	require.NoError(t, value.Get(&s))
	return s
}

// vouched is what a door sends when name decides about what it is shown.
func (w *world) vouched(env *testsuite.TestWorkflowEnvironment, b *approval.Book, name string, verdict approval.Verdict) approval.Decision {
	d := approval.Decision{
		Request: b.Request.ID, Digest: b.Request.Digest, Verdict: verdict, Claim: approval.Claim{By: name, Via: approval.ViaSlack, At: env.Now()},
	}
	switch verdict {
	case approval.Approve:
		d.Confirm = b.Request.Confirm
	case approval.Reject:
		d.Reason = "not now"
	case approval.Undecided, approval.Snooze:
	}
	return d.Vouch(w.key)
}

// after does something while the run goes on.
func after(env *testsuite.TestWorkflowEnvironment, d time.Duration, do func()) {
	env.RegisterDelayedCallback(do, d)
}

// update decides by the Update, and returns where its answer will be.
func update(t *testing.T, env *testsuite.TestWorkflowEnvironment, id string, decision any) *approval.Answer {
	t.Helper()
	answer := &approval.Answer{Text: "no answer"}
	env.UpdateWorkflow(workflows.Decide, id, &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) { answer.Text = "rejected: " + err.Error() },
		OnComplete: func(result any, err error) {
			if err != nil {
				answer.Text = "failed: " + err.Error()
				return
			}
			data, err := json.Marshal(result)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(data, answer))
		},
	}, decision)
	return answer
}

// turn is what happens once a step is asked about.
type turn struct {
	step string
	do   func(b *approval.Book)
}

// play takes the turns one after the other, each as soon as its step is asked
// about. The returned function fails the test if one was left.
func play(t *testing.T, env *testsuite.TestWorkflowEnvironment, turns ...turn) (allTaken func()) {
	t.Helper()
	var look func()
	look = func() {
		if b := pending(t, env); b != nil && b.Request.Step == turns[0].step {
			do := turns[0].do
			turns = turns[1:]
			do(b)
		}
		if len(turns) > 0 {
			after(env, 10*time.Second, look)
		}
	}
	after(env, 10*time.Second, look)
	return func() {
		t.Helper()
		for _, left := range turns {
			require.Fail(t, "nobody was asked about "+left.step)
		}
	}
}

// approve and reject are turns in which a door vouches for somebody.
func (w *world) approve(env *testsuite.TestWorkflowEnvironment, step, name string) turn {
	return turn{step, func(b *approval.Book) {
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, name, approval.Approve))
	}}
}

func (w *world) reject(env *testsuite.TestWorkflowEnvironment, step, name string) turn {
	return turn{step, func(b *approval.Book) { env.SignalWorkflow(workflows.Decide, w.vouched(env, b, name, approval.Reject)) }}
}

// putOff is a turn in which a door vouches that somebody puts a drill off.
func (w *world) putOff(env *testsuite.TestWorkflowEnvironment, name string) turn {
	return turn{"drill", func(b *approval.Book) {
		env.SignalWorkflow(workflows.Decide, w.vouched(env, b, name, approval.Snooze))
	}}
}
