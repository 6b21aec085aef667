// Package loopback finds ports for servers that this machine alone may reach.
package loopback

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"runtime"
	"strconv"
)

// Port is a TCP port on loopback that this program set aside for a server which
// it is about to start, or to start again.
type Port struct {
	Number int
	claim  io.Closer
}

// Reserve finds a free port and sets it aside until Release, or until this
// program ends: nobody else who asks here gets it, in this program or in another.
//
// It stays below the range from which the kernel picks ports for outgoing
// connections, so that none of these takes the port before the server has it.
func Reserve() (Port, error) {
	const first, count = 15000, 15000
	for range 100 {
		n, err := rand.Int(rand.Reader, big.NewInt(count))
		if err != nil {
			return Port{}, err
		}
		p := Port{Number: first + int(n.Int64())}
		if p.claim, err = claim(p.Number); err != nil {
			continue
		}
		l, err := net.Listen("tcp", p.Address())
		if err != nil {
			p.Release()
			continue
		}
		return p, l.Close()
	}
	return Port{}, errors.New("find a free port: none in 100 tries")
}

// Address is host:port.
func (p Port) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Number)) }

// Release gives the port up.
func (p Port) Release() { _ = p.claim.Close() }

// claim takes a name that one program at a time can have, and that the kernel
// frees when the program ends, however it ends: Linux's abstract sockets, which
// are seen as far as the ports are. Elsewhere chance has to do.
func claim(port int) (io.Closer, error) {
	if runtime.GOOS != "linux" {
		return io.NopCloser(nil), nil
	}
	return net.Listen("unix", fmt.Sprintf("@lifeboat-port-%d", port))
}
