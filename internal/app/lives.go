package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/seal"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

// lives opens production sources for restores.
type lives struct {
	configs *configs
}

// OpenLive implements activities.Lives.
func (l *lives) OpenLive(_ context.Context, plan *recovery.Plan, source string) (activities.Live, error) {
	cfg, err := l.configs.load()
	if err != nil {
		return nil, err
	}
	spec, err := sourceOf(plan, source)
	if err != nil {
		return nil, err
	}
	if spec.Kind == recovery.KindSQLite {
		return &sqliteLive{Live: sqlite.Live{Source: source, Path: spec.Path, Stopped: len(plan.Commands.Stop) > 0}}, nil
	}
	live, err := openPostgresLive(cfg, spec)
	if err != nil {
		return nil, err
	}
	return live, nil
}

func sourceOf(plan *recovery.Plan, name string) (recovery.SourceSpec, error) {
	i := slices.IndexFunc(plan.Sources, func(s recovery.SourceSpec) bool { return s.Name == name })
	if i < 0 {
		return recovery.SourceSpec{}, recovery.NewFault(recovery.Permanent, fmt.Errorf("open source %s: it is not in the config of %s", name, plan.Service), "")
	}
	return plan.Sources[i], nil
}

// postgresLive is a production database.
type postgresLive struct {
	*postgres.Live
	name string // of the database
}

func openPostgresLive(cfg *config.Config, spec recovery.SourceSpec) (*postgresLive, error) {
	address, err := cfg.Reveal(spec.URL)
	if err != nil {
		return nil, fmt.Errorf("open source %s: %w", spec.Name, err)
	}
	admin, err := adminURL(cfg, spec)
	if err != nil {
		return nil, err
	}
	live := &postgres.Live{Source: spec.Name, URL: address.Reveal(), AdminURL: admin, Application: "lifeboat/change/" + spec.Name}
	name, err := live.Name()
	return &postgresLive{Live: live, name: name}, err
}

// adminURL is the address of production as a role that may make and rename
// databases: the source's own, if no other is named.
func adminURL(cfg *config.Config, spec recovery.SourceSpec) (string, error) {
	ref := spec.Admin
	if ref == "" {
		ref = spec.URL
	}
	admin, err := cfg.Reveal(ref)
	if err != nil {
		return "", fmt.Errorf("open source %s as its admin: %w", spec.Name, err)
	}
	return admin.Reveal(), nil
}

// Beside implements activities.Live.
func (l *postgresLive) Beside(ref activities.CopyRef) (string, error) {
	return postgres.StagingDatabase(ref.Run, ref.Artefact.Source, ref.Attempt), nil
}

// Aside implements activities.Live.
func (l *postgresLive) Aside(stamp string) string { return postgres.AsideName(l.name, stamp) }

// Swap implements activities.Live; the service may go on running.
func (l *postgresLive) Swap(ctx context.Context, s recovery.Swap, _ bool) (*recovery.Swapped, error) {
	return l.Live.Swap(ctx, s)
}

// Keep implements activities.Live.
func (l *postgresLive) Keep(ctx context.Context, ref activities.CopyRef) (name, where string, err error) {
	beside, err := l.Beside(ref)
	if err != nil {
		return "", "", err
	}
	name = postgres.BesideName(l.name, string(ref.Artefact.Set))
	return name, "database " + name, l.Rename(ctx, beside, name)
}

// SweepBeside implements activities.Live.
func (l *postgresLive) SweepBeside(ctx context.Context, current recovery.RunRef) error {
	_, err := postgres.SweepStaging(ctx, l.AdminURL, func(_ context.Context, run recovery.RunRef) (bool, error) {
		return run.WorkflowID != current.WorkflowID || run == current, nil
	})
	return err
}

// sqliteLive is a production file.
type sqliteLive struct {
	sqlite.Live
}

// Beside implements activities.Live.
func (l *sqliteLive) Beside(ref activities.CopyRef) (string, error) { return besideFile(l.Path, ref) }

// besideFile is where a file is restored beside the live one.
func besideFile(live string, ref activities.CopyRef) (string, error) {
	if !runIDForm.MatchString(ref.Run.RunID) {
		return "", recovery.NewFault(recovery.Permanent, fmt.Errorf("open the copy of %s: run id %q is not one of Temporal's", ref.Artefact.Source, ref.Run.RunID), "")
	}
	return filepath.Join(sqlite.BesideFolder(live, ref.Run), fmt.Sprintf("%s.%d.db", ref.Artefact.Source, ref.Attempt)), nil
}

// Aside implements activities.Live.
func (l *sqliteLive) Aside(stamp string) string { return sqlite.AsidePath(l.Path, stamp) }

// Identity implements activities.Live.
func (l *sqliteLive) Identity(_ context.Context, name string) (string, error) {
	identity, err := sqlite.Identity(name)
	if err == nil && identity == "" {
		err = recovery.NewFault(recovery.Permanent, fmt.Errorf("look for %s: %w", name, recovery.ErrNotFound), "")
	}
	return identity, err
}

// Swap implements activities.Live.
func (l *sqliteLive) Swap(ctx context.Context, s recovery.Swap, stopped bool) (*recovery.Swapped, error) {
	live := l.Live
	live.Stopped = stopped
	return live.Swap(ctx, s)
}

// Keep implements activities.Live.
func (l *sqliteLive) Keep(ctx context.Context, ref activities.CopyRef) (name, where string, err error) {
	beside, err := l.Beside(ref)
	if err != nil {
		return "", "", err
	}
	name = sqlite.KeptPath(l.Path, string(ref.Artefact.Set))
	return name, "file " + name, l.Live.Keep(ctx, beside, name)
}

// SweepBeside implements activities.Live: the folders of copies are those of runs
// that restore this file.
func (l *sqliteLive) SweepBeside(_ context.Context, current recovery.RunRef) error {
	folders, err := filepath.Glob(globLiteral(sqlite.BesideFolder(l.Path, recovery.RunRef{})) + "*")
	if err != nil {
		return fmt.Errorf("list copies beside %s: %w", l.Path, err)
	}
	for _, folder := range folders {
		if folder == sqlite.BesideFolder(l.Path, current) {
			continue
		}
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("remove copies of an ended run: %w", err)
		}
	}
	return nil
}

// globLiteral keeps a path from being read as a pattern.
func globLiteral(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// handOverKey is the file of the key with which this host opens what is handed to
// it, in the folder of the copy.
const handOverKey = "handover.key"

// OfferKey implements activities.Lives.
func (l *lives) OfferKey(_ context.Context, plan *recovery.Plan, ref activities.CopyRef) (*recovery.EncryptionSpec, error) {
	spec, err := sourceOf(plan, ref.Artefact.Source)
	if err != nil {
		return nil, err
	}
	file, err := besideFile(spec.Path, ref)
	if err != nil {
		return nil, err
	}
	key := filepath.Join(filepath.Dir(file), handOverKey)
	recipient, err := handOverRecipient(key)
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("make key for the hand-over: %w", err), "let the worker write to the folder of "+spec.Path)
	}
	return &recovery.EncryptionSpec{Recipients: []string{recipient}, Identities: "file:" + key}, nil
}

// handOverRecipient makes the key, or finds the one that an earlier try made.
func handOverRecipient(file string) (string, error) {
	secret, err := os.ReadFile(file)
	if err == nil {
		return seal.RecipientOf(string(secret))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	made, recipient, err := seal.GenerateIdentity()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	return recipient, os.WriteFile(file, []byte(made+"\n"), 0o600)
}
