package vault

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// terms are what a server is asked to do with the objects that it is given.
type terms struct {
	class      types.StorageClass // empty: the server's own choice
	encryption types.ServerSideEncryption
	kmsKey     *string
	lock       types.ObjectLockMode // empty: none
	lockFor    time.Duration
}

func termsOf(spec recovery.DestinationSpec) (terms, error) {
	t := terms{class: types.StorageClass(spec.Class)}
	if e := spec.ServerSide; e != nil {
		t.encryption = types.ServerSideEncryption(e.Algorithm)
		if t.encryption != types.ServerSideEncryptionAes256 && t.encryption != types.ServerSideEncryptionAwsKms {
			return t, fmt.Errorf("read serverSide %q: it must be AES256 or aws:kms", e.Algorithm)
		}
		if e.Key != "" {
			t.kmsKey = aws.String(e.Key)
		}
	}
	if l := spec.Lock; l != nil {
		modes := map[string]types.ObjectLockMode{"governance": types.ObjectLockModeGovernance, "compliance": types.ObjectLockModeCompliance}
		t.lock, t.lockFor = modes[l.Mode], l.For.Std()
		if t.lock == "" || t.lockFor <= 0 {
			return t, fmt.Errorf("read lock %q for %s: it must be governance or compliance, for a time", l.Mode, l.For)
		}
	}
	return t, nil
}

// until is when the lock of an object written now ends. S3 counts in seconds, and
// refuses a time that has passed.
func (t terms) until() *time.Time {
	return aws.Time(time.Now().Add(t.lockFor).UTC().Truncate(time.Second).Add(time.Second))
}

func (t terms) put(in *s3.PutObjectInput) {
	in.ServerSideEncryption, in.SSEKMSKeyId = t.encryption, t.kmsKey
	if t.lock != "" {
		in.ObjectLockMode, in.ObjectLockRetainUntilDate = t.lock, t.until()
	}
}

func (t terms) multipart(in *s3.CreateMultipartUploadInput) {
	in.StorageClass, in.ServerSideEncryption, in.SSEKMSKeyId = t.class, t.encryption, t.kmsKey
	if t.lock != "" {
		in.ObjectLockMode, in.ObjectLockRetainUntilDate = t.lock, t.until()
	}
}
