package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

const (
	// watchFor is how long one run watches: its schedule starts the next one, which then
	// reads the configuration anew.
	watchFor = time.Hour
	// lookEvery is how soon a new release is noticed.
	lookEvery = time.Minute
	// checksPerTrial is how often a release is checked until it counts as good; not more
	// often than every minCheck, as a history holds 50,000 events, nor less often than
	// every maxCheck.
	checksPerTrial = 20
	minCheck       = 2 * time.Second
	minCheckBad    = 10 * time.Second // of one that is known to be bad
	maxCheck       = 10 * time.Minute
)

// WatchReleases watches for an hour which release runs, and keeps evidence of each
// that passed its checks for as long as the config asks, and of each that did not. A
// release that is being watched at the end of the hour is watched until it is known.
func WatchReleases(ctx workflow.Context, in ReleaseInput) (*WatchedReleases, error) {
	w := &releaseWatch{in: in}
	var err error
	if w.teller, err = newTeller(ctx, TypeWatchReleases, in.Service); err != nil {
		return nil, err
	}
	err = w.run(ctx)
	switch {
	case temporal.IsCanceledError(err):
		w.outcome(ctx, "cancelled")
		return nil, err
	case err != nil:
		w.outcome(ctx, "failed")
		return nil, plainError(err)
	}
	w.outcome(ctx, "watched")
	return &w.result, nil
}

// WatchedReleases is what an hour of watching found.
type WatchedReleases struct {
	Service string      `json:"service"`
	Current release.Tag `json:"current"`
	Found   []string    `json:"found,omitempty"`
}

type releaseWatch struct {
	*teller
	in     ReleaseInput
	plan   recovery.Plan
	trial  release.Trial
	since  time.Time // when the present release was first seen
	last   *release.Record
	result WatchedReleases
}

func (w *releaseWatch) run(ctx workflow.Context) error {
	if err := checkInput(w.in.Service, w.in.malformed); err != nil {
		return err
	}
	if err := loadPlan(ctx, w.teller, w.in.Service, &w.plan); err != nil {
		return err
	}
	if err := needDeploy(w.plan); err != nil {
		return err
	}
	w.result.Service = w.in.Service
	if err := w.readLast(ctx); err != nil {
		return err
	}
	until := workflow.Now(ctx).Add(watchFor)
	for {
		pause, err := w.look(ctx)
		if err != nil {
			return err
		}
		if over := workflow.Now(ctx).Add(pause).Sub(until); over > 0 && (w.settled() || over > 3*w.plan.Deploy.GoodAfter.Std()) {
			return nil
		}
		timer := workflow.NewTimerWithOptions(ctx, pause, workflow.TimerOptions{Summary: "look again"})
		if err := timer.Get(ctx, nil); err != nil {
			return err
		}
	}
}

// readLast reads the newest finding about what runs in production.
func (w *releaseWatch) readLast(ctx workflow.Context) error {
	var known activities.KnownRecords
	err := step{
		name: "read what is known of releases", options: quick(QueueLifeboat), activity: evidence.ReadRecords, giveUp: w.plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.ReadRecordsInput{Service: w.plan.Service, Destinations: w.plan.Destinations, Encryption: w.plan.Encryption, Limit: lastRecords}
		},
	}.run(ctx, w.teller, &known)
	for i := range known.Records {
		if k := known.Records[i].Kind; k == release.Watched || k == release.Left {
			w.last = &known.Records[i]
		}
	}
	return err
}

// lastRecords is how many findings are read to know the last one about production.
const lastRecords = 20

// settled says whether the release that runs is known to be good.
func (w *releaseWatch) settled() bool {
	return w.isKnown(recovery.Proven)
}

