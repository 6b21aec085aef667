package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Identity tells a database file from every other that had or will have its path;
// empty if there is none.
func Identity(path string) (string, error) { return identity(path) }

// KeptPath names a file that was restored beside the live one to stay there; set
// tells from which set.
func KeptPath(live, set string) string { return live + keptInfix + strings.ToLower(set) }

// Keep gives a file that was restored beside the live one a lasting name, and its
// owner and permissions. Asked again, it finds that it was done.
func (l *Live) Keep(ctx context.Context, beside, name string) error {
	if filepath.Dir(name) != filepath.Dir(l.Path) || name == l.Path {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("keep %s: it must lie beside %s", name, l.Path), "")
	}
	_, err := os.Lstat(beside)
	_, already := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && already == nil:
		return nil
	case err != nil:
		return fmt.Errorf("keep %s: %w", name, mendable(err))
	case already == nil:
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("keep %s: there is such a file already", name), "move it away first")
	}
	if err := errors.Join(prepare(ctx, beside, preparation{}), likeLive(l.Path, beside)); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	if err := os.Rename(beside, name); err != nil {
		return fmt.Errorf("keep %s: %w", name, mendable(err))
	}
	return syncFolder(filepath.Dir(name))
}
