package vault_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
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

// lockable makes the bucket "backups" with object lock; with versions if the server
// keeps them.
func lockable(t *testing.T, server *devserver.S3) destination {
	t.Helper()
	_, err := rawClient(server).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("backups"), ObjectLockEnabledForBucket: aws.Bool(true)})
	require.NoError(t, err)
	return bucket(t, server, "some/prefix")
}

func (d destination) locking(mode string, span time.Duration) destination {
	d.spec.Lock = &recovery.LockSpec{Mode: mode, For: recovery.Duration(span)}
	return d
}

// onEachLockable runs a test on a bucket that keeps versions and on one that does
// not, both with object lock.
func onEachLockable(t *testing.T, test func(t *testing.T, server *devserver.S3, d destination)) {
	for name, options := range map[string][]devserver.Option{"with versions": {devserver.WithVersioning()}, "without versions": nil} {
		t.Run(name, func(t *testing.T) {
			server := devserver.StartS3(t, options...)
			test(t, server, lockable(t, server))
		})
	}
}

func TestLock(t *testing.T) {
	onEachLockable(t, func(t *testing.T, server *devserver.S3, d destination) {
		client := rawClient(server)
		for mode, want := range map[string]types.ObjectLockRetentionMode{"governance": types.ObjectLockRetentionModeGovernance, "compliance": types.ObjectLockRetentionModeCompliance} {
			v := d.locking(mode, 48*time.Hour).open(t)
			begun := time.Now()
			require.NoError(t, v.Put(t.Context(), mode+"/put", []byte("x")))
			require.NoError(t, v.PutOnce(t.Context(), mode+"/once", []byte("x")))
			upload(t, v, mode+"/single", []byte("x"))
			upload(t, v, mode+"/parts", noise(9<<20))
			for _, name := range []string{"put", "once", "single", "parts"} {
				got, err := client.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{Bucket: aws.String("backups"), Key: aws.String("some/prefix/" + mode + "/" + name)})
				require.NoError(t, err, name)
				require.Equal(t, want, got.Retention.Mode, name)
				until := *got.Retention.RetainUntilDate
				require.False(t, until.Before(begun.Add(48*time.Hour).Truncate(time.Second)), "%s until %s", name, until)
				require.False(t, until.After(time.Now().Add(48*time.Hour+time.Second)), "%s until %s", name, until)
			}
		}
	})
}

// TestWritesThatMeetALock: a write that is tried again finds its own object, and
// another one's stays.
func TestWritesThatMeetALock(t *testing.T) {
	onEachLockable(t, func(t *testing.T, _ *devserver.S3, d destination) {
		v, s, id := d.locking("compliance", time.Hour).open(t), newSigner(t, 1), setAt(1)
		ctx := t.Context()
		require.NoError(t, v.PutOnce(ctx, "app/once", []byte("one")))
		require.NoError(t, v.PutOnce(ctx, "app/once", []byte("one")))
		require.ErrorIs(t, v.PutOnce(ctx, "app/once", []byte("two")), vault.ErrExists)
		require.NoError(t, v.Put(ctx, "app/once", []byte("one")))
		for _, size := range []int{10, 9 << 20} {
			key := fmt.Sprintf("app/first-%d", size)
			upload(t, v, key, []byte("the first"))
			u, err := v.Create(ctx, key, 0)
			require.NoError(t, err)
			_, err = u.Write(noise(size))
			require.NoError(t, err)
			require.ErrorIs(t, u.Commit(), vault.ErrExists)
			require.Equal(t, "the first", string(read(t, v, key)))
		}

		// A run was killed after the guide, and a newer program goes on.
		require.NoError(t, v.PutOnce(ctx, recovery.GuideKey("app", id), []byte("guide of the older program")))
		s.commit(t, v, "app", id)
		require.NoError(t, v.CommitSet(ctx, "app", id, s.manifest(t, "app", id, 1), []byte("guide")))
		require.ErrorIs(t, v.CommitSet(ctx, "app", id, s.manifest(t, "app", id, 2), []byte("guide")), vault.ErrExists)
		entry, err := v.Entry(ctx, "app", id, s.trusted)
		require.NoError(t, err)
		require.NoError(t, entry.Err)
	})
}

