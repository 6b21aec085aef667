package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"golang.org/x/sys/unix"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Live is a production database file that a restore replaces.
type Live struct {
	Source string // name of the source
	Path   string // absolute
	// Stopped says that the service was stopped by its command, so that nobody has
	// the file open: then a file is put in the place of the other. Otherwise it is
	// written into, in one transaction.
	Stopped bool
}

const (
	asideInfix   = ".before-"
	keptInfix    = ".at-"
	besidePrefix = ".lifeboat-"
)

// AsidePath names what a swap sets aside, in the folder of the live file. stamp
// tells it from those of other swaps.
func AsidePath(live, stamp string) string { return live + asideInfix + stamp }

// BesideFolder names the private folder of a run in which the file is restored
// that is to take the live one's place. It is in the live file's folder, and so on
// its file system. The name says which file it is for, and which run's it is.
func BesideFolder(live string, run recovery.RunRef) string {
	return filepath.Join(filepath.Dir(live), besidePrefix+filepath.Base(live)+"-"+run.RunID)
}

// Inspect says what stands at the path now, and what keeps it from being replaced.
// Where the service is not stopped that includes what only a stopped one allows.
func (l *Live) Inspect(ctx context.Context) (*recovery.LiveState, error) {
	state := &recovery.LiveState{Source: l.Source, Kind: recovery.KindSQLite, Name: l.Path, Where: "file " + l.Path}
	folder := filepath.Dir(l.Path)
	refuse := func(format string, args ...any) {
		state.Refusals = append(state.Refusals, fmt.Sprintf(format, args...))
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		refuse("There is no folder %s.", folder)
		return state, nil
	}
	if !mayUse(folder, unix.W_OK|unix.X_OK) {
		refuse("The worker's user may not write to the folder %s.", folder)
	}
	var err error
	if state.Free, err = freeIn(folder); err != nil {
		return nil, fmt.Errorf("inspect %s: %w", l.Path, err)
	}
	info, err := os.Lstat(l.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if !l.Stopped {
			refuse("There is no file %s; one can be put there only while the service is stopped: set commands.stop and commands.start.", l.Path)
		}
		return state, nil
	case err != nil:
		return nil, fmt.Errorf("inspect %s: %w", l.Path, mendable(err))
	case info.Mode()&fs.ModeSymlink != 0:
		refuse("%s is a symbolic link: write the path of the file itself into the config.", l.Path)
		return state, nil
	case !info.Mode().IsRegular():
		refuse("%s is not a file.", l.Path)
		return state, nil
	case !mayUse(l.Path, unix.R_OK|unix.W_OK):
		refuse("The worker's user may not write to the file %s.", l.Path)
	}
	state.Exists, state.Size = true, info.Size()
	if wal, err := os.Lstat(l.Path + "-wal"); err == nil {
		state.Size += wal.Size()
	}
	if state.Identity, err = identity(l.Path); err != nil {
		return nil, fmt.Errorf("inspect %s: %w", l.Path, err)
	}
	if !l.Stopped {
		if sentence := unwritable(ctx, l.Path); sentence != "" {
			refuse("%s", sentence)
		}
	}
	return state, ctx.Err()
}

// mayUse says whether the user that this process acts as has rights on a file.
func mayUse(path string, rights uint32) bool {
	return unix.Faccessat(unix.AT_FDCWD, path, rights, unix.AT_EACCESS) == nil
}

// unwritable says why a database cannot be written into.
func unwritable(ctx context.Context, path string) string {
	conn, err := openReadOnly(ctx, path)
	if err == nil {
		_, err = propertiesOf(ctx, conn)
		conn.close()
	}
	switch code(err) {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return path + " is damaged, or not a SQLite database; it can be replaced only while the service is stopped: set commands.stop and commands.start."
	}
	return "" // what is only busy now may be written into later
}

// Drop removes what a swap has set aside, with SQLite's files beside it. identity
// is that of the database to be dropped: another one stays, and so does the live
// one. Dropping what is not there is no error.
func (l *Live) Drop(_ context.Context, path, wanted string) error {
	name, ok := strings.CutPrefix(path, l.Path+asideInfix)
	if !ok {
		name, ok = strings.CutPrefix(path, l.Path+keptInfix)
	}
	if !ok || name == "" || strings.ContainsRune(name, filepath.Separator) {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("drop %s: it was not set aside for %s", path, l.Path), "")
	}
	found, err := identity(path)
	if err != nil {
		return fmt.Errorf("drop %s: %w", path, err)
	}
	if found != "" && found != wanted {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("drop %s: another database has taken its place", path), "look at it, and remove it by hand if nobody needs it")
	}
	if err := removeDatabase(path); err != nil {
		return fmt.Errorf("drop %s: %w", path, err)
	}
	return nil
}

// removeDatabase removes a file and its companions, the file before what says what
// it holds. What is not there is no error.
func removeDatabase(path string) error {
	for _, suffix := range append([]string{""}, companions...) {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return mendable(err)
		}
	}
	return syncFolder(filepath.Dir(path))
}
