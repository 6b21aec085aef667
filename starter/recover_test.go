package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/seal"
)

func TestRecoverWithTheKitAlone(t *testing.T) {
	l := newLost(t)
	l.backUp(t, setOld, recovery.LevelProven)
	l.backUp(t, setProven, recovery.LevelReadBack)
	l.backUp(t, setStored, recovery.LevelStored)
	code, stdout, stderr := talk(t, "y\n", "recover")
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "SET                      AGE")
	require.Contains(t, stderr, "restore set "+string(setProven)+", 24h old? [y/N] ")
	require.Contains(t, stderr, "sqlite: comparing\n")
	require.Contains(t, stdout, "BACK: diary, from set "+string(setProven))
	require.Contains(t, stdout, "data as of 2026-11-21 18:00:00 UTC\n    3 rows, equal to the source as it was, in ")
	requireDiary(t, "sqlite.db", setProven)
	info, err := os.Stat("sqlite.db")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Len(t, entries, 2, "something was left beside the file")

	code, _, stderr = talk(t, "y\n", "recover")
	require.Equal(t, exitFailed, code)
	require.Regexp(t, "starter: error: restore sqlite: there is a /.*/sqlite.db already, and nothing is replaced\n", stderr)
	require.Contains(t, stderr, "starter: hint: name another folder with --to-folder\n")

	code, stdout, stderr = talk(t, "", "recover", "--to-folder", "other", "--set", string(setOld), "--json")
	require.Zero(t, code, stderr)
	requireDiary(t, "other/sqlite.db", setOld)
	var result rescued
	require.NoError(t, json.Unmarshal([]byte(stdout), &result))
	require.Equal(t, setOld, result.Set)
	require.True(t, result.Sources[0].Equal)
	require.EqualValues(t, 3, result.Sources[0].Rows)
}

// What is typed off the paper is the block's lines alone; or flags say it all.
func TestRecoverWithoutThePage(t *testing.T) {
	l := newLost(t)
	l.backUp(t, setProven, recovery.LevelProven)
	block := kitBlock.FindStringSubmatch(l.kit)
	require.NotNil(t, block)
	l.leaveKit(t, block[1])
	code, _, stderr := talk(t, "", "recover", "--yes", "--to-folder", "typed")
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "restoring set "+string(setProven)+", 24h old\n")
	requireDiary(t, "typed/sqlite.db", setProven)

	require.NoError(t, os.Remove("recovery-kit.md"))
	code, _, stderr = talk(t, "", "recover", "diary", "--yes")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "there is no recovery kit here\nstarter: hint: name it with --kit, or give --bucket, --key-file and --trusted\n")
	require.NoError(t, os.WriteFile("age.key", []byte("# a comment\n"+secretLine.FindString(l.kit)+"\n"), 0o600))
	code, _, stderr = talk(t, "", "recover", "diary", "--yes", "--to-folder", "flags",
		"--bucket", "file://"+l.bucket, "--key-file", "age.key", "--trusted", l.key.Public().String())
	require.Zero(t, code, stderr)
	requireDiary(t, "flags/sqlite.db", setProven)
}

// TestRecoverFromACopy: the first place is gone, and the kit names another.
func TestRecoverFromACopy(t *testing.T) {
	l := newLost(t)
	l.backUp(t, setProven, recovery.LevelProven)
	withCopy := func(first, second string) {
		kit := strings.Replace(l.kit, "destination: file://"+l.bucket, "destination: file://"+first+"\ncopies:\n  - destination: file://"+second, 1)
		require.NotEqual(t, l.kit, kit)
		l.leaveKit(t, kit)
	}
	gone := filepath.Join(t.TempDir(), "gone")
	withCopy(gone, l.bucket)
	code, _, stderr := talk(t, "", "recover", "--yes", "--to-folder", "one")
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "file://"+gone+" cannot be used: ")
	require.Contains(t, stderr, "trying the copy at file://"+l.bucket+"\n")
	requireDiary(t, "one/sqlite.db", setProven)

	require.NoError(t, os.Mkdir(gone, 0o700))
	code, _, stderr = talk(t, "", "recover", "--yes", "--to-folder", "two")
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "file://"+gone+" cannot be used: there is no recovery set of diary\n")

	withCopy(l.bucket, gone)
	code, _, stderr = talk(t, "", "recover", "--yes", "--to-folder", "three")
	require.Zero(t, code, stderr)
	require.NotContains(t, stderr, "cannot be used")

	withCopy(gone, gone)
	code, _, stderr = talk(t, "", "recover", "--yes")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "starter: error: there is no recovery set of diary at file://"+gone+"\n")

	code, _, stderr = talk(t, "", "recover", "--yes", "--bucket", "file://"+l.bucket, "--to-folder", "four")
	require.Zero(t, code, stderr)
	require.NotContains(t, stderr, "trying the copy")
}

