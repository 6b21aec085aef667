package app

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

// postgresCopy is a throwaway database.
type postgresCopy struct {
	*postgres.Staging
	artefact   recovery.Artefact
	folder     string
	run        recovery.RunRef
	tables     []string
	address    string // with which the service uses it
	production string // URL, empty if not known here
	sameServer bool
}

// Preflight implements activities.Copy.
func (c *postgresCopy) Preflight(ctx context.Context) error {
	return c.Staging.Preflight(ctx, c.artefact, c.artefact.Room(), c.production, c.sameServer)
}

// Restore implements activities.Copy.
func (c *postgresCopy) Restore(ctx context.Context, database []byte, dump io.Reader, progress func(int64)) (*recovery.Restored, error) {
	if err := claim(filepath.Dir(c.folder), c.run); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return nil, recovery.NewFault(recovery.Permanent, err, "let the worker write to staging.folder")
	}
	return c.Staging.Restore(ctx, database, dump, progress)
}

// Fingerprint implements activities.Copy.
func (c *postgresCopy) Fingerprint(ctx context.Context) (*recovery.Fingerprint, error) {
	return c.Staging.Fingerprint(ctx, c.artefact.Mode, c.tables)
}

// Definitions implements activities.Copy.
func (c *postgresCopy) Definitions(ctx context.Context, dump io.Reader) (*recovery.Fingerprint, error) {
	return c.Staging.Definitions(ctx, dump, c.tables)
}

// ServerVersion implements activities.Copy.
func (c *postgresCopy) ServerVersion(ctx context.Context) (string, error) {
	return c.Query(ctx, "SELECT split_part(current_setting('server_version'), ' ', 1)")
}

// Address implements activities.Copy.
func (c *postgresCopy) Address() string { return c.address }

// sqliteCopy is a database file in the run's private folder.
type sqliteCopy struct {
	*sqlite.Staging
	artefact recovery.Artefact
	folder   string
	run      recovery.RunRef
}

// Preflight implements activities.Copy: a file needs nothing but room, which
// restoring it finds out.
func (c *sqliteCopy) Preflight(context.Context) error { return nil }

// Restore implements activities.Copy.
func (c *sqliteCopy) Restore(ctx context.Context, _ []byte, dump io.Reader, progress func(int64)) (*recovery.Restored, error) {
	if err := claim(c.folder, c.run); err != nil {
		return nil, err
	}
	return c.Staging.Restore(ctx, dump, progress)
}

// Fingerprint implements activities.Copy; a file that SQLite itself finds broken
// has none.
func (c *sqliteCopy) Fingerprint(ctx context.Context) (*recovery.Fingerprint, error) {
	if err := c.Integrity(ctx); err != nil {
		return nil, err
	}
	return c.Staging.Fingerprint(ctx, c.artefact.Mode)
}

// Definitions implements activities.Copy: SQLite keeps definitions word by word.
func (c *sqliteCopy) Definitions(context.Context, io.Reader) (*recovery.Fingerprint, error) {
	return nil, nil
}

// ServerVersion implements activities.Copy.
func (c *sqliteCopy) ServerVersion(context.Context) (string, error) { return "", nil }

// Address implements activities.Copy.
func (c *sqliteCopy) Address() string { return c.Path }
