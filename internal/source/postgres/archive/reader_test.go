package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

const marker = "\\.\n\n\n"

var (
	users = entry{
		id: 7, data: true, desc: "TABLE DATA", schema: "public", tag: "users", owner: "o", section: 3,
		copy: "COPY public.users (a) FROM stdin;\n", deps: []string{"6"},
	}
	usersTable = entry{id: 6, desc: "TABLE", schema: "public", tag: "users", owner: "o", defn: "CREATE TABLE public.users (a int);\n", accessMeth: "heap"}
	blobs      = entry{id: 9, data: true, desc: "BLOBS", tag: "BLOBS", section: 3}
	moreBlobs  = entry{id: 10, data: true, desc: "BLOBS", tag: "BLOBS", section: 3}
)

func fingerprint(t *testing.T, data []byte, mode recovery.FingerprintMode) *recovery.Fingerprint {
	t.Helper()
	fp, err := archive.Fingerprint(bytes.NewReader(data), mode)
	require.NoError(t, err)
	return fp
}

func TestReaderKnowsAllVersions(t *testing.T) {
	content := []object{{oid: 5, chunks: []string{"abc", "de"}}, {oid: -294967296}}
	var first *recovery.Fingerprint
	for _, minor := range []byte{14, 15, 16} {
		t.Run(fmt.Sprintf("1.%d", minor), func(t *testing.T) {
			b := newArchive(minor, usersTable, users, blobs)
			head := bytes.Clone(b.Bytes())
			b.rows(7, "1\n2\n", "\\N\n", marker).objects(9, content...)

			r, err := archive.NewReader(bytes.NewReader(b.Bytes()))
			require.NoError(t, err)
			require.Equal(t, archive.Header{Version: fmt.Sprintf("1.%d", minor), Database: "app", ServerVersion: "17.2", DumpVersion: "18.0"}, r.Header())
			require.Equal(t, head, r.Head())
			require.Equal(t, &archive.Entry{
				ID: 7, HadData: true, Desc: "TABLE DATA", Section: archive.SectionData, Namespace: "public", Tag: "users",
				Owner: "o", Copy: "COPY public.users (a) FROM stdin;\n", Deps: []int{6},
			}, r.Entries()[1])
			require.Equal(t, "heap", r.Entries()[0].TableAM)

			block, err := r.Next()
			require.NoError(t, err)
			require.False(t, block.LargeObjects())
			rows, err := io.ReadAll(block)
			require.NoError(t, err)
			require.Equal(t, "1\n2\n\\N\n", string(rows))

			block, err = r.Next()
			require.NoError(t, err)
			require.True(t, block.LargeObjects())
			require.Equal(t, map[uint32]string{5: "abcde", 4000000000: ""}, objectsOf(t, block))
			_, err = r.Next()
			require.Equal(t, io.EOF, err)

			fp := fingerprint(t, b.Bytes(), recovery.FingerprintContent)
			if first == nil {
				first = fp
			}
			require.Equal(t, first, fp)
		})
	}
}

func objectsOf(t *testing.T, block *archive.Block) map[uint32]string {
	t.Helper()
	objects := map[uint32]string{}
	for {
		oid, err := block.NextObject()
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		content, err := io.ReadAll(block)
		require.NoError(t, err)
		objects[oid] = string(content)
	}
}

