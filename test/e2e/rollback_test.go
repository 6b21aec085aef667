package e2e_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/internal/slacksim"
	"github.com/lifeboat-run/lifeboat/test/rig"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// watch watches the service until a finding about a release is there.
func watch(t *testing.T, r *rig.Rig, finding string) {
	t.Helper()
	run, err := r.Client().ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: workflows.QueueLifeboat},
		workflows.TypeWatchReleases, workflows.ReleaseInput{Service: sandbox.Service})
	require.NoError(t, err)
	r.AwaitStatus(run.GetID(), func(s workflows.Status) bool {
		return strings.Contains(strings.Join(s.Done, "\n"), finding) && strings.Contains(s.Doing, "watching") == strings.Contains(finding, "is bad")
	})
	require.NoError(t, r.Client().CancelWorkflow(context.Background(), run.GetID(), ""))
	r.AwaitEnd(run.GetID())
}

// rolledBack waits for the end of a rollback that ends well, and returns its result.
func rolledBack(t *testing.T, r *rig.Rig, run string) release.Rollback {
	t.Helper()
	var result release.Rollback
	require.NoError(t, r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), &result))
	return result
}

// notRolledBack waits for the end of a rollback that does not end well, and returns
// how it failed.
func notRolledBack(t *testing.T, r *rig.Rig, run string) (kind string, result release.Rollback) {
	t.Helper()
	var failed *temporal.ApplicationError
	require.True(t, errors.As(r.Client().GetWorkflow(context.Background(), run, "").Get(context.Background(), nil), &failed))
	require.NoError(t, failed.Details(&result))
	return failed.Type(), result
}

// agree waits until a run asks about a step, and approves it by the CLI.
func agree(t *testing.T, r *rig.Rig, run, step string, args ...string) approval.Book {
	t.Helper()
	book := r.AwaitBook(run, func(b approval.Book) bool { return b.Request.Step == step })
	out := r.Starter(append([]string{"decide", run, "approve", "--as", "sam"}, args...)...)
	require.Equal(t, 0, out.Code, out.Stderr)
	return book
}

func facts(b approval.Book) map[string]string {
	facts := map[string]string{}
	for _, f := range b.Request.Facts {
		facts[f.Label] = f.Value
	}
	return facts
}

func keys(b approval.Book) []string {
	var keys []string
	for _, c := range b.Request.Choices {
		keys = append(keys, c.Key)
	}
	return keys
}

// awaitRollbackCard waits for the newest card about a rollback to hold a text.
func awaitRollbackCard(t *testing.T, s *slacksim.Server, text string) slacksim.Message {
	t.Helper()
	var card slacksim.Message
	await(t, s, "no card of a rollback holds "+text, func() bool {
		for _, m := range s.Messages() {
			if m.ThreadTS == "" && strings.Contains(string(m.Blocks), "Roll back "+sandbox.Service) {
				card = m
			}
		}
		return strings.Contains(string(card.Blocks), text)
	})
	return card
}

