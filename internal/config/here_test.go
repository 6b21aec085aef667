package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestRevealHere(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("SOME_URL", "postgres://from-env")
	require.NoError(t, os.WriteFile("url", []byte("postgres://from-file\n"), 0o600))
	here, err := os.Getwd()
	require.NoError(t, err)
	for ref, want := range map[string]string{
		"env:SOME_URL": "postgres://from-env", "file:url": "postgres://from-file", "file:" + filepath.Join(here, "url"): "postgres://from-file",
	} {
		secret, err := config.RevealHere(ref)
		require.NoError(t, err, ref)
		require.Equal(t, want, secret.Reveal())
	}
	for ref, part := range map[string]string{
		"postgres://app:hunter2@db/app": "neither env:NAME nor file:PATH",
		"env:NOT_SET_ANYWHERE":          "set NOT_SET_ANYWHERE",
		"file:missing":                  "no such file",
	} {
		_, err := config.RevealHere(ref)
		require.ErrorContains(t, err, part)
		require.NotContains(t, err.Error(), "hunter2")
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	}
}

func TestS3Keys(t *testing.T) {
	for _, name := range []string{"LIFEBOAT_S3_ACCESS_KEY", "LIFEBOAT_S3_SECRET_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "OWN_ACCESS", "OWN_SECRET"} {
		t.Setenv(name, "")
	}
	_, _, err := config.S3Keys("", "")
	require.ErrorContains(t, err, "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))

	// The later ones are better; half a pair is none.
	for _, pair := range [][2]string{{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}, {"LIFEBOAT_S3_ACCESS_KEY", "LIFEBOAT_S3_SECRET_KEY"}, {"OWN_ACCESS", "OWN_SECRET"}} {
		before, _, _ := config.S3Keys("env:OWN_ACCESS", "env:OWN_SECRET")
		t.Setenv(pair[0], "access of "+pair[0])
		half, _, _ := config.S3Keys("env:OWN_ACCESS", "env:OWN_SECRET")
		require.Equal(t, before.Reveal(), half.Reveal())
		t.Setenv(pair[1], "secret of "+pair[1])
		access, secret, err := config.S3Keys("env:OWN_ACCESS", "env:OWN_SECRET")
		require.NoError(t, err)
		require.Equal(t, "access of "+pair[0], access.Reveal())
		require.Equal(t, "secret of "+pair[1], secret.Reveal())
	}
}
