package devserver

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// withVolume wraps a launch so that the server alone sees a small file system, in
// memory, at folder. The kernel removes it when the server ends.
//
// Mounting takes a mount namespace, and for anyone but root a user namespace
// around it. setpriv then gives up what the server must not have, and renews the
// death signal, which the change of user clears. A chroot or a container may
// forbid all of it; the server's log says so then.
func (l launch) withVolume(folder string, mebibytes int) (launch, error) {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return l, fmt.Errorf("make a volume: %w (install util-linux)", err)
	}
	options := fmt.Sprintf("size=%dm,mode=0700", mebibytes)
	become := []string{"setpriv", "--pdeathsig", unix.SignalName(l.deathSignal)}
	args := []string{"--mount"}
	if l.user != nil {
		options += fmt.Sprintf(",uid=%d,gid=%d", l.user.Uid, l.user.Gid)
		become = append(become, fmt.Sprintf("--reuid=%d", l.user.Uid), fmt.Sprintf("--regid=%d", l.user.Gid), "--clear-groups")
	} else {
		args = append(args, "--user", "--map-root-user")
		become = append([]string{"unshare", "--user", fmt.Sprintf("--map-user=%d", os.Getuid()), fmt.Sprintf("--map-group=%d", os.Getgid())}, become...)
	}
	args = append(args, "sh", "-ec", `mount -t tmpfs -o "$1" tmpfs "$2"; shift 2; exec "$@"`, "sh", options, folder)
	args = append(args, become...)
	args = append(append(args, l.path), l.args...)
	l.path, l.args, l.user = unshare, args, nil
	return l, nil
}
