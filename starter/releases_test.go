package main

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/internal/vault"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// newDeployed makes the working folder an installation that says how its service is
// deployed, with a Temporal on which nothing runs yet.
func newDeployed(t *testing.T) client.Client {
	t.Helper()
	c := newScheduled(t)
	sayHowDeployed(t)
	return c
}

// sayHowDeployed adds to the config how its service is deployed.
func sayHowDeployed(t *testing.T) {
	t.Helper()
	file, err := os.OpenFile("lifeboat.yaml", os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`    live: { baseURL: "http://127.0.0.1:1", ready: /ready }
    deploy:
      current: { command: [./deploy.sh, --current] }
      deploy: [./deploy.sh, --tag, "{tag}"]
      staging: { deploy: [./deploy.sh, --tag, "{tag}"], test: [./test.sh] }
`)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

var (
	v3   = release.Tag{Tag: "v3", Commit: "3c3c3c3c3c3c"}
	v2   = release.Tag{Tag: "v2", Commit: "2b2b2b2b2b2b"}
	then = time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC)
)

// rolledBack is how a rollback from v3 to v2 ended.
func rolledBack(state release.State, sentence string) *release.Rollback {
	change := release.Change{Remedy: release.Deploy, To: v2, State: state, Sentence: sentence, Approved: then, Ran: recovery.Duration(3 * time.Second)}
	if state == release.Healthy {
		change.Took, change.Stayed, change.Checks = recovery.Duration(42*time.Second), recovery.Duration(time.Minute), 11
	}
	return &release.Rollback{Service: "diary", From: v3, State: state, Sentence: sentence, Commits: 4, Changes: []release.Change{change}}
}

// toDecide is what the rollback waits for.
var toDecide = approval.Book{Request: approval.Request{
	ID: "r1", What: "Roll back diary from v3 to v2", Where: "PRODUCTION: diary on host main", RequestedBy: "ann", Asked: then, Expires: then.Add(2 * time.Hour),
	Facts:  []approval.Fact{{Label: "Risks", Value: "a migration lies between"}},
	Policy: recovery.PolicySpec{Approvers: []string{"kim"}, Needed: 1},
}}

// decided lets the run that waits go on.
const decided = "decided"

// fakeRollback waits for a decision and is well then, or ends as its tag says.
func fakeRollback(ctx workflow.Context, in workflows.RollbackInput) (*release.Rollback, error) {
	status := workflows.Status{Service: in.Service, Doing: "waiting for a decision", Waiting: "Roll back diary from v3 to v2, by kim"}
	if err := workflow.SetQueryHandler(ctx, workflows.QueryStatus, func() (workflows.Status, error) { return status, nil }); err != nil {
		return nil, err
	}
	err := workflow.SetQueryHandler(ctx, workflows.QueryPending, func() ([]approval.Book, error) {
		book := toDecide
		book.Request.Run.WorkflowID = workflow.GetInfo(ctx).WorkflowExecution.ID
		return []approval.Book{book}, nil
	})
	if err != nil {
		return nil, err
	}
	failed := func(kind string, details ...any) error {
		return temporal.NewNonRetryableApplicationError("it ended: "+kind, kind, nil, details...)
	}
	switch in.To {
	case "":
		workflow.GetSignalChannel(ctx, decided).Receive(ctx, nil)
		status.Waiting, status.RolledBack = "", rolledBack(release.Healthy, "v2 is deployed, v3 before")
		status.RolledBack.UndoTil = then.Add(24 * time.Hour)
		workflow.GetSignalChannel(ctx, decided).Receive(ctx, nil) // the way back is offered
		return status.RolledBack, nil
	case "well":
		return rolledBack(release.Healthy, "v2 is deployed, v3 before"), nil
	case "unhealthy":
		return nil, failed(workflows.ErrorUnhealthy, rolledBack(release.Unhealthy, "v2 is deployed; it does not answer"))
	case "unclear":
		return nil, failed(workflows.ErrorUnclear, rolledBack(release.Unknown, "nobody knows whether deploy.deploy ran to its end"))
	case "untouched":
		return nil, failed(workflows.ErrorUntouched, rolledBack(release.Undone, "v3 is deployed again"))
	case "rejected":
		return nil, failed(workflows.ErrorNotApproved)
	}
	return nil, failed(workflows.ErrorBadInput)
}

