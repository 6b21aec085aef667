//go:build unix

package once

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// The files of a job.
const (
	nonceFile   = "nonce"
	jobFile     = "job.json"
	outputFile  = "output"
	startedFile = "started"
	endedFile   = "ended"
)

// tailLimit is how much of the output an outcome has, in bytes.
const tailLimit = 4 << 10

// folder is the absolute path of a job's folder. All but lock is for whoever has the lock.
type folder string

// makeFolder makes the folder of a job, unless it is there.
func makeFolder(dir, key string) (folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("make the folder of a job: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the folder of a job: %w", err)
	}
	f := folder(filepath.Join(dir, key))
	err = os.Mkdir(string(f), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return f, nil
	}
	if err == nil {
		err = syncFolder(dir)
	}
	if err != nil {
		return "", fmt.Errorf("make the folder of a job: %w", err)
	}
	return f, nil
}

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// lock locks the folder for as long as the file is open here or in a process that got it.
// It returns nil if somebody else has the lock.
func (f folder) lock() (*os.File, error) {
	file, err := os.Open(string(f))
	if err != nil {
		return nil, fmt.Errorf("lock the folder of a job: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, file.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the folder of a job: %w", err), file.Close())
	}
	if !f.is(int(file.Fd())) { // swept meanwhile
		return nil, file.Close()
	}
	return file, nil
}

// is says whether an open file is this folder.
func (f folder) is(fd int) bool {
	var open, named unix.Stat_t
	return unix.Fstat(fd, &open) == nil && unix.Stat(string(f), &named) == nil &&
		open.Dev == named.Dev && open.Ino == named.Ino
}

// nonce returns the folder's nonce, and makes it first if it has none.
func (f folder) nonce() (string, error) {
	text, err := os.ReadFile(f.path(nonceFile))
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(rand.Text())
		err = f.write(nonceFile, text)
	}
	if err != nil {
		return "", fmt.Errorf("make the nonce of a job: %w", err)
	}
	return string(text), nil
}

// outcome returns nil if the command was not started.
func (f folder) outcome() (*Outcome, error) {
	text, err := os.ReadFile(f.path(endedFile))
	if err == nil {
		var o Outcome
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, fmt.Errorf("read %s: %w", f.path(endedFile), err)
		}
		return &o, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the outcome of a job: %w", err)
	}
	started, err := os.Stat(f.path(startedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the start of a job: %w", err)
	}
	at := started.ModTime().UTC()
	why := fmt.Sprintf("it was started at %s and nothing says how it ended: its host or its supervisor was ended meanwhile, and it may be running still", at.Format("2006-01-02 15:04:05 UTC"))
	return &Outcome{Why: why, Output: f.tail(), Started: at}, nil
}

// markStarted says for ever that the command was started. If it fails, it was not.
func (f folder) markStarted() error {
	file, err := os.OpenFile(f.path(startedFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("mark the job as started: %w", err)
	}
	if err := errors.Join(file.Sync(), file.Close(), syncFolder(string(f))); err != nil {
		return fmt.Errorf("mark the job as started: %w", errors.Join(err, os.Remove(f.path(startedFile))))
	}
	return nil
}

// tail returns the last whole lines of the output: the end of a line can be mistaken for
// something else. Output that cannot be read is left out, because the outcome counts more.
func (f folder) tail() string {
	file, err := os.Open(f.path(outputFile))
	if err != nil {
		return ""
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	from := max(0, info.Size()-tailLimit-1)
	text, err := io.ReadAll(io.NewSectionReader(file, from, info.Size()-from))
	if err != nil {
		return ""
	}
	if len(text) <= tailLimit {
		return string(text)
	}
	// One byte more was read, to see whether what follows it is a whole line. Programs
	// that show their progress write returns alone.
	cut := bytes.IndexAny(text, "\r\n")
	if cut < 0 {
		return ""
	}
	return string(text[cut+1:])
}

// write writes a file as a whole or not at all, and returns once it is on the disk.
func (f folder) write(name string, text []byte) error {
	part := f.path("." + name)
	file, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, f.path(name)); err != nil {
		return err
	}
	return syncFolder(string(f))
}

func syncFolder(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// newest is when the folder or one of its files was last changed.
func (f folder) newest() (time.Time, error) {
	var newest time.Time
	err := filepath.WalkDir(string(f), func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return err
	})
	return newest, err
}
