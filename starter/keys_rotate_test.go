package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// TestKeysRotate: what was sealed before opens as before; what is sealed from now on
// opens with the new key, and not with the old one.
func TestKeysRotate(t *testing.T) {
	l := newLost(t)
	old, sam := l.cfg.Encryption.Recipients[0], stranger(t).Recipient().String()
	l.edit(t, "lifeboat.yaml", "    - "+old, "    - "+sam+" # Sam's\n    - "+old+" # the safe's")
	l.reload(t)
	l.backUp(t, setOld, recovery.LevelReadBack)
	before, err := os.ReadFile(l.cfg.File())
	require.NoError(t, err)
	oldFile, err := os.ReadFile(filepath.Join(l.home(), "keys/age.key"))
	require.NoError(t, err)

	code, stdout, stderr := l.keys(t, "rotate")
	require.Zero(t, code, stderr)
	require.NotContains(t, stdout, "SECRET-KEY")
	l.reload(t)
	require.Len(t, l.cfg.Encryption.Recipients, 2)
	require.Equal(t, sam, l.cfg.Encryption.Recipients[0])
	fresh := l.cfg.Encryption.Recipients[1]
	require.NotEqual(t, old, fresh)
	require.Contains(t, stdout, "made a new key: new sets are sealed for "+fresh+"\nsets are sealed for "+sam+" as well, as before\n")
	require.Contains(t, stdout, "made "+filepath.Join(l.home(), "recovery-kit-20261122T180000Z.md")+": print it")
	after, err := os.ReadFile(l.cfg.File())
	require.NoError(t, err)
	require.Equal(t, strings.Replace(string(before), old, fresh, 1), string(after), "all else stays, also the comments")
	file, err := os.ReadFile(filepath.Join(l.home(), "keys/age.key"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(file), string(oldFile)+"# created: 2026-11-22T18:00:00Z\n# public key: "+fresh+"\n"), "the old key stays")
	requireModes(t, l.home(), map[string]fs.FileMode{"keys/age.key": 0o600, "recovery-kit-20261122T180000Z.md": 0o600})
	ignored, err := os.ReadFile(filepath.Join(l.home(), ".gitignore"))
	require.NoError(t, err)
	require.Contains(t, string(ignored), "/recovery-kit*.md\n")
	requireNothingStaged(t, l.home())
	require.Empty(t, l.cfg.CheckSecrets())

	// The old set, and a new one, open with the new kit; the new one not with the old.
	l.leaveKit(t, l.newKit(t))
	code, _, stderr = talk(t, "", "recover", "--yes", "--to-folder", "one")
	require.Zero(t, code, stderr)
	requireDiary(t, "one/sqlite.db", setOld)
	l.backUp(t, setProven, recovery.LevelReadBack)
	code, _, stderr = talk(t, "", "recover", "--yes", "--to-folder", "two")
	require.Zero(t, code, stderr)
	requireDiary(t, "two/sqlite.db", setProven)
	code, _, stderr = talk(t, "", "keys", "drill")
	require.Zero(t, code, stderr)

	l.leaveKit(t, l.kit)
	code, _, stderr = talk(t, "", "keys", "drill")
	require.Equal(t, exitDisproven, code)
	require.Contains(t, stderr, "no age key here fits")
	code, _, stderr = talk(t, "", "recover", "--set", string(setOld), "--to-folder", "three")
	require.Zero(t, code, stderr)
	requireDiary(t, "three/sqlite.db", setOld)

	// With stock tools: the new key alone opens the new set, and nothing else does.
	secrets := secretLine.FindAllString(l.newKit(t), -1)
	require.Len(t, secrets, 2, "the new key and the old one")
	for i, opens := range []bool{true, false} {
		require.NoError(t, os.WriteFile("age.key", []byte(secrets[i]+"\n"), 0o600))
		out, err := exec.CommandContext(t.Context(), "age", "-d", "-i", "age.key", l.object(setProven, "sqlite.1.db.zst.age")).CombinedOutput()
		require.Equal(t, opens, err == nil, "%d: %.200q", i, out)
	}
}

// TestKeysRotateTwice: every key that was ever used is kept.
func TestKeysRotateTwice(t *testing.T) {
	l := newLost(t)
	l.backUp(t, setOld, recovery.LevelReadBack)
	code, _, stderr := l.keys(t, "rotate")
	require.Zero(t, code, stderr)
	first := l.newKit(t)
	require.NoError(t, os.Remove(filepath.Join(l.home(), "recovery-kit-20261122T180000Z.md")))
	code, stdout, stderr := l.keys(t, "rotate", "--json")
	require.Zero(t, code, stderr)
	require.NotContains(t, stdout, "SECRET-KEY")
	var r rotation
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	require.Len(t, r.Replaced, 1)
	require.Empty(t, r.Others)
	l.reload(t)
	require.Equal(t, []string{r.Recipient}, l.cfg.Encryption.Recipients)
	second := secretLine.FindAllString(l.newKit(t), -1)
	require.Equal(t, secretLine.FindAllString(first, -1), second[1:], "the newest first")
	l.backUp(t, setProven, recovery.LevelReadBack)
	l.leaveKit(t, l.newKit(t))
	for _, set := range []recovery.SetID{setOld, setProven} {
		code, _, stderr = talk(t, "", "recover", "--set", string(set), "--to-folder", string(set))
		require.Zero(t, code, stderr)
	}
}

