package seal

import (
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// The payload of an age file is cut into chunks, each authenticated by itself
// (https://age-encryption.org/v1, "Payload").
const (
	chunkSize   = 64 << 10
	chunkTag    = 16
	keptAtAnEnd = 2 * chunkSize // a whole chunk, and before the first one the header
)

// Ends is the negative control of reading back. Fed with the sealed bytes as they
// pass, it keeps their first and last part; Check then damages them in memory and
// requires that the damage is noticed. A check that cannot fail proves nothing.
type Ends struct {
	head, tail []byte
	size       int64
}

// Write keeps what it must of p. It never fails.
func (e *Ends) Write(p []byte) (int, error) {
	e.size += int64(len(p))
	e.head = append(e.head, p[:min(len(p), keptAtAnEnd-len(e.head))]...)
	if len(p) >= keptAtAnEnd {
		e.tail = append(e.tail[:0], p[len(p)-keptAtAnEnd:]...)
		return len(p), nil
	}
	// The tail grows to twice its size before it is cut, so that little is moved.
	if e.tail = append(e.tail, p...); len(e.tail) > 2*keptAtAnEnd {
		e.tail = e.tail[:copy(e.tail, e.tail[len(e.tail)-keptAtAnEnd:])]
	}
	return len(p), nil
}

// ReadAt reads the kept parts by their place in the whole.
func (e *Ends) ReadAt(p []byte, off int64) (int, error) {
	tailAt := e.size - int64(len(e.tail))
	switch {
	case off >= e.size:
		return 0, io.EOF
	case off >= tailAt:
		return short(copy(p, e.tail[off-tailAt:]), len(p))
	case off >= 0 && off < int64(len(e.head)):
		return short(copy(p, e.head[off:]), len(p))
	}
	return 0, fmt.Errorf("read at %d of %d: only the ends are kept", off, e.size)
}

func short(n, want int) (int, error) {
	if n < want {
		return n, io.EOF
	}
	return n, nil
}

// Check opens the first and the last chunk by themselves, as they are and with
// one byte flipped. Its error says that reading back cannot be relied on here.
func (e *Ends) Check(identities []age.Identity) error {
	return e.check(func(sealed io.ReaderAt) (int64, error) {
		plain, size, err := age.DecryptReaderAt(sealed, e.size, identities...) // opens the last chunk
		if err != nil {
			return 0, err
		}
		if _, err := plain.ReadAt(make([]byte, 1), 0); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		return size, nil
	})
}

// check takes a function that opens both chunks and returns the payload's size.
func (e *Ends) check(open func(sealed io.ReaderAt) (int64, error)) error {
	size, err := open(e)
	if err != nil {
		return fmt.Errorf("control the check: undamaged bytes do not open: %w", err)
	}
	if size == 0 {
		return errors.New("control the check: there is no payload to damage")
	}
	chunks := (size + chunkSize - 1) / chunkSize
	for _, end := range []struct {
		name string
		at   int64
	}{
		{"first", e.size - size - chunks*chunkTag},
		{"last", e.size - chunkTag - 1},
	} {
		if _, err := open(flipped{e, end.at}); err == nil {
			return fmt.Errorf("control the check: the %s chunk opens although a byte of it is flipped", end.name)
		}
	}
	return nil
}

// flipped is a source with one bit of one byte flipped.
type flipped struct {
	io.ReaderAt
	at int64
}

func (f flipped) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.ReaderAt.ReadAt(p, off)
	if f.at >= off && f.at < off+int64(n) {
		p[f.at-off] ^= 1
	}
	return n, err
}
