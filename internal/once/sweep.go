//go:build unix

package once

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Sweep removes what is kept of jobs that nobody runs and that have not changed for
// longer than that. Whoever asks for one of them later is told that somebody else has
// started it: its claim stands, its nonce is gone.
func (r *Runner) Sweep(olderThan time.Duration) error {
	entries, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep jobs: %w", err)
	}
	before := time.Now().Add(-olderThan)
	var errs []error
	for _, entry := range entries {
		path := filepath.Join(r.Dir, entry.Name())
		switch {
		case !entry.IsDir():
		case strings.HasPrefix(entry.Name(), "."): // what an earlier sweep did not finish
			errs = append(errs, os.RemoveAll(path))
		default:
			errs = append(errs, folder(path).remove(before))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sweep jobs: %w", err)
	}
	return nil
}

// remove removes the folder if nobody has its lock and all in it is older. It is renamed
// first, so that nobody ever finds a part of it, not even after a power cut: a nonce
// without the mark of the start would let the command run again.
func (f folder) remove(before time.Time) error {
	lock, err := f.lock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // by another sweep
	}
	if lock == nil || err != nil {
		return err
	}
	defer lock.Close()
	newest, err := f.newest()
	if err != nil || !newest.Before(before) {
		return err
	}
	dir, key := filepath.Split(string(f))
	away := filepath.Join(dir, "."+key)
	if err := os.Rename(string(f), away); err != nil {
		return err
	}
	if err := syncFolder(dir); err != nil {
		return err
	}
	return os.RemoveAll(away)
}