// TestKeysRotateKeepsOwnersAndLinks: a worker with a user of its own must be able to
// read what root wrote, and a link stays one.
func TestKeysRotateKeepsOwnersAndLinks(t *testing.T) {
	l := newLost(t)
	config, real := filepath.Join(l.home(), "lifeboat.yaml"), filepath.Join(l.home(), "real.yaml")
	require.NoError(t, os.Rename(config, real))
	require.NoError(t, os.Symlink("real.yaml", config))
	owner := os.Geteuid()
	if owner == 0 {
		owner = 65534
	}
	keys := filepath.Join(l.home(), "keys/age.key")
	for _, path := range []string{keys, real} {
		require.NoError(t, os.Chown(path, owner, -1))
	}
	require.NoError(t, os.Chmod(real, 0o640))
	code, _, stderr := l.keys(t, "rotate")
	require.Zero(t, code, stderr)
	target, err := os.Readlink(config)
	require.NoError(t, err)
	require.Equal(t, "real.yaml", target)
	for _, path := range []string{keys, real} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		stat, ok := info.Sys().(*syscall.Stat_t)
		require.True(t, ok)
		require.EqualValues(t, owner, stat.Uid, path)
	}
	requireModes(t, l.home(), map[string]fs.FileMode{"keys/age.key": 0o600, "real.yaml": 0o640})
	text, err := os.ReadFile(real)
	require.NoError(t, err)
	require.NotContains(t, string(text), l.cfg.Encryption.Recipients[0])
}

func requireModes(t *testing.T, folder string, modes map[string]fs.FileMode) {
	t.Helper()
	for name, mode := range modes {
		info, err := os.Stat(filepath.Join(folder, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}
}

func requireNothingStaged(t *testing.T, folder string) {
	t.Helper()
	for _, pattern := range []string{"*.new", "keys/*.new"} {
		left, err := filepath.Glob(filepath.Join(folder, pattern))
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

func TestKeysRotateRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, l *lost)
		code  int
		want  string
		hint  string
	}{
		"keys in the environment": {
			func(t *testing.T, l *lost) {
				l.edit(t, "lifeboat.yaml", "identities: file:keys/age.key", "identities: env:AGE_KEY")
			},
			exitUsage, "the secret age keys are not in a file (env:AGE_KEY)", "keep the keys in a file, and write encryption.identities: file:keys/age.key",
		},
		"no keys": {
			func(t *testing.T, l *lost) { l.edit(t, "lifeboat.yaml", "  identities: file:keys/age.key\n", "") },
			exitUsage, "this config names no secret age keys", "run this where sets are opened, or write encryption.identities",
		},
		"no file": {
			func(t *testing.T, l *lost) { require.NoError(t, os.Remove(filepath.Join(l.home(), "keys/age.key"))) },
			exitUsage, "no such file or directory", "run this where the file is, as a user that may read it",
		},
		"no key in it": {
			func(t *testing.T, l *lost) { l.edit(t, "keys/age.key", "AGE-SECRET-KEY-1", "hunter2") },
			exitUsage, "line 3 is not a secret key", "put the text that age-keygen writes into ",
		},
		"keys of somebody else": {
			func(t *testing.T, l *lost) {
				l.edit(t, "lifeboat.yaml", l.cfg.Encryption.Recipients[0], stranger(t).Recipient().String())
			},
			exitUsage, "keys/age.key opens none of encryption.recipients", "refer to the file that opens one of them",
		},
		"recipients that cannot be edited": {
			func(t *testing.T, l *lost) {
				r := l.cfg.Encryption.Recipients[0]
				l.edit(t, "lifeboat.yaml", "- "+r, `- "\x61`+r[1:]+`"`)
			},
			exitFailed, "line 12 is written in a way that cannot be changed safely", "write each of encryption.recipients on a line of its own, as - age1…, and try again",
		},
		"a bad config": {
			func(t *testing.T, l *lost) { l.edit(t, "lifeboat.yaml", "version: 1", "version: 2") },
			exitUsage, "1 problem in ", "",
		},
		"a kit that is there": {
			func(t *testing.T, l *lost) {
				require.NoError(t, os.WriteFile(filepath.Join(l.home(), "recovery-kit-20261122T180000Z.md"), []byte("printed"), 0o600))
			},
			exitFailed, "recovery-kit-20261122T180000Z.md: file exists", "",
		},
		"another rotation": {
			func(t *testing.T, l *lost) {
				require.NoError(t, os.WriteFile(filepath.Join(l.home(), "lifeboat.yaml.new"), nil, 0o600))
			},
			exitFailed, "lifeboat.yaml.new: file exists", "another rotation is under way, or one was killed: then remove that file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLost(t)
			test.spoil(t, l)
			before := content(t, l.home())
			code, stdout, stderr := l.keys(t, "rotate")
			require.Equal(t, test.code, code, stderr)
			require.Contains(t, stderr, test.want)
			require.Contains(t, stderr, test.hint)
			require.Empty(t, stdout)
			require.NotContains(t, stderr, "hunter2")
			require.NotRegexp(t, secretLine, stderr)
			require.Equal(t, before, content(t, l.home()), "nothing may be half-done")
		})
	}
}

// content reads all files of a folder.
func content(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	}))
	return files
}
