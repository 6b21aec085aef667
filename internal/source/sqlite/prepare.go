package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// properties are what two databases must have in common for one to be written over
// the other while it is open.
type properties struct {
	pageSize int64
	encoding string
	journal  string // mode
	version  int64  // of the schema
}

func propertiesOf(ctx context.Context, conn *connection) (*properties, error) {
	p := &properties{}
	err := conn.QueryRowContext(ctx, `SELECT page_size, encoding, schema_version FROM pragma_page_size, pragma_encoding, pragma_schema_version`).
		Scan(&p.pageSize, &p.encoding, &p.version)
	if err == nil {
		err = conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&p.journal)
	}
	return p, err
}

// preparation says what a database that is to take a place must be like. What is
// empty may be anything.
type preparation struct {
	pageSize int64
	encoding string
	journal  string
}

// prepare makes one file of a database that nobody uses, with nothing beside it,
// and like p where that changes no content.
func prepare(ctx context.Context, path string, p preparation) error {
	conn, err := openWritable(ctx, path)
	if err == nil {
		err = p.apply(ctx, conn)
		conn.close()
	}
	switch code(err) {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return recovery.NewFault(recovery.Damaged, fmt.Errorf("prepare %s: %w", path, err), "")
	}
	if err != nil {
		return fmt.Errorf("prepare %s: %w", path, err)
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if _, err := os.Lstat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			return permanent("look who uses it", "prepare %s: %s%s does not go away", path, path, suffix)
		}
	}
	return nil
}

func (p *preparation) apply(ctx context.Context, conn *connection) error {
	// The log, if there is one, is written into the file.
	if _, err := conn.ExecContext(ctx, "PRAGMA journal_mode = DELETE"); err != nil {
		return err
	}
	has, err := propertiesOf(ctx, conn)
	if err != nil {
		return err
	}
	var pages int64
	if err := conn.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		return err
	}
	if pages == 0 {
		return permanent("choose another recovery set", "it is empty")
	}
	if p.encoding != "" && p.encoding != has.encoding {
		return permanent(mendStop, "its texts are %s, those of the live database %s, which programs that have that open would not notice", has.encoding, p.encoding)
	}
	if p.pageSize != 0 && p.pageSize != has.pageSize {
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA page_size = %d; VACUUM", p.pageSize)); err != nil {
			return err
		}
	}
	if p.journal == "wal" {
		_, err = conn.ExecContext(ctx, "PRAGMA journal_mode = WAL")
	}
	return err
}
