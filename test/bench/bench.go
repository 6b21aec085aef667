package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/process"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const bucket = "backups"

// bench is what all measurements share. Production and staging are one server, so
// that whatever is timed has the very same one.
type bench struct {
	options
	progress io.Writer
	started  time.Time

	dir      string // of this run: absolute, emptied at the start
	postgres *devserver.PostgresServer
	s3       *devserver.S3Server
	temporal *devserver.TemporalServer
	keys     keys
	env      []string // of the stock tools

	made *recovery.Manifest // the newest set of the database that is timed
}

// settings are those of a small server that is set up with some care.
var settings = map[string]string{
	"shared_buffers":       "1GB",
	"maintenance_work_mem": "256MB",
	"max_wal_size":         "4GB",
	"checkpoint_timeout":   "15min",
}

// start starts the servers, makes the databases that are not there yet, and
// builds the worker.
func (b *bench) start(ctx context.Context) (err error) {
	// PostgreSQL may run as a user of its own, who must be able to enter.
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if b.postgres, err = (devserver.PostgresConfig{Dir: filepath.Join(folder, "postgres"), Settings: settings}).Start(ctx); err != nil {
		return err
	}
	// Only the databases are kept: the running server is also the lock of the folder.
	if b.dir, err = filepath.Abs(filepath.Join(folder, "run")); err != nil {
		return fmt.Errorf("find folder: %w", err)
	}
	if err := errors.Join(os.RemoveAll(b.dir), os.MkdirAll(b.dir, 0o700)); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if b.s3, err = (devserver.S3Config{Dir: filepath.Join(b.dir, "s3")}).Start(ctx); err != nil {
		return err
	}
	if err := b.s3.MakeBucket(ctx, bucket); err != nil {
		return err
	}
	if b.temporal, err = (devserver.TemporalConfig{Dir: filepath.Join(b.dir, "temporal")}).Start(ctx); err != nil {
		return err
	}
	if b.keys, err = makeKeys(b.dir); err != nil {
		return err
	}
	if b.env, err = b.stockEnv(); err != nil {
		return err
	}
	for _, size := range b.sizes() {
		if err := b.makeDatabase(ctx, size); err != nil {
			return fmt.Errorf("make the database of %s GB: %w", &size, err)
		}
	}
	b.say("building the worker")
	if err := b.buildWorker(ctx); err != nil {
		return err
	}
	return b.writeConfig()
}

// stop stops the servers and removes all but the databases and the result.
func (b *bench) stop() {
	if b.temporal != nil {
		b.temporal.Stop()
	}
	if b.s3 != nil {
		b.s3.Stop()
	}
	if b.postgres != nil {
		b.postgres.Stop()
	}
	if b.dir != "" {
		if err := os.RemoveAll(b.dir); err != nil {
			b.say("remove %s: %v", b.dir, err)
		}
	}
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "%7.1fs  %s\n", time.Since(b.started).Seconds(), fmt.Sprintf(format, args...))
}

// settle has all that was written so far on the disk, so that no case pays for
// the one before it.
func (b *bench) settle(ctx context.Context) error {
	if err := b.postgres.Exec(ctx, "postgres", "checkpoint"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	unix.Sync()
	return nil
}

func (b *bench) buildWorker(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", b.dir+"/", "./worker")
	build.Stdout, build.Stderr = b.progress, b.progress
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the worker (start this at the top of the clone): %w", err)
	}
	return nil
}

// shell runs a script of stock tools and returns what it printed. A program that
// fails anywhere in a pipe fails the script.
func (b *bench) shell(ctx context.Context, database, script string) (string, error) {
	out, err := os.Create(filepath.Join(b.dir, "shell.log"))
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close() }()
	err = process.Run(ctx, process.Command{
		Path: "bash", Args: []string{"-euo", "pipefail", "-c", script}, Dir: b.dir,
		Env: append([]string{"DB=" + database}, b.env...), Stdout: out, Stderr: out,
	})
	said, readErr := os.ReadFile(out.Name())
	if err != nil {
		return "", fmt.Errorf("run %s: %w\n%s", script, err, said)
	}
	return string(said), readErr
}
