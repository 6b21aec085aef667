package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"golang.org/x/sys/unix"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// place puts a file in the place of one that nobody has open.
func (l *Live) place(ctx context.Context, job recovery.Swap) (*recovery.Swapped, error) {
	mode := ""
	if job.Out != "" {
		var err error
		if mode, err = closed(ctx, l.Path); err != nil {
			return nil, err
		}
	}
	if err := prepare(ctx, job.New, preparation{journal: mode}); err != nil {
		return nil, err
	}
	if err := likeLive(job.Live, job.New); err != nil {
		return nil, err
	}
	i, err := newIntent(job)
	if err != nil {
		return nil, err
	}
	if err := i.write(); err != nil {
		return nil, err
	}
	down, err := i.rename(ctx)
	if err != nil {
		return nil, err
	}
	return &recovery.Swapped{Down: recovery.Duration(down)}, nil
}

// rename brings the files to their places. Each step looks first whether it was
// done, so that a second run ends what the first began. A second name for the old
// file and a rename over the first one leave no moment without a database.
func (i *intent) rename(ctx context.Context) (down time.Duration, err error) {
	job := i.Job
	there, err := ownIdentity(job.Live)
	if err != nil {
		return 0, err
	}
	if there != i.NewFile {
		if there != i.OldFile {
			return 0, permanent("look at the files, and put the right one there by hand", "an earlier swap was interrupted, and then something else took the place of the file; what it held is in %s, what was to come in %s", job.Aside, job.New)
		}
		if there != "" { // the service may have been started since an earlier run
			if _, err := closed(ctx, job.Live); err != nil {
				return 0, err
			}
		}
		began := time.Now()
		if err := i.exchange(); err != nil {
			return 0, err
		}
		down = time.Since(began)
	}
	// Another name of the new file is there only if the old one was missing.
	if err := removeIfThere(job.New); err != nil {
		return 0, err
	}
	if err := moveIfThere(job.New+holdsSuffix, job.Live+holdsSuffix); err != nil {
		return 0, err
	}
	if err := errors.Join(syncFolder(filepath.Dir(job.Live)), syncFolder(filepath.Dir(job.New))); err != nil {
		return 0, mendable(err)
	}
	return down, i.forget()
}

// exchange sets the old file aside, and only then lets the new one take its place.
func (i *intent) exchange() error {
	if err := i.setAside(); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(i.Job.Live)); err != nil {
		return mendable(err)
	}
	if i.OldFile == "" {
		return mendable(os.Link(i.Job.New, i.Job.Live)) // fails if a file has appeared there
	}
	return mendable(os.Rename(i.Job.New, i.Job.Live))
}

// setAside gives the old file its new name and takes away what belongs to it.
func (i *intent) setAside() error {
	if i.OldFile != "" {
		err := os.Link(i.Job.Live, i.Job.Aside)
		if errors.Is(err, fs.ErrExist) {
			var there string
			if there, err = ownIdentity(i.Job.Aside); err == nil && there != i.OldFile {
				err = permanent("move it away", "%s is there already", i.Job.Aside)
			}
		}
		if err != nil {
			return mendable(fmt.Errorf("set the old file aside: %w", err))
		}
	}
	for _, suffix := range companions {
		if err := moveIfThere(i.Job.Live+suffix, i.Job.Aside+suffix); err != nil {
			return err
		}
	}
	return nil
}

func moveIfThere(from, to string) error {
	if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return mendable(err)
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return mendable(err)
	}
	return nil
}

// closeWait is how long programs may take to close a database after the service
// has been stopped.
const closeWait = 5 * time.Second

// closed makes sure that nobody has the database open, by SQLite's own locks and by
// what the system shows, and returns its journal mode, empty if it is damaged.
func closed(ctx context.Context, path string) (mode string, err error) {
	for deadline := time.Now().Add(closeWait); ; {
		mode, err = lockAlone(ctx, path)
		if err == nil {
			var found []string
			found, err = users(path, path+"-wal", path+"-shm")
			if err == nil && len(found) == 0 {
				return mode, nil
			}
			if err == nil {
				err = permanent(mendClose, "%s has it open", strings.Join(found, ", "))
			}
		}
		if c := code(err); c == sqlite3.SQLITE_BUSY || c == sqlite3.SQLITE_LOCKED {
			err = permanent(mendClose, "another program has it open, although the service was stopped")
		}
		if time.Now().After(deadline) {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// lockAlone takes the lock that only one who is alone gets, and gives it back. On
// the way SQLite brings the database to rest: a log that was left is written into
// the file. A damaged database has no locks to ask for.
func lockAlone(ctx context.Context, path string) (mode string, err error) {
	conn, err := openWritable(ctx, path)
	if err != nil {
		return "", err
	}
	_, err = conn.ExecContext(ctx, "PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; ROLLBACK")
	if err == nil {
		err = conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode)
	}
	conn.close()
	switch code(err) {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR:
		return "", nil
	}
	return mode, err
}

// likeLive gives a file the owner, group and rights of the live one, or, if that
// is gone, the owner of its folder.
func likeLive(live, path string) error {
	var like, have unix.Stat_t
	mode := os.FileMode(0o600)
	err := unix.Stat(live, &like)
	switch {
	case err == nil:
		mode = os.FileMode(like.Mode & 0o777)
	case errors.Is(err, unix.ENOENT):
		err = unix.Stat(filepath.Dir(live), &like)
	}
	if err == nil {
		err = unix.Stat(path, &have)
	}
	if err != nil {
		return mendable(err)
	}
	if have.Uid != like.Uid || have.Gid != like.Gid {
		if err := os.Chown(path, int(like.Uid), int(like.Gid)); err != nil {
			return recovery.NewFault(recovery.Permanent, fmt.Errorf("keep the owner of the file: %w", err), "run the worker as the user that owns the file, or as root")
		}
	}
	if err := os.Chmod(path, mode); err != nil {
		return mendable(err)
	}
	return syncFile(path)
}

// syncFile brings a file to the disk that no connection of this process has open.
func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return mendable(err)
	}
	return mendable(errors.Join(file.Sync(), file.Close()))
}
