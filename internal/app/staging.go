package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

// staging makes copies of artefacts on the staging server and in the staging
// folder. All that a run makes there carries the run's name, so that what a
// killed worker left can be told from what is in use.
type staging struct {
	configs *configs
	runs    *runs
}

// OpenCopy implements activities.Staging.
func (s *staging) OpenCopy(_ context.Context, plan *recovery.Plan, ref activities.CopyRef) (activities.Copy, error) {
	cfg, err := s.configs.load()
	if err != nil {
		return nil, err
	}
	if ref.Beside {
		return s.openBeside(cfg, plan, ref)
	}
	folder, err := runFolder(plan.Staging.Folder, ref.Run)
	if err != nil {
		return nil, err
	}
	a := ref.Artefact
	name := fmt.Sprintf("%s.%d", a.Source, ref.Attempt)
	switch a.Kind {
	case recovery.KindPostgres:
		return s.openPostgres(cfg, plan, ref, filepath.Join(folder, name))
	case recovery.KindSQLite:
		return &sqliteCopy{Staging: &sqlite.Staging{Path: filepath.Join(folder, name+".db")}, folder: folder, run: ref.Run, artefact: a}, nil
	}
	return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("restore %s: there is no kind %q", a.Source, a.Kind), "update this worker")
}

// openBeside opens a copy beside production, which is to take its place: the same
// copy, on another server.
func (s *staging) openBeside(cfg *config.Config, plan *recovery.Plan, ref activities.CopyRef) (activities.Copy, error) {
	spec, err := sourceOf(plan, ref.Artefact.Source)
	if err != nil {
		return nil, err
	}
	if spec.Kind == recovery.KindSQLite {
		file, err := besideFile(spec.Path, ref)
		if err != nil {
			return nil, err
		}
		return &sqliteCopy{Staging: &sqlite.Staging{Path: file}, folder: filepath.Dir(file), run: ref.Run, artefact: ref.Artefact}, nil
	}
	live, err := openPostgresLive(cfg, spec)
	if err != nil {
		return nil, err
	}
	folder, err := runFolder(cmp.Or(plan.Staging.Folder, os.TempDir()), ref.Run)
	if err != nil {
		return nil, err
	}
	name := postgres.StagingDatabase(ref.Run, spec.Name, ref.Attempt)
	return &postgresCopy{
		artefact: ref.Artefact, folder: filepath.Join(folder, fmt.Sprintf("%s.%d", spec.Name, ref.Attempt)), run: ref.Run, tables: spec.Tables,
		// The service uses it as its own role.
		address: live.URLOf(name),
		Staging: postgresStaging(cfg, ref, live.AdminURL, name, folder),
	}, nil
}

func postgresStaging(cfg *config.Config, ref activities.CopyRef, server, name, folder string) *postgres.Staging {
	return &postgres.Staging{
		ServerURL: server, Database: name, Run: ref.Run, Application: "lifeboat/restore/" + string(ref.Artefact.Set), Tool: ref.Artefact.Tool,
		ToolDirs: cfg.Tools.Postgres, Folder: folder,
	}
}

func (s *staging) openPostgres(cfg *config.Config, plan *recovery.Plan, ref activities.CopyRef, folder string) (activities.Copy, error) {
	server, err := stagingServer(cfg, plan)
	if err != nil {
		return nil, err
	}
	c := &postgresCopy{artefact: ref.Artefact, folder: folder, run: ref.Run, sameServer: plan.Staging.SameServer}
	for _, spec := range plan.Sources {
		if spec.Name != ref.Artefact.Source {
			continue
		}
		c.tables = spec.Tables
		// Production is asked only for its identity; a worker that may not know its
		// URL compares nothing.
		if address, err := cfg.Reveal(spec.URL); err == nil {
			c.production = address.Reveal()
		}
	}
	c.Staging = postgresStaging(cfg, ref, server, postgres.StagingDatabase(ref.Run, ref.Artefact.Source, ref.Attempt), folder)
	c.address = c.URL()
	return c, nil
}

