package sqlite

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fileIdentity tells a file from every other one in its place: by its inode and the
// time of its birth, since a file system gives an inode to a new file once the old
// one is gone. Where the file system keeps no such time, by device and inode.
func fileIdentity(path string) (string, error) {
	var s unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_INO|unix.STATX_BTIME, &s)
	if err != nil {
		return "", &fs.PathError{Op: "statx", Path: path, Err: err}
	}
	if s.Mask&unix.STATX_BTIME == 0 {
		return fmt.Sprintf("%d.%d/%d", s.Dev_major, s.Dev_minor, s.Ino), nil
	}
	return fmt.Sprintf("%d@%d.%09d", s.Ino, s.Btime.Sec, s.Btime.Nsec), nil
}

// users lists the processes that have one of the files open, this one included, as
// far as this user may see them: "sqlite3 (process 4711)".
func users(paths ...string) ([]string, error) {
	wanted := map[[3]uint64]bool{}
	for _, path := range paths {
		if place, ok := placeOf(path); ok {
			wanted[place] = true
		}
	}
	processes, err := os.ReadDir("/proc")
	if err != nil || len(wanted) == 0 {
		return nil, err
	}
	var found []string
	for _, p := range processes {
		if _, err := strconv.Atoi(p.Name()); err == nil && hasOpen(p.Name(), wanted) {
			name, _ := os.ReadFile(filepath.Join("/proc", p.Name(), "comm"))
			found = append(found, fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), p.Name()))
		}
	}
	return found, nil
}

func hasOpen(process string, wanted map[[3]uint64]bool) bool {
	folder := filepath.Join("/proc", process, "fd")
	descriptors, err := os.ReadDir(folder)
	if err != nil {
		return false // it ended, or belongs to another user
	}
	for _, d := range descriptors {
		// Followed by inode and not by name: the process may live in a container.
		if place, ok := placeOf(filepath.Join(folder, d.Name())); ok && wanted[place] {
			return true
		}
	}
	return false
}

// placeOf returns device and inode of what path leads to. It asks no network file
// system, which might not answer.
func placeOf(path string) (place [3]uint64, ok bool) {
	var s unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_INO, &s)
	return [3]uint64{uint64(s.Dev_major), uint64(s.Dev_minor), s.Ino}, err == nil
}
