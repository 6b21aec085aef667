package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// option is one thing that may be done about a bad release.
type option struct {
	approval.Choice
	remedy release.Remedy
	to     release.Tag      // deploy
	ran    bool             // it ran already: only its effect is looked at
	back   bool             // it puts back what was there before
	also   []release.Remedy // what is undone besides
	leave  bool             // nothing at all is done
}

// maxOptions bounds the releases that people choose from.
const maxOptions = 8

// look makes the plan: what is deployed, what to go back to, and what that means.
func (r *rollback) look(ctx workflow.Context) error {
	var err error
	if r.known, err = overview(ctx, r.teller, r.plan); err != nil {
		return err
	}
	r.result.From = r.known.Current
	for _, unknown := range r.known.Unknown {
		r.did(ctx, unknown)
	}
	if r.options, err = r.choose(); err != nil {
		return err
	}
	r.between, r.compared, r.result.Commits, r.refuses = release.Comparison{}, release.Tag{}, 0, ""
	if to, one := r.target(); one && r.known.Current.Tag != "" {
		r.compare(ctx, r.known.Current, to)
	} else {
		r.weigh(ctx)
	}
	r.facts(ctx, r.describe()...)
	return ctx.Err()
}

// compare looks what lies between two releases.
func (r *rollback) compare(ctx workflow.Context, from, to release.Tag) {
	r.between, r.compared = compareReleases(ctx, r.teller, r.plan, from, to), to
	r.result.Commits = len(r.between.Commits) + r.between.More
}

// target is the release that may be deployed, if there is just one.
func (r *rollback) target() (to release.Tag, one bool) {
	for _, o := range r.options {
		if o.remedy != release.Deploy {
			continue
		}
		if one {
			return release.Tag{}, false
		}
		to, one = o.to, true
	}
	return to, one
}

// weigh says of each release that may be deployed what going there means.
func (r *rollback) weigh(ctx workflow.Context) {
	from := r.known.Current
	for i, o := range r.options {
		if o.remedy != release.Deploy || from.Tag == "" || o.to.Tag == from.Tag {
			continue
		}
		between := compareReleases(ctx, r.teller, r.plan, from, o.to)
		r.options[i].Detail += "; gives up " + uncapital(brief(between))
		if len(between.Warnings) > 0 {
			r.options[i].Detail += "; RISKS: " + strings.Join(between.Warnings, "; ")
		}
	}
}

// brief says in a few words what is given up.
func brief(c release.Comparison) string {
	switch n := len(c.Commits) + c.More; {
	case c.Unknown != "":
		return "what is not known"
	case n == 0:
		return "nothing"
	default:
		return commits(n)
	}
}

// choose finds what may be done: quick remedies first, then the last known good
// release; if there is none, all that are known.
func (r *rollback) choose() ([]option, error) {
	if r.in.To != "" {
		o, err := r.asked()
		return []option{o}, err
	}
	options := r.remedies()
	good, ok := release.LastGood(r.known.Releases)
	switch {
	case ok && r.known.Current.Tag != "":
		return append(options, deployOption(good)), nil
	case ok: // the newest good one may be the one that is down
		for _, other := range r.known.Releases {
			if other.Standing == release.Good && len(options) < maxOptions {
				options = append(options, deployOption(other))
			}
		}
		return options, nil
	}
	for _, other := range r.known.Releases {
		if !other.Current && len(options) < maxOptions {
			options = append(options, deployOption(other))
		}
	}
	if len(options) == 0 {
		return nil, badInput("roll back %s: no other release is known: name one by \"to\", or write deploy.repo or deploy.releases into the config", r.in.Service)
	}
	return options, nil
}

