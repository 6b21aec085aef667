package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const marker = "hunter2"

func TestSecretIsMasked(t *testing.T) {
	s := config.NewSecret(marker)
	require.Empty(t, config.Secret{}.Reveal())
	require.Equal(t, marker, s.Reveal())
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, "***", fmt.Sprintf(format, s), format)
	}
	require.Equal(t, "{S:***}", fmt.Sprintf("%+v", struct{ S *config.Secret }{&s}))
	require.Equal(t, "{***}", fmt.Sprint(struct{ S config.Secret }{s}))
	require.NotContains(t, fmt.Sprintf("%+v %#v", struct{ s config.Secret }{s}, struct{ s config.Secret }{s}), marker, "unexported")

	text, err := json.Marshal(map[string]any{"value": s, "pointer": &s, "key": map[config.Secret]int{s: 1}})
	require.NoError(t, err)
	require.JSONEq(t, `{"value":"***","pointer":"***","key":{"***":1}}`, string(text))
	text, err = yaml.Marshal(s)
	require.NoError(t, err)
	require.NotContains(t, string(text), marker)

	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("open", "secret", s, "pointer", &s, "group", slog.GroupValue(slog.Any("s", s)))
	slog.New(slog.NewJSONHandler(&log, nil)).Info("open", "secret", s)
	require.NotContains(t, log.String(), marker)
	require.Contains(t, log.String(), "***")
}

// TestSecretsInTheClearAreNeverShown puts a marker into each place where a secret
// may stand, in every shape that YAML has, and looks for it in what is reported.
func TestSecretsInTheClearAreNeverShown(t *testing.T) {
	full, err := os.ReadFile("testdata/good/full.yaml")
	require.NoError(t, err)
	places := []string{
		"file:keys/age.key", "file:keys/signing.key", "env:LIFEBOAT_S3_ACCESS_KEY", "env:LIFEBOAT_S3_SECRET_KEY",
		"env:STAGING_DATABASE_URL", "env:WHERE2EAT_DATABASE_URL", "env:STAGING_API_KEY", `'{"name":"ann"}'`, `"Bearer {saved.token}"`,
		"file:keys/approvals.key", "env:SLACK_BOT_TOKEN", "env:SLACK_APP_TOKEN", "env:WHERE2EAT_ADMIN_URL", "[./switch.sh]", "[./stop.sh]",
		"env:WORKER_PING", "env:BACKUP_PING", "file:keys/prune.ping", "env:AWAY_PRUNE_SECRET_KEY", "env:MAIL_USER", "file:keys/mail",
		"env:DEPLOY_TOKEN_URL", "fast", "env:STAGING_DEPLOY_KEY", `'{"state":"done"}'`, `"--commit={commit}"`, `[./warn.sh, "{from}", "{tag}"]`, `[./flag.sh, "off"]`, `"{commit}"`,
	}
	shapes := []string{
		marker, `"` + marker + ` {restored.x} {port}"`, "postgres://app:" + marker + "@db/app", "env:" + marker + "-1", "file:///" + marker, `"file:` + marker + `{x}"`,
		"[" + marker + "]", "{" + marker + ": x}", "{x: " + marker + "}", "*" + marker, "&" + marker + " x", "!" + marker + " x", "!!int " + marker,
		"AGE-SECRET-KEY-1" + marker, "'" + strings.Repeat(marker, 40) + "'", "{[" + marker + "]: x}", "\"" + marker, "@" + marker, "`" + marker, "%" + marker, "\"\\x" + marker + "\"",
	}
	for _, place := range places {
		require.Contains(t, string(full), place)
		for _, shape := range shapes {
			_, err := config.Parse("lifeboat.yaml", []byte(strings.Replace(string(full), place, shape, 1)))
			if err != nil {
				require.NotContains(t, err.Error(), marker, "%s as %s", place, shape)
			}
		}
	}
}

