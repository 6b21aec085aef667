package activities

import (
	"context"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Approvals checks who decided, and records what was decided. It needs the key
// with which doors vouch.
type Approvals struct {
	Keys   Keys
	Stores Stores
}

// CheckClaimInput holds a claim, and what it vouches for.
type CheckClaimInput struct {
	Key     string         `json:"key"` // a secret's reference
	Subject string         `json:"subject"`
	Claim   approval.Claim `json:"claim"`
}

// CheckClaim says whether one of our own doors made the claim.
func (a *Approvals) CheckClaim(ctx context.Context, in CheckClaimInput) (bool, error) {
	key, err := a.Keys.ApprovalKey(ctx, in.Key)
	if err != nil {
		return false, classify(ctx, err)
	}
	return in.Claim.Vouched(key, in.Subject), nil
}

// RecordDecisionInput holds a settled request.
type RecordDecisionInput struct {
	Destinations []recovery.DestinationSpec `json:"destinations"`
	Encryption   recovery.EncryptionSpec    `json:"encryption"`
	Book         approval.Book              `json:"book"`
}

// RecordedDecision says whether a decision is fresh: whether no other run has used
// its request, as far as the destinations that answer know.
type RecordedDecision struct {
	Fresh   bool     `json:"fresh"`
	Unasked []string `json:"unasked,omitempty"` // destinations that did not answer
}

// RecordDecision writes what was decided to every destination that takes it, before
// anybody acts on it; one at least must. An approval counts once, also when a run is
// reset and its signals are applied again.
func (a *Approvals) RecordDecision(ctx context.Context, in RecordDecisionInput) (*RecordedDecision, error) {
	ctx, w := begin(ctx, "recording the decision")
	fresh, errs := askAll(ctx, recordWithin, in.Destinations, func(ctx context.Context, d recovery.DestinationSpec) (bool, error) {
		return a.record(ctx, d, in)
	})
	if err := silence(errs); err != nil {
		return nil, w.finish(ctx, err)
	}
	out := RecordedDecision{Fresh: true}
	for i, err := range errs {
		if err != nil {
			out.Unasked = append(out.Unasked, in.Destinations[i].Name)
			continue
		}
		out.Fresh = out.Fresh && fresh[i]
	}
	return &out, w.finish(ctx, nil)
}

func (a *Approvals) record(ctx context.Context, dest recovery.DestinationSpec, in RecordDecisionInput) (fresh bool, err error) {
	err = useStore(ctx, a.Stores, dest, in.Encryption, func(s Store) error {
		fresh, err = s.Decide(ctx, &in.Book)
		return err
	})
	return fresh, err
}
