package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func cadence(t *testing.T, text string) recovery.Cadence {
	t.Helper()
	c, err := recovery.ParseCadence(text)
	require.NoError(t, err)
	return c
}

func smallText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/good/small.yaml")
	require.NoError(t, err)
	return string(text)
}

// parseSmall reads the small config after some changes, from, to, from, to, ….
func parseSmall(t *testing.T, changes ...string) (*config.Config, error) {
	t.Helper()
	text := smallText(t)
	for i := 0; i < len(changes); i += 2 {
		require.Contains(t, text, changes[i])
	}
	return config.Parse("lifeboat.yaml", []byte(strings.NewReplacer(changes...).Replace(text)))
}

// TestCadenceOfBackups: a source's own, else the service's, else the longest that
// meets its RPO.
func TestCadenceOfBackups(t *testing.T) {
	for rpo, want := range map[string]string{
		"1w": "24h at 03:00", "24h": "24h at 03:00", "23h": "12h", "12h": "12h", "9h": "8h", "7h": "6h", "5h": "4h", "3h30m": "3h", "2h": "2h", "90m": "1h", "1h": "1h", "10m": "1h",
	} {
		cfg, err := parseSmall(t, "rpo: 24h", "rpo: "+rpo)
		require.NoError(t, err)
		plan, err := cfg.Plan("where2eat")
		require.NoError(t, err)
		require.Equal(t, cadence(t, want), plan.Sources[0].Every, "RPO %s", rpo)
	}

	cfg, err := parseSmall(t, "    sources:", "    schedule: { backup: 8h at 01:15, verify: never }\n    sources:", "path: data/notes.db", "path: data/notes.db, every: 3h")
	require.NoError(t, err)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.Equal(t, cadence(t, "8h at 01:15"), plan.Sources[0].Every)
	require.Equal(t, cadence(t, "3h"), plan.Sources[1].Every)
	require.Equal(t, cadence(t, "never"), plan.Schedules.Verify)
	require.Equal(t, cadence(t, "24h at 05:00"), plan.Schedules.Prune)
}

// TestNeverIsAChoice: a source that is backed up by hand alone is no mistake.
func TestNeverIsAChoice(t *testing.T) {
	cfg, err := parseSmall(t, "    sources:", "    schedule: { backup: never }\n    sources:")
	require.NoError(t, err)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.True(t, plan.Sources[0].Every.Never())
}

func TestRetention(t *testing.T) {
	cfg, err := parseSmall(t, "    sources:", "    retention: { daily: 7, yearly: 10000 }\n    sources:", "path: data/notes.db", "path: data/notes.db, retention: { hourly: 24 }")
	require.NoError(t, err)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.Equal(t, recovery.Retention{Daily: 7, Yearly: 10000}, plan.Sources[0].Retention)
	require.Equal(t, recovery.Retention{Hourly: 24}, plan.Sources[1].Retention, "its own alone, no tier of the service's")
}

func TestTimeZones(t *testing.T) {
	plan, err := loadFull(t).Plan("where2sleep")
	require.NoError(t, err)
	require.Equal(t, "Europe/Berlin", plan.TimeZone, "as the file's")

	// The zones are in the program: none of the machine's files is needed.
	t.Setenv("ZONEINFO", filepath.Join(t.TempDir(), "none.zip"))
	_, err = parseSmall(t, "version: 1", "version: 1\ntimeZone: Pacific/Chatham")
	require.NoError(t, err)
}

func TestPings(t *testing.T) {
	cfg := loadFull(t)
	t.Setenv("WORKER_PING", "https://hc-ping.com/"+marker)
	t.Setenv("BACKUP_PING", "https://hc-ping.com/backup-"+marker)
	url, ok, err := cfg.WorkerPing()
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "https://hc-ping.com/"+marker, url.Reveal())
	url, ok, err = cfg.PingURL("where2eat", "backup")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "https://hc-ping.com/backup-"+marker, url.Reveal())

	_, ok, err = cfg.PingURL("where2sleep", "backup")
	require.NoError(t, err)
	require.False(t, ok)
	_, ok, err = cfg.PingURL("where2eat", "drill")
	require.EqualError(t, err, `read secret for services[0].pings.drill: "env:DRILL_PING" is not set in the environment (set DRILL_PING)`)
	require.False(t, ok)
	_, _, err = cfg.PingURL("where2eat", "restore")
	require.EqualError(t, err, `find the ping of "restore": there is no such playbook (known: backup, verify, drill, prune)`)
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	_, _, err = cfg.PingURL("where2et", "backup")
	require.ErrorContains(t, err, `find service "where2et"`)
}

