package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// folderForm is the form of the names of folders for copies: set, source, attempt.
var folderForm = regexp.MustCompile(`^lifeboat-(\d{8}T\d{6}Z-[0-9a-f]{6})-([a-z0-9][a-z0-9-]{0,39})-(\d{1,9})$`)

func folderName(job recovery.DumpJob) string {
	return fmt.Sprintf("lifeboat-%s-%s-%d", job.Set, job.Source, job.Attempt)
}

// folder is a private folder for one copy. While its maker lives it holds a lock
// on the folder, so that a sweep can tell a copy in use from a left-over.
type folder struct {
	path string
	lock *os.File
}

// newFolder makes the folder of a job. What an earlier attempt at the same source
// of the same set left is removed first: that attempt was given up.
func newFolder(tempDir string, job recovery.DumpJob, need int64) (*folder, error) {
	path := filepath.Join(orSystem(tempDir), folderName(job))
	if !folderForm.MatchString(filepath.Base(path)) {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("read job %s: it is not a set, a source and an attempt", filepath.Base(path)), "")
	}
	err := eachFolder(orSystem(tempDir), func(found string, j recovery.DumpJob) error {
		if j.Set == job.Set && j.Source == job.Source && j.Attempt <= job.Attempt {
			return os.RemoveAll(found)
		}
		return nil
	})
	if err != nil {
		return nil, mendable(err)
	}
	if err := checkSpace(orSystem(tempDir), need); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, mendable(err)
	}
	lock, held, err := tryLock(path)
	if err == nil && !held {
		err = fmt.Errorf("lock %s: another process holds it", path)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &folder{path: path, lock: lock}, nil
}

func (f *folder) remove() error {
	return errors.Join(os.RemoveAll(f.path), f.lock.Close())
}

// SweepCopies removes the folders that killed dumps of other sets than keep left
// in tempDir. It leaves alone those that are in use, and everything that does not
// have the exact form of their names.
func SweepCopies(ctx context.Context, tempDir string, keep recovery.SetID) error {
	err := eachFolder(orSystem(tempDir), func(found string, j recovery.DumpJob) error {
		if j.Set == keep || ctx.Err() != nil {
			return ctx.Err()
		}
		lock, held, err := tryLock(found)
		if errors.Is(err, fs.ErrNotExist) || (err == nil && !held) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(os.RemoveAll(found), lock.Close())
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sweep copies: %w", err)
	}
	return nil
}

// eachFolder visits the folders for copies in tempDir.
func eachFolder(tempDir string, visit func(path string, job recovery.DumpJob) error) error {
	entries, err := os.ReadDir(tempDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		parts := folderForm.FindStringSubmatch(e.Name())
		if parts == nil || !e.IsDir() {
			continue
		}
		attempt, err := strconv.Atoi(parts[3])
		if err != nil {
			continue
		}
		job := recovery.DumpJob{Set: recovery.SetID(parts[1]), Source: parts[2], Attempt: attempt}
		if err := visit(filepath.Join(tempDir, e.Name()), job); err != nil {
			return err
		}
	}
	return nil
}

// tryLock locks a folder for as long as the file is open. held is false if
// another process, or another part of this one, has the lock.
func tryLock(path string) (lock *os.File, held bool, err error) {
	lock, err = os.Open(path)
	if err != nil {
		return nil, false, fmt.Errorf("lock folder: %w", err)
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return lock, true, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, false, lock.Close()
	}
	return nil, false, errors.Join(fmt.Errorf("lock folder: %w", err), lock.Close())
}

// checkSpace refuses a folder without room for need bytes and a tenth more: the
// database grows while it is copied.
func checkSpace(dir string, need int64) error {
	free, err := freeIn(dir)
	if err != nil {
		return err
	}
	if need += need / 10; free < need {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("%s has %d MB free, the copy needs %d MB", dir, free>>20, need>>20), mendSpace)
	}
	return nil
}

// freeIn returns the bytes that are free on the file system of a folder.
func freeIn(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, mendable(fmt.Errorf("look for free space in %s: %w", dir, err))
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// mendable marks the errors of the file system that stay until a person acts.
// Others, and nil, are returned as they are.
func mendable(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return recovery.NewFault(recovery.Permanent, err, mendSpace)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.EROFS), errors.Is(err, unix.ENOTDIR):
		return recovery.NewFault(recovery.Permanent, err, "let the worker's user create folders and files there")
	}
	return err
}

func orSystem(tempDir string) string {
	if tempDir == "" {
		return os.TempDir()
	}
	return tempDir
}
