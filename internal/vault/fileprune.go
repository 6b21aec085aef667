package vault

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// versions lists the files below prefix, which is a folder.
func (s *fileStore) versions(_ context.Context, prefix string) ([]version, error) {
	var found []version
	err := s.walk(prefix, func(key string, info fs.FileInfo) {
		found = append(found, version{key: key, size: info.Size()})
	})
	return found, err
}

// walk calls visit for each file below prefix; it follows no links.
func (s *fileStore) walk(prefix string, visit func(key string, info fs.FileInfo)) error {
	if _, err := os.Stat(s.dir); err != nil {
		return err
	}
	return filepath.WalkDir(filepath.Join(s.dir, filepath.FromSlash(prefix)), func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		key, err := filepath.Rel(s.dir, name)
		if err == nil {
			visit(filepath.ToSlash(key), info)
		}
		return err
	})
}

// retention finds none: a folder locks nothing.
func (s *fileStore) retention(context.Context, version) (retention, error) { return retention{}, nil }

// mayErase makes a file and removes it.
func (s *fileStore) mayErase(ctx context.Context, prefix string, _ []version) error {
	u, err := s.begin(ctx, prefix+"may-this-be-removed")
	if err != nil {
		return s.pruning(err)
	}
	return s.pruning(u.abort())
}

func (s *fileStore) erase(ctx context.Context, v version) error {
	return s.pruning(s.remove(ctx, v.key))
}

// pruning makes a refusal of what the rights in the folder forbid.
func (s *fileStore) pruning(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return s.explain(&refusal{err})
	}
	return err
}

// stale finds the temporary files of uploads that nobody has written to for long.
func (s *fileStore) stale(_ context.Context, before time.Time) ([]unfinished, error) {
	var found []unfinished
	err := s.walk("", func(key string, info fs.FileInfo) {
		if tempForm.MatchString(key) && info.ModTime().Before(before) {
			found = append(found, unfinished{key, func(ctx context.Context) error { return s.remove(ctx, key) }})
		}
	})
	return found, err
}