func TestLockOnABucketThatHasNone(t *testing.T) {
	d := bucket(t, devserver.StartS3(t), "").locking("compliance", time.Hour)
	for call, err := range map[string]error{
		"put":    d.open(t).Put(t.Context(), "app/put", []byte("x")),
		"single": uploadError(t, d.open(t), "app/single", 10),
		"parts":  uploadError(t, d.open(t), "app/parts", 9<<20),
	} {
		require.Equal(t, recovery.Permanent, recovery.KindOf(err), "%s: %v", call, err)
		require.ErrorContains(t, err, "(turn object lock on for bucket backups, or take lock out of its destination in the configuration)", call)
	}
	require.NotContains(t, d.lying(t), "upload:app/parts")
}

func uploadError(t *testing.T, v *vault.Vault, key string, size int) error {
	u, err := v.Create(t.Context(), key, 0)
	require.NoError(t, err)
	if _, err = u.Write(noise(size)); err != nil {
		require.NoError(t, u.Abort())
		return err
	}
	return u.Commit()
}

func TestBadTerms(t *testing.T) {
	for want, change := range map[string]func(*recovery.DestinationSpec){
		`read lock "forever" for 24h`: func(s *recovery.DestinationSpec) {
			s.Lock = &recovery.LockSpec{Mode: "forever", For: recovery.Duration(24 * time.Hour)}
		},
		`read lock "compliance" for 0`: func(s *recovery.DestinationSpec) { s.Lock = &recovery.LockSpec{Mode: "compliance"} },
		`read serverSide "rot13"`:      func(s *recovery.DestinationSpec) { s.ServerSide = &recovery.ServerSideSpec{Algorithm: "rot13"} },
		"a folder has none of them":    func(s *recovery.DestinationSpec) { s.URL, s.Class = "file:///backups", "GLACIER" },
	} {
		spec := recovery.DestinationSpec{Name: "main", URL: "s3://backups"}
		change(&spec)
		_, err := vault.Open(t.Context(), spec, vault.Credentials{AccessKey: "k", SecretKey: "s"})
		require.ErrorContains(t, err, want)
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	}
}

// TestTerms looks at what the server is asked for: documents stay in the usual
// class, so that they can be read at once.
func TestTerms(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "")
	var mu sync.Mutex
	asked := map[string]http.Header{}
	d.spec.Endpoint = front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if begins := r.Method == http.MethodPost && r.URL.Query().Has("uploads"); begins || r.Method == http.MethodPut && !r.URL.Query().Has("partNumber") {
			mu.Lock()
			asked[r.URL.Path] = r.Header.Clone()
			mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
	d.spec.Class = "STANDARD_IA"
	d.spec.ServerSide = &recovery.ServerSideSpec{Algorithm: "aws:kms", Key: "key-1"}
	v := d.open(t)
	require.NoError(t, v.Put(t.Context(), "put", []byte("x")))
	require.NoError(t, v.PutOnce(t.Context(), "once", []byte("x")))
	upload(t, v, "single", []byte("x"))
	upload(t, v, "parts", noise(9<<20))
	for key, class := range map[string]string{"put": "", "once": "", "single": "STANDARD_IA", "parts": "STANDARD_IA"} {
		header := asked["/backups/"+key]
		require.Equal(t, class, header.Get("X-Amz-Storage-Class"), key)
		require.Equal(t, "aws:kms", header.Get("X-Amz-Server-Side-Encryption"), key)
		require.Equal(t, "key-1", header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"), key)
	}
}

// front stands before a server and returns its address; handle gets each request
// together with the way to the server.
func front(t *testing.T, server *devserver.S3, handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) string {
	target, err := url.Parse(server.Endpoint)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, proxy) }))
	t.Cleanup(s.Close)
	return s.URL
}
