package sqlite

import (
	"context"
	"io"
	"os"
)

// send writes a file to w.
func send(ctx context.Context, file string, w io.Writer, progress func(int64)) (int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // was only read
	return transfer(ctx, w, f, progress)
}

// transfer copies r to w in pieces of 1 MiB, looking at ctx before each.
func transfer(ctx context.Context, w io.Writer, r io.Reader, progress func(int64)) (int64, error) {
	var total int64
	piece := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, err := r.Read(piece)
		if n > 0 {
			if _, err := w.Write(piece[:n]); err != nil {
				return total, err
			}
			total += int64(n)
			if progress != nil {
				progress(total)
			}
		}
		if err == io.EOF { // bare: a reader that broke off says something else
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
