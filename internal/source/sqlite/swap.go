package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// What a person can do about a swap that was refused.
const (
	mendStop  = "stop the service first: set commands.stop and commands.start"
	mendPlan  = "start the restore again, so that its plan shows what is there now"
	mendClose = "stop it, then try again"
)

// Swap sets the live file aside and puts another in its place.
//
// With the service stopped the files are renamed: the old one with its -wal, -shm
// and -journal, because a log left behind would bring old rows back into the new
// file. Otherwise the old database is copied aside and the new one written into
// the live file by SQLite's online backup, in one transaction under one lock, so
// that no row is lost between the two and programs that have the file open see the
// old database or the new one.
//
// A swap that was killed is finished, or taken back and done anew, by the next: see
// intent. The file named by New is gone after a swap.
func (l *Live) Swap(ctx context.Context, job recovery.Swap) (*recovery.Swapped, error) {
	done, err := l.swap(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("swap %s: %w", l.Path, classify(ctx, err))
	}
	return done, nil
}

func (l *Live) swap(ctx context.Context, job recovery.Swap) (*recovery.Swapped, error) {
	if err := l.checkJob(job); err != nil {
		return nil, err
	}
	lock, held, err := tryLock(filepath.Dir(l.Path))
	if err != nil {
		return nil, mendable(err)
	}
	if !held {
		return nil, errors.New("another swap in this folder has not ended")
	}
	defer func() { _ = lock.Close() }()
	if err := l.settle(ctx); err != nil {
		return nil, err
	}
	there, err := identity(l.Path)
	if err != nil {
		return nil, err
	}
	if there != "" && there == job.In {
		return &recovery.Swapped{Again: true}, nil
	}
	if err := checkParties(job, there); err != nil {
		return nil, err
	}
	if l.Stopped {
		return l.place(ctx, job)
	}
	return l.overwrite(ctx, job)
}

// checkJob refuses a job that would lead to files that are none of a swap's.
func (l *Live) checkJob(job recovery.Swap) error {
	folder := filepath.Dir(l.Path)
	switch {
	case job.Live != l.Path:
		return permanent("", "the job is for %s", job.Live)
	case job.In == "" || job.In == job.Out:
		return permanent("", "the job does not tell what comes from what goes")
	case filepath.Dir(job.Aside) != folder || filepath.Clean(job.Aside) != job.Aside:
		return permanent("", "%s is not in the folder of the live file", job.Aside)
	case !filepath.IsAbs(job.New) || job.New == l.Path || job.Aside == l.Path || job.Aside == job.New:
		return permanent("", "the job names a file twice, or none")
	}
	return nil
}

// checkParties compares what is there with what the job wants swapped.
func checkParties(job recovery.Swap, there string) error {
	if there != job.Out {
		return permanent(mendPlan, "what is there is not what the plan shows")
	}
	comes, err := identity(job.New)
	switch {
	case err != nil:
		return err
	case comes == "":
		return permanent("restore it anew", "there is no %s", job.New)
	case comes != job.In:
		return permanent(mendPlan, "%s is not what the plan shows", job.New)
	}
	if _, err := os.Lstat(job.Aside); !errors.Is(err, fs.ErrNotExist) {
		return permanent("move it away", "%s is there already", job.Aside)
	}
	return nil
}

func permanent(hint, format string, args ...any) error {
	return recovery.NewFault(recovery.Permanent, fmt.Errorf(format, args...), hint)
}

// intent is what a swap is about to do. It stands in a file beside the live one,
// on the disk before anything is changed and until all is done, so that whoever
// comes after a kill knows what to make of what is there.
type intent struct {
	Job recovery.Swap `json:"job"`
	// OldFile and NewFile are the own identities of the files.
	OldFile string `json:"oldFile,omitempty"`
	NewFile string `json:"newFile"`
	// InPlace says that the database is written into the live file.
	InPlace bool `json:"inPlace,omitempty"`
	// Version is the schema version of the old database at the moment before the
	// new one is written over it; nil: that moment has not come.
	Version *int64 `json:"version,omitempty"`
}

func intentPath(live string) string { return live + "-lifeboat-swap" }

func (i *intent) write() error { return writeDurably(intentPath(i.Job.Live), i) }

// forget removes the intent, after all else.
func (i *intent) forget() error {
	if err := os.Remove(intentPath(i.Job.Live)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return mendable(err)
	}
	return syncFolder(filepath.Dir(i.Job.Live))
}

func newIntent(job recovery.Swap) (*intent, error) {
	i := &intent{Job: job}
	var err error
	if i.OldFile, err = ownIdentity(job.Live); err != nil {
		return nil, err
	}
	i.NewFile, err = ownIdentity(job.New)
	return i, err
}

// settle ends what a killed swap has begun: files that are being renamed come to
// their new places; a database was written over the live one, or was not.
func (l *Live) settle(ctx context.Context) error {
	text, err := os.ReadFile(intentPath(l.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return mendable(err)
	}
	var i intent
	if err := json.Unmarshal(text, &i); err != nil || i.Job.Live != l.Path {
		return permanent("look at the files, then remove it", "%s does not say what an earlier swap was about to do", intentPath(l.Path))
	}
	if !i.InPlace {
		_, err := i.rename(ctx)
		return err
	}
	written, err := i.written(ctx)
	switch {
	case err != nil:
		return err
	case written:
		return i.finishOverwrite()
	}
	if err := removeDatabase(i.Job.Aside); err != nil {
		return err
	}
	return i.forget()
}