// However the writer cuts its chunks and the stream its reads, rows are the same.
func TestReaderJoinsChunks(t *testing.T) {
	for _, rows := range []string{
		"", "\n", "1\n", "\n\n\n\n\n\n", "a\\\\.\n", "\\\\.\n\n\n\n", "x\ty\n\\N\t\\\\\n" + strings.Repeat("long", 50) + "\n\n",
	} {
		text := rows + marker
		want := fingerprint(t, newArchive(14, users).rows(7, text).Bytes(), recovery.FingerprintContent)
		require.Equal(t, int64(strings.Count(rows, "\n")), want.Rows())
		for n := 1; n <= len(text); n++ {
			data := newArchive(14, users, moreBlobs).rows(7, split(text, n)...).objects(10).Bytes()
			for name, stream := range map[string]io.Reader{
				"whole": bytes.NewReader(data), "bytes": iotest.OneByteReader(bytes.NewReader(data)),
				"halves": iotest.HalfReader(bytes.NewReader(data)), "error with data": iotest.DataErrReader(bytes.NewReader(data)),
			} {
				r, err := archive.NewReader(stream)
				require.NoError(t, err)
				block, err := r.Next()
				require.NoError(t, err)
				got, err := io.ReadAll(iotest.OneByteReader(block))
				require.NoError(t, err)
				require.Equal(t, rows, string(got), "%s, chunks of %d bytes", name, n)
				block, err = r.Next()
				require.NoError(t, err)
				require.Equal(t, 10, block.Entry.ID)
			}
			require.Equal(t, want.Data, fingerprint(t, data, recovery.FingerprintContent).Data)
		}
	}
}

func TestReaderTakesChunksLargerThanItsBuffer(t *testing.T) {
	for size := 1<<19 - 8; size < 1<<19+8; size++ {
		rows := strings.Repeat("r", size-1) + "\n"
		joined := newArchive(14, users).rows(7, rows+marker).Bytes()
		apart := newArchive(14, users).rows(7, rows, marker).Bytes()
		require.Equal(t, fingerprint(t, joined, recovery.FingerprintContent), fingerprint(t, apart, recovery.FingerprintContent))
	}
	rows := strings.Repeat("x", 3<<20) + "\n"
	r, err := archive.NewReader(bytes.NewReader(newArchive(14, users).rows(7, rows+marker).Bytes()))
	require.NoError(t, err)
	block, err := r.Next()
	require.NoError(t, err)
	got, err := io.ReadAll(block)
	require.NoError(t, err)
	require.Equal(t, rows, string(got))
}

func TestReaderSkipsWhatIsNotRead(t *testing.T) {
	data := newArchive(16, users, blobs, moreBlobs).
		objects(9, object{oid: 1, chunks: []string{"a", "b"}}, object{oid: 2}).
		rows(7, "1\n", "2\n", marker).objects(10, object{oid: 3, chunks: []string{"c"}}).Bytes()
	r, err := archive.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	block, err := r.Next()
	require.NoError(t, err)
	_, err = block.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err, "outside an object there is nothing to read")
	oid, err := block.NextObject()
	require.NoError(t, err)
	require.Equal(t, uint32(1), oid)
	_, err = block.Read(make([]byte, 1))
	require.NoError(t, err)

	block, err = r.Next()
	require.NoError(t, err)
	require.Equal(t, 7, block.Entry.ID)
	_, err = block.Read(make([]byte, 1))
	require.NoError(t, err)
	block, err = r.Next()
	require.NoError(t, err)
	require.Equal(t, 10, block.Entry.ID)
	_, err = r.Next()
	require.Equal(t, io.EOF, err)
}

