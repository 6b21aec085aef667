package runbook

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const frontMatterMend = "begin the file with a line ---, then title: and what is wrong, then a line ---"

// frontMatter reads the front matter, and puts blank lines in its place, so that
// all lines keep their number. It says whether the rest can be read.
func (r *reader) frontMatter(content []byte) bool {
	first, rest, _ := bytes.Cut(content, []byte("\n"))
	if !isFence(first) {
		r.problem(1, "has no front matter", frontMatterMend)
		r.setSource(content)
		return true
	}
	length, count := 0, 0
	for line := range bytes.Lines(rest) {
		if isFence(line) {
			r.setSource(append(bytes.Repeat([]byte("\n"), count+2), rest[length+len(line):]...))
			r.fields(rest[:length])
			return true
		}
		length, count = length+len(line), count+1
	}
	r.problem(1, "has front matter that is never closed", "write a line --- after it")
	return false
}

func isFence(line []byte) bool { return string(bytes.TrimRight(line, " \t\n")) == "---" }

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// fields reads the YAML of the front matter, which begins on line 2.
func (r *reader) fields(content []byte) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		line, reason := 2, errors.New("it cannot be read")
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			reason = errors.New(m[2])
			if n, err := strconv.Atoi(m[1]); err == nil {
				line = n + 1
			}
		}
		r.problem(line, fmt.Sprintf("has front matter that is not valid YAML (%v)", reason), "put quotes around a text that holds a colon, and check the indentation")
		return
	}
	if len(document.Content) == 1 && document.Content[0].Kind == yaml.MappingNode {
		r.mapping(document.Content[0])
	} else if len(document.Content) == 1 {
		r.problem(document.Content[0].Line+1, "has front matter without fields", frontMatterMend)
		return
	}
	if r.page.Title == "" && !slices.ContainsFunc(r.problems, func(p Problem) bool { return strings.HasPrefix(p.Message, "title ") }) {
		r.problem(1, "has no title", "write title: and what is wrong into the front matter")
	}
}

func (r *reader) mapping(n *yaml.Node) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		line := key.Line + 1
		if seen[key.Value] {
			r.problem(line, fmt.Sprintf("%s is there twice", quoted(key.Value)), "keep one of the two")
			continue
		}
		seen[key.Value] = true
		switch key.Value {
		case "title":
			if r.page.Title = scalar(value); r.page.Title == "" {
				r.problem(line, "title is empty, or no text", "write what is wrong, in a few words")
			}
		case "severity":
			r.page.Severity = Severity(scalar(value))
			if all := []Severity{SeverityPage, SeverityQuiet, SeverityMail}; !slices.Contains(all, r.page.Severity) {
				r.problem(line, fmt.Sprintf("severity %s is not known", quoted(value.Value)), "write page, quiet or mail")
			}
		case "services":
			r.page.Services, r.page.servicesLine = r.list("services", value), line
		case "alerts":
			r.page.Alerts, r.page.alertsLine = r.list("alerts", value), line
		default:
			r.problem(line, fmt.Sprintf("%s is not known in the front matter", quoted(key.Value)), "known there: title, services, alerts, severity")
		}
	}
}

// scalar returns a plain text, empty if it is none.
func scalar(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return strings.TrimSpace(n.Value)
}

// list returns the texts of a list, or of one text alone.
func (r *reader) list(name string, n *yaml.Node) []string {
	items := []*yaml.Node{n}
	switch {
	case n.Kind == yaml.SequenceNode:
		items = n.Content
	case n.Tag == "!!null":
		return nil
	}
	var texts []string
	for _, item := range items {
		text := scalar(item)
		if text == "" {
			r.problem(item.Line+1, name+" holds something that is no name", "write it as "+name+": [one, another]")
			return nil
		}
		if slices.Contains(texts, text) {
			r.problem(item.Line+1, fmt.Sprintf("%s holds %s twice", name, quoted(text)), "keep one of the two")
			continue
		}
		texts = append(texts, text)
	}
	return texts
}

// quoted shows a text of the page in a message: on one line, and not too long.
func quoted(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		text = string(runes[:60]) + "…"
	}
	return strconv.Quote(text)
}
