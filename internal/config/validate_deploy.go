package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// deploy checks how the releases of a service are deployed, and makes its folders
// absolute.
func (v *validator) deploy(path string, s *Service) {
	d := s.Deploy
	if s.Live == nil {
		v.problem(path, "needs live", "write live with baseURL: otherwise nobody could tell whether a release is good")
	}
	d.Dir = v.dir(path+".dir", s, d.Dir)
	if d.Repo != "" {
		d.Repo = v.dir(path+".repo", s, d.Repo)
	}
	if v.given(path+".repo") && v.given(path+".releases") {
		v.problem(path+".releases", "is given together with repo", "keep one of the two: both say which releases there are")
	}
	v.environment(path+".env", d.Env)
	v.currentRelease(path+".current", &d.Current)
	v.filled(path+".releases", d.Releases)
	v.deploys(path+".deploy", d.Deploy, "tag", "commit", "from")
	v.filled(path+".warn", d.Warn, "tag", "commit", "from")
	for name, command := range map[string][]string{"flagOff": d.FlagOff, "flagOn": d.FlagOn, "switch": d.Switch, "switchBack": d.SwitchBack} {
		v.filled(join(path, name), command) // they deploy nothing, so there is no release to fill in
	}
	v.undoes(path, "flagOn", "flagOff")
	v.undoes(path, "switchBack", "switch")
	v.atMost(path+".timeout", d.Timeout, 24*hour)
	v.atMost(path+".goodAfter", d.GoodAfter, 24*hour)
	v.atMost(path+".settle", d.Settle, hour)
	if d.Staging != nil {
		v.stagingDeploy(path+".staging", d.Staging)
	}
}

func (v *validator) stagingDeploy(path string, s *StagingDeploy) {
	v.environment(path+".env", s.Env)
	// Nobody asks which release was on staging before, so there is no {from}.
	v.deploys(path+".deploy", s.Deploy, "tag", "commit")
	v.filled(path+".test", s.Test, "tag", "commit")
	v.atMost(path+".timeout", s.Timeout, 24*hour)
}

var releasePlaceholder = regexp.MustCompile(`\{(tag|commit|from)\}`)

// environment checks variables in which nothing is filled in.
func (v *validator) environment(path string, env map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if field := join(path, name); v.variable(field, name, env[name]) && releasePlaceholder.MatchString(env[name]) {
			v.problem(field, "holds a placeholder, and nothing is filled in here", "give it to the command as an argument")
		}
	}
}

// currentRelease wants one way to learn which release is deployed.
func (v *validator) currentRelease(path string, c *CurrentRelease) {
	byCommand, byURL := v.given(path+".command"), v.given(path+".url")
	switch {
	case byCommand && byURL:
		v.problem(path, "has both command and url", "keep one of the two")
	case !byCommand && !byURL && v.given(path):
		v.problem(path, "has neither command nor url", "write a command that prints the deployed release, or the url that names it")
	}
	v.filled(path+".command", c.Command)
	switch {
	case byURL && !v.given(path+".field"):
		v.problem(path+".field", "is missing", "write where the release stands in the answer, such as release or version.tag")
	case byCommand && !byURL && v.given(path+".field"):
		v.problem(path+".field", "has no meaning here", "remove it; it is for url")
	}
	// The URL is shown in plans and in errors.
	if u, err := url.Parse(c.URL); byURL && (err != nil || !isWeb(u)) {
		v.problem(path+".url", "is not the plain address of a page", "write it as http://127.0.0.1:8090/version, without user, password or query")
	}
}

// deploys checks a command that deploys a release.
func (v *validator) deploys(path string, command []string, known ...string) {
	v.filled(path, command, known...)
	if v.given(path) && !strings.Contains(strings.Join(command, " "), "{tag}") {
		v.problem(path, "does not say which release to deploy", `give it {tag} as an argument, such as [./deploy.sh, --tag, "{tag}"]`)
	}
}

// filledForm matches what looks like one of our placeholders, but not the braces of
// JSON or of a template.
var filledForm = regexp.MustCompile(`\$?\{([a-z]+|(?:restored|saved)\.[A-Za-z0-9_-]*)\}`)

// filled checks a command in which the known placeholders are filled in.
func (v *validator) filled(path string, command []string, known ...string) {
	mend := "write the value itself; nothing is filled in here"
	if len(known) > 0 {
		mend = "known here: {" + strings.Join(known, "}, {") + "}"
	}
	for i, argument := range command {
		unknown, withDollar := false, false
		for _, match := range filledForm.FindAllStringSubmatch(argument, -1) {
			dollar, ours := strings.HasPrefix(match[0], "$"), slices.Contains(known, match[1])
			unknown = unknown || !dollar && !ours
			withDollar = withDollar || dollar && ours
		}
		if unknown {
			v.problem(at(path, i), "holds an unknown placeholder", mend)
		}
		if withDollar {
			v.problem(at(path, i), "holds a placeholder after a $, which would stay there", "remove the $: what is filled in is no variable of a shell")
		}
	}
	if len(command) > 0 && command[0] == "" {
		v.problem(at(path, 0), "is missing", "write the program to run")
	}
}

// undoes wants a remedy wherever there is what undoes it.
func (v *validator) undoes(path, undo, remedy string) {
	if v.given(join(path, undo)) && !v.given(join(path, remedy)) {
		v.problem(join(path, remedy), "is missing", "write it too, or remove "+undo+": it undoes "+remedy)
	}
}

func (v *validator) atMost(path string, d, longest recovery.Duration) {
	if v.given(path) && d > longest {
		v.problem(path, "is longer than "+longest.String(), "write a shorter time")
	}
}
