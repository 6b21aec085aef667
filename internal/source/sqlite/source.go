// Package sqlite backs up, restores and fingerprints SQLite databases.
//
// A backup is a consistent copy of a live database, made with VACUUM INTO from a
// read-only connection: in WAL mode, writers go on writing meanwhile. In the
// older rollback-journal modes a writer waits while the copy is made, as it would
// for any other long read.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Ext is the file extension of a dump: it is a database that opens as it is.
const Ext = "db"

// Source is a SQLite database of a service.
type Source struct {
	Name        string                   // of the source
	Path        string                   // of the database, absolute
	Fingerprint recovery.FingerprintMode // how much of the copy is summed up
	TempDir     string                   // where copies are made; empty means the system's
}

// Estimate returns the size in bytes that a copy will have, about.
func (s *Source) Estimate(ctx context.Context) (int64, error) {
	bytes, err := s.estimate(ctx)
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", s.Path, classify(ctx, err))
	}
	return bytes, nil
}

func (s *Source) estimate(ctx context.Context) (int64, error) {
	conn, err := s.open(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.close()
	var bytes int64
	err = conn.QueryRowContext(ctx, `SELECT (page_count - freelist_count) * page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&bytes)
	return bytes, err
}

// Dump copies the database as of one moment and writes the copy to w. The copy
// stands in a private folder of its own, which is gone when Dump returns.
// progress, if not nil, is told how many bytes were written so far; it is silent
// while the copy is made.
func (s *Source) Dump(ctx context.Context, job recovery.DumpJob, w io.Writer, progress func(bytes int64)) (*recovery.Dump, error) {
	need, err := s.Estimate(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := newFolder(s.TempDir, job, need)
	if err != nil {
		return nil, fmt.Errorf("make folder for the copy of %s: %w", s.Path, err)
	}
	dump, err := s.dump(ctx, filepath.Join(folder.path, "copy.db"), w, progress)
	if removed := folder.remove(); removed != nil && err == nil {
		err = fmt.Errorf("remove copy of %s: %w", s.Path, removed)
	}
	if err != nil {
		return nil, err
	}
	return dump, nil
}

func (s *Source) dump(ctx context.Context, file string, w io.Writer, progress func(int64)) (*recovery.Dump, error) {
	dump := &recovery.Dump{Ext: Ext, Snapshot: time.Now().UTC()}
	version, err := s.copyTo(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("copy %s: %w", s.Path, classify(ctx, err))
	}
	dump.Tool = "sqlite " + version + " VACUUM INTO"
	if dump.Fingerprint, err = s.examine(ctx, file); err != nil {
		return nil, fmt.Errorf("check copy of %s: %w", s.Path, classify(ctx, err))
	}
	if dump.PlainSize, err = send(ctx, file, w, progress); err != nil {
		return nil, fmt.Errorf("send copy of %s: %w", s.Path, err)
	}
	return dump, nil
}

// copyTo makes the copy and returns SQLite's version.
func (s *Source) copyTo(ctx context.Context, file string) (version string, err error) {
	conn, err := s.open(ctx)
	if err != nil {
		return "", err
	}
	defer conn.close()
	if err := conn.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return "", err
	}
	_, err = conn.ExecContext(ctx, "VACUUM INTO ?", file)
	return version, err
}

// examine checks that the copy is whole and sums it up.
func (s *Source) examine(ctx context.Context, file string) (*recovery.Fingerprint, error) {
	conn, err := openReadOnly(ctx, file)
	if err != nil {
		return nil, err
	}
	defer conn.close()
	complaints, err := integrity(ctx, conn)
	if err != nil {
		return nil, err
	}
	if complaints != "" {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("it is damaged: %s", complaints), mendDamage)
	}
	return fingerprint(ctx, conn, s.Fingerprint)
}

// open opens the live database. The file is looked at only through stat: to open
// and close it beside SQLite would drop the locks that this process holds on it.
func (s *Source) open(ctx context.Context) (*connection, error) {
	info, err := os.Stat(s.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, recovery.NewFault(recovery.Permanent, errors.New("there is no such file"), "check the path of the source")
	case err != nil:
		return nil, recovery.NewFault(recovery.Permanent, err, mendAccess)
	case !info.Mode().IsRegular():
		return nil, recovery.NewFault(recovery.Permanent, errors.New("it is not a file"), "check the path of the source")
	case info.Size() == 0:
		return nil, recovery.NewFault(recovery.Permanent, errors.New("the file is empty"), "check the path of the source, and whether the service has created its tables")
	}
	return openReadOnly(ctx, s.Path)
}

// connection is one connection to one database.
type connection struct {
	*sql.Conn
	db *sql.DB
}

// close gives the connection back. It only ever read, so there is nothing left
// to go wrong.
func (c *connection) close() {
	_ = c.Conn.Close()
	_ = c.db.Close()
}