// A broken release is deployed; one approval in Slack, and the last good one runs.
func TestRollbackInSlack(t *testing.T) {
	t.Parallel()
	r := rig.New(t, withSlack)
	d := r.DeployReleases()
	d.Tag("v1", "Begin")
	d.TagBroken("v2-broken", "Change the login", "login")
	d.Tag("v3", "Mend the login")
	d.ByHand("./deploy.sh", "--tag", "v1")
	r.StartWorker()
	watch(t, r, "v1 is good: it passed its checks for ")
	require.Equal(t, []string{"v3 unproven", "v2-broken unproven", "v1 good"}, d.Known())
	d.ByHand("./deploy.sh", "--tag", "v2-broken")
	watch(t, r, "v2-broken is bad: it did not pass its checks: ")
	await(t, r.Slack, "nobody is told of the bad release", func() bool {
		for _, m := range r.Slack.Messages() {
			if strings.Contains(string(m.Blocks), "v2-broken is not well") && strings.Contains(string(m.Blocks), "/lifeboat rollback where2eat") {
				return true
			}
		}
		return false
	})

	_, err := r.Slack.Slash(rebecca, "/lifeboat", "rollback where2eat")
	require.NoError(t, err)
	card := awaitRollbackCard(t, r.Slack, `"action_id":"approve"`)
	for _, text := range []string{"Roll back where2eat from v2-broken to v1", "good: passed its checks for ", "BAD: it did not pass its checks", "Change the login"} {
		require.Contains(t, string(card.Blocks), text)
	}
	book := r.AwaitPendingOf(workflows.TypeRollback)
	require.Equal(t, "rebecca", book.Request.RequestedBy)
	require.Regexp(t, `^1: [0-9a-f]{7} Change the login$`, facts(book)["Commits given up"])
	require.Empty(t, d.Runs(), "nothing runs before the approval")
	require.NoError(t, r.Slack.Click(sam, card.TS, "approve"))

	result := rolledBack(t, r, book.Request.Run.WorkflowID)
	require.Equal(t, release.Healthy, result.State)
	require.Regexp(t, `^v1 is deployed, v2-broken before; the service is well since \S+ after the approval, and stayed so for 2s \(\d+ checks\); given up: 1 commit$`, result.Sentence)
	require.Positive(t, result.Last().Took)
	awaitRollbackCard(t, r.Slack, "v1 is deployed, v2-broken before; the service is well since "+result.Last().Took.String()+" after the approval")
	require.Equal(t, "v1", d.Serving())
	require.Equal(t, []string{"v1"}, d.Runs())
	require.Len(t, r.Decision(book.Request.ID).Votes, 1)

	out := r.Starter("releases", sandbox.Service)
	require.Equal(t, 0, out.Code, out.Stderr)
	require.Regexp(t, `(?s)v3 .*unproven.*v2-broken .*bad.*people went back from it to v1.*v1 .*good`, out.Stdout)
}

// What was good is not well any more: the next older good release is offered, and if
// all is refused the one that was there is put back. Meanwhile nobody else changes the
// service.
func TestRollbackToAReleaseThatIsNotWell(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	d := r.DeployReleases()
	d.Tag("v1", "Begin")
	d.TagBroken("v2", "Rot", "errors")
	d.TagBroken("v3", "Change the login", "login")
	d.Found("v1")
	d.Found("v2")
	d.ByHand("./deploy.sh", "--tag", "v3")
	r.StartWorker()

	require.True(t, t.Run("the next older good one", func(t *testing.T) {
		run := r.StartRun("rollback")
		require.Contains(t, agree(t, r, run, "rollback").Request.What, "from v3 to v2")
		next := r.AwaitPending(run)
		require.Equal(t, []string{"again", "deploy:v1", "leave"}, keys(next))
		require.Contains(t, facts(next)["What happened"], "v2 is deployed, v3 before; the service is not well: ")
		require.Equal(t, "v2", facts(next)["Deployed now"])
		require.Equal(t, "put back v3", facts(next)["If you refuse"])
		out := r.Starter("decide", run, "approve", "--as", "sam")
		require.Equal(t, 2, out.Code, "one must be chosen")
		require.Contains(t, out.Stderr, "--choose deploy:v1")
		agree(t, r, run, "next", "--choose", "deploy:v1")
		result := rolledBack(t, r, run)
		require.Equal(t, release.Healthy, result.State, result.Sentence)
		require.Len(t, result.Changes, 2)
		require.Equal(t, "v1", d.Serving())
		require.Equal(t, []string{"v2", "v1"}, d.Runs())
		require.Equal(t, []string{"v3 bad", "v2 bad", "v1 good"}, d.Known())
	}))
	require.True(t, t.Run("what was there is put back", func(t *testing.T) {
		run := r.StartRun("rollback", "--to", "v2")
		agree(t, r, run, "rollback")
		require.Equal(t, "put back v1", facts(r.AwaitPending(run))["If you refuse"])
		require.Equal(t, "v2", d.Serving())
		require.Equal(t, 0, r.Starter("decide", run, "reject", "--as", "sam", "--reason", "that was a mistake").Code)
		kind, result := notRolledBack(t, r, run)
		require.Equal(t, workflows.ErrorUntouched, kind)
		require.Equal(t, release.Undone, result.State)
		require.Equal(t, "v1", d.Serving())
		require.Equal(t, []string{"v2", "v1", "v2", "v1"}, d.Runs())
	}))
	t.Run("others wait", func(t *testing.T) { testOthersWait(t, r, d) })
}