func TestReveal(t *testing.T) {
	dir := t.TempDir()
	small, err := os.ReadFile("testdata/good/small.yaml")
	require.NoError(t, err)
	cfg, err := config.Parse(filepath.Join(dir, "lifeboat.yaml"), small)
	require.NoError(t, err)
	t.Setenv("WHERE2EAT_DATABASE_URL", "postgres://"+marker)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "keys"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "keys/signing.key"), []byte(" two \nlines\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty"), []byte("\n"), 0o600))

	s, err := cfg.Reveal("env:WHERE2EAT_DATABASE_URL")
	require.NoError(t, err)
	require.Equal(t, "postgres://"+marker, s.Reveal())
	s, err = cfg.Reveal("file:keys/signing.key")
	require.NoError(t, err)
	require.Equal(t, " two \nlines", s.Reveal(), "only the last newline is no part of it")
	s, err = cfg.Reveal("file:" + dir + "/keys/signing.key")
	require.NoError(t, err)
	require.Equal(t, " two \nlines", s.Reveal())

	t.Setenv("STAGING_DATABASE_URL", "")
	for _, test := range []struct{ ref, problem string }{
		{"env:STAGING_DATABASE_URL", `read secret for staging.postgres.url: "env:STAGING_DATABASE_URL" is not set in the environment (set STAGING_DATABASE_URL)`},
		{"file:keys/age.key", `read secret for encryption.identities: "file:keys/age.key" cannot be read: no such file or directory (put the secret into ` + dir + `/keys/age.key, readable by the user that runs this)`},
		{"file:empty", `read secret: "file:empty" is empty (put the secret into ` + dir + `/empty)`},
		{"postgres://app:" + marker + "@db", "read secret: what should refer to it is neither env:NAME nor file:PATH (mend it in " + dir + "/lifeboat.yaml)"},
	} {
		_, err := cfg.Reveal(test.ref)
		require.EqualError(t, err, test.problem)
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	}
}

func TestIsReference(t *testing.T) {
	for text, want := range map[string]bool{
		"env:NAME": true, "env:_a1": true, "file:keys/age.key": true, "file:/run/secrets/age key": true,
		"": false, "env:": false, "env:1A": false, "env:A-B": false, "file:": false, "file:///x": false, "file:{restored.notes}": false,
		"file:a?mode=ro": false, "ENV:NAME": false, "plain": false, "file:a\nb": false,
	} {
		require.Equal(t, want, config.IsReference(text), text)
	}
}

// TestCheckSecrets starts from secrets that are all in order and spoils one at a
// time.
func TestCheckSecrets(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	other, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	signing, err := recovery.NewSigningKey(bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	stranger, err := recovery.NewSigningKey(bytes.Repeat([]byte{2}, 32))
	require.NoError(t, err)
	good := map[string]string{"keys/age.key": "# made by age\n" + identity.String() + "\n", "keys/signing.key": signing.Reveal() + "\n"}

	for _, test := range []struct {
		name, file, content string
		mode                os.FileMode
		url                 string
		want                string
	}{
		{name: "all in order"},
		{name: "another age key", file: "keys/age.key", content: other.String(), want: `encryption.identities: "file:keys/age.key" opens none of encryption.recipients`},
		{name: "no age key", file: "keys/age.key", content: marker, want: `encryption.identities: "file:keys/age.key" holds no age identity`},
		{name: "another signing key", file: "keys/signing.key", content: stranger.Reveal(), want: `signing.key: "file:keys/signing.key" is not trusted: its public key is ` + stranger.Public().String()},
		{name: "no signing key", file: "keys/signing.key", content: marker, want: `signing.key: "file:keys/signing.key" holds no signing key`},
		{name: "open to others", file: "keys/age.key", content: good["keys/age.key"], mode: 0o644, want: `encryption.identities: "file:keys/age.key" can be used by others (mode 0644): run chmod 600 `},
		{name: "no URL", url: "host=db password=" + marker, want: `services[0].sources[0].url: "env:WHERE2EAT_DATABASE_URL" holds no PostgreSQL URL`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(dir, "keys"), 0o700))
			for name, content := range good {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
			}
			if test.file != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, test.file), []byte(test.content), 0o600))
			}
			if test.mode != 0 {
				require.NoError(t, os.Chmod(filepath.Join(dir, test.file), test.mode))
			}
			t.Setenv("STAGING_DATABASE_URL", "postgresql://staging")
			t.Setenv("WHERE2EAT_DATABASE_URL", "postgres://db/app")
			if test.url != "" {
				t.Setenv("WHERE2EAT_DATABASE_URL", test.url)
			}
			cfg := parseWithKeys(t, dir, identity.Recipient().String(), signing.Public().String())
			found := cfg.CheckSecrets()
			if test.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found[0].String(), test.want)
			require.NotContains(t, found[0].String(), marker)
			require.Positive(t, found[0].Line)
		})
	}
}

// parseWithKeys reads the small config with other public keys.
func parseWithKeys(t *testing.T, dir, recipient, public string) *config.Config {
	t.Helper()
	small, err := config.Load("testdata/good/small.yaml")
	require.NoError(t, err)
	text, err := os.ReadFile("testdata/good/small.yaml")
	require.NoError(t, err)
	replaced := strings.NewReplacer(small.Encryption.Recipients[0], recipient, small.Signing.Trusted[0], public).Replace(string(text))
	cfg, err := config.Parse(filepath.Join(dir, "lifeboat.yaml"), []byte(replaced))
	require.NoError(t, err)
	return cfg
}
