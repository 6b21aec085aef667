package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"syscall"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// tempSuffix ends the names of files that are not committed yet. They lie beside
// their target, on the same file system.
const tempSuffix = ".tmp"

// tempForm is the form of the ends of those names.
var tempForm = regexp.MustCompile(`\.[A-Z2-7]{12}\` + tempSuffix + "$")

// fileStore keeps objects as files in a folder. The folder is looked up anew for
// each operation: it may be mounted, unmounted and mounted again.
type fileStore struct{ dir string }

func (s *fileStore) close() error { return nil }

func (s *fileStore) bucket() (*blob.Bucket, error) {
	return fileblob.OpenBucket(s.dir, &fileblob.Options{Metadata: fileblob.MetadataDontWrite})
}

// check writes and removes a file: only that shows that writing is possible.
func (s *fileStore) check(ctx context.Context) error {
	u, err := s.begin(ctx, "check")
	if err != nil {
		return err
	}
	return u.abort()
}

func (s *fileStore) create(ctx context.Context, key string, _ int64) (upload, error) {
	return s.begin(ctx, key)
}

func (s *fileStore) begin(ctx context.Context, key string) (*fileUpload, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	u := &fileUpload{ctx: ctx, root: root, name: key, temp: key + "." + rand.Text()[:12] + tempSuffix}
	err = root.MkdirAll(path.Dir(key), 0o700)
	if err == nil {
		u.file, err = root.OpenFile(u.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return u, nil
}

func (s *fileStore) put(ctx context.Context, key string, data []byte, once bool) error {
	u, err := s.begin(ctx, key)
	if err != nil {
		return err
	}
	u.replace = !once
	if err := u.write(data); err != nil {
		return errors.Join(err, u.abort())
	}
	if err := u.commit(); errors.Is(err, ErrExists) {
		return errTaken
	} else if err != nil {
		return err
	}
	return nil
}

// remove deletes the folder as well once it is empty.
func (s *fileStore) remove(_ context.Context, key string) error {
	name := filepath.Join(s.dir, filepath.FromSlash(key))
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(filepath.Dir(name)) // refused while something is in it
	return nil
}

func (s *fileStore) below(_ context.Context, prefix, after string) (folders, objects []string, err error) {
	if _, err := os.Stat(s.dir); err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, filepath.FromSlash(prefix)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		switch {
		case e.Name() <= after:
		case e.IsDir():
			folders = append(folders, e.Name())
		default:
			objects = append(objects, e.Name())
		}
	}
	return folders, objects, nil
}

// unfinished finds nothing: an upload's temporary file is an object like others.
func (s *fileStore) unfinished(context.Context, string) ([]unfinished, error) { return nil, nil }

func (s *fileStore) explain(err error) error {
	fault := func(hint string) error { return recovery.NewFault(recovery.Permanent, err, hint) }
	info, statErr := os.Stat(s.dir)
	switch {
	case errors.Is(statErr, fs.ErrNotExist), errors.Is(statErr, syscall.ENOTDIR), statErr == nil && !info.IsDir():
		return fault(fmt.Sprintf("create the folder %s, or mount the disk that it is on", s.dir))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault(fmt.Sprintf("let this user read and write in the folder %s", s.dir))
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault(fmt.Sprintf("free space on the disk of %s", s.dir))
	case errors.Is(err, errors.ErrUnsupported):
		return fault(fmt.Sprintf("keep %s on a file system that has hard links", s.dir))
	}
	return err
}

// fileUpload writes a temporary file and then gives it its name.
type fileUpload struct {
	ctx     context.Context
	root    *os.Root // keeps every name inside the folder
	file    *os.File
	temp    string
	name    string
	replace bool
}

func (u *fileUpload) write(p []byte) error {
	if err := context.Cause(u.ctx); err != nil {
		return err
	}
	_, err := u.file.Write(p)
	return err
}

func (u *fileUpload) commit() error {
	err := errors.Join(context.Cause(u.ctx), u.file.Sync(), u.file.Close())
	if err == nil {
		err = u.publish()
	}
	if err != nil {
		return errors.Join(err, u.discard())
	}
	return errors.Join(u.syncFolders(), u.root.Close())
}

// publish is the commit point. A link, unlike a rename, fails if the name is taken.
func (u *fileUpload) publish() error {
	if u.replace {
		return u.root.Rename(u.temp, u.name)
	}
	if err := u.root.Link(u.temp, u.name); errors.Is(err, fs.ErrExist) {
		return ErrExists
	} else if err != nil {
		return err
	}
	// The object is there; a second name that stays is swept.
	_ = u.root.Remove(u.temp)
	return nil
}

// syncFolders makes names survive a power cut, those of new folders too.
func (u *fileUpload) syncFolders() error {
	for dir := path.Dir(u.name); ; dir = path.Dir(dir) {
		f, err := u.root.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil || dir == "." {
			return err
		}
	}
}

func (u *fileUpload) abort() error { return errors.Join(u.file.Close(), u.discard()) }

func (u *fileUpload) discard() error {
	err := u.root.Remove(u.temp)
	if errors.Is(err, fs.ErrNotExist) { // swept, or published
		err = nil
	}
	return errors.Join(err, u.root.Close())
}
