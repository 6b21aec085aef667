package postgres

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// nap is how long a reader rests when the pipe is empty. pg_dump writes 4 KiB at
// a time, and to wake up for each costs more than all other work on the stream.
const nap = time.Millisecond

// outputPipe makes a pipe for the output of a program. It holds a whole block, so
// that the program can go on while its reader rests.
func outputPipe() (io.ReadCloser, *os.File, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	r, w := restingReader(ends[0]), os.NewFile(uintptr(ends[1]), "|1")
	if err := unix.SetNonblock(ends[0], true); err != nil {
		return nil, nil, errors.Join(os.NewSyscallError("fcntl", err), r.Close(), w.Close())
	}
	// A favour that the system may refuse.
	_, _ = unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, blockSize)
	return r, w, nil
}

// restingReader is the file descriptor of a pipe's end. It is no os.File, because
// Go's poller would be woken up for each write.
type restingReader int

func (r restingReader) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(r), p)
		switch {
		case errors.Is(err, unix.EAGAIN):
			time.Sleep(nap)
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (r restingReader) Close() error { return os.NewSyscallError("close", unix.Close(int(r))) }
