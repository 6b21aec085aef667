package activities

import (
	"context"
	"slices"

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

// ReadRecords returns what was found about a service's releases, the oldest first:
// the union of what the destinations that answer have.
func (e *Evidence) ReadRecords(ctx context.Context, in ReadRecordsInput) ([]release.Record, error) {
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
	return release.Merge(lists, in.Limit), w.finish(ctx, nil)
}

// Hosts runs commands on the hosts of services.
type Hosts struct {
	Commands Commands
	Stores   Stores
}

// RunOnceInput names a command, and the key under which it runs at most once.
type RunOnceInput struct {
	Plan    recovery.Plan        `json:"plan"`
	Command recovery.CommandSpec `json:"command"`
	Key     string               `json:"key"`
}

// RunOnce runs a command to its end, at most once under its key. That it ended badly,
// or that nobody knows how it ended, is no error, but told by the outcome.
func (h *Hosts) RunOnce(ctx context.Context, in RunOnceInput) (*recovery.CommandOutcome, error) {
	ctx, w := begin(ctx, "running "+in.Command.Name)
	outcome, err := h.Commands.RunOnce(ctx, &in.Plan, in.Command, in.Key, func(ctx context.Context, nonce string) (bool, error) {
		return h.claim(ctx, &in, nonce)
	})
	return outcome, w.finish(ctx, err)
}

// claim says at every destination that answers who is about to start the command. One
// that knows of somebody else settles it.
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
	return slices.Contains(errs, nil), silence(errs)
}
