package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// measureBackup times the ways of a backup of a database that is in memory, and
// compares the bytes stored.
func (b *bench) measureBackup(ctx context.Context, r *result) error {
	b.say("reading the database once, so that none of the contenders finds it on the disk")
	if _, err := b.shell(ctx, b.size.database(), dumpOnly); err != nil {
		return err
	}
	return b.withWorker(ctx, func(ctx context.Context, w *worker) (err error) {
		r.Backup, err = b.compete(ctx, "backup", []contender{
			b.stock("pg_dump > /dev/null: the limit", dumpOnly, nil),
			b.stock("pg_dump | zstd -3 | age | sha256 | rclone", dumpPipe, nil),
			b.stock("pg_dump -Fc to a file, then rclone", dumpUpload, nil),
			{name: "Lifeboat, with content fingerprint", run: func(ctx context.Context) (took time.Duration, err error) {
				b.made, took, err = w.backup(ctx, b.size)
				return took, err
			}},
		})
		if err != nil {
			return err
		}
		dump := b.made.Artefacts[0].Dump
		r.PlainBytes, r.StoredBytes = dump.PlainSize, dump.Size
		counted, err := b.shell(ctx, b.size.database(), dumpZstd)
		if err != nil {
			return err
		}
		if r.ZstdBytes, err = strconv.ParseInt(strings.TrimSpace(counted), 10, 64); err != nil {
			return fmt.Errorf("read the size that zstd reaches: %w", err)
		}
		size, err := b.queryText(ctx, b.size.database(), "select pg_database_size(current_database())::text")
		if err != nil {
			return err
		}
		r.DiskBytes, err = strconv.ParseInt(size, 10, 64)
		return err
	})
}

// measureRestore times the ways of a restore, each from what its own way of
// backup has stored.
func (b *bench) measureRestore(ctx context.Context, r *result) error {
	return b.withWorker(ctx, func(ctx context.Context, w *worker) (err error) {
		r.Restore, err = b.compete(ctx, "restore", []contender{
			b.stock("pg_restore -j2 from a local file", restoreFile, b.freshStaging),
			b.stock("rclone | age -d | zstd -d | pg_restore", restorePipe, b.freshStaging),
			{name: "Lifeboat, from S3", prepare: b.dropStaging, run: func(ctx context.Context) (time.Duration, error) { return w.restore(ctx, b.made) }},
		})
		return errors.Join(err, b.dropStaging(ctx))
	})
}

// measureMemory looks at the peak memory of a worker that has done nothing but
// back one database up and verify that.
func (b *bench) measureMemory(ctx context.Context, r *result) error {
	for _, size := range b.memory {
		err := b.withWorker(ctx, func(ctx context.Context, w *worker) error {
			started := time.Now()
			var report recovery.Report
			_, err := w.play(ctx, "memory/"+size.service(), workflows.TypeBackupAndVerify, workflows.BackupAndVerifyInput{Service: size.service()}, &report)
			if err != nil {
				return err
			}
			peak, err := peakMemory(w.process.Pid())
			if err != nil {
				return err
			}
			b.say("memory: backup and verification of %s GB took %.0f s, the worker's peak is %s", &size, time.Since(started).Seconds(), mebibytes(peak))
			r.Memory = append(r.Memory, memory{Gigabytes: float64(size), Bytes: peak, Seconds: time.Since(started).Seconds()})
			return nil
		})
		if err != nil {
			return fmt.Errorf("measure memory at %s GB: %w", &size, err)
		}
	}
	return nil
}

// peakMemory is the most that a process has had in memory so far.
func peakMemory(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the worker's memory: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kibibytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			return kibibytes << 10, err
		}
	}
	return 0, errors.New("read the worker's memory: the system does not tell its peak")
}
