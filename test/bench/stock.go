package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// stockTools are the programs that Lifeboat is measured against.
var stockTools = []string{"bash", "age", "zstd", "rclone"}

// stockEnv is the environment of the scripts below.
func (b *bench) stockEnv() ([]string, error) {
	for _, name := range stockTools {
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("find %s: it is not on PATH (run 'make tools', and start this by 'make bench')", name)
		}
	}
	hash := "sha256sum"
	if _, err := exec.LookPath("openssl"); err == nil {
		hash = "openssl dgst -sha256" // several times as fast
	}
	server, err := url.Parse(b.postgres.URL("postgres"))
	if err != nil {
		return nil, fmt.Errorf("read the server's address: %w", err)
	}
	password, _ := server.User.Password()
	rclone := filepath.Join(b.dir, "rclone.conf")
	if err := os.WriteFile(rclone, nil, 0o600); err != nil {
		return nil, fmt.Errorf("configure rclone: %w", err)
	}
	return []string{
		"PATH=" + b.postgres.BinDir + ":" + os.Getenv("PATH"), "HOME=" + b.dir, "LC_ALL=C.UTF-8", "PGTZ=UTC",
		"PGHOST=" + server.Hostname(), "PGPORT=" + server.Port(), "PGUSER=" + server.User.Username(), "PGPASSWORD=" + password,
		"RECIPIENT=" + b.keys.recipient, "KEY=" + b.keys.file, "SHA256=" + hash,
		"RCLONE_CONFIG=" + rclone, "RCLONE_CONFIG_S3_TYPE=s3", "RCLONE_CONFIG_S3_PROVIDER=Other",
		"RCLONE_CONFIG_S3_ENDPOINT=" + b.s3.Endpoint, "RCLONE_CONFIG_S3_REGION=" + b.s3.Region,
		"RCLONE_CONFIG_S3_ACCESS_KEY_ID=" + b.s3.AccessKey, "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY=" + b.s3.SecretKey,
		// The S3 server does not answer "Expect: 100-continue"; rclone would wait
		// a second for each part.
		"RCLONE_EXPECT_CONTINUE_TIMEOUT=10ms",
	}, nil
}

// The ways of a backup that people use, and the least that any backup must do.
const (
	dumpOnly   = `pg_dump -Fc -Z0 -d "$DB" > /dev/null`
	dumpPipe   = `pg_dump -Fc -Z0 -d "$DB" | zstd -3 -qc | age -r "$RECIPIENT" | tee >($SHA256 > sha256) | rclone rcat S3:` + bucket + `/stock/pipe.age`
	dumpUpload = `pg_dump -Fc -f stock.dump -d "$DB"; rclone copyto stock.dump S3:` + bucket + `/stock/file.dump`
	dumpZstd   = `pg_dump -Fc -Z0 -d "$DB" | zstd -3 -qc | wc -c`
)

// The ways of a restore, each into a fresh database, from what dumpUpload and
// dumpPipe left.
const (
	restoreFile = `pg_restore -j2 -d ` + stagingDatabase + ` stock.dump`
	restorePipe = `rclone cat S3:` + bucket + `/stock/pipe.age | age -d -i "$KEY" | zstd -dqc | pg_restore --no-owner -d ` + stagingDatabase
)

const stagingDatabase = "bench_staging"

// stock makes a contender of a script.
func (b *bench) stock(name, script string, prepare func(context.Context) error) contender {
	return contender{name: name, prepare: prepare, run: func(ctx context.Context) (time.Duration, error) {
		started := time.Now()
		_, err := b.shell(ctx, b.size.database(), script)
		return time.Since(started), err
	}}
}

// freshStaging makes an empty database to restore to.
func (b *bench) freshStaging(ctx context.Context) error {
	if err := b.dropStaging(ctx); err != nil {
		return err
	}
	return b.postgres.Exec(ctx, "postgres", "create database "+stagingDatabase+" template template0")
}

func (b *bench) dropStaging(ctx context.Context) error {
	return b.postgres.Exec(ctx, "postgres", "drop database if exists "+stagingDatabase+" with (force)")
}
