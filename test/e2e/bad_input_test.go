package e2e_test

import (
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/internal/seal"
	"github.com/lifeboat-run/lifeboat/test/rig"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func password(t *testing.T, r *rig.Rig) string {
	t.Helper()
	u, err := url.Parse(r.Production.URL("postgres"))
	require.NoError(t, err)
	p, _ := u.User.Password()
	return p
}

// A mistake in a source stops at once, with the mend, and without a secret.
func TestSourceThatCannotBeDumped(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.Exec("postgres", "create role weak login password 'weak-secret'")
	weak := func(database string) string {
		u, err := url.Parse(r.Production.URL(database))
		require.NoError(t, err)
		u.User = url.UserPassword("weak", "weak-secret")
		return u.String()
	}
	for name, c := range map[string]struct{ address, says string }{
		"wrong password":   {strings.Replace(r.Production.URL(sandbox.Database), password(t, r), "wrong-secret", 1), "password"},
		"unknown database": {r.Production.URL("nowhere"), `database "nowhere" does not exist`},
		"no right":         {weak(sandbox.Database), "user weak has no right to read public."},
	} {
		t.Run(name, func(t *testing.T) {
			r.Env["WHERE2EAT_DATABASE_URL"] = c.address
			w := r.StartWorker()
			out := r.Starter("backup", sandbox.Service, "--json")
			require.Equal(t, 3, out.Code, out.Stderr)
			require.Contains(t, out.Stderr, "app was not backed up")
			require.Contains(t, out.Stderr, c.says)
			require.NotContains(t, out.Stderr+out.Stdout, "gave up after", "it is not retried")
			for _, secret := range []string{"wrong-secret", "weak-secret", password(t, r)} {
				require.NotContains(t, out.Stderr+out.Stdout, secret)
				log, err := os.ReadFile(w.Log)
				require.NoError(t, err)
				require.NotContains(t, string(log), secret)
			}
			require.Zero(t, w.Stop())
		})
	}
}

func TestDestinationThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	require.NoError(t, r.S3.MakeBucket(t.Context(), "locked"))
	require.NoError(t, r.S3.AddUser(t.Context(), "reader", "reader-secret", "user"))
	require.NoError(t, r.S3.SetPolicy(t.Context(), "locked", `{"Statement":[{"Effect":"Allow","Principal":["reader"],"Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::locked","arn:aws:s3:::locked/*"]}]}`))
	root, secret := r.Env["LIFEBOAT_S3_ACCESS_KEY"], r.Env["LIFEBOAT_S3_SECRET_KEY"]
	for name, c := range map[string]struct{ bucket, key, secret, says string }{
		"missing bucket": {"nowhere", root, secret, "nowhere"},
		"refused write":  {"locked", "reader", "reader-secret", "main"},
		"wrong key":      {sandbox.Bucket, root, "wrong-secret", "main"},
	} {
		t.Run(name, func(t *testing.T) {
			r.Configure(func(cfg *sandbox.Config) { cfg.Bucket = c.bucket })
			r.Env["LIFEBOAT_S3_ACCESS_KEY"], r.Env["LIFEBOAT_S3_SECRET_KEY"] = c.key, c.secret
			w := r.StartWorker()
			out := r.Starter("backup", sandbox.Service)
			require.Equal(t, 1, out.Code, out.Stderr)
			require.Contains(t, out.Stderr, "no recovery set was made")
			require.Contains(t, out.Stderr, c.says)
			require.NotContains(t, out.Stderr, "gave up after", "it is not retried")
			require.NotContains(t, out.Stderr, c.secret)
			require.Zero(t, w.Stop())
		})
	}
}

func TestKeyThatDoesNotFit(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.StartWorker()
	set := r.Backup().Set
	other, _, err := seal.GenerateIdentity()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(r.KeyFile(), []byte(other), 0o600))
	out := r.Starter("verify", sandbox.Service, "--set", string(set))
	require.Equal(t, 4, out.Code, "the set may be whole: %s", out.Stderr)
	require.Contains(t, out.Stderr, "key")
	require.NotContains(t, out.Stderr, other)
}

func TestUnsignedManifest(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.StartWorker()
	set := r.Backup().Set
	file := r.ObjectFile(recovery.ManifestKey(sandbox.Service, set))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), `"signature"`, `"note"`, 1)), 0o600))
	out := r.Starter("verify", sandbox.Service)
	require.Equal(t, 3, out.Code, out.Stderr)
	require.Contains(t, out.Stderr, "it is not signed")
}

func TestCommandsRefuseWhatTheyDoNotKnow(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.StartWorker()
	for args, c := range map[string]struct {
		code int
		says string
	}{
		"backup where2et":                                {2, "where2eat"},
		"backup":                                         {2, "accepts 1 arg"},
		"backup where2eat --level best":                  {2, `read --level "best"`},
		"verify where2eat --set latest":                  {2, `read set id "latest"`},
		"verify where2eat":                               {1, "starter sets where2eat"},
		"show 20200101T000000Z-000000":                   {1, "20200101T000000Z-000000"},
		"sets where2eat --since 1day":                    {2, "such as 90s, 30m, 24h or 7d"},
		"sets where2eat --limit 0":                       {2, "--limit 0"},
		"verify where2eat --set 20200101T000000Z-000000": {1, "starter sets where2eat"},
	} {
		t.Run(args, func(t *testing.T) {
			out := r.Starter(strings.Fields(args)...)
			require.Equal(t, c.code, out.Code, out.Stderr)
			require.Contains(t, out.Stderr, c.says)
		})
	}
	t.Run("unknown service from the Temporal UI", func(t *testing.T) {
		run, err := r.Client().ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "lifeboat"}, "BackupAndVerify", map[string]string{"service": "where2et"})
		require.NoError(t, err)
		require.ErrorContains(t, run.Get(t.Context(), nil), "known here: where2eat")
	})
	t.Run("a second backup while one runs", func(t *testing.T) {
		// A lock on a table holds the first one up in its dump.
		conn, err := pgx.Connect(t.Context(), r.Production.URL(sandbox.Database))
		require.NoError(t, err)
		hold, err := conn.Begin(t.Context())
		require.NoError(t, err)
		_, err = hold.Exec(t.Context(), "lock table visits in access exclusive mode")
		require.NoError(t, err)

		c := r.Client()
		start := func() client.WorkflowRun {
			run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "lifeboat"}, "BackupAndVerify", map[string]string{"service": sandbox.Service})
			require.NoError(t, err)
			return run
		}
		first := start()
		require.Eventually(t, func() bool {
			d, err := c.DescribeWorkflowExecution(t.Context(), workflows.BackupID(sandbox.Service), "")
			return err == nil && d.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
		}, time.Minute, 20*time.Millisecond)
		require.ErrorContains(t, start().Get(t.Context(), nil), "backup/where2eat is already running")

		require.NoError(t, hold.Rollback(t.Context()))
		require.NoError(t, conn.Close(t.Context()))
		require.NoError(t, first.Get(t.Context(), nil))
	})
}
