package config

import (
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// placeholderForm matches {name} and {name.part}, but not a shell's ${name}.
var placeholderForm = regexp.MustCompile(`\$?\{([A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]*)?)\}`)

func (v *validator) smoke(path string, s *Service) {
	known := []string{"port"}
	for _, source := range s.Sources {
		known = append(known, "restored."+source.Name)
	}
	smoke := s.Smoke
	for i, argument := range smoke.Start {
		v.placeholders(at(path+".start", i), argument, known)
	}
	if len(smoke.Start) > 0 && smoke.Start[0] == "" {
		v.problem(path+".start[0]", "is missing", "write the program to start")
	}
	smoke.Dir = v.dir(path+".dir", s, smoke.Dir)
	for _, name := range slices.Sorted(maps.Keys(smoke.Env)) {
		if field := join(path+".env", name); v.variable(field, name, smoke.Env[name]) {
			v.placeholders(field, smoke.Env[name], known)
		}
	}
	v.usesRestored(path, s)
	v.baseURL(path+".baseURL", smoke.BaseURL)
	v.belowBase(path+".ready", smoke.Ready)
	v.journey(path+".journey", smoke.Journey)
	for i, check := range smoke.Checks {
		source := at(path+".checks", i) + ".source"
		if v.given(source) && !slices.ContainsFunc(s.Sources, func(s Source) bool { return s.Name == check.Source }) {
			v.problem(source, "is no source of this service", suggest(check.Source, sourceNames(s.Sources)))
		}
	}
}

func sourceNames(sources []Source) []string {
	names := make([]string, len(sources))
	for i, source := range sources {
		names[i] = source.Name
	}
	return names
}

// dir makes the folder of a command absolute; by default it is the service's.
func (v *validator) dir(path string, s *Service, dir string) string {
	switch {
	case filepath.IsAbs(dir):
		return filepath.Clean(dir)
	case s.Dir != "":
		return filepath.Join(s.Dir, dir)
	case dir != "":
		v.problem(path, "is relative, and the service has no dir", "write an absolute path, or give the service a dir")
	}
	return dir
}

// variable checks one variable of a command's environment, and says whether it is a
// value of its own; one that refers to a secret is remembered.
func (v *validator) variable(path, name, value string) bool {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		v.problem(path, "is not a variable's name", "use letters, digits and underscores")
	}
	f, ok := v.fields[path]
	if ok && IsReference(value) {
		v.reference(path, f.node)
		return false
	}
	if strings.HasPrefix(value, "env:") {
		v.problem(path, "is not a reference to a secret", "write env:NAME, with letters, digits and underscores")
	}
	return true
}

func (v *validator) baseURL(path, base string) {
	if !v.given(path) {
		return
	}
	v.placeholders(path, base, []string{"port"})
	u, err := url.Parse(placeholderForm.ReplaceAllString(base, "1"))
	if err != nil || !isWeb(u) {
		v.problem(path, "is not the address of a service", "write it as http://127.0.0.1:{port}")
		return
	}
	// Any other port may be another service's, production's for example: what
	// answers there proves nothing, and must not be tried out.
	if u.Port() == "" || !strings.Contains(base, ":{port}") {
		v.problem(path, "does not hold {port}", "write it as http://127.0.0.1:{port}, and start the service on that port")
	}
}

// usesRestored wants every source in the service's hands: one that it does not
// open is not tried out.
func (v *validator) usesRestored(path string, s *Service) {
	given := strings.Join(s.Smoke.Start, " ") + " " + strings.Join(slices.Collect(maps.Values(s.Smoke.Env)), " ")
	for _, source := range s.Sources {
		if source.Name != "" && !strings.Contains(given, "{restored."+source.Name+"}") {
			v.problem(path, "does not use the restored source "+source.Name, "give the service {restored."+source.Name+"} in start or env")
		}
	}
}

func (v *validator) belowBase(path, below string) {
	if v.given(path) && !strings.HasPrefix(below, "/") {
		v.problem(path, "does not begin with /", "write it as below the base URL, such as /health")
	}
}

func (v *validator) journey(path string, steps []JourneyStep) {
	var known []string // {saved.NAME} of the steps so far
	for i, step := range steps {
		here := at(path, i)
		v.belowBase(here+".path", step.Path)
		if step.Status < 100 || step.Status > 599 {
			v.problem(here+".status", "is no HTTP status", "write a number from 100 to 599")
		}
		v.placeholders(here+".path", step.Path, known)
		// A body may well hold braces of its own, so only what begins like one of
		// our names counts there.
		v.ownPlaceholders(here+".body", step.Body, known)
		for _, name := range slices.Sorted(maps.Keys(step.Headers)) {
			v.ownPlaceholders(join(here+".headers", name), step.Headers[name], known)
		}
		for _, name := range slices.Sorted(maps.Keys(step.Save)) {
			if !savedForm.MatchString(name) {
				v.problem(join(here+".save", name), "is not a usable name", "use letters, digits, hyphens and underscores")
			}
			known = append(known, "saved."+name)
		}
	}
}

var savedForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// placeholders reports the placeholders in text that nothing will fill in.
func (v *validator) placeholders(path, text string, known []string) {
	for _, match := range placeholderForm.FindAllStringSubmatch(text, -1) {
		v.placeholder(path, match, known)
	}
}

func (v *validator) ownPlaceholders(path, text string, known []string) {
	for _, match := range placeholderForm.FindAllStringSubmatch(text, -1) {
		if isOwn(match[1]) {
			v.placeholder(path, match, known)
		}
	}
}

func isOwn(name string) bool {
	return strings.HasPrefix(name, "restored.") || strings.HasPrefix(name, "saved.")
}

func (v *validator) placeholder(path string, match, known []string) {
	if strings.HasPrefix(match[0], "$") || slices.Contains(known, match[1]) {
		return
	}
	message := "holds an unknown placeholder"
	if !v.fields[path].private || isOwn(match[1]) {
		message = "holds the unknown placeholder " + match[0]
	}
	v.problem(path, message, suggest(match[1], known))
}
