package sandbox_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
)

// small is the least that makes a good config.
func small() sandbox.Config {
	return sandbox.Config{
		Recipient: "age1svq8pdkjd30vttpgaz2wd9plvqpj5fngzhjrrugkx6acrrp8ageszuz378",
		Trusted:   "lifeboat-public-key-pXrtZs8g9XbV2_-FKuUcCllbxGQZ5GCNzX9W6CZz0Is", Identities: true,
		Bucket: sandbox.Bucket, Endpoint: "http://127.0.0.1:7070", StagingFolder: "/tmp/restored",
		GiveUpAfter: "5m", Fingerprint: "content", Verify: "afterBackup", Smoke: true, Where2Eat: "/bin/where2eat",
		CLI: "root: #1", DrillExpires: "24h", RestoreExpires: "10m",
	}
}

func load(t *testing.T, c sandbox.Config) (*config.Config, *recovery.Plan) {
	t.Helper()
	s := &sandbox.Sandbox{Dir: t.TempDir(), Config: c}
	require.NoError(t, s.WriteConfig())
	cfg, err := config.Load(s.ConfigFile())
	require.NoError(t, err)
	plan, err := cfg.Plan(sandbox.Service)
	require.NoError(t, err)
	return cfg, plan
}

func TestConfigWithoutTheRunningService(t *testing.T) {
	_, plan := load(t, small())
	require.Equal(t, []recovery.Person{{Name: "rebecca", Slack: "U0REBECCA", CLI: "root: #1", Mail: "rebecca@where2eat.example"}, {Name: "sam", Slack: "U0SAM", Mail: "sam@where2eat.example"}}, plan.People)
	require.Equal(t, []string{"rebecca", "sam"}, plan.Approvals.Drill.Approvers)
	require.Nil(t, plan.Approvals.Restore, "a service with two sources is restored while it is stopped")
	require.Nil(t, plan.Slack)
	require.Nil(t, plan.Live)
	require.Equal(t, "env:WHERE2EAT_ADMIN_URL", plan.Sources[0].Admin)
}

func TestConfigOfAll(t *testing.T) {
	c := small()
	c.SlackAPIURL, c.SlackChannel, c.TemporalUI = "http://127.0.0.1:8099/api/", "C0BACKUPS", "http://127.0.0.1:8244"
	c.Commands = &sandbox.Commands{Stop: []string{"sh", "-c", `echo "stop: it"`}, Start: []string{"/bin/start"}}
	c.LiveURL = "http://127.0.0.1:8090"
	cfg, plan := load(t, c)
	require.Equal(t, "http://127.0.0.1:8244", cfg.TemporalUI())
	require.Equal(t, &recovery.SlackSpec{Channel: "C0BACKUPS"}, plan.Slack)
	require.Equal(t, c.Commands.Stop, plan.Commands.Stop)
	require.Equal(t, c.Commands.Start, plan.Commands.Start)
	require.Equal(t, recovery.Duration(10*time.Minute), plan.Approvals.Restore.Expires)
	require.Equal(t, "http://127.0.0.1:8090", plan.Live.BaseURL)
	require.Equal(t, "/ready", plan.Live.Ready)
	require.Equal(t, plan.Smoke.Journey, plan.Live.Journey)
}
