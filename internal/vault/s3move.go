package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// copyLimit is the largest object, and the largest part of one, that S3 copies at
// once, in bytes.
const copyLimit = 5 << 30

// move copies an object onto itself in another storage class, in parts of partSize
// if it is larger than that; false if it is there already.
func (s *s3Store) move(ctx context.Context, key, class string, partSize int64) (bool, error) {
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.name, Key: s.key(key)})
	if err != nil {
		return false, err
	}
	if cmp.Or(head.StorageClass, types.StorageClassStandard) == types.StorageClass(class) {
		return false, nil
	}
	old := version{key: key, id: aws.ToString(head.VersionId)}
	if err := s.mayMove(ctx, old); err != nil {
		return false, err
	}
	var made *string
	if aws.ToInt64(head.ContentLength) > partSize {
		made, err = s.copyParts(ctx, key, class, head, partSize)
	} else {
		made, err = s.copyWhole(ctx, key, class, head)
	}
	if err != nil {
		return false, err
	}
	// Some servers change an object in place: then its version is the only one. And
	// credentials that may not remove leave the old version to pruning.
	if old.id == "" || aws.ToString(made) == "" || *made == old.id {
		return true, nil
	}
	if err := s.erase(ctx, old); err != nil && recovery.KindOf(err) != recovery.Permanent {
		return true, err
	}
	return true, nil
}

// mayMove refuses what is locked.
func (s *s3Store) mayMove(ctx context.Context, old version) error {
	r, err := s.retention(ctx, old)
	switch {
	case err != nil:
		return err
	case r.hold:
		return recovery.NewFault(recovery.Permanent, errors.New("it has a legal hold"), "")
	case r.until.After(time.Now()):
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("it is locked until %s", r.until.UTC().Format(time.RFC3339)), "")
	}
	return nil
}

// source names an object as copying wants it.
func (s *s3Store) source(key string) *string {
	return aws.String(strings.NewReplacer("%2F", "/", "+", "%20").Replace(url.QueryEscape(s.name + "/" + s.prefix + key)))
}

// copyWhole returns the version that it made, if there are versions. It gives the
// metadata anew, because not every server takes a new class alone for a change. The
// condition is that nobody writes meanwhile.
func (s *s3Store) copyWhole(ctx context.Context, key, class string, head *s3.HeadObjectOutput) (made *string, err error) {
	out, err := s.client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &s.name, Key: s.key(key), CopySource: s.source(key), CopySourceIfMatch: head.ETag,
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: head.Metadata, ContentType: head.ContentType,
		StorageClass: types.StorageClass(class), ServerSideEncryption: s.terms.encryption, SSEKMSKeyId: s.terms.kmsKey,
	}, func(o *s3.Options) { o.HTTPClient = s.join })
	if err != nil {
		return nil, err
	}
	return out.VersionId, nil
}

// copyParts is copyWhole for what is too large for it.
func (s *s3Store) copyParts(ctx context.Context, key, class string, head *s3.HeadObjectOutput, partSize int64) (made *string, err error) {
	begun, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.name, Key: s.key(key), Metadata: head.Metadata, ContentType: head.ContentType,
		StorageClass: types.StorageClass(class), ServerSideEncryption: s.terms.encryption, SSEKMSKeyId: s.terms.kmsKey,
	})
	if err != nil {
		return nil, err
	}
	parts, err := s.copyRanges(ctx, key, begun.UploadId, head, partSize)
	if err == nil {
		var out *s3.CompleteMultipartUploadOutput
		out, err = s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &s.name, Key: s.key(key), UploadId: begun.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		}, func(o *s3.Options) { o.HTTPClient = s.join })
		if err == nil {
			return out.VersionId, nil
		}
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	_, _ = s.client.AbortMultipartUpload(end, &s3.AbortMultipartUploadInput{Bucket: &s.name, Key: s.key(key), UploadId: begun.UploadId}) // or AbortStale
	return nil, err
}

func (s *s3Store) copyRanges(ctx context.Context, key string, upload *string, head *s3.HeadObjectOutput, partSize int64) ([]types.CompletedPart, error) {
	var parts []types.CompletedPart
	size := aws.ToInt64(head.ContentLength)
	for from := int64(0); from < size; from += partSize {
		number := aws.Int32(int32(len(parts) + 1))
		out, err := s.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: &s.name, Key: s.key(key), UploadId: upload, PartNumber: number,
			CopySource: s.source(key), CopySourceIfMatch: head.ETag,
			CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", from, min(from+partSize, size)-1)),
		}, func(o *s3.Options) { o.HTTPClient = s.join })
		if err != nil {
			return nil, err
		}
		parts = append(parts, types.CompletedPart{PartNumber: number, ETag: out.CopyPartResult.ETag})
	}
	return parts, nil
}
