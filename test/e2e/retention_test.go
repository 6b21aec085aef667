package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/internal/vault"
	"github.com/lifeboat-run/lifeboat/test/rig"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// keepFew keeps the newest set of the last day that has one.
const keepFew = "retention: { daily: 1 }"

// Prune removes what retention does not keep, at each destination, and nothing else.
// What is there afterwards can be restored.
func TestPruneRemovesWhatRetentionDoesNotKeep(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	r.AddSecond()
	r.Configure(func(c *sandbox.Config) { c.ServiceExtra = keepFew })
	r.StartWorker()
	kept := r.Backup().Set
	r.AwaitEnd(workflows.ReplicateID(kept, "second"))
	now := time.Now()
	main := []recovery.SetID{r.OldSet(r.Vault(), now.AddDate(0, 0, -40)), r.OldSet(r.Vault(), now.AddDate(0, 0, -30))}
	second := r.OldSet(r.SecondVault(), now.AddDate(0, 0, -20))

	plan := r.Starter("prune", sandbox.Service, "--plan")
	require.Equal(t, 0, plan.Code, plan.Stderr)
	require.Contains(t, plan.Stdout, "2 of 3 sets would be removed")
	require.Contains(t, plan.Stdout, "1 of 2 sets would be removed")
	require.Len(t, r.Sets(), 4, "a plan removes nothing")

	done := r.Starter("prune", sandbox.Service, "--json")
	require.Equal(t, 0, done.Code, done.Stderr)
	var result workflows.PruneResult
	require.NoError(t, json.Unmarshal([]byte(done.Stdout), &result))
	require.Len(t, result.Destinations, 2)
	require.ElementsMatch(t, main, result.Destinations[0].Removed)
	require.Equal(t, []recovery.SetID{second}, result.Destinations[1].Removed)
	require.Equal(t, 1, result.Destinations[1].Kept)
	require.Equal(t, []recovery.SetID{kept}, r.Sets())
	for _, set := range main {
		require.NoDirExists(t, r.ObjectFile(recovery.SetPrefix(sandbox.Service, set)))
		require.FileExists(t, r.ObjectFile(recovery.TombstoneKey(sandbox.Service, set)))
	}
	r.RequireClean(kept)
	again := r.Starter("prune", sandbox.Service)
	require.Equal(t, 0, again.Code, again.Stderr)
	require.Contains(t, again.Stdout, "main: 0 sets removed, 0 B freed, 1 kept")
}

// A bucket whose objects are locked, and a user who may put, get and list: backups
// work, the newest set cannot be removed, and prune says until when an old one stays.
func TestALockedBucketAndAUserWhoMayNotDelete(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	locked := devserver.StartS3(t, devserver.WithVersioning())
	bucket := "locked"
	_, err := locked.Client(locked.AccessKey, locked.SecretKey).CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: &bucket, ObjectLockEnabledForBucket: aws.Bool(true),
	})
	require.NoError(t, err)
	locked.User(t, "backup", "backupsecret", "user")
	r.Env["LIFEBOAT_S3_ACCESS_KEY"], r.Env["LIFEBOAT_S3_SECRET_KEY"] = "backup", "backupsecret"
	r.Env["PRUNE_ACCESS_KEY"], r.Env["PRUNE_SECRET_KEY"] = locked.AccessKey, locked.SecretKey
	r.Configure(func(c *sandbox.Config) {
		c.Bucket, c.Endpoint, c.ServiceExtra = bucket, locked.Endpoint, keepFew
		c.MainExtra = "lock: { mode: compliance, for: 30d }\n    prune: { accessKey: env:PRUNE_ACCESS_KEY, secretKey: env:PRUNE_SECRET_KEY }"
	})
	locked.Policy(t, bucket, leastPolicy(t, r))
	r.StartWorker()
	set := r.Backup().Set

	check := r.Starter("bucket", "check", "main")
	require.Equal(t, 0, check.Code, "%s\n%s", check.Stdout, check.Stderr)

	spec := recovery.DestinationSpec{
		Name: "main", URL: "s3://" + bucket + "/" + sandbox.Prefix, Endpoint: locked.Endpoint, PathStyle: true,
		Lock: &recovery.LockSpec{Mode: "compliance", For: recovery.Duration(30 * 24 * time.Hour)},
	}
	v, err := vault.Open(t.Context(), spec, vault.Credentials{AccessKey: "backup", SecretKey: "backupsecret"})
	require.NoError(t, err)
	defer func() { require.NoError(t, v.Close()) }()
	old := r.OldSet(v, time.Now().AddDate(0, 0, -40))
	until := time.Now().UTC().AddDate(0, 0, 30).Format("2006-01-02")
	done := r.Starter("prune", sandbox.Service)
	require.Equal(t, 0, done.Code, done.Stderr)
	require.Contains(t, done.Stdout, "main: 0 sets removed, 0 B freed, 1 kept")
	require.Contains(t, done.Stdout, "not removed: "+string(old)+": locked until "+until)
	require.Equal(t, []recovery.SetID{set, old}, r.Sets())
	verified := r.Starter("verify", sandbox.Service, "--set", string(set))
	require.Equal(t, 0, verified.Code, verified.Stderr)
}

