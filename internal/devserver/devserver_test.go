package devserver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
)

func TestPostgres(t *testing.T) {
	pg := devserver.StartPostgres(t, devserver.WithSetting("timezone", "Asia/Tokyo"))

	require.Equal(t, "Asia/Tokyo", queryText(t, pg.URL("postgres"), "show timezone"))
	require.Equal(t, "UTF8", queryText(t, pg.URL("postgres"), "show server_encoding"))
	require.FileExists(t, filepath.Join(pg.BinDir, "pg_restore"))

	t.Run("refuses a wrong password without showing the right one", func(t *testing.T) {
		u, err := url.Parse(pg.URL("postgres"))
		require.NoError(t, err)
		right, _ := u.User.Password()
		require.NotEmpty(t, right)
		u.User = url.UserPassword("postgres", "wrong")
		_, err = pgx.Connect(t.Context(), u.String())
		var refusal *pgconn.PgError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, "28P01", refusal.Code)
		require.NotContains(t, err.Error(), right)
	})

	for name, again := range map[string]func(){
		"keeps its data over a restart": pg.Restart,
		"keeps its data over a crash":   func() { pg.Kill(); pg.Restart() },
	} {
		t.Run(name, func(t *testing.T) {
			before := pg.URL("postgres")
			pg.Exec(t, "postgres", "drop table if exists t; create table t (n int); insert into t select generate_series(1, 100)")
			again()
			require.Equal(t, before, pg.URL("postgres"))
			require.Equal(t, "100", queryText(t, pg.URL("postgres"), "select count(*)::text from t"))
		})
	}
}

func TestPostgresTakesUpItsFolderAgain(t *testing.T) {
	// The second folder is closed to all users but the present one. PostgreSQL runs
	// as another user if that is root, so that it has to go elsewhere.
	for name, dir := range map[string]string{"reachable": openFolder(t), "closed": t.TempDir()} {
		t.Run(name, func(t *testing.T) { takesUpItsFolderAgain(t, filepath.Join(dir, "postgres")) })
	}
}

func takesUpItsFolderAgain(t *testing.T, dir string) {
	cfg := devserver.PostgresConfig{Dir: dir, Scratch: true}
	first, err := cfg.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(first.Dir)) })
	require.NoError(t, first.Exec(t.Context(), "postgres", "create table t as select 'kept' as word"))
	first.Stop()
	require.Error(t, first.Exec(t.Context(), "postgres", "select 1"), "it goes on after Stop")

	second, err := cfg.Start(t.Context())
	require.NoError(t, err)
	defer second.Stop()
	require.Equal(t, first.Dir, second.Dir)
	require.Equal(t, "kept", queryText(t, second.URL("postgres"), "select word from t"))
}

func TestPostgresOnASmallVolume(t *testing.T) {
	pg := devserver.StartPostgres(t, devserver.WithVolume(64))
	pg.Exec(t, "postgres", "create database app")
	err := pg.PostgresServer.Exec(t.Context(), "app", "create table t as select repeat('x', 1000) from generate_series(1, 100000)")
	var refusal *pgconn.PgError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "53100", refusal.Code, err)
	pg.Exec(t, "app", "create table t (n int)") // it goes on
}

func TestAFailingServerShowsItsLog(t *testing.T) {
	cfg := devserver.PostgresConfig{Dir: openFolder(t), Settings: map[string]string{"shared_buffers": "much"}}
	pg, err := cfg.Start(t.Context())
	require.Nil(t, pg)
	require.ErrorContains(t, err, "start PostgreSQL: it exited")
	require.ErrorContains(t, err, `invalid value for parameter "shared_buffers": "much"`)
}

func TestMissingProgramsAreNamedWithTheMend(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Chdir(t.TempDir()) // away from .tools
	_, err := devserver.S3Config{Dir: t.TempDir()}.Start(t.Context())
	require.EqualError(t, err, "set up the S3 server: find versitygw: not on PATH nor in .tools/bin (run 'make tools')")
	_, err = devserver.TemporalConfig{Dir: t.TempDir()}.Start(t.Context())
	require.EqualError(t, err, "set up Temporal: find temporal: not on PATH nor in .tools/bin (run 'make tools')")
}

