package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// destination is an empty place of one kind, and what a test must see of it
// without the vault's help.
type destination struct {
	spec recovery.DestinationSpec
	cred vault.Credentials
	// lying names everything that is there: objects, temporary files and, as
	// "upload:KEY", unfinished uploads; relative to the prefix.
	lying func(t *testing.T) []string
	// begin leaves an upload unfinished, as a killed worker does.
	begin func(t *testing.T, key string)
	// corrupt changes the stored bytes of an object behind the store's back.
	corrupt func(t *testing.T, key string, change func([]byte) []byte)
	dir     string // where the objects lie as files
}

func (d destination) open(t testing.TB) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), d.spec, d.cred)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Close()) })
	return v
}

// onEachStore runs a test on a folder and on a bucket.
func onEachStore(t *testing.T, test func(t *testing.T, d destination)) {
	t.Run("file", func(t *testing.T) { test(t, folder(t)) })
	t.Run("s3", func(t *testing.T) { test(t, bucket(t, devserver.StartS3(t), "some/prefix")) })
}

func folder(t *testing.T) destination {
	dir := filepath.Join(t.TempDir(), "vault")
	require.NoError(t, os.Mkdir(dir, 0o700))
	return destination{
		spec:  recovery.DestinationSpec{Name: "main", URL: "file://" + dir},
		lying: func(t *testing.T) []string { return filesBelow(t, dir) },
		begin: func(t *testing.T, key string) {
			name := filepath.Join(dir, key+".ABCDEFGH2345.tmp")
			require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
			require.NoError(t, os.WriteFile(name, []byte("half"), 0o600))
		},
		corrupt: func(t *testing.T, key string, change func([]byte) []byte) {
			changeFile(t, filepath.Join(dir, key), change)
		},
		dir: dir,
	}
}

// bucket makes the bucket "backups".
func bucket(t *testing.T, server *devserver.S3, prefix string) destination {
	name := "backups"
	server.Bucket(t, name)
	client := rawClient(server)
	below := ""
	if prefix != "" {
		below = prefix + "/"
	}
	return destination{
		spec: recovery.DestinationSpec{
			Name: "main", URL: "s3://" + name + "/" + prefix, Endpoint: server.Endpoint, Region: server.Region, PathStyle: true,
		},
		cred: vault.Credentials{AccessKey: server.AccessKey, SecretKey: server.SecretKey},
		lying: func(t *testing.T) []string {
			var names []string
			objects, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &name})
			require.NoError(t, err)
			for _, o := range objects.Contents {
				names = append(names, strings.TrimPrefix(*o.Key, below))
			}
			uploads, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &name})
			require.NoError(t, err)
			for _, u := range uploads.Uploads {
				names = append(names, "upload:"+strings.TrimPrefix(*u.Key, below))
			}
			slices.Sort(names)
			return names
		},
		begin: func(t *testing.T, key string) {
			_, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &name, Key: aws.String(below + key)})
			require.NoError(t, err)
		},
		corrupt: func(t *testing.T, key string, change func([]byte) []byte) {
			changeFile(t, filepath.Join(server.DataDir, name, below, key), change)
		},
		dir: filepath.Join(server.DataDir, name, below),
	}
}

func rawClient(server *devserver.S3) *s3.Client {
	return s3.New(s3.Options{
		Region: server.Region, BaseEndpoint: &server.Endpoint, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: server.AccessKey, SecretAccessKey: server.SecretKey}, nil
		}),
	})
}

func filesBelow(t *testing.T, dir string) []string {
	names := []string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, name)
		}
		return err
	}))
	slices.Sort(names)
	return names
}

func changeFile(t *testing.T, name string, change func([]byte) []byte) {
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0) // in place: the server keeps attributes on it
	require.NoError(t, err)
	_, err = f.Write(change(data))
	require.NoError(t, errors.Join(err, f.Close()))
}

// signer makes manifests and proofs as a run does.
type signer struct {
	key     recovery.SigningKey
	trusted []recovery.PublicKey
}

func newSigner(t testing.TB, seed byte) signer {
	t.Helper()
	key, err := recovery.NewSigningKey(bytes.Repeat([]byte{seed}, 32))
	require.NoError(t, err)
	return signer{key, []recovery.PublicKey{key.Public()}}
}

func (s signer) manifest(t testing.TB, service string, set recovery.SetID, attempt int) []byte {
	t.Helper()
	data, err := recovery.EncodeManifest(&recovery.Manifest{
		Format: recovery.ManifestFormat, Service: service, Set: set, Created: set.Time(),
		Artefacts: []recovery.Artefact{{
			Source: "app", Kind: recovery.KindPostgres, Set: set, Attempt: attempt, Snapshot: set.Time(),
			Dump:       recovery.Object{Role: recovery.RoleDump, Name: recovery.ObjectName("app", attempt, "dump"), Size: 5},
			Companions: []recovery.Object{{Role: recovery.RoleFingerprint, Name: recovery.ObjectName("app", attempt, "fingerprint")}},
		}},
	}, s.key)
	require.NoError(t, err)
	return data
}

func (s signer) tombstone(t testing.TB, set recovery.SetID) []byte {
	t.Helper()
	return s.tombstoneOf(t, set, setAt(20).Time())
}

func (s signer) laterTombstone(t testing.TB, set recovery.SetID) []byte {
	t.Helper()
	return s.tombstoneOf(t, set, setAt(21).Time())
}

func (s signer) tombstoneOf(t testing.TB, set recovery.SetID, pruned time.Time) []byte {
	t.Helper()
	return s.tombstoneAt(t, set, pruned, "main")
}

func (s signer) tombstoneAt(t testing.TB, set recovery.SetID, pruned time.Time, destination string) []byte {
	t.Helper()
	data, err := recovery.EncodeTombstone(&recovery.Tombstone{
		Format: recovery.TombstoneFormat, Service: "app", Set: set, Destination: destination, Pruned: pruned, Why: []string{"it is old"},
	}, s.key)
	require.NoError(t, err)
	return data
}

func (s signer) proof(t testing.TB, set recovery.SetID, at time.Time, level recovery.Level) []byte {
	t.Helper()
	data, err := recovery.EncodeProof(&recovery.Proof{
		Format: recovery.ProofFormat, Service: "app", Set: set, Kind: recovery.ProofRestore, Tried: level, Level: level,
		Verdict: recovery.Proven, Sentence: "it reached " + level.String(), Started: at, Ended: at.Add(time.Minute),
	}, s.key)
	require.NoError(t, err)
	return data
}

// commit stores a set as attempt 1 of a run does.
func (s signer) commit(t testing.TB, v *vault.Vault, service string, set recovery.SetID) {
	t.Helper()
	for _, ext := range []string{"dump", "fingerprint"} {
		upload(t, v, recovery.SetPrefix(service, set)+recovery.ObjectName("app", 1, ext), []byte("bytes"))
	}
	require.NoError(t, v.CommitSet(t.Context(), service, set, s.manifest(t, service, set, 1), []byte("# how to restore\n")))
}

func upload(t testing.TB, v *vault.Vault, key string, data []byte) {
	t.Helper()
	u, err := v.Create(t.Context(), key, int64(len(data)))
	require.NoError(t, err)
	_, err = u.Write(data)
	require.NoError(t, err)
	require.NoError(t, u.Commit())
}

// setAt is the id of a set begun so many hours after a fixed day.
func setAt(hours int) recovery.SetID {
	return recovery.NewSetID(time.Date(2026, 11, 1, hours, 0, 0, 0, time.UTC), fmt.Sprintf("%06x", hours))
}
