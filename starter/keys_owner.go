package main

import (
	"io/fs"
	"os"
	"syscall"
)

// sameOwner gives a file the owner of another one: a worker that runs as a user of
// its own must still be able to read what root wrote.
func sameOwner(path string, as fs.FileInfo) error {
	owner, ok := as.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}
