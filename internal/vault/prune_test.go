package vault_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
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

// versioned makes the bucket "backups" on a server that keeps versions.
func versioned(t *testing.T, server *devserver.S3) destination {
	t.Helper()
	d := bucket(t, server, "some/prefix")
	_, err := rawClient(server).PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String("backups"), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	require.NoError(t, err)
	return d
}

// versionsOf counts the versions and the delete markers below a prefix.
func versionsOf(t *testing.T, server *devserver.S3, prefix string) int {
	t.Helper()
	out, err := rawClient(server).ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("backups"), Prefix: aws.String("some/prefix/" + prefix)})
	require.NoError(t, err)
	return len(out.Versions) + len(out.DeleteMarkers)
}

func TestPruneSet(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s := d.open(t), newSigner(t, 1)
		ctx := t.Context()
		for i := range 4 {
			s.commit(t, v, "app", setAt(i))
		}
		proof := recovery.ProofKey("app", setAt(1), setAt(1).Time(), recovery.ProofRestore)
		require.NoError(t, v.PutOnce(ctx, proof, []byte("{}")))
		upload(t, v, recovery.SetPrefix("app", setAt(1))+"app.9.dump.zst.age", []byte("of a lost attempt"))
		before := len(d.lying(t))

		_, err := v.PruneSet(ctx, "app", setAt(9), s.tombstone(t, setAt(9)), s.trusted)
		require.ErrorIs(t, err, recovery.ErrNotFound, "there is no trace of it")
		_, err = v.PruneSet(ctx, "../app", setAt(1), s.tombstone(t, setAt(1)), s.trusted)
		require.ErrorContains(t, err, `read service "../app"`)
		_, err = v.PruneSet(ctx, "app", "../x", nil, s.trusted)
		require.ErrorContains(t, err, `read set id "../x"`)
		require.Len(t, d.lying(t), before)

		pruned, err := v.PruneSet(ctx, "app", setAt(1), s.tombstone(t, setAt(1)), s.trusted)
		require.NoError(t, err)
		require.True(t, pruned.Done())
		require.Equal(t, 5, pruned.Removed)
		manifest := int64(len(s.manifest(t, "app", setAt(1), 1)))
		require.Equal(t, 5+5+17+int64(len("# how to restore\n"))+manifest, pruned.Freed)
		lying := d.lying(t)
		require.Len(t, lying, before-5+1)
		require.Contains(t, lying, recovery.TombstoneKey("app", setAt(1)))
		require.Contains(t, lying, proof)
		require.Equal(t, s.tombstone(t, setAt(1)), read(t, v, recovery.TombstoneKey("app", setAt(1))))

		again, err := v.PruneSet(ctx, "app", setAt(1), s.laterTombstone(t, setAt(1)), s.trusted)
		require.NoError(t, err)
		require.Equal(t, vault.Pruned{}, again)
		require.True(t, again.Done())
		require.Equal(t, lying, d.lying(t))

		gone, err := v.Tombstones(ctx, "app", s.trusted)
		require.NoError(t, err)
		require.Equal(t, []recovery.SetID{setAt(1)}, gone)
		ids, err := v.Sets(ctx, "app", s.trusted, time.Time{}, 0)
		require.NoError(t, err)
		require.Equal(t, []recovery.SetID{setAt(3), setAt(2), setAt(0)}, ids)
	})
}