func fakeSmokeDeploy(_ workflow.Context, in workflows.ReleaseInput) (*release.StagedRelease, error) {
	r := &release.StagedRelease{Service: in.Service, Release: v3, Deploy: recovery.Duration(3 * time.Second), Sentence: in.Tag + " it was", Output: "one\ntwo\n"}
	switch in.Tag {
	case "disproven":
		r.Verdict, r.Test = recovery.Disproven, recovery.Duration(time.Second)
		return nil, temporal.NewNonRetryableApplicationError(r.Sentence, workflows.ErrorDisproven, nil, r)
	case "inconclusive":
		return nil, temporal.NewNonRetryableApplicationError(r.Sentence, workflows.ErrorInconclusive, nil, r)
	case "busy":
		return nil, temporal.NewNonRetryableApplicationError("another one runs", workflows.ErrorBusy, nil)
	}
	r.Verdict, r.Sentence, r.Test = recovery.Proven, "v3 passed its tests", recovery.Duration(time.Second)
	return r, nil
}

func fakeReleases(_ workflow.Context, in workflows.ReleaseInput) (*release.Overview, error) {
	records := []release.Record{
		{Tag: "v2", Kind: release.Watched, Verdict: recovery.Proven, At: then, For: recovery.Duration(10 * time.Minute)},
		{Tag: "v3", Kind: release.Left, Verdict: recovery.Disproven, At: then.Add(time.Hour), Sentence: "people went back from it to v2"},
		{Tag: "v3", Kind: release.Staged, Verdict: recovery.Proven, At: then.Add(time.Minute)},
	}
	return &release.Overview{Service: in.Service, Current: v2, Releases: release.List([]release.Tag{v3, v2, {Tag: "v1"}}, v2, records), Unknown: []string{"something is not known: it was asked"}}, nil
}

// fakePlaybooks lets a worker answer for the playbooks.
func fakePlaybooks(t *testing.T, c client.Client) {
	t.Helper()
	w := worker.New(c, workflows.QueueLifeboat, worker.Options{})
	w.RegisterWorkflowWithOptions(fakeRollback, workflow.RegisterOptions{Name: workflows.TypeRollback})
	w.RegisterWorkflowWithOptions(fakeSmokeDeploy, workflow.RegisterOptions{Name: workflows.TypeSmokeDeploy})
	w.RegisterWorkflowWithOptions(fakeReleases, workflow.RegisterOptions{Name: workflows.TypeReleases})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

// spoken is what a command writes, read while it goes on.
type spoken struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A rollback is followed to where the service is well again: its plan is shown once,
// and the run goes on, to offer the way back.
func TestRollbackIsFollowedUntilTheServiceIsWell(t *testing.T) {
	temporalClient := newDeployed(t)
	fakePlaybooks(t, temporalClient)
	var stdout, stderr spoken
	c := &cli{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: func() time.Time { return then }}
	ended := make(chan int)
	go func() { ended <- c.run(t.Context(), []string{"rollback", "diary", "--as", "ann"}) }()
	require.Eventually(t, func() bool { return strings.Contains(stderr.String(), "reject --reason") }, 30*time.Second, 20*time.Millisecond)
	first, _, _ := strings.Cut(stderr.String(), "\n")
	run, ok := strings.CutPrefix(first, "started ")
	require.True(t, ok, first)
	require.NoError(t, temporalClient.SignalWorkflow(t.Context(), run, "", decided, nil))
	require.Zero(t, <-ended, stderr.String())

	require.Equal(t, `HEALTHY: v2 is deployed, v3 before
  from      v3 (3c3c3c3)
  to        v2 (2b2b2b2)
  between   4 commits
  did       deployed v2 (2b2b2b2) in 3s: healthy, and stayed so for 1m (11 checks)
  took      42s from the approval until it was well
  undo      until 2026-11-23 17:00:00 UTC: starter decide `+run+` approve
`, stdout.String())
	told := stderr.String()
	require.Equal(t, 1, strings.Count(told, "a migration lies between"), told)
	require.Contains(t, told, "waits for a decision: Roll back diary from v3 to v2, by kim\n  Roll back diary from v3 to v2\n    run            "+run+"\n")
	require.Contains(t, told, "starter decide "+run+" approve\n")
	d, err := temporalClient.DescribeWorkflowExecution(t.Context(), run, "")
	require.NoError(t, err)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, d.GetWorkflowExecutionInfo().GetStatus())
}

