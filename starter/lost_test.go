package main

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/seal"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// lost is an installation of which only the bucket and the kit are left, and the
// set that it made.
type lost struct {
	vault  *vault.Vault
	bucket string
	kit    string // its text
	cfg    *config.Config
	key    recovery.SigningKey
}

// newLost makes an installation in a folder of its own, and leaves an empty one as
// the working folder, with nothing but the kit in it.
func newLost(t *testing.T) *lost {
	t.Helper()
	home := t.TempDir()
	l := &lost{bucket: filepath.Join(home, "bucket")}
	require.NoError(t, os.Mkdir(l.bucket, 0o700))
	t.Chdir(home)
	code, _, stderr := talk(t, "", "init", "--service", "diary", "--owner", "ann", "--person", "ann", "--postgres", "-", "--sqlite", "diary.db",
		"--destination", "file://"+l.bucket, "--staging-folder", "staging")
	require.Zero(t, code, stderr)
	var err error
	l.cfg, err = config.Load("lifeboat.yaml")
	require.NoError(t, err)
	secret, err := l.cfg.Reveal(string(l.cfg.Signing.Key))
	require.NoError(t, err)
	l.key, err = recovery.ParseSigningKey(secret.Reveal())
	require.NoError(t, err)
	text, err := os.ReadFile("recovery-kit.md")
	require.NoError(t, err)
	l.kit = string(text)
	l.vault, err = vault.Open(t.Context(), l.cfg.DestinationSpecs()[0], vault.Credentials{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.vault.Close()) })

	t.Chdir(t.TempDir())
	l.leaveKit(t, l.kit)
	return l
}

func (l *lost) leaveKit(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile("recovery-kit.md", []byte(text), 0o600))
}

// backUp makes a set with three rows in it, read back if level says so. told, if
// given, changes what the set says of itself.
func (l *lost) backUp(t *testing.T, set recovery.SetID, level recovery.Level, told ...func(*recovery.Fingerprint)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "diary.db")
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "CREATE TABLE entries (text); INSERT INTO entries VALUES ('one'), ('two'), (?)", string(set))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	var plain bytes.Buffer
	source := &sqlite.Source{Name: "sqlite", Path: path, Fingerprint: recovery.FingerprintContent, TempDir: t.TempDir()}
	dump, err := source.Dump(t.Context(), recovery.DumpJob{Set: set, Source: "sqlite", Attempt: 1}, &plain, nil)
	require.NoError(t, err)
	for _, change := range told {
		change(dump.Fingerprint)
	}
	print, err := dump.Fingerprint.Encode()
	require.NoError(t, err)
	a := recovery.Artefact{Source: "sqlite", Kind: recovery.KindSQLite, Set: set, Attempt: 1, Snapshot: set.Time(), Tool: dump.Tool, Mode: recovery.FingerprintContent}
	a.Fingerprint, err = dump.Fingerprint.Digest()
	require.NoError(t, err)
	a.Dump = l.seal(t, set, recovery.RoleDump, "sqlite.1.db.zst.age", plain.Bytes())
	a.Companions = []recovery.Object{l.seal(t, set, recovery.RoleFingerprint, "sqlite.1.fingerprint.json.zst.age", print)}
	manifest, err := recovery.EncodeManifest(&recovery.Manifest{
		Format: recovery.ManifestFormat, Service: "diary", Set: set, Created: set.Time(), Artefacts: []recovery.Artefact{a},
	}, l.key)
	require.NoError(t, err)
	require.NoError(t, l.vault.CommitSet(t.Context(), "diary", set, manifest, nil))
	if level == recovery.LevelStored {
		return
	}
	l.prove(t, set, level, recovery.Proven)
}

func (l *lost) prove(t *testing.T, set recovery.SetID, level recovery.Level, verdict recovery.Verdict) {
	t.Helper()
	p := &recovery.Proof{
		Format: recovery.ProofFormat, Service: "diary", Set: set, Kind: recovery.ProofReadBack, Tried: level, Level: level, Verdict: verdict,
		Sentence: "tried", Started: set.Time().Add(time.Minute), Ended: set.Time().Add(2 * time.Minute),
	}
	proof, err := recovery.EncodeProof(p, l.key)
	require.NoError(t, err)
	require.NoError(t, l.vault.PutOnce(t.Context(), recovery.ProofKey("diary", set, p.Started, p.Kind), proof))
}

func (l *lost) seal(t *testing.T, set recovery.SetID, role, name string, plain []byte) recovery.Object {
	t.Helper()
	recipients, err := seal.ParseRecipients(l.cfg.Encryption.Recipients)
	require.NoError(t, err)
	upload, err := l.vault.Create(t.Context(), recovery.SetPrefix("diary", set)+name, 0)
	require.NoError(t, err)
	w, err := seal.NewWriter(upload, recipients)
	require.NoError(t, err)
	_, err = w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, upload.Commit())
	sum := w.Sealed()
	return recovery.Object{Role: role, Name: name, PlainSize: sum.PlainSize, Size: sum.Size, SHA256: sum.SHA256}
}

// object is the file of an object of a set.
func (l *lost) object(set recovery.SetID, name string) string {
	return filepath.Join(l.bucket, filepath.FromSlash(recovery.SetPrefix("diary", set)), name)
}

func requireDiary(t *testing.T, path string, set recovery.SetID) {
	t.Helper()
	staging := &sqlite.Staging{Path: path}
	text, err := staging.Query(t.Context(), "SELECT group_concat(text) FROM entries")
	require.NoError(t, err)
	require.Equal(t, "one,two,"+string(set), text)
}

// requireOnlyKit requires that nothing is left of a recovery that failed.
func requireOnlyKit(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "recovery-kit.md", entries[0].Name())
}

const (
	setOld    recovery.SetID = "20261120T180000Z-000001"
	setProven recovery.SetID = "20261121T180000Z-000002"
	setStored recovery.SetID = "20261122T170000Z-000003"
)
