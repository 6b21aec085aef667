package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

// sources opens sources by their kind.
type sources struct {
	configs *configs
}

// OpenSource implements activities.Sources.
func (s *sources) OpenSource(_ context.Context, spec recovery.SourceSpec) (activities.Source, error) {
	cfg, err := s.configs.load()
	if err != nil {
		return nil, err
	}
	switch spec.Kind {
	case recovery.KindPostgres:
		address, err := cfg.Reveal(spec.URL)
		if err != nil {
			return nil, fmt.Errorf("open source %s: %w", spec.Name, err)
		}
		url := address.Reveal()
		if spec.Database != "" {
			url = (&postgres.Live{Source: spec.Name, URL: url}).URLOf(spec.Database)
		}
		return &postgres.Source{
			Name: spec.Name, URL: url, Tables: spec.Tables,
			Fingerprint: spec.Fingerprint, ToolDirs: cfg.Tools.Postgres,
		}, nil
	case recovery.KindSQLite:
		folder := copiesFolder(cfg)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("make folder for copies: %w", err), "let the worker write to staging.folder")
		}
		return &sqlite.Source{Name: spec.Name, Path: spec.Path, Fingerprint: spec.Fingerprint, TempDir: folder}, nil
	}
	return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("open source %s: there is no kind %q", spec.Name, spec.Kind), "update this worker")
}

// SweepCopies implements activities.Sources.
func (s *sources) SweepCopies(ctx context.Context, _ []recovery.SourceSpec, current recovery.SetID) error {
	cfg, err := s.configs.load()
	if err != nil {
		return err
	}
	return sqlite.SweepCopies(ctx, copiesFolder(cfg), current)
}

// copiesFolder is where the copies of SQLite databases are made while they are
// dumped.
func copiesFolder(cfg *config.Config) string {
	if cfg.Staging.Folder != "" {
		return filepath.Join(cfg.Staging.Folder, "copies")
	}
	return filepath.Join(os.TempDir(), "lifeboat-copies")
}
