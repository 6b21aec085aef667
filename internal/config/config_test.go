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

// TestProblems loads each file of testdata/problems and compares what is wrong
// with it with the file of the same name that ends in .want.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			want, err := os.ReadFile(strings.TrimSuffix(file, ".yaml") + ".want")
			require.NoError(t, err)
			_, err = config.Load(file)
			require.Error(t, err)
			var problems *config.Problems
			require.ErrorAs(t, err, &problems)
			require.Equal(t, strings.TrimSpace(string(want)), strings.ReplaceAll(err.Error(), file, "lifeboat.yaml"))
			require.NotContains(t, strings.ToLower(err.Error()), "hunter2")
		})
	}
}

func TestFiveMistakesAreAllShown(t *testing.T) {
	_, err := config.Load("testdata/problems/five-mistakes.yaml")
	var problems *config.Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems.List, 5)
	require.Equal(t, config.Problem{
		Line: 18, Column: 54, Field: "services[0].objectives.rpo", Value: "1 day", Message: "is not a duration",
		Mend: "write a positive number with a unit, such as 90s, 30m, 24h or 7d",
	}, problems.List[2])
}

func TestUnreadable(t *testing.T) {
	_, err := config.Load("testdata/none.yaml")
	require.EqualError(t, err, "testdata/none.yaml: cannot be read: no such file or directory: run 'starter init' to make one, or name the file")

	_, err = config.Load("testdata")
	require.EqualError(t, err, "testdata: cannot be read: is a directory: check the path and its permissions")

	large := filepath.Join(t.TempDir(), "large.yaml")
	require.NoError(t, os.WriteFile(large, []byte(strings.Repeat("#\n", 1<<20)), 0o600))
	_, err = config.Load(large)
	require.ErrorContains(t, err, "large.yaml: is larger than 1 MiB: name the right file")
}