func TestHowRollbacksEnd(t *testing.T) {
	fakePlaybooks(t, newDeployed(t))
	for to, want := range map[string]struct {
		code           int
		stdout, stderr string
	}{
		"well":      {exitReached, "HEALTHY: v2 is deployed, v3 before\n", ""},
		"unhealthy": {exitUnhealthy, "UNHEALTHY: v2 is deployed; it does not answer\n", "starter: error: it ended: unhealthy\n"},
		"unclear":   {exitUnclear, "UNKNOWN: nobody knows whether deploy.deploy ran to its end\n", "starter: error: it ended: unclear\n"},
		"untouched": {exitFailed, "UNDONE: v3 is deployed again\n", "starter: error: it ended: untouched\n"},
		"rejected":  {exitNotApproved, "", "starter: error: it ended: notApproved\n"},
		"v99":       {exitUsage, "", "starter: error: it ended: badInput\n"},
	} {
		t.Run(to, func(t *testing.T) {
			code, stdout, stderr := talk(t, "", "rollback", "diary", "--to", to)
			require.Equal(t, want.code, code, stderr)
			require.Contains(t, stdout, want.stdout)
			require.Equal(t, want.stdout == "", stdout == "", stdout)
			require.Contains(t, stderr, want.stderr)
		})
	}
	code, stdout, _ := talk(t, "", "rollback", "diary", "--to", "unhealthy", "--json")
	require.Equal(t, exitUnhealthy, code)
	require.Contains(t, stdout, `"state": "unhealthy"`)
	require.True(t, strings.HasPrefix(stdout, "{"), stdout)

	code, stdout, stderr := talk(t, "", "rollback", "diary", "--detach")
	require.Zero(t, code, stderr)
	require.Regexp(t, `^Rollback/diary/\S+\n$`, stdout)
}

// What was not carried out is not told as if it were.
func TestChangesOfRollbacksAreTold(t *testing.T) {
	deploy := release.Change{Remedy: release.Deploy, To: v2}
	for want, change := range map[string]func(c *release.Change){
		"to        v2 (2b2b2b2)\n  between   4 commits\n  did       deployed v2 (2b2b2b2): unhealthy": func(c *release.Change) { c.State = release.Unhealthy },
		"tried     v2 (2b2b2b2): not deployed, something else is deployed now":                        func(c *release.Change) { c.State = release.Stale },
		"tried     deploy v2 (2b2b2b2): it did not work": func(c *release.Change) {
			c.State, c.Ran = release.Refused, recovery.Duration(3*time.Second)
		},
		"tried     deploy v2 (2b2b2b2): nobody knows whether it ran": func(c *release.Change) { c.State = release.Unknown },
		"tried     deployed v2 (2b2b2b2) in 3s: nobody knows whether the service is well": func(c *release.Change) {
			c.State, c.Ran = release.Unknown, recovery.Duration(3*time.Second)
		},
		"tried     deploy v2 (2b2b2b2): not done": func(c *release.Change) { c.State = release.Untouched },
		"to        v2 (2b2b2b2)\n  between   4 commits\n  did       looked: deployed v2 (2b2b2b2): healthy, and stayed so for 1m (11 checks)": func(c *release.Change) {
			c.State, c.Looked, c.Stayed, c.Checks = release.Healthy, true, recovery.Duration(time.Minute), 11
		},
		"did       looked: v2 (2b2b2b2) is not deployed": func(c *release.Change) { c.State, c.Looked = release.Refused, true },
		"did       looked: deployed v2 (2b2b2b2): nobody knows whether the service is well": func(c *release.Change) {
			c.State, c.Looked = release.Unknown, true
		},
		"tried     turn the flag off: not done, something else is deployed now": func(c *release.Change) {
			*c = release.Change{Remedy: release.FlagOff, State: release.Stale}
		},
		"tried     turn the flag on: it did not work": func(c *release.Change) {
			*c = release.Change{Remedy: release.FlagOn, State: release.Refused}
		},
		"tried     switch: nobody knows whether it ran": func(c *release.Change) {
			*c = release.Change{Remedy: release.Switch, State: release.Unknown}
		},
		"did       switched back: healthy": func(c *release.Change) {
			*c = release.Change{Remedy: release.SwitchBack, State: release.Healthy}
		},
	} {
		c := deploy
		change(&c)
		told := describeRollback("Rollback/diary/1", &release.Rollback{From: v3, State: c.State, Sentence: "so it is", Commits: 4, Changes: []release.Change{c}})
		require.Equal(t, strings.ToUpper(string(c.State))+": so it is\n  from      v3 (3c3c3c3)\n  "+want+"\n", told)
	}
}

