package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// talk runs the program in a folder of its own with answers from a person.
func talk(t *testing.T, answers string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := &cli{
		stdin: strings.NewReader(answers), stdout: &out, stderr: &errs, interactive: true,
		now: func() time.Time { return time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC) },
	}
	code = c.run(t.Context(), args)
	return code, out.String(), errs.String()
}

func TestInitAsks(t *testing.T) {
	t.Chdir(t.TempDir())
	code, stdout, stderr := talk(t, strings.Join([]string{
		"", "Where 2 Eat", // a service is needed, and its name is mended below
		"Rebecca R.",
		"R",      // a name, mended below
		"",       // the PostgreSQL reference that is offered
		"-",      // no SQLite file
		"s3://b", // too short for a bucket
		"http://127.0.0.1:7070", "", "", "", "staging", "",
		"where2eat",
		"", // the name that is offered
		"s3://backups/lifeboat",
	}, "\n")+"\n", "init")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "made lifeboat.yaml")
	require.Contains(t, stderr, "short name of the service, such as where2eat: ")
	require.Contains(t, stderr, "  this is needed\n")
	require.Contains(t, stderr, "as env:NAME or file:PATH (- for none) [env:")
	require.Contains(t, stderr, `  service: "Where 2 Eat" is not a usable name: use 1 to 40`)
	require.Contains(t, stderr, "  person: is not a usable name: use 1 to 40")
	require.Contains(t, stderr, "short name of the person at this machine, who approves drills and restores [rebecca-r]: ")
	require.Contains(t, stderr, `  destination: "s3://b" names no bucket: `)

	cfg, err := config.Load("lifeboat.yaml")
	require.NoError(t, err)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.Len(t, plan.Sources, 1)
	require.Equal(t, "s3://backups/lifeboat", plan.Destination.URL)
	require.Equal(t, "env:LIFEBOAT_S3_SECRET_KEY", plan.Destination.SecretKey)
	require.Equal(t, "env:STAGING_DATABASE_URL", plan.Staging.PostgresURL)

	who, err := user.Current()
	require.NoError(t, err)
	require.Equal(t, []recovery.Person{{Name: "rebecca-r", CLI: who.Username}}, plan.People)
	alone := &recovery.PolicySpec{
		Approvers: []string{"rebecca-r"}, Needed: 1, SelfAfter: recovery.Duration(15 * time.Minute), Expires: recovery.Duration(12 * time.Hour),
	}
	require.Equal(t, alone, plan.Approvals.Drill)
	require.Equal(t, alone, plan.Approvals.Restore)
	require.Nil(t, plan.Slack)
	key, err := cfg.ApprovalKey()
	require.NoError(t, err)
	require.Regexp(t, "^lifeboat-approval-key-[A-Za-z0-9_-]{43}$", key.Reveal())

	kit, err := os.ReadFile("recovery-kit.md")
	require.NoError(t, err)
	require.Contains(t, string(kit), "Made on 22 November 2026 for Rebecca R..")
	require.Contains(t, string(kit), "from='backup:backups/lifeboat/where2eat'")
}

func TestInitNeedsASource(t *testing.T) {
	t.Chdir(t.TempDir())
	code, _, stderr := talk(t, "\n-\n\n-\nnotes.db\n", "init", "--service", "a", "--owner", "b", "--destination", "file:///backups", "--staging-folder", "s")
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "  postgres: is missing: ")
	here, err := os.Getwd()
	require.NoError(t, err)
	cfg, err := config.Load("lifeboat.yaml")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(here, "notes.db"), cfg.Services[0].Sources[0].Path)
}

func TestInitWhenTheInputEnds(t *testing.T) {
	t.Chdir(t.TempDir())
	code, _, stderr := talk(t, "where2eat\n", "init")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "starter: error: ask for owner: the input ended\nstarter: hint: answer, or give --owner\n")
	requireEmpty(t)
}

func TestInitWhenInterrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	// The read end of a pipe that nobody writes to waits, like a terminal.
	read, write, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, write.Close()) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	c := &cli{stdin: read, stdout: &bytes.Buffer{}, stderr: &stderr, interactive: true, now: time.Now}
	require.Equal(t, exitFailed, c.run(ctx, []string{"init"}))
	require.Contains(t, stderr.String(), "starter: error: ask for service: interrupted; nothing was changed\n")
	requireEmpty(t)
}

func requireEmpty(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, entries)
}

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	secretLine = regexp.MustCompile(`AGE-SECRET-KEY-1[A-Z0-9]+`)
)

// TestRecoveryKitRestores makes a set with stock tools and runs the commands of
// the printed page on it, with the key that is printed there.
func TestRecoveryKitRestores(t *testing.T) {
	for _, tool := range []string{"age", "zstd", "sqlite3", "sha256sum"} {
		_, err := exec.LookPath(tool)
		require.NoError(t, err, "run 'make tools' to get %s", tool)
	}
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	require.NoError(t, err)
	code, _, stderr := talk(t, "", "init", "--service", "where2eat", "--owner", "rebecca", "--person", "rebecca", "--postgres", "-", "--sqlite", "notes.db",
		"--destination", "file://"+here+"/it's here", "--staging-folder", "staging")
	require.Zero(t, code, stderr)
	cfg, err := config.Load("lifeboat.yaml")
	require.NoError(t, err)
	kit, err := os.ReadFile("recovery-kit.md")
	require.NoError(t, err)

	sets := filepath.Join(here, "it's here/where2eat/sets")
	sealed := "sqlite.1.db.zst.age"
	for _, set := range []string{"20261121T180000Z-000001", "20261122T180000Z-000002", "20261122T190000Z-000003"} {
		require.NoError(t, os.MkdirAll(filepath.Join(sets, set), 0o700))
	}
	newest := filepath.Join(sets, "20261122T180000Z-000002") // the one after it has no set.json
	shell(t, fmt.Sprintf(`sqlite3 plain.db "create table notes(text); insert into notes values('first note')"
		zstd -qc plain.db | age -r %s -o "$NEWEST/%s"
		cp "$NEWEST/%s" "$NEWEST/sqlite.2.db.zst.age"; echo '{}' > "$NEWEST/../20261121T180000Z-000001/set.json"`,
		cfg.Encryption.Recipients[0], sealed, sealed), "NEWEST="+newest)
	content, err := os.ReadFile(filepath.Join(newest, sealed))
	require.NoError(t, err)
	manifest := fmt.Sprintf(`{"set": {"artefacts": [{"dump": {"name": "%s", "sha256": "%x"}}]}}`, sealed, sha256.Sum256(content))
	require.NoError(t, os.WriteFile(filepath.Join(newest, "set.json"), []byte(manifest), 0o600))

	var commands strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(string(kit), -1) {
		commands.WriteString(block[1])
	}
	secret := secretLine.FindString(string(kit))
	require.NotEmpty(t, secret)
	script := strings.Replace(commands.String(), "the secret key from this page", secret, 1)
	output := shell(t, script)
	require.Equal(t, "sqlite.1.db.zst.age is as it was stored\n"+
		"sqlite.2.db.zst.age is a leftover of an attempt and no part of the set\nok\n", output)
	require.Equal(t, "first note\n", shell(t, "sqlite3 recovered/sqlite.1.db 'select text from notes'"))
	require.NoFileExists(t, "recovered/age.key")

	content[len(content)-1] ^= 1
	require.NoError(t, os.WriteFile(filepath.Join(newest, sealed), content, 0o600))
	require.NoError(t, os.RemoveAll("recovered"))
	command := exec.Command("sh", "-e", "-c", script)
	out, err := command.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "sqlite.1.db.zst.age IS DAMAGED: take an older set\n")
}

func shell(t *testing.T, script string, env ...string) string {
	t.Helper()
	command := exec.Command("sh", "-e", "-c", script)
	command.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, stderr.String())
	return string(out)
}
