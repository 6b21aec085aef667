package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// option is one thing that may be done about a bad release.
type option struct {
	approval.Choice
	remedy release.Remedy
	to     release.Tag    // deploy
	ran    bool           // it ran already: only its effect is looked at
	back   bool           // it puts back what was there before
	also   release.Remedy // what is undone besides
	suffix string         // of the key under which its command runs once
	leave  bool           // nothing at all is done
}

// maxOptions bounds the releases that people choose from.
const maxOptions = 8

// look makes the plan: what is deployed, what to go back to, and what that means.
func (r *rollback) look(ctx workflow.Context) error {
	var err error
	var records []release.Record
	if r.known, records, err = overview(ctx, r.teller, r.plan); err != nil {
		return err
	}
	r.result.From = r.known.Current
	for _, unknown := range r.known.Unknown {
		r.did(ctx, unknown)
	}
	if r.options, err = r.choose(); err != nil {
		return err
	}
	r.expect = release.Expected(records)
	r.between, r.compared, r.result.Commits = release.Comparison{}, release.Tag{}, 0
	if to := r.target(); to.Tag != "" && r.known.Current.Tag != "" {
		r.compare(ctx, r.known.Current, to)
	}
	r.facts(ctx, r.describe()...)
	return ctx.Err()
}

// compare looks what lies between two releases.
func (r *rollback) compare(ctx workflow.Context, from, to release.Tag) {
	r.between, r.compared = compareReleases(ctx, r.teller, r.plan, from, to), to
	r.result.Commits = len(r.between.Commits) + r.between.More
}

// target is the first release that may be deployed.
func (r *rollback) target() release.Tag {
	for _, o := range r.options {
		if o.remedy == release.Deploy {
			return o.to
		}
	}
	return release.Tag{}
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
	return (d.Repo != "" || len(d.Releases) > 0) && len(r.known.Releases) > 0 && len(r.known.Unknown) == 0
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
	if !slices.ContainsFunc(r.known.Releases, func(other release.Release) bool { return other.Standing == release.Good && !other.Current }) {
		facts = append(facts, approval.Fact{Label: "Evidence", Value: "NONE: no other release was seen to be well"})
	}
	to := r.target()
	if to.Tag == "" {
		return facts
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
	return append(facts, approval.Fact{Label: "Risks", Value: risks}, approval.Fact{Label: "Expected to take", Value: r.expect})
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
	Config  string            `json:"config"`
}

// request begins a request about the options.
func (r *rollback) request(stepName string) (approval.Request, error) {
	agreed := rollbackPlan{Service: r.in.Service, From: r.known.Current, Config: r.plan.Config.Digest}
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
		}
	}
	r.now(ctx, "waiting for a decision")
	return r.ask(ctx, request)
}

// chosen is the option that people approved.
func (r *rollback) chosen(b *approval.Book) option {
	for _, o := range r.options {
		if o.Key == b.Chosen() {
			return o
		}
	}
	return r.options[0]
}

// overview asks what is deployed, what can be, and what is known of it. What cannot be
// learnt is said, and keeps nobody from rolling back: only a cancel is an error.
func overview(ctx workflow.Context, t *teller, plan recovery.Plan) (release.Overview, []release.Record, error) {
	o := release.Overview{Service: plan.Service}
	current, unknown, err := currentRelease(ctx, t, plan)
	if err != nil {
		return o, nil, err
	}
	if o.Current = current; unknown != "" {
		o.Unknown = append(o.Unknown, "what is deployed is not known: "+unknown)
	}
	var tags []release.Tag
	t.now(ctx, "listing releases")
	err = step{
		name: "list releases", options: quick(HostQueue(plan.Host)), activity: releases.ListTags, giveUp: min(askGiveUp, plan.GiveUpAfter.Std()),
		input: func(int) any { return activities.LivePlan{Plan: plan} },
	}.run(ctx, t, &tags)
	if err != nil {
		o.Unknown = append(o.Unknown, "which releases can be deployed is not known: "+reason(err))
	}
	var records []release.Record
	t.now(ctx, "reading what is known of releases")
	err = step{
		name: "read what is known of releases", options: quick(QueueLifeboat), activity: evidence.ReadRecords, giveUp: min(downGiveUp, plan.GiveUpAfter.Std()),
		input: func(int) any {
			return activities.ReadRecordsInput{Service: plan.Service, Destinations: plan.Destinations, Encryption: plan.Encryption, Limit: release.MaxRecords}
		},
	}.run(ctx, t, &records)
	if err != nil {
		o.Unknown = append(o.Unknown, "which releases were seen to be well is not known: "+reason(err))
	}
	o.Releases = release.List(tags, o.Current, records)
	return o, records, ctx.Err()
}

// compareReleases says what lies between two releases. That it is not known keeps
// nobody from rolling back.
func compareReleases(ctx workflow.Context, t *teller, plan recovery.Plan, from, to release.Tag) release.Comparison {
	var between release.Comparison
	t.now(ctx, "looking what lies between "+from.Tag+" and "+to.Tag)
	err := step{
		name: "compare " + from.Tag + " with " + to.Tag, options: quick(HostQueue(plan.Host)), activity: releases.CompareReleases, giveUp: min(askGiveUp, plan.GiveUpAfter.Std()),
		input: func(int) any { return activities.CompareReleasesInput{Plan: plan, From: from, To: to} },
	}.run(ctx, t, &between)
	if err != nil {
		return release.Comparison{Unknown: reason(err), Unwarned: reason(err)}
	}
	return between
}
