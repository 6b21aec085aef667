package devserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"golang.org/x/sys/unix"
)

// S3Config says what S3 server to run.
type S3Config struct {
	Dir        string // holds all that is the server's; made if missing
	Port       int    // 0 for a free one
	Versioning bool   // buckets may keep versions
}

// S3Server is a running S3 server. It keeps the object k of bucket b in the file
// DataDir/b/k.
type S3Server struct {
	Endpoint  string // "http://127.0.0.1:…"; wants path-style addresses
	AccessKey string // of the root account
	SecretKey string
	Region    string
	DataDir   string

	launch launch
	daemon *daemon
}

// Start runs the server, on the buckets in Dir if there are some.
func (c S3Config) Start(ctx context.Context) (*S3Server, error) {
	s, err := c.prepare()
	if err != nil {
		return nil, fmt.Errorf("set up the S3 server: %w", err)
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (c S3Config) prepare() (*S3Server, error) {
	program, err := findProgram("versitygw")
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, err
	}
	s := &S3Server{Region: "us-east-1", DataDir: filepath.Join(dir, "data")}
	for _, sub := range []string{"data", "accounts", "versions", "metadata"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	if s.AccessKey, err = remembered(filepath.Join(dir, "access-key"), randomSecret); err != nil {
		return nil, err
	}
	if s.SecretKey, err = remembered(filepath.Join(dir, "secret-key"), randomSecret); err != nil {
		return nil, err
	}
	port, err := listenOn(c.Port)
	if err != nil {
		return nil, err
	}
	s.Endpoint = "http://" + port.Address()
	args := []string{"--port", port.Address(), "--region", s.Region, "--quiet", "--iam-dir", filepath.Join(dir, "accounts"), "--iam-cache-disable", "posix"}
	if c.Versioning {
		args = append(args, "--versioning-dir", filepath.Join(dir, "versions"))
	}
	if !keepsAttributes(s.DataDir) {
		args = append(args, "--sidecar", filepath.Join(dir, "metadata"))
	}
	s.launch = launch{
		name: "the S3 server", path: program, args: append(args, s.DataDir), dir: dir,
		env:         environment(dir, "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey),
		logFile:     filepath.Join(dir, "log"),
		deathSignal: syscall.SIGKILL,
		ready:       s.ready,
	}
	return s, nil
}

// keepsAttributes says whether a folder's file system keeps extended attributes,
// where the server likes to put an object's metadata.
func keepsAttributes(dir string) bool {
	const name = "user.lifeboat"
	if err := unix.Setxattr(dir, name, []byte("1"), 0); err != nil {
		return false
	}
	return unix.Removexattr(dir, name) == nil
}

func (s *S3Server) start(ctx context.Context) error {
	d, err := s.launch.start(ctx)
	if err == nil {
		s.daemon = d
	}
	return err
}

func (s *S3Server) ready(ctx context.Context) error {
	_, err := s.Client(s.AccessKey, s.SecretKey).ListBuckets(ctx, &s3.ListBucketsInput{}, func(o *s3.Options) { o.RetryMaxAttempts = 1 })
	var refusal smithy.APIError
	if err == nil || errors.As(err, &refusal) {
		return err
	}
	return fmt.Errorf("%w: %w", errNotYet, err)
}

// Client returns a client that uses an account's keys.
func (s *S3Server) Client(accessKey, secretKey string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint),
		Region:       s.Region,
		UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
		}),
	})
}

// MakeBucket makes a bucket unless it is there.
func (s *S3Server) MakeBucket(ctx context.Context, name string) error {
	client := s.Client(s.AccessKey, s.SecretKey)
	if _, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name}); err == nil {
		return nil
	}
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
		return fmt.Errorf("make bucket %s: %w", name, err)
	}
	return nil
}

// AddUser makes an account. The role "user" may do nothing until a bucket's
// policy says so; "userplus" may make buckets; "admin" may do everything.
func (s *S3Server) AddUser(ctx context.Context, accessKey, secretKey, role string) error {
	cmd := exec.CommandContext(ctx, s.launch.path, "admin", "--endpoint-url", s.Endpoint, "--region", s.Region,
		"create-user", "--access", accessKey, "--secret", secretKey, "--role", role)
	cmd.Env = environment(s.launch.dir, "ADMIN_ACCESS_KEY="+s.AccessKey, "ADMIN_SECRET_KEY="+s.SecretKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make S3 account %s: %w\n%s", accessKey, err, out)
	}
	return nil
}

// SetPolicy gives a bucket a policy, in JSON. Principals are plain access keys.
func (s *S3Server) SetPolicy(ctx context.Context, bucket, policy string) error {
	_, err := s.Client(s.AccessKey, s.SecretKey).PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy})
	if err != nil {
		return fmt.Errorf("set the policy of bucket %s: %w", bucket, err)
	}
	return nil
}

// Stop ends the server at once, requests under way included.
func (s *S3Server) Stop() { s.daemon.stop(syscall.SIGKILL) }

// Restart stops the server and runs it again on the same port.
func (s *S3Server) Restart(ctx context.Context) error {
	s.Stop()
	return s.start(ctx)
}