// asked is the release that whoever started the run has named.
func (r *rollback) asked() (option, error) {
	to := release.Release{Tag: release.Tag{Tag: r.in.To}}
	i := slices.IndexFunc(r.known.Releases, func(other release.Release) bool { return other.Tag.Tag == r.in.To })
	switch {
	case r.in.To == r.known.Current.Tag:
		return option{}, badInput("roll back %s: %s is deployed already", r.in.Service, r.in.To)
	case i >= 0:
		to = r.known.Releases[i]
	case r.tagsKnown():
		var names []string
		for _, other := range r.known.Releases[:min(len(r.known.Releases), maxOptions)] {
			names = append(names, other.Tag.Tag)
		}
		return option{}, badInput("roll back %s: there is no release %q; the newest are %s", r.in.Service, r.in.To, strings.Join(names, ", "))
	}
	return deployOption(to), nil
}

// tagsKnown says whether the list of releases is what can be deployed, rather than
// what was seen.
func (r *rollback) tagsKnown() bool {
	d := r.plan.Deploy
	return (d.Repo != "" || len(d.Releases) > 0) && r.known.tags == ""
}

func deployOption(to release.Release) option {
	return option{remedy: release.Deploy, to: to.Tag, Choice: approval.Choice{
		Key: "deploy:" + to.Tag.Tag, Label: "Deploy " + to.Tag.Tag, Detail: standing(to),
	}}
}

// remedies are the quick ones that the config knows.
func (r *rollback) remedies() []option {
	d := r.plan.Deploy
	var options []option
	if len(d.FlagOff) > 0 {
		options = append(options, option{remedy: release.FlagOff, Choice: approval.Choice{Key: "flagOff", Label: "Turn the flag off", Detail: "the release stays; " + undoWords(d.FlagOn)}})
	}
	if len(d.Switch) > 0 {
		options = append(options, option{remedy: release.Switch, Choice: approval.Choice{Key: "switch", Label: "Switch to the other one (blue/green)", Detail: "nothing is deployed; " + undoWords(d.SwitchBack)}})
	}
	return options
}

func undoWords(undo []string) string {
	if len(undo) == 0 {
		return "cannot be undone from here"
	}
	return "can be undone"
}

// standing says in words what is known of a release.
func standing(r release.Release) string {
	text := strings.ToUpper(r.Standing.String())
	if r.Standing == release.Good {
		text = "good"
	}
	if r.Why != "" {
		text += ": " + r.Why
	}
	if !r.At.IsZero() {
		text += ", " + day(r.At)
	}
	return text
}

// describe writes the plan for people.
func (r *rollback) describe() []approval.Fact {
	facts := []approval.Fact{{Label: "Deployed now", Value: "NOT KNOWN: it could not be asked"}}
	if i := slices.IndexFunc(r.known.Releases, func(other release.Release) bool { return other.Current }); i >= 0 {
		facts[0].Value = named(r.known.Current) + ", " + standing(r.known.Releases[i])
	} else if r.known.Current.Tag != "" {
		facts[0].Value = named(r.known.Current)
	}
	switch {
	case r.known.evidence != "":
		facts = append(facts, approval.Fact{Label: "Evidence", Value: "NOT KNOWN: " + r.known.evidence})
	case !slices.ContainsFunc(r.known.Releases, func(other release.Release) bool { return other.Standing == release.Good && !other.Current }):
		facts = append(facts, approval.Fact{Label: "Evidence", Value: "NONE: no other release was seen to be well"})
	}
	expected := approval.Fact{Label: "Expected to take", Value: release.Expected(r.known.records)}
	to, one := r.target()
	if !one {
		return append(facts, expected)
	}
	for _, o := range r.options {
		if o.to == to {
			facts = append(facts, approval.Fact{Label: "Goes back to", Value: named(to) + ", " + o.Detail})
			break
		}
	}
	facts = append(facts, approval.Fact{Label: "Commits given up", Value: givenUp(r.between, r.known.Current)})
	risks := strings.Join(r.between.Warnings, "; ")
	switch {
	case r.between.Unwarned != "":
		risks = "not known: " + r.between.Unwarned
	case r.known.Current.Tag == "":
		risks = "not known: it is not known what is deployed"
	case risks == "":
		risks = "none was found"
	}
	return append(facts, approval.Fact{Label: "Risks", Value: risks}, expected)
}

