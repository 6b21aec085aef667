package runbook

import (
	"fmt"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"
)

// block returns the plain text of a block: each paragraph on one line, items of
// lists behind their marker, code indented by four. Comments are for nobody to read.
func (r *reader) block(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Heading, *ast.Paragraph, *ast.TextBlock:
		return strings.TrimSpace(r.inline(n))
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		return indented(strings.TrimRight(string(n.Lines().Value(r.source)), "\n"), "    ", "    ")
	case *ast.HTMLBlock:
		if text := r.html(n); !strings.HasPrefix(text, "<!--") {
			return text
		}
	case *ast.List:
		return r.items(n)
	case *ast.Blockquote:
		return indented(r.blocks(n), "> ", "> ")
	}
	return ""
}

// blocks returns the plain text of the blocks in a node.
func (r *reader) blocks(n ast.Node) string {
	text := ""
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		text = joined(text, r.block(child), child.HasBlankPreviousLines())
	}
	return text
}

func (r *reader) items(list *ast.List) string {
	text, number := "", list.Start
	for item := list.FirstChild(); item != nil; item = item.NextSibling() {
		marker := "- "
		if list.IsOrdered() {
			marker = fmt.Sprintf("%d. ", number)
			number++
		}
		text = joined(text, indented(r.blocks(item), marker, strings.Repeat(" ", len(marker))), false)
	}
	return text
}

// joined puts two texts below each other.
func joined(above, below string, blank bool) string {
	switch {
	case above == "":
		return below
	case below == "":
		return above
	case blank:
		return above + "\n\n" + below
	}
	return above + "\n" + below
}

// indented puts first before the first line of a text, and rest before the others.
func indented(text, first, rest string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		switch {
		case i == 0:
			lines[i] = first + line
		case line != "":
			lines[i] = rest + line
		}
	}
	return strings.Join(lines, "\n")
}

// html returns a block of HTML as it stands there.
func (r *reader) html(n *ast.HTMLBlock) string {
	text := string(n.Lines().Value(r.source))
	if n.HasClosure() {
		text += string(n.ClosureLine.Value(r.source))
	}
	return strings.TrimSpace(text)
}

// inline returns the plain text of what stands in a block.
func (r *reader) inline(n ast.Node) string {
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		switch child := child.(type) {
		case *ast.Text:
			b.WriteString(plain(child.Value(r.source), child.IsRaw()))
			switch {
			case child.HardLineBreak():
				b.WriteString("\n")
			case child.SoftLineBreak():
				b.WriteString(" ")
			}
		case *ast.String:
			b.Write(child.Value)
		case *ast.CodeSpan:
			b.WriteString("`" + r.raw(child) + "`")
		case *ast.Link:
			b.WriteString(linked(r.inline(child), string(child.Destination)))
		case *ast.AutoLink:
			b.Write(child.Label(r.source))
		case *ast.Image:
			b.WriteString(linked("picture: "+r.inline(child), string(child.Destination)))
		case *ast.RawHTML:
			if html := string(child.Segments.Value(r.source)); !strings.HasPrefix(html, "<!--") {
				b.WriteString(html)
			} else if strings.HasPrefix(html, "<!-- step ") {
				r.problem(r.lineOf(child), "has attributes in a comment inside of a text", "put the comment on a line of its own, indented like the step's text")
			}
		default:
			b.WriteString(r.inline(child))
		}
	}
	return b.String()
}

// raw returns the text of a code span, in which a line break is a space.
func (r *reader) raw(n ast.Node) string {
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if text, ok := child.(*ast.Text); ok {
			b.Write(text.Value(r.source))
		}
	}
	return strings.ReplaceAll(b.String(), "\n", " ")
}

// plain resolves escapes and entities.
func plain(text []byte, raw bool) string {
	if raw {
		return string(text)
	}
	return string(util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(text))))
}

func linked(text, destination string) string {
	if text == destination || destination == "" {
		return text
	}
	return text + " (" + destination + ")"
}
