package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Staging is a restored database: a file in a private folder, named by whoever
// restores it so that it belongs to one run alone.
type Staging struct {
	Path string // absolute
}

// Restore writes the database that r holds to the file, and returns when it is on
// the disk. What an earlier try of the same run left there is replaced. progress,
// if not nil, is told how many bytes were written so far.
func (s *Staging) Restore(ctx context.Context, r io.Reader, progress func(bytes int64)) (*recovery.Restored, error) {
	size, err := s.restore(ctx, r, progress)
	if err != nil {
		return nil, fmt.Errorf("restore to %s: %w", s.Path, errors.Join(err, s.Drop(ctx)))
	}
	return &recovery.Restored{PlainSize: size}, nil
}

func (s *Staging) restore(ctx context.Context, r io.Reader, progress func(int64)) (int64, error) {
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
		return 0, mendable(err)
	}
	if err := s.Drop(ctx); err != nil {
		return 0, mendable(err)
	}
	// O_EXCL also refuses a link that someone put there meanwhile.
	file, err := os.OpenFile(s.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, mendable(err)
	}
	size, err := transfer(ctx, restoredFile{file}, r, progress)
	if err == nil {
		err = mendable(file.Sync())
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return size, err
	}
	return size, syncFolder(filepath.Dir(s.Path))
}

// restoredFile tells a full disk here from errors of the stream that is restored.
type restoredFile struct{ *os.File }

func (f restoredFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, mendable(err)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Integrity runs SQLite's integrity check. A database that fails it is Damaged.
func (s *Staging) Integrity(ctx context.Context) error {
	var complaints string
	err := s.read(ctx, func(conn *connection) (err error) {
		complaints, err = integrity(ctx, conn)
		return err
	})
	if err == nil && complaints != "" {
		err = recovery.NewFault(recovery.Damaged, errors.New(complaints), "")
	}
	if err != nil {
		return fmt.Errorf("check %s: %w", s.Path, err)
	}
	return nil
}

// Fingerprint sums the database up.
func (s *Staging) Fingerprint(ctx context.Context, mode recovery.FingerprintMode) (*recovery.Fingerprint, error) {
	var sums *recovery.Fingerprint
	err := s.read(ctx, func(conn *connection) (err error) {
		sums, err = fingerprint(ctx, conn, mode)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fingerprint %s: %w", s.Path, err)
	}
	return sums, nil
}

// Query runs a read-only query and returns the first column of the first row as
// text: NULL as nothing, times as "2006-01-02 15:04:05" in UTC.
func (s *Staging) Query(ctx context.Context, query string) (string, error) {
	var text string
	err := s.read(ctx, func(conn *connection) (err error) {
		// The connection cannot change the file; this keeps it from others, too.
		if _, err := sqlite.Limit(conn.Conn, sqlite3.SQLITE_LIMIT_ATTACHED, 0); err != nil {
			return err
		}
		text, err = firstValue(ctx, conn, query)
		switch code(err) {
		case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY:
			return recovery.NewFault(recovery.Permanent, err, "mend the query")
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("query %s: %w", s.Path, err)
	}
	return text, nil
}

func firstValue(ctx context.Context, conn *connection, query string) (string, error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	if !rows.Next() {
		return "", rows.Err()
	}
	values := make([]any, max(len(names), 1))
	targets := make([]any, len(names))
	for i := range targets {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return "", err
	}
	if err := rows.Close(); err != nil {
		return "", err
	}
	return textOf(ctx, conn, values[0])
}

// textOf writes a value the way SQLite itself would.
func textOf(ctx context.Context, conn *connection, value any) (text string, err error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case []byte:
		return string(v), nil
	case time.Time: // a column declared DATETIME or the like
		return v.UTC().Format("2006-01-02 15:04:05.999999999"), nil
	}
	err = conn.QueryRowContext(ctx, "SELECT CAST(? AS TEXT)", value).Scan(&text)
	return text, err
}

// Drop removes the file and what SQLite keeps beside it. Dropping what is not
// there is no error.
func (s *Staging) Drop(context.Context) error {
	var errs []error
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		if err := os.Remove(s.Path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("drop restored database: %w", err))
		}
	}
	return errors.Join(errs...)
}

// read opens the restored database for f and says what an error means: bytes that
// are no whole database are not what was stored.
func (s *Staging) read(ctx context.Context, f func(*connection) error) error {
	conn, err := openReadOnly(ctx, s.Path)
	if err == nil {
		err = f(conn)
		conn.close()
	}
	if c := code(err); c == sqlite3.SQLITE_NOTADB || c == sqlite3.SQLITE_CORRUPT {
		return recovery.NewFault(recovery.Damaged, err, "")
	}
	return classify(ctx, err)
}
