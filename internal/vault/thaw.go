package vault

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// thawedDays is how long S3 keeps what it brought back: for the slowest class, a
// restore, and a second try of it.
const thawedDays = 7

// thawTimes are the longest times that S3 names for bringing an object back by the
// standard or the bulk tier, by storage class:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html
var thawTimes = map[types.StorageClass]time.Duration{
	types.StorageClassGlacier:     12 * time.Hour,
	types.StorageClassDeepArchive: 48 * time.Hour,
}

// Thaw says whether objects can be read.
type Thaw struct {
	Ready    bool              `json:"ready"`             // all of them
	Waiting  []string          `json:"waiting,omitempty"` // keys of those that cannot be read yet
	Expected recovery.Duration `json:"expected,omitempty"`
	Class    string            `json:"class,omitempty"` // the slowest of those waiting
}

// Thaw says which of the objects lie in cold storage and cannot be read yet. With
// fetch it asks for those to be brought back, for seven days; asking again changes
// nothing. It is called again until all are there.
func (v *Vault) Thaw(ctx context.Context, keys []string, fetch bool) (Thaw, error) {
	s, ok := v.store.(*s3Store)
	if !ok {
		return Thaw{Ready: true}, nil
	}
	classes := make([]types.StorageClass, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, key := range keys {
		group.Go(func() (err error) {
			classes[i], err = s.thaw(ctx, key, fetch)
			return v.fail(err, "bring %s back from cold storage", key)
		})
	}
	if err := group.Wait(); err != nil {
		return Thaw{}, err
	}
	var t Thaw
	for i, class := range classes {
		if class == "" {
			continue
		}
		t.Waiting = append(t.Waiting, keys[i])
		if takes := recovery.Duration(thawTimes[class]); takes > t.Expected {
			t.Expected, t.Class = takes, string(class)
		}
	}
	t.Ready = len(t.Waiting) == 0
	return t, nil
}

// thaw returns the class in which an object cannot be read yet, empty if it can be.
func (s *s3Store) thaw(ctx context.Context, key string, fetch bool) (types.StorageClass, error) {
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.name, Key: s.key(key)})
	if err != nil {
		if _, missing := errors.AsType[*types.NotFound](err); missing {
			err = recovery.ErrNotFound
		}
		return "", err
	}
	restore := aws.ToString(head.Restore) // ongoing-request="false", expiry-date="…"
	switch {
	case thawTimes[head.StorageClass] == 0, strings.Contains(restore, `ongoing-request="false"`):
		return "", nil
	case restore != "", !fetch:
		return head.StorageClass, nil
	}
	_, err = s.client.RestoreObject(ctx, &s3.RestoreObjectInput{
		Bucket: &s.name, Key: s.key(key), VersionId: head.VersionId,
		RestoreRequest: &types.RestoreRequest{
			Days: aws.Int32(thawedDays), GlacierJobParameters: &types.GlacierJobParameters{Tier: types.TierStandard},
		},
	})
	if hasCode(err, "RestoreAlreadyInProgress") {
		err = nil
	}
	return head.StorageClass, err
}
