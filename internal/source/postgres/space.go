package postgres

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// errNotHere says that the server's data folder cannot be seen from here.
var errNotHere = errors.New("not on this machine")

// freeSpace returns what is free where the server keeps its data, in bytes. A
// folder of that name counts only if the server that listens on this machine and
// port runs in it: the server may be in a container.
func (s *server) freeSpace(folder string) (int64, error) {
	ip := net.ParseIP(s.config.Host)
	local := s.config.Host == "localhost" || strings.HasPrefix(s.config.Host, "/") || ip != nil && ip.IsLoopback()
	if !local {
		return 0, errNotHere
	}
	state, err := os.ReadFile(filepath.Join(folder, "postmaster.pid"))
	if err != nil {
		return 0, errNotHere
	}
	const portLine = 3 // of postmaster.pid, counted from 0
	lines := strings.Split(string(state), "\n")
	if len(lines) <= portLine || lines[portLine] != strconv.Itoa(int(s.config.Port)) {
		return 0, errNotHere
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil //nolint:unconvert // the types differ between systems
}
