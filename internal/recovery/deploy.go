package recovery

import "strings"

// DeploySpec says how a service's releases are deployed, by commands on its host.
// In the arguments of Deploy and Warn, {tag} stands for the release, {commit} for its
// commit, and {from} for the release that is deployed now.
type DeploySpec struct {
	Dir     string            `json:"dir,omitempty"` // where commands are started
	Env     map[string]string `json:"env,omitempty"` // besides PATH and the like; values may be references to secrets
	Timeout Duration          `json:"timeout"`       // of one command
	// Repo is a Git repository on the host, absolute: its tags are the releases. Without
	// it Releases prints them, one in a line, the newest first, each with its commit
	// after it if that is known; without both, only what was seen is known.
	Repo     string      `json:"repo,omitempty"`
	Releases []string    `json:"releases,omitempty"`
	Current  CurrentSpec `json:"current"`
	Deploy   []string    `json:"deploy"`
	// Repeatable deploys may be run again where it is not known how one ended.
	Repeatable bool `json:"repeatable,omitempty"`
	// Warn prints, a line each, what makes it risky to go from {from} to {tag}.
	Warn []string `json:"warn,omitempty"`
	// The quick remedies, and what undoes each; empty: there is none.
	FlagOff    []string `json:"flagOff,omitempty"`
	FlagOn     []string `json:"flagOn,omitempty"`
	Switch     []string `json:"switch,omitempty"`
	SwitchBack []string `json:"switchBack,omitempty"`
	// GoodAfter is how long a release must pass its checks to count as good, and Settle
	// how long the service must after a rollback.
	GoodAfter Duration `json:"goodAfter"`
	Settle    Duration `json:"settle"`
	// Staging is where new releases are tried; nil: nowhere.
	Staging *StagingDeploySpec `json:"staging,omitempty"`
}

// CurrentSpec says how to learn which release is deployed: by a command that prints
// its tag, or by a field of the JSON at a URL.
type CurrentSpec struct {
	Command []string `json:"command,omitempty"`
	URL     string   `json:"url,omitempty"`
	Field   string   `json:"field,omitempty"` // dotted path, such as version.tag
}

// StagingDeploySpec says how a release is deployed to staging and tested there.
// Both commands must bear to be run again.
type StagingDeploySpec struct {
	Env     map[string]string `json:"env,omitempty"` // instead of that of production
	Deploy  []string          `json:"deploy"`
	Test    []string          `json:"test"`
	Timeout Duration          `json:"timeout"` // of each of the two
}

// Command is one of the commands with its placeholders filled in. from and tag are
// empty where it has none.
func (d *DeploySpec) Command(name string, args []string, from, tag, commit string) CommandSpec {
	return CommandSpec{Name: "deploy." + name, Args: fillIn(args, from, tag, commit), Dir: d.Dir, Env: d.Env, Timeout: d.Timeout}
}

// OnStaging is Command for one of staging's.
func (d *DeploySpec) OnStaging(name string, args []string, tag, commit string) CommandSpec {
	c := d.Command("staging."+name, args, "", tag, commit)
	c.Env, c.Timeout = d.Staging.Env, d.Staging.Timeout
	return c
}

func fillIn(args []string, from, tag, commit string) []string {
	replacer := strings.NewReplacer("{from}", from, "{tag}", tag, "{commit}", commit)
	filled := make([]string, len(args))
	for i, arg := range args {
		filled[i] = replacer.Replace(arg)
	}
	return filled
}
