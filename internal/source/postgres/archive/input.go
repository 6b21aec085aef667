package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The buffer grows with what it has held, from the first to the last of these. A
// chunk that fits is seen in one piece.
const (
	firstBuffer = 16 << 10
	bufferSize  = 512 << 10
)

// sizes of the numbers in an archive; intSize is checked by parseHead.
const (
	intSize    = 4
	encodedInt = 1 + intSize
)

// input reads a stream through one buffer and lets its callers look at the bytes
// where they lie, in buf[pos:end].
type input struct {
	r        io.Reader
	buf      []byte
	pos, end int
}

func newInput(r io.Reader) *input { return &input{r: r, buf: make([]byte, firstBuffer)} }

// need makes n bytes lie at pos; n is at most len(buf). It returns io.EOF if the
// stream ends before the first of them, io.ErrUnexpectedEOF if later.
func (in *input) need(n int) error {
	if in.end-in.pos >= n {
		return nil
	}
	held := in.buf[in.pos:in.end]
	if in.end == len(in.buf) && len(in.buf) < bufferSize {
		in.buf = make([]byte, 2*len(in.buf))
	}
	in.end = copy(in.buf, held)
	in.pos = 0
	for idle := 0; in.end < n; {
		got, err := in.r.Read(in.buf[in.end:])
		if got < 0 || got > len(in.buf)-in.end {
			return errors.New("read: the source returned an impossible count")
		}
		in.end += got
		switch {
		case in.end >= n: // an error will come again
		case err == io.EOF && in.end > 0:
			return io.ErrUnexpectedEOF
		case err != io.EOF && errors.Is(err, io.EOF): // a failure that must not pass for the end
			return fmt.Errorf("%w: %v", io.ErrUnexpectedEOF, err) //nolint:errorlint // hides the io.EOF in it
		case err != nil:
			return err
		case got > 0:
			idle = 0
		default:
			if idle++; idle > 100 {
				return io.ErrNoProgress
			}
		}
	}
	return nil
}

// inside is need where the stream must not end.
func (in *input) inside(n int) error {
	err := in.need(n)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// intAt decodes the int at buf[i:], which must lie there.
func (in *input) intAt(i int) (int, error) { return decodeInt(in.buf[i : i+encodedInt]) }

// int reads an int.
func (in *input) int() (int, error) {
	if err := in.inside(encodedInt); err != nil {
		return 0, err
	}
	v, err := in.intAt(in.pos)
	in.pos += encodedInt
	return v, err
}

func decodeInt(b []byte) (int, error) {
	v := int(binary.LittleEndian.Uint32(b[1:]))
	switch b[0] {
	case 0:
		return v, nil
	case 1:
		return -v, nil
	}
	return 0, fmt.Errorf("read a number: its sign is %d", b[0])
}
