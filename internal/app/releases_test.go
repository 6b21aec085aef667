package app

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// onEachKind runs a test on a store that is a folder, and on one that is a bucket.
func onEachKind(t *testing.T, test func(t *testing.T, s *store, key recovery.SigningKey)) {
	open := func(t *testing.T, main string) {
		files, key := writeConfig(t, main)
		cfg, err := files.load()
		require.NoError(t, err)
		opened, err := (&stores{configs: files}).OpenStore(t.Context(), cfg.DestinationSpecs()[0], cfg.EncryptionSpec())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, opened.Close()) })
		test(t, opened.(*store), key)
	}
	t.Run("file", func(t *testing.T) {
		dir := t.TempDir()
		open(t, fmt.Sprintf("url: %q", "file://"+dir))
	})
	t.Run("s3", func(t *testing.T) {
		server := devserver.StartS3(t)
		server.Bucket(t, "backups")
		t.Setenv("LIFEBOAT_S3_ACCESS_KEY", server.AccessKey)
		t.Setenv("LIFEBOAT_S3_SECRET_KEY", server.SecretKey)
		open(t, fmt.Sprintf("url: 's3://backups/lifeboat', endpoint: %q, region: %q, pathStyle: true, accessKey: env:LIFEBOAT_S3_ACCESS_KEY, secretKey: env:LIFEBOAT_S3_SECRET_KEY",
			server.Endpoint, server.Region))
	})
}

func TestClaim(t *testing.T) {
	onEachKind(t, func(t *testing.T, s *store, _ recovery.SigningKey) {
		claim := func(key, service, nonce string) bool {
			t.Helper()
			mine, err := s.Claim(t.Context(), &recovery.Claim{Key: key, Service: service, Command: "deploy.deploy", Nonce: nonce})
			require.NoError(t, err)
			return mine
		}
		require.True(t, claim("approval-1", "where2eat", "one"))
		require.True(t, claim("approval-1", "where2eat", "one"), "asked again")
		require.False(t, claim("approval-1", "where2eat", "two"), "somebody else")
		require.True(t, claim("approval-1", "where2eat", "one"), "it stays")
		require.True(t, claim("approval-2", "where2eat", "two"))
		require.True(t, claim("approval-1", "other", "two"))

		stopped, stop := context.WithCancel(t.Context())
		stop()
		mine, err := s.Claim(stopped, &recovery.Claim{Key: "approval-3", Service: "where2eat", Nonce: "one"})
		require.Error(t, err)
		require.False(t, mine, "nobody knows")
	})
}

// Of those that start a command at the same time, one is the first.
func TestClaimHasOneWinner(t *testing.T) {
	onEachKind(t, func(t *testing.T, s *store, _ recovery.SigningKey) {
		won := make(chan bool)
		for i := range 8 {
			go func() {
				mine, err := s.Claim(t.Context(), &recovery.Claim{Key: "key", Service: "where2eat", Nonce: fmt.Sprint(i)})
				won <- err == nil && mine
			}()
		}
		winners := 0
		for range 8 {
			if <-won {
				winners++
			}
		}
		require.Equal(t, 1, winners)
	})
}

func TestRecords(t *testing.T) {
	onEachKind(t, func(t *testing.T, s *store, key recovery.SigningKey) {
		ctx := t.Context()
		record := func(n int, service string) *release.Record {
			return &release.Record{
				Format: release.RecordFormat, Service: service, Tag: fmt.Sprintf("v%d", n), Kind: release.Watched, Verdict: recovery.Proven,
				At: time.Date(2026, 11, 1, 10, n, 0, 0, time.UTC), For: recovery.Duration(10 * time.Minute), Checks: n,
			}
		}
		list := func(limit int) []string {
			t.Helper()
			records, err := s.Records(ctx, "where2eat", limit)
			require.NoError(t, err)
			tags := []string{}
			for _, r := range records {
				tags = append(tags, r.Tag)
			}
			return tags
		}
		require.Empty(t, list(10))
		for _, n := range []int{3, 1, 4, 2, 5} {
			require.NoError(t, s.Record(ctx, record(n, "where2eat")))
		}
		require.NoError(t, s.Record(ctx, record(9, "other")))
		require.NoError(t, s.Record(ctx, record(3, "where2eat")), "kept again")
		require.Equal(t, []string{"v1", "v2", "v3", "v4", "v5"}, list(10))
		require.Equal(t, []string{"v4", "v5"}, list(2), "the newest")
		records, err := s.Records(ctx, "where2eat", 1)
		require.NoError(t, err)
		require.Equal(t, []release.Record{*record(5, "where2eat")}, records)

		other := record(3, "where2eat")
		other.Verdict = recovery.Disproven
		err = s.Record(ctx, other)
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
		require.ErrorContains(t, err, "another run wrote it")

		// What somebody else put there is not taken for evidence.
		stranger, err := recovery.NewSigningKey([]byte("abcdefghijklmnopqrstuvwxyz012345"))
		require.NoError(t, err)
		forged := record(6, "where2eat")
		signed, err := forged.Encode(stranger)
		require.NoError(t, err)
		require.NoError(t, s.vault.PutOnce(ctx, forged.Key(), signed))
		require.NoError(t, s.vault.PutOnce(ctx, record(7, "where2eat").Key(), []byte(`{"format":1,"service":"where2eat","tag":"v7","kind":"watched","verdict":"proven"}`)))
		moved, err := record(9, "other").Encode(key)
		require.NoError(t, err)
		require.NoError(t, s.vault.PutOnce(ctx, record(9, "where2eat").Key(), moved), "of another service")
		old, err := record(1, "where2eat").Encode(key)
		require.NoError(t, err)
		require.NoError(t, s.vault.PutOnce(ctx, record(8, "where2eat").Key(), old), "an old one, as if it were new")
		require.Equal(t, []string{"v1", "v2", "v3", "v4", "v5"}, list(10))

		s.cfg.Signing.Trusted = []string{stranger.Public().String()}
		require.Equal(t, []string{"v6"}, list(10), "who is trusted decides")
	})
}

func TestRecordWithoutTheKey(t *testing.T) {
	files, _ := writeConfig(t, fmt.Sprintf("url: %q", "file://"+t.TempDir()))
	cfg, err := files.load()
	require.NoError(t, err)
	s := &store{cfg: cfg}
	path, ok := cfg.SecretFile("file:signing.key")
	require.True(t, ok)
	require.NoError(t, os.Remove(path))
	require.Equal(t, recovery.Permanent, recovery.KindOf(s.Record(t.Context(), &release.Record{Service: "where2eat"})))
}
