package config_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
)

func TestRunbooks(t *testing.T) {
	cfg, err := config.Load("testdata/good/full.yaml")
	require.NoError(t, err)
	here, err := filepath.Abs("testdata/good")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(here, "ops/runbooks"), cfg.RunbooksFolder())
	require.Equal(t, map[string]string{
		"restart": "systemctl restart where2eat", "health": "http://127.0.0.1:8090/ready?full=1", "repo": "ssh://git@git.example/where2eat",
	}, cfg.Services[0].Variables)

	small, err := config.Load("testdata/good/small.yaml")
	require.NoError(t, err)
	require.Empty(t, small.RunbooksFolder())
	require.Empty(t, small.Services[0].Variables)
}
