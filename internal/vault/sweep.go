package vault

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// sweptSets bounds how many of the newest sets are looked at.
const sweptSets = 50

// Swept says what a sweep did. That something could not be removed is no error:
// a key that may put, get and list is all that a backup needs.
type Swept struct {
	Removed []string `json:"removed,omitempty"` // keys of objects and unfinished uploads
	Left    []string `json:"left,omitempty"`
	Reason  string   `json:"reason,omitempty"` // why the first was left
}

func (s *Swept) note(key string, err error) {
	if err == nil {
		s.Removed = append(s.Removed, key)
		return
	}
	s.Left = append(s.Left, key)
	if s.Reason == "" {
		s.Reason = err.Error()
	}
}

// SweepSets removes what killed or failed runs of a service left among the sets
// older than current: unfinished uploads, the objects of sets that were never
// committed, and objects that a committed set does not name. It is called when a
// backup begins: then whoever still writes there was given up. What any set at the
// destination refers to is kept, though the set that it was made for is not here.
//
// A set without a manifest is kept if it has proofs, because then it had one. A
// set whose manifest is not signed by a trusted key is kept as it is. What is left
// of a set that has a tombstone is PruneSet's.
func (v *Vault) SweepSets(ctx context.Context, service string, current recovery.SetID, trusted []recovery.PublicKey) (Swept, error) {
	var swept Swept
	older := func(key string) bool {
		folder, _, _ := strings.Cut(strings.TrimPrefix(key, recovery.SetsPrefix(service)), "/")
		set, err := recovery.ParseSetID(folder)
		return err == nil && set < current
	}
	if err := v.sweepUploads(ctx, recovery.SetsPrefix(service), older, &swept); err != nil {
		return swept, err
	}
	ids, err := v.newestBefore(ctx, service, current, trusted)
	if err != nil {
		return swept, err
	}
	var all []remains
	for _, id := range ids {
		r, err := v.remainsIn(ctx, service, id, trusted, &swept)
		if err != nil {
			return swept, err
		}
		all = append(all, r)
	}
	return swept, v.sweepRemains(ctx, service, all, trusted, &swept)
}

// SweepSet removes what the lost attempts of a committed set left in its folder.
func (v *Vault) SweepSet(ctx context.Context, service string, set recovery.SetID, trusted []recovery.PublicKey) (Swept, error) {
	var swept Swept
	m, err := v.readManifest(ctx, service, set, trusted)
	if err != nil {
		return swept, err
	}
	all := func(string) bool { return true }
	if err := v.sweepUploads(ctx, recovery.SetPrefix(service, set), all, &swept); err != nil {
		return swept, err
	}
	r, err := v.losers(ctx, m)
	if err != nil {
		return swept, err
	}
	return swept, v.sweepRemains(ctx, service, []remains{r}, trusted, &swept)
}

// newestBefore lists the folders of the newest sets older than current.
func (v *Vault) newestBefore(ctx context.Context, service string, current recovery.SetID, trusted []recovery.PublicKey) ([]recovery.SetID, error) {
	var older []recovery.SetID
	for _, from := range windows(current.Time(), time.Time{}, sweptSets) {
		ids, _, err := v.keptFolders(ctx, service, trusted, from)
		if err != nil {
			return nil, err
		}
		older = ids[:0]
		for _, id := range ids {
			if id < current && len(older) < sweptSets {
				older = append(older, id)
			}
		}
		if len(older) == sweptSets {
			break
		}
	}
	return older, nil
}

func (v *Vault) sweepUploads(ctx context.Context, prefix string, doomed func(key string) bool, swept *Swept) error {
	uploads, err := v.store.unfinished(ctx, prefix)
	uploads = slices.DeleteFunc(uploads, func(u unfinished) bool { return !doomed(u.key) })
	return v.abortAll(ctx, prefix, uploads, err, swept)
}

// abortAll removes unfinished uploads; err is that of listing them below prefix.
func (v *Vault) abortAll(ctx context.Context, prefix string, uploads []unfinished, err error, swept *Swept) error {
	if err != nil {
		if err = v.fail(err, "list unfinished uploads"); recovery.KindOf(err) == recovery.Permanent {
			swept.note("unfinished uploads below "+prefix, err)
			return nil
		}
		return err
	}
	for _, u := range uploads {
		if err := u.abort(ctx); !isNoSuchUpload(err) { // it may have ended by itself
			swept.note(u.key, v.fail(err, "remove unfinished upload %s", u.key))
		}
	}
	return ctx.Err()
}

// AbortStale removes the uploads of Lifeboat anywhere at the destination that were
// begun longer ago than any upload takes, and never ended. What others keep in the
// same bucket or folder is theirs.
func (v *Vault) AbortStale(ctx context.Context, olderThan time.Duration) (Swept, error) {
	var swept Swept
	uploads, err := v.store.stale(ctx, time.Now().Add(-olderThan))
	uploads = slices.DeleteFunc(uploads, func(u unfinished) bool { return !inLayout(u.key) })
	return swept, v.abortAll(ctx, "", uploads, err, &swept)
}

// inLayout says whether a key is one of the layout in package recovery.
func inLayout(key string) bool {
	first, rest, _ := strings.Cut(key, "/")
	if first == "drills" {
		return rest != ""
	}
	kind, rest, _ := strings.Cut(rest, "/")
	return rest != "" && recovery.CheckName("service", first) == nil && slices.Contains([]string{"sets", "proofs", "decisions", "pruned"}, kind)
}
