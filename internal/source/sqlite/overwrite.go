package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// overwriteTries bounds how often the old database is copied aside again because a
// program wrote to it before it was locked.
const overwriteTries = 10

// overwrite writes a database into the live file, which programs may have open.
func (l *Live) overwrite(ctx context.Context, job recovery.Swap) (*recovery.Swapped, error) {
	if job.Out == "" {
		return nil, permanent(mendStop, "there is no file, and a program may still have the old one open")
	}
	need, err := l.likeness(ctx, job)
	if err != nil {
		return nil, err
	}
	if err := checkSpace(filepath.Dir(l.Path), need); err != nil {
		return nil, err
	}
	i, err := newIntent(job)
	if err != nil {
		return nil, err
	}
	i.InPlace = true
	if err := i.write(); err != nil {
		return nil, err
	}
	for range overwriteTries {
		locked, err := i.tryOverwrite(ctx)
		if errors.Is(err, errWritten) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, l.settle(context.WithoutCancel(ctx)))
		}
		if err := i.finishOverwrite(); err != nil {
			return nil, err
		}
		return &recovery.Swapped{Down: recovery.Duration(locked)}, nil
	}
	return nil, errors.Join(permanent(mendStop, "programs write to it so often that no copy of it is ever the newest"), l.settle(ctx))
}

// likeness makes the new file so that it can be written over the live one, and
// returns the space that takes.
func (l *Live) likeness(ctx context.Context, job recovery.Swap) (need int64, err error) {
	conn, err := openWritable(ctx, l.Path) // takes back what a killed program has left
	if err != nil {
		return 0, err
	}
	has, err := propertiesOf(ctx, conn)
	conn.close()
	if err != nil {
		return 0, err
	}
	if err := prepare(ctx, job.New, preparation{pageSize: has.pageSize, encoding: has.encoding}); err != nil {
		return 0, err
	}
	for _, path := range []string{l.Path, l.Path + "-wal", job.New} {
		if info, err := os.Stat(path); err == nil {
			need += info.Size()
		}
	}
	return need, nil
}

// errWritten says that the live database was written to between its copy and the
// lock.
var errWritten = errors.New("the database was written to meanwhile")

// onlineBackup is what a connection of the driver can do besides SQL.
type onlineBackup interface {
	NewBackup(to string) (*sqlite.Backup, error)
	NewRestore(from string) (*sqlite.Backup, error)
	sqlite.FileControl
}

// tryOverwrite copies the live database aside and overwrites it. It returns how
// long nobody could write to it.
//
// An online backup locks the database that it writes to, but in a way in which
// others, without a write-ahead log, can no longer read it. So a second connection
// keeps writers out while the copy is made, and hands the lock over: it lets go, the
// backup's first step takes it, and if a program was quicker, the database has
// changed, and the copy counts for nothing.
func (i *intent) tryOverwrite(ctx context.Context) (locked time.Duration, err error) {
	if err := removeDatabase(i.Job.Aside); err != nil {
		return 0, err
	}
	guard, err := openWritable(ctx, i.Job.Live)
	if err != nil {
		return 0, err
	}
	defer guard.close()
	live, err := openWritable(ctx, i.Job.Live)
	if err != nil {
		return 0, err
	}
	defer live.close()
	began := time.Now()
	if _, err := guard.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	has, err := propertiesOf(ctx, live) // now it knows the database as it is copied
	if err != nil {
		return 0, err
	}
	err = live.Raw(func(driver any) error {
		raw, ok := driver.(onlineBackup)
		if !ok {
			return errors.New("the driver has no online backup")
		}
		before, err := raw.FileControlDataVersion("main")
		if err != nil {
			return err
		}
		if err := i.copyAside(ctx); err != nil {
			return err
		}
		return i.writeOver(ctx, raw, func() error {
			_, err := guard.ExecContext(ctx, "ROLLBACK")
			return err
		}, func() error {
			// This call only reads what the lock has just found out.
			after, err := raw.FileControlDataVersion("main")
			if err == nil && after != before {
				err = errWritten
			}
			i.Version = &has.version
			return errors.Join(err, i.write())
		})
	})
	return time.Since(began), err
}

// stepPages is how many pages are written before ctx is looked at.
const stepPages = 1000

// writeOver writes the new database over the live one, in one transaction. It calls
// letGo before that takes its lock, and check after; if it fails, nothing was
// changed.
func (i *intent) writeOver(ctx context.Context, live onlineBackup, letGo, check func() error) (err error) {
	restore, err := live.NewRestore(address(i.Job.New, "mode=ro"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, restore.Finish()) }() // takes back what is not committed
	if err := letGo(); err != nil {
		return err
	}
	if _, err := restore.Step(0); err != nil { // locks, until the last step
		return err
	}
	if err := check(); err != nil {
		return err
	}
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if more, err = restore.Step(stepPages); err != nil {
			return err
		}
	}
	return nil
}

// copyAside copies the live database, page by page, to a file of its own.
func (i *intent) copyAside(ctx context.Context) error {
	conn, err := openReadOnly(ctx, i.Job.Live)
	if err != nil {
		return err
	}
	defer conn.close()
	if err := copyPages(conn, i.Job.Aside); err != nil {
		return err
	}
	if err := prepare(ctx, i.Job.Aside, preparation{}); err != nil {
		return err
	}
	if err := likeLive(i.Job.Live, i.Job.Aside); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(i.Job.Aside))
}

// copyPages makes a private file with the pages of conn's database.
func copyPages(conn *connection, path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return mendable(err)
	}
	if err := file.Close(); err != nil {
		return mendable(err)
	}
	return conn.Raw(func(driver any) error {
		live, ok := driver.(onlineBackup)
		if !ok {
			return errors.New("the driver has no online backup")
		}
		backup, err := live.NewBackup(address(path, "mode=rw"))
		if err != nil {
			return err
		}
		_, err = backup.Step(-1)
		return errors.Join(err, backup.Finish())
	})
}

// finishOverwrite makes known what the live file and the copy hold now.
func (i *intent) finishOverwrite() error {
	if err := recordHolds(i.Job.Aside, i.Job.Out); err != nil {
		return fmt.Errorf("mark what was set aside: %w", err)
	}
	if err := recordHolds(i.Job.Live, i.Job.In); err != nil {
		return fmt.Errorf("mark what was written: %w", err)
	}
	if err := removeDatabase(i.Job.New); err != nil {
		return err
	}
	return i.forget()
}
