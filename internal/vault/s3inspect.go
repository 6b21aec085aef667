package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// inspector is one inspection of a bucket.
type inspector struct {
	*s3Store
	found  *Inspection
	object string // key of the probe object

	versioning  types.BucketVersioningStatus
	versionsErr error // why it is not known
	lock        *types.ObjectLockConfiguration
	lockErr     error

	probe probe
}

func (s *s3Store) inspect(ctx context.Context) (*Inspection, error) {
	i := &inspector{s3Store: s, found: &Inspection{}, object: checkFolder + "/" + rand.Text()}
	for _, step := range []func(context.Context) error{i.look, i.tryRights, i.tryDestroying} {
		if err := step(ctx); err != nil {
			i.tidy(ctx)
			return nil, err
		}
	}
	i.judgeProtection()
	i.judgeVersioning()
	i.judgeLock()
	for _, step := range []func(context.Context) error{i.judgePublic, i.judgeLifecycle} {
		if err := step(ctx); err != nil {
			i.tidy(ctx)
			return nil, err
		}
	}
	i.found.add("credential age", NotKnown, "an S3 server does not tell how old a key is", "renew the access key every 90 days")
	i.tidy(ctx)
	return i.found, nil
}

// look asks how the bucket is set up.
func (i *inspector) look(ctx context.Context) error {
	versioning, err := i.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &i.name})
	if i.versionsErr = err; err == nil {
		i.versioning = versioning.Status
	}
	if err := fatal(err); err != nil {
		return err
	}
	lock, err := i.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &i.name})
	switch {
	case err == nil:
		i.lock = lock.ObjectLockConfiguration
	case !hasCode(err, "ObjectLockConfigurationNotFoundError"):
		i.lockErr = err
	}
	return fatal(err)
}

// fatal tells a failure to ask from an answer, which is a finding.
func fatal(err error) error {
	var api smithy.APIError
	if err == nil {
		return nil
	}
	if !errors.As(err, &api) || hasCode(err, "NoSuchBucket", "InvalidBucketName", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
		"AuthorizationHeaderMalformed", "PermanentRedirect", "MovedPermanently", "RequestTimeTooSkewed") {
		return err
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError && response.HTTPStatusCode() != http.StatusNotImplemented {
		return err
	}
	return nil
}

// answer is what the server said, for a sentence.
func answer(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return fmt.Sprint(err)
}

// locking says whether something locks what is written: the destination's lock, or
// the bucket's own.
func (i *inspector) locking() bool {
	return i.canLock() && (i.terms.lock != "" || i.defaultRetention() != nil)
}

func (i *inspector) canLock() bool {
	return i.lock != nil && i.lock.ObjectLockEnabled == types.ObjectLockEnabledEnabled
}

func (i *inspector) defaultRetention() *types.DefaultRetention {
	if i.lock == nil || i.lock.Rule == nil {
		return nil
	}
	return i.lock.Rule.DefaultRetention
}

func (i *inspector) judgeVersioning() {
	mend := "turn versioning on"
	switch {
	case i.versioning == types.BucketVersioningStatusEnabled:
		i.found.add("versioning", Good, "is on", "")
	case i.versionsErr != nil && i.probe.versioned():
		i.found.add("versioning", Good, "is on: what was written got a version", "")
	case i.versionsErr != nil:
		i.found.add("versioning", NotKnown, "the server does not tell: "+answer(i.versionsErr), "let the access key GetBucketVersioning")
	case i.probe.safe():
		i.found.add("versioning", Good, "is off, and not needed: this key can neither replace nor remove an object", "")
	default:
		i.found.add("versioning", Bad, "is off: what is replaced or removed is gone", mend)
	}
}

func (i *inspector) judgeLock() {
	kept := i.defaultRetention()
	switch {
	case i.lockErr != nil:
		i.found.add("object lock", NotKnown, "the server does not tell: "+answer(i.lockErr), "let the access key GetBucketObjectLockConfiguration")
	case !i.canLock() && i.terms.lock != "":
		i.found.add("object lock", Bad, "is off, but the configuration asks for a lock: every backup would fail", "make a bucket with object lock, or take lock out of the configuration")
	case !i.canLock() && i.probe.safe() && !i.probe.versioned():
		i.found.add("object lock", Good, "is off, and not needed against this key: it can neither replace nor remove an object", "")
	case !i.canLock():
		i.found.add("object lock", Bad, "is off: nothing keeps a set from being removed before its time", "make a bucket with object lock, and give the destination a lock")
	case i.terms.lock != "":
		i.found.add("object lock", Good, fmt.Sprintf("is on; every object is locked for %s (%s)", recovery.Duration(i.terms.lockFor), i.terms.lock), "")
	case kept != nil && kept.Mode != "":
		i.found.add("object lock", Good, fmt.Sprintf("is on; the bucket locks every object for %s (%s)", span(kept), kept.Mode), "")
	default:
		i.found.add("object lock", Bad, "is on, but locks nothing: neither the bucket nor the configuration says for how long", "give the destination a lock, such as {mode: compliance, for: 30d}")
	}
}

func span(r *types.DefaultRetention) string {
	n, unit := aws.ToInt32(r.Days), "day"
	if years := aws.ToInt32(r.Years); years > 0 {
		n, unit = years, "year"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