// TestTombstonesHideSets: from the tombstone on a set is in no list, and is known
// as one whose pruning must be finished.
func TestTombstonesHideSets(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s := d.open(t), newSigner(t, 1)
		ctx := t.Context()
		pruning, err := v.Pruning(ctx, "app", s.trusted)
		require.NoError(t, err)
		require.Empty(t, pruning)
		for i := range 5 {
			s.commit(t, v, "app", setAt(i))
		}
		for _, i := range []int{1, 4, 8} { // of the last nothing is left
			require.NoError(t, v.PutOnce(ctx, recovery.TombstoneKey("app", setAt(i)), s.tombstone(t, setAt(i))))
		}
		loser := recovery.SetPrefix("app", setAt(1)) + "app.9.dump.zst.age"
		upload(t, v, loser, []byte("lost"))
		require.NoError(t, v.PutOnce(ctx, recovery.TombstonePrefix("app")+"not-a-set.json", s.tombstone(t, setAt(3))))
		gone, err := v.Tombstones(ctx, "app", s.trusted)
		require.NoError(t, err)
		require.Equal(t, []recovery.SetID{setAt(1), setAt(4), setAt(8)}, gone)
		pruning, err = v.Pruning(ctx, "app", s.trusted)
		require.NoError(t, err)
		require.Equal(t, []recovery.SetID{setAt(4), setAt(1)}, pruning)
		for limit, want := range map[int][]recovery.SetID{0: {setAt(3), setAt(2), setAt(0)}, 1: {setAt(3)}, 2: {setAt(3), setAt(2)}} {
			ids, err := v.Sets(ctx, "app", s.trusted, time.Time{}, limit)
			require.NoError(t, err)
			require.Equal(t, want, ids)
		}
		entries, err := v.Catalogue(ctx, "app", s.trusted, time.Time{}, 0)
		require.NoError(t, err)
		require.Len(t, entries, 3)
		swept, err := v.SweepSets(ctx, "app", setAt(9), s.trusted)
		require.NoError(t, err)
		require.Empty(t, swept.Removed, "what is left of it is for PruneSet")
		_, err = v.Tombstones(ctx, "../app", s.trusted)
		require.ErrorContains(t, err, `read service "../app"`)
	})
}

// TestPruneByVersion: on a bucket with versions nothing stays behind hidden.
func TestPruneByVersion(t *testing.T) {
	server := devserver.StartS3(t, devserver.WithVersioning())
	d := versioned(t, server)
	v, s := d.open(t), newSigner(t, 1)
	s.commit(t, v, "app", setAt(1))
	s.commit(t, v, "app", setAt(2))
	loser := recovery.SetPrefix("app", setAt(1)) + "app.9.dump.zst.age"
	upload(t, v, loser, []byte("lost"))
	swept, err := v.SweepSet(t.Context(), "app", setAt(1), s.trusted)
	require.NoError(t, err)
	require.Equal(t, []string{loser}, swept.Removed)
	require.Equal(t, 4, versionsOf(t, server, recovery.SetPrefix("app", setAt(1))), "a sweep hides nothing either")
	require.NoError(t, v.Put(t.Context(), recovery.GuideKey("app", setAt(1)), []byte("a second version")))
	_, err = rawClient(server).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("backups"), Key: aws.String("some/prefix/" + recovery.GuideKey("app", setAt(1)))})
	require.NoError(t, err)
	upload(t, v, loser, []byte("lost again"))
	require.Equal(t, 7, versionsOf(t, server, recovery.SetPrefix("app", setAt(1))))

	pruned, err := v.PruneSet(t.Context(), "app", setAt(1), s.tombstone(t, setAt(1)), s.trusted)
	require.NoError(t, err)
	require.True(t, pruned.Done())
	require.Equal(t, 7, pruned.Removed)
	require.Zero(t, versionsOf(t, server, recovery.SetPrefix("app", setAt(1))))
	require.Equal(t, 4, versionsOf(t, server, recovery.SetPrefix("app", setAt(2))))
	require.Equal(t, 1, versionsOf(t, server, recovery.TombstonePrefix("app")), "trying the right leaves nothing")
}

