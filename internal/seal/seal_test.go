package seal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/seal"
)

// pair is a key and whom it opens for.
type pair struct {
	secret     string
	identities []age.Identity
	recipients []age.Recipient
}

func newPair(t testing.TB) pair {
	t.Helper()
	secret, public, err := seal.GenerateIdentity()
	require.NoError(t, err)
	identities, err := seal.ParseIdentities("# made for a test\n\n" + secret + "\n")
	require.NoError(t, err)
	recipients, err := seal.ParseRecipients([]string{public})
	require.NoError(t, err)
	return pair{secret, identities, recipients}
}

func sealed(t testing.TB, plain []byte, recipients []age.Recipient) ([]byte, seal.Sum) {
	t.Helper()
	var out bytes.Buffer
	w, err := seal.NewWriter(&out, recipients)
	require.NoError(t, err)
	n, err := w.Write(plain)
	require.NoError(t, err)
	require.Equal(t, len(plain), n)
	require.NoError(t, w.Close())
	return out.Bytes(), w.Sealed()
}

func opened(src io.Reader, identities []age.Identity) ([]byte, seal.Sum, error) {
	r, err := seal.NewReader(src, identities)
	if err != nil {
		return nil, seal.Sum{}, err
	}
	plain, err := io.ReadAll(r)
	return plain, r.Sum(), errors.Join(err, r.Close())
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// noise makes n bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestRoundTrip(t *testing.T) {
	key := newPair(t)
	for _, size := range []int{0, 1, 1000, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, 5<<20 + 3} {
		for name, plain := range map[string][]byte{"noise": noise(size), "text": bytes.Repeat([]byte("lifeboat "), size/9+1)[:size]} {
			t.Run(fmt.Sprintf("%d bytes of %s", size, name), func(t *testing.T) {
				bytesOut, sum := sealed(t, plain, key.recipients)
				require.Equal(t, seal.Sum{PlainSize: int64(size), Size: int64(len(bytesOut)), SHA256: digest(bytesOut)}, sum)

				// However the bytes arrive, the same comes out.
				for _, src := range []io.Reader{
					bytes.NewReader(bytesOut), iotest.HalfReader(bytes.NewReader(bytesOut)), iotest.DataErrReader(bytes.NewReader(bytesOut)),
				} {
					got, readSum, err := opened(src, key.identities)
					require.NoError(t, err)
					require.True(t, bytes.Equal(plain, got))
					require.Equal(t, sum, readSum)
				}
			})
		}
	}
}

func TestEveryRecipientOpens(t *testing.T) {
	a, b := newPair(t), newPair(t)
	bytesOut, _ := sealed(t, []byte("for both"), append(a.recipients, b.recipients...))
	for _, key := range []pair{a, b} {
		got, _, err := opened(bytes.NewReader(bytesOut), key.identities)
		require.NoError(t, err)
		require.Equal(t, "for both", string(got))
	}
}

func TestKeyThatDoesNotFit(t *testing.T) {
	bytesOut, sum := sealed(t, noise(300<<10), newPair(t).recipients)
	_, readSum, err := opened(bytes.NewReader(bytesOut), newPair(t).identities)
	require.ErrorContains(t, err, "no age key here fits (use the secret key of one of the recipients that the set was sealed for)")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	require.Equal(t, sum.SHA256, readSum.SHA256, "the bytes are those that were sealed, so it is the key")

	_, _, err = opened(bytes.NewReader(bytesOut), nil)
	require.ErrorContains(t, err, "there is no age key (give this worker")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
}

// noticed requires that damaged bytes cannot pass for what was sealed: they do
// not open, and where the key is blamed the digest tells.
func noticed(t *testing.T, damaged []byte, key pair, sum seal.Sum, what string) {
	t.Helper()
	_, readSum, err := opened(bytes.NewReader(damaged), key.identities)
	require.Error(t, err, what)
	if recovery.KindOf(err) == recovery.Permanent {
		require.NotEqual(t, sum.SHA256, readSum.SHA256, what)
		return
	}
	require.Equal(t, recovery.Damaged, recovery.KindOf(err), "%s: %v", what, err)
	require.Equal(t, digest(damaged), readSum.SHA256, what)
}

func TestEveryFlipIsNoticed(t *testing.T) {
	key := newPair(t)
	whole, sum := sealed(t, []byte(strings.Repeat("row\t1\n", 100)), key.recipients)
	for at := range whole {
		for _, bit := range []byte{1, 0x80} {
			damaged := bytes.Clone(whole)
			damaged[at] ^= bit
			noticed(t, damaged, key, sum, fmt.Sprintf("bit %d of byte %d flipped", bit, at))
		}
	}
}

