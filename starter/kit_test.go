package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// TestKitByHandFromABucket runs the commands of the page on a bucket of a real S3
// server, with a kit that holds two keys, two services and a copy: the second key is
// the one that fits, and the set refers to an earlier one.
func TestKitByHandFromABucket(t *testing.T) {
	for _, tool := range []string{"age", "zstd", "sqlite3", "rclone", "awk"} {
		_, err := exec.LookPath(tool)
		require.NoError(t, err, "run 'make tools' to get %s", tool)
	}
	l := newLost(t)
	l.backUp(t, setOld, recovery.LevelReadBack)
	l.referTo(t, setProven, setOld)
	server := devserver.StartS3(t)
	server.Bucket(t, "copies")
	l.copyTo(t, server, "copies/some/where")

	text, err := os.ReadFile(filepath.Join(l.home(), "lifeboat.yaml"))
	require.NoError(t, err)
	both := strings.NewReplacer(
		"  - name: main\n", "  - name: main\n    url: file:///gone\n  - { name: copy, endpoint: \""+server.Endpoint+"\", pathStyle: true, accessKey: env:A, secretKey: env:B, url: s3://copies/some/where }\n",
		"    url: file://"+l.bucket+"\n", "",
	).Replace(string(text)) + "  - { name: letters, owner: sam, objectives: { availability: 99%, rto: 1h, rpo: 24h }, sources: [{ name: letters, kind: sqlite, path: /letters.db }] }\n"
	cfg, err := config.Parse("lifeboat.yaml", []byte(both))
	require.NoError(t, err)
	other := stranger(t)
	secret := secretLine.FindString(l.kit)
	page, err := newPage(cfg, []pageKey{{other.String(), other.Recipient().String()}, {secret, cfg.Encryption.Recipients[0]}}, time.Now())
	require.NoError(t, err)
	kit, err := page.render()
	require.NoError(t, err)
	require.Contains(t, string(kit), "# Recovery kit for diary and letters\n")
	require.Contains(t, string(kit), "service='diary' # or: letters\n")
	require.Contains(t, string(kit), "    starter recover diary\n")
	require.Contains(t, string(kit), "\n- `letters.*.db` is `/letters.db`\n")

	var blocks []string
	for _, block := range shellBlock.FindAllStringSubmatch(string(kit), -1) {
		if !strings.Contains(block[1], "/gone") { // what is gone is left out
			blocks = append(blocks, block[1])
		}
	}
	output := shell(t, strings.NewReplacer(
		"the access key", server.AccessKey, "the secret key 1 from this page", other.String(), "the secret key 2 from this page", secret, "the secret key", server.SecretKey,
	).Replace(strings.Join(blocks, "\n")), "RCLONE_CONFIG="+filepath.Join(t.TempDir(), "none"), "AWS_CA_BUNDLE=") // rclone does not take one
	require.Equal(t, "sqlite.1.db.zst.age is as it was stored\nsqlite.1.fingerprint.json.zst.age is as it was stored\nok\n", output)
	requireDiary(t, "recovered/sqlite.1.db", setOld)

	// starter reads the same page.
	l.leaveKit(t, string(kit))
	t.Setenv("A", server.AccessKey)
	t.Setenv("B", server.SecretKey)
	code, _, stderr := talk(t, "", "recover", "diary", "--set", string(setProven))
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "trying the copy at s3://copies/some/where\n")
	requireDiary(t, "sqlite.db", setOld)
}

// referTo makes a set whose one source was not due: its objects are those of an
// earlier set.
func (l *lost) referTo(t *testing.T, set, earlier recovery.SetID) {
	t.Helper()
	e, err := l.vault.Entry(t.Context(), "diary", earlier, []recovery.PublicKey{l.key.Public()})
	require.NoError(t, err)
	m := *e.Manifest
	m.Set, m.Created = set, set.Time()
	manifest, err := recovery.EncodeManifest(&m, l.key)
	require.NoError(t, err)
	require.NoError(t, l.vault.CommitSet(t.Context(), "diary", set, manifest, nil))
}
