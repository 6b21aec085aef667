package vault

import (
	"context"
	"errors"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Moved says what Reclass did. What could not be moved is no error: it can be
// restored from where it is, and the next call tries again.
type Moved struct {
	Objects int      `json:"objects"`          // moved by this call
	Left    []string `json:"left,omitempty"`   // keys
	Reason  string   `json:"reason,omitempty"` // why the first was left
}

// Reclass moves the artefacts in the folder of a set to a storage class; what is
// there already stays. The manifest and the guide are read without waiting, so they
// are not moved. An object that is locked is left: where there are versions its old
// one would stay, and be paid for, beside the new one, and elsewhere it cannot be
// written over. An object that was moved has no lock.
func (v *Vault) Reclass(ctx context.Context, service string, set recovery.SetID, class string) (Moved, error) {
	var moved Moved
	s, ok := v.store.(*s3Store)
	if !ok {
		return moved, v.fail(recovery.NewFault(recovery.Permanent, errors.New("a folder has no storage classes"), "take classes out of the configuration"), "move set %s", set)
	}
	objects, err := s.objects(ctx, recovery.SetPrefix(service, set))
	if err != nil {
		return moved, v.fail(err, "list set %s of %s", set, service)
	}
	for _, o := range objects {
		if o.key == recovery.ManifestKey(service, set) || o.key == recovery.GuideKey(service, set) {
			continue
		}
		done, err := s.move(ctx, o.key, class, copyLimit)
		if err = v.fail(err, "move %s to %s", o.key, class); err != nil && recovery.KindOf(err) != recovery.Permanent {
			return moved, err
		}
		switch {
		case err != nil:
			moved.Left = append(moved.Left, o.key)
			if moved.Reason == "" {
				moved.Reason = err.Error()
			}
		case done:
			moved.Objects++
		}
	}
	return moved, nil
}
