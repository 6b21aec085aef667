package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func TestBackupIsProvenAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	w := r.StartWorker()
	report := r.Backup()

	require.Equal(t, recovery.Proven, report.Verdict)
	require.True(t, *report.FingerprintEqual)
	require.Len(t, report.Artefacts, 2)
	for _, a := range report.Artefacts {
		require.Len(t, a.SHA256, 64)
		require.Positive(t, a.Rows)
	}
	require.True(t, report.RPO.Met)
	require.True(t, report.RTO.Met)
	require.NotEmpty(t, report.Smoke.Steps)
	for _, step := range report.Smoke.Steps {
		require.True(t, step.OK, step)
	}
	r.RequireClean(report.Set)

	t.Run("ready names each dependency", func(t *testing.T) {
		var ready struct {
			Ready        bool
			Queues       []string
			Destinations map[string]struct{ State string }
		}
		getJSON(t, "http://"+w.Address+"/ready", &ready)
		require.True(t, ready.Ready)
		require.Equal(t, []string{"lifeboat", "restore", "host/local"}, ready.Queues)
		require.Equal(t, "ok", ready.Destinations["main"].State)
		getJSON(t, "http://"+w.Address+"/health", new(any))
	})
	t.Run("logs are JSON without secrets", func(t *testing.T) {
		log, err := os.ReadFile(w.Log)
		require.NoError(t, err)
		require.Contains(t, string(log), `"message":"worker is running"`)
		for line := range strings.Lines(string(log)) {
			require.True(t, json.Valid([]byte(line)), line)
		}
		for _, secret := range r.Secrets() {
			require.NotContains(t, string(log), secret)
		}
	})
	t.Run("histories hold no secrets", func(t *testing.T) {
		for _, id := range []string{workflows.BackupID(sandbox.Service), workflows.VerifyID(report.Set, "main")} {
			history := r.History(id)
			require.Contains(t, history, "env:WHERE2EAT_DATABASE_URL", "secrets travel as references")
			for _, secret := range r.Secrets() {
				require.NotContains(t, history, secret)
			}
		}
	})
	t.Run("stops cleanly", func(t *testing.T) { require.Zero(t, w.Stop()) })
}

func getJSON(t *testing.T, url string, into any) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(body))
	require.NoError(t, json.Unmarshal(body, into), string(body))
}

func TestCatalogueOutlivesTemporal(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.StartWorker()
	first := r.Backup()
	second := r.Backup()
	before := r.Starter("sets", sandbox.Service, "--json")
	require.Zero(t, before.Code, before.Stderr)
	require.Contains(t, before.Stdout, string(first.Set))

	r.StopTemporal()
	require.NoError(t, os.RemoveAll(filepath.Join(r.Dir, "temporal")))
	after := r.Starter("sets", sandbox.Service, "--json")
	require.Zero(t, after.Code, after.Stderr)
	require.Equal(t, before.Stdout, after.Stdout)
	var lines []struct {
		Set   recovery.SetID
		Level recovery.Level
	}
	require.NoError(t, json.Unmarshal([]byte(after.Stdout), &lines))
	require.Len(t, lines, 2)
	require.Equal(t, second.Set, lines[0].Set, "newest first")
	require.Equal(t, recovery.LevelProven, lines[0].Level)

	shown := r.Starter("show", string(first.Set))
	require.Zero(t, shown.Code, shown.Stderr)
	require.Contains(t, shown.Stdout, "is PROVEN")

	out := r.Starter("backup", sandbox.Service)
	require.Equal(t, 5, out.Code, "Temporal is gone")
	require.Contains(t, out.Stderr, "it does not answer")
}

func TestStartedWithTheInputOfTheTemporalUI(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.StartWorker()
	c := r.Client()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "anything", TaskQueue: "lifeboat"},
		"BackupAndVerify", json.RawMessage(`{"service":"where2eat"}`))
	require.NoError(t, err)
	var report recovery.Report
	require.NoError(t, run.Get(t.Context(), &report))
	require.Equal(t, recovery.LevelProven, report.Level)

	d, err := c.DescribeWorkflowExecution(context.Background(), run.GetID(), run.GetRunID())
	require.NoError(t, err)
	fields := d.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()
	require.Equal(t, `"where2eat"`, string(fields["LifeboatService"].GetData()))
	require.Equal(t, `"BackupAndVerify"`, string(fields["LifeboatPlaybook"].GetData()))
	require.Equal(t, `"proven"`, string(fields["LifeboatOutcome"].GetData()))
}

func TestFolderAsDestination(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	folder := r.UseFolder()
	r.StartWorker()
	report := r.Backup()
	var names []string
	require.NoError(t, filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, err := d.Info()
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
			names = append(names, d.Name())
		}
		return err
	}))
	require.Len(t, names, 8, "%v", names) // 5 objects, manifest, guide, proof
	require.Equal(t, recovery.Proven, report.Verdict)
}

func TestWithoutTheKeySetsStayStored(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Configure(func(c *sandbox.Config) { c.Identities = false })
	require.NoError(t, os.Remove(r.KeyFile()))
	w := r.StartWorker()
	out := r.Starter("backup", sandbox.Service, "--json")
	require.Zero(t, out.Code, out.Stderr)
	report := out.Report(t)
	require.Equal(t, recovery.LevelStored, report.Level)
	require.Contains(t, report.Sentence, "is STORED")
	log, err := os.ReadFile(w.Log)
	require.NoError(t, err)
	require.Contains(t, string(log), `"queues":["lifeboat","host/local"]`)

	t.Run("and its digest is checked", func(t *testing.T) {
		r.Damage(report.Artefacts[0].Object, 100)
		out := r.Starter("verify", sandbox.Service)
		require.Equal(t, 3, out.Code, out.Stderr)
		require.Contains(t, out.Stderr, "its SHA-256 is not the one in the manifest")
	})
}
