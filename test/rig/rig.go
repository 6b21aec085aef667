// Package rig sets up a whole Lifeboat on real servers for the tests: PostgreSQL
// for production and for staging, an S3 server, Temporal, the example service
// Where2Eat, and worker and starter as real processes.
package rig

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// binaries is where Main built the programs.
var binaries string

// Main builds the programs, runs the tests, and removes the programs. A test
// package that uses a Rig calls it from TestMain.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lifeboat-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a folder for the programs:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	const module = "github.com/lifeboat-run/lifeboat/"
	// With the flags of 'make build' and of deploy.sh, so that all share what is compiled.
	build := exec.Command("go", "build", "-trimpath", "-o", dir+"/", module+"worker", module+"starter", module+"examples/where2eat", module+"examples/where2eat/proxy")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the programs:", err)
		return 1
	}
	binaries = dir
	return m.Run()
}

// Rig is one Lifeboat with all that it needs. Each test has its own.
type Rig struct {
	*sandbox.Sandbox
	Env map[string]string // of worker and starter

	t               testing.TB
	client          client.Client
	temporalStopped bool
}

// New starts the servers and fills the example service with data. At the end of the
// test all of its runs are replayed. Staging lives
// in another time zone than production. change, if given, changes the options.
func New(t testing.TB, change ...func(*sandbox.Options)) *Rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "lifeboat-rig-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	o := sandbox.Options{
		Dir: dir, Where2Eat: filepath.Join(binaries, "where2eat"), Scratch: true,
		StagingSettings: map[string]string{"timezone": "Asia/Tokyo"},
	}
	for _, f := range change {
		f(&o)
	}
	s, err := sandbox.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Stop()
		// Where the tests run as root, PostgreSQL keeps its data elsewhere.
		require.NoError(t, errors.Join(os.RemoveAll(s.Production.Dir), os.RemoveAll(s.Staging.Dir)))
	})
	r := &Rig{Sandbox: s, Env: s.Env(), t: t}
	for _, name := range []string{"PATH", "HOME"} {
		r.Env[name] = os.Getenv(name)
	}
	r.Configure(func(c *sandbox.Config) { c.GiveUpAfter = "5m" })
	r.Client() // closed after the replay
	t.Cleanup(func() {
		if !t.Failed() && !r.temporalStopped {
			r.replay()
		}
	})
	return r
}

// Configure changes lifeboat.yaml.
func (r *Rig) Configure(change func(*sandbox.Config)) {
	r.t.Helper()
	change(&r.Config)
	require.NoError(r.t, r.WriteConfig())
}

// AddSecond adds a second destination, on a server of its own.
func (r *Rig) AddSecond() {
	r.t.Helper()
	require.NoError(r.t, r.Sandbox.AddSecond(context.Background()))
	maps.Copy(r.Env, r.Sandbox.Env())
	require.NoError(r.t, r.WriteConfig())
}

// UseFolder keeps sets in the folder that it returns.
func (r *Rig) UseFolder() string {
	r.t.Helper()
	folder := filepath.Join(r.Dir, "backups")
	require.NoError(r.t, os.MkdirAll(folder, 0o700))
	r.Configure(func(c *sandbox.Config) { c.Folder = folder })
	return folder
}

// Exec runs SQL in a database of production.
func (r *Rig) Exec(database, sql string) {
	r.t.Helper()
	require.NoError(r.t, r.Production.Exec(context.Background(), database, sql))
}

// StopTemporal stops Temporal for the rest of the test.
func (r *Rig) StopTemporal() {
	r.replay()
	r.temporalStopped = true
	r.Temporal.Stop()
}

// Client is a client of the rig's Temporal: the same one each time.
func (r *Rig) Client() client.Client {
	r.t.Helper()
	if r.client == nil {
		c, err := client.Dial(client.Options{HostPort: r.Temporal.Address, Logger: quiet{}})
		require.NoError(r.t, err)
		r.t.Cleanup(c.Close)
		r.client = c
	}
	return r.client
}

// quiet says nothing: what the client tells is in its errors.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

// Vault opens the S3 destination.
func (r *Rig) Vault() *vault.Vault {
	r.t.Helper()
	return r.vaultAt("main", r.S3)
}

// SecondVault opens the second destination.
func (r *Rig) SecondVault() *vault.Vault {
	r.t.Helper()
	return r.vaultAt("second", r.Second)
}

func (r *Rig) vaultAt(name string, server *devserver.S3Server) *vault.Vault {
	r.t.Helper()
	v, err := vault.Open(context.Background(), recovery.DestinationSpec{
		Name: name, URL: "s3://" + sandbox.Bucket + "/" + sandbox.Prefix, Endpoint: server.Endpoint, Region: server.Region, PathStyle: true,
	}, vault.Credentials{AccessKey: server.AccessKey, SecretKey: server.SecretKey})
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, v.Close()) })
	return v
}

// ObjectFile is the file in which the S3 server keeps an object of the
// destination.
func (r *Rig) ObjectFile(key string) string {
	return filepath.Join(r.S3.DataDir, sandbox.Bucket, sandbox.Prefix, filepath.FromSlash(key))
}
