package archive

import (
	"errors"
	"fmt"
	"io"
)

// The types of a block of data.
const (
	blockData         = 1
	blockLargeObjects = 3
)

// Reader reads one archive from its beginning to its end.
type Reader struct {
	in      *input
	header  Header
	head    []byte
	entries []*Entry
	pending map[int]*Entry // entries whose data has not come yet
	block   *Block         // that Next returned last
}

// NewReader reads the head of an archive. It fails if r does not hold an
// uncompressed custom archive of a known version. It reads ahead.
func NewReader(r io.Reader) (*Reader, error) {
	reader, err := parseHead(newInput(r))
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	return reader, nil
}

// Header says where the archive comes from.
func (r *Reader) Header() Header { return r.header }

// Head returns the bytes before the first block. They are an archive without
// data: pg_restore makes from it whatever needs none.
func (r *Reader) Head() []byte { return r.head }

// Entries returns the table of contents in its order. It is not to be changed.
func (r *Reader) Entries() []*Entry { return r.entries }

// Next skips what is left of the current block and returns the next one, which is
// valid until the call after. It returns io.EOF at the end of a whole archive; if
// a block is cut short or missing, the error is an io.ErrUnexpectedEOF that names
// what it belongs to.
func (r *Reader) Next() (*Block, error) {
	if r.block != nil {
		if err := r.block.skip(); err != nil {
			return nil, err
		}
		r.block = nil
	}
	err := r.in.need(1)
	if errors.Is(err, io.EOF) {
		return nil, r.end()
	}
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	kind := r.in.buf[r.in.pos]
	r.in.pos++
	id, err := r.in.int()
	if err != nil {
		return nil, fmt.Errorf("read archive: begin of a block: %w", err)
	}
	e := r.pending[id]
	if e == nil || (kind == blockLargeObjects) != (e.Desc == descLargeObjects) || (kind != blockData && kind != blockLargeObjects) {
		return nil, fmt.Errorf("read archive: a block of type %d for entry %d does not belong here", kind, id)
	}
	delete(r.pending, id)
	r.block = &Block{Entry: e, in: r.in}
	return r.block, nil
}

// end tells the end of an archive from an archive cut between two blocks.
func (r *Reader) end() error {
	for _, e := range r.entries {
		if r.pending[e.ID] != nil {
			return fmt.Errorf("read archive: data of %s is missing: %w", e.title(), io.ErrUnexpectedEOF)
		}
	}
	return io.EOF
}
