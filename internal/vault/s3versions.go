package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// pruneRights are what removing needs. Those that only look are needed too: what
// may not be looked at is not removed.
const pruneRights = "GetBucketVersioning, ListBucket, ListBucketVersions, GetObjectRetention, GetObjectLegalHold, DeleteObject, DeleteObjectVersion, GetObject and PutObject"

// pruning makes a refusal of one that the credentials met while removing.
func (s *s3Store) pruning(err error) error {
	if !isDenied(err) {
		return err
	}
	return recovery.NewFault(recovery.Permanent, &refusal{errors.New(answer(err))}, fmt.Sprintf("give the key that prunes bucket %s the rights %s", s.name, pruneRights))
}

// versions asks first whether there are any: on a bucket that never had versions
// the right to remove one is not needed.
func (s *s3Store) versions(ctx context.Context, prefix string) ([]version, error) {
	out, err := s.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &s.name})
	if err != nil && !isUnknown(err) {
		return nil, s.pruning(err)
	}
	if err != nil || out.Status == "" {
		found, err := s.objects(ctx, prefix)
		return found, s.pruning(err)
	}
	var found []version
	pages := s3.NewListObjectVersionsPaginator(s.client, &s3.ListObjectVersionsInput{Bucket: &s.name, Prefix: s.key(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.pruning(err)
		}
		for _, o := range page.Versions {
			found = append(found, version{key: s.relative(o.Key), id: aws.ToString(o.VersionId), size: aws.ToInt64(o.Size)})
		}
		for _, o := range page.DeleteMarkers {
			found = append(found, version{key: s.relative(o.Key), id: aws.ToString(o.VersionId), marker: true})
		}
	}
	return found, nil
}

// objects lists what can be read below prefix.
func (s *s3Store) objects(ctx context.Context, prefix string) ([]version, error) {
	var found []version
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.name, Prefix: s.key(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			found = append(found, version{key: s.relative(o.Key), size: aws.ToInt64(o.Size)})
		}
	}
	return found, nil
}

func (s *s3Store) relative(key *string) string {
	return strings.TrimPrefix(aws.ToString(key), s.prefix)
}

func (v version) idOrNil() *string {
	if v.id == "" {
		return nil
	}
	return &v.id
}

// retention asks for the lock itself: the head of an object leaves it out, without
// an error, where the right to see it is missing.
func (s *s3Store) retention(ctx context.Context, of version) (retention, error) {
	var found retention
	locked, err := s.client.GetObjectRetention(ctx, &s3.GetObjectRetentionInput{Bucket: &s.name, Key: s.key(of.key), VersionId: of.idOrNil()})
	switch {
	case isUnlocked(err):
	case err != nil:
		return found, s.pruning(err)
	case locked.Retention != nil:
		found.until = aws.ToTime(locked.Retention.RetainUntilDate)
	}
	held, err := s.client.GetObjectLegalHold(ctx, &s3.GetObjectLegalHoldInput{Bucket: &s.name, Key: s.key(of.key), VersionId: of.idOrNil()})
	switch {
	case isUnlocked(err):
	case err != nil:
		return found, s.pruning(err)
	case held.LegalHold != nil:
		found.hold = held.LegalHold.Status == types.ObjectLockLegalHoldStatusOn
	}
	return found, nil
}

// isUnlocked says that an object or its bucket has no lock, that the server knows
// of none, or that the object is gone.
func isUnlocked(err error) bool {
	return isUnlockable(err) || isUnknown(err) || hasCode(err, "NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "NoSuchKey", "NoSuchVersion")
}

// isUnknown says that the server does not have what was asked of it.
func isUnknown(err error) bool { return hasCode(err, "NotImplemented", "VersioningNotConfigured") }

// mayErase asks to remove what is not there: rights are looked at first. It asks in
// the way of the removals to come, since a version needs a right of its own, and
// a plain removal would leave a marker in a bucket that has versions.
func (s *s3Store) mayErase(ctx context.Context, prefix string, versions []version) error {
	probe := version{key: prefix + "may-this-be-removed"}
	if versions[0].id != "" {
		probe.id = "null"
	}
	return s.erase(ctx, probe)
}

func (s *s3Store) erase(ctx context.Context, v version) error { return s.pruning(s.drop(ctx, v)) }

func (s *s3Store) drop(ctx context.Context, v version) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.name, Key: s.key(v.key), VersionId: v.idOrNil()})
	if hasCode(err, "NoSuchKey", "NoSuchVersion", "NotFound") {
		return nil
	}
	return err
}
