package seal

import (
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Reader opens a sealed stream. It reports
//
//   - an error of the source itself as it is: it says nothing about the bytes;
//   - bytes that are not what was sealed as a Damaged fault;
//   - keys that do not fit as a Permanent fault. A damaged header looks the same,
//     so compare Sum with what was stored before blaming the key.
//
// In the last two cases, and at the end, the whole source has been read.
type Reader struct {
	src        source
	payload    payload
	identities []age.Identity
	zstd       *zstd.Decoder // nil until the header has been read
	plain      int64
	err        error
}

// source counts and hashes what is read, and remembers its own failure, so that
// a broken connection is never taken for damage.
type source struct {
	counter
	src io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.src.Read(p)
	s.add(p[:n])
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// payload is the compressed stream inside age. It remembers how it ended, because
// the decompressor takes a cut before a frame for a good end.
type payload struct {
	io.Reader
	size  int64
	ended bool
}

func (p *payload) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.size += int64(n)
	p.ended = err == io.EOF
	return n, err
}

// whole says whether the payload was there, and authenticated to its end.
func (p *payload) whole() error {
	switch {
	case !p.ended:
		return fmt.Errorf("read payload: %w", io.ErrUnexpectedEOF)
	case p.size == 0:
		return errors.New("read payload: it is empty")
	}
	return nil
}

// NewReader returns a Reader of the sealed stream src. Nothing is read yet.
func NewReader(src io.Reader, identities []age.Identity) (*Reader, error) {
	if len(identities) == 0 {
		return nil, recovery.NewFault(recovery.Permanent, errors.New("open sealed bytes: there is no age key"),
			"give this worker the age secret key of the set")
	}
	return &Reader{src: source{counter: newCounter(), src: src}, identities: identities}, nil
}

// Read reads plain bytes.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.zstd == nil {
		if err := r.begin(); err != nil {
			return 0, r.end(err)
		}
	}
	n, err := io.Reader(r.zstd).Read(p)
	r.plain += int64(n)
	switch {
	case err == io.EOF: // itself: one that is wrapped is a cut
		return n, r.end(r.payload.whole())
	case err != nil:
		return n, r.end(err)
	}
	return n, nil
}

func (r *Reader) begin() error {
	var err error
	if r.payload.Reader, err = age.Decrypt(&r.src, r.identities...); err != nil {
		return err
	}
	r.zstd, err = zstd.NewReader(&r.payload,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow),
	)
	return err
}

// end ends the reading: it reads the source to its end and says what err means;
// nil means that the plain stream is complete.
func (r *Reader) end(err error) error {
	if r.src.err == nil {
		// The end of the plain stream may leave bytes that are not part of it;
		// they must be in the sum. A failure to read them is in r.src.err.
		_, _ = io.Copy(io.Discard, &r.src)
	}
	var mismatch *age.NoIdentityMatchError
	switch {
	case r.src.err != nil:
		r.err = r.src.err
	case err == nil:
		r.err = io.EOF
	case errors.As(err, &mismatch):
		r.err = recovery.NewFault(recovery.Permanent, errors.New("open sealed bytes: no age key here fits"),
			"use the secret key of one of the recipients that the set was sealed for")
	default:
		r.err = recovery.NewFault(recovery.Damaged, fmt.Errorf("open sealed bytes: %w", err), "")
	}
	return r.err
}

// Sum says what was read. It is valid once Read has returned io.EOF, a Damaged
// or a Permanent fault.
func (r *Reader) Sum() Sum { return r.src.sum(r.plain) }

// Close releases what the Reader holds. It does not close the source.
func (r *Reader) Close() error {
	if r.zstd != nil {
		r.zstd.Close()
	}
	return nil
}