// TestRecoverWithAKitForSeveralServices: it is asked which one is meant.
func TestRecoverWithAKitForSeveralServices(t *testing.T) {
	l := newLost(t)
	l.backUp(t, setProven, recovery.LevelProven)
	l.leaveKit(t, strings.Replace(l.kit, "service: diary", "services:\n  - diary\n  - letters", 1))
	code, _, stderr := talk(t, "", "recover", "--yes")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "starter: error: read recovery kit: it is for several services: diary, letters\nstarter: hint: name one: starter recover diary\n")
	code, _, stderr = talk(t, "", "recover", "diary", "--yes")
	require.Zero(t, code, stderr)
	requireDiary(t, "sqlite.db", setProven)
}

func TestRecoverAsksAndTakesNoForAnAnswer(t *testing.T) {
	l := newLost(t)
	l.backUp(t, setStored, recovery.LevelStored)
	for _, answer := range []string{"n\n", "\n", "", "what?\n"} {
		code, _, stderr := talk(t, answer, "recover")
		require.Equal(t, exitFailed, code)
		require.Contains(t, stderr, "restore set "+string(setStored)+", 1h old, which nobody has read back yet? [y/N] ")
		require.Contains(t, stderr, "starter: error: nothing was restored\n")
	}
	var stderr bytes.Buffer
	c := &cli{stdin: strings.NewReader("y\n"), stdout: io.Discard, stderr: &stderr, now: time.Now}
	require.Equal(t, exitUsage, c.run(t.Context(), []string{"recover"}))
	require.Contains(t, stderr.String(), "nobody can be asked here whether to restore set ")
	require.Contains(t, stderr.String(), "starter: hint: give --yes, or name a set with --set\n")
	requireOnlyKit(t)
}

func TestRecoverFromSetsThatDoNotHold(t *testing.T) {
	t.Run("disproven", func(t *testing.T) {
		l := newLost(t)
		l.backUp(t, setOld, recovery.LevelStored)
		l.prove(t, setOld, recovery.LevelReadBack, recovery.Disproven)
		code, _, stderr := talk(t, "", "recover", "--yes")
		require.Equal(t, exitDisproven, code)
		require.Contains(t, stderr, "starter: error: none of these sets holds\nstarter: hint: restore one all the same with --set\n")
		code, _, stderr = talk(t, "", "recover", "--set", string(setOld))
		require.Zero(t, code, stderr)
		requireDiary(t, "sqlite.db", setOld)
	})
	t.Run("damaged", func(t *testing.T) {
		l := newLost(t)
		l.backUp(t, setProven, recovery.LevelProven)
		object := l.object(setProven, "sqlite.1.db.zst.age")
		content, err := os.ReadFile(object)
		require.NoError(t, err)
		content[len(content)-1] ^= 1
		require.NoError(t, os.WriteFile(object, content, 0o600))
		code, _, stderr := talk(t, "", "recover", "--yes")
		require.Equal(t, exitDisproven, code, stderr)
		require.Contains(t, stderr, "starter: error: read sqlite.1.")
		require.Contains(t, stderr, "starter: hint: choose another set with --set\n")
		requireOnlyKit(t)
	})
	t.Run("different", func(t *testing.T) {
		l := newLost(t)
		l.backUp(t, setProven, recovery.LevelProven, func(f *recovery.Fingerprint) { f.Data[0].Rows = 4 })
		code, _, stderr := talk(t, "", "recover", "--yes")
		require.Equal(t, exitDisproven, code)
		require.Contains(t, stderr, "it does not hold what its source held: table entries: 4 rows in the backup, 3 restored\n")
		require.Contains(t, stderr, "--accept-differences")
		requireOnlyKit(t)
		code, stdout, stderr := talk(t, "", "recover", "--yes", "--accept-differences")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "3 rows, NOT equal to the source as it was")
		require.Contains(t, stdout, "differs: table entries: 4 rows in the backup, 3 restored\n")
		requireDiary(t, "sqlite.db", setProven)
	})
	t.Run("interrupted", func(t *testing.T) {
		l := newLost(t)
		l.backUp(t, setProven, recovery.LevelProven)
		ctx, cancel := context.WithCancel(t.Context())
		c := &cli{stdout: io.Discard, stderr: cancelOn{"restoring", cancel}, now: time.Now}
		require.NotZero(t, c.run(ctx, []string{"recover", "--set", string(setProven)}))
		requireOnlyKit(t)
	})
}

