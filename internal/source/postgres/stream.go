package postgres

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
)

const (
	// blockSize is what is read at once, and the size of the pipe on Linux.
	blockSize = 1 << 20
	// depth is how many blocks a consumer may lag behind. It bounds the memory of
	// a stream to (depth+4) blocks.
	depth = 8
)

// block is a piece of a stream that several consumers look at.
type block struct {
	buf  []byte
	n    int
	refs atomic.Int32
	home chan *block
}

func (b *block) bytes() []byte { return b.buf[:b.n] }

// release gives the block back once every consumer has done so.
func (b *block) release() {
	if b.refs.Add(-1) == 0 {
		b.home <- b
	}
}

// fanOut reads r once for several consumers. Each gets its own reader over shared
// blocks, so that a slow moment of one does not stop the others.
type fanOut struct {
	queues []chan *block
	free   chan *block
	ended  atomic.Bool // r was read to its end
}

func newFanOut(consumers int) *fanOut {
	const blocks = depth + 4 // in the fullest queue, in the hands of consumers and reader
	f := &fanOut{free: make(chan *block, blocks)}
	for range consumers {
		f.queues = append(f.queues, make(chan *block, depth))
	}
	for range blocks {
		f.free <- &block{home: f.free} // its memory comes with its first use
	}
	return f
}

// pump reads r until its end or until ctx ends, and then ends the consumers'
// streams. Only after a whole stream is ended set.
func (f *fanOut) pump(ctx context.Context, r io.Reader) error {
	defer func() {
		for _, q := range f.queues {
			close(q)
		}
	}()
	for {
		var b *block
		select {
		case b = <-f.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if b.buf == nil {
			b.buf = make([]byte, blockSize)
		}
		n, err := io.ReadFull(r, b.buf)
		b.n = n
		b.refs.Store(int32(len(f.queues)))
		if n == 0 {
			f.free <- b
		} else if sent := f.send(ctx, b); sent != nil {
			return sent
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			f.ended.Store(true)
			return nil
		case err != nil:
			return err
		}
	}
}

func (f *fanOut) send(ctx context.Context, b *block) error {
	for _, q := range f.queues {
		select {
		case q <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// writeTo writes a consumer's stream to w and reports how far it came.
func (f *fanOut) writeTo(w io.Writer, queue int, progress func(int64)) (int64, error) {
	var written int64
	for b := range f.queues[queue] {
		n, err := w.Write(b.bytes())
		b.release()
		written += int64(n)
		if err == nil && n < b.n {
			err = io.ErrShortWrite
		}
		if err != nil {
			return written, err
		}
		if progress != nil {
			progress(written)
		}
	}
	return written, nil
}

// blockReader reads a consumer's stream. A stream that was given up before its
// end ends with io.ErrUnexpectedEOF.
type blockReader struct {
	from  *fanOut
	queue int
	now   *block
	pos   int
}

func (f *fanOut) reader(queue int) *blockReader { return &blockReader{from: f, queue: queue} }

func (r *blockReader) Read(p []byte) (int, error) {
	if r.now == nil {
		b, ok := <-r.from.queues[r.queue]
		if !ok {
			if r.from.ended.Load() {
				return 0, io.EOF
			}
			return 0, io.ErrUnexpectedEOF
		}
		r.now, r.pos = b, 0
	}
	n := copy(p, r.now.bytes()[r.pos:])
	if r.pos += n; r.pos == r.now.n {
		r.now.release()
		r.now = nil
	}
	return n, nil
}
