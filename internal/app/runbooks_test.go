package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/runbook"
	"github.com/lifeboat-run/lifeboat/runbooks"
)

// folder makes a folder of runbooks: files by name.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func diskFull(t *testing.T) string {
	t.Helper()
	text, err := runbooks.Pages.ReadFile("disk-full.md")
	require.NoError(t, err)
	return string(text)
}

// A page of one's own replaces the one that comes with Lifeboat.
func TestRunbooksOfOnesOwn(t *testing.T) {
	ours := strings.Replace(diskFull(t), "title: A disk is full", "title: Ours", 1)
	dir := folder(t, map[string]string{"disk-full.md": ours, "zzz.md": "nothing", "README.md": "# About", "notes.txt": "x"})
	require.NoError(t, os.Symlink(filepath.Join(dir, "disk-full.md"), filepath.Join(dir, "linked.md")))
	books, err := app.Runbooks(dir)
	require.NoError(t, err)
	titles := map[string]string{}
	for _, book := range books {
		titles[book.Page.Name] = book.Page.File
		if book.Page.Name == "disk-full" {
			require.Equal(t, "Ours", book.Page.Title)
			require.Equal(t, ours, string(book.Markdown))
		}
	}
	require.Len(t, books, 9)
	require.Equal(t, filepath.Join(dir, "disk-full.md"), titles["disk-full"])
	require.Equal(t, filepath.Join(dir, "linked.md"), titles["linked"])
	require.Equal(t, "built-in/app-is-down.md", titles["app-is-down"])
	require.NotEmpty(t, books[8].Problems, "one that is no page is there with its problems")

	alone, err := app.RunbooksIn(dir)
	require.NoError(t, err)
	require.Len(t, alone, 3)
}

func TestRunbooksThatCannotBeRead(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	directory := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(directory, "page.md"), 0o700))
	empty := folder(t, map[string]string{"README.md": "# About"})
	for dir, want := range map[string]string{
		none:      "read runbooks in " + none + ": no such file or directory (name a folder that holds pages, NAME.md)",
		directory: "read runbooks in " + directory + ": page.md is no file (name a folder that holds pages, NAME.md)",
		empty:     "read runbooks in " + empty + ": there is no page (put pages there, NAME.md; 'starter runbooks show NAME --markdown' prints one to begin with)",
	} {
		_, err := app.Runbooks(dir)
		require.EqualError(t, err, want)
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	}
}

// A huge file is not read to its end.
func TestRunbookThatIsHuge(t *testing.T) {
	books, err := app.RunbooksIn(folder(t, map[string]string{"page.md": strings.Repeat("x", 10*runbook.MaxSize)}))
	require.NoError(t, err)
	require.Len(t, books[0].Markdown, runbook.MaxSize+1)
	require.Len(t, books[0].Problems, 1)
	require.Contains(t, books[0].Problems[0].Message, "larger than 64 KiB")
}

func TestCheckRunbooks(t *testing.T) {
	cfg, err := config.Load("../../runbooks/testdata/lifeboat.yaml")
	require.NoError(t, err)
	books, err := app.Runbooks(folder(t, map[string]string{"full.md": diskFull(t)}))
	require.NoError(t, err)
	require.NoError(t, app.CheckRunbooks(cfg, books))
	var all []string
	for _, book := range books {
		for _, problem := range book.Problems {
			all = append(all, filepath.Base(problem.File)+" "+problem.Message)
		}
	}
	require.Equal(t, []string{`full.md alert "DiskFull" opens disk-full as well`, `full.md alert "DiskAlmostFull" opens disk-full as well`}, all)
}

// What the pages fill in by themselves cannot be a variable.
func TestReservedVariables(t *testing.T) {
	text, err := os.ReadFile("../../runbooks/testdata/lifeboat.yaml")
	require.NoError(t, err)
	for _, name := range []string{"service", "since", "now", "what", "status"} {
		require.True(t, runbook.Reserved(name))
		_, err := config.Parse("lifeboat.yaml", []byte(strings.Replace(string(text), "logs:", name+":", 1)))
		require.ErrorContains(t, err, name+": \"journalctl -u where2eat -n 50 --no-pager\" is filled in by Lifeboat itself")
	}
	require.False(t, runbook.Reserved("logs"))
}
