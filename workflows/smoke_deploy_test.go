package workflows_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// newStaged is newReleased with a staging, on which releases are tried.
func newStaged(change ...func(w *world)) *world {
	return newReleased(append([]func(w *world){func(w *world) {
		w.plan.Deploy.Staging = &recovery.StagingDeploySpec{
			Env: map[string]string{"PORT": "8081"}, Deploy: []string{"./deploy.sh", "--staging", "{tag}"}, Test: []string{"./integration.sh", "{commit}"},
			Timeout: recovery.Duration(15 * time.Minute),
		}
	}}, change...)...)
}

// smokeDeploy runs SmokeDeploy to its end.
func smokeDeploy(t *testing.T, env *testsuite.TestWorkflowEnvironment, tag string) (*release.StagedRelease, error) {
	t.Helper()
	execute(env, workflows.TypeSmokeDeploy, workflows.ReleaseInput{Service: "where2eat", Tag: tag})
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return nil, err
	}
	var r *release.StagedRelease
	return r, env.GetWorkflowResult(&r)
}

func TestSmokeDeployPasses(t *testing.T) {
	for name, c := range map[string]struct{ tag, want string }{"the newest release": {"", "v4"}, "one that was named": {"v3", "v3"}} {
		t.Run(name, func(t *testing.T) {
			w := newStaged()
			env := w.env(t)
			s, outcomes := watch(env), noteOutcomes(env)
			var ran []recovery.CommandSpec
			var keys []string
			hosts := activities.Hosts{Commands: w, Deploys: w, Stores: w}
			env.OnActivity("RunOnce", anything, anything).Return(func(ctx context.Context, in activities.RunOnceInput) (*recovery.CommandOutcome, error) {
				ran, keys = append(ran, in.Command), append(keys, in.Key)
				return hosts.RunOnce(ctx, in)
			})
			r, err := smokeDeploy(t, env, c.tag)
			require.NoError(t, err)
			require.Equal(t, recovery.Proven, r.Verdict)
			require.Equal(t, c.want+" passed its tests on staging in 40s, deployed in 40s", r.Sentence)
			require.Equal(t, release.Tag{Tag: c.want, Commit: commitOf(c.want)}, r.Release)
			require.Equal(t, took, r.Deploy.Std())
			require.Equal(t, took, r.Test.Std())

			require.Equal(t, []string{workflows.StageID("where2eat")}, s.ids("stage"), "its id is the lock of the staging")
			staging := recovery.CommandSpec{
				Name: "deploy.staging.deploy", Args: []string{"./deploy.sh", "--staging", c.want}, Dir: "/srv/where2eat",
				Env: map[string]string{"PORT": "8081"}, Timeout: recovery.Duration(15 * time.Minute),
			}
			require.Equal(t, staging, ran[0], "with the environment of the staging")
			staging.Name, staging.Args = "deploy.staging.test", []string{"./integration.sh", commitOf(c.want)}
			require.Equal(t, staging, ran[1])
			require.NotEqual(t, keys[0], keys[1])

			require.Equal(t, []string{c.want + " staged proven"}, w.findings(2))
			require.Equal(t, 2*took, w.deployed.records[2].Took.Std())
			require.Equal(t, "v4", w.deployed.tag, "production is left alone")
			require.Empty(t, w.only("check"))
			require.Equal(t, "proven", (*outcomes)[len(*outcomes)-1])
			require.Equal(t, card.Done, w.board.last().State)
			require.Equal(t, r.Sentence, w.board.last().Line)
			require.Empty(t, w.board.loud(), "it troubles nobody")
		})
	}
}

func TestSmokeDeployThatDoesNotPass(t *testing.T) {
	unknown := ending{lost: "the host was restarted"}
	for name, c := range map[string]struct {
		command  string
		ends     []ending
		kind     string
		verdict  recovery.Verdict
		sentence string
		output   string
		runs     int
	}{
		"the deploy fails": {
			"deploy.staging.deploy",
			[]ending{{failure: "it ended with 1"}},
			workflows.ErrorDisproven, recovery.Disproven,
			"v4 did not pass on staging: deploy.staging.deploy: it ended with 1", "step 1\nstep 2\n", 1,
		},
		"a test fails": {
			"deploy.staging.test",
			[]ending{{failure: "it ended with 2"}},
			workflows.ErrorDisproven, recovery.Disproven,
			"v4 did not pass on staging: deploy.staging.test: it ended with 2", "step 1\nstep 2\n", 2,
		},
		"nobody knows how the tests ended": {
			"deploy.staging.test",
			[]ending{unknown, unknown, unknown},
			workflows.ErrorInconclusive, recovery.Inconclusive,
			"nobody knows how deploy.staging.test of v4 ended: the host was restarted", "", 4,
		},
		"the deploy does not start": {
			"deploy.staging.deploy",
			[]ending{{err: mended("./deploy.sh is not there")}},
			workflows.ErrorInconclusive, recovery.Inconclusive,
			"run deploy.staging.deploy: ./deploy.sh is not there", "", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStaged()
			w.deployed.ends[c.command] = c.ends
			env := w.env(t)
			outcomes := noteOutcomes(env)
			_, err := smokeDeploy(t, env, "")
			app := appError(t, err)
			require.Equal(t, c.kind, app.Type())
			require.Equal(t, c.sentence, app.Message())
			var r *release.StagedRelease
			require.NoError(t, app.Details(&r))
			require.Equal(t, c.sentence, r.Sentence)
			require.Equal(t, c.verdict, r.Verdict)
			require.Equal(t, c.output, r.Output)
			require.Len(t, w.only("run"), c.runs)
			require.Equal(t, []string{"v4 staged " + c.verdict.String()}, w.findings(2))
			require.Equal(t, c.sentence, w.deployed.records[2].Sentence)
			require.Equal(t, []string{strings.TrimSpace(c.sentence + "\n" + c.output)}, w.board.loud())
			require.Equal(t, []string{"rebecca"}, w.board.notes[len(w.board.notes)-1].Mention)
			require.Equal(t, card.Failed, w.board.last().State)
			require.Equal(t, c.kind, (*outcomes)[len(*outcomes)-1])
			require.Equal(t, "v4", w.deployed.tag)
		})
	}
}

func TestSmokeDeployThatIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		tag    string
		want   string
	}{
		"no staging":     {func(w *world) { w.plan.Deploy.Staging = nil }, "", "try a release of where2eat: it has no staging: write deploy.staging into the config"},
		"no deploy":      {func(w *world) { w.plan.Deploy = nil }, "", "look at the releases of where2eat: the config does not say how it is deployed: write deploy and live into it, as docs/rollback.md shows"},
		"an unknown tag": {func(*world) {}, "v9", `try a release of where2eat: there is no release "v9"; the newest is v4`},
		"an odd tag":     {func(*world) {}, "--help", `read input: tag: read tag "--help": use 1 to 200 letters`},
		"nothing to try": {func(w *world) { noEvidence(w); w.deployed.tags, w.deployed.mute = nil, mended("no such file") }, "", "try a release of where2eat: no release is known: write deploy.repo or deploy.releases into the config"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStaged(c.change)
			_, err := smokeDeploy(t, w.env(t), c.tag)
			kind, message, _ := failure(t, err)
			require.Equal(t, workflows.ErrorBadInput, kind)
			require.Contains(t, message, c.want)
			require.Empty(t, w.log)
		})
	}
}

// Whoever names a release knows better than a list that is empty.
func TestSmokeDeployOfAReleaseThatIsNotListed(t *testing.T) {
	w := newStaged(noEvidence, func(w *world) { w.deployed.tags, w.deployed.mute = nil, mended("no such file") })
	r, err := smokeDeploy(t, w.env(t), "v5")
	require.NoError(t, err)
	require.Equal(t, "v5", r.Release.Tag)
}

func TestSmokeDeployWhileTheStagingIsTaken(t *testing.T) {
	w := newStaged()
	env := w.env(t)
	const busy = "stage/where2eat is already running: wait for it to end, or look at it in the Temporal UI"
	env.OnWorkflow(workflows.TypeStageRelease, anything, anything).Return(func(workflow.Context, workflows.StageReleaseInput) (*release.StagedRelease, error) {
		return nil, temporal.NewNonRetryableApplicationError(busy, workflows.ErrorBusy, nil)
	})
	_, err := smokeDeploy(t, env, "")
	kind, message, _ := failure(t, err)
	require.Equal(t, workflows.ErrorBusy, kind)
	require.Equal(t, busy, message)
	require.Empty(t, w.only("run"))
}

func TestSmokeDeployWaitsForWhatChangesProduction(t *testing.T) {
	w := newStaged()
	w.held = []bool{true, true}
	env := w.env(t)
	begun := env.Now()
	var said string
	after(env, 8*time.Second, func() { said = status(t, env).Doing })
	_, err := smokeDeploy(t, env, "")
	require.NoError(t, err)
	require.Equal(t, "waiting for change/where2eat to end", said)
	require.GreaterOrEqual(t, w.deployed.records[2].At.Sub(begun), 15*time.Second)
}

func TestSmokeDeployThatIsCancelled(t *testing.T) {
	w := newStaged()
	env := w.env(t)
	hosts := activities.Hosts{Commands: w, Deploys: w, Stores: w}
	env.OnActivity("RunOnce", anything, anything).After(time.Hour).Return(hosts.RunOnce)
	after(env, time.Minute, env.CancelWorkflow)
	_, err := smokeDeploy(t, env, "")
	require.True(t, temporal.IsCanceledError(err), err)
	require.Equal(t, "cancelled; production is untouched", w.board.last().Line)
	require.Empty(t, w.findings(2), "nothing is held against the release")
}

func TestSmokeDeployWhoseFindingCannotBeRecorded(t *testing.T) {
	w := newStaged(func(w *world) { w.deployed.recordErr = errors.New("connection refused") })
	r, err := smokeDeploy(t, w.env(t), "")
	require.NoError(t, err)
	require.Equal(t, recovery.Proven, r.Verdict)
}
