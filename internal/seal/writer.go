package seal

import (
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// Writer seals what is written to it. It is not safe for concurrent use.
type Writer struct {
	out   tally
	age   io.WriteCloser
	zstd  *zstd.Encoder
	plain int64
	err   error // sticky: after a failure nothing may pass for a whole stream
}

// NewWriter returns a Writer that seals for the recipients into dst. What it
// wrote to dst is a sealed stream only once Close has returned nil.
func NewWriter(dst io.Writer, recipients []age.Recipient) (*Writer, error) {
	w := &Writer{out: tally{counter: newCounter(), dst: dst}}
	var err error
	if w.age, err = age.Encrypt(&w.out, recipients...); err != nil {
		return nil, fmt.Errorf("begin encryption: %w", err)
	}
	w.zstd, err = zstd.NewWriter(w.age,
		// The memory setting stays as it is: the lower one doubles the CPU time.
		zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithWindowSize(window),
		zstd.WithEncoderConcurrency(2), // one block is compressed while the caller fills the next
		zstd.WithEncoderCRC(false),     // age authenticates
		zstd.WithZeroFrames(true),      // nothing is still a stream that zstd -d reads
	)
	if err != nil {
		return nil, fmt.Errorf("begin compression: %w", err)
	}
	return w, nil
}

// Write seals p.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.zstd.Write(p)
	w.plain += int64(n)
	if err != nil {
		w.err = fmt.Errorf("seal: %w", err)
	}
	return n, w.err
}

// errClosed is what a Writer says after Close.
var errClosed = errors.New("seal: the writer is closed")

// Close completes the sealed stream. It does not close the destination.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if w.err = w.complete(); w.err != nil {
		return w.err
	}
	w.err = errClosed
	return nil
}

func (w *Writer) complete() error {
	if err := w.zstd.Close(); err != nil {
		return fmt.Errorf("complete compression: %w", err)
	}
	if err := w.age.Close(); err != nil {
		return fmt.Errorf("complete encryption: %w", err)
	}
	return nil
}

// Sealed says what was written; it is valid after Close returned nil.
func (w *Writer) Sealed() Sum { return w.out.sum(w.plain) }
