package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/lifeboat-run/lifeboat/internal/process"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// tools are the client programs in one folder.
type tools struct {
	dir     string
	major   int
	version string // "15.18"
}

func (t tools) pgDump() string    { return filepath.Join(t.dir, "pg_dump") }
func (t tools) pgRestore() string { return filepath.Join(t.dir, "pg_restore") }

// findTools chooses the client programs for a server: of its own major version,
// or else of the nearest newer one. Of equals the folder named first is taken:
// extra ones, where Debian puts them, PATH.
func findTools(ctx context.Context, extra []string, major int) (tools, error) {
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return tools{}, fmt.Errorf("look for pg_dump: %w", err)
	}
	return chooseTools(ctx, append(append(append([]string{}, extra...), installed...), filepath.SplitList(os.Getenv("PATH"))...), major)
}

func chooseTools(ctx context.Context, dirs []string, major int) (tools, error) {
	var best, newest tools
	for _, dir := range dirs {
		t, err := toolsIn(ctx, dir)
		if err != nil {
			if ctx.Err() != nil {
				return tools{}, err
			}
			continue // not there, or broken: another folder may serve
		}
		if t.major >= major && (best.major == 0 || t.major < best.major) {
			best = t
		}
		if t.major > newest.major {
			newest = t
		}
	}
	if best.major != 0 {
		return best, nil
	}
	hint := fmt.Sprintf("install postgresql-client-%d, or newer", major)
	if newest.major == 0 {
		return tools{}, recovery.NewFault(recovery.Permanent, errors.New("look for pg_dump: it is not installed"), hint)
	}
	return tools{}, recovery.NewFault(recovery.Permanent, fmt.Errorf("look for pg_dump: the newest here, %s, is older than the server, %d", newest.version, major), hint)
}

var versionForm = regexp.MustCompile(`\(PostgreSQL\) (\d+)(\S*)`)

// toolsIn looks at the programs in one folder.
func toolsIn(ctx context.Context, dir string) (tools, error) {
	t := tools{dir: dir}
	for _, path := range []string{t.pgDump(), t.pgRestore()} {
		if _, err := os.Stat(path); err != nil {
			return tools{}, err
		}
	}
	var out bytes.Buffer
	err := process.Run(ctx, process.Command{Path: t.pgDump(), Args: []string{"--version"}, Env: []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}, Stdout: &out})
	if err != nil {
		return tools{}, err
	}
	m := versionForm.FindStringSubmatch(out.String())
	if m == nil {
		return tools{}, fmt.Errorf("read the version of %s", t.pgDump())
	}
	t.version = m[1] + m[2]
	t.major, err = strconv.Atoi(m[1])
	return t, err
}

// restore runs pg_restore on a database. If it went on to its end in spite of
// errors, they are complaints; an error means that it did not reach its end.
func (t tools) restore(ctx context.Context, s *server, application string, stdin io.Reader, args ...string) ([]string, error) {
	said := &complaints{program: "pg_restore"}
	err := process.Run(ctx, process.Command{
		Path: t.pgRestore(), Args: append([]string{"--no-password", "--dbname", s.config.Database}, args...),
		Env: s.env(application), Stdin: stdin, Stderr: said,
	})
	return said.list(), s.toolEnd("run pg_restore", said, err)
}

// toolEnd says what the end of a client program means.
func (s *server) toolEnd(doing string, said *complaints, err error) error {
	last, finished := said.end()
	var exit *process.ExitError
	switch {
	case err == nil, finished && errors.As(err, &exit) && exit.Cause == nil && exit.Code == 1:
		return nil
	case last != "" && errors.As(err, &exit) && exit.Cause == nil:
		return s.toolFault(doing, last)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
