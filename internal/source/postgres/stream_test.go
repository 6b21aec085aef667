package postgres

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestFanOut(t *testing.T) {
	for _, size := range []int{0, 1, blockSize - 1, blockSize, blockSize + 1, 3*depth*blockSize + 7} {
		want := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
		f := newFanOut(2)
		pumped := make(chan error, 1)
		go func() { pumped <- f.pump(t.Context(), bytes.NewReader(want)) }()
		read := make(chan []byte, 1)
		go func() {
			got, err := io.ReadAll(f.reader(0))
			if err != nil {
				got = nil
			}
			read <- got
		}()
		var written bytes.Buffer
		var seen int64
		n, err := f.writeTo(&written, 1, func(n int64) { seen = n })
		require.NoError(t, err)
		require.NoError(t, <-pumped)
		require.EqualValues(t, size, n)
		require.EqualValues(t, size, seen)
		require.True(t, bytes.Equal(want, written.Bytes()))
		require.True(t, bytes.Equal(want, <-read))
		require.Len(t, f.free, cap(f.free), "every block came home")
	}
}

func TestFanOutThatIsGivenUp(t *testing.T) {
	cause := errors.New("given up")
	t.Run("by its source", func(t *testing.T) {
		f := newFanOut(1)
		require.ErrorIs(t, f.pump(t.Context(), iotest.ErrReader(cause)), cause)
		_, err := f.reader(0).Read(make([]byte, 1))
		require.Equal(t, io.ErrUnexpectedEOF, err)
	})
	t.Run("by its context", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		f := newFanOut(2)
		pumped := make(chan error, 1)
		go func() { pumped <- f.pump(ctx, endless{}) }()
		_, err := io.CopyN(io.Discard, f.reader(0), blockSize) // the other consumer does not read
		require.NoError(t, err)
		cancel(cause)
		require.ErrorIs(t, <-pumped, cause)
		_, err = io.Copy(io.Discard, f.reader(1))
		require.Equal(t, io.ErrUnexpectedEOF, err)
	})
	t.Run("by a writer that takes too little", func(t *testing.T) {
		f := newFanOut(1)
		require.NoError(t, f.pump(t.Context(), bytes.NewReader([]byte("abc"))))
		n, err := f.writeTo(short{}, 0, nil)
		require.Equal(t, io.ErrShortWrite, err)
		require.EqualValues(t, 1, n)
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type short struct{}

func (short) Write([]byte) (int, error) { return 1, nil }
