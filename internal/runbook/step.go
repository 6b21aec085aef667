package runbook

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// stepComment is the form of a comment that gives a manual step its attributes.
var stepComment = regexp.MustCompile(`(?s)^<!--\s*step\s(.*)-->$`)

// steps reads the items of a numbered list.
func (r *reader) steps(list *ast.List, section *Section) {
	if list.Start != r.number+1 && !r.open {
		r.problem(r.lineOf(list), fmt.Sprintf("begins a list with %d, and the next step is %d", list.Start, r.number+1),
			fmt.Sprintf("write %d. here: steps are numbered through the whole page, as Slack and starter show them", r.number+1))
	}
	for item := list.FirstChild(); item != nil; item = item.NextSibling() {
		r.number++
		section.Steps = append(section.Steps, r.step(item))
	}
}

// step reads one item: the first block that is a step's makes it one that is run,
// and the rest is its text.
func (r *reader) step(item ast.Node) Step {
	s := Step{Number: r.number, Kind: KindManual, Line: r.lineOf(item)}
	s.blockLine, s.bodyLine = s.Line, s.Line
	var block *ast.FencedCodeBlock
	comment, commented := "", 0
	for n := item.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.FencedCodeBlock:
			kind, _ := r.info(n)
			if kind != "" && block != nil {
				r.problem(r.lineOf(n), fmt.Sprintf("has a second block in step %d", s.Number), "give it a step of its own")
				continue
			}
			if kind != "" {
				block = n
				continue
			}
		case *ast.HTMLBlock:
			if m := stepComment.FindStringSubmatch(r.html(n)); m != nil {
				comment, commented = m[1], r.lineOf(n)
				continue
			}
		default:
			r.neverRun(n)
		}
		s.Text = joined(s.Text, r.block(n), n.HasBlankPreviousLines())
	}
	switch {
	case block != nil && commented > 0:
		r.problem(commented, fmt.Sprintf("has attributes in a comment, and step %d has a block", s.Number), "write them after the block's kind")
	case block != nil:
		r.executable(&s, block)
	case commented > 0:
		s.blockLine = commented
		r.attributed(&s, comment)
	}
	if s.Name == "" {
		s.Name = s.defaultName()
	}
	switch {
	case s.Text == "" && block == nil:
		r.problem(s.Line, fmt.Sprintf("has nothing in step %d", s.Number), "write what to do, or remove it")
	case s.Text == "":
		r.problem(s.Line, fmt.Sprintf("does not say what step %d is for", s.Number), "write a sentence before its block: whoever agrees to it must understand it")
	}
	return s
}

// defaultName is the name of a step that is given none.
func (s *Step) defaultName() string { return fmt.Sprintf("step-%d", s.Number) }

// executable reads what a step runs, and how.
func (r *reader) executable(s *Step, block *ast.FencedCodeBlock) {
	kind, attributes := r.info(block)
	s.blockLine = r.lineOf(block)
	s.bodyLine = s.blockLine + 1
	s.Kind = Kind(kind)
	if !s.Kind.runs() {
		r.problem(s.blockLine, fmt.Sprintf("block %s is no kind of step", quoted(kind)), "known kinds: sh, http, sql, playbook, say; leave the word out if the block is only to be read")
		s.Kind, r.unread = "", true
		return
	}
	s.Body = strings.TrimRight(string(block.Lines().Value(r.source)), " \t\n")
	if strings.TrimSpace(s.Body) == "" && !r.open {
		r.problem(s.blockLine, fmt.Sprintf("has an empty block in step %d", s.Number), emptyMends[s.Kind])
	}
	r.attributed(s, attributes)
	if s.Body != "" {
		r.body(s)
	}
}

var emptyMends = map[Kind]string{
	KindShell:    "write the command into it, such as {restart}",
	KindHTTP:     "write the address into it, such as GET {health}",
	KindSQL:      "write the query into it, such as select 1",
	KindPlaybook: "write the playbook into it, such as Rollback",
	KindSay:      "write the text into it",
}

// runs says whether a block can be of this kind.
func (k Kind) runs() bool { return emptyMends[k] != "" }

const defaultTimeout = 2 * minute

// attributed takes a step's attributes.
func (r *reader) attributed(s *Step, text string) {
	a, ok := r.attributes(s, text)
	if !ok {
		r.unread = true
		return
	}
	s.Name = a.text("name")
	if s.Name != "" && recovery.CheckName("step", s.Name) != nil {
		r.problem(s.blockLine, fmt.Sprintf("name %s cannot be used", quoted(s.Name)), "use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter or digit")
	}
	for _, text := range a.texts("when") {
		s.When = append(s.When, r.condition(s, text)...)
	}
	switch s.Kind {
	case KindShell, KindHTTP, KindSQL:
		s.Timeout = a.duration("timeout", defaultTimeout)
	}
	switch s.Kind {
	case KindShell:
		s.Approve, s.Safe, s.Repeatable = a.texts("approve"), a.flag("safe"), a.flag("repeatable")
		switch {
		case len(s.Approve) > 0 && s.Safe:
			r.problem(s.blockLine, fmt.Sprintf("step %d says both approve and safe", s.Number), "keep approve if a person must agree, safe if it may run by itself")
		case len(s.Approve) == 0 && !s.Safe && !a.failed["approve"] && !a.failed["safe"]:
			r.problem(s.blockLine, fmt.Sprintf("nothing lets the command of step %d run", s.Number), `write "approve":"oncall" (who must agree), or "safe":true if it may run by itself`)
		}
	case KindHTTP:
		s.Status, s.Contains = a.number("status", 200, 100, 599), a.texts("contains")
	case KindSQL:
		s.Source, s.Expect = a.text("source"), a.text("expect")
	case KindSay:
		switch s.To = To(a.text("to")); s.To {
		case "":
			s.To = ToChannel
		case ToChannel, ToMail, ToBoth:
		default:
			r.problem(s.blockLine, fmt.Sprintf("to %s is nowhere", quoted(string(s.To))), "write channel, mail or both")
		}
	}
}