func stagingServer(cfg *config.Config, plan *recovery.Plan) (string, error) {
	if plan.Staging.PostgresURL == "" {
		return "", recovery.NewFault(recovery.Permanent, errors.New("open staging: there is no server to restore PostgreSQL to"), "set staging.postgres.url in the config")
	}
	server, err := cfg.Reveal(plan.Staging.PostgresURL)
	if err != nil {
		return "", fmt.Errorf("open staging: %w", err)
	}
	return server.Reveal(), nil
}

// Sweep implements activities.Staging.
func (s *staging) Sweep(ctx context.Context, plan *recovery.Plan) ([]string, error) {
	cfg, err := s.configs.load()
	if err != nil {
		return nil, err
	}
	dropped, err := s.sweepFolders(ctx, plan.Staging.Folder)
	if err != nil || plan.Staging.PostgresURL == "" {
		return dropped, err
	}
	server, err := stagingServer(cfg, plan)
	if err != nil {
		return dropped, err
	}
	databases, err := postgres.SweepStaging(ctx, server, s.runs.running)
	return append(dropped, databases...), err
}

const (
	folderPrefix = "run-"
	runFile      = "run.json" // in the folder: whose it is
)

var runIDForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

// runFolder is the private folder of a run.
func runFolder(base string, run recovery.RunRef) (string, error) {
	if base == "" {
		return "", recovery.NewFault(recovery.Permanent, errors.New("open staging: there is no folder for restored files"), "set staging.folder in the config")
	}
	if !runIDForm.MatchString(run.RunID) {
		return "", recovery.NewFault(recovery.Permanent, fmt.Errorf("open staging: run id %q is not one of Temporal's", run.RunID), "")
	}
	return filepath.Join(base, folderPrefix+run.RunID), nil
}

// claim makes the folder of a run and writes into it whose it is.
func claim(folder string, run recovery.RunRef) error {
	owner, err := json.Marshal(run)
	if err != nil {
		return fmt.Errorf("make folder for restored files: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("make folder for restored files: %w", err), "let the worker write to staging.folder")
	}
	if err := os.WriteFile(filepath.Join(folder, runFile), owner, 0o600); err != nil {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("make folder for restored files: %w", err), "let the worker write to staging.folder")
	}
	return nil
}

// Release implements activities.Staging: it removes the folder of a run.
func (s *staging) Release(_ context.Context, plan *recovery.Plan, ref activities.CopyRef) error {
	folder, err := releaseFolder(plan, ref)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("remove folder for restored files: %w", err)
	}
	return nil
}

// releaseFolder is the folder that belongs to the run of a copy.
func releaseFolder(plan *recovery.Plan, ref activities.CopyRef) (string, error) {
	if ref.Beside && ref.Artefact.Kind == recovery.KindSQLite {
		spec, err := sourceOf(plan, ref.Artefact.Source)
		if err != nil {
			return "", err
		}
		file, err := besideFile(spec.Path, ref)
		return filepath.Dir(file), err
	}
	base := plan.Staging.Folder
	if ref.Beside {
		base = cmp.Or(base, os.TempDir())
	}
	return runFolder(base, ref.Run)
}

// sweepFolders removes the folders of runs that have ended.
func (s *staging) sweepFolders(ctx context.Context, base string) ([]string, error) {
	folders, err := filepath.Glob(filepath.Join(base, folderPrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("list folders for restored files: %w", err)
	}
	var dropped []string
	for _, folder := range folders {
		owner, err := os.ReadFile(filepath.Join(folder, runFile))
		var run recovery.RunRef
		if err != nil || json.Unmarshal(owner, &run) != nil {
			continue // not one of ours
		}
		alive, err := s.runs.running(ctx, run)
		if err != nil {
			return dropped, err
		}
		if alive {
			continue
		}
		if err := os.RemoveAll(folder); err != nil {
			return dropped, fmt.Errorf("remove folder of an ended run: %w", err)
		}
		dropped = append(dropped, filepath.Base(folder))
	}
	return dropped, nil
}
