package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// statement is one of a bucket policy, in the form of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type statement struct {
	Sid       string                       `json:"Sid"`
	Effect    string                       `json:"Effect"`
	Principal map[string]string            `json:"Principal"`
	Action    []string                     `json:"Action"`
	Resource  string                       `json:"Resource"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`
}

// Policy is the bucket policy that gives who (an ARN, or what the server calls an
// account) what backing up to a destination needs, and forbids the rest. As JSON.
//
// It lets list the whole bucket, because S3 tells "it is not there" from "you may
// not know" only to those who may. Writes must be conditional, so that nothing can
// be written over; parts of an upload cannot be, and are exempt. Nothing can be
// removed: pruning, and moving sets to another storage class, is for credentials of
// its own.
func Policy(spec recovery.DestinationSpec, who string) (string, error) {
	u, err := url.Parse(spec.URL)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return "", recovery.NewFault(recovery.Permanent, fmt.Errorf("make policy for destination %s: %w", spec.Name, errors.New("only a bucket has one")), "name a destination whose url begins with s3://")
	}
	bucket := "arn:aws:s3:::" + u.Host
	objects := bucket + "/*"
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		objects = bucket + "/" + prefix + "/*"
	}
	write := []string{"s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"}
	if spec.Lock != nil {
		write = append(write, "s3:PutObjectRetention")
	}
	if cold(spec) {
		write = append(write, "s3:RestoreObject")
	}
	principal := map[string]string{"AWS": who}
	document := struct {
		Version   string      `json:"Version"`
		Statement []statement `json:"Statement"`
	}{"2012-10-17", []statement{
		{"LifeboatWritesAndReads", "Allow", principal, write, objects, nil},
		{"LifeboatLists", "Allow", principal, []string{
			"s3:ListBucket", "s3:ListBucketMultipartUploads",
			// What 'starter bucket check' looks at.
			"s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration", "s3:GetBucketPolicyStatus", "s3:GetBucketPublicAccessBlock",
			"s3:GetBucketAcl", "s3:GetLifecycleConfiguration",
		}, bucket, nil},
		{"NothingIsWrittenOver", "Deny", principal, []string{"s3:PutObject"}, objects, map[string]map[string]string{
			"Null": {"s3:if-none-match": "true"},
			"Bool": {"s3:ObjectCreationOperation": "true"},
		}},
		{"NothingIsRemoved", "Deny", principal, []string{"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutObjectLegalHold"}, objects, nil},
		{"NothingIsLoosened", "Deny", principal, []string{
			"s3:DeleteBucket", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketVersioning", "s3:PutBucketObjectLockConfiguration",
			"s3:PutLifecycleConfiguration", "s3:PutBucketAcl", "s3:PutBucketPublicAccessBlock",
		}, bucket, nil},
	}}
	text, err := json.MarshalIndent(document, "", "  ")
	return string(text) + "\n", err
}

// cold says whether sets may come to lie where they must be brought back from.
func cold(spec recovery.DestinationSpec) bool {
	classes := []string{spec.Class}
	for _, class := range spec.Classes {
		classes = append(classes, class)
	}
	for _, class := range classes {
		if class == "GLACIER" || class == "DEEP_ARCHIVE" {
			return true
		}
	}
	return false
}