// leastPolicy is what `bucket policy` prints, without the statement that only AWS
// knows.
func leastPolicy(t *testing.T, r *rig.Rig) string {
	t.Helper()
	printed := r.Starter("bucket", "policy", "main", "--principal", "backup")
	require.Equal(t, 0, printed.Code, printed.Stderr)
	var policy map[string]any
	require.NoError(t, json.Unmarshal([]byte(printed.Stdout), &policy))
	statements := policy["Statement"].([]any)
	policy["Statement"] = slices.DeleteFunc(statements, func(s any) bool { return s.(map[string]any)["Sid"] == "NothingIsWrittenOver" })
	text, err := json.Marshal(policy)
	require.NoError(t, err)
	return string(text)
}

// Two years of backups, 400 of them: the plan keeps exactly what the tiers say, and
// the newest proven set, which no tier keeps.
func TestPrunePlanOfTwoYears(t *testing.T) {
	t.Parallel()
	r := rig.New(t)
	folder := r.UseFolder()
	r.Configure(func(c *sandbox.Config) {
		c.ServiceExtra = "retention: { hourly: 24, daily: 30, weekly: 8, monthly: 12, yearly: 3 }"
	})
	v, err := vault.Open(t.Context(), recovery.DestinationSpec{Name: "main", URL: "file://" + folder}, vault.Credentials{})
	require.NoError(t, err)
	defer func() { require.NoError(t, v.Close()) }()
	made := map[recovery.SetID]time.Time{}
	newest := time.Now().UTC().Add(-2 * time.Hour)
	var proven recovery.SetID
	for i := range 400 {
		at := newest.Add(-time.Duration(i) * 44 * time.Hour)
		set := r.OldSet(v, at)
		made[set] = at
		if i == 398 { // beside another one of the same week, month and year
			proven = set
			r.OldProof(v, set, at)
		}
	}
	kept := map[recovery.SetID]bool{proven: true}
	for _, tier := range []struct {
		keep   int
		period func(time.Time) string
	}{
		{24, func(t time.Time) string { return t.Format("2006-01-02 15") }},
		{30, func(t time.Time) string { return t.Format("2006-01-02") }},
		{8, func(t time.Time) string { year, week := t.ISOWeek(); return fmt.Sprint(year, "-", week) }},
		{12, func(t time.Time) string { return t.Format("2006-01") }},
		{3, func(t time.Time) string { return t.Format("2006") }},
	} {
		periods := map[string]bool{}
		for _, set := range slices.Backward(slices.Sorted(maps.Keys(made))) { // the newest first
			if period := tier.period(made[set]); !periods[period] && len(periods) < tier.keep {
				periods[period], kept[set] = true, true
			}
		}
	}
	out := r.Starter("prune", sandbox.Service, "--plan", "--json")
	require.Equal(t, 0, out.Code, out.Stderr)
	var plan []struct{ Fates []recovery.Fate }
	require.NoError(t, json.Unmarshal([]byte(out.Stdout), &plan))
	require.Len(t, plan[0].Fates, 400)
	for _, f := range plan[0].Fates {
		require.Equal(t, kept[f.Set], f.Keep, "%s: %v", f.Set, f.Why)
	}
	require.Less(t, len(kept), 60)
}
