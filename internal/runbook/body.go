package runbook

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// body checks what a step does, as far as that is known before anything is filled in.
func (r *reader) body(s *Step) {
	if s.Kind != KindShell {
		trimmed := strings.TrimLeft(s.Body, " \t\n")
		s.bodyLine += strings.Count(s.Body[:len(s.Body)-len(trimmed)], "\n")
		s.Body = trimmed
	}
	switch s.Kind {
	case KindHTTP:
		s.Body = strings.TrimSpace(strings.TrimPrefix(s.Body, "GET "))
		if strings.ContainsAny(s.Body, " \t\n") || len(placeholders(s.Body)) == 0 && !isAddress(s.Body) {
			r.problem(s.bodyLine, fmt.Sprintf("step %d asks no address of a page", s.Number), "write one line: GET {health}, or GET http://…, without user and password")
		}
	case KindSQL:
		if word := writes.FindString(s.Body); word != "" {
			r.problem(s.bodyLine, fmt.Sprintf("step %d is a check, and %s changes data", s.Number, strings.TrimSpace(word)), "write a query that only reads; what changes data belongs into an sh step that people approve")
		}
	case KindPlaybook:
		r.playbook(s)
	}
}

// isAddress says whether a text is the address of a page.
func isAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

// writes finds statements that cannot be meant as a check.
var writes = regexp.MustCompile(`(?i)^\s*(alter|create|delete|drop|grant|insert|revoke|truncate|update|vacuum)\b`)

// playbookInputs are the playbooks that a page can start, with their inputs besides
// the service.
var playbookInputs = map[string][]string{
	"BackupAndVerify": {"level"},
	"Restore":         {"set", "sources", "beside"},
	"RestoreDrill":    {"set", "copy"},
	"Rollback":        {"to"},
	"SmokeDeploy":     {"tag"},
	"Verify":          {"set", "copy", "level"},
}

const playbooks = "BackupAndVerify, Restore, RestoreDrill, Rollback, SmokeDeploy, Verify"

// playbook reads which playbook a step starts, and with what.
func (r *reader) playbook(s *Step) {
	name, input, _ := strings.Cut(s.Body, " ")
	if i := strings.IndexAny(s.Body, "{\n"); i >= 0 && i < len(name) {
		name, input = strings.TrimSpace(s.Body[:i]), s.Body[i:]
	}
	inputs, known := playbookInputs[name]
	if !known {
		r.problem(s.bodyLine, fmt.Sprintf("%s is no playbook that a page can start", quoted(name)), "write one of "+playbooks)
		return
	}
	s.Playbook, s.Input = name, strings.TrimSpace(input)
	if s.Input == "" {
		s.Input = "{}"
	}
	names, values, err := object(s.Input)
	if err != nil {
		r.problem(s.bodyLine, fmt.Sprintf("%s has an input that is not valid JSON (%v)", name, err), `write it as `+name+` {"service":"{service}"}, or leave it out`)
		s.Input = "{}"
		return
	}
	for i, key := range names {
		switch {
		case slices.Contains(names[:i], key):
			r.problem(s.bodyLine, fmt.Sprintf("%s has the input %s twice", name, quoted(key)), "keep one of the two")
		case key == "service" && string(values[key]) != `"{service}"`:
			r.problem(s.bodyLine, name+" is for another service than the incident", `write "service":"{service}", or leave it out`)
		case key != "service" && !slices.Contains(inputs, key):
			r.problem(s.bodyLine, fmt.Sprintf("input %s is not known for %s", quoted(key), name), "known there: service, "+strings.Join(inputs, ", "))
		}
	}
}
