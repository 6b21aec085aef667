package postgres

import (
	"bytes"
	"strings"
	"sync"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// maxLine bounds a line that is looked at; the rest of it is dropped.
const maxLine = 4 << 10

// complaints reads what a client program writes to its standard error. It keeps
// the sentences of errors, and drops what comes with them and holds user data:
// details, contexts, statements. It is safe for concurrent use.
type complaints struct {
	program string

	mu       sync.Mutex
	line     []byte   // unfinished
	kept     []string // the first ones
	last     string   // the last error, as it was written
	finished bool     // pg_restore ended by counting the errors that it ignored
}

func (c *complaints) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(p)
	for {
		part, rest, whole := bytes.Cut(p, []byte("\n"))
		c.line = append(c.line, part[:min(len(part), maxLine-len(c.line))]...)
		if !whole {
			return n, nil
		}
		c.read(string(c.line))
		c.line, p = c.line[:0], rest
	}
}

// serverSaid marks the only detail that is kept: the server's own sentence.
const serverSaid = "Error message from server: "

func (c *complaints) read(line string) {
	said, ok := strings.CutPrefix(line, c.program+": ")
	if !ok {
		return
	}
	detail := strings.TrimPrefix(said, "detail: ")
	switch {
	case strings.HasPrefix(said, "error: "):
		c.last = strings.TrimPrefix(said, "error: ")
		c.keep(c.last)
	case strings.HasPrefix(detail, serverSaid), strings.HasPrefix(detail, "server version: "):
		c.last += ": " + strings.TrimPrefix(detail, serverSaid)
		if n := len(c.kept); n > 0 {
			c.kept[n-1] = c.last
		}
	case strings.HasPrefix(said, "warning: errors ignored on restore"):
		c.finished = true
	case strings.HasPrefix(said, "warning: "):
		c.keep(strings.TrimPrefix(said, "warning: "))
	}
}

func (c *complaints) keep(said string) {
	if len(c.kept) < recovery.MaxDifferences {
		c.kept = append(c.kept, said)
	}
}

// list returns the first errors and warnings, free of user data.
func (c *complaints) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finish()
	var list []string
	for _, said := range c.kept {
		list = append(list, clean(said))
	}
	return list
}

// end returns the last error, as it was written, and whether pg_restore said
// that it reached its end.
func (c *complaints) end() (last string, finished bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finish()
	return c.last, c.finished
}

// finish reads a last line that was not ended.
func (c *complaints) finish() {
	c.read(string(c.line))
	c.line = nil
}
