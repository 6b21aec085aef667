package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// Releases finds out about a service's releases on its host.
type Releases struct {
	Deploys Deploys
}

// CurrentRelease says which release is deployed.
func (r *Releases) CurrentRelease(ctx context.Context, in LivePlan) (*release.Tag, error) {
	ctx, w := begin(ctx, "asking which release is deployed")
	tag, err := r.Deploys.Current(ctx, &in.Plan)
	return tag, w.finish(ctx, err)
}

// ListTags lists the releases that can be deployed, the newest first.
func (r *Releases) ListTags(ctx context.Context, in LivePlan) ([]release.Tag, error) {
	ctx, w := begin(ctx, "listing releases")
	tags, err := r.Deploys.Tags(ctx, &in.Plan)
	return tags, w.finish(ctx, err)
}

// CompareReleasesInput names two releases.
type CompareReleasesInput struct {
	Plan recovery.Plan `json:"plan"`
	From release.Tag   `json:"from"`
	To   release.Tag   `json:"to"`
}

// CompareReleases says what lies between two releases, and what makes it risky to go
// from one to the other.
func (r *Releases) CompareReleases(ctx context.Context, in CompareReleasesInput) (*release.Comparison, error) {
	ctx, w := begin(ctx, "comparing "+in.From.Tag+" with "+in.To.Tag)
	between, err := r.Deploys.Compare(ctx, &in.Plan, in.From, in.To)
	return between, w.finish(ctx, err)
}

// Evidence keeps what was found about releases.
type Evidence struct {
	Stores Stores
}

// RecordReleaseInput holds a finding about a release.
type RecordReleaseInput struct {
	Destinations []recovery.DestinationSpec `json:"destinations"`
	Encryption   recovery.EncryptionSpec    `json:"encryption"`
	Record       release.Record             `json:"record"`
}

// RecordRelease keeps a finding at every destination that takes it; one at least must.
func (e *Evidence) RecordRelease(ctx context.Context, in RecordReleaseInput) error {
	ctx, w := begin(ctx, "recording what was found about "+in.Record.Tag)
	_, errs := askAll(ctx, recordWithin, in.Destinations, func(ctx context.Context, d recovery.DestinationSpec) (struct{}, error) {
		return struct{}{}, useStore(ctx, e.Stores, d, in.Encryption, func(s Store) error { return s.Record(ctx, &in.Record) })
	})
	return w.finish(ctx, silence(errs))
}

// ReadRecordsInput names a service.
type ReadRecordsInput struct {
	Service      string                     `json:"service"`
	Destinations []recovery.DestinationSpec `json:"destinations"`
	Encryption   recovery.EncryptionSpec    `json:"encryption"`
	Limit        int                        `json:"limit"` // the newest ones
}

// KnownRecords is what is known of a service's releases, and which destinations did
// not answer: they may know more.
type KnownRecords struct {
	Records []release.Record `json:"records"` // the oldest first
	Silent  []Trouble        `json:"silent,omitempty"`
}

// ReadRecords returns what was found about a service's releases: the union of what the
// destinations that answer have.
func (e *Evidence) ReadRecords(ctx context.Context, in ReadRecordsInput) (*KnownRecords, error) {
	ctx, w := begin(ctx, "reading what is known of releases")
	lists, errs := askAll(ctx, listWithin, in.Destinations, func(ctx context.Context, d recovery.DestinationSpec) (records []release.Record, err error) {
		err = useStore(ctx, e.Stores, d, in.Encryption, func(s Store) error {
			records, err = s.Records(ctx, in.Service, in.Limit)
			return err
		})
		return records, err
	})
	if err := silence(errs); err != nil {
		return nil, w.finish(ctx, err)
	}
	known := &KnownRecords{Records: release.Merge(lists, in.Limit)}
	for i, err := range errs {
		if err != nil {
			known.Silent = append(known.Silent, Trouble{Destination: in.Destinations[i].Name, Error: err.Error()})
		}
	}
	return known, w.finish(ctx, nil)
}

// Hosts runs commands on the hosts of services.
type Hosts struct {
	Commands Commands
	Stores   Stores
	Deploys  Deploys
}

// RunOnceInput names a command, and the key under which it runs at most once.
type RunOnceInput struct {
	Plan    recovery.Plan        `json:"plan"`
	Command recovery.CommandSpec `json:"command"`
	Key     string               `json:"key"`
	Attempt int                  `json:"attempt"` // an earlier one may have started it
	// Expect is the release that must be deployed when the command is started; empty:
	// whatever is.
	Expect string `json:"expect,omitempty"`
}

// RunOnce runs a command to its end, at most once under its key. That it ended badly,
// that nobody knows how it ended, or that it was not started because another release
// is deployed than expected, is no error, but told by the outcome.
func (h *Hosts) RunOnce(ctx context.Context, in RunOnceInput) (*recovery.CommandOutcome, error) {
	ctx, w := begin(ctx, "running "+in.Command.Name)
	instead := ""
	outcome, err := h.Commands.RunOnce(ctx, &in.Plan, in.Command, in.Key, func(ctx context.Context, nonce string) (bool, error) {
		mine, err := h.claim(ctx, &in, nonce)
		if mine && err == nil { // what somebody else has started changes what is deployed
			instead = h.instead(ctx, &in)
		}
		return mine && instead == "", err
	})
	if err == nil && instead != "" {
		outcome = &recovery.CommandOutcome{Instead: instead}
	}
	return outcome, w.finish(ctx, err)
}

// currentWithin is how long a service may take to tell its release before a command is
// started without that: services that are down are what it is for.
const currentWithin = 30 * time.Second

// instead is the release that is deployed instead of the expected one; empty if there
// is none, or nobody can tell.
func (h *Hosts) instead(ctx context.Context, in *RunOnceInput) string {
	if in.Expect == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, currentWithin)
	defer cancel()
	current, err := h.Deploys.Current(ctx, &in.Plan)
	if err != nil || current.Tag == in.Expect {
		return ""
	}
	return current.Tag
}

// claim says at every destination that answers who is about to start the command. One
// that knows of somebody else settles it. An earlier attempt may have told only those
// that do not answer now, from another host.
func (h *Hosts) claim(ctx context.Context, in *RunOnceInput, nonce string) (bool, error) {
	claim := recovery.Claim{Key: in.Key, Service: in.Plan.Service, Command: in.Command.Name, Nonce: nonce}
	mine, errs := askAll(ctx, recordWithin, in.Plan.Destinations, func(ctx context.Context, d recovery.DestinationSpec) (mine bool, err error) {
		err = useStore(ctx, h.Stores, d, in.Plan.Encryption, func(s Store) error {
			mine, err = s.Claim(ctx, &claim)
			return err
		})
		return mine, err
	})
	for i, err := range errs {
		if err == nil && !mine[i] {
			return false, nil
		}
	}
	for i, err := range errs {
		if err != nil && in.Attempt > 1 {
			err = fmt.Errorf("destination %s does not answer, and may know that the command was started: %w", in.Plan.Destinations[i].Name, err)
			return false, recovery.NewFault(recovery.Unavailable, err, "")
		}
	}
	return slices.Contains(errs, nil), silence(errs)
}
