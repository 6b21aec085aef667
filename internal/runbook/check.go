package runbook

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Known is what a config says of those that pages name.
type Known struct {
	Services  []Service
	Approvers []string // names of people and groups
}

// checker compares one page with a config.
type checker struct {
	page     *Page
	known    Known
	services []Service // that the page is for
	problems []Problem
}

// Check reports what a page asks of the config and does not find there: services,
// sources, people, and variables. A service for which a playbook is not set up
// cannot have a page that starts it.
func (p *Page) Check(known Known) []Problem {
	c := &checker{page: p, known: known}
	c.named()
	for _, s := range p.Steps() {
		c.approvers(&s)
		switch s.Kind {
		case KindSQL:
			c.source(&s)
		case KindPlaybook:
			c.playbook(&s)
		}
	}
	if c.variables() {
		c.addresses()
	}
	return sorted(c.problems)
}

func (c *checker) problem(line int, message, mend string) {
	c.problems = append(c.problems, Problem{File: c.page.File, Line: line, Message: message, Mend: mend})
}

// named finds the services that the page is for.
func (c *checker) named() {
	var names []string
	for _, s := range c.known.Services {
		names = append(names, s.Name)
		if c.page.IsFor(s.Name) {
			c.services = append(c.services, s)
		}
	}
	for _, name := range c.page.Services {
		if !slices.Contains(names, name) {
			c.problem(c.page.servicesLine, fmt.Sprintf("service %s is not in the config", quoted(name)), "known there: "+strings.Join(names, ", "))
		}
	}
}

func (c *checker) approvers(s *Step) {
	for _, name := range s.Approve {
		if !slices.Contains(c.known.Approvers, name) {
			mend := "write people, or groups, into the config"
			if len(c.known.Approvers) > 0 {
				mend = "write a group " + name + " into the config, or name one of " + strings.Join(c.known.Approvers, ", ")
			}
			c.problem(s.blockLine, fmt.Sprintf("step %d is approved by %s, who is neither a person nor a group", s.Number, quoted(name)), mend)
		}
	}
}

func (c *checker) source(s *Step) {
	for _, service := range c.services {
		if s.Source != "" && !slices.Contains(service.Sources, s.Source) {
			c.problem(s.blockLine, fmt.Sprintf("%s has no source %s", service.Name, quoted(s.Source)), "its sources are "+strings.Join(service.Sources, ", ")+"; without source, the first of them is asked")
		}
	}
}

func (c *checker) playbook(s *Step) {
	for _, service := range c.services {
		if missing, unable := service.Unable[s.Playbook]; unable {
			c.problem(s.bodyLine, fmt.Sprintf("%s cannot run for %s", s.Playbook, service.Name), missing+"; or say in services which ones the page is for")
		}
	}
}

// variables says whether all that is to be filled in is known, and reports each
// variable once.
func (c *checker) variables() bool {
	sound := true
	reported := map[string]bool{}
	for _, place := range c.page.places() {
		for _, p := range placeholders(place.text) {
			if Reserved(p.name) || reported[p.name] {
				continue
			}
			var without []string
			for _, service := range c.services {
				if _, ok := service.Variables[p.name]; !ok {
					without = append(without, service.Name)
				}
			}
			if len(without) > 0 {
				c.problem(place.lineOf(p), fmt.Sprintf("{%s} is no variable of %s", p.name, strings.Join(without, ", ")), c.variableMend(p.name, without[0], place.shell))
				reported[p.name], sound = true, false
			}
		}
	}
	return sound
}

func (c *checker) variableMend(name, service string, shell bool) string {
	mend := fmt.Sprintf("write variables: { %s: … } for %s into the config", name, service)
	i := slices.IndexFunc(c.services, func(s Service) bool { return s.Name == service })
	if known := slices.Sorted(maps.Keys(c.services[i].Variables)); len(known) > 0 {
		mend += " (it has " + strings.Join(known, ", ") + ")"
	}
	if shell {
		mend += "; or write { " + name + " } if these are the shell's own braces"
	}
	return mend
}

// addresses checks what HTTP checks ask, once it is filled in.
func (c *checker) addresses() {
	for _, service := range c.services {
		for _, s := range c.page.For(service).Steps() {
			if s.Kind == KindHTTP && s.Body != "" && !isAddress(s.Body) {
				c.problem(s.bodyLine, fmt.Sprintf("for %s, step %d asks %s, which is no address of a page", service.Name, s.Number, quoted(s.Body)), "let the variable hold http://… or https://…, without user and password")
			}
		}
	}
}

// CheckAlerts reports alerts that would open more than one of the pages for the same
// service.
func CheckAlerts(pages []*Page) []Problem {
	var problems []Problem
	for i, page := range pages {
		for _, first := range pages[:i] {
			for _, alert := range page.Alerts {
				if slices.Contains(first.Alerts, alert) && overlap(first, page) {
					problems = append(problems, Problem{
						File: page.File, Line: page.alertsLine,
						Message: fmt.Sprintf("alert %s opens %s as well", quoted(alert), first.Name), Mend: "remove it from one of the two",
					})
				}
			}
		}
	}
	return problems
}

// overlap says whether there may be a service that both pages are for.
func overlap(a, b *Page) bool {
	return len(a.Services) == 0 || len(b.Services) == 0 || slices.ContainsFunc(a.Services, b.IsFor)
}
