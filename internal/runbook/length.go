package runbook

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
)

// A page of A4, printed in 10 point.
const (
	pageLines    = 58
	pageWidth    = 95 // characters
	pictureLines = 10
)

// fits reports a page that is longer than one printed page, at the block that does
// not fit any more.
func (r *reader) fits(doc ast.Node) {
	lines := 2 // the title
	tooLong := 0
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok && h.Level == 1 {
			continue
		}
		before := lines
		lines += r.height(n, pageWidth)
		if before <= pageLines && lines > pageLines {
			tooLong = r.lineOf(n)
		}
	}
	if tooLong > 0 {
		r.problem(tooLong, fmt.Sprintf("is longer than one printed page: about %d lines, and %d fit", lines, pageLines),
			"shorten it, or make two pages of it; a picture, and a comment that keeps its place, counts as 10 lines")
	}
}

// height estimates how many printed lines a block takes.
func (r *reader) height(n ast.Node, width int) int {
	switch n := n.(type) {
	case *ast.Heading:
		return wrappedLines(r.inline(n), width) + 1
	case *ast.Paragraph, *ast.TextBlock:
		return wrappedLines(r.inline(n), width) + pictureLines*pictures(n)
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		return codeLines(string(n.Lines().Value(r.source)), width) + 1
	case *ast.HTMLBlock:
		text := r.html(n)
		switch {
		case strings.HasPrefix(text, "<!-- screenshot"):
			return pictureLines
		case strings.HasPrefix(text, "<!--"):
			return 0
		}
		return codeLines(text, width)
	case *ast.ThematicBreak:
		return 1
	}
	if n.Kind() != ast.KindList {
		width = max(width-4, pageWidth/2)
	}
	lines := 0
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		lines += r.height(child, width)
	}
	return lines
}

func pictures(n ast.Node) int {
	count := 0
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if child.Kind() == ast.KindImage {
			count++
		}
		count += pictures(child)
	}
	return count
}

func wrappedLines(text string, width int) int { return len(wrap(text, width)) }

// codeLines counts the lines of code, which break wherever the paper ends.
func codeLines(text string, width int) int {
	count := 0
	for line := range strings.Lines(text) {
		count += 1 + max(utf8.RuneCountInString(strings.TrimRight(line, "\n"))-1, 0)/width
	}
	return count
}

// wrap breaks a text into lines of at most width characters, between words. A word
// that is longer has a line of its own.
func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line, length := "", 0
		for word := range strings.FieldsSeq(paragraph) {
			n := utf8.RuneCountInString(word)
			switch {
			case line == "":
				line, length = word, n
			case length+1+n > width:
				lines = append(lines, line)
				line, length = word, n
			default:
				line, length = line+" "+word, length+1+n
			}
		}
		lines = append(lines, line)
	}
	return lines
}
