package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// What a person can do about an error.
const (
	mendAccess = "let the worker's user read the file and its folder; a database in WAL mode needs the right to write to the folder as well"
	mendFile   = "check the path of the source; an encrypted database cannot be backed up through its file"
	mendDamage = "the database itself is damaged: look at it with sqlite3's integrity_check and mend it with its .recover command"
	mendSpace  = "free space there, or name another folder"
	mendUse    = "look whether the service can use its database"
)

// openReadOnly opens a database without the right to change or create it. It
// waits up to two seconds for a lock.
func openReadOnly(ctx context.Context, path string) (*connection, error) {
	return open(ctx, address(path, "mode=ro"))
}

// openWritable opens a database that is there, and may change it. What it commits
// is on the disk.
func openWritable(ctx context.Context, path string) (*connection, error) {
	return open(ctx, address(path, "mode=rw"))
}

// address is the name of a file for SQLite.
func address(path, mode string) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: mode + "&_busy_timeout=2000&_error_rc=1"}
	return u.String()
}

func open(ctx context.Context, address string) (*connection, error) {
	db, err := sql.Open("sqlite", address)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &connection{Conn: conn, db: db}, nil
}

// integrity returns what SQLite's integrity check complains of, or nothing.
// Its messages name tables, indexes and pages, never values.
func integrity(ctx context.Context, conn *connection) (string, error) {
	rows, err := conn.QueryContext(ctx, "PRAGMA integrity_check(5)")
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	var complaints []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return "", err
		}
		if line != "ok" {
			complaints = append(complaints, strings.ReplaceAll(line, "\n", "; "))
		}
	}
	return strings.Join(complaints, "; "), rows.Err()
}

// classify says what an error of a source means. The database is the user's own,
// so damage is not Damaged (what we stored is not what it was) but theirs to mend.
func classify(ctx context.Context, err error) error {
	var fault *recovery.Fault
	if err == nil || errors.As(err, &fault) {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch code(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return recovery.NewFault(recovery.Unavailable, err, "another program keeps the database locked")
	case sqlite3.SQLITE_NOTADB:
		return recovery.NewFault(recovery.Permanent, err, mendFile)
	case sqlite3.SQLITE_CORRUPT:
		return recovery.NewFault(recovery.Permanent, err, mendDamage)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY:
		return recovery.NewFault(recovery.Permanent, err, mendAccess)
	case sqlite3.SQLITE_FULL:
		return recovery.NewFault(recovery.Permanent, err, mendSpace)
	case sqlite3.SQLITE_ERROR:
		return recovery.NewFault(recovery.Permanent, err, mendUse)
	}
	return err
}

// code returns SQLite's primary result code, zero if err is not SQLite's.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}