// look sees which release runs, and checks it unless it is known to be good. It
// returns the pause until the next look.
func (w *releaseWatch) look(ctx workflow.Context) (time.Duration, error) {
	now, unknown, err := currentRelease(ctx, w.teller, w.plan)
	if err != nil {
		return 0, err
	}
	if unknown == "" && now != w.result.Current {
		w.begin(ctx, now)
	}
	switch {
	case w.result.Current.Tag == "":
		w.now(ctx, "waiting until it is known which release runs: "+unknown)
		return lookEvery, nil
	case w.settled():
		w.now(ctx, w.result.Current.Tag+" runs, and is good; waiting for the next release")
		return lookEvery, nil
	}
	health, why := checkHealth(ctx, w.teller, w.plan)
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if health == recovery.Inconclusive { // nothing is held against a release that nobody could look at
		w.now(ctx, "nobody could look whether "+w.result.Current.Tag+" is well: "+why)
		return lookEvery, nil
	}
	if health == recovery.Disproven && !w.knownBad() { // while production is being changed, nothing is held against a release
		if held, err := changeHeld(ctx, w.teller, w.in.Service); err != nil || held {
			w.restart(ctx)
			return lookEvery, err
		}
	}
	verdict := w.trial.Take(workflow.Now(ctx), health == recovery.Proven, why)
	if verdict != recovery.Inconclusive {
		w.judge(ctx, verdict)
	}
	w.now(ctx, fmt.Sprintf("watching %s: it must pass its checks for %s", w.result.Current.Tag, w.plan.Deploy.GoodAfter))
	every := minCheck
	if w.knownBad() { // it may stay so for long
		every = minCheckBad
	}
	return min(max(w.trial.Need/checksPerTrial, every), maxCheck), nil
}

// knownBad says whether the release that runs is known to be bad.
func (w *releaseWatch) knownBad() bool { return w.isKnown(recovery.Disproven) }

// isKnown says whether the newest finding is such a one about the release that runs.
func (w *releaseWatch) isKnown(verdict recovery.Verdict) bool {
	return w.last != nil && w.last.Verdict == verdict && w.last.Tag == w.result.Current.Tag && w.last.Commit == w.result.Current.Commit
}

// begin watches a release that was not running before.
func (w *releaseWatch) begin(ctx workflow.Context, tag release.Tag) {
	w.result.Current, w.since = tag, workflow.Now(ctx).UTC()
	w.restart(ctx)
	if !w.settled() {
		w.did(ctx, tag.Tag+" runs now: watching it")
	}
}

func (w *releaseWatch) restart(ctx workflow.Context) {
	w.trial = release.Trial{Began: workflow.Now(ctx), Need: w.plan.Deploy.GoodAfter.Std(), Grace: w.plan.Live.Timeout.Std()}
}

// judge keeps what was found.
func (w *releaseWatch) judge(ctx workflow.Context, verdict recovery.Verdict) {
	current, trial := w.result.Current, w.trial
	w.restart(ctx)
	r := release.Record{Tag: current.Tag, Commit: current.Commit, Kind: release.Watched, Verdict: verdict, Since: w.since, Checks: trial.Checks}
	if verdict == recovery.Proven {
		r.For = rounded(workflow.Now(ctx).Sub(trial.Well()))
		w.found(ctx, fmt.Sprintf("%s is good: it passed its checks for %s", current.Tag, r.For))
	} else if w.knownBad() {
		return
	} else {
		r.Sentence = "it did not pass its checks: " + trial.Reason
		w.found(ctx, current.Tag+" is bad: "+r.Sentence)
		w.warn(ctx, r)
	}
	recordRelease(ctx, w.teller, w.plan, r)
	w.last = &r
}

func (w *releaseWatch) found(ctx workflow.Context, what string) {
	w.result.Found = append(w.result.Found, what)
	w.did(ctx, what)
}

// warn tells people of a release that is not well, and what they can do.
func (w *releaseWatch) warn(ctx workflow.Context, r release.Record) {
	if w.plan.Slack == nil {
		return
	}
	c := w.newCard(ctx, "Release "+r.Tag+" of "+w.in.Service, card.Failed, r.Tag+" is not well: "+r.Sentence)
	c.Key += "/" + r.Tag
	c.Mention = []string{w.plan.Owner}
	if w.plan.Approvals.Rollback != nil {
		c.Done = []string{"to go back to the last good release: /lifeboat rollback " + w.in.Service}
	}
	leaveToDeliver(ctx, CardID(c.Run)+"/"+r.Tag, delivery{Card: c}) // of each release in this hour
}
