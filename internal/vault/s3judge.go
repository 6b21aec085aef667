package vault

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// protect is the mend for a key that can destroy what it wrote.
const protect = "turn versioning and object lock on and give the destination a lock; or set the policy that 'starter bucket policy' prints"

func (i *inspector) judgeDestroying() {
	p := &i.probe
	switch {
	case isTaken(p.conditions), isDenied(p.conditions):
		i.found.add("conditional write", Good, "a second write of the same object is refused", "")
	case p.conditions != nil:
		i.found.add("conditional write", NotKnown, noRefusal(p.conditions), "")
	default:
		i.found.add("conditional write", Bad, "the server takes a second write of the same object, although it was told not to: two workers could write over each other",
			"use a server that knows If-None-Match")
	}
	switch {
	case isDoubtful(p.overwrite):
		i.found.add("overwrite", NotKnown, noRefusal(p.overwrite), "")
	case p.overwrite != nil:
		i.found.add("overwrite", Good, "is refused: "+answer(p.overwrite), "")
	case p.destroyed():
		i.found.add("overwrite", Bad, "this key can write over what is there", protect)
	default:
		i.found.add("overwrite", Good, "makes a new version; this key cannot remove the old one", "")
	}
	switch {
	case p.versioned() && p.erase == nil:
		i.found.add("delete", Bad, "this key can remove versions for good", protect)
	case isDoubtful(p.remove), isDoubtful(p.erase):
		i.found.add("delete", NotKnown, noRefusal(cmp.Or(p.erase, p.remove)), "")
	case p.remove != nil:
		i.found.add("delete", Good, "is refused: "+answer(p.remove), "")
	case p.versioned():
		i.found.add("delete", Good, "only hides an object; this key cannot remove its versions: "+answer(p.erase), "")
	default:
		i.found.add("delete", Bad, "this key can remove what is there", protect)
	}
}

func noRefusal(err error) string {
	return "the server did not do it, but did not refuse it either: " + answer(err)
}

// judgeProtection says whether a set outlives whoever steals the key. That it may
// not delete is not enough: what it may write over is gone as well, and a version
// that nothing locks is one key or one rule away from removal.
func (i *inspector) judgeProtection() {
	p := &i.probe
	switch {
	case !p.tried:
		i.found.add("protection", NotKnown, "was not tried: nothing could be written", "")
	case p.destroyed() && p.remove != nil && !p.versioned():
		i.found.add("protection", Bad, "this key may not delete, but it may write over every set: that is no protection", protect)
	case p.destroyed():
		i.found.add("protection", Bad, "whoever has this key can destroy every set", protect)
	case p.doubtful():
		i.found.add("protection", NotKnown, "the server did not clearly refuse to write over an object and to remove one", "")
	case p.versioned() && i.locking():
		i.found.add("protection", Good, "what is written is locked as a version: nobody with this key can destroy it", "")
	case p.overwrite != nil && p.remove != nil:
		i.found.add("protection", Good, "nobody with this key can write over a set or remove one", "")
	default:
		i.found.add("protection", Bad, "this key cannot remove versions, but nothing locks them: another key, or a lifecycle rule, can", protect)
	}
}

// judgePublic puts together what was tried without a key and what the server tells.
func (i *inspector) judgePublic(ctx context.Context) error {
	mend := "block public access to the bucket, and take what lets everybody in out of its policy and its ACL"
	if i.probe.anonymous != "" {
		i.found.add("public access", Bad, "anybody can "+i.probe.anonymous+" without a key", mend)
		return nil
	}
	policy, policyErr := i.client.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: &i.name})
	block, blockErr := i.client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &i.name})
	acl, aclErr := i.client.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: &i.name})
	for _, err := range []error{policyErr, blockErr, aclErr} {
		if failed := fatal(err); failed != nil {
			return failed
		}
	}
	noPolicy := hasCode(policyErr, "NoSuchBucketPolicy")
	switch {
	case policyErr == nil && policy.PolicyStatus != nil && aws.ToBool(policy.PolicyStatus.IsPublic):
		i.found.add("public access", Bad, "the bucket's policy lets everybody in", mend)
	case aclErr == nil && slices.ContainsFunc(acl.Grants, isPublicGrant):
		i.found.add("public access", Bad, "the bucket's ACL lets everybody in", mend)
	case blockErr == nil && blocksAll(block.PublicAccessBlockConfiguration):
		i.found.add("public access", Good, "is blocked", "")
	case (policyErr == nil || noPolicy) && aclErr == nil:
		i.found.add("public access", Good, "neither the policy nor the ACL of the bucket lets everybody in", "")
	default:
		i.found.add("public access", NotKnown, "the server does not tell", "let the access key GetBucketPolicyStatus, GetBucketAcl and GetBucketPublicAccessBlock")
	}
	return nil
}

