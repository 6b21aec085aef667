package runbook

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Service is what a page is filled in from.
type Service struct {
	Name      string
	Variables map[string]string
	Sources   []string // the first of them is asked where a page names none
	// Unable says what is missing for the playbooks that cannot run.
	Unable map[string]string
}

// Facts are what is known of an incident when something is said about it.
type Facts struct {
	Since  string // when it began
	Now    string // what time it is
	What   string // what happened
	Status string // how it stands
}

var factNames = []string{"since", "now", "what", "status"}

// Reserved says whether a name means something else than a variable.
func Reserved(name string) bool { return name == "service" || slices.Contains(factNames, name) }

// placeholderForm matches a word in braces; what stands around it decides whether it
// is one of ours, or of a shell (${x}) or a template ({{x}}).
var placeholderForm = regexp.MustCompile(`[${]?\{([a-z][A-Za-z0-9]*)\}`)

// placeholder is one place of a text where something is filled in.
type placeholder struct {
	name       string
	start, end int
}

func placeholders(text string) []placeholder {
	var all []placeholder
	for _, m := range placeholderForm.FindAllStringSubmatchIndex(text, -1) {
		if text[m[0]:m[0]+2] == "{{" || text[m[0]] == '$' {
			continue
		}
		all = append(all, placeholder{name: text[m[2]:m[3]], start: m[0], end: m[1]})
	}
	return all
}

// fill puts values in the place of their names; what is not known stays.
func fill(text string, values map[string]string) string {
	var b strings.Builder
	at := 0
	for _, p := range placeholders(text) {
		value, known := values[p.name]
		if !known {
			continue
		}
		b.WriteString(text[at:p.start] + value)
		at = p.end
	}
	return b.String() + text[at:]
}

// values returns what is filled in for a service.
func (s *Service) values() map[string]string {
	values := map[string]string{}
	for name, value := range s.Variables {
		if !Reserved(name) {
			values[name] = value
		}
	}
	values["service"] = s.Name
	return values
}

// For returns the page as it is for a service: filled in, except for the facts in
// what is said.
func (p *Page) For(service Service) *Page {
	values := service.values()
	filled := *p
	filled.Text = fill(p.Text, values)
	filled.Sections = make([]Section, len(p.Sections))
	for i, section := range p.Sections {
		section.Text = fill(section.Text, values)
		section.Steps = slices.Clone(section.Steps)
		for j := range section.Steps {
			section.Steps[j].fill(service, values)
		}
		filled.Sections[i] = section
	}
	return &filled
}

func (s *Step) fill(service Service, values map[string]string) {
	s.Text, s.Expect = fill(s.Text, values), fill(s.Expect, values)
	s.Contains = slices.Clone(s.Contains)
	for i := range s.Contains {
		s.Contains[i] = fill(s.Contains[i], values)
	}
	switch s.Kind {
	case KindPlaybook:
		s.Input = forService(s.Input, service.Name, values)
		s.Body = s.Playbook + " " + s.Input
	case KindSQL:
		if s.Source == "" && len(service.Sources) > 0 {
			s.Source = service.Sources[0]
		}
		s.Body = fill(s.Body, values)
	default:
		s.Body = fill(s.Body, values)
	}
}

// forService fills in a playbook's input, and makes it one for the service.
func forService(input, service string, values map[string]string) string {
	quoted := map[string]string{}
	for name, value := range values {
		if text, err := json.Marshal(value); err == nil { // a text always can be
			quoted[name] = string(text[1 : len(text)-1])
		}
	}
	names, fields, err := object(fill(input, quoted))
	if err != nil || slices.Contains(names, "service") {
		return fill(input, quoted)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"service":%q`, service)
	for _, name := range names {
		fmt.Fprintf(&b, `,%q:%s`, name, fields[name])
	}
	return b.String() + "}"
}

// Said returns the text of a step that says something, with the facts filled in.
func (s *Step) Said(facts Facts) string {
	return fill(s.Body, map[string]string{"since": facts.Since, "now": facts.Now, "what": facts.What, "status": facts.Status})
}

// facts reports facts of the incident where they would not be filled in.
func (r *reader) facts() {
	for _, place := range r.page.places() {
		for _, p := range placeholders(place.text) {
			if slices.Contains(factNames, p.name) && !place.said {
				r.problem(place.lineOf(p), fmt.Sprintf("{%s} is filled in only in what is said", p.name), "remove it; a command finds what an alert says in the environment, as LIFEBOAT_ALERT_…")
			}
		}
	}
}

// place is a text of a page in which something is filled in.
type place struct {
	text  string
	line  int
	exact bool // the text stands in the file as it is, from that line on
	said  bool
	shell bool
}

func (p *place) lineOf(of placeholder) int {
	if !p.exact {
		return p.line
	}
	return p.line + strings.Count(p.text[:of.start], "\n")
}

// places returns the texts of a page in which something is filled in.
func (p *Page) places() []place {
	all := []place{{text: p.Text, line: 1}}
	for _, section := range p.Sections {
		all = append(all, place{text: section.Text, line: section.line})
		for _, s := range section.Steps {
			all = append(all, place{text: s.Text, line: s.Line},
				place{text: strings.Join(append(slices.Clone(s.Contains), s.Expect), " "), line: s.blockLine},
				place{text: s.Body, line: s.bodyLine, exact: true, said: s.Kind == KindSay, shell: s.Kind == KindShell})
		}
	}
	return all
}