func TestS3(t *testing.T) {
	store := devserver.StartS3(t)
	store.Bucket(t, "boats")
	store.Bucket(t, "boats") // making it again changes nothing
	store.User(t, "writer", "writersecret", "user")
	store.Policy(t, "boats", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":["writer"],"Action":["s3:PutObject"],"Resource":["arn:aws:s3:::boats/*"]}]}`)

	root := store.Client(store.AccessKey, store.SecretKey)
	writer := store.Client("writer", "writersecret")
	bucket, key, body := "boats", "a/b", "in the water"
	_, err := writer.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)})
	require.NoError(t, err)
	_, err = writer.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	require.ErrorContains(t, err, "AccessDenied")

	onDisk, err := os.ReadFile(filepath.Join(store.DataDir, bucket, key))
	require.NoError(t, err)
	require.Equal(t, body, string(onDisk))

	store.Stop()
	_, err = root.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.Error(t, err)
	store.Restart()
	got, err := root.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	require.NoError(t, err)
	defer got.Body.Close()
	data, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	require.Equal(t, body, string(data))
}

func TestS3Versioning(t *testing.T) {
	for name, opts := range map[string][]devserver.Option{"off": nil, "on": {devserver.WithVersioning()}} {
		t.Run(name, func(t *testing.T) {
			store := devserver.StartS3(t, opts...)
			store.Bucket(t, "boats")
			bucket := "boats"
			_, err := store.Client(store.AccessKey, store.SecretKey).PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
				Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
			})
			if len(opts) == 0 {
				require.ErrorContains(t, err, "VersioningNotConfigured")
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestTemporalKeepsItsRunsOverARestart(t *testing.T) {
	server := devserver.StartTemporal(t)
	c, err := client.Dial(client.Options{HostPort: server.Address, Namespace: server.Namespace})
	require.NoError(t, err)
	defer c.Close()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "one", TaskQueue: "q"}, "Wait")
	require.NoError(t, err)

	for name, stop := range map[string]func(){"after Stop": server.Stop, "after Kill": server.Kill} {
		t.Run(name, func(t *testing.T) {
			stop()
			server.Restart()
			got, err := c.DescribeWorkflowExecution(t.Context(), "one", "")
			require.NoError(t, err)
			require.Equal(t, run.GetRunID(), got.WorkflowExecutionInfo.Execution.RunId)
		})
	}
}

func TestAStartCanBeGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	server, err := devserver.TemporalConfig{Dir: t.TempDir()}.Start(ctx)
	require.Nil(t, server)
	require.ErrorIs(t, err, context.Canceled)
}

// TestServersDieWithTheirParent runs this test program again as the parent, and
// kills it.
func TestServersDieWithTheirParent(t *testing.T) {
	const parent = "DEVSERVER_TEST_PARENT"
	if dir := os.Getenv(parent); dir != "" {
		pg, err := devserver.PostgresConfig{Dir: filepath.Join(dir, "postgres"), Scratch: true}.Start(t.Context())
		require.NoError(t, err)
		store, err := devserver.S3Config{Dir: filepath.Join(dir, "s3")}.Start(t.Context())
		require.NoError(t, err)
		server, err := devserver.TemporalConfig{Dir: filepath.Join(dir, "temporal")}.Start(t.Context())
		require.NoError(t, err)
		fmt.Println("READY", pg.Port, strings.TrimPrefix(store.Endpoint, "http://127.0.0.1:"), strings.TrimPrefix(server.Address, "127.0.0.1:"))
		select {}
	}

	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), parent+"="+openFolder(t))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "READY") {
		t.Log(lines.Text())
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	ports := strings.Fields(lines.Text())
	require.Len(t, ports, 4, "the parent started no servers")
	for _, port := range ports[1:] {
		require.Eventually(t, func() bool {
			conn, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				return true
			}
			require.NoError(t, conn.Close())
			return false
		}, 20*time.Second, 20*time.Millisecond, "a server still listens on port %s", port)
	}
}

// openFolder makes a temporary folder that any user may enter.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lifeboat-test-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func queryText(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	var text string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&text))
	return text
}
