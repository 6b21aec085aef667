package config

import (
	"errors"
	"maps"
	"slices"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Person is someone who decides, asks, or is told.
type Person struct {
	Slack string `yaml:"slack" jsonschema_description:"Their user id in Slack, such as U0123456789."`
	CLI   string `yaml:"cli" jsonschema_description:"Their user name on the machine where starter runs."`
	Mail  string `yaml:"mail" jsonschema_description:"Their address, such as rebecca@example.com."`
}

// Approvals says who decides which step.
type Approvals struct {
	Key      Reference `yaml:"key" jsonschema_description:"The key with which Slack and starter vouch for who decided: 32 bytes or more. Needed for Slack, and wherever a decision that nobody vouches for is not enough."`
	Policies Policies  `yaml:"policies" jsonschema_description:"Who decides which step."`
}

// Policies are the steps that people decide. What a service does not say is as
// under approvals; the others but drill are as restore unless they are given.
type Policies struct {
	Drill    *Policy `yaml:"drill" jsonschema_description:"A restore drill. Left out: nobody is asked."`
	Restore  *Policy `yaml:"restore" jsonschema_description:"Replace production data by a recovery set. Left out: that is not possible."`
	Beside   *Policy `yaml:"beside" jsonschema_description:"Restore beside production and replace nothing; as restore by default."`
	Undo     *Policy `yaml:"undo" jsonschema_description:"Put back what a restore replaced; as restore by default."`
	Drop     *Policy `yaml:"drop" jsonschema_description:"Remove what a restore set aside; as restore by default."`
	Rollback *Policy `yaml:"rollback" jsonschema_description:"Deploy another release, turn a flag off, or switch back; as restore by default."`
}

// Policy says who may decide a step, and until when.
type Policy struct {
	Approvers  []string          `yaml:"approvers" jsonschema:"required" jsonschema_description:"Who may decide: names of people and groups."`
	Needed     int               `yaml:"needed" jsonschema:"minimum=1" jsonschema_description:"How many of them must approve; 1 by default."`
	SelfAfter  recovery.Duration `yaml:"selfAfter" jsonschema_description:"Whoever asked for the step may approve it themselves once this long has passed. For one-person teams; never by default."`
	Expires    recovery.Duration `yaml:"expires" jsonschema_description:"How long there is to decide, at most 14d; what nobody decides is not done. 24h by default."`
	Escalate   []string          `yaml:"escalate" jsonschema_description:"Who is told when nobody decides: names of people and groups."`
	Unverified string            `yaml:"unverified" jsonschema:"enum=accepted" jsonschema_description:"Write accepted if a decision sent through Temporal, where nobody vouches for who sent it, is enough."`
}

// Slack says where cards are posted, and as which app.
type Slack struct {
	Channel  string    `yaml:"channel" jsonschema:"required" jsonschema_description:"The channel's id, such as C0123456789."`
	BotToken Reference `yaml:"botToken" jsonschema:"required" jsonschema_description:"The app's bot token (xoxb-…)."`
	AppToken Reference `yaml:"appToken" jsonschema:"required" jsonschema_description:"The app-level token for Socket Mode (xapp-…)."`
	APIURL   string    `yaml:"apiURL" jsonschema_description:"Only to work with a simulated Slack on this machine, such as http://127.0.0.1:8099/api/."`
}

// setDefaults fills in what a policy may leave out.
func (p *Policies) setDefaults() {
	for _, policy := range p.all() {
		if policy != nil {
			fill(&policy.Expires, 24*hour)
		}
	}
}

// all returns the policies by their names, nil where there is none.
func (p *Policies) all() map[string]*Policy {
	return map[string]*Policy{"drill": p.Drill, "restore": p.Restore, "beside": p.Beside, "undo": p.Undo, "drop": p.Drop, "rollback": p.Rollback}
}

// or takes what is not given from others, and then from restore.
func (p Policies) or(others Policies) Policies {
	fill(&p.Drill, others.Drill)
	fill(&p.Restore, others.Restore)
	fill(&p.Beside, others.Beside)
	fill(&p.Undo, others.Undo)
	fill(&p.Drop, others.Drop)
	fill(&p.Rollback, others.Rollback)
	fill(&p.Beside, p.Restore)
	fill(&p.Undo, p.Restore)
	fill(&p.Drop, p.Restore)
	fill(&p.Rollback, p.Restore)
	return p
}

// approvals returns who decides the steps of a service.
func (c *Config) approvals(s *Service) recovery.ApprovalsSpec {
	p := s.Policies.or(c.Approvals.Policies)
	return recovery.ApprovalsSpec{
		Key:   string(c.Approvals.Key),
		Drill: c.policySpec(p.Drill), Restore: c.policySpec(p.Restore), Beside: c.policySpec(p.Beside),
		Undo: c.policySpec(p.Undo), Drop: c.policySpec(p.Drop), Rollback: c.policySpec(p.Rollback),
	}
}

func (c *Config) policySpec(p *Policy) *recovery.PolicySpec {
	if p == nil {
		return nil
	}
	return &recovery.PolicySpec{
		Approvers: c.expand(p.Approvers), Needed: max(p.Needed, 1), SelfAfter: p.SelfAfter, Expires: p.Expires,
		Escalate: c.expand(p.Escalate), Unverified: p.Unverified == "accepted",
	}
}

// expand puts people in the place of groups; each is there once, in order.
func (c *Config) expand(names []string) []string {
	var people []string
	for _, name := range names {
		if members, ok := c.Groups[name]; ok {
			people = append(people, members...)
		} else {
			people = append(people, name)
		}
	}
	slices.Sort(people)
	return slices.Compact(people)
}

// People returns all people, sorted by name.
func (c *Config) People() []recovery.Person {
	var people []recovery.Person
	for _, name := range slices.Sorted(maps.Keys(c.Persons)) {
		p := c.Persons[name]
		people = append(people, recovery.Person{Name: name, Slack: p.Slack, CLI: p.CLI, Mail: p.Mail})
	}
	return people
}

func (s *Slack) spec() *recovery.SlackSpec {
	if s == nil {
		return nil
	}
	return &recovery.SlackSpec{Channel: s.Channel}
}

// ApprovalKey returns the key with which doors vouch for who decided. The fault of
// one that is not named, cannot be read or is too short is Permanent.
func (c *Config) ApprovalKey() (Secret, error) {
	if c.Approvals.Key == "" {
		return Secret{}, recovery.NewFault(recovery.Permanent, errors.New("read approval key: "+c.file+" does not name approvals.key"), approvalKeyMend)
	}
	key, err := c.Reveal(string(c.Approvals.Key))
	if err != nil {
		return Secret{}, err
	}
	if message, mend := checkApprovalKey(key); message != "" {
		return Secret{}, recovery.NewFault(recovery.Permanent, errors.New("read secret for approvals.key: it "+message), mend)
	}
	return key, nil
}

// SlackTokens returns the tokens of the Slack app, and the URL of the Web API if
// it is not Slack's own. The fault of what is not named or cannot be read is
// Permanent and names the setting.
func (c *Config) SlackTokens() (bot, app Secret, apiURL string, err error) {
	if c.Slack == nil {
		return bot, app, "", recovery.NewFault(recovery.Permanent, errors.New("read Slack tokens: "+c.file+" has no slack"),
			"write slack with channel, botToken and appToken")
	}
	if bot, err = c.Reveal(string(c.Slack.BotToken)); err != nil {
		return Secret{}, Secret{}, "", err
	}
	if app, err = c.Reveal(string(c.Slack.AppToken)); err != nil {
		return Secret{}, Secret{}, "", err
	}
	return bot, app, c.Slack.APIURL, nil
}
