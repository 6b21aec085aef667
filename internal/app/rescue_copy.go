package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres"
	"github.com/lifeboat-run/lifeboat/internal/source/sqlite"
)

// rescueCopy is one artefact restored under a name of its own, until it is kept.
type rescueCopy struct {
	activities.Copy
	artefact recovery.Artefact
	where    string                      // that it will have: a database's name, or a file's path
	vacant   func(context.Context) error // fails if something is there
	keep     func(context.Context) error // gives it the name, replacing nothing
	kept     bool
	release  func() error // removes what is left beside it
}

func (c *rescueCopy) drop(ctx context.Context) error {
	return errors.Join(c.Drop(ctx), c.release())
}

// copies opens a copy for each artefact of a set. work is a private folder.
func (r *Rescue) copies(m *recovery.Manifest, work string) ([]*rescueCopy, error) {
	// What a killed rescue of the same set left has the same names, and is replaced.
	run := recovery.RunRef{WorkflowID: "recover/" + m.Service, RunID: string(m.Set)}
	var copies []*rescueCopy
	for _, a := range m.Artefacts {
		var c *rescueCopy
		var err error
		switch a.Kind {
		case recovery.KindPostgres:
			c, err = r.openDatabase(a, run, filepath.Join(work, a.Source))
		case recovery.KindSQLite:
			c, err = r.openFile(a, run)
		default:
			err = recovery.NewFault(recovery.Permanent, fmt.Errorf("there is no kind %q", a.Kind), "update Lifeboat")
		}
		if err != nil {
			return nil, fmt.Errorf("restore %s: %w", a.Source, err)
		}
		c.artefact = a
		copies = append(copies, c)
	}
	return copies, nil
}

// rescueApplication is the application_name of a rescue's sessions.
const rescueApplication = "lifeboat/recover"

func (r *Rescue) openDatabase(a recovery.Artefact, run recovery.RunRef, folder string) (*rescueCopy, error) {
	if r.Server == "" {
		return nil, recovery.NewFault(recovery.Permanent, errors.New("it needs a PostgreSQL server"), "name one with --to-postgres")
	}
	name := a.Source
	if wanted := r.Databases[a.Source]; wanted != "" {
		name = wanted
	}
	temporary := postgres.StagingDatabase(run, a.Source, 1)
	live := &postgres.Live{Source: a.Source, URL: r.Server, AdminURL: r.Server, Application: rescueApplication}
	return &rescueCopy{
		Copy: &postgresCopy{
			artefact: a, folder: folder, run: run, sameServer: true,
			Staging: &postgres.Staging{
				ServerURL: r.Server, Database: temporary, Run: run, Application: rescueApplication,
				Tool: a.Tool, ToolDirs: r.ToolDirs, Folder: folder,
			},
		},
		where: name,
		vacant: func(ctx context.Context) error {
			_, err := live.Identity(ctx, name)
			if errors.Is(err, postgres.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			return taken("database "+name, fmt.Sprintf("--database %s=NAME gives it another name", a.Source))
		},
		keep:    func(ctx context.Context) error { return live.Rename(ctx, temporary, name) },
		release: func() error { return nil },
	}, nil
}

func (r *Rescue) openFile(a recovery.Artefact, run recovery.RunRef) (*rescueCopy, error) {
	if r.Folder == "" {
		return nil, recovery.NewFault(recovery.Permanent, errors.New("it needs a folder for its file"), "name one with --to-folder")
	}
	path := filepath.Join(r.Folder, a.Source+".db")
	beside := sqlite.BesideFolder(path, run)
	file := filepath.Join(beside, filepath.Base(path))
	return &rescueCopy{
		Copy:  &sqliteCopy{Staging: &sqlite.Staging{Path: file}, artefact: a, folder: beside, run: run},
		where: path,
		vacant: func(context.Context) error {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				return taken(path, "name another folder with --to-folder")
			}
			return nil
		},
		keep: func(context.Context) error {
			if err := os.Link(file, path); err != nil { // fails if something is there
				return err
			}
			return os.RemoveAll(beside)
		},
		release: func() error { return os.RemoveAll(beside) },
	}, nil
}

func taken(what, mend string) error {
	return recovery.NewFault(recovery.Permanent, fmt.Errorf("there is a %s already, and nothing is replaced", what), mend)
}