func TestCheckSecretsOfPings(t *testing.T) {
	cfg := loadFull(t)
	for value, want := range map[string]string{
		"https://hc-ping.com/" + marker: "",
		"http://127.0.0.1:8000/ping":    "",
		marker:                          "holds no address to ping: write it as https://hc-ping.com/UUID",
		"ftp://hc-ping.com/" + marker:   "holds no address to ping",
		"https:///" + marker:            "holds no address to ping",
	} {
		t.Setenv("WORKER_PING", value)
		t.Setenv("VERIFY_PING", value)
		t.Setenv("DIGEST_PING", value)
		var found []string
		for _, p := range cfg.CheckSecrets() {
			if p.Field == "worker.ping" || p.Field == "services[0].pings.verify" || p.Field == "digest.ping" {
				found = append(found, p.String())
			}
		}
		if want == "" {
			require.Empty(t, found)
			continue
		}
		require.Len(t, found, 3)
		for _, line := range found {
			require.Contains(t, line, want)
			require.NotContains(t, line, marker)
		}
	}
}

func TestDigestAndMail(t *testing.T) {
	cfg := loadFull(t)
	require.Equal(t, &recovery.DigestSpec{
		Every: cadence(t, "weekly on monday at 08:15"), TimeZone: "Europe/Berlin", Slack: &recovery.SlackSpec{Channel: "C0123456789"}, Ping: "env:DIGEST_PING",
		Mail: []recovery.Person{{Name: "rebecca", Slack: "U0REBECCA", CLI: "rebecca", Mail: "rebecca@example.com"}},
	}, cfg.DigestPlan())
	require.Equal(t, &recovery.MailSpec{Server: "mail.example.com:465", Security: "tls", From: "lifeboat@example.com", User: "env:MAIL_USER", Password: "file:keys/mail"}, cfg.Mail())

	const people = "people: { ann: { mail: ann@example.com }, bob: { mail: bob@example.com } }\ngroups: { all: [bob, ann] }\n"
	cfg, err := parseSmall(t, "services:", people+"mail: { server: \"localhost:25\", security: none, from: lifeboat@example.com }\ndigest: { mail: [bob, all] }\nservices:")
	require.NoError(t, err)
	digest := cfg.DigestPlan()
	require.Equal(t, cadence(t, "24h at 07:30"), digest.Every)
	require.Equal(t, "UTC", digest.TimeZone)
	require.Nil(t, digest.Slack)
	require.Equal(t, []recovery.Person{{Name: "ann", Mail: "ann@example.com"}, {Name: "bob", Mail: "bob@example.com"}}, digest.Mail, "each once")

	cfg, err = parseSmall(t, "services:", people+"mail: { server: \"mail.example.com:587\", from: lifeboat@example.com }\ndigest: { every: never, mail: [all] }\nservices:")
	require.NoError(t, err)
	require.Nil(t, cfg.DigestPlan())
	require.Equal(t, "starttls", cfg.Mail().Security)
}

func TestPrices(t *testing.T) {
	prices := loadFull(t).Prices()
	require.Equal(t, "EUR", prices.Currency)
	require.NotContains(t, prices.Destinations, "main")
	require.InDelta(t, 0.0135, *prices.Destinations["away"].Default, 0)
	require.Equal(t, map[string]float64{"DEEP_ARCHIVE": 0.00108, "FREE": 0}, prices.Destinations["away"].Classes)
	require.Zero(t, *prices.Destinations["disk"].Default, "nothing is a price as well")
	require.Empty(t, prices.Destinations["disk"].Classes)
}

// Temporal starts nothing at a time that does not exist: for a daily backup, a day
// without one.
func TestTimesThatClocksLeapOver(t *testing.T) {
	cfg, err := parseSmall(t, "services:", "timeZone: Europe/Helsinki\nservices:")
	require.NoError(t, err)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.Equal(t, "24h at 04:00", plan.Sources[0].Every.String(), "the default is moved")
	require.Equal(t, "24h at 05:00", plan.Schedules.Prune.String())

	_, err = parseSmall(t, "services:", "timeZone: Europe/Berlin\nservices:",
		"    sources:", "    schedule: { prune: 24h at 02:15, verify: weekly on sunday at 02:30, backup: 12h at 02:30, drill: quarterly on 15 at 02:30 }\n    sources:",
		"path: data/notes.db", "path: data/notes.db, every: 24h at 02:45")
	var problems *config.Problems
	require.ErrorAs(t, err, &problems)
	var lines []string
	for _, p := range problems.List {
		lines = append(lines, p.Field+": "+p.Message+"; "+p.Mend)
	}
	require.Len(t, lines, 3, "a leap of a cadence of hours is made up for soon, and none falls on the 15th: %s", lines)
	for i, want := range []string{
		`^services\[0\].schedule.prune: is a time that clocks in Europe/Berlin leap over on 20\d\d-03-\d\d: nothing would run on that day; write "24h at 03:15"$`,
		`^services\[0\].schedule.verify: is a time .*; write "weekly on sunday at 03:30"$`,
		`^services\[0\].sources\[1\].every: is a time .*; write "24h at 03:45"$`,
	} {
		require.Regexp(t, want, lines[i])
	}
}
