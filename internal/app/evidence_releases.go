package app

import (
	"context"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// findReleases says whether a rollback, and a try of a release on staging, went well
// lately. The digest says which destinations need not be asked.
func findReleases(ctx context.Context, cfg *config.Config, plan *recovery.Plan, d *recovery.Digest) (rollback, staging recovery.Finding) {
	if plan.Deploy == nil {
		none := recovery.Finding{Answer: recovery.No, Text: "the config does not say how releases are deployed"}
		return none, none
	}
	records, silent := recordsOf(ctx, cfg, plan.Service, d)
	judge := func(ok bool, text string) recovery.Finding {
		switch {
		case ok:
			return recovery.Finding{Answer: recovery.Yes, Text: text}
		case silent != "": // it may have a record that says otherwise
			return recovery.Finding{Text: silent}
		}
		return recovery.Finding{Answer: recovery.No, Text: text}
	}
	return judge(release.RollbackTried(records, d.At)), judge(release.StagingTried(records, d.At))
}

// recordsOf joins what the destinations know of a service's releases. silent is why
// the first of those that do not answer does not.
func recordsOf(ctx context.Context, cfg *config.Config, service string, d *recovery.Digest) (records []release.Record, silent string) {
	trusted, err := TrustedKeys(cfg)
	if err != nil {
		return nil, err.Error()
	}
	var lists [][]release.Record
	asking := newAsking()
	for i, dest := range cfg.DestinationSpecs() {
		why := d.Destinations[i].Error
		if why == "" {
			list, err := ask(ctx, asking, dest.Name, func(ctx context.Context) ([]release.Record, error) {
				v, err := OpenVault(ctx, cfg, dest)
				if err != nil {
					return nil, err
				}
				defer func() { _ = v.Close() }()
				return ReadRecords(ctx, v, trusted, service, release.MaxRecords)
			})
			if err == nil {
				lists = append(lists, list)
				continue
			}
			why = err.Error()
		}
		if silent == "" {
			silent = why
		}
	}
	return release.Merge(lists, release.MaxRecords), silent
}
