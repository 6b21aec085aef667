package vault

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// mends says what a person must do about an error that stays. The codes are those
// of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; "Forbidden"
// stands in answers without a text.
var mends = map[string]string{
	"AccessDenied":                 "let the access key put, get and list in bucket %s",
	"Forbidden":                    "let the access key put, get and list in bucket %s",
	"AllAccessDisabled":            "let the access key put, get and list in bucket %s",
	"InvalidAccessKeyId":           "correct the access key of bucket %s",
	"SignatureDoesNotMatch":        "correct the secret key of bucket %s",
	"ExpiredToken":                 "renew the access key of bucket %s",
	"InvalidToken":                 "correct the access key of bucket %s",
	"NoSuchBucket":                 "create bucket %s, or correct its name",
	"InvalidBucketName":            "correct the name of bucket %s",
	"AuthorizationHeaderMalformed": "correct the region of bucket %s",
	"PermanentRedirect":            "correct the region or the endpoint of bucket %s",
	"MovedPermanently":             "correct the region or the endpoint of bucket %s",
	"RequestTimeTooSkewed":         "set this machine's clock, or that of the server of bucket %s",
	"NotImplemented":               "use a server for bucket %s that knows conditional writes and multipart uploads",
	"QuotaExceeded":                "raise the quota of bucket %s",
	"InvalidStorageClass":          "correct the storage class of bucket %s",
	"InvalidObjectState":           "have it brought back from the cold storage of bucket %s first: a restore asks for that and waits",
}

// explain keeps what a person can use: the server's code and message, or the
// network's error. The SDK's own text repeats the request.
func (s *s3Store) explain(err error) error {
	var api smithy.APIError
	var network *net.OpError
	var request *url.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &api):
		mend, permanent := mends[api.ErrorCode()]
		switch {
		case isUnlockable(err):
			mend, permanent = "turn object lock on for bucket %s, or take lock out of its destination in the configuration", true
		case strings.HasPrefix(api.ErrorCode(), "KMS."): // KMS.DisabledException and others
			mend, permanent = "correct serverSide.key of bucket %s, or let the access key use it", true
		}
		cause := fmt.Errorf("%s: %s", api.ErrorCode(), api.ErrorMessage())
		if permanent {
			return recovery.NewFault(recovery.Permanent, cause, fmt.Sprintf(mend, s.name))
		}
		return cause
	case errors.As(err, &certificate):
		return recovery.NewFault(recovery.Permanent, certificate, "let this machine trust the certificate of the endpoint")
	case errors.As(err, &network):
		return network
	case errors.As(err, &request):
		return fmt.Errorf("send request: %w", request.Err)
	}
	return err
}

// isUnlockable says that a lock was asked of a bucket that has none. S3 has no code
// of its own for it.
func isUnlockable(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "InvalidRequest" {
		return false
	}
	text := strings.ReplaceAll(strings.ToLower(api.ErrorMessage()), " ", "")
	return strings.Contains(text, "objectlockconfiguration")
}

// isDenied says that the credentials may not do it, or that a lock forbids it.
func isDenied(err error) bool { return hasCode(err, "AccessDenied", "Forbidden", "AllAccessDisabled") }

func hasCode(err error, codes ...string) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	for _, code := range codes {
		if api.ErrorCode() == code {
			return true
		}
	}
	return false
}

// isTaken says that a conditional write found an object, or met another one.
func isTaken(err error) bool {
	return hasCode(err, "PreconditionFailed", "ConditionalRequestConflict")
}

func isNoSuchUpload(err error) bool { return hasCode(err, "NoSuchUpload") }

func isMissingBucket(err error) bool { return hasCode(err, "NoSuchBucket") }
