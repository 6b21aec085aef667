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
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
	Book        approval.Book            `json:"book"`
}

// RecordDecision writes what was decided to the bucket, before anybody acts on it.
// It returns false if another run has used this request: an approval counts once,
// also when a run is reset and its signals are applied again.
func (a *Approvals) RecordDecision(ctx context.Context, in RecordDecisionInput) (bool, error) {
	ctx, w := begin(ctx, "recording the decision")
	var fresh bool
	err := useStore(ctx, a.Stores, in.Destination, in.Encryption, func(s Store) error {
		var err error
		fresh, err = s.Decide(ctx, &in.Book)
		return err
	})
	return fresh, w.finish(ctx, err)
}