func TestEveryCutIsNoticed(t *testing.T) {
	key := newPair(t)
	small, sum := sealed(t, []byte(strings.Repeat("row\t1\n", 100)), key.recipients)
	for n := range small {
		noticed(t, small[:n], key, sum, fmt.Sprintf("cut to %d bytes", n))
	}
	large, sum := sealed(t, noise(200<<10), key.recipients)
	for n := 0; n < len(large); n += 997 {
		noticed(t, large[:n], key, sum, fmt.Sprintf("cut to %d bytes", n))
	}
	header := len(large) - 200<<10 // cuts at the chunk borders, where a reader could take the end for the real one
	for n := header - 200; n < header+200; n++ {
		noticed(t, large[:n+64<<10], key, sum, fmt.Sprintf("cut to %d bytes", n+64<<10))
	}
}

func TestAppendedBytesAreNoticed(t *testing.T) {
	key := newPair(t)
	for _, size := range []int{0, 10, 200 << 10} {
		whole, sum := sealed(t, noise(size), key.recipients)
		for _, more := range []int{1, 16, 64<<10 + 16, 1 << 20} {
			noticed(t, append(bytes.Clone(whole), make([]byte, more)...), key, sum, fmt.Sprintf("%d bytes after %d", more, size))
		}
		noticed(t, append(bytes.Clone(whole), whole...), key, sum, "sealed twice")
	}
}

func TestWhatIsNotZstdInsideIsDamaged(t *testing.T) {
	key := newPair(t)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, key.recipients...)
	require.NoError(t, err)
	_, err = w.Write([]byte("not compressed at all"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	noticed(t, out.Bytes(), key, seal.Sum{}, "plain text inside age")
}

// TestSourceErrors: a broken connection is not damage, wherever it breaks.
func TestSourceErrors(t *testing.T) {
	key := newPair(t)
	whole, _ := sealed(t, noise(300<<10), key.recipients)
	for _, cause := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		for _, n := range []int{0, 10, 150, 300, 100 << 10, len(whole) - 1, len(whole)} {
			_, _, err := opened(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(cause)), key.identities)
			require.ErrorIs(t, err, cause, "after %d bytes", n)
			require.Equal(t, recovery.Unavailable, recovery.KindOf(err), "after %d bytes", n)
		}
	}
	_, _, err := opened(io.MultiReader(bytes.NewReader(whole), iotest.ErrReader(io.ErrClosedPipe)), newPair(t).identities)
	require.ErrorIs(t, err, io.ErrClosedPipe, "the key is not blamed before the bytes are known")
}

// failing fails once it has taken n bytes.
type failing struct{ n int }

var errFull = errors.New("no space left")

func (f *failing) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestDestinationErrors(t *testing.T) {
	key := newPair(t)
	for _, room := range []int{300, 100 << 10, 900 << 10} {
		w, err := seal.NewWriter(&failing{room}, key.recipients)
		require.NoError(t, err)
		_, err = w.Write(noise(1 << 20))
		closeErr := w.Close()
		require.ErrorIs(t, errors.Join(err, closeErr), errFull)
		require.Error(t, closeErr, "a stream that failed never closes well")
		_, err = w.Write([]byte("more"))
		require.Error(t, err)
	}
	_, err := seal.NewWriter(&failing{10}, key.recipients)
	require.ErrorIs(t, err, errFull)
}

func TestWriteAfterClose(t *testing.T) {
	w, err := seal.NewWriter(io.Discard, newPair(t).recipients)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = w.Write([]byte("late"))
	require.ErrorContains(t, err, "closed")
}

func TestKeysBadInput(t *testing.T) {
	secret, public, err := seal.GenerateIdentity()
	require.NoError(t, err)

	_, err = seal.ParseRecipients(nil)
	require.ErrorContains(t, err, "there is none")
	_, err = seal.ParseRecipients([]string{public, "age1nonsense"})
	require.ErrorContains(t, err, `read recipient 2, "age1nonsense"`)
	_, err = seal.ParseRecipients([]string{secret})
	require.ErrorContains(t, err, "it is a secret key; put its public key")
	require.NotContains(t, err.Error(), secret)

	_, err = seal.ParseIdentities("# nothing\n")
	require.ErrorContains(t, err, "there is no line with a secret key")
	wrongSum := secret[:len(secret)-1] + "Q"
	if wrongSum == secret { // one key in thirty-two ends so
		wrongSum = secret[:len(secret)-1] + "P"
	}
	for _, text := range []string{wrongSum, strings.ToLower(secret), "\n" + secret + secret, public} {
		_, err = seal.ParseIdentities(text)
		require.ErrorContains(t, err, "is not a secret key")
		require.NotContains(t, err.Error(), secret[20:40])
	}
}