// isPublicGrant finds the groups of everybody, and of everybody with an account.
func isPublicGrant(g types.Grant) bool {
	if g.Grantee == nil {
		return false
	}
	group := aws.ToString(g.Grantee.URI) + " " + aws.ToString(g.Grantee.ID) // some servers write the group's name as an id
	return strings.Contains(group, "AllUsers") || strings.Contains(group, "all-users") || strings.Contains(group, "AuthenticatedUsers")
}

func blocksAll(b *types.PublicAccessBlockConfiguration) bool {
	return b != nil && aws.ToBool(b.BlockPublicAcls) && aws.ToBool(b.BlockPublicPolicy) && aws.ToBool(b.IgnorePublicAcls) && aws.ToBool(b.RestrictPublicBuckets)
}

func (i *inspector) judgeLifecycle(ctx context.Context) error {
	out, err := i.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &i.name})
	if failed := fatal(err); failed != nil {
		return failed
	}
	switch {
	case hasCode(err, "NoSuchLifecycleConfiguration"):
		i.found.add("lifecycle", Good, "no rule removes anything", "")
		return nil
	case isUnknown(err):
		i.found.add("lifecycle", NotKnown, "the server does not tell: it has no lifecycle rules, or hides them", "")
		return nil
	case err != nil:
		i.found.add("lifecycle", NotKnown, "the server does not tell: "+answer(err), "let the access key GetLifecycleConfiguration")
		return nil
	}
	var eats []string
	for _, rule := range out.Rules {
		if what := i.eats(rule); what != "" {
			eats = append(eats, what)
		}
	}
	if len(eats) == 0 {
		i.found.add("lifecycle", Good, "no rule removes sets", "")
		return nil
	}
	i.found.add("lifecycle", Bad, strings.Join(eats, "; "), "take the rule out, or keep it off "+i.name+"/"+i.prefix+": retention is Lifeboat's, which never removes the newest proven set")
	return nil
}

// eats says what a rule removes of the sets, even the newest ones if no newer come;
// empty for nothing. Rules for tagged objects meet none of ours.
func (i *inspector) eats(rule types.LifecycleRule) string {
	prefix, tagged := aws.ToString(rule.Prefix), false //nolint:staticcheck // old rules have their prefix there
	if f := rule.Filter; f != nil {
		prefix, tagged = prefix+aws.ToString(f.Prefix), f.Tag != nil
		if f.And != nil {
			prefix, tagged = aws.ToString(f.And.Prefix), len(f.And.Tags) > 0
		}
	}
	elsewhere := !strings.HasPrefix(i.prefix, prefix) && !strings.HasPrefix(prefix, i.prefix)
	if rule.Status != types.ExpirationStatusEnabled || tagged || elsewhere {
		return ""
	}
	name := fmt.Sprintf("rule %q", aws.ToString(rule.ID))
	switch e, old := rule.Expiration, rule.NoncurrentVersionExpiration; {
	case e != nil && aws.ToInt32(e.Days) > 0:
		return fmt.Sprintf("%s removes every set after %d days, the newest too", name, *e.Days)
	case e != nil && e.Date != nil:
		return fmt.Sprintf("%s removes every set on %s", name, e.Date.Format("2006-01-02"))
	case old != nil:
		return fmt.Sprintf("%s removes, after %d days, the versions that hold what was written over or deleted", name, aws.ToInt32(old.NoncurrentDays))
	}
	return ""
}
