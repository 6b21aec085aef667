package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	slackPersonForm  = regexp.MustCompile(`^[UW][A-Z0-9]{2,20}$`)
	slackChannelForm = regexp.MustCompile(`^[CG][A-Z0-9]{2,20}$`)
)

// people checks who there is, alone and in groups.
func (v *validator) people() {
	c := v.config
	v.keyNames("people", slices.Collect(maps.Keys(c.Persons)))
	slack, cli := map[string]string{}, map[string]string{}
	for _, name := range v.inOrder("people", slices.Collect(maps.Keys(c.Persons))) {
		person, path := c.Persons[name], join("people", name)
		if v.given(path+".slack") && !slackPersonForm.MatchString(person.Slack) {
			v.problem(path+".slack", "is not a user id of Slack", "write the id that begins with U, from 'Copy member ID' in the person's profile")
		}
		v.mailAddress(path+".mail", person.Mail)
		v.once(path+".slack", person.Slack, name, slack)
		v.once(path+".cli", person.CLI, name, cli)
	}
	v.keyNames("groups", slices.Collect(maps.Keys(c.Groups)))
	for name, members := range c.Groups {
		path := join("groups", name)
		if _, person := c.Persons[name]; person {
			v.problem(path, "is also the name of a person", "give the group another name")
		}
		if len(members) == 0 {
			v.problem(path, "has nobody in it", "write the names of people, or remove it")
		}
		for i, member := range members {
			v.known(at(path, i), member, slices.Collect(maps.Keys(c.Persons)))
		}
	}
}

// keyNames checks names that are keys of the file.
func (v *validator) keyNames(path string, names []string) {
	for _, name := range names {
		if usableName(name) {
			continue
		}
		v.problem(join(path, name), "is not a usable name", nameMend)
	}
}

// once reports what tells two people apart and is that of another already.
func (v *validator) once(path, value, name string, owners map[string]string) {
	owner, twice := owners[value]
	switch {
	case value == "":
	case twice:
		v.problem(path, "is also that of "+owner, "give each person their own: it tells them apart")
	default:
		owners[value] = name
	}
}

// inOrder sorts names of a mapping as they stand in the file.
func (v *validator) inOrder(path string, names []string) []string {
	slices.SortFunc(names, func(a, b string) int {
		x, y := v.fields[join(path, a)].node, v.fields[join(path, b)].node
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
	})
	return names
}

// known reports a name that stands for nobody.
func (v *validator) known(path, name string, known []string) bool {
	if slices.Contains(known, name) {
		return true
	}
	if v.given(path) {
		slices.Sort(known)
		v.problem(path, "is nobody that is known", suggest(name, known))
	}
	return false
}

// approvals checks the key and the policies for all services.
func (v *validator) approvals() {
	c := v.config
	v.policies("approvals.policies", &c.Approvals.Policies)
	if v.given("approvals.key") {
		return
	}
	need := ""
	if c.Slack != nil {
		need = "slack"
	}
	for path, policy := range v.allPolicies() {
		if policy.Unverified == "" && (need == "" || path < need) {
			need = path
		}
	}
	if need != "" {
		v.problem("approvals.key", "is missing, and "+need+" needs it to vouch for who decided", approvalKeyMend)
	}
}

// allPolicies returns every policy of the file by its path.
func (v *validator) allPolicies() map[string]*Policy {
	all := map[string]*Policy{}
	add := func(path string, policies *Policies) {
		for name, policy := range policies.all() {
			if policy != nil {
				all[join(path, name)] = policy
			}
		}
	}
	add("approvals.policies", &v.config.Approvals.Policies)
	for i := range v.config.Services {
		add(at("services", i)+".policies", &v.config.Services[i].Policies)
	}
	return all
}

func (v *validator) policies(path string, policies *Policies) {
	for name, policy := range policies.all() {
		if policy != nil {
			v.policy(join(path, name), policy)
		}
	}
}

func (v *validator) policy(path string, p *Policy) {
	known := slices.AppendSeq(slices.Collect(maps.Keys(v.config.Persons)), maps.Keys(v.config.Groups))
	sound := len(p.Approvers) > 0
	for i, name := range p.Approvers {
		sound = v.known(at(path+".approvers", i), name, known) && sound
	}
	for i, name := range p.Escalate {
		v.known(at(path+".escalate", i), name, known)
	}
	if v.given(path+".needed") && p.Needed < 1 {
		v.problem(path+".needed", "is not a number of people", "write 1 or more")
	}
	if p.Expires > 14*24*hour {
		v.problem(path+".expires", "is longer than 14d", "write a shorter time: the step waits that long, and what it shows gets old")
	}
	if p.SelfAfter >= p.Expires && v.given(path+".selfAfter") {
		v.problem(path+".selfAfter", "is not before the request expires, after "+p.Expires.String(), "write a shorter time than expires")
	}
	if sound {
		v.passable(path, p)
	}
}

// passable reports a policy that the people it names can never meet.
func (v *validator) passable(path string, p *Policy) {
	people := v.config.expand(p.Approvers)
	switch {
	case len(people) == 0: // a group with nobody in it, reported there
	case p.Needed > len(people):
		v.problem(path+".needed", fmt.Sprintf("can never be met: there are %d approvers (%s)", len(people), strings.Join(people, ", ")), "write a smaller number, or add approvers")
	case len(people) == 1 && p.SelfAfter == 0:
		v.problem(path+".approvers", "names one person alone, who could never approve what they asked for", "add a second approver, or write selfAfter: 15m")
	}
	for i, name := range p.Approvers {
		for _, person := range v.config.expand([]string{name}) {
			// What nobody vouches for can be sent by anybody, through Temporal.
			if known, ok := v.config.Persons[person]; ok && known.Slack == "" && known.CLI == "" && p.Unverified == "" {
				v.problem(at(path+".approvers", i), "has no way to decide: "+person+" has neither slack nor cli", "give people."+person+" one of them")
			}
		}
	}
}

func (v *validator) slack() {
	s := v.config.Slack
	if s == nil {
		return
	}
	if v.given("slack.channel") && !slackChannelForm.MatchString(s.Channel) {
		v.problem("slack.channel", "is not a channel id of Slack", "write the id that begins with C, from the end of the channel's 'About' page")
	}
	if !v.given("slack.apiURL") {
		return
	}
	u, err := url.Parse(s.APIURL)
	if err != nil || u.Scheme != "http" || !isLoopback(u.Hostname()) || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !strings.HasSuffix(u.Path, "/") {
		v.problem("slack.apiURL", "is not the URL of a simulated Slack on this machine", "write it as http://127.0.0.1:8099/api/, or remove it to use Slack")
	}
}