// rows makes n bytes of rows that look like a dump.
func rows(n int64) io.Reader {
	random := rand.New(rand.NewPCG(1, 2))
	var line bytes.Buffer
	return io.LimitReader(readerFunc(func(p []byte) (int, error) {
		for line.Len() < len(p) {
			fmt.Fprintf(&line, "%d\tuser%d@example.org\t2026-11-22 18:00:00\t{\"total\": %d}\n", random.Int64(), random.IntN(1e6), random.IntN(1e4))
		}
		return line.Read(p)
	}), n)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestMemory: sealing and opening 200 MB at once stays small.
func TestMemory(t *testing.T) {
	const size, limit = 200 << 20, 40 << 20
	key := newPair(t)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := uint64(0)
	src := rows(size)
	seen := 0
	watch := readerFunc(func(p []byte) (int, error) {
		n, err := src.Read(p)
		if seen += n; seen > 10<<20 {
			seen = 0
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
		return n, err
	})

	pr, pw := io.Pipe()
	var written seal.Sum
	done := make(chan error, 1)
	go func() {
		w, err := seal.NewWriter(pw, key.recipients)
		if err == nil {
			_, err = io.Copy(w, watch)
			err = errors.Join(err, w.Close())
			written = w.Sealed()
		}
		pw.CloseWithError(err)
		done <- err
	}()
	r, err := seal.NewReader(pr, key.identities)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, r)
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.EqualValues(t, size, n)
	require.Equal(t, written, r.Sum())
	require.Less(t, int64(peak)-int64(before.HeapAlloc), int64(limit), "live heap while sealing and opening")
}

// TestStockToolsOpen: without Lifeboat, age and zstd are enough. And what is
// stored is hardly more than zstd alone would make of it.
func TestStockToolsOpen(t *testing.T) {
	for _, tool := range []string{"age", "zstd"} {
		_, err := exec.LookPath(tool)
		require.NoError(t, err, "%s is needed: run 'make tools'", tool)
	}
	key := newPair(t)
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(keyFile, []byte(key.secret+"\n"), 0o600))
	plain, err := io.ReadAll(rows(10 << 20))
	require.NoError(t, err)

	for _, content := range [][]byte{nil, []byte("x"), plain} {
		bytesOut, _ := sealed(t, content, key.recipients)
		file := filepath.Join(dir, "sealed.zst.age")
		require.NoError(t, os.WriteFile(file, bytesOut, 0o600))
		out, err := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", `age -d -i "$0" "$1" | zstd -dc`, keyFile, file).Output()
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, out), "%d bytes", len(content))
	}

	zstd := exec.CommandContext(t.Context(), "zstd", "-3", "-c")
	zstd.Stdin = bytes.NewReader(plain)
	stock, err := zstd.Output()
	require.NoError(t, err)
	bytesOut, _ := sealed(t, plain, key.recipients)
	require.LessOrEqual(t, float64(len(bytesOut)), 1.02*float64(len(stock)))
}

// TestOpensWhatStockToolsSeal: a set that was sealed again by hand is good, too.
func TestOpensWhatStockToolsSeal(t *testing.T) {
	secret, public, err := seal.GenerateIdentity()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", `zstd -19 -c | age -r "$0"`, public)
	cmd.Stdin = io.LimitReader(rows(3<<20), 3<<20)
	bytesOut, err := cmd.Output()
	require.NoError(t, err)
	identities, err := seal.ParseIdentities(secret)
	require.NoError(t, err)
	got, sum, err := opened(bytes.NewReader(bytesOut), identities)
	require.NoError(t, err)
	want, err := io.ReadAll(rows(3 << 20))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
	require.EqualValues(t, 3<<20, sum.PlainSize)
}

func BenchmarkWriter(b *testing.B) {
	plain, err := io.ReadAll(rows(64 << 20))
	require.NoError(b, err)
	key := newPair(b)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		w, err := seal.NewWriter(io.Discard, key.recipients)
		require.NoError(b, err)
		_, err = io.Copy(w, bytes.NewReader(plain))
		require.NoError(b, err)
		require.NoError(b, w.Close())
	}
}

func BenchmarkReader(b *testing.B) {
	plain, err := io.ReadAll(rows(64 << 20))
	require.NoError(b, err)
	key := newPair(b)
	bytesOut, _ := sealed(b, plain, key.recipients)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		r, err := seal.NewReader(bytes.NewReader(bytesOut), key.identities)
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, r)
		require.NoError(b, err)
	}
}
