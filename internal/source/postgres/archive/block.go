package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// endMarker ends the rows of a table. Rows never hold it: COPY doubles the
// backslashes of data.
var endMarker = []byte("\\.\n\n\n")

var errNoEndMarker = errors.New("its rows do not end with the end marker")

// Block is the data of one entry. Read gives the rows of a table as COPY text,
// one line each, without the end marker. For large objects, NextObject goes from
// one to the next, and Read gives the bytes of the current one.
type Block struct {
	Entry *Entry

	in      *input
	started bool   // of a table: the length of the first chunk was read
	object  bool   // of large objects: inside one of them
	left    int    // bytes of the current chunk that are still to come
	rest    []byte // of the last fragment, for Read
	done    bool
	err     error
}

// LargeObjects says whether the block holds large objects rather than rows.
func (b *Block) LargeObjects() bool { return b.Entry.Desc == descLargeObjects }

// Err returns what broke the stream inside the block, nil as long as nothing did.
func (b *Block) Err() error { return b.err }

// Read implements io.Reader.
func (b *Block) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(b.rest) == 0 {
			var err error
			if b.rest, err = b.Fragment(); err != nil {
				if n > 0 {
					break // the error will come again
				}
				return 0, err
			}
		}
		part := copy(p[n:], b.rest)
		n, b.rest = n+part, b.rest[part:]
	}
	return n, nil
}

// Fragment returns the next bytes of what Read reads, without copying them: they
// are valid until the next call on the block. It returns io.EOF at the end of the
// rows or of the large object. Rows may be split between fragments.
func (b *Block) Fragment() ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	var f []byte
	var err error
	switch {
	case b.done || (b.LargeObjects() && !b.object):
		return nil, io.EOF
	case b.LargeObjects():
		f, err = b.objectBytes()
	default:
		f, err = b.rows()
	}
	return f, b.note(err)
}

// NextObject goes to the next large object of the block, skipping what is left of
// the current one, and returns its OID; io.EOF at the end of the block.
func (b *Block) NextObject() (uint32, error) {
	for b.object {
		if _, err := b.Fragment(); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
	}
	b.rest = nil
	switch {
	case b.err != nil:
		return 0, b.err
	case b.done || !b.LargeObjects():
		return 0, io.EOF
	}
	oid, err := b.in.int()
	if err != nil {
		return 0, b.note(err)
	}
	if b.done = oid == 0; b.done {
		return 0, io.EOF
	}
	b.object = true
	return uint32(int32(oid)), nil // an OID is written as a signed number
}

// objectBytes returns the next bytes of the current large object.
func (b *Block) objectBytes() ([]byte, error) {
	if b.left == 0 {
		n, err := b.in.int()
		if err != nil {
			return nil, err
		}
		if n < 0 {
			return nil, fmt.Errorf("a chunk has the length %d", n)
		}
		if n == 0 {
			b.object = false
			return nil, io.EOF
		}
		b.left = n
	}
	return b.part(b.left)
}

// part returns up to n bytes of the current chunk.
func (b *Block) part(n int) ([]byte, error) {
	in := b.in
	if err := in.inside(1); err != nil {
		return nil, err
	}
	f := in.buf[in.pos:min(in.pos+n, in.end)]
	in.pos += len(f)
	b.left -= len(f)
	return f, nil
}

// rows returns the next bytes of a table's rows. Whether a chunk ends with the end
// marker, or a part of it, shows only in the length of the next one: so the last
// bytes of a chunk are not given out before that is known.
func (b *Block) rows() ([]byte, error) {
	in, hold := b.in, len(endMarker)-1
	if !b.started {
		n, err := in.int()
		if err != nil {
			return nil, err
		}
		b.started, b.left = true, n
	}
	for {
		if b.left < 0 {
			return nil, fmt.Errorf("a chunk has the length %d", b.left)
		}
		if b.left == 0 {
			return nil, errNoEndMarker
		}
		if b.left+encodedInt > len(in.buf) {
			return b.part(b.left - hold)
		}
		if err := in.inside(b.left + encodedInt); err != nil {
			return nil, err
		}
		f := in.buf[in.pos : in.pos+b.left]
		next, err := in.intAt(in.pos + b.left)
		switch {
		case err != nil:
			return nil, err
		case next > hold:
			in.pos += b.left + encodedInt
			b.left = next
			return f, nil
		case next == 0:
			in.pos += b.left + encodedInt
			b.done = true
			rows, ok := bytes.CutSuffix(f, endMarker)
			if !ok {
				return nil, errNoEndMarker
			}
			if len(rows) == 0 {
				return nil, io.EOF
			}
			return rows, nil
		case next < 0:
			return nil, fmt.Errorf("a chunk has the length %d", next)
		}
		// Join the last bytes and the short chunk that follows, by moving them over
		// the length between them.
		held := min(hold, b.left)
		f, tail := f[:b.left-held], f[b.left-held:]
		in.pos += len(f) + encodedInt
		copy(in.buf[in.pos:], tail)
		b.left = held + next
		if len(f) > 0 {
			return f, nil
		}
	}
}

// skip reads the block to its end.
func (b *Block) skip() error {
	for {
		var err error
		if b.LargeObjects() {
			_, err = b.NextObject()
		} else {
			_, err = b.Fragment()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// note names the block in an error and keeps it.
func (b *Block) note(err error) error {
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = fmt.Errorf("read archive: data of %s: %w", b.Entry.title(), err)
		return b.err
	}
	return err
}
