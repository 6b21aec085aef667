//go:build !linux

package postgres

import (
	"io"
	"os"
)

// outputPipe makes a pipe for the output of a program.
func outputPipe() (io.ReadCloser, *os.File, error) { return os.Pipe() }