func TestReaderRefuses(t *testing.T) {
	compressed := newArchive(14)
	compressed.Bytes()[11], compressed.Bytes()[12] = 0, 6
	zstd := newArchive(16)
	zstd.Bytes()[11] = 3
	cases := map[string]struct {
		data []byte
		want string
	}{
		"nothing":          {nil, "unexpected EOF"},
		"plain SQL":        {[]byte("--\n-- PostgreSQL database dump\n--\n"), "it is not a PostgreSQL custom archive"},
		"older version":    {newArchive(13).Bytes(), "its version is 1.13, not one of 1.14 to 1.16"},
		"newer version":    {newArchive(17).Bytes(), "its version is 1.17, not one of 1.14 to 1.16"},
		"gzip":             {compressed.Bytes(), "it is compressed; dump with -Z0"},
		"zstd":             {zstd.Bytes(), "it is compressed; dump with -Z0"},
		"entry twice":      {newArchive(14, users, users).Bytes(), "the entry 7 is there twice"},
		"bad id":           {newArchive(14, entry{id: -3}).Bytes(), "an entry has the id -3"},
		"bad section":      {newArchive(14, entry{id: 3, section: 9}).Bytes(), "entry 3 is of section 9"},
		"bad dependency":   {newArchive(14, entry{id: 3, deps: []string{"x"}}).Bytes(), `entry 3 needs the entry "x"`},
		"unknown data":     {newArchive(14, entry{id: 3, desc: "NEW DATA", data: true}).Bytes(), `entry 3 has data of the unknown kind "NEW DATA"`},
		"no data at all":   {newArchive(14, usersTable, users).Bytes(), "data of table public.users is missing: unexpected EOF"},
		"data twice":       {newArchive(14, users).rows(7, marker).rows(7, marker).Bytes(), "a block of type 1 for entry 7 does not belong here"},
		"unknown block":    {newArchive(14, users).rows(8, marker).Bytes(), "a block of type 1 for entry 8 does not belong here"},
		"wrong type":       {newArchive(14, users).objects(7).Bytes(), "a block of type 3 for entry 7 does not belong here"},
		"bytes at the end": {append(newArchive(14, users).rows(7, marker).Bytes(), 2, 0, 7, 0, 0, 0), "a block of type 2 for entry 7 does not belong here"},
		"no end marker":    {newArchive(14, users).rows(7, "1\n", "2\n").Bytes(), "data of table public.users: its rows do not end with the end marker"},
		"no rows":          {newArchive(14, users).rows(7).Bytes(), "data of table public.users: its rows do not end with the end marker"},
		"row without end":  {newArchive(14, users).rows(7, "1\n2", marker).Bytes(), "data of table public.users: its last row has no end"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []recovery.FingerprintMode{recovery.FingerprintContent, recovery.FingerprintCounts} {
				_, err := archive.Fingerprint(bytes.NewReader(c.data), mode)
				require.ErrorContains(t, err, "read archive: ")
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

// A length that a damaged archive claims is not believed before its bytes came.
func TestReaderAllocatesOnlyWhatItReads(t *testing.T) {
	huge := newArchive(14, users).Bytes()
	name := bytes.Index(huge, []byte("users"))
	copy(huge[name-4:], []byte{0xff, 0xff, 0xff, 0x0f})
	chunk := newArchive(14, users)
	chunk.WriteByte(1)
	chunk.int(7)
	chunk.int(0x7fffffff)
	for name, data := range map[string][]byte{"name": huge, "chunk": chunk.Bytes()} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := archive.Fingerprint(bytes.NewReader(data), recovery.FingerprintContent)
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
		})
	}
}

func TestReaderNamesTheTableOfABrokenStream(t *testing.T) {
	lost := errors.New("connection lost")
	data := newArchive(14, users).rows(7, strings.Repeat("1\n", 1000), marker).Bytes()
	for name, c := range map[string]struct{ broken, want error }{
		"plain":             {lost, lost},
		"the end, reworded": {fmt.Errorf("read body: %w", io.EOF), io.ErrUnexpectedEOF},
		"fault":             {recovery.NewFault(recovery.Damaged, lost, ""), lost},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{len(data) - 100, len(data)} {
				_, err := archive.Fingerprint(io.MultiReader(bytes.NewReader(data[:size]), iotest.ErrReader(c.broken)), recovery.FingerprintCounts)
				require.ErrorIs(t, err, c.want)
				require.NotErrorIs(t, err, io.EOF)
				require.Equal(t, recovery.KindOf(c.broken), recovery.KindOf(err))
				if size < len(data) {
					require.ErrorContains(t, err, "data of table public.users")
				}
			}
		})
	}
}
