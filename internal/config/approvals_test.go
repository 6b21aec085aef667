package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func loadFull(t *testing.T) *config.Config {
	t.Helper()
	cfg, err := config.Load("testdata/good/full.yaml")
	require.NoError(t, err)
	return cfg
}

// TestPlanTakesWhatTheServiceLeavesOut: the second service of the file says
// nothing about who decides.
func TestPlanTakesWhatTheServiceLeavesOut(t *testing.T) {
	plan, err := loadFull(t).Plan("where2sleep")
	require.NoError(t, err)
	both := []string{"rebecca", "sam"}
	require.Equal(t, both, plan.Approvals.Drill.Approvers, "a group and a person of it are one")
	require.Equal(t, 1, plan.Approvals.Drill.Needed)
	require.Equal(t, plan.Approvals.Restore, plan.Approvals.Undo, "as restore where nothing is said")
	require.Equal(t, plan.Approvals.Restore, plan.Approvals.Rollback)
	require.Equal(t, []string{"sam"}, plan.Approvals.Drop.Approvers)
	require.Equal(t, recovery.CommandsSpec{Stop: []string{"/srv/where2sleep/stop"}, Start: []string{"/srv/where2sleep/start"}, Timeout: recovery.Duration(2 * time.Minute)}, plan.Commands)
	require.Equal(t, &recovery.LiveSpec{
		BaseURL: "http://127.0.0.1:8081/sleep", Ready: "/", Timeout: recovery.Duration(time.Minute),
		Journey: []recovery.JourneyStep{{Name: "look", Method: "GET", Path: "/", Status: 200, Timeout: recovery.Duration(10 * time.Second)}},
	}, plan.Live)
}

// TestServiceRestoreCoversItsOtherSteps: what a service says of restore holds for
// the steps that nobody says anything about.
func TestServiceRestoreCoversItsOtherSteps(t *testing.T) {
	text, err := os.ReadFile("testdata/good/full.yaml")
	require.NoError(t, err)
	cfg, err := config.Parse("lifeboat.yaml", []byte(strings.Replace(string(text), "drill: { approvers: [rebecca], selfAfter: 1m }", "restore: { approvers: [rebecca], selfAfter: 1m }", 1)))
	require.NoError(t, err)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.Equal(t, []string{"rebecca"}, plan.Approvals.Restore.Approvers)
	require.Equal(t, plan.Approvals.Restore, plan.Approvals.Beside)
	require.Equal(t, []string{"rebecca", "sam"}, plan.Approvals.Undo.Approvers, "the service's own")
	require.Equal(t, []string{"sam"}, plan.Approvals.Drop.Approvers, "that for all services")
	require.Equal(t, []string{"rebecca", "sam"}, plan.Approvals.Drill.Approvers)
}

// TestJourneyOfTheRunningService: an empty list is none, no list is smoke's.
func TestJourneyOfTheRunningService(t *testing.T) {
	text, err := os.ReadFile("testdata/good/full.yaml")
	require.NoError(t, err)
	for list, want := range map[string]int{"": 2, ", journey: []": 0, ", journey: [{ name: look, path: / }]": 1} {
		cfg, err := config.Parse("lifeboat.yaml", []byte(strings.Replace(string(text), "ready: /ready, timeout: 30s", "timeout: 30s"+list, 1)))
		require.NoError(t, err)
		plan, err := cfg.Plan("where2eat")
		require.NoError(t, err)
		require.Len(t, plan.Live.Journey, want, list)
	}
}

func TestNames(t *testing.T) {
	cfg := loadFull(t)
	require.Equal(t, []string{"where2eat", "where2sleep"}, cfg.ServiceNames())
	names := make([]string, 0, 3)
	for _, person := range cfg.People() {
		names = append(names, person.Name)
	}
	require.Equal(t, []string{"kim", "rebecca", "sam"}, names)
}

func TestTemporalUI(t *testing.T) {
	text, err := os.ReadFile("testdata/good/full.yaml")
	require.NoError(t, err)
	t.Setenv("TEMPORAL_ADDRESS", "")
	for temporal, want := range map[string]string{
		"{ address: temporal:7233, ui: https://temporal.example/ui/ }": "https://temporal.example/ui",
		"{ address: temporal:7233 }":                                   "",
		"{ address: 10.0.0.1:7233 }":                                   "",
		"{ address: localhost:7233 }":                                  "http://127.0.0.1:8233",
		`{ address: "[::1]:7233" }`:                                    "http://127.0.0.1:8233",
		"{}":                                                           "http://127.0.0.1:8233",
	} {
		cfg, err := config.Parse("lifeboat.yaml", []byte(strings.Replace(string(text), "{ address: temporal:7233, namespace: recovery, ui: https://temporal.example/ }", temporal, 1)))
		require.NoError(t, err)
		require.Equal(t, want, cfg.TemporalUI(), temporal)
	}
	cfg, err := config.Load("testdata/good/small.yaml")
	require.NoError(t, err)
	t.Setenv("TEMPORAL_ADDRESS", "temporal:7233")
	require.Empty(t, cfg.TemporalUI(), "the environment wins")
}

