package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a config file.
type Problem struct {
	Line    int    `json:"line,omitempty"` // from 1; 0 if it is the file as a whole
	Column  int    `json:"column,omitempty"`
	Field   string `json:"field,omitempty"` // such as services[0].sources[1].path
	Value   string `json:"value,omitempty"` // left out where it may be a secret
	Message string `json:"message"`         // what is wrong with the value, or with the field
	Mend    string `json:"mend,omitempty"`  // what to write instead
}

// String returns the problem as one line, without the file.
func (p Problem) String() string {
	var b strings.Builder
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	if p.Value != "" {
		fmt.Fprintf(&b, "%q ", p.Value)
	}
	b.WriteString(p.Message)
	if p.Mend != "" {
		b.WriteString(": " + p.Mend)
	}
	return b.String()
}

// Problems is the error of a config file that cannot be used: all that is wrong
// with it, in the order of the file.
type Problems struct {
	File string    `json:"file"`
	List []Problem `json:"problems"`
}

// Error writes one problem a line, each as file:line:column: field: problem: mend.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, problem := range p.List {
		lines[i] = p.File + ":"
		if problem.Line > 0 {
			lines[i] = fmt.Sprintf("%s:%d:%d:", p.File, problem.Line, problem.Column)
		}
		lines[i] += " " + problem.String()
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) sort() {
	slices.SortStableFunc(p.List, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// maxShown bounds a value in a problem, in characters.
const maxShown = 80

// secretText matches what is a secret wherever it stands: keys of age and of
// Lifeboat, tokens of Slack, and PEM keys. secretForm matches URLs with a user or a
// query as well.
var (
	secretText = regexp.MustCompile(`(?i)AGE-SECRET|AGE-PLUGIN|lifeboat-signing-key|lifeboat-approval-key|xox[a-z]-|xapp-|PRIVATE KEY`)
	secretForm = regexp.MustCompile(secretText.String() + `|://.*@|://.*[?#]`)
)

// show prepares a text of the file for a message: hidden if it may be a secret,
// shortened if it is long.
func show(text string) string {
	if secretForm.MatchString(text) {
		return masked
	}
	if runes := []rune(text); len(runes) > maxShown {
		return string(runes[:maxShown]) + "…"
	}
	return text
}
