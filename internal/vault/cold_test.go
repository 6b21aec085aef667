package vault_test

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// glacier stands before a server that has no storage classes, and has them: it
// remembers which object was given which, and answers for cold ones as S3 does.
type glacier struct {
	mu       sync.Mutex
	class    map[string]string // by path
	restore  map[string]string // the header x-amz-restore, by path
	restores []string          // bodies of the requests to restore
	copies   int
}

func newGlacier(t *testing.T, server *devserver.S3, d *destination) *glacier {
	g := &glacier{class: map[string]string{}, restore: map[string]string{}}
	d.spec.Endpoint = front(t, server, g.handle)
	return g
}

func (g *glacier) handle(w http.ResponseWriter, r *http.Request, next http.Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	name := r.URL.Path
	class, restore := g.class[name], g.restore[name]
	cold := (class == "GLACIER" || class == "DEEP_ARCHIVE") && !strings.Contains(restore, `"false"`)
	object := strings.Count(name, "/") > 1
	switch {
	case r.Method == http.MethodPost && r.URL.Query().Has("restore"):
		body, _ := io.ReadAll(r.Body)
		g.restores = append(g.restores, string(body))
		if restore != "" {
			refuse(w, http.StatusConflict, "RestoreAlreadyInProgress", "Object restore is already in progress")
			return
		}
		g.restore[name] = `ongoing-request="true"`
		w.WriteHeader(http.StatusAccepted)
		return
	case r.Method == http.MethodGet && object && cold:
		refuse(w, http.StatusForbidden, "InvalidObjectState", "The operation is not valid for the object's storage class")
		return
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		g.copies++
		g.class[name] = r.Header.Get("X-Amz-Storage-Class")
	case r.Method == http.MethodHead && object && class != "":
		w = &coldHead{w, class, restore}
	}
	next.ServeHTTP(w, r)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, message)
}

// coldHead puts the headers of cold storage over the server's own.
type coldHead struct {
	http.ResponseWriter
	class, restore string
}

func (h *coldHead) WriteHeader(status int) {
	h.Header().Set("X-Amz-Storage-Class", h.class)
	if h.restore != "" {
		h.Header().Set("X-Amz-Restore", h.restore)
	}
	h.ResponseWriter.WriteHeader(status)
}

func TestReclass(t *testing.T) {
	server := devserver.StartS3(t, devserver.WithVersioning())
	d := versioned(t, server)
	g := newGlacier(t, server, &d)
	v, s := d.open(t), newSigner(t, 1)
	s.commit(t, v, "app", setAt(1))
	s.commit(t, v, "app", setAt(2))
	large := recovery.SetPrefix("app", setAt(1)) + "app.1.database.sql.zst.age"
	upload(t, v, large, noise(9<<20))

	moved, err := v.Reclass(t.Context(), "app", setAt(1), "GLACIER")
	require.NoError(t, err)
	require.Equal(t, 3, moved.Objects)
	require.Empty(t, moved.Left)
	require.Equal(t, 5, versionsOf(t, server, recovery.SetPrefix("app", setAt(1))), "no version stays in the old class")
	for name, class := range g.class {
		require.Contains(t, name, string(setAt(1)))
		require.Equal(t, "GLACIER", class)
		require.True(t, strings.HasSuffix(name, ".age"), "%s must be readable at once", name)
	}
	head, err := rawClient(server).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("backups"), Key: aws.String("some/prefix/" + large)})
	require.NoError(t, err)
	require.NotEmpty(t, head.Metadata["lifeboat-upload"], "whose object it is")
	require.EqualValues(t, 9<<20, *head.ContentLength)
	entry, err := v.Entry(t.Context(), "app", setAt(1), s.trusted)
	require.NoError(t, err)
	require.NoError(t, entry.Err)

	again, err := v.Reclass(t.Context(), "app", setAt(1), "GLACIER")
	require.NoError(t, err)
	require.Zero(t, again.Objects)
	require.Equal(t, 3, g.copies)
}

