package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// Releases lists the releases of a service with what is known of them. It changes
// nothing.
func Releases(ctx workflow.Context, in ReleaseInput) (*release.Overview, error) {
	t, err := newTeller(ctx, TypeReleases, in.Service)
	if err != nil {
		return nil, err
	}
	known, err := listReleases(ctx, t, in)
	if err != nil {
		t.outcome(ctx, "failed")
		return nil, plainError(err)
	}
	t.outcome(ctx, "listed")
	return known, nil
}

func listReleases(ctx workflow.Context, t *teller, in ReleaseInput) (*release.Overview, error) {
	if err := checkInput(in.Service, in.malformed); err != nil {
		return nil, err
	}
	var plan recovery.Plan
	if err := loadPlan(ctx, t, in.Service, &plan); err != nil {
		return nil, err
	}
	if err := needDeploy(plan); err != nil {
		return nil, err
	}
	known, err := overview(ctx, t, plan)
	return &known.Overview, err
}

// known is what could be learnt of a service's releases.
type known struct {
	release.Overview
	records  []release.Record
	tags     string // why it is not known which releases there are; empty: it is
	evidence string // why not all evidence is known; empty: it is
}

// overview asks what is deployed, what can be, and what is known of it. What cannot be
// learnt is said, and keeps nobody from rolling back: only a cancel is an error.
func overview(ctx workflow.Context, t *teller, plan recovery.Plan) (o known, err error) {
	o.Service = plan.Service
	current, unknown, err := currentRelease(ctx, t, plan)
	if err != nil {
		return o, err
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
		o.tags = "which releases can be deployed is not known: " + reason(err)
		o.Unknown = append(o.Unknown, o.tags)
	}
	var found activities.KnownRecords
	t.now(ctx, "reading what is known of releases")
	err = step{
		name: "read what is known of releases", options: quick(QueueLifeboat), activity: evidence.ReadRecords, giveUp: min(downGiveUp, plan.GiveUpAfter.Std()),
		input: func(int) any {
			return activities.ReadRecordsInput{Service: plan.Service, Destinations: plan.Destinations, Encryption: plan.Encryption, Limit: release.MaxRecords}
		},
	}.run(ctx, t, &found)
	var silent []string
	for _, s := range found.Silent {
		silent = append(silent, fmt.Sprintf("destination %s was not asked: %s", s.Destination, s.Error))
	}
	switch {
	case err != nil:
		o.evidence = "which releases were seen to be well is not known: " + reason(err)
	case len(silent) > 0:
		o.evidence = "which releases were seen to be well is not all known: " + strings.Join(silent, "; ")
	}
	if o.evidence != "" {
		o.Unknown = append(o.Unknown, o.evidence)
	}
	o.records = found.Records
	o.Releases = release.List(tags, o.Current, found.Records)
	return o, ctx.Err()
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
