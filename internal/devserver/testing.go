package devserver

import (
	"context"
	"os"
	"testing"
)

// Option changes what StartPostgres or StartS3 runs; each says which.
type Option func(*options)

type options struct {
	settings   map[string]string
	volume     int
	versioning bool
}

// WithSetting sets a setting of postgresql.conf.
func WithSetting(name, value string) Option {
	return func(o *options) { o.settings[name] = value }
}

// WithVolume keeps the databases that are made in a PostgreSQL server on a volume
// of so many MiB, one that can be filled up; 8 per database are taken from the
// start. Stop and Restart lose it.
func WithVolume(mebibytes int) Option {
	return func(o *options) { o.volume = mebibytes }
}

// WithVersioning lets the buckets of an S3 server keep versions.
func WithVersioning() Option {
	return func(o *options) { o.versioning = true }
}

func apply(opts []Option) options {
	o := options{settings: map[string]string{}}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Postgres is a PostgresServer that lives as long as a test.
type Postgres struct {
	*PostgresServer
	t testing.TB
}

// StartPostgres runs an empty PostgreSQL server until the test ends.
func StartPostgres(t testing.TB, opts ...Option) *Postgres {
	t.Helper()
	o := apply(opts)
	cfg := PostgresConfig{Dir: scratch(t), Settings: o.settings, Volume: o.volume, Scratch: true}
	s, err := cfg.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(); showLog(t, s.launch) })
	return &Postgres{s, t}
}

// Exec runs SQL statements as the superuser.
func (p *Postgres) Exec(t testing.TB, database, sql string) {
	t.Helper()
	if err := p.PostgresServer.Exec(t.Context(), database, sql); err != nil {
		t.Fatalf("run SQL in %s: %v", database, err)
	}
}

// Restart stops the server and runs it again on the same port.
func (p *Postgres) Restart() {
	p.t.Helper()
	check(p.t, p.PostgresServer.Restart(context.Background()))
}

// S3 is an S3Server that lives as long as a test.
type S3 struct {
	*S3Server
	t testing.TB
}

// StartS3 runs an empty S3 server until the test ends.
func StartS3(t testing.TB, opts ...Option) *S3 {
	t.Helper()
	s, err := S3Config{Dir: scratch(t), Versioning: apply(opts).versioning}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(); showLog(t, s.launch) })
	return &S3{s, t}
}

// Bucket makes a bucket. Its name must have 3 characters at least.
func (s *S3) Bucket(t testing.TB, name string) {
	t.Helper()
	check(t, s.MakeBucket(t.Context(), name))
}

// User makes an account: see AddUser.
func (s *S3) User(t testing.TB, accessKey, secretKey, role string) {
	t.Helper()
	check(t, s.AddUser(t.Context(), accessKey, secretKey, role))
}

// Policy gives a bucket a policy, in JSON.
func (s *S3) Policy(t testing.TB, bucket, policy string) {
	t.Helper()
	check(t, s.SetPolicy(t.Context(), bucket, policy))
}

// Restart stops the server and runs it again on the same port.
func (s *S3) Restart() {
	s.t.Helper()
	check(s.t, s.S3Server.Restart(context.Background()))
}

// Temporal is a TemporalServer that lives as long as a test.
type Temporal struct {
	*TemporalServer
	t testing.TB
}

// StartTemporal runs an empty Temporal server until the test ends.
func StartTemporal(t testing.TB) *Temporal {
	t.Helper()
	s, err := TemporalConfig{Dir: scratch(t)}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(); showLog(t, s.launch) })
	return &Temporal{s, t}
}

// Restart stops the server and runs it again on the same ports.
func (s *Temporal) Restart() {
	s.t.Helper()
	check(s.t, s.TemporalServer.Restart(context.Background()))
}

// scratch makes a temporary folder. A test's own TempDir will not do: the user
// that PostgreSQL runs as cannot enter it.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lifeboat-test-")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	return dir
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// showLog prints the end of a server's log if the test failed.
func showLog(t testing.TB, l launch) {
	t.Helper()
	if t.Failed() {
		t.Logf("%s: %s", l.name, tail(l.logFile))
	}
}
