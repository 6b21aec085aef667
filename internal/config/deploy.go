package config

import "github.com/lifeboat-run/lifeboat/internal/recovery"

// Deploy says how the releases of a service are deployed, by commands on its host.
type Deploy struct {
	Dir        string            `yaml:"dir" jsonschema_description:"Where the commands are started; the service's dir by default."`
	Env        map[string]string `yaml:"env" private:"true" jsonschema_description:"Environment of the commands besides HOME, LANG, PATH, TZ and USER: values, or references to secrets of the service's host."`
	Timeout    recovery.Duration `yaml:"timeout" jsonschema_description:"For each command, at most 24h; 10m by default."`
	Repo       string            `yaml:"repo" jsonschema_description:"A Git repository on the host, absolute or below the service's dir: its tags are the releases."`
	Releases   []string          `yaml:"releases" private:"true" jsonschema_description:"Instead of repo: prints the releases, the newest first, each as TAG or TAG COMMIT in a line of its own."`
	Current    CurrentRelease    `yaml:"current" jsonschema:"required" jsonschema_description:"How to learn which release is deployed, such as { command: [./deploy.sh, --current] } or { url: http://127.0.0.1:8090/version, field: release }."`
	Deploy     []string          `yaml:"deploy" private:"true" jsonschema:"required" jsonschema_description:"Deploys the release {tag}, such as [./deploy.sh, --tag, '{tag}']; {commit} stands for its commit, {from} for the release that is deployed now. It is run at most once for an approval."`
	Repeatable bool              `yaml:"repeatable" jsonschema_description:"true if deploy may be run again when nobody knows how it ended; otherwise a person is asked."`
	Warn       []string          `yaml:"warn" private:"true" jsonschema_description:"Prints what makes it risky to go from {from} to {tag}, such as migrations: a warning a line."`
	FlagOff    []string          `yaml:"flagOff" private:"true" jsonschema_description:"A quick remedy: turns a feature off. Nothing is filled in here, nor in flagOn, switch and switchBack."`
	FlagOn     []string          `yaml:"flagOn" private:"true" jsonschema_description:"Undoes flagOff."`
	Switch     []string          `yaml:"switch" private:"true" jsonschema_description:"A quick remedy: switches to the other side of blue and green, such as [./bluegreen.sh, --switch, older]; to run it again must not switch back."`
	SwitchBack []string          `yaml:"switchBack" private:"true" jsonschema_description:"Undoes switch."`
	GoodAfter  recovery.Duration `yaml:"goodAfter" jsonschema_description:"How long a release must pass its checks to count as good, at most 24h; 10m by default."`
	Settle     recovery.Duration `yaml:"settle" jsonschema_description:"How long the service must stay well after a rollback, at most 1h; 1m by default."`
	Staging    *StagingDeploy    `yaml:"staging" jsonschema_description:"Where new releases are tried. Without it, none is."`
}

// CurrentRelease says how to learn which release is deployed. Its fields are those
// of [recovery.CurrentSpec].
type CurrentRelease struct {
	Command []string `yaml:"command" private:"true" jsonschema_description:"Prints the tag of the deployed release."`
	URL     string   `yaml:"url" jsonschema_description:"Instead of command: answers JSON that names it, such as http://127.0.0.1:8090/version."`
	Field   string   `yaml:"field" jsonschema_description:"url: where the tag stands in the answer, as a dotted path such as version.tag."`
}

// StagingDeploy says how a release is deployed to staging and tested there. Its
// fields are those of [recovery.StagingDeploySpec].
type StagingDeploy struct {
	Env     map[string]string `yaml:"env" private:"true" jsonschema_description:"As deploy.env, and instead of it: nothing of production's is passed on."`
	Deploy  []string          `yaml:"deploy" private:"true" jsonschema:"required" jsonschema_description:"Deploys the release {tag} to staging. It may be run again."`
	Test    []string          `yaml:"test" private:"true" jsonschema:"required" jsonschema_description:"Tests the release {tag} on staging, and fails if it is not good. It may be run again."`
	Timeout recovery.Duration `yaml:"timeout" jsonschema_description:"For each of the two, at most 24h; 15m by default."`
}

// setDefaults fills in what may be left out.
func (d *Deploy) setDefaults() {
	fill(&d.Timeout, 10*minute)
	fill(&d.GoodAfter, 10*minute)
	fill(&d.Settle, minute)
	if d.Staging != nil {
		fill(&d.Staging.Timeout, 15*minute)
	}
}

func (d *Deploy) spec() *recovery.DeploySpec {
	if d == nil {
		return nil
	}
	return &recovery.DeploySpec{
		Dir: d.Dir, Env: d.Env, Timeout: d.Timeout,
		Repo: d.Repo, Releases: d.Releases, Current: recovery.CurrentSpec(d.Current),
		Deploy: d.Deploy, Repeatable: d.Repeatable, Warn: d.Warn,
		FlagOff: d.FlagOff, FlagOn: d.FlagOn, Switch: d.Switch, SwitchBack: d.SwitchBack,
		GoodAfter: d.GoodAfter, Settle: d.Settle, Staging: (*recovery.StagingDeploySpec)(d.Staging),
	}
}