// TestPruneKeepsWhatIsLocked: if a single object of a set may not be removed yet,
// not even the tombstone is written.
func TestPruneKeepsWhatIsLocked(t *testing.T) {
	onEachLockable(t, func(t *testing.T, server *devserver.S3, d destination) {
		s, ctx, client := newSigner(t, 1), t.Context(), rawClient(server)
		name := func(set recovery.SetID, object string) *string {
			return aws.String("some/prefix/" + recovery.SetPrefix("app", set) + object)
		}
		v := d.open(t)
		s.commit(t, d.locking("compliance", 2*time.Hour).open(t), "app", setAt(1))
		for _, set := range []recovery.SetID{setAt(2), setAt(3), setAt(4)} {
			s.commit(t, v, "app", set)
		}
		governed := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		_, err := client.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{
			Bucket: aws.String("backups"), Key: name(setAt(2), "app.1.dump.zst.age"),
			Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeGovernance, RetainUntilDate: &governed},
		})
		require.NoError(t, err)
		_, err = client.PutObjectLegalHold(ctx, &s3.PutObjectLegalHoldInput{
			Bucket: aws.String("backups"), Key: name(setAt(3), "RESTORE.md"), LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOn},
		})
		require.NoError(t, err)
		lying := d.lying(t)

		locked, err := v.PruneSet(ctx, "app", setAt(1), s.tombstone(t, setAt(1)), s.trusted)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(2*time.Hour), locked.LockedUntil, time.Minute)
		require.False(t, locked.Done())
		require.Zero(t, locked.Removed)
		locked, err = v.PruneSet(ctx, "app", setAt(2), s.tombstone(t, setAt(2)), s.trusted)
		require.NoError(t, err)
		require.Equal(t, vault.Pruned{LockedUntil: governed}, vault.Pruned{LockedUntil: locked.LockedUntil.UTC()})
		held, err := v.PruneSet(ctx, "app", setAt(3), s.tombstone(t, setAt(3)), s.trusted)
		require.NoError(t, err)
		require.Equal(t, vault.Pruned{Hold: true}, held)
		require.Equal(t, lying, d.lying(t), "nothing was touched")

		free, err := v.PruneSet(ctx, "app", setAt(4), s.tombstone(t, setAt(4)), s.trusted)
		require.NoError(t, err)
		require.True(t, free.Done())
		require.Equal(t, 4, free.Removed)

		_, err = client.PutObjectLegalHold(ctx, &s3.PutObjectLegalHoldInput{
			Bucket: aws.String("backups"), Key: name(setAt(3), "RESTORE.md"), LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOff},
		})
		require.NoError(t, err)
		free, err = v.PruneSet(ctx, "app", setAt(3), s.tombstone(t, setAt(3)), s.trusted)
		require.NoError(t, err)
		require.True(t, free.Done())
	})
}

// TestPruneResumes: killed before any of its removals, the next call finishes.
func TestPruneResumes(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *devserver.S3) destination{
		"with versions":    versioned,
		"without versions": func(t *testing.T, server *devserver.S3) destination { return bucket(t, server, "some/prefix") },
	} {
		t.Run(name, func(t *testing.T) {
			server := devserver.StartS3(t, devserver.WithVersioning())
			direct := prepare(t, server)
			var left atomic.Int32
			var kill atomic.Value
			d := direct
			d.spec.Endpoint = front(t, server, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Method == http.MethodDelete && left.Add(-1) < 0 {
					kill.Load().(context.CancelFunc)()
					panic(http.ErrAbortHandler)
				}
				next.ServeHTTP(w, r)
			})
			v, s := d.open(t), newSigner(t, 1)
			const removals = 5 // the try, and four objects
			for after := range removals {
				set := setAt(after)
				s.commit(t, v, "app", set)
				left.Store(int32(after))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				kill.Store(cancel)
				_, err := v.PruneSet(ctx, "app", set, s.tombstone(t, set), s.trusted)
				require.ErrorIs(t, err, context.Canceled, "after %d", after)
				ids, err := v.Sets(t.Context(), "app", s.trusted, time.Time{}, 0)
				require.NoError(t, err)
				pruning, err := v.Pruning(t.Context(), "app", s.trusted)
				require.NoError(t, err)
				if after == 0 {
					require.Equal(t, []recovery.SetID{set}, ids, "no tombstone yet")
					require.Empty(t, pruning)
				} else {
					require.Empty(t, ids)
					require.Equal(t, []recovery.SetID{set}, pruning)
					_, err := v.Manifest(t.Context(), "app", set)
					require.NoError(t, err, "the manifest goes last")
				}

				left.Store(100)
				pruned, err := v.PruneSet(t.Context(), "app", set, s.laterTombstone(t, set), s.trusted)
				require.NoError(t, err)
				require.True(t, pruned.Done())
				require.Zero(t, versionsOf(t, server, recovery.SetPrefix("app", set)))
				if after > 0 {
					require.Equal(t, s.tombstone(t, set), read(t, v, recovery.TombstoneKey("app", set)))
					require.Equal(t, removals-after, pruned.Removed)
				}
			}
		})
	}
}

