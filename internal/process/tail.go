package process

import (
	"bytes"
	"strings"
	"sync"
)

// Tail keeps the last bytes written to it. It is safe for concurrent use.
type Tail struct {
	limit int

	mu  sync.Mutex
	buf []byte
	cut bool // something before buf was dropped
}

// NewTail makes a Tail that keeps the last limit bytes.
func NewTail(limit int) *Tail { return &Tail{limit: limit} }

// Write keeps the end of p. It never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if len(p) > t.limit {
		p, t.cut = p[len(p)-t.limit:], true
		t.buf = t.buf[:0]
	}
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*t.limit { // not on each write, so that the cost stays linear
		t.trim()
	}
	return n, nil
}

func (t *Tail) trim() {
	if extra := len(t.buf) - t.limit; extra > 0 {
		t.buf, t.cut = append(t.buf[:0], t.buf[extra:]...), true
	}
}

// String returns whole lines only: a first line whose beginning was dropped is
// left out, because its end alone can be mistaken for something else.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim()
	if !t.cut {
		return string(t.buf)
	}
	_, rest, _ := bytes.Cut(t.buf, []byte("\n"))
	return string(rest)
}

// LastLine returns the last line that is not blank: mostly it says why the program
// ended. It is empty if there is none.
func (t *Tail) LastLine() string {
	text := strings.TrimSpace(t.String())
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}