func TestPlan(t *testing.T) {
	cfg, err := config.Load("testdata/good/full.yaml")
	require.NoError(t, err)
	here, err := filepath.Abs("testdata/good")
	require.NoError(t, err)

	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.Len(t, plan.Config.Digest, 64)
	plan.Config = recovery.ConfigRef{}
	hour := recovery.Duration(time.Hour)
	journey := []recovery.JourneyStep{
		{
			Name: "log in", Method: "POST", Path: "/login", Body: `{"name":"ann"}`, Status: 200,
			Save: map[string]string{"token": "data.token"}, Timeout: recovery.Duration(10 * time.Second),
		},
		{
			Name: "fetch", Method: "GET", Path: "/restaurants", Headers: map[string]string{"Authorization": "Bearer {saved.token}"},
			Status: 200, Timeout: recovery.Duration(10 * time.Second),
		},
	}
	restore := &recovery.PolicySpec{Approvers: []string{"rebecca", "sam"}, Needed: 2, Expires: 12 * hour, Escalate: []string{"kim", "rebecca", "sam"}}
	main := recovery.DestinationSpec{
		Name: "main", URL: "s3://backups/lifeboat", Endpoint: "http://127.0.0.1:7070", Region: "us-east-1", PathStyle: true,
		AccessKey: "env:LIFEBOAT_S3_ACCESS_KEY", SecretKey: "env:LIFEBOAT_S3_SECRET_KEY",
	}
	require.Equal(t, &recovery.Plan{
		Service: "where2eat", Owner: "rebecca", Host: "web1",
		Objectives: recovery.Objectives{Availability: 0.995, RTO: hour, RPO: 24 * hour},
		Sources: []recovery.SourceSpec{
			{Name: "app", Kind: "postgres", URL: "env:WHERE2EAT_DATABASE_URL", Tables: []string{"public.users"}, Fingerprint: "counts", RPO: hour, Every: recovery.Cadence{Every: "1h"}, Retention: recovery.Retention{Hourly: 48}, Admin: "env:WHERE2EAT_ADMIN_URL", SwapCommand: []string{"./switch.sh"}},
			{Name: "notes", Kind: "sqlite", Path: "/srv/where2eat/data/notes.db", Fingerprint: "content", RPO: 24 * hour, Every: recovery.Cadence{Every: "12h", Hour: 2, Min: 30}, Retention: recovery.Retention{Daily: 30, Weekly: 8, Monthly: 12, Yearly: 3}},
		},
		Destination: main,
		Destinations: []recovery.DestinationSpec{
			main,
			{
				Name: "away", URL: "s3://copies/lifeboat", Region: "eu-central-1", AccessKey: "env:AWAY_ACCESS_KEY", SecretKey: "env:AWAY_SECRET_KEY",
				ServerSide: &recovery.ServerSideSpec{Algorithm: "aws:kms", Key: "alias/backups"},
				Lock:       &recovery.LockSpec{Mode: "compliance", For: 30 * 24 * hour},
				Class:      "STANDARD_IA", Classes: map[string]string{"monthly": "GLACIER_IR", "yearly": "DEEP_ARCHIVE"},
				PruneAccessKey: "env:AWAY_PRUNE_ACCESS_KEY", PruneSecretKey: "env:AWAY_PRUNE_SECRET_KEY",
			},
			{Name: "disk", URL: "file:///mnt/backups"},
		},
		Encryption: recovery.EncryptionSpec{Recipients: cfg.Encryption.Recipients, Identities: "file:keys/age.key"},
		Staging:    recovery.StagingSpec{PostgresURL: "env:STAGING_DATABASE_URL", Folder: filepath.Join(here, "staging"), SameServer: true},
		Live:       &recovery.LiveSpec{BaseURL: "https://where2eat.example", Ready: "/ready", Timeout: recovery.Duration(30 * time.Second), Journey: journey},
		Commands: recovery.CommandsSpec{
			Dir: "/srv/where2eat/ops", Stop: []string{"./stop.sh"}, Start: []string{"sh", "-c", "./start.sh ${HOME} | awk '{print}'"},
			MaintenanceOn: []string{"./maintenance", "on"}, MaintenanceOff: []string{"./maintenance", "off"}, Timeout: recovery.Duration(3 * time.Minute),
		},
		Deploy: &recovery.DeploySpec{
			Dir: "/srv/where2eat/ops", Env: map[string]string{"DEPLOY_URL": "env:DEPLOY_TOKEN_URL", "url": "env:DEPLOY_URL", "MODE": "fast"}, Timeout: recovery.Duration(20 * time.Minute),
			Releases: []string{"./list.sh", "--filter", `{"state":"done"}`}, Current: recovery.CurrentSpec{URL: "http://127.0.0.1:8090/version", Field: "release.tag"},
			Deploy: []string{"./deploy.sh", "--tag", "{tag}", "--commit={commit}", "{from}", "{{.Name}} ${x}"}, Repeatable: true, Warn: []string{"./warn.sh", "{from}", "{tag}"},
			FlagOff: []string{"./flag.sh", "off"}, FlagOn: []string{"./flag.sh", "on"}, Switch: []string{"./switch-to.sh", "blue"}, SwitchBack: []string{"./switch-to.sh", "green"},
			GoodAfter: hour, Settle: recovery.Duration(5 * time.Minute),
			Staging: &recovery.StagingDeploySpec{
				Env: map[string]string{"KEY": "env:STAGING_DEPLOY_KEY"}, Deploy: []string{"./deploy.sh", "--staging", "{tag}"}, Test: []string{"./integration.sh", "{commit}"},
				Timeout: recovery.Duration(30 * time.Minute),
			},
		},
		UndoFor: 48 * hour,
		People: []recovery.Person{
			{Name: "kim"}, {Name: "rebecca", Slack: "U0REBECCA", CLI: "rebecca", Mail: "rebecca@example.com"}, {Name: "sam", Slack: "U0SAM"},
		},
		Approvals: recovery.ApprovalsSpec{
			Key:     "file:keys/approvals.key",
			Drill:   &recovery.PolicySpec{Approvers: []string{"rebecca"}, Needed: 1, SelfAfter: recovery.Duration(time.Minute), Expires: 24 * hour},
			Restore: restore, Beside: restore,
			Undo:     &recovery.PolicySpec{Approvers: []string{"rebecca", "sam"}, Needed: 1, Expires: 24 * hour},
			Drop:     &recovery.PolicySpec{Approvers: []string{"sam"}, Needed: 1, SelfAfter: recovery.Duration(15 * time.Minute), Expires: 14 * 24 * hour, Unverified: true},
			Rollback: &recovery.PolicySpec{Approvers: []string{"rebecca", "sam"}, Needed: 1, Expires: hour},
		},
		Slack:    &recovery.SlackSpec{Channel: "C0123456789"},
		TimeZone: "America/New_York",
		Schedules: recovery.SchedulesSpec{
			Verify: recovery.Cadence{Every: "monthly", Date: 3}, Drill: recovery.Cadence{Every: "never"}, Prune: recovery.Cadence{Every: "weekly", Day: time.Friday},
			SmokeDeploy: recovery.Cadence{Every: "24h", Hour: 6},
		},
		KeepSafety: 60 * 24 * hour,
		Pings:      map[string]string{"backup": "env:BACKUP_PING", "verify": "env:VERIFY_PING", "drill": "env:DRILL_PING", "prune": "file:keys/prune.ping"},
		Smoke: &recovery.SmokeSpec{
			Start: []string{"./where2eat", "-listen", "127.0.0.1:{port}"}, Dir: "/srv/where2eat/bin",
			Env: map[string]string{
				"DATABASE_URL": "{restored.app}", "NOTES_URL": "file:{restored.notes}?mode=ro", "API_KEY": "env:STAGING_API_KEY",
			},
			BaseURL: "http://127.0.0.1:{port}", Ready: "/", Timeout: recovery.Duration(90 * time.Second),
			Journey: journey,
			Checks:  []recovery.SQLCheck{{Name: "restaurants are there", Source: "app", Query: "select count(*) > 0 from restaurants", Expect: "t"}},
		},
		Verify:      recovery.VerifyOnSchedule,
		GiveUpAfter: recovery.Duration(45 * time.Minute),
	}, plan)
}

