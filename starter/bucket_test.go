package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// bucketHome makes an S3 server with the bucket "backups", with object lock and
// versions or without, and a lifeboat.yaml in the working folder.
func bucketHome(t *testing.T, locked bool) *devserver.S3 {
	t.Helper()
	var options []devserver.Option
	if locked {
		options = append(options, devserver.WithVersioning())
	}
	server := devserver.StartS3(t, options...)
	_, err := server.Client(server.AccessKey, server.SecretKey).CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: aws.String("backups"), ObjectLockEnabledForBucket: aws.Bool(locked),
	})
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	code, _, stderr := talk(t, "", "init", "--service", "diary", "--owner", "ann", "--person", "ann", "--postgres", "-", "--sqlite", "/diary.db",
		"--destination", "s3://backups/lifeboat", "--endpoint", server.Endpoint, "--region", server.Region,
		"--access-key", "env:LIFEBOAT_S3_ACCESS_KEY", "--secret-key", "env:LIFEBOAT_S3_SECRET_KEY", "--staging-folder", "/staging")
	require.Zero(t, code, stderr)
	t.Setenv("LIFEBOAT_S3_ACCESS_KEY", server.AccessKey)
	t.Setenv("LIFEBOAT_S3_SECRET_KEY", server.SecretKey)
	if locked {
		text, err := os.ReadFile("lifeboat.yaml")
		require.NoError(t, err)
		withLock := strings.Replace(string(text), "# lock: { mode: compliance, for: 30d }", "lock: { mode: compliance, for: 30d }", 1)
		require.NotEqual(t, string(text), withLock)
		require.NoError(t, os.WriteFile("lifeboat.yaml", []byte(withLock), 0o600))
	}
	return server
}

// asBackup makes an account that may do these things, and lets Lifeboat be it.
func asBackup(t *testing.T, server *devserver.S3, objects, bucket string) {
	t.Helper()
	server.User(t, "backup", "backupsecret", "user")
	server.Policy(t, "backups", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":["backup"],"Action":[`+objects+`],"Resource":["arn:aws:s3:::backups/*"]},
		{"Effect":"Allow","Principal":["backup"],"Action":[`+bucket+`],"Resource":["arn:aws:s3:::backups"]}]}`)
	t.Setenv("LIFEBOAT_S3_ACCESS_KEY", "backup")
	t.Setenv("LIFEBOAT_S3_SECRET_KEY", "backupsecret")
}

// TestBucketCheck looks at five kinds of bucket.
func TestBucketCheck(t *testing.T) {
	const writes, lists = `"s3:PutObject","s3:GetObject","s3:AbortMultipartUpload"`, `"s3:ListBucket","s3:ListBucketMultipartUploads"`
	for _, test := range []struct {
		name   string
		locked bool
		access func(t *testing.T, server *devserver.S3)
		bad    []string
		lines  []string
	}{
		{
			name: "plain, with all rights", access: func(*testing.T, *devserver.S3) {},
			bad:   []string{"overwrite", "delete", "protection", "versioning", "object lock"},
			lines: []string{"  BAD        protection: whoever has this key can destroy every set\n             → turn versioning and object lock on", "  not known  credential age: "},
		},
		{
			name:   "without the right to delete",
			access: func(t *testing.T, server *devserver.S3) { asBackup(t, server, writes, lists) },
			bad:    []string{"overwrite", "protection"},
			lines: []string{
				"  good       delete: is refused: AccessDenied", "it may write over every set: that is no protection",
				"left behind, since this key may not remove it: lifeboat/lifeboat-check/",
			},
		},
		{
			name: "versioned and locked", locked: true,
			access: func(t *testing.T, server *devserver.S3) {
				asBackup(t, server, writes+`,"s3:PutObjectRetention"`, lists+`,"s3:GetBucketVersioning","s3:GetBucketObjectLockConfiguration"`)
			},
			lines: []string{"  good       protection: what is written is locked as a version", "is on; every object is locked for 720h (COMPLIANCE)"},
		},
		{
			name: "public", locked: true,
			access: func(t *testing.T, server *devserver.S3) {
				server.Policy(t, "backups", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::backups/*"]}]}`)
			},
			bad:   []string{"public access"},
			lines: []string{"  BAD        public access: anybody can read objects without a key"},
		},
		{
			name: "without the rights to list and to end uploads", locked: true,
			access: func(t *testing.T, server *devserver.S3) {
				asBackup(t, server, `"s3:PutObject","s3:GetObject","s3:PutObjectRetention"`, `"s3:GetBucketVersioning","s3:GetBucketObjectLockConfiguration"`)
			},
			bad:   []string{"list", "unfinished uploads"},
			lines: []string{"  BAD        list: does not work: AccessDenied", "→ let the access key ListBucket in bucket backups"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.access(t, bucketHome(t, test.locked))
			code, stdout, stderr := talk(t, "", "bucket", "check", "main")
			require.Contains(t, stdout, "destination main: s3://backups/lifeboat\n")
			for _, line := range test.lines {
				require.Contains(t, stdout, line)
			}
			wantCode, wantError := exitReached, ""
			if n := len(test.bad); n > 0 {
				wantCode, wantError = exitFailed, "starter: error: check destination main: "+count(n, "thing")+" to mend\n"
			}
			require.Equal(t, wantCode, code)
			require.Equal(t, wantError, stderr)

			code, stdout, _ = talk(t, "", "bucket", "check", "main", "--json")
			require.Equal(t, wantCode, code)
			var found vault.Inspection
			require.NoError(t, json.Unmarshal([]byte(stdout), &found))
			var bad []string
			for _, f := range found.Findings {
				if f.Grade == vault.Bad {
					bad = append(bad, f.About)
					require.NotEmpty(t, f.Mend, f.About)
				}
			}
			require.Equal(t, test.bad, bad)
		})
	}
}

func TestBucketThatDoesNotAnswer(t *testing.T) {
	server := bucketHome(t, false)
	code, _, stderr := talk(t, "", "bucket", "check", "other")
	require.Equal(t, exitUsage, code)
	require.Equal(t, "starter: error: find destination \"other\": it is not in the config\nstarter: hint: known: main\n", stderr)
	t.Setenv("LIFEBOAT_S3_SECRET_KEY", "wrong")
	code, _, stderr = talk(t, "", "bucket", "check", "main")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "starter: error: inspect at destination main: SignatureDoesNotMatch")
	require.Contains(t, stderr, "starter: hint: correct the secret key of bucket backups\n")
	server.Stop()
	code, _, stderr = talk(t, "", "bucket", "check", "main")
	require.Equal(t, exitUnreachable, code)
	require.Contains(t, stderr, "starter: error: inspect at destination main: dial tcp")
}

func TestBucketPolicy(t *testing.T) {
	bucketHome(t, true)
	code, stdout, stderr := talk(t, "", "bucket", "policy", "main", "--principal", "backup")
	require.Zero(t, code, stderr)
	require.Empty(t, stderr)
	require.True(t, json.Valid([]byte(stdout)))
	require.Contains(t, stdout, `"AWS": "backup"`)
	require.Contains(t, stdout, `"arn:aws:s3:::backups/lifeboat/*"`)
	require.Contains(t, stdout, `"s3:PutObjectRetention"`)
	_, stdout, stderr = talk(t, "", "bucket", "policy", "main")
	require.Contains(t, stdout, examplePrincipal)
	require.Contains(t, stderr, "put in who backs up, or give --principal")
	code, _, stderr = talk(t, "", "bucket", "policy", "nowhere")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `find destination "nowhere"`)
}
