package vault

import (
	"bytes"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
)

// TestMoveInParts: an object too large to be copied at once is the same afterwards.
func TestMoveInParts(t *testing.T) {
	server := devserver.StartS3(t, devserver.WithVersioning())
	server.Bucket(t, "backups")
	_, err := server.Client(server.AccessKey, server.SecretKey).PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String("backups"), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	require.NoError(t, err)
	v := openAt(t, server.Endpoint, Credentials{server.AccessKey, server.SecretKey})
	const key = "app/sets/x y+z/ä.dump"
	data := bytes.Repeat([]byte("0123456789abcde\n"), 12<<20/16)
	u, err := v.Create(t.Context(), key, 0)
	require.NoError(t, err)
	_, err = u.Write(data)
	require.NoError(t, err)
	require.NoError(t, u.Commit())
	store, ok := v.store.(*s3Store)
	require.True(t, ok)
	before, err := store.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &store.name, Key: aws.String(key)})
	require.NoError(t, err)

	moved, err := store.move(t.Context(), key, "STANDARD_IA", 5<<20)
	require.NoError(t, err)
	require.True(t, moved)
	after, err := store.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &store.name, Key: aws.String(key)})
	require.NoError(t, err)
	require.NotEqual(t, *before.ETag, *after.ETag, "it was written anew, in three parts")
	require.Contains(t, *after.ETag, "-3")
	require.NotEqual(t, *before.VersionId, *after.VersionId)
	versions, err := store.versions(t.Context(), "app/")
	require.NoError(t, err)
	require.Len(t, versions, 1, "the version in the old class is gone")
	require.Equal(t, before.Metadata, after.Metadata)
	r, _, err := v.Open(t.Context(), key)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.True(t, bytes.Equal(data, got))

	moved, err = store.move(t.Context(), key, "STANDARD", 5<<20)
	require.NoError(t, err)
	require.False(t, moved, "it is there already")
}