func TestDefaults(t *testing.T) {
	cfg, err := config.Load("testdata/good/small.yaml")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8080", cfg.Worker.Listen)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.Equal(t, "local", plan.Host)
	require.Equal(t, recovery.VerifyAfterBackup, plan.Verify)
	require.Equal(t, recovery.Duration(30*time.Minute), plan.GiveUpAfter)
	require.Equal(t, recovery.FingerprintContent, plan.Sources[0].Fingerprint)
	require.Equal(t, recovery.Duration(24*time.Hour), plan.Sources[0].RPO)
	require.Equal(t, []recovery.DestinationSpec{plan.Destination}, plan.Destinations)
	require.Equal(t, "UTC", plan.TimeZone)
	require.Equal(t, recovery.SchedulesSpec{Verify: cadence(t, "weekly on sunday at 04:00"), Drill: cadence(t, "quarterly on 15 at 09:00"), Prune: cadence(t, "24h at 05:00")}, plan.Schedules)
	require.Equal(t, cadence(t, "24h at 03:00"), plan.Sources[0].Every)
	require.Zero(t, plan.Sources[0].Retention)
	require.Equal(t, recovery.Duration(30*24*time.Hour), plan.KeepSafety)
	require.Nil(t, cfg.Mail())
	require.Nil(t, cfg.DigestPlan())
	require.Equal(t, config.Prices{Currency: "USD", Destinations: map[string]config.DestinationPrices{}}, cfg.Prices())
	require.Nil(t, plan.Smoke)
	require.Nil(t, plan.Live)
	require.Equal(t, recovery.CommandsSpec{Dir: "/srv/where2eat", Timeout: recovery.Duration(2 * time.Minute)}, plan.Commands)
	require.Nil(t, plan.Deploy)
	require.Equal(t, recovery.Duration(24*time.Hour), plan.UndoFor)
	require.Empty(t, plan.People)
	require.Zero(t, plan.Approvals)
	require.Nil(t, plan.Slack)
}

