// Package seal turns plain streams into sealed ones and back, in one pass and
// with constant memory:
//
//	plain → zstd → age → sealed
//
// Both formats are the stock ones, so that `age -d | zstd -d` opens whatever was
// sealed here. The sealed bytes are counted and hashed as they pass; the plain
// ones are not hashed, because age authenticates them.
package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// Sum says what passed through a Writer or a Reader. Sizes are in bytes.
type Sum struct {
	PlainSize int64
	Size      int64  // of the sealed bytes
	SHA256    string // of the sealed bytes, hexadecimal
}

// How far back a compressed stream may refer, in bytes. It is most of the memory
// that a Writer or a Reader takes, so the bound also keeps a hostile stream from
// taking more.
const (
	window    = 4 << 20 // that a Writer uses
	maxWindow = 8 << 20 // that a Reader follows; every decoder is to follow as much (RFC 8878, 3.1.1.1.2)
)

// counter counts and hashes the sealed bytes.
type counter struct {
	hash hash.Hash
	size int64
}

func newCounter() counter { return counter{hash: sha256.New()} }

func (c *counter) add(p []byte) {
	c.size += int64(len(p))
	c.hash.Write(p)
}

func (c *counter) sum(plainSize int64) Sum {
	return Sum{PlainSize: plainSize, Size: c.size, SHA256: hex.EncodeToString(c.hash.Sum(nil))}
}

// tally is an io.Writer that counts what it hands on.
type tally struct {
	counter
	dst io.Writer
}

func (t *tally) Write(p []byte) (int, error) {
	n, err := t.dst.Write(p)
	t.add(p[:n])
	return n, err
}