// TestPruneIsRefused: credentials that may not remove, or not look, leave the set
// as it is, in all lists, and say what they lack.
func TestPruneIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		objects, bucket string
		locked          bool
	}{
		"to look for versions": {`"s3:PutObject","s3:GetObject","s3:DeleteObject"`, `"s3:ListBucket"`, false},
		"to remove":            {`"s3:PutObject","s3:GetObject"`, `"s3:ListBucket","s3:GetBucketVersioning"`, false},
		"to remove versions":   {`"s3:PutObject","s3:GetObject","s3:DeleteObject","s3:GetObjectRetention","s3:GetObjectLegalHold"`, `"s3:ListBucket","s3:GetBucketVersioning","s3:ListBucketVersions"`, true},
		"to look at locks":     {`"s3:PutObject","s3:GetObject","s3:DeleteObject","s3:DeleteObjectVersion"`, `"s3:ListBucket","s3:GetBucketVersioning","s3:ListBucketVersions"`, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := devserver.StartS3(t, devserver.WithVersioning())
			var d destination
			if c.locked {
				d = lockable(t, server)
			} else {
				d = bucket(t, server, "some/prefix")
			}
			s := newSigner(t, 1)
			s.commit(t, d.open(t), "app", setAt(1))
			server.User(t, "prune", "prunesecret", "user")
			server.Policy(t, "backups", `{"Version":"2012-10-17","Statement":[
				{"Effect":"Allow","Principal":["prune"],"Action":[`+c.objects+`],"Resource":["arn:aws:s3:::backups/*"]},
				{"Effect":"Allow","Principal":["prune"],"Action":[`+c.bucket+`],"Resource":["arn:aws:s3:::backups"]}]}`)
			lying := d.lying(t)
			d.cred = vault.Credentials{AccessKey: "prune", SecretKey: "prunesecret"}
			v := d.open(t)
			pruned, err := v.PruneSet(t.Context(), "app", setAt(1), s.tombstone(t, setAt(1)), s.trusted)
			require.NoError(t, err)
			require.False(t, pruned.Done())
			require.Zero(t, pruned.Removed)
			require.Contains(t, pruned.Refused, "AccessDenied")
			require.Contains(t, pruned.Refused, "(give the key that prunes bucket backups the rights GetBucketVersioning, ")
			require.Contains(t, pruned.Refused, string(setAt(1)))
			require.Equal(t, lying, d.lying(t))
			ids, err := v.Sets(t.Context(), "app", s.trusted, time.Time{}, 0)
			require.NoError(t, err)
			require.Len(t, ids, 1)
		})
	}
}

// TestPruneRightsAreEnough: the rights that a refusal names are all that is needed.
func TestPruneRightsAreEnough(t *testing.T) {
	onEachLockable(t, func(t *testing.T, server *devserver.S3, d destination) {
		s := newSigner(t, 1)
		s.commit(t, d.open(t), "app", setAt(1))
		server.User(t, "prune", "prunesecret", "user")
		server.Policy(t, "backups", `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":["prune"],"Action":["s3:GetObjectRetention","s3:GetObjectLegalHold","s3:DeleteObject","s3:DeleteObjectVersion","s3:GetObject","s3:PutObject"],"Resource":["arn:aws:s3:::backups/*"]},
			{"Effect":"Allow","Principal":["prune"],"Action":["s3:GetBucketVersioning","s3:ListBucket","s3:ListBucketVersions"],"Resource":["arn:aws:s3:::backups"]}]}`)
		d.cred = vault.Credentials{AccessKey: "prune", SecretKey: "prunesecret"}
		pruned, err := d.open(t).PruneSet(t.Context(), "app", setAt(1), s.tombstone(t, setAt(1)), s.trusted)
		require.NoError(t, err)
		require.Empty(t, pruned.Refused)
		require.True(t, pruned.Done())
		require.Equal(t, []string{recovery.TombstoneKey("app", setAt(1))}, d.lying(t))
	})
}