func TestPlanOfUnknownService(t *testing.T) {
	cfg, err := config.Load("testdata/good/small.yaml")
	require.NoError(t, err)

	_, err = cfg.Plan("where2sleep")
	require.EqualError(t, err, `find service "where2sleep": it is not in testdata/good/small.yaml (known here: where2eat)`)
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))

	_, err = cfg.Plan("")
	require.EqualError(t, err, `find service: the input names none (give an input such as {"service":"where2eat"}; known here: where2eat)`)
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
}

func TestTargetOfBackupOnly(t *testing.T) {
	cfg, err := config.Load("testdata/good/backup-only.yaml")
	require.NoError(t, err)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.Equal(t, recovery.LevelStored, plan.Target(true))
}

func TestEnvironmentWins(t *testing.T) {
	cfg, err := config.Load("testdata/good/full.yaml")
	require.NoError(t, err)
	t.Setenv("TEMPORAL_ADDRESS", "")
	t.Setenv("TEMPORAL_NAMESPACE", "")
	require.Equal(t, "temporal:7233", cfg.TemporalAddress())
	require.Equal(t, "recovery", cfg.Namespace())
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:7244")
	t.Setenv("TEMPORAL_NAMESPACE", "demo")
	require.Equal(t, "127.0.0.1:7244", cfg.TemporalAddress())
	require.Equal(t, "demo", cfg.Namespace())

	t.Setenv("LIFEBOAT_CONFIG", "")
	require.Equal(t, "lifeboat.yaml", config.Path(""))
	t.Setenv("LIFEBOAT_CONFIG", "/etc/lifeboat.yaml")
	require.Equal(t, "/etc/lifeboat.yaml", config.Path(""))
	require.Equal(t, "mine.yaml", config.Path("mine.yaml"))
}

// TestSymbolicLinks: a path that stays inside by its text must also do so by what
// it leads to.
func TestSymbolicLinks(t *testing.T) {
	small, err := os.ReadFile("testdata/good/small.yaml")
	require.NoError(t, err)
	root := t.TempDir()
	for _, folder := range []string{"service/data", "elsewhere"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, folder), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "elsewhere/notes.db"), nil, 0o600))
	require.NoError(t, os.Symlink(root+"/elsewhere/notes.db", root+"/service/data/link.db"))
	require.NoError(t, os.Symlink(root+"/elsewhere", root+"/service/folder"))
	require.NoError(t, os.Symlink(root+"/service", root+"/alias"))
	for _, test := range []struct{ name, dir, path, problem string }{
		{name: "file", dir: "service", path: "data/link.db", problem: `"data/link.db" leads out of the service's dir by a symbolic link`},
		{name: "folder", dir: "service", path: "folder/notes.db", problem: "by a symbolic link"},
		{name: "folder of a file that is not there yet", dir: "service", path: "folder/new.db", problem: "by a symbolic link"},
		{name: "the base itself", dir: "alias", path: "data/notes.db"},
		{name: "absolute inside", dir: "service", path: root + "/service/data/notes.db"},
		{name: "the base as the file", dir: "service", path: ".", problem: "leads out"},
		{name: "back in", dir: "service", path: "data/../data/notes.db"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.NewReplacer("/srv/where2eat", test.dir, "data/notes.db", test.path).Replace(string(small))
			_, err := config.Parse(filepath.Join(root, "lifeboat.yaml"), []byte(text))
			if test.problem == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.problem)
		})
	}
}

func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/problems/*.yaml", "testdata/good/*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, file := range files {
			data, err := os.ReadFile(file)
			require.NoError(f, err)
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := config.Parse("lifeboat.yaml", data)
		if err == nil {
			require.NotEmpty(t, cfg.Services)
			require.NotEmpty(t, cfg.Destinations)
			return
		}
		var problems *config.Problems
		require.ErrorAs(t, err, &problems)
		require.NotEmpty(t, problems.List)
	})
}
