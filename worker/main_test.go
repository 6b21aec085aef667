package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/once"
)

// The test program is also the worker that is started as a supervisor.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "supervise" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// A supervisor has the environment of its command: neither a config nor Temporal.
func TestSupervise(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	r := once.Runner{Dir: filepath.Join(t.TempDir(), "once"), Shim: []string{exe, "supervise"}}
	env := []string{"LIFEBOAT_CONFIG=/nowhere/lifeboat.yaml", "TEMPORAL_ADDRESS=127.0.0.1:1"}
	job := once.Job{Key: "change-1", Path: "/usr/bin/env", Env: env, Timeout: time.Minute}
	outcome, err := r.Run(t.Context(), job, func(context.Context, string) (bool, error) { return true, nil })
	require.NoError(t, err)
	require.True(t, outcome.Known)
	require.Empty(t, outcome.Failure)
	require.Equal(t, strings.Join(env, "\n")+"\n", outcome.Output)
}

func TestSuperviseByHand(t *testing.T) {
	folder := t.TempDir()
	tests := map[string]struct {
		args []string
		want string
	}{
		"a folder":  {[]string{"supervise", folder}, "worker: error: supervise " + folder + ": the worker starts this by itself"},
		"no folder": {[]string{"supervise"}, "worker: error: accepts 1 arg(s), received 0"},
		"two":       {[]string{"supervise", folder, folder}, "worker: error: accepts 1 arg(s), received 2"},
		"another":   {[]string{"watch"}, `worker: error: unknown command "watch" for "worker"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			require.Equal(t, 1, run(tt.args, &stdout, &stderr))
			require.Contains(t, stderr.String(), tt.want)
			require.Empty(t, stdout.String())
		})
	}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestHelpIsForPeople(t *testing.T) {
	var stdout, stderr strings.Builder
	require.Zero(t, run([]string{"--help"}, &stdout, &stderr))
	require.Contains(t, stdout.String(), "worker --config lifeboat.yaml")
	for _, hidden := range []string{"supervise", "completion", "Available Commands"} {
		require.NotContains(t, stdout.String(), hidden, fmt.Sprint(hidden, " is nothing that people start"))
	}
}