func TestPruneIsRefusedByAFolder(t *testing.T) {
	d := folder(t)
	s := newSigner(t, 1)
	s.commit(t, d.open(t), "app", setAt(1))
	lying := d.lying(t)
	require.NoError(t, filepath.Walk(d.dir, func(name string, info os.FileInfo, err error) error {
		if err == nil && info.IsDir() {
			err = os.Chmod(name, 0o555)
		} else if err == nil {
			err = os.Chmod(name, 0o444)
		}
		return err
	}))
	var pruned vault.Pruned
	var err error
	asNobody(t, d.dir, func() {
		pruned, err = d.open(t).PruneSet(t.Context(), "app", setAt(1), s.tombstone(t, setAt(1)), s.trusted)
	})
	require.NoError(t, err)
	require.Contains(t, pruned.Refused, "permission denied (let this user read and write in the folder "+d.dir+")")
	require.Zero(t, pruned.Removed)
	require.Equal(t, lying, d.lying(t))
}

func TestAbortStale(t *testing.T) {
	onEachStore(t, func(t *testing.T, d destination) {
		v, s := d.open(t), newSigner(t, 1)
		s.commit(t, v, "app", setAt(1))
		kept := d.lying(t)
		d.begin(t, recovery.SetPrefix("app", setAt(1))+"app.2.dump.zst.age")
		d.begin(t, "other/sets/x/y")
		before := d.lying(t)
		swept, err := v.AbortStale(t.Context(), time.Hour)
		require.NoError(t, err)
		require.Equal(t, vault.Swept{}, swept, "they are being written")
		require.Equal(t, before, d.lying(t))
		swept, err = v.AbortStale(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, swept.Removed, 2)
		require.Equal(t, kept, d.lying(t))
	})
}

// TestAbortStaleLeavesOthers: what others keep in the same place is not touched.
func TestAbortStaleLeavesOthers(t *testing.T) {
	ours := []string{
		recovery.SetPrefix("app", setAt(1)) + "app.1.dump.zst.age", recovery.ProofKey("app", setAt(1), setAt(1).Time(), recovery.ProofDrill),
		recovery.DecisionKey("app", "one"), recovery.TombstoneKey("app", setAt(1)), recovery.DrillKey("app", setAt(1).Time()),
	}
	others := []string{"film.mkv", "films/2026/film.mkv", "Films/sets/film.mkv", "drills", "app/sets", "app/other/x"}
	test := func(t *testing.T, d destination) {
		for _, key := range others {
			d.begin(t, key)
		}
		kept := d.lying(t)
		for _, key := range ours {
			d.begin(t, key)
		}
		swept, err := d.open(t).AbortStale(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, swept.Removed, len(ours))
		require.Empty(t, swept.Left)
		require.Equal(t, kept, d.lying(t))
	}
	t.Run("s3", func(t *testing.T) { test(t, bucket(t, devserver.StartS3(t), "")) })
	t.Run("file", func(t *testing.T) {
		d := folder(t)
		for _, name := range []string{"app/sets/notes.tmp", "app/sets/x.123.tmp", "app/sets/x.abcdefgh2345.tmp", "app/sets/xABCDEFGH2345.tmp", "drills/a.tmp"} {
			require.NoError(t, os.MkdirAll(filepath.Join(d.dir, filepath.Dir(name)), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(d.dir, name), nil, 0o600))
		}
		test(t, d)
	})
}
