package runbook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
)

// sections are the sections that were read so far.
type sections struct {
	list  []*Section
	last  int                 // the farthest of [Headings]
	known map[string]*Section // by heading
}

// document reads the Markdown of a page.
func (r *reader) document(doc ast.Node) {
	read := sections{last: -1, known: map[string]*Section{}}
	var section *Section
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		r.closed(n)
		if heading, ok := n.(*ast.Heading); ok && heading.Level <= 2 {
			if heading.Level == 2 || section != nil {
				section = r.heading(heading, &read)
			}
			continue
		}
		if list, ok := n.(*ast.List); ok && list.IsOrdered() && section != nil {
			r.steps(list, section)
			continue
		}
		r.neverRun(n)
		into := &r.page.Text
		if section != nil {
			into = &section.Text
		}
		*into = joined(*into, r.block(n), true)
	}
	if !r.open {
		r.missing(&read)
	}
	for _, s := range read.list {
		r.page.Sections = append(r.page.Sections, *s)
	}
	r.conditions()
	r.facts()
	r.fits(doc)
}

// heading begins a section, or goes on with one that is there already. What should
// not be there is read too, for the problems in it, but is no part of the page.
func (r *reader) heading(n *ast.Heading, read *sections) *Section {
	text, line := r.inline(n), r.lineOf(n)
	index := slices.IndexFunc(Headings(), func(h string) bool { return firstWord(h) == firstWord(text) })
	if index < 0 || n.Level == 1 {
		r.problem(line, fmt.Sprintf("heading %s is none of the five", quoted(text)), "write ### for a heading of your own; the five are: "+strings.Join(Headings(), ", "))
		r.unread = true
		return &Section{line: line}
	}
	section := &Section{Heading: Headings()[index], line: line}
	if first, twice := read.known[section.Heading]; twice {
		r.problem(line, fmt.Sprintf("heading %s is there twice (first on line %d)", quoted(section.Heading), first.line), "keep one of the two")
		return first
	}
	switch {
	case text != section.Heading:
		r.problem(line, fmt.Sprintf("heading %s is written in another way", quoted(text)), "write ## "+section.Heading)
	case index < read.last:
		r.problem(line, fmt.Sprintf("heading %s stands after %s", quoted(text), quoted(Headings()[read.last])), "keep to the order: "+strings.Join(Headings(), ", "))
	}
	read.last = max(read.last, index)
	read.known[section.Heading] = section
	read.list = append(read.list, section)
	return section
}

// firstWord tells the five headings apart, however they are written.
func firstWord(heading string) string {
	word, _, _ := strings.Cut(strings.ToLower(heading), " ")
	return strings.Trim(word, ":.")
}

// missing reports the sections and steps that are not there.
func (r *reader) missing(read *sections) {
	for i, heading := range Headings() {
		if read.known[heading] != nil {
			continue
		}
		line, mend := len(r.lines), "write ## "+heading+" at the end"
		for _, next := range Headings()[i+1:] {
			if s := read.known[next]; s != nil {
				line, mend = s.line, "write ## "+heading+" before ## "+next
				break
			}
		}
		r.problem(line, fmt.Sprintf("has no heading %s", quoted(heading)), mend)
	}
	now, then := read.known[HeadingImmediate], read.known[HeadingRecovery]
	if now != nil && then != nil && len(now.Steps)+len(then.Steps) == 0 {
		r.problem(now.line, "has no step under "+HeadingImmediate+" or "+HeadingRecovery, "write what to do as a numbered list")
	}
}

// neverRun reports blocks that look as if they were run, below a node that is no
// step.
func (r *reader) neverRun(n ast.Node) {
	for _, block := range fencedBelow(n) {
		if kind, _ := r.info(block); kind != "" {
			r.problem(r.lineOf(block), fmt.Sprintf("has a block %s that would never run", quoted(kind)),
				"put it into a numbered step, indented like the step's text; or leave "+kind+" out if it is only to be read")
		}
	}
}

// fencedBelow returns the fenced blocks of a node, and that node if it is one.
func fencedBelow(n ast.Node) []*ast.FencedCodeBlock {
	if block, ok := n.(*ast.FencedCodeBlock); ok {
		return []*ast.FencedCodeBlock{block}
	}
	var blocks []*ast.FencedCodeBlock
	for child := n.FirstChild(); child != nil && child.Type() == ast.TypeBlock; child = child.NextSibling() {
		blocks = append(blocks, fencedBelow(child)...)
	}
	return blocks
}

// closed reports a fenced block that nothing closes, or that ends with its step: all
// that follows would be read in another way than it was meant.
func (r *reader) closed(n ast.Node) {
	for _, block := range fencedBelow(n) {
		end := len(r.source)
		if lines := block.Lines(); lines.Len() > 0 {
			end = lines.At(lines.Len() - 1).Stop
		} else if line := r.lineOf(block); line < len(r.lines) {
			end = r.lines[line]
		}
		next, _, _ := strings.Cut(string(r.source[end:]), "\n")
		fence := strings.TrimLeft(next, "> \t")
		isEnd := strings.HasPrefix(fence, "```") || strings.HasPrefix(fence, "~~~")
		if _, inStep := block.Parent().(*ast.ListItem); isEnd && (!inStep || fence != next) || r.open {
			continue
		}
		r.problem(r.lineOf(block), "has a block that is never closed", "write ``` on a line of its own after it, indented like the line that begins it")
		r.open = true
	}
}
