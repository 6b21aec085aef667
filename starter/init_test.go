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
	"slices"
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
	require.Contains(t, string(kit), "from='backup:backups/lifeboat'/\"$service\"\n")
	require.Contains(t, string(kit), "service='where2eat'\n```\n\n```sh\nexport RCLONE_CONFIG_BACKUP_TYPE=s3\n")
}

// TestInitExamplesAreGood: what stands in comments can be used as it is.
func TestInitExamplesAreGood(t *testing.T) {
	t.Chdir(t.TempDir())
	code, _, stderr := talk(t, "", "init", "--service", "where2eat", "--owner", "rebecca", "--person", "rebecca", "--postgres", "env:A", "--sqlite", "notes.db",
		"--destination", "file:///backups", "--staging-folder", "staging", "--staging-postgres", "env:B")
	require.Zero(t, code, stderr)
	text, err := os.ReadFile("lifeboat.yaml")
	require.NoError(t, err)
	parts := []string{"- name: copy", "slack:", "mail:", "digest:", "worker:", "schedule:", "pings:", "smoke:", "commands:", "live:", "deploy:", "restore:"}
	shown := uncommented(string(text), parts)
	cfg, err := config.Parse("lifeboat.yaml", []byte(shown))
	require.NoError(t, err)
	require.Len(t, cfg.Destinations, 2)
	require.NotNil(t, cfg.DigestPlan())
	require.NotNil(t, cfg.Mail())
	require.NotEmpty(t, cfg.Worker.Ping)
	require.NotEmpty(t, cfg.Services[0].Pings.Prune)

	// The cadences in the comment are the defaults.
	before, err := config.Parse("lifeboat.yaml", text)
	require.NoError(t, err)
	was, err := before.Plan("where2eat")
	require.NoError(t, err)
	is, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	require.Equal(t, was.Schedules, is.Schedules)
	require.Equal(t, was.Sources, is.Sources)
	require.Equal(t, "release", is.Deploy.Current.Field)
	require.Equal(t, recovery.Retention{Daily: 30, Weekly: 8, Monthly: 12, Yearly: 3}, was.Sources[0].Retention)
}

var commented = regexp.MustCompile(`^( *)# ?( *)(.*)$`)

// uncommented removes the # before the lines that begin with one of parts, and
// before those below that are indented further.
func uncommented(text string, parts []string) string {
	var lines []string
	inside := false
	for line := range strings.Lines(text) {
		m := commented.FindStringSubmatch(strings.TrimRight(line, "\n"))
		begins := m != nil && slices.ContainsFunc(parts, func(part string) bool { return strings.HasPrefix(m[3], part) })
		inside = m != nil && (begins || inside && m[2] != "")
		if inside {
			line = m[1] + m[2] + m[3] + "\n"
		}
		lines = append(lines, line)
	}
	// The one line that a person in the example needs before a digest can be mailed.
	return strings.Replace(strings.Join(lines, ""), "    # mail: ", "    mail: ", 1)
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
	const earlier, newest = recovery.SetID("20261121T180000Z-000001"), recovery.SetID("20261122T180000Z-000002")
	for _, set := range []recovery.SetID{earlier, newest, "20261122T190000Z-000003"} { // the last one has no set.json
		require.NoError(t, os.MkdirAll(filepath.Join(sets, string(set)), 0o700))
	}
	// The source was not due when the newest set was made, whose folder holds but a
	// left-over of the same name.
	lies := filepath.Join(sets, string(earlier), sealed)
	shell(t, `sqlite3 plain.db "create table notes(text); insert into notes values('first note')"
		zstd -qc plain.db | age -r "$RECIPIENT" -o "$LIES"
		echo 'left over' | tee "$NEWEST/sqlite.1.db.zst.age" > "$NEWEST/sqlite.2.db.zst.age"; echo '{}' > "$NEWEST/../20261121T180000Z-000001/set.json"`,
		"RECIPIENT="+cfg.Encryption.Recipients[0], "LIES="+lies, "NEWEST="+filepath.Join(sets, string(newest)))
	content, err := os.ReadFile(lies)
	require.NoError(t, err)
	secretKey, err := cfg.Reveal(string(cfg.Signing.Key))
	require.NoError(t, err)
	signing, err := recovery.ParseSigningKey(secretKey.Reveal())
	require.NoError(t, err)
	manifest, err := recovery.EncodeManifest(&recovery.Manifest{
		Format: recovery.ManifestFormat, Service: "where2eat", Set: newest, Artefacts: []recovery.Artefact{{
			Source: "sqlite", Kind: recovery.KindSQLite, Set: earlier, Dump: recovery.Object{Name: sealed, SHA256: fmt.Sprintf("%x", sha256.Sum256(content))},
			Extensions: []recovery.Extension{{Name: "an extension"}},
		}},
	}, signing)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(sets, string(newest), "set.json"), manifest, 0o600))

	var commands strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(string(kit), -1) {
		commands.WriteString(block[1])
	}
	secret := secretLine.FindString(string(kit))
	require.NotEmpty(t, secret)
	script := strings.Replace(commands.String(), "the secret key from this page", secret, 1)
	output := shell(t, script)
	require.Equal(t, "sqlite.1.db.zst.age is as it was stored\nok\n", output)
	require.Equal(t, "first note\n", shell(t, "sqlite3 recovered/sqlite.1.db 'select text from notes'"))
	require.NoFileExists(t, "recovered/age.key")

	content[len(content)-1] ^= 1
	require.NoError(t, os.WriteFile(lies, content, 0o600))
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
