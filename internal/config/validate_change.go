package config

import (
	"net/url"
	"regexp"
	"strings"
)

// commands checks the commands of a service and makes their folder absolute.
func (v *validator) commands(path string, s *Service) {
	c := &s.Commands
	c.Dir = v.dir(path+".dir", s, c.Dir)
	v.pair(path, "stop", "start")
	v.pair(path, "maintenanceOn", "maintenanceOff")
	for name, command := range map[string][]string{"stop": c.Stop, "start": c.Start, "maintenanceOn": c.MaintenanceOn, "maintenanceOff": c.MaintenanceOff} {
		v.command(join(path, name), command)
	}
	restore := s.Policies.or(v.config.Approvals.Policies).Restore
	if restore != nil && len(s.Sources) > 1 && !v.given(path+".stop") && !v.given(path+".start") {
		v.problem(path+".stop", "is missing", "write commands with stop and start: a service with two sources is stopped while they are replaced; or leave out the restore policy")
	}
}

// pair wants both fields or none.
func (v *validator) pair(path, one, other string) {
	for _, names := range [][2]string{{one, other}, {other, one}} {
		if v.given(join(path, names[0])) && !v.given(join(path, names[1])) {
			v.problem(join(path, names[1]), "is missing", "write it too: "+one+" and "+other+" go together")
		}
	}
}

var anyPlaceholder = regexp.MustCompile(`\{(port|(restored|saved)\.[A-Za-z0-9_-]*)\}`)

// command checks a command in which nothing is filled in.
func (v *validator) command(path string, command []string) {
	for i, argument := range command {
		if anyPlaceholder.MatchString(argument) {
			v.problem(at(path, i), "holds a placeholder, and nothing is filled in here", "write the value itself")
		}
	}
	if len(command) > 0 && command[0] == "" {
		v.problem(at(path, 0), "is missing", "write the program to run")
	}
}

// live checks how the running service is seen to be well.
func (v *validator) live(path string, l *Live) {
	v.liveURL(path+".baseURL", l.BaseURL)
	v.belowBase(path+".ready", l.Ready)
	v.placeholders(path+".ready", l.Ready, nil)
	if v.given(path + ".journey") {
		v.journey(path+".journey", l.Journey)
	}
}

func (v *validator) liveURL(path, base string) {
	if !v.given(path) {
		return
	}
	if strings.Contains(base, "{port}") {
		v.problem(path, "holds {port}", "write where the running service answers, such as https://where2eat.example; {port} is for smoke")
		return
	}
	if u, err := url.Parse(base); err != nil || !isWeb(u) {
		v.problem(path, "is not the address of a service", "write it as https://where2eat.example")
	}
}

// isWeb says whether u is a plain http(s) URL.
func isWeb(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}