// While a rollback changes the service, whatever else would change it waits and says
// for what.
func testOthersWait(t *testing.T, r *rig.Rig, d *rig.Releases) {
	hold := d.Home + ".hold"
	require.NoError(t, os.WriteFile(hold, nil, 0o600))
	d.Configure(func(deploy map[string]any) {
		deploy["deploy"] = []string{"bash", "-c", `while [[ -e $0 ]]; do sleep 0.1; done; exec ./deploy.sh --tag "$1"`, hold, "{tag}"}
	})
	r.Configure(func(c *sandbox.Config) { // without them nothing can be restored
		c.Commands = &sandbox.Commands{Stop: []string{"true"}, Start: []string{"true"}}
	})
	first := r.StartRun("rollback", "--to", "v2")
	agree(t, r, first, "rollback")
	lock := workflows.ChangeID(sandbox.Service)
	r.AwaitStatus(first, func(s workflows.Status) bool { return s.Running == lock && s.Doing == "deploying v2" })

	second := r.StartRun("rollback", "--to", "v3")
	restore := r.StartRun("restore", "--source", "app")
	for _, run := range []string{second, restore} {
		r.AwaitStatus(run, func(s workflows.Status) bool { return s.Doing == "waiting for "+lock+" to end" })
	}
	require.Equal(t, "v1", d.Serving())
	require.NoError(t, r.Client().CancelWorkflow(context.Background(), restore, ""))
	r.AwaitEnd(restore)
	require.NoError(t, os.Remove(hold))
	agree(t, r, first, "next", "--choose", "leave") // v2 is not well, as before
	kind, _ := notRolledBack(t, r, first)
	require.Equal(t, workflows.ErrorUnhealthy, kind)

	require.Contains(t, r.AwaitPending(second).Request.What, "v3 of where2eat, which is newer than v2", "its plan was made after the wait")
	require.Equal(t, 0, r.Starter("decide", second, "reject", "--as", "sam", "--reason", "enough").Code)
	r.AwaitEnd(second)
	require.Equal(t, "v2", d.Serving())
}

