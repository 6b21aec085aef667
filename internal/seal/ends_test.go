package seal

import (
	"bytes"
	"crypto/rand"
	"io"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
)

func sealFor(t *testing.T, size int) ([]byte, *age.X25519Identity) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	plain := make([]byte, size)
	_, err = rand.Read(plain)
	require.NoError(t, err)
	var out bytes.Buffer
	w, err := NewWriter(&out, []age.Recipient{identity.Recipient()})
	require.NoError(t, err)
	_, err = w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes(), identity
}

// feed writes sealed bytes in pieces, as reading back does.
func feed(t *testing.T, sealed []byte, piece int) *Ends {
	t.Helper()
	e := &Ends{}
	_, err := io.CopyBuffer(struct{ io.Writer }{e}, struct{ io.Reader }{bytes.NewReader(sealed)}, make([]byte, piece))
	require.NoError(t, err)
	return e
}

func TestEndsCheck(t *testing.T) {
	for _, size := range []int{0, 1, 60 << 10, 64 << 10, 100 << 10, 130 << 10, 200 << 10, 300 << 10, 3 << 20} {
		sealed, identity := sealFor(t, size)
		for _, piece := range []int{1000, 32 << 10, keptAtAnEnd, 1 << 20} {
			e := feed(t, sealed, piece)
			require.NoError(t, e.Check([]age.Identity{identity}), "%d bytes in pieces of %d", size, piece)
			require.LessOrEqual(t, cap(e.head)+cap(e.tail), 10*keptAtAnEnd, "memory stays small")
		}
	}
}

func TestEndsCheckIsBroken(t *testing.T) {
	sealed, identity := sealFor(t, 300<<10)
	e := feed(t, sealed, 32<<10)

	t.Run("undamaged bytes do not open", func(t *testing.T) {
		other, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		require.ErrorContains(t, e.Check([]age.Identity{other}), "undamaged bytes do not open")
		for name, at := range map[string]int{"first": 5000, "last": len(sealed) - 5000} {
			damaged := bytes.Clone(sealed)
			damaged[at] ^= 1
			require.ErrorContains(t, feed(t, damaged, 32<<10).Check([]age.Identity{identity}), "undamaged bytes do not open", name)
		}
	})
	t.Run("anything opens", func(t *testing.T) {
		err := e.check(func(io.ReaderAt) (int64, error) { return 300 << 10, nil })
		require.ErrorContains(t, err, "the first chunk opens although a byte of it is flipped")
	})
	t.Run("the last chunk is not looked at", func(t *testing.T) {
		err := e.check(func(sealed io.ReaderAt) (int64, error) {
			plain, size, err := age.DecryptReaderAt(e, e.size, identity)
			require.NoError(t, err)
			_ = plain
			first := make([]byte, 2000)
			_, err = sealed.ReadAt(first, 0)
			require.NoError(t, err)
			if !bytes.Equal(first, e.head[:2000]) {
				return 0, io.ErrUnexpectedEOF
			}
			return size, nil
		})
		require.ErrorContains(t, err, "the last chunk opens although a byte of it is flipped")
	})
	t.Run("nothing was fed", func(t *testing.T) {
		require.ErrorContains(t, (&Ends{}).Check([]age.Identity{identity}), "control the check")
	})
}
