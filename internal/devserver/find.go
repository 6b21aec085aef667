package devserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// toolsDir is where 'make tools' puts programs, below the top of the clone.
const toolsDir = ".tools/bin"

// findProgram looks for a program on PATH and in .tools/bin.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	if dir, ok := findToolsDir(); ok {
		if path := filepath.Join(dir, name); isProgram(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("find %s: not on PATH nor in %s (run 'make tools')", name, toolsDir)
}

// findToolsDir looks for .tools/bin in the working folder and those above it:
// tests run in the folder of their package.
func findToolsDir() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if info, err := os.Stat(filepath.Join(dir, toolsDir)); err == nil && info.IsDir() {
			return filepath.Join(dir, toolsDir), true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// findPostgres looks for a folder with PostgreSQL's server and client programs
// that user can run: .tools/bin, PATH, then where Debian keeps them, newest first.
func findPostgres(user *syscall.Credential) (string, error) {
	var candidates []string
	if dir, ok := findToolsDir(); ok {
		candidates = append(candidates, dir)
	}
	candidates = append(candidates, filepath.SplitList(os.Getenv("PATH"))...)
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(debian, func(a, b string) int { return majorOf(b) - majorOf(a) })
	for _, dir := range append(candidates, debian...) {
		complete := !slices.ContainsFunc([]string{"initdb", "postgres", "psql", "pg_dump", "pg_restore"},
			func(name string) bool { return !isProgram(filepath.Join(dir, name)) })
		if complete && reachable(dir, user) {
			return filepath.Abs(dir)
		}
	}
	return "", fmt.Errorf("find PostgreSQL: initdb, postgres, psql, pg_dump and pg_restore are not together in %s, on PATH or in /usr/lib/postgresql (run 'make tools')", toolsDir)
}

func majorOf(binDir string) int {
	major, err := strconv.Atoi(filepath.Base(filepath.Dir(binDir)))
	if err != nil {
		return 0
	}
	return major
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