// The quick remedies, each by another door, and their ways back.
func TestQuickRemedies(t *testing.T) {
	t.Parallel()
	r := rig.New(t, withSlack)
	d := r.DeployReleases()
	d.UseSlots()
	d.Configure(func(deploy map[string]any) {
		deploy["flagOff"], deploy["flagOn"] = []string{"./flag.sh", "off"}, []string{"./flag.sh", "on"}
	})
	d.Tag("v1", "Begin")
	d.TagBroken("v2", "Rank anew", "ranking") // while the flag is on
	d.ByHand("./bluegreen.sh", "--tag", "v1")
	d.ByHand("./bluegreen.sh", "--tag", "v2")
	d.ByHand("./flag.sh", "on")
	r.StartWorker()

	t.Run("the flag, in Slack", func(t *testing.T) {
		slack := r.Slack
		await(t, slack, "the worker does not connect to Slack", func() bool { return slack.Connections() > 0 })
		_, err := slack.Slash(rebecca, "/lifeboat", "rollback where2eat")
		require.NoError(t, err)
		card := awaitRollbackCard(t, slack, `"action_id":"approve-choose"`)
		require.NoError(t, slack.Click(sam, card.TS, "approve-choose"))
		await(t, slack, "the form offers nothing", func() bool {
			form, open := slack.Modal(sam)
			return open && strings.Contains(string(form.Blocks), "Turn the flag off")
		})
		book := r.AwaitPendingOf(workflows.TypeRollback)
		require.Equal(t, []string{"flagOff", "switch", "deploy:v1"}, keys(book), "the quick ones first")
		submitted, err := slack.SubmitModal(sam, map[string]string{"choice": "flagOff"})
		require.NoError(t, err)
		require.Empty(t, submitted.Errors)
		run := book.Request.Run.WorkflowID
		healed := r.AwaitStatus(run, func(s workflows.Status) bool { return s.RolledBack != nil }).RolledBack
		require.Equal(t, release.Healthy, healed.State)
		requireFlag(t, d, "off")
		require.Equal(t, "v2", d.Serving(), "the release stays")

		undo := awaitRollbackCard(t, slack, "Turn the flag on again")
		r.AwaitBook(run, func(b approval.Book) bool { return b.Request.Step == "undo" })
		require.NoError(t, slack.Click(sam, undo.TS, "approve"))
		result := rolledBack(t, r, run)
		require.Equal(t, release.Undone, result.State)
		require.Contains(t, result.Sentence, "the flag is on again; the service is not well: ")
		requireFlag(t, d, "on")
	})

	t.Run("the slots, by the CLI", func(t *testing.T) {
		run := r.StartRun("rollback")
		agree(t, r, run, "rollback", "--choose", "switch")
		healed := r.AwaitStatus(run, func(s workflows.Status) bool { return s.RolledBack != nil }).RolledBack
		require.Contains(t, healed.Sentence, "switched; the service is well since ")
		require.Equal(t, "v1", d.Serving())
		agree(t, r, run, "undo")
		require.Equal(t, release.Undone, rolledBack(t, r, run).State)
		require.Equal(t, "v2", d.Serving())
		require.Empty(t, d.Runs(), "nothing was deployed")
	})
}

func requireFlag(t *testing.T, d *rig.Releases, want string) {
	t.Helper()
	text, err := os.ReadFile(d.Flag)
	require.NoError(t, err)
	require.Equal(t, want+"\n", string(text))
}

// The newest release is tried on staging. Nothing in production changes.
func TestSmokeDeploy(t *testing.T) {
	t.Parallel()
	r := rig.New(t, withSlack)
	d := r.DeployReleases()
	staging := d.UseStaging()
	d.Tag("v1", "Begin")
	d.ByHand("./deploy.sh", "--tag", "v1")
	d.Tag("v2", "Go on")
	r.StartWorker()

	out := r.Starter("smoke-deploy", sandbox.Service)
	require.Equal(t, 0, out.Code, out.Stderr)
	require.Contains(t, out.Stdout, "v2 passed its tests on staging in ")
	require.Equal(t, "v2", d.ServingAt(staging))

	d.TagBroken("v3", "Change the login", "login")
	out = r.Starter("smoke-deploy", sandbox.Service)
	require.Equal(t, 3, out.Code, out.Stdout)
	require.Contains(t, out.Stdout+out.Stderr, "v3 did not pass on staging: ")
	require.Equal(t, "v3", d.ServingAt(staging))
	await(t, r.Slack, "nobody is told", func() bool {
		for _, m := range r.Slack.Messages() {
			if strings.Contains(m.Text, "integration: log in: ") && strings.Contains(m.Text, "<@"+rebecca+">") {
				return true
			}
		}
		return false
	})
	require.Equal(t, "v1", d.Serving())
	require.Empty(t, d.Runs(), "production was touched")
	require.Equal(t, []string{"v3 unproven", "v2 unproven"}, d.Known()[:2], "staging proves nothing of production")
}
