package vault_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

func inspect(t *testing.T, d destination) (*vault.Inspection, map[string]vault.Finding) {
	t.Helper()
	found, err := d.open(t).Inspect(t.Context())
	require.NoError(t, err)
	byName := map[string]vault.Finding{}
	for _, f := range found.Findings {
		require.NotContains(t, byName, f.About)
		require.NotEmpty(t, f.Sentence, f.About)
		byName[f.About] = f
	}
	t.Logf("%+v", found)
	return found, byName
}

func grades(findings map[string]vault.Finding) map[string]vault.Grade {
	g := map[string]vault.Grade{}
	for name, f := range findings {
		g[name] = f.Grade
	}
	return g
}

// asUser makes the account "backup" and lets it do these things; a destination of
// that account.
func (d destination) asUser(t *testing.T, server *devserver.S3, objects, bucket string) destination {
	t.Helper()
	server.User(t, "backup", "backupsecret", "user")
	server.Policy(t, "backups", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":["backup"],"Action":[`+objects+`],"Resource":["arn:aws:s3:::backups/*"]},
		{"Effect":"Allow","Principal":["backup"],"Action":[`+bucket+`],"Resource":["arn:aws:s3:::backups"]}]}`)
	d.cred = vault.Credentials{AccessKey: "backup", SecretKey: "backupsecret"}
	return d
}

const (
	putAndGet = `"s3:PutObject","s3:GetObject","s3:AbortMultipartUpload"`
	lists     = `"s3:ListBucket","s3:ListBucketMultipartUploads"`
	looks     = `,"s3:GetBucketVersioning","s3:GetBucketObjectLockConfiguration","s3:GetBucketPolicyStatus","s3:GetBucketAcl","s3:GetLifecycleConfiguration","s3:GetBucketPublicAccessBlock"`
)

func TestInspectFullRights(t *testing.T) {
	d := bucket(t, devserver.StartS3(t), "some/prefix")
	found, by := inspect(t, d)
	require.True(t, found.Bad())
	require.Equal(t, "main", found.Destination)
	require.Empty(t, found.Left)
	require.Empty(t, d.lying(t), "the probe is gone")
	require.Equal(t, map[string]vault.Grade{
		"put": vault.Good, "get": vault.Good, "list": vault.Good, "multipart": vault.Good, "unfinished uploads": vault.Good,
		"conditional write": vault.Good, "overwrite": vault.Bad, "delete": vault.Bad, "protection": vault.Bad,
		"versioning": vault.Bad, "object lock": vault.Bad, "public access": vault.Good, "lifecycle": vault.NotKnown, "credential age": vault.NotKnown,
	}, grades(by))
	require.Equal(t, "whoever has this key can destroy every set", by["protection"].Sentence)
	require.Contains(t, by["protection"].Mend, "turn versioning and object lock on")
}

// TestInspectNoDelete: that a key may not delete is no protection.
func TestInspectNoDelete(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "some/prefix").asUser(t, server, putAndGet, lists)
	found, by := inspect(t, d)
	require.True(t, found.Bad())
	require.Equal(t, map[string]vault.Grade{
		"put": vault.Good, "get": vault.Good, "list": vault.Good, "multipart": vault.Good, "unfinished uploads": vault.Good,
		"conditional write": vault.Good, "overwrite": vault.Bad, "delete": vault.Good, "protection": vault.Bad,
		"versioning": vault.NotKnown, "object lock": vault.NotKnown, "public access": vault.NotKnown, "lifecycle": vault.NotKnown, "credential age": vault.NotKnown,
	}, grades(by))
	require.Contains(t, by["protection"].Sentence, "it may write over every set: that is no protection")
	require.Len(t, found.Left, 2)
	for _, key := range found.Left {
		require.True(t, strings.HasPrefix(key, "some/prefix/lifeboat-check/"), key)
	}
	services, err := d.open(t).Services(t.Context())
	require.NoError(t, err)
	require.Empty(t, services, "what is left behind is no service")
}

func TestInspectLocked(t *testing.T) {
	for name, c := range map[string]struct {
		mode  string
		rule  *types.DefaultRetention
		lock  vault.Grade
		says  string
		guard vault.Grade
		left  int
	}{
		"by the destination":     {"compliance", nil, vault.Good, "is on; every object is locked for 24h (COMPLIANCE)", vault.Good, 1},
		"by the bucket":          {"", &types.DefaultRetention{Mode: types.ObjectLockRetentionModeCompliance, Days: aws.Int32(1)}, vault.Good, "is on; the bucket locks every object for 1 day (COMPLIANCE)", vault.Good, 2},
		"by nothing":             {"", nil, vault.Bad, "is on, but locks nothing: neither the bucket nor the configuration says for how long", vault.Bad, 0},
		"against a key that may": {"governance", nil, vault.Good, "is on; every object is locked for 24h (GOVERNANCE)", vault.Bad, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := devserver.StartS3(t, devserver.WithVersioning())
			d := lockable(t, server)
			if c.mode != "" {
				d = d.locking(c.mode, 24*time.Hour)
			}
			if c.rule != nil {
				_, err := rawClient(server).PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{
					Bucket: aws.String("backups"), ObjectLockConfiguration: &types.ObjectLockConfiguration{
						ObjectLockEnabled: types.ObjectLockEnabledEnabled, Rule: &types.ObjectLockRule{DefaultRetention: c.rule},
					},
				})
				require.NoError(t, err)
			}
			found, by := inspect(t, d) // with all rights
			require.Equal(t, c.guard, by["protection"].Grade)
			require.Equal(t, c.guard == vault.Bad, found.Bad())
			require.Equal(t, c.lock, by["object lock"].Grade)
			require.Equal(t, c.says, by["object lock"].Sentence)
			require.Equal(t, vault.Good, by["versioning"].Grade)
			require.Len(t, found.Left, c.left)
		})
	}
}

// TestInspectUserOfALockedBucket: the way that a bucket should be.
func TestInspectUserOfALockedBucket(t *testing.T) {
	server := devserver.StartS3(t, devserver.WithVersioning())
	d := lockable(t, server).locking("compliance", 24*time.Hour).asUser(t, server, putAndGet+`,"s3:PutObjectRetention"`, lists+looks)
	found, by := inspect(t, d)
	require.False(t, found.Bad())
	require.Equal(t, map[string]vault.Grade{
		"put": vault.Good, "get": vault.Good, "list": vault.Good, "multipart": vault.Good, "unfinished uploads": vault.Good,
		"conditional write": vault.Good, "overwrite": vault.Good, "delete": vault.Good, "protection": vault.Good,
		"versioning": vault.Good, "object lock": vault.Good, "public access": vault.Good, "lifecycle": vault.NotKnown, "credential age": vault.NotKnown,
	}, grades(by))
	require.Contains(t, by["overwrite"].Sentence, "makes a new version")
	require.Contains(t, by["delete"].Sentence, "AccessDenied")
	require.Len(t, found.Left, 2)
}

func TestInspectUserOfAVersionedBucket(t *testing.T) {
	server := devserver.StartS3(t, devserver.WithVersioning())
	found, by := inspect(t, versioned(t, server).asUser(t, server, putAndGet, lists))
	require.True(t, found.Bad())
	require.Equal(t, vault.Good, by["overwrite"].Grade)
	require.Equal(t, vault.Good, by["versioning"].Grade)
	require.Equal(t, "is on: what was written got a version", by["versioning"].Sentence)
	require.Equal(t, vault.Bad, by["protection"].Grade)
	require.Contains(t, by["protection"].Sentence, "nothing locks them")
}

// TestInspectALockThatIsNotThere: backups would fail.
func TestInspectALockThatIsNotThere(t *testing.T) {
	_, by := inspect(t, bucket(t, devserver.StartS3(t), "").locking("compliance", time.Hour))
	require.Equal(t, vault.Bad, by["object lock"].Grade)
	require.Contains(t, by["object lock"].Sentence, "every backup would fail")
	require.Equal(t, vault.Good, by["put"].Grade)
}

// TestInspectRefusedWrites: a policy that demands If-None-Match, as S3 has it.
func TestInspectRefusedWrites(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "some/prefix")
	d.spec.Endpoint = front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		plain := r.Method == http.MethodPut && !r.URL.Query().Has("partNumber") && r.Header.Get("If-None-Match") == ""
		if plain || r.Method == http.MethodDelete && !r.URL.Query().Has("uploadId") {
			refuse(w, http.StatusForbidden, "AccessDenied", "explicit deny")
			return
		}
		next.ServeHTTP(w, r)
	})
	found, by := inspect(t, d)
	require.False(t, found.Bad())
	require.Equal(t, "nobody with this key can write over a set or remove one", by["protection"].Sentence)
	require.Contains(t, by["versioning"].Sentence, "is off, and not needed")
	require.Contains(t, by["object lock"].Sentence, "is off, and not needed")
	require.Len(t, found.Left, 2)
}

// TestInspectInDoubt: a failure that is no refusal is no protection.
func TestInspectInDoubt(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "")
	answers := map[string][2]string{ // to a plain write, and to a removal
		"by a bad request": {"InvalidRequest", "InvalidRequest"},
		"by half":          {"AccessDenied", "OperationAborted"},
	}
	for name, codes := range answers {
		d.spec.Endpoint = front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			switch {
			case r.Method == http.MethodPut && !r.URL.Query().Has("partNumber") && r.Header.Get("If-None-Match") == "":
				refuse(w, http.StatusBadRequest, codes[0], "this and that")
			case r.Method == http.MethodDelete && !r.URL.Query().Has("uploadId"):
				refuse(w, http.StatusBadRequest, codes[1], "this and that")
			default:
				next.ServeHTTP(w, r)
			}
		})
		_, by := inspect(t, d)
		require.Equal(t, vault.NotKnown, by["protection"].Grade, name)
		require.Equal(t, vault.NotKnown, by["delete"].Grade, name)
		require.Contains(t, by["delete"].Sentence, "did not refuse it either: "+codes[1]+": this and that")
		require.Equal(t, codes[0] == "AccessDenied", by["overwrite"].Grade == vault.Good, name)
		require.Equal(t, vault.Bad, by["versioning"].Grade, name)
	}
	// Some servers say so in other words.
	d.spec.Endpoint = front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		plain := r.Method == http.MethodPut && !r.URL.Query().Has("partNumber") && r.Header.Get("If-None-Match") == ""
		if plain || r.Method == http.MethodDelete && !r.URL.Query().Has("uploadId") {
			refuse(w, http.StatusBadRequest, "InvalidRequest", "Object is WORM protected and cannot be overwritten")
			return
		}
		next.ServeHTTP(w, r)
	})
	_, by := inspect(t, d)
	require.Equal(t, vault.Good, by["protection"].Grade)
}

func TestInspectPublic(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "some/prefix")
	for policy, want := range map[string]string{
		`"s3:GetObject"],"Resource":["arn:aws:s3:::backups/*"`:             "anybody can read objects without a key",
		`"s3:ListBucket"],"Resource":["arn:aws:s3:::backups"`:              "anybody can list them without a key",
		`"s3:GetObject"],"Resource":["arn:aws:s3:::backups/some/where/*"`:  "the bucket's policy lets everybody in",
		`"s3:GetObjectTagging"],"Resource":["arn:aws:s3:::backups/some/*"`: "the bucket's policy lets everybody in",
	} {
		server.Policy(t, "backups", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":[`+policy+`]}]}`)
		found, by := inspect(t, d)
		require.True(t, found.Bad())
		require.Equal(t, vault.Finding{
			About: "public access", Grade: vault.Bad, Sentence: want,
			Mend: "block public access to the bucket, and take what lets everybody in out of its policy and its ACL",
		}, by["public access"])
	}
}

// TestInspectMissingRights: what a backup needs and the key may not do is bad.
func TestInspectMissingRights(t *testing.T) {
	for name, c := range map[string]struct {
		objects, bucket string
		bad             []string
		mend            string
	}{
		"list":      {putAndGet, `"s3:ListBucketMultipartUploads"`, []string{"list"}, "let the access key ListBucket in bucket backups"},
		"get":       {`"s3:PutObject","s3:AbortMultipartUpload"`, lists, []string{"get"}, "let the access key GetObject in bucket backups"},
		"multipart": {`"s3:PutObject","s3:GetObject"`, `"s3:ListBucket"`, []string{"unfinished uploads"}, "let the access key ListBucketMultipartUploads and AbortMultipartUpload in bucket backups"},
		"put":       {`"s3:GetObject"`, lists, []string{"put"}, "let the access key PutObject in bucket backups"},
	} {
		t.Run(name, func(t *testing.T) {
			server := devserver.StartS3(t)
			_, by := inspect(t, bucket(t, server, "").asUser(t, server, c.objects, c.bucket))
			var bad []string
			for _, about := range []string{"put", "get", "list", "multipart", "unfinished uploads"} {
				if by[about].Grade == vault.Bad {
					bad = append(bad, about)
					require.Contains(t, by[about].Sentence, "does not work: AccessDenied")
					require.Equal(t, c.mend, by[about].Mend)
				}
			}
			require.Equal(t, c.bad, bad)
			if name == "put" {
				require.Equal(t, vault.NotKnown, by["protection"].Grade)
				require.Equal(t, vault.NotKnown, by["overwrite"].Grade)
			}
		})
	}
}

// TestInspectOldServer: one that ignores conditions lets two workers write over
// each other.
func TestInspectOldServer(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "")
	d.spec.Endpoint = front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut && r.Header.Get("If-None-Match") != "" {
			refuseCondition(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
	_, by := inspect(t, d)
	require.Equal(t, vault.Bad, by["conditional write"].Grade)
	require.Contains(t, by["conditional write"].Sentence, "two workers could write over each other")
}

// refuseCondition takes any write.
func refuseCondition(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("ETag", `"x"`)
	w.WriteHeader(http.StatusOK)
}

func TestInspectLifecycle(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "some/prefix")
	rules := ""
	d.spec.Endpoint = front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch {
		case r.Method != http.MethodGet || !r.URL.Query().Has("lifecycle"):
			next.ServeHTTP(w, r)
		case rules == "":
			refuse(w, http.StatusNotFound, "NoSuchLifecycleConfiguration", "there is none")
		default:
			fmt.Fprintf(w, `<?xml version="1.0"?><LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">%s</LifecycleConfiguration>`, rules)
		}
	})
	rule := func(filter, action string) string {
		return "<Rule><ID>r</ID><Status>Enabled</Status>" + filter + action + "</Rule>"
	}
	const expire = "<Expiration><Days>90</Days></Expiration>"
	for _, c := range []struct{ name, rules, bad string }{
		{"none", "", ""},
		{"everything", rule("<Filter/>", expire), `rule "r" removes every set after 90 days, the newest too`},
		{"above", rule("<Filter><Prefix>some/</Prefix></Filter>", expire), `rule "r" removes every set after 90 days, the newest too`},
		{"within", rule("<Filter><Prefix>some/prefix/app/sets/</Prefix></Filter>", expire), `rule "r" removes every set after 90 days, the newest too`},
		{"old form", rule("<Prefix>some</Prefix>", "<Expiration><Date>2027-01-02T00:00:00Z</Date></Expiration>"), `rule "r" removes every set on 2027-01-02`},
		{"old versions", rule("<Filter><And><Prefix>some/</Prefix><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></And></Filter>", "<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration>"), `rule "r" removes, after 7 days, the versions that hold what was written over or deleted`},
		{"elsewhere", rule("<Filter><Prefix>logs/</Prefix></Filter>", expire), ""},
		{"switched off", strings.Replace(rule("<Filter/>", expire), "Enabled", "Disabled", 1), ""},
		{"tagged", rule("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>", expire), ""},
		{"unfinished uploads", rule("<Filter/>", "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>"), ""},
		{"another class", rule("<Filter/>", "<Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>"), ""},
	} {
		rules = c.rules
		_, by := inspect(t, d)
		if c.bad == "" {
			require.Equal(t, vault.Good, by["lifecycle"].Grade, c.name)
			continue
		}
		require.Equal(t, vault.Bad, by["lifecycle"].Grade, c.name)
		require.Equal(t, c.bad, by["lifecycle"].Sentence, c.name)
		require.Contains(t, by["lifecycle"].Mend, "keep it off backups/some/prefix/", c.name)
	}
}

func TestInspectCannotAsk(t *testing.T) {
	server := devserver.StartS3(t)
	good := bucket(t, server, "")
	for code, change := range map[string]func(*destination){
		"NoSuchBucket":          func(d *destination) { d.spec.URL = "s3://nowhere" },
		"InvalidAccessKeyId":    func(d *destination) { d.cred.AccessKey = "nobody-knows-me" },
		"SignatureDoesNotMatch": func(d *destination) { d.cred.SecretKey = "nobody-knows-me" },
	} {
		d := good
		change(&d)
		_, err := d.open(t).Inspect(t.Context())
		require.ErrorContains(t, err, "inspect at destination main: "+code)
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	}
	missing := folder(t)
	missing.spec.URL += "/not-made"
	_, err := missing.open(t).Inspect(t.Context())
	require.ErrorContains(t, err, "(create the folder ")
}

func TestInspectFolder(t *testing.T) {
	d := folder(t)
	found, by := inspect(t, d)
	require.True(t, found.Bad())
	require.Equal(t, map[string]vault.Grade{"put": vault.Good, "conditional write": vault.Good, "public access": vault.Good, "protection": vault.Bad}, grades(by))
	require.Empty(t, d.lying(t))
	require.NoError(t, os.Chmod(d.dir, 0o755))
	_, by = inspect(t, d)
	require.Equal(t, vault.Finding{
		About: "public access", Grade: vault.Bad, Sentence: "every user of this machine has access to the folder: its mode is 0755", Mend: "chmod o= " + d.dir,
	}, by["public access"])
}
