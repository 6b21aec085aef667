package vault

import (
	"context"
	"slices"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Try is a restore or a drill of a set that was tried, as the key of its proof says.
// The proof itself was not read: it need not be signed, nor have gone well.
type Try struct {
	Set   recovery.SetID
	Kind  recovery.ProofKind
	Began time.Time
}

// Tries lists the restores and drills of the sets of a service that were begun at
// since or later, the last try first.
func (v *Vault) Tries(ctx context.Context, service string, since time.Time) ([]Try, error) {
	if err := recovery.CheckName("service", service); err != nil {
		return nil, v.fail(recovery.NewFault(recovery.Permanent, err, ""), "list proofs")
	}
	keys, err := v.list(ctx, recovery.AllProofsPrefix(service), before(since))
	if err != nil {
		return nil, err
	}
	var tries []Try
	for _, key := range keys {
		set, began, kind, err := recovery.ReadProofKey(key)
		if err == nil && (kind == recovery.ProofRestore || kind == recovery.ProofDrill) { // others are not asked for
			tries = append(tries, Try{set, kind, began})
		}
	}
	slices.SortStableFunc(tries, func(a, b Try) int { return b.Began.Compare(a.Began) })
	return tries, nil
}

// LastTried says when a restore or a drill of any set of a service was last tried
// here; zero if never. It looks at the newest sets first and no farther back than to
// the first that were tried: that an older set was tried since is then not seen.
func (v *Vault) LastTried(ctx context.Context, service string) (time.Time, error) {
	for _, from := range windows(time.Now(), time.Time{}, 1) {
		tries, err := v.Tries(ctx, service, from)
		if err != nil {
			return time.Time{}, err
		}
		if len(tries) > 0 {
			return tries[0].Began, nil
		}
	}
	return time.Time{}, nil
}
