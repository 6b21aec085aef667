package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// TestKeysDrill: the folder holds the kit and nothing else.
func TestKeysDrill(t *testing.T) {
	l := newLost(t)
	l.backUp(t, setOld, recovery.LevelProven)
	l.backUp(t, setStored, recovery.LevelStored)
	_, done, err := app.LastKeyDrill(t.Context(), l.vault)
	require.NoError(t, err)
	require.False(t, done)

	code, stdout, stderr := talk(t, "", "keys", "drill", "--kit", "recovery-kit.md")
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "file://"+l.bucket+": diary: opening sqlite.1.db.zst.age, ")
	require.Contains(t, stdout, "PASSED: the kit alone at file://"+l.bucket)
	require.Contains(t, stdout, "  diary: "+string(setStored)+": opened, 2 objects, ", "the newest, whatever is known of it")
	require.Contains(t, stdout, "  written down at drills/keys/2026-11-22T180000Z.md\n")
	document, err := l.vault.Get(t.Context(), "drills/keys/2026-11-22T180000Z.md")
	require.NoError(t, err)
	require.Contains(t, string(document), "# Key-loss drill: PASSED\n")
	require.Contains(t, string(document), "| diary | `"+string(setStored)+"` | 2026-11-22 17:00:00 UTC | 2 |")
	require.NotContains(t, string(document), "SECRET-KEY")
	last, done, err := app.LastKeyDrill(t.Context(), l.vault)
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC), last)
	requireOnlyKit(t)

	code, stdout, stderr = talk(t, "", "keys", "drill", "--json")
	require.Zero(t, code, stderr)
	var places []drilled
	require.NoError(t, json.Unmarshal([]byte(stdout), &places))
	require.Len(t, places, 1)
	require.True(t, places[0].OK)
	require.Equal(t, setStored, places[0].Sets[0].Set)
}

// TestKeysDrillFails: every way in which the kit may turn out to be no good.
func TestKeysDrillFails(t *testing.T) {
	other := stranger(t)
	otherKey, err := recovery.NewSigningKey([]byte(strings.Repeat("7", 32)))
	require.NoError(t, err)
	for name, test := range map[string]struct {
		spoil func(t *testing.T, l *lost) (kit string)
		code  int
		want  string
		hint  string
		row   string
	}{
		"another age key": {
			func(_ *testing.T, l *lost) string {
				return strings.Replace(l.kit, secretLine.FindString(l.kit), other.String(), 1)
			},
			exitDisproven, "starter: error: the drill failed at 1 of 1 place: open sqlite.1.", "use the secret key of one of the recipients that the set was sealed for", "NOT OPENED: open sqlite.1.db.zst.age: open sealed bytes: no age key here fits",
		},
		"another signing key": {
			func(_ *testing.T, l *lost) string {
				return strings.Replace(l.kit, l.key.Public().String(), otherKey.Public().String(), 1)
			},
			exitDisproven, "it is signed by a key that is not trusted here", "the set is damaged, or signed by another key than the kit names", "NOT OPENED: ",
		},
		"a damaged object": {
			func(t *testing.T, l *lost) string {
				object := l.object(setStored, "sqlite.1.db.zst.age")
				bytes, err := os.ReadFile(object)
				require.NoError(t, err)
				bytes[len(bytes)/2] ^= 1
				require.NoError(t, os.WriteFile(object, bytes, 0o600))
				return l.kit
			},
			exitDisproven, "open sqlite.1.db.zst.age: ", "the set is damaged", "NOT OPENED: open sqlite.1.db.zst.age: ",
		},
		"an object that is gone": {
			func(t *testing.T, l *lost) string {
				require.NoError(t, os.Remove(l.object(setStored, "sqlite.1.fingerprint.json.zst.age")))
				return l.kit
			},
			exitDisproven, "open sqlite.1.fingerprint.json.zst.age: ", "the set is damaged", "NOT OPENED: open sqlite.1.fingerprint.json.zst.age: ",
		},
		"another service": {
			func(_ *testing.T, l *lost) string {
				return strings.Replace(l.kit, "service: diary", "service: dairy", 1)
			},
			exitFailed, "place: there is no recovery set of dairy\n", "compare the names and places with the printed kit", "NOT OPENED: there is no recovery set of dairy",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLost(t)
			l.backUp(t, setStored, recovery.LevelStored)
			kit := test.spoil(t, l)
			l.leaveKit(t, kit)
			code, stdout, stderr := talk(t, "", "keys", "drill")
			require.Equal(t, test.code, code, stderr)
			require.Contains(t, stderr, test.want)
			require.Contains(t, stderr, "starter: hint: "+test.hint)
			require.Contains(t, stdout, "FAILED: the kit alone at file://"+l.bucket)
			require.Contains(t, stdout, test.row)
			require.Contains(t, stdout, "  written down at drills/keys/2026-11-22T180000Z.failed.md\n")
			require.NotContains(t, stdout+stderr, "SECRET-KEY")
			_, done, err := app.LastKeyDrill(t.Context(), l.vault)
			require.NoError(t, err)
			require.False(t, done, "a drill that failed is none")
		})
	}
}

