package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Times after which an S3 server counts as not answering. With three attempts a
// dead server is reported within about ten seconds.
const (
	connectTimeout = 3 * time.Second
	stallTimeout   = 60 * time.Second // without a byte either way
	joinTimeout    = 15 * time.Minute // some servers copy all parts before they answer
	graceTimeout   = 5 * time.Second  // for requests under way when the caller gives up
	cleanupTimeout = 15 * time.Second // for removing what was sent
	attempts       = 3
	maxBackoff     = 2 * time.Second
	listPage       = 1000 // the most that S3 lists at once
)

// s3Store keeps objects in a bucket, below a prefix that is empty or ends in "/".
type s3Store struct {
	client *s3.Client
	http   *http.Client // usual requests
	join   *http.Client // completing a multipart upload
	name   string       // of the bucket
	prefix string
	terms  terms // of what is written
	blobs  *blob.Bucket
}

func openS3(name, prefix string, spec recovery.DestinationSpec, cred Credentials) (*s3Store, error) {
	switch {
	case len(name) < 3 || len(name) > 63:
		return nil, fmt.Errorf("read url %q: a bucket's name has 3 to 63 characters", spec.URL)
	case prefix != "" && checkKey(prefix) != nil:
		return nil, fmt.Errorf("read url %q: the prefix must be a plain path", spec.URL)
	case cred.AccessKey == "" || cred.SecretKey == "":
		return nil, errors.New("read credentials: the access key or the secret key is missing")
	}
	if prefix != "" {
		prefix += "/"
	}
	t, err := termsOf(spec)
	if err != nil {
		return nil, err
	}
	s := &s3Store{http: newHTTPClient(stallTimeout), join: newHTTPClient(joinTimeout), name: name, prefix: prefix, terms: t}
	options := s3.Options{
		Region:       spec.Region,
		UsePathStyle: spec.PathStyle,
		HTTPClient:   s.http,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: cred.AccessKey, SecretAccessKey: cred.SecretKey, Source: "lifeboat"}, nil
		}),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff
			o.RateLimiter = ratelimit.None // its quota would outlive an outage and hide the error
		}),
		// Requests carry a CRC, so that the server notices what was damaged on the
		// way; hashing them for the signature as well would cost CPU for nothing.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		APIOptions:                 []func(*middleware.Stack) error{v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware},
		// Answers are judged by the caller's SHA-256 or signature.
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		// Servers that ignore "Expect: 100-continue" would cost a second per part.
		ContinueHeaderThresholdBytes: -1,
	}
	if options.Region == "" {
		options.Region = "us-east-1"
	}
	if spec.Endpoint != "" {
		u, err := url.Parse(spec.Endpoint)
		if err != nil || u.User != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, errors.New("read endpoint: it must be http://host:port or https://host:port, without a password")
		}
		options.BaseEndpoint = aws.String(spec.Endpoint)
	}
	s.client = s3.New(options)
	bucket, err := s3blob.OpenBucket(context.Background(), s.client, name, nil)
	if err != nil {
		return nil, err
	}
	s.blobs = bucket
	if prefix != "" {
		s.blobs = blob.PrefixedBucket(bucket, prefix)
	}
	return s, nil
}

// newHTTPClient makes a client that gives up on a connection on which nothing
// has moved for a while.
func newHTTPClient(stall time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout}
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &stallConn{conn, stall}, nil
		},
		TLSHandshakeTimeout: 2 * connectTimeout,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     stallTimeout / 2,
	}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a signature is good for one host
	}}
}

// stallConn moves its deadline whenever bytes move.
type stallConn struct {
	net.Conn
	limit time.Duration
}

func (c *stallConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write moves the deadline of reading too: while a request is sent, the answer
// is being waited for.
func (c *stallConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (s *s3Store) close() error {
	err := s.blobs.Close()
	s.http.CloseIdleConnections()
	s.join.CloseIdleConnections()
	return err
}

func (s *s3Store) bucket() (*blob.Bucket, error) { return s.blobs, nil }

// check lists, because the errors of asking for the bucket's head have no text.
func (s *s3Store) check(ctx context.Context) error {
	_, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &s.name, Prefix: &s.prefix, Delimiter: aws.String("/"), MaxKeys: aws.Int32(1),
	})
	return err
}

func (s *s3Store) key(key string) *string { return aws.String(s.prefix + key) }

func (s *s3Store) put(ctx context.Context, key string, data []byte, once bool) error {
	in := &s3.PutObjectInput{Bucket: &s.name, Key: s.key(key), Body: bytes.NewReader(data)}
	s.terms.put(in)
	if once {
		in.IfNoneMatch = aws.String("*")
	}
	_, err := s.client.PutObject(ctx, in)
	switch {
	case isTaken(err):
		return errTaken
	case isDenied(err):
		// A locked object may be refused before the condition is looked at, and even
		// after this very write, if its answer was lost.
		if _, headErr := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.name, Key: s.key(key)}); headErr == nil {
			return errTaken
		}
	}
	return err
}

// remove removes every version, because where there are versions, removing without
// naming one only hides the object. Credentials that may not see versions hide it.
func (s *s3Store) remove(ctx context.Context, key string) error {
	found, err := s.versions(ctx, key)
	if _, refused := errors.AsType[*refusal](err); refused {
		return s.drop(ctx, version{key: key})
	}
	for _, v := range found {
		if err == nil && v.key == key { // others may begin with it
			err = s.drop(ctx, v)
		}
	}
	return err
}

func (s *s3Store) below(ctx context.Context, prefix, after string) (folders, objects []string, err error) {
	options := &blob.ListOptions{Prefix: prefix, Delimiter: "/", BeforeList: func(as func(any) bool) error {
		var in *s3.ListObjectsV2Input
		if after != "" && as(&in) {
			in.StartAfter = s.key(prefix + after)
		}
		return nil
	}}
	for token := blob.FirstPageToken; len(token) > 0; {
		page, next, err := s.blobs.ListPage(ctx, token, listPage, options)
		if err != nil {
			return nil, nil, err
		}
		for _, o := range page {
			if o.IsDir {
				folders = append(folders, path.Base(o.Key))
			} else {
				objects = append(objects, path.Base(o.Key))
			}
		}
		token = next
	}
	return folders, objects, nil
}

func (s *s3Store) unfinished(ctx context.Context, prefix string) ([]unfinished, error) {
	return s.uploads(ctx, prefix, time.Now().AddDate(1, 0, 0))
}

func (s *s3Store) stale(ctx context.Context, before time.Time) ([]unfinished, error) {
	return s.uploads(ctx, "", before)
}

// uploads lists the multipart uploads below prefix that were begun before a time.
func (s *s3Store) uploads(ctx context.Context, prefix string, before time.Time) ([]unfinished, error) {
	var found []unfinished
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{Bucket: &s.name, Prefix: s.key(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Uploads {
			key, below := strings.CutPrefix(aws.ToString(u.Key), s.prefix+prefix)
			if !below || aws.ToTime(u.Initiated).After(before) { // some servers do not filter
				continue
			}
			found = append(found, unfinished{prefix + key, func(ctx context.Context) error {
				_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.name, Key: u.Key, UploadId: u.UploadId})
				return err
			}})
		}
	}
	return found, nil
}