// cancelOn cancels when a text is written.
type cancelOn struct {
	text   string
	cancel func()
}

func (c cancelOn) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.text) {
		c.cancel()
	}
	return len(p), nil
}

func TestRecoverRefusesAWrongKit(t *testing.T) {
	l := newLost(t)
	l.backUp(t, setProven, recovery.LevelProven)
	otherSecret, _, err := seal.GenerateIdentity()
	require.NoError(t, err)
	otherKey, err := recovery.NewSigningKey(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	secret, trusted := secretLine.FindString(l.kit), l.key.Public().String()
	mistyped := secret[:len(secret)-1] + map[bool]string{true: "P", false: "Q"}[strings.HasSuffix(secret, "Q")]
	cases := map[string]struct {
		change     func(kit string) string
		code       int
		text, hint string
	}{
		"another age key": {
			func(kit string) string { return strings.Replace(kit, secret, otherSecret, 1) },
			exitFailed, "try the secret key: it does not open this set", `the kit is that of another installation, or the key was mistyped`,
		},
		"a mistyped age key": {
			func(kit string) string { return strings.Replace(kit, secret, mistyped, 1) },
			exitUsage, `the line "key:" holds no secret age key`, "compare it with the printed page",
		},
		"another signing key": {
			func(kit string) string { return strings.Replace(kit, trusted, otherKey.Public().String(), 1) },
			exitDisproven, "it is signed by a key that is not trusted here", "the kit is that of another installation",
		},
		"a mistyped signing key": {
			func(kit string) string { return strings.Replace(kit, trusted, trusted[:len(trusted)-3], 1) },
			exitUsage, `the line "trusted:" holds no public signing key`, "compare it with the printed page",
		},
		"a line missing": {
			func(kit string) string { return strings.Replace(kit, "trusted: "+trusted, "", 1) },
			exitUsage, `the line "trusted:" is missing`, "give --trusted",
		},
		"an unknown line": {
			func(kit string) string { return strings.Replace(kit, "trusted: ", "trustd: ", 1) },
			exitUsage, "it is no recovery kit", `it must hold the lines from "service:" to "trusted:"`,
		},
		"another service": {
			func(kit string) string { return strings.Replace(kit, "service: diary", "service: dairy", 1) },
			exitFailed, "there is no recovery set of dairy at file://", "compare the service's name",
		},
		"no bucket there": {
			func(kit string) string { return strings.Replace(kit, "bucket\n", "bukcet\n", 1) },
			exitFailed, "bukcet", "",
		},
		"no destination at all": {
			func(kit string) string { return strings.Replace(kit, "destination: file", "destination: ftp", 1) },
			exitUsage, "it must be s3://bucket/prefix or file:///folder", `correct the lines from "destination:" on in the kit`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			changed := c.change(l.kit)
			require.NotEqual(t, l.kit, changed)
			l.leaveKit(t, changed)
			code, _, stderr := talk(t, "", "recover", "--yes")
			require.Equal(t, c.code, code, stderr)
			require.Contains(t, stderr, c.text)
			require.Contains(t, stderr, "starter: hint: "+c.hint)
			require.NotContains(t, stderr, "AGE-SECRET-KEY")
			requireOnlyKit(t)
		})
	}
}

func TestRecoverRefusesASetThatIsNotThere(t *testing.T) {
	l := newLost(t)
	l.backUp(t, setProven, recovery.LevelProven)
	code, _, stderr := talk(t, "", "recover", "--set", string(setOld))
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "there is no recovery set "+string(setOld)+" of diary at file://")
	require.Contains(t, stderr, "starter: hint: without --set the sets that are there are listed\n")
	code, _, stderr = talk(t, "", "recover", "--set", "yesterday")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "yesterday")
	code, _, stderr = talk(t, "", "recover", "--yes", "--database", "app=shop")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `the set has no PostgreSQL source "app"`)
	code, _, stderr = talk(t, "", "recover", "--yes", "--to-postgres", "postgres://root:hunter2@db/postgres")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "keep the secret in the environment or in a file")
	require.NotContains(t, stderr, "hunter2")
	requireOnlyKit(t)
}
