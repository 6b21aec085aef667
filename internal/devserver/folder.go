package devserver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/lifeboat-run/lifeboat/internal/loopback"
)

// remembered reads what an earlier start wrote to a private file, or writes what
// fresh makes.
func remembered(file string, fresh func() (string, error)) (string, error) {
	data, err := os.ReadFile(file)
	if err == nil {
		return strings.TrimSpace(string(data)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	value, err := fresh()
	if err != nil {
		return "", err
	}
	return value, os.WriteFile(file, []byte(value+"\n"), 0o600)
}

// randomSecret makes a password or key that needs no quoting anywhere.
func randomSecret() (string, error) { return rand.Text(), nil }

// listenOn is the port that a server listens on: the one that is wanted or, for 0,
// a free one, which stays this program's so that the server can be stopped and
// started again.
func listenOn(wanted int) (loopback.Port, error) {
	if wanted != 0 {
		return loopback.Port{Number: wanted}, nil
	}
	return loopback.Reserve()
}

// reachable says whether user may enter a folder. A nil user is the present one.
func reachable(dir string, user *syscall.Credential) bool {
	if user == nil {
		return true
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for ; ; dir = filepath.Dir(dir) {
		var st syscall.Stat_t
		if err := syscall.Stat(dir, &st); err != nil {
			return false
		}
		enter := uint32(0o001)
		switch {
		case st.Uid == user.Uid:
			enter = 0o100
		case st.Gid == user.Gid:
			enter = 0o010
		}
		if st.Mode&enter == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// folderFor makes a folder that user owns: dir, or, when dir lies where user may
// not go, a temporary one that a note in dir remembers.
func folderFor(dir string, user *syscall.Credential) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if reachable(filepath.Dir(dir), user) {
		return dir, own(dir, user)
	}
	note := filepath.Join(dir, "elsewhere")
	if data, err := os.ReadFile(note); err == nil {
		if elsewhere := strings.TrimSpace(string(data)); reachable(elsewhere, user) {
			return elsewhere, nil
		}
	}
	if !reachable(os.TempDir(), user) {
		return "", fmt.Errorf("find a folder for user %d: it can enter neither %s nor %s", user.Uid, dir, os.TempDir())
	}
	elsewhere, err := os.MkdirTemp("", "lifeboat-")
	if err != nil {
		return "", err
	}
	if err := own(elsewhere, user); err != nil {
		return "", err
	}
	return elsewhere, os.WriteFile(note, []byte(elsewhere+"\n"), 0o600)
}

// own gives a file or folder to user. A nil user is the present one.
func own(path string, user *syscall.Credential) error {
	if user == nil {
		return nil
	}
	return os.Chown(path, int(user.Uid), int(user.Gid))
}
