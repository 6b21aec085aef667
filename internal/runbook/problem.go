package runbook

import (
	"cmp"
	"fmt"
	"slices"
)

// Problem is one thing that is wrong with a page.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"` // from 1; 0 if it is the file as a whole
	Message string `json:"message"`
	Mend    string `json:"mend"` // what to do about it
}

// String returns the problem as one line: FILE:LINE: message; mend.
func (p Problem) String() string {
	at := p.File
	if p.Line > 0 {
		at = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return at + ": " + p.Message + "; " + p.Mend
}

// sorted brings problems into the order of the file, each once.
func sorted(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return slices.Compact(problems)
}
