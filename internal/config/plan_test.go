package config_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestConfigRef(t *testing.T) {
	small, err := os.ReadFile("testdata/good/small.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "lifeboat.yaml")
	require.NoError(t, os.WriteFile(file, small, 0o600))
	git := func(arguments ...string) string {
		t.Helper()
		command := exec.Command("git", append([]string{
			"-C", dir, "-c", "user.name=Rebecca", "-c", "user.email=rebecca@example.com", "-c", "init.defaultBranch=main",
		}, arguments...)...)
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
		return strings.TrimSpace(string(out))
	}
	ref := func() recovery.ConfigRef {
		t.Helper()
		cfg, err := config.Load(file)
		require.NoError(t, err)
		plan, err := cfg.Plan("where2eat")
		require.NoError(t, err)
		return plan.Config
	}
	sum := sha256.Sum256(small)
	digest := hex.EncodeToString(sum[:])

	require.Equal(t, recovery.ConfigRef{Digest: digest}, ref(), "outside of a repository")
	git("init", "--quiet")
	require.Equal(t, recovery.ConfigRef{Digest: digest}, ref(), "before the first commit")
	git("commit", "--quiet", "--allow-empty", "--message", "begin")
	require.Equal(t, recovery.ConfigRef{Digest: digest, Commit: git("rev-parse", "HEAD"), Dirty: true}, ref(), "not added")
	git("add", "lifeboat.yaml")
	git("commit", "--quiet", "--message", "add config")
	commit := git("rev-parse", "HEAD")
	require.Equal(t, recovery.ConfigRef{Digest: digest, Commit: commit}, ref(), "committed")

	t.Setenv("GIT_DIR", t.TempDir())
	require.Equal(t, recovery.ConfigRef{Digest: digest, Commit: commit}, ref(), "inside a hook of another repository")
	require.NoError(t, os.Unsetenv("GIT_DIR"))

	require.NoError(t, os.WriteFile(file, append(small, '\n'), 0o600))
	changed := ref()
	require.True(t, changed.Dirty)
	require.Equal(t, commit, changed.Commit)
	require.NotEqual(t, digest, changed.Digest)

	t.Setenv("PATH", t.TempDir())
	require.Equal(t, recovery.ConfigRef{Digest: changed.Digest}, ref(), "without git")
}

// TestSchemaIsCommitted: editors read the committed file.
func TestSchemaIsCommitted(t *testing.T) {
	schema, err := config.Schema()
	require.NoError(t, err)
	committed, err := os.ReadFile("../../docs/lifeboat.schema.json")
	require.NoError(t, err)
	require.Equal(t, string(schema), string(committed), "run 'make schema'")
}