func TestSmokeDeploysAreTold(t *testing.T) {
	fakePlaybooks(t, newDeployed(t))
	for tag, want := range map[string]struct {
		code   int
		stdout string
	}{
		"v3":           {exitReached, "PROVEN: v3 passed its tests\n  release   v3 (3c3c3c3)\n  deployed  in 3s\n  tested    in 1s\n"},
		"disproven":    {exitDisproven, "DISPROVEN: disproven it was\n  release   v3 (3c3c3c3)\n  deployed  in 3s\n  tested    in 1s\n  output\n    one\n    two\n"},
		"inconclusive": {exitInconclusive, "INCONCLUSIVE: inconclusive it was\n  release   v3 (3c3c3c3)\n  deployed  in 3s\n  output\n    one\n    two\n"},
		"busy":         {exitFailed, ""},
	} {
		t.Run(tag, func(t *testing.T) {
			code, stdout, stderr := talk(t, "", "smoke-deploy", "diary", "--tag", tag)
			require.Equal(t, want.code, code, stderr)
			require.Equal(t, want.stdout, stdout)
		})
	}
	code, stdout, stderr := talk(t, "", "smoke-deploy", "diary", "--json")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, `"verdict": "proven"`)
	code, stdout, stderr = talk(t, "", "smoke-deploy", "diary", "--detach")
	require.Zero(t, code, stderr)
	require.Regexp(t, `^SmokeDeploy/diary/\S+\n$`, stdout)
}

func TestReleasesAreListed(t *testing.T) {
	fakePlaybooks(t, newDeployed(t))
	code, stdout, stderr := talk(t, "", "releases", "diary")
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "something is not known: it was asked\n")
	require.Equal(t, `  TAG  COMMIT   STANDING  SINCE                    WHY                             STAGING
  v3   3c3c3c3  bad       2026-11-22 18:00:00 UTC  people went back from it to v2  proven, 2026-11-22 17:01:00 UTC
* v2   2b2b2b2  good      2026-11-22 17:00:00 UTC  passed its checks for 10m       -
  v1   -        unproven  -                        -                               -
`, stdout)
	code, stdout, stderr = talk(t, "", "releases", "diary", "--json")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, `"standing": "bad"`)
	require.Contains(t, stdout, `"current": {`)
}

// Without a worker, or without Temporal, the destinations say what they know.
func TestReleasesWithoutAWorker(t *testing.T) {
	temporalClient := newDeployed(t)
	keepRecord(t, release.Record{Tag: "v1", Kind: release.Watched, Verdict: recovery.Proven, At: then, For: recovery.Duration(10 * time.Minute)})
	keepRecord(t, release.Record{Tag: "v2", Kind: release.Left, Verdict: recovery.Disproven, At: then.Add(time.Hour), Sentence: "people went back from it"})
	const listed = `  TAG  COMMIT  STANDING  SINCE                    WHY                        STAGING
  v2   -       bad       2026-11-22 18:00:00 UTC  people went back from it   -
  v1   -       good      2026-11-22 17:00:00 UTC  passed its checks for 10m  -
`
	var stdout, stderr bytes.Buffer
	c := &cli{stdout: &stdout, stderr: &stderr, now: func() time.Time { return then }}
	require.NoError(t, c.releases(t.Context(), "diary", 200*time.Millisecond), stderr.String())
	require.Equal(t, listed, stdout.String())
	require.Contains(t, stderr.String(), "list releases of diary: no worker answers within 200ms\nwhat is deployed, and which releases can be, is not known: this is what the destinations know\n")
	d, err := temporalClient.DescribeWorkflowExecution(t.Context(), c.labelFor(workflows.TypeReleases, "diary"), "")
	require.NoError(t, err)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, d.GetWorkflowExecutionInfo().GetStatus(), "nothing is left behind")

	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	code, out, told := talk(t, "", "releases", "diary")
	require.Zero(t, code, told)
	require.Equal(t, listed, out)
	require.Contains(t, told, "reach Temporal at 127.0.0.1:1: it does not answer\n")
}

// keepRecord puts a finding into the destination of the working folder's config.
func keepRecord(t *testing.T, r release.Record) {
	t.Helper()
	cfg, err := config.Load("lifeboat.yaml")
	require.NoError(t, err)
	secret, err := cfg.Reveal(string(cfg.Signing.Key))
	require.NoError(t, err)
	key, err := recovery.ParseSigningKey(secret.Reveal())
	require.NoError(t, err)
	r.Format, r.Service = release.RecordFormat, "diary"
	data, err := r.Encode(key)
	require.NoError(t, err)
	v, err := vault.Open(t.Context(), cfg.DestinationSpecs()[0], vault.Credentials{})
	require.NoError(t, err)
	require.NoError(t, v.PutOnce(t.Context(), r.Key(), data))
	require.NoError(t, v.Close())
}
