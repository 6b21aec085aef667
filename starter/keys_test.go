package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
)

// home is the folder of the installation, before it was lost.
func (l *lost) home() string { return filepath.Dir(l.bucket) }

// keys runs a command about keys in the installation.
func (l *lost) keys(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return talk(t, "", append([]string{"keys", "--config", filepath.Join(l.home(), "lifeboat.yaml")}, args...)...)
}

// edit changes a file of the installation.
func (l *lost) edit(t *testing.T, name, from, to string) {
	t.Helper()
	path := filepath.Join(l.home(), name)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), from)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o600))
}

// reload reads the config anew, for what is sealed from now on.
func (l *lost) reload(t *testing.T) {
	t.Helper()
	var err error
	l.cfg, err = config.Load(filepath.Join(l.home(), "lifeboat.yaml"))
	require.NoError(t, err)
}

// newKit takes the kit that a rotation made, and returns it.
func (l *lost) newKit(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(l.home(), "recovery-kit-20261122T180000Z.md"))
	require.NoError(t, err)
	return string(text)
}

func stranger(t *testing.T) *age.X25519Identity {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return identity
}

func TestKeysList(t *testing.T) {
	l := newLost(t)
	mine, sam := l.cfg.Encryption.Recipients[0], stranger(t).Recipient().String()
	l.edit(t, "lifeboat.yaml", "    - "+mine, "    - "+mine+"\n    - "+sam)
	written := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, name := range []string{"keys/signing.key", "keys/approvals.key"} {
		require.NoError(t, os.Chtimes(filepath.Join(l.home(), name), written, written))
	}
	code, stdout, stderr := l.keys(t, "list")
	require.Zero(t, code, stderr)
	require.NotContains(t, stdout, "SECRET-KEY")
	table := regexp.MustCompile(` {2,}`).ReplaceAllString(stdout, "|")
	require.Equal(t, "USE|MADE|AGE|SECRET HALF|PUBLIC HALF\n"+
		"seals sets|2026-11-22|0 days|file:keys/age.key|"+mine+"\n"+
		"seals sets|not known|not known|not here|"+sam+"\n"+
		"signs sets|by 2026-11-20|2 days or more|file:keys/signing.key|"+l.key.Public().String()+"\n"+
		"vouches for decisions|by 2026-11-20|2 days or more|file:keys/approvals.key|-\n", table)

	// What is older than a year is named, and what opens older sets is listed.
	older := stranger(t)
	l.edit(t, "keys/age.key", "# created: 2026-11-22", "# created: 2025-11-21")
	l.edit(t, "keys/age.key", "# created", older.String()+"\n# created")
	old := written.AddDate(-2, 0, 0)
	require.NoError(t, os.Chtimes(filepath.Join(l.home(), "keys/signing.key"), old, old))
	code, stdout, stderr = l.keys(t, "list")
	require.Zero(t, code, stderr)
	require.Regexp(t, `seals sets +2025-11-21 +366 days +file:keys/age.key +`+mine, stdout)
	require.Regexp(t, `opens older sets +not known +not known +file:keys/age.key +`+older.Recipient().String(), stdout)
	require.Contains(t, stdout, "\nwhat seals sets is older than a year: run 'starter keys rotate'\nwhat signs sets is older than a year: think about a new one\n")

	// A machine that has not all of them says so.
	require.NoError(t, os.Remove(filepath.Join(l.home(), "keys/age.key")))
	require.NoError(t, os.WriteFile(filepath.Join(l.home(), "keys/approvals.key"), []byte("hunter2"), 0o600))
	code, stdout, stderr = l.keys(t, "list")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "what opens older sets cannot be read here: ")
	require.Contains(t, stdout, "what vouches for decisions cannot be read here: ")
	require.NotContains(t, stdout, "hunter2")

	code, stdout, stderr = l.keys(t, "list", "--json")
	require.Zero(t, code, stderr)
	var keys []app.Key
	require.NoError(t, json.Unmarshal([]byte(stdout), &keys))
	require.Equal(t, app.Key{Use: app.KeySeals, Public: sam}, keys[1])
}