func TestKeysDrillWithoutKitOrSets(t *testing.T) {
	l := newLost(t)
	code, stdout, stderr := talk(t, "", "keys", "drill")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stdout, "there is no recovery set of diary")
	require.Contains(t, stderr, "there is no recovery set of diary")

	l.leaveKit(t, strings.Replace(l.kit, "bucket\n", "bukcet\n", 1))
	code, stdout, stderr = talk(t, "", "keys", "drill")
	require.NotZero(t, code)
	require.Contains(t, stdout, "FAILED: the kit alone at file://"+filepath.Join(l.home(), "bukcet"))
	require.Contains(t, stderr, "bukcet")

	l.leaveKit(t, "nothing")
	code, _, stderr = talk(t, "", "keys", "drill")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "it is no recovery kit")
	require.NoError(t, os.Remove("recovery-kit.md"))
	code, _, stderr = talk(t, "", "keys", "drill")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "there is no recovery kit here\nstarter: hint: name it with --kit\n")
}

// TestKeysDrillAtEachPlace: on a real S3 server, with credentials that may only read,
// and with a copy that is behind.
func TestKeysDrillAtEachPlace(t *testing.T) {
	l := newLost(t)
	l.backUp(t, setOld, recovery.LevelProven)
	server := devserver.StartS3(t)
	server.Bucket(t, "backups")
	l.copyTo(t, server, "backups/lifeboat")
	server.User(t, "reader", "readersecret", "user")
	server.Policy(t, "backups", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":["reader"],"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::backups/*"]},
		{"Effect":"Allow","Principal":["reader"],"Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::backups"]}]}`)
	l.leaveKit(t, strings.Replace(l.kit, "destination: file://"+l.bucket, fmt.Sprintf(
		"destination: file://%s\ncopies:\n  - destination: s3://backups/lifeboat\n    endpoint: %s\n    pathStyle: true\n    accessKey: env:COPY_KEY\n    secretKey: env:COPY_SECRET",
		l.bucket, server.Endpoint), 1))

	code, stdout, stderr := talk(t, "", "keys", "drill")
	require.Equal(t, exitUsage, code, stderr)
	require.Contains(t, stdout, "PASSED: the kit alone at file://"+l.bucket)
	require.Contains(t, stdout, "FAILED: the kit alone at s3://backups/lifeboat")
	require.Contains(t, stderr, "the drill failed at 1 of 2 places: read the bucket's keys: they are not in the environment")

	t.Setenv("COPY_KEY", "reader")
	t.Setenv("COPY_SECRET", "readersecret")
	l.backUp(t, setProven, recovery.LevelStored)
	code, stdout, stderr = talk(t, "", "keys", "drill")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "  diary: "+string(setProven)+": opened, ", "at the first place")
	require.Contains(t, stdout, "  diary: "+string(setOld)+": opened, ", "at the copy")
	require.Contains(t, stdout, "  not written down, note it elsewhere: ")
	require.Contains(t, stdout, "(let the access key put, get and list in bucket backups)")
	require.NotContains(t, stdout+stderr, "readersecret")

	server.Stop()
	code, stdout, stderr = talk(t, "", "keys", "drill")
	require.Equal(t, exitUnreachable, code)
	require.Contains(t, stdout, "PASSED: the kit alone at file://"+l.bucket)
	require.Contains(t, stderr, "starter: error: the drill failed at 1 of 2 places: ")
	require.Contains(t, stderr, "starter: hint: ")
}

// copyTo copies all that is in the bucket to one of an S3 server.
func (l *lost) copyTo(t *testing.T, server *devserver.S3, place string) {
	t.Helper()
	to, err := vault.Open(t.Context(), recovery.DestinationSpec{Name: "copy", URL: "s3://" + place, Endpoint: server.Endpoint, Region: server.Region, PathStyle: true},
		vault.Credentials{AccessKey: server.AccessKey, SecretKey: server.SecretKey})
	require.NoError(t, err)
	defer func() { require.NoError(t, to.Close()) }()
	keys, err := l.vault.Documents(t.Context(), "")
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	for _, key := range keys {
		data, err := l.vault.Get(t.Context(), key)
		require.NoError(t, err)
		require.NoError(t, to.PutOnce(t.Context(), key, data))
	}
}