// TestReclassLeavesWhatIsLocked: it would be paid for twice.
func TestReclassLeavesWhatIsLocked(t *testing.T) {
	onEachLockable(t, func(t *testing.T, server *devserver.S3, d destination) {
		g := newGlacier(t, server, &d)
		s := newSigner(t, 1)
		s.commit(t, d.locking("governance", time.Hour).open(t), "app", setAt(1))
		s.commit(t, d.open(t), "app", setAt(2))
		_, err := rawClient(server).PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{
			Bucket: aws.String("backups"), Key: aws.String("some/prefix/" + recovery.SetPrefix("app", setAt(2)) + "app.1.dump.zst.age"),
			LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOn},
		})
		require.NoError(t, err)
		moved, err := d.open(t).Reclass(t.Context(), "app", setAt(1), "GLACIER")
		require.NoError(t, err)
		require.Zero(t, moved.Objects)
		require.Len(t, moved.Left, 2)
		require.Contains(t, moved.Reason, "it is locked until 2")
		moved, err = d.open(t).Reclass(t.Context(), "app", setAt(2), "GLACIER")
		require.NoError(t, err)
		require.Equal(t, 1, moved.Objects)
		require.Equal(t, []string{recovery.SetPrefix("app", setAt(2)) + "app.1.dump.zst.age"}, moved.Left)
		require.Contains(t, moved.Reason, "it has a legal hold")
		require.Equal(t, 1, g.copies)
	})
}

func TestAFolderHasNoClasses(t *testing.T) {
	v := folder(t).open(t)
	_, err := v.Reclass(t.Context(), "app", setAt(1), "GLACIER")
	require.ErrorContains(t, err, "a folder has no storage classes")
	thaw, err := v.Thaw(t.Context(), []string{"app/x"}, true)
	require.NoError(t, err)
	require.True(t, thaw.Ready)
}

func TestThaw(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "")
	g := newGlacier(t, server, &d)
	v := d.open(t)
	keys := []string{"app/cold", "app/colder", "app/instant", "app/usual"}
	for _, key := range keys {
		upload(t, v, key, []byte(path.Base(key)))
	}
	g.class["/backups/app/cold"], g.class["/backups/app/colder"], g.class["/backups/app/instant"] = "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"

	_, err := v.Get(t.Context(), "app/cold")
	require.ErrorContains(t, err, "read app/cold at destination main: InvalidObjectState: ")
	require.ErrorContains(t, err, "(have it brought back from the cold storage of bucket backups first: a restore asks for that and waits)")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))

	for _, fetch := range []bool{false, true, true} {
		thaw, err := v.Thaw(t.Context(), keys, fetch)
		require.NoError(t, err)
		require.False(t, thaw.Ready)
		require.Equal(t, []string{"app/cold", "app/colder"}, thaw.Waiting)
		require.Equal(t, recovery.Duration(48*time.Hour), thaw.Expected)
		require.Equal(t, "DEEP_ARCHIVE", thaw.Class)
		require.Equal(t, fetch, len(g.restores) > 0)
	}
	require.Len(t, g.restores, 2, "what is on its way is not asked for again")
	for _, body := range g.restores {
		require.Contains(t, body, "<Days>7</Days>")
		require.Contains(t, body, "<Tier>Standard</Tier>")
	}

	g.restore["/backups/app/colder"] = `ongoing-request="false", expiry-date="Fri, 21 Dec 2029 00:00:00 GMT"`
	thaw, err := v.Thaw(t.Context(), keys, true)
	require.NoError(t, err)
	require.Equal(t, []string{"app/cold"}, thaw.Waiting)
	require.Equal(t, recovery.Duration(12*time.Hour), thaw.Expected)
	require.Equal(t, "GLACIER", thaw.Class)
	g.restore["/backups/app/cold"] = g.restore["/backups/app/colder"]
	thaw, err = v.Thaw(t.Context(), keys, true)
	require.NoError(t, err)
	require.True(t, thaw.Ready)
	require.Equal(t, "cold", string(read(t, v, "app/cold")))

	_, err = v.Thaw(t.Context(), []string{"app/none"}, true)
	require.ErrorIs(t, err, recovery.ErrNotFound)
}

// TestThawRaces: that another run asked a moment earlier is no error.
func TestThawRaces(t *testing.T) {
	server := devserver.StartS3(t)
	d := bucket(t, server, "")
	upload(t, d.open(t), "app/x", []byte("x"))
	d.spec.Endpoint = front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPost {
			refuse(w, http.StatusConflict, "RestoreAlreadyInProgress", "Object restore is already in progress")
			return
		}
		next.ServeHTTP(&coldHead{w, "GLACIER", ""}, r)
	})
	thaw, err := d.open(t).Thaw(t.Context(), []string{"app/x"}, true)
	require.NoError(t, err)
	require.Equal(t, []string{"app/x"}, thaw.Waiting)
}