func TestSlackTokens(t *testing.T) {
	cfg := loadFull(t)
	t.Setenv("SLACK_BOT_TOKEN", "xoxb-"+marker)
	t.Setenv("SLACK_APP_TOKEN", "xapp-"+marker)
	bot, app, apiURL, err := cfg.SlackTokens()
	require.NoError(t, err)
	require.Equal(t, []string{"xoxb-" + marker, "xapp-" + marker, "http://127.0.0.1:8099/api/"}, []string{bot.Reveal(), app.Reveal(), apiURL})

	t.Setenv("SLACK_APP_TOKEN", "")
	bot, _, _, err = cfg.SlackTokens()
	require.EqualError(t, err, `read secret for slack.appToken: "env:SLACK_APP_TOKEN" is not set in the environment (set SLACK_APP_TOKEN)`)
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	require.Empty(t, bot.Reveal())

	small, err := config.Load("testdata/good/small.yaml")
	require.NoError(t, err)
	_, _, _, err = small.SlackTokens()
	require.EqualError(t, err, "read Slack tokens: testdata/good/small.yaml has no slack (write slack with channel, botToken and appToken)")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
}

func TestApprovalKey(t *testing.T) {
	text, err := os.ReadFile("testdata/good/full.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	cfg, err := config.Parse(filepath.Join(dir, "lifeboat.yaml"), text)
	require.NoError(t, err)
	_, err = cfg.ApprovalKey()
	require.ErrorContains(t, err, `read secret for approvals.key: "file:keys/approvals.key" cannot be read: no such file or directory`)
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))

	require.NoError(t, os.Mkdir(filepath.Join(dir, "keys"), 0o700))
	file := filepath.Join(dir, "keys/approvals.key")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("k", 31)+"\n"), 0o600))
	_, err = cfg.ApprovalKey()
	require.ErrorContains(t, err, "read secret for approvals.key: it holds fewer than 32 bytes (make one with ")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))

	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("k", 32)+"\n"), 0o600))
	key, err := cfg.ApprovalKey()
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("k", 32), key.Reveal())

	small, err := config.Load("testdata/good/small.yaml")
	require.NoError(t, err)
	_, err = small.ApprovalKey()
	require.ErrorContains(t, err, "read approval key: testdata/good/small.yaml does not name approvals.key (make one with ")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
}

// TestCheckSecretsOfApprovals starts from secrets that are all in order and
// spoils one at a time.
func TestCheckSecretsOfApprovals(t *testing.T) {
	text, err := os.ReadFile("testdata/good/full.yaml")
	require.NoError(t, err)
	long := strings.Repeat(marker, 5)
	for _, test := range []struct {
		name, key, bot, app, admin string
		mode                       os.FileMode
		want                       string
	}{
		{name: "all in order"},
		{name: "short key", key: marker, want: `approvals.key: "file:keys/approvals.key" holds fewer than 32 bytes: make one with `},
		{name: "key open to others", mode: 0o640, want: `approvals.key: "file:keys/approvals.key" can be used by others (mode 0640): run chmod 600 `},
		{name: "tokens mixed up", bot: "xapp-" + marker, want: `slack.botToken: "env:SLACK_BOT_TOKEN" holds no such token: put the one there that begins with xoxb-`},
		{name: "no app token", app: marker, want: `slack.appToken: "env:SLACK_APP_TOKEN" holds no such token: put the one there that begins with xapp-`},
		{name: "no URL", admin: marker, want: `services[0].sources[0].admin: "env:WHERE2EAT_ADMIN_URL" holds no PostgreSQL URL`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			cfg, err := config.Parse(filepath.Join(dir, "lifeboat.yaml"), text)
			require.NoError(t, err)
			or := func(text, otherwise string) string {
				if text != "" {
					return text
				}
				return otherwise
			}
			require.NoError(t, os.Mkdir(filepath.Join(dir, "keys"), 0o700))
			file := filepath.Join(dir, "keys/approvals.key")
			require.NoError(t, os.WriteFile(file, []byte(or(test.key, long)), 0o600))
			if test.mode != 0 {
				require.NoError(t, os.Chmod(file, test.mode))
			}
			t.Setenv("SLACK_BOT_TOKEN", or(test.bot, "xoxb-"+marker))
			t.Setenv("SLACK_APP_TOKEN", or(test.app, "xapp-"+marker))
			t.Setenv("WHERE2EAT_ADMIN_URL", or(test.admin, "postgres://admin:"+marker+"@db/app"))
			var found []string
			for _, p := range cfg.CheckSecrets() {
				if strings.HasPrefix(p.Field, "approvals.") || strings.HasPrefix(p.Field, "slack.") || strings.HasSuffix(p.Field, ".admin") {
					found = append(found, p.String())
				}
			}
			if test.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found[0], test.want)
			require.NotContains(t, found[0], marker)
		})
	}
}
