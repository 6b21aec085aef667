package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// holdsSuffix names the small file beside a database that says what was written
// into it, see holding.
const holdsSuffix = "-lifeboat"

// companions are the ends of the names of files that belong to a database and go
// where it goes: SQLite's own, and ours.
var companions = []string{"-wal", "-shm", "-journal", holdsSuffix}

// holding says that a file, which stayed the same file, now holds what another
// one held: content that was written into it in place, or copied from it.
type holding struct {
	File  string `json:"file"`  // fileIdentity of the file that this is about
	Holds string `json:"holds"` // identity of what it holds
}

// identity says which database stands at path; it is empty if there is none. Rows
// that come and go change nothing about it.
//
// It is the file's own identity (see fileIdentity), which another file at that path
// does not have and which moves along when the file is renamed. Where a swap wrote
// a database into a file, or set a copy of it aside, a record beside the file gives
// it the identity of what was written. A record of another file does not count.
func identity(path string) (string, error) {
	own, err := ownIdentity(path)
	if err != nil || own == "" {
		return "", err
	}
	text, err := os.ReadFile(path + holdsSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return own, nil
	}
	if err != nil {
		return "", mendable(err)
	}
	var h holding
	if json.Unmarshal(text, &h) == nil && h.File == own && h.Holds != "" {
		return h.Holds, nil
	}
	return own, nil
}

// ownIdentity is the file's own identity, empty if there is no file.
func ownIdentity(path string) (string, error) {
	own, err := fileIdentity(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", mendable(fmt.Errorf("look at %s: %w", path, err))
	}
	return own, nil
}

// recordHolds makes what the file at path holds known.
func recordHolds(path, holds string) error {
	own, err := ownIdentity(path)
	if err != nil {
		return err
	}
	return writeDurably(path+holdsSuffix, holding{File: own, Holds: holds})
}

// writeDurably replaces a small file by content as JSON: once it returns, the file
// is whole and on the disk; before, it is the old one.
func writeDurably(path string, content any) error {
	text, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	temporary := path + ".new"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return mendable(err)
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return mendable(errors.Join(err, os.Remove(temporary)))
	}
	return syncFolder(filepath.Dir(path))
}
