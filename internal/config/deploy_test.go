package config_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// withDeploy reads the small config with a service that is deployed; its lines are
// below deploy.
func withDeploy(t *testing.T, lines ...string) (*config.Config, error) {
	t.Helper()
	return parseSmall(t, "    sources:", "    live: { baseURL: https://where2eat.example }\n    deploy:\n      "+strings.Join(lines, "\n      ")+"\n    sources:")
}

func TestDeployDefaults(t *testing.T) {
	cfg, err := withDeploy(t, "current: { command: [./current.sh] }", `deploy: [./deploy.sh, "{tag}"]`)
	require.NoError(t, err)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.Equal(t, &recovery.DeploySpec{
		Dir: "/srv/where2eat", Timeout: recovery.Duration(10 * time.Minute),
		Current: recovery.CurrentSpec{Command: []string{"./current.sh"}}, Deploy: []string{"./deploy.sh", "{tag}"},
		GoodAfter: recovery.Duration(10 * time.Minute), Settle: recovery.Duration(time.Minute),
	}, plan.Deploy)
	require.Zero(t, plan.Schedules.SmokeDeploy, "there is no staging")
	require.Nil(t, plan.Approvals.Rollback, "as restore, which nobody may")
}

func TestDeployStagingDefaults(t *testing.T) {
	cfg, err := withDeploy(t, "current: { command: [./current.sh] }", `deploy: [./deploy.sh, "{tag}"]`, `staging: { deploy: [./staging.sh, "{tag}"], test: [./test.sh] }`)
	require.NoError(t, err)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.Equal(t, recovery.Duration(15*time.Minute), plan.Deploy.Staging.Timeout)
	require.Nil(t, plan.Deploy.Staging.Env, "nothing of production's")
	require.Equal(t, cadence(t, "weekly on monday at 05:00"), plan.Schedules.SmokeDeploy)
}

// TestDeployRepo: a repository lies in the service's dir, wherever commands run.
func TestDeployRepo(t *testing.T) {
	for repo, want := range map[string]string{"repo": "/srv/where2eat/repo", "/srv/git/../repo": "/srv/repo"} {
		cfg, err := withDeploy(t, "dir: ops", "repo: "+repo, "current: { command: [./current.sh] }", `deploy: [./deploy.sh, "{tag}"]`)
		require.NoError(t, err)
		plan, err := cfg.Plan("where2eat")
		require.NoError(t, err)
		require.Equal(t, want, plan.Deploy.Repo)
		require.Equal(t, "/srv/where2eat/ops", plan.Deploy.Dir)
	}
}

// TestDeployLongest: the longest times are good ones.
func TestDeployLongest(t *testing.T) {
	_, err := withDeploy(t, "current: { command: [./current.sh] }", `deploy: [./deploy.sh, "{tag}"]`, "timeout: 24h", "goodAfter: 1d", "settle: 60m",
		`staging: { deploy: [./staging.sh, "{tag}"], test: [./test.sh], timeout: 24h }`)
	require.NoError(t, err)
}

// TestSmokeDeployNeedsStaging: with a way to deploy, and without one.
func TestSmokeDeployNeedsStaging(t *testing.T) {
	for _, deploy := range []string{"", "live: { baseURL: https://where2eat.example }\n    deploy: { current: { command: [./current.sh] }, deploy: [./deploy.sh, \"{tag}\"] }\n    "} {
		_, err := parseSmall(t, "    sources:", "    "+deploy+"schedule: { smokeDeploy: monthly }\n    sources:")
		var problems *config.Problems
		require.ErrorAs(t, err, &problems)
		require.Len(t, problems.List, 1)
		require.Equal(t, `services[0].schedule.smokeDeploy: "monthly" needs deploy.staging: write deploy.staging with deploy and test, or remove it`, problems.List[0].String())
	}
}

// TestCheckSecretsOfCommands: a variable that is not there is found before a command
// needs it; one that is there may hold anything, whatever its name.
func TestCheckSecretsOfCommands(t *testing.T) {
	cfg := loadFull(t)
	t.Setenv("DEPLOY_URL", marker)
	found := map[string]string{}
	for _, p := range cfg.CheckSecrets() {
		if strings.Contains(p.Field, ".env.") {
			require.Positive(t, p.Line)
			found[p.Field] = p.Value + " " + p.Message
		}
	}
	require.Equal(t, map[string]string{
		"services[0].smoke.env.API_KEY":      "env:STAGING_API_KEY is not set in the environment",
		"services[0].deploy.env.DEPLOY_URL":  "env:DEPLOY_TOKEN_URL is not set in the environment",
		"services[0].deploy.staging.env.KEY": "env:STAGING_DEPLOY_KEY is not set in the environment",
	}, found)

	_, err := cfg.Reveal("env:STAGING_DEPLOY_KEY")
	require.EqualError(t, err, `read secret for services[0].deploy.staging.env.KEY: "env:STAGING_DEPLOY_KEY" is not set in the environment (set STAGING_DEPLOY_KEY)`)
}

func TestStateFolder(t *testing.T) {
	here, err := filepath.Abs("testdata/good")
	require.NoError(t, err)
	small, err := config.Load("testdata/good/small.yaml")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(here, ".lifeboat"), small.StateFolder())
	require.Equal(t, filepath.Join(here, "run/state"), loadFull(t).StateFolder())
	absolute, err := parseSmall(t, "version: 1", "version: 1\nworker: { state: /var/lib/lifeboat/ }")
	require.NoError(t, err)
	require.Equal(t, "/var/lib/lifeboat", absolute.StateFolder())
}
