package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// variableForm is what runbook pages may name in braces.
var variableForm = regexp.MustCompile(`^[a-z][A-Za-z0-9]{0,39}$`)

// ownVariables are names that runbook pages fill in by themselves.
var ownVariables = []string{"now", "service", "since", "status", "what"}

// passwordForm matches a URL with a password in it.
var passwordForm = regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@`)

const maxVariable = 1000 // bytes

// variables checks what runbook pages fill in. It is shown to people, in Slack and
// elsewhere.
func (v *validator) variables(path string, variables map[string]string) {
	for _, name := range v.inOrder(path, slices.Collect(maps.Keys(variables))) {
		field, value := join(path, name), variables[name]
		switch {
		case !variableForm.MatchString(name):
			v.problem(field, "is not a name that a page can fill in", "use letters and digits, beginning with a lower-case letter, such as restart or maintenanceOn")
		case slices.Contains(ownVariables, name):
			v.problem(field, "is filled in by Lifeboat itself", "choose another name than "+strings.Join(ownVariables, ", "))
		case strings.TrimSpace(value) == "":
			v.problem(field, "is missing", "write what is filled in, or remove it")
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			v.problem(field, "is not one line", "put what needs several lines into a script, and call that")
		case len(value) > maxVariable:
			v.problem(field, "is longer than 1000 bytes", "put it into a script, and call that")
		case IsReference(value), passwordForm.MatchString(value), secretText.MatchString(value):
			v.problem(field, "is a secret, and variables are shown to people", "let the command read the secret itself, from a file on the host")
		}
	}
}