func named(t release.Tag) string {
	if t.Commit == "" {
		return t.Tag
	}
	return fmt.Sprintf("%s (%.7s)", t.Tag, t.Commit)
}

func givenUp(c release.Comparison, from release.Tag) string {
	n := len(c.Commits) + c.More
	switch {
	case from.Tag == "":
		return "not known: it is not known what is deployed"
	case c.Unknown != "":
		return "not known: " + c.Unknown
	case n == 0 && c.Gained > 0:
		return "none; it has " + commits(c.Gained) + " that " + from.Tag + " does not have"
	case n == 0:
		return "none"
	}
	text := fmt.Sprintf("%d: %s", n, strings.Join(c.Commits, "; "))
	if c.More > 0 {
		text += fmt.Sprintf("; and %d more", c.More)
	}
	if c.Gained > 0 {
		text += fmt.Sprintf(" (and %s that it does not have)", commits(c.Gained))
	}
	return text
}

// rollbackPlan is what people agree to: its digest is in the request.
type rollbackPlan struct {
	Service string            `json:"service"`
	From    release.Tag       `json:"from"`
	To      []release.Tag     `json:"to"`
	Choices []approval.Choice `json:"choices"`
	Refuses string            `json:"refuses,omitempty"` // what is done if it is refused
	Config  string            `json:"config"`
}

// request begins a request about the options.
func (r *rollback) request(stepName string) (approval.Request, error) {
	agreed := rollbackPlan{Service: r.in.Service, From: r.known.Current, Refuses: r.refuses, Config: r.plan.Config.Digest}
	for _, o := range r.options {
		agreed.To, agreed.Choices = append(agreed.To, o.to), append(agreed.Choices, o.Choice)
	}
	digest, err := approval.Digest(agreed)
	request := approval.Request{
		Playbook: TypeRollback, Step: stepName, Digest: digest, RequestedBy: r.result.By, Policy: *r.plan.Approvals.Rollback, Facts: r.teller.shown,
		Where: "PRODUCTION: " + r.in.Service + " on host " + r.plan.Host, Destructive: true,
	}
	if len(r.options) > 1 {
		request.Choices = agreed.Choices
	}
	return request, err
}

func (r *rollback) approve(ctx workflow.Context) (*approval.Book, error) {
	request, err := r.request("rollback")
	if err != nil {
		return nil, err
	}
	from := r.in.Service
	if tag := r.known.Current.Tag; tag != "" {
		from += " from " + tag
	}
	request.What, request.Approve, request.Reject = "Roll back "+from+": choose how", "Choose…", "Do nothing"
	if len(r.options) == 1 {
		request.What, request.Approve = "Roll back "+from, r.options[0].Label
		if to := r.options[0].to.Tag; to != "" {
			request.What, request.Approve = "Roll back "+from+" to "+to, "Roll back"
			if r.forward(to) {
				request.What, request.Approve = "Deploy "+to+" of "+r.in.Service+", which is newer than "+r.known.Current.Tag, "Deploy it"
			}
		}
	}
	r.now(ctx, "waiting for a decision")
	return r.ask(ctx, request)
}

// forward says whether a release is newer than the deployed one.
func (r *rollback) forward(to string) bool {
	place := func(tag string) int {
		return slices.IndexFunc(r.known.Releases, func(other release.Release) bool { return other.Tag.Tag == tag })
	}
	at, from := place(to), place(r.result.From.Tag)
	return at >= 0 && at < from
}

// chosen is the option that people approved.
func (r *rollback) chosen(b *approval.Book) (option, error) {
	if len(r.options) == 1 {
		return r.options[0], nil
	}
	for _, o := range r.options {
		if o.Key == b.Chosen() {
			return o, nil
		}
	}
	return option{}, fmt.Errorf("carry out the decision: %q is none of the choices", b.Chosen())
}
