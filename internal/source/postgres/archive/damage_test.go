package archive_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

func TestEveryCutIsAnError(t *testing.T) {
	for _, minor := range []byte{14, 15, 16} {
		data := newArchive(minor, usersTable, users, blobs, moreBlobs).
			rows(7, "1\n", "22\n", marker).objects(9, object{oid: 5, chunks: []string{"abc"}}).objects(10).Bytes()
		for n := range data {
			for _, mode := range []recovery.FingerprintMode{recovery.FingerprintContent, recovery.FingerprintOff} {
				_, err := archive.Fingerprint(bytes.NewReader(data[:n]), mode)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d of %d", n, len(data))
			}
		}
		fingerprint(t, data, recovery.FingerprintContent)
	}
}

func TestEveryFlippedBitIsSurvived(t *testing.T) {
	data := small().Bytes()
	want := fingerprint(t, data, recovery.FingerprintContent)
	unseen := 0
	for i := range data {
		for bit := range 8 {
			data[i] ^= 1 << bit
			got, err := archive.Fingerprint(bytes.NewReader(data), recovery.FingerprintContent)
			if err == nil && len(recovery.Compare(want, got)) == 0 {
				unseen++
			}
			data[i] ^= 1 << bit
		}
	}
	// Times, OIDs, dependencies and offsets are no content: about as many bytes as
	// the entries have of them.
	require.Less(t, unseen, len(data)*8/2)
}

// FuzzReader checks that no input makes the reader panic or disagree with itself.
func FuzzReader(f *testing.F) {
	f.Add(small().Bytes())
	for _, minor := range []byte{14, 15, 16} {
		b := newArchive(minor, usersTable, users, blobs, moreBlobs)
		f.Add(bytes.Clone(b.Bytes()))
		b.rows(7, split("1\n22\n\\\\.\n"+marker, 3)...)
		f.Add(bytes.Clone(b.Bytes()))
		b.objects(9, object{oid: -5, chunks: []string{"abc", "d"}}, object{oid: 1}).objects(10)
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		content, err := archive.Fingerprint(bytes.NewReader(data), recovery.FingerprintContent)
		_, wholeErr := archive.Fingerprint(bytes.NewReader(data), recovery.FingerprintOff)
		if err == nil {
			require.NoError(t, wholeErr)
			counts, err := archive.Fingerprint(bytes.NewReader(data), recovery.FingerprintCounts)
			require.NoError(t, err)
			require.Equal(t, content.Rows(), counts.Rows())
		}
		r, err := archive.NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		for {
			block, err := r.Next()
			if err != nil {
				require.Equal(t, wholeErr == nil, errors.Is(err, io.EOF))
				return
			}
			if _, err := io.Copy(io.Discard, block); err != nil {
				require.Error(t, wholeErr)
			}
		}
	})
}
