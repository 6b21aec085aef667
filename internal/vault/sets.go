package vault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// parallel bounds the requests that one listing has under way.
const parallel = 8

// CommitSet makes a set exist: the guide is written first and the manifest last,
// if there is none. Committing the same manifest again is a success; if another
// stands there, nothing is changed and the error is ErrExists.
func (v *Vault) CommitSet(ctx context.Context, service string, set recovery.SetID, manifest, guide []byte) error {
	switch there, err := v.Manifest(ctx, service, set); {
	case err == nil && bytes.Equal(there, manifest):
		return nil
	case err == nil:
		return v.fail(ErrExists, "commit set %s of %s", set, service)
	case !errors.Is(err, recovery.ErrNotFound):
		return err
	}
	if err := v.putGuide(ctx, recovery.GuideKey(service, set), guide); err != nil {
		return err
	}
	return v.PutOnce(ctx, recovery.ManifestKey(service, set), manifest)
}

// putGuide replaces the guide that an earlier try left, unless the destination
// forbids that: then the earlier one, made from the same manifest, stays.
func (v *Vault) putGuide(ctx context.Context, key string, guide []byte) error {
	err := v.PutOnce(ctx, key, guide)
	if errors.Is(err, ErrExists) {
		err = v.Put(ctx, key, guide)
	}
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// Manifest reads the manifest of a set as it is stored: not checked.
func (v *Vault) Manifest(ctx context.Context, service string, set recovery.SetID) ([]byte, error) {
	return v.Get(ctx, recovery.ManifestKey(service, set))
}

// Sets lists the committed sets of a service that were begun at since or later,
// newest first: at most limit, all if limit is 0. Those that have a tombstone signed
// by a trusted key are left out, see Pruning.
func (v *Vault) Sets(ctx context.Context, service string, trusted []recovery.PublicKey, since time.Time, limit int) ([]recovery.SetID, error) {
	ids, _, err := v.sets(ctx, service, trusted, since, limit)
	return ids, err
}

// sets says as well which of them have a tombstone that is not believed, and why.
func (v *Vault) sets(ctx context.Context, service string, trusted []recovery.PublicKey, since time.Time, limit int) ([]recovery.SetID, doubts, error) {
	known := map[recovery.SetID]bool{}
	for _, from := range windows(time.Now(), since, limit) {
		ids, doubted, err := v.keptFolders(ctx, service, trusted, from)
		if err != nil {
			return nil, nil, err
		}
		var committed []recovery.SetID
		for chunk := range slices.Chunk(ids, cmp.Or(limit, len(ids), 1)) {
			if err := v.lookUp(ctx, service, chunk, known); err != nil {
				return nil, nil, err
			}
			for _, id := range chunk {
				if known[id] {
					committed = append(committed, id)
				}
			}
			if limit > 0 && len(committed) >= limit {
				return committed[:limit], doubted, nil
			}
		}
		if from.Equal(since) {
			return committed, doubted, nil
		}
	}
	return nil, nil, nil
}

// windows says from when on to list, one try after the other: S3 lists forward
// only, so the newest of many are found by stepping back ever farther.
func windows(now, since time.Time, limit int) []time.Time {
	var from []time.Time
	const day = 24 * time.Hour
	for back := 2 * day; limit > 0 && back <= 1024*day; back *= 4 {
		if t := now.Add(-back); t.After(since) {
			from = append(from, t)
		}
	}
	return append(from, since)
}

// setFolders lists the folders of sets begun at from or later, newest first,
// committed or not.
func (v *Vault) setFolders(ctx context.Context, service string, from time.Time) ([]recovery.SetID, error) {
	if err := recovery.CheckName("service", service); err != nil {
		return nil, v.fail(recovery.NewFault(recovery.Permanent, err, ""), "list sets")
	}
	names, _, err := v.store.below(ctx, recovery.SetsPrefix(service), before(from))
	if err != nil {
		return nil, v.fail(err, "list sets of %s", service)
	}
	ids := setIDs(names, "")
	slices.Reverse(ids)
	return ids, nil
}

// setIDs reads the ids of sets out of names that end alike, in order. Other names are
// not ours.
func setIDs(names []string, ending string) []recovery.SetID {
	var ids []recovery.SetID
	for _, name := range names {
		if id, err := recovery.ParseSetID(strings.TrimSuffix(name, ending)); err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// before sorts before any set id of that second, and after all earlier ones.
func before(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return string(recovery.NewSetID(t, ""))
}

// lookUp fills known: is there a manifest?
func (v *Vault) lookUp(ctx context.Context, service string, ids []recovery.SetID, known map[recovery.SetID]bool) error {
	committed := make([]bool, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, id := range ids {
		if _, ok := known[id]; ok {
			committed[i] = known[id]
			continue
		}
		group.Go(func() (err error) {
			committed[i], err = v.exists(ctx, recovery.ManifestKey(service, id))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, id := range ids {
		known[id] = committed[i]
	}
	return nil
}

func (v *Vault) exists(ctx context.Context, key string) (bool, error) {
	bucket, err := v.store.bucket()
	if err != nil {
		return false, v.fail(err, "look for %s", key)
	}
	there, err := bucket.Exists(ctx, key)
	return there, v.fail(err, "look for %s", key)
}

// Services names the services that have something here, sorted.
func (v *Vault) Services(ctx context.Context) ([]string, error) {
	names, _, err := v.store.below(ctx, "", "")
	if err != nil {
		return nil, v.fail(err, "list services")
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == checkFolder || recovery.CheckName("service", name) != nil })
	slices.Sort(names)
	return names, nil
}

// FindSet says which service a committed set belongs to; recovery.ErrNotFound if none has it.
func (v *Vault) FindSet(ctx context.Context, set recovery.SetID) (service string, err error) {
	if _, err := recovery.ParseSetID(string(set)); err != nil {
		return "", v.fail(recovery.NewFault(recovery.Permanent, err, ""), "find set")
	}
	services, err := v.Services(ctx)
	if err != nil {
		return "", err
	}
	for _, service := range services {
		there, err := v.exists(ctx, recovery.ManifestKey(service, set))
		if err != nil {
			return "", err
		}
		if there {
			return service, nil
		}
	}
	return "", v.fail(recovery.ErrNotFound, "find set %s", set)
}

// Proofs reads the verification log of a set as it is stored, oldest first.
func (v *Vault) Proofs(ctx context.Context, service string, set recovery.SetID) ([][]byte, error) {
	keys, err := v.list(ctx, recovery.ProofsPrefix(service, set), "")
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return !strings.HasSuffix(key, ".json") })
	proofs := make([][]byte, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, key := range keys {
		group.Go(func() (err error) {
			proofs[i], err = v.Get(ctx, key)
			return err
		})
	}
	return proofs, group.Wait()
}

// list names all objects below prefix whose names sort after the one given, sorted.
func (v *Vault) list(ctx context.Context, prefix, after string) ([]string, error) {
	bucket, err := v.store.bucket()
	if err != nil {
		return nil, v.fail(err, "list %s", prefix)
	}
	options := &blob.ListOptions{Prefix: prefix, BeforeList: func(as func(any) bool) error {
		var in *s3.ListObjectsV2Input
		if after != "" && as(&in) {
			in.StartAfter = aws.String(aws.ToString(in.Prefix) + after)
		}
		return nil
	}}
	var keys []string
	for token := blob.FirstPageToken; len(token) > 0; {
		var page []*blob.ListObject
		page, token, err = bucket.ListPage(ctx, token, listPage, options)
		if err != nil {
			return nil, v.fail(err, "list %s", prefix)
		}
		for _, o := range page {
			if o.Key > prefix+after { // a folder lists all
				keys = append(keys, o.Key)
			}
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// belongs checks that a signed document stands where it was signed for: a good
// signature does not make an old set's document a new one's.
func belongs(service string, set recovery.SetID, signedService string, signedSet recovery.SetID) error {
	if service == signedService && set == signedSet {
		return nil
	}
	return recovery.NewFault(recovery.Damaged, fmt.Errorf("it is that of set %s of %s", signedSet, signedService), "")
}
