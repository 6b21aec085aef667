package runbook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const (
	// MaxSize bounds a page, in bytes: far above what fits on printed paper.
	MaxSize = 64 << 10
	// maxLine bounds a line of a page, in bytes: Markdown readers take long for lines
	// that were made to be hard to read.
	maxLine = 2000
)

// reader reads one page.
type reader struct {
	page     *Page
	source   []byte // with blank lines in the place of the front matter
	lines    []int  // where each line begins in source
	number   int    // of the last step
	open     bool   // there is a block that is never closed, which hides what follows
	unread   bool   // there are steps whose names are not known
	problems []Problem
}

// Parse reads the page of a file, and reports what is wrong with it by itself. The
// page of a file with problems holds what could be read.
func Parse(file string, content []byte) (*Page, []Problem) {
	digest := sha256.Sum256(content)
	r := &reader{page: &Page{
		Name: strings.TrimSuffix(filepath.Base(file), ".md"), File: file,
		Severity: SeverityPage, Digest: hex.EncodeToString(digest[:]),
	}}
	if recovery.CheckName("page", r.page.Name) != nil {
		r.problem(0, "has no usable name", "name it with 1 to 40 lower-case letters, digits and hyphens, such as app-is-down.md")
	}
	content = bytes.ReplaceAll(bytes.TrimPrefix(content, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
	if r.readable(content) && r.frontMatter(content) {
		r.document(goldmark.DefaultParser().Parse(text.NewReader(r.source)))
	}
	return r.page, sorted(r.problems)
}

// readable refuses what is no text of a reasonable size.
func (r *reader) readable(content []byte) bool {
	if len(content) > MaxSize {
		r.problem(0, "is larger than 64 KiB", "keep to what fits on one printed page")
		return false
	}
	line, sound := 0, true
	for text := range bytes.Lines(content) {
		line++
		message, mend := "", ""
		switch {
		case !utf8.Valid(text):
			message, mend = "is not UTF-8", "save the file as UTF-8"
		case bytes.ContainsFunc(text, isControl):
			message, mend = "holds a control character", "remove it; only tabs and line ends may be there"
		case len(text) > maxLine:
			message, mend = fmt.Sprintf("is longer than %d bytes", maxLine), "break it into several lines"
		default:
			continue
		}
		r.problem(line, message, mend)
		sound = false
	}
	return sound
}

func isControl(c rune) bool { return c < ' ' && c != '\n' && c != '\t' || c == 0x7f }

func (r *reader) problem(line int, message, mend string) {
	r.problems = append(r.problems, Problem{File: r.page.File, Line: line, Message: message, Mend: mend})
}

// lineOf returns the number of the line in which a node begins.
func (r *reader) lineOf(n ast.Node) int { return r.lineAt(n.Pos()) }

// lineAt returns the number of the line that holds a position of the source.
func (r *reader) lineAt(position int) int {
	i, found := slices.BinarySearch(r.lines, position)
	if found {
		return i + 1
	}
	return i
}

// setSource takes the text that the Markdown is read from.
func (r *reader) setSource(source []byte) {
	r.source, r.lines = source, []int{0}
	for i, c := range source {
		if c == '\n' && i+1 < len(source) {
			r.lines = append(r.lines, i+1)
		}
	}
}
