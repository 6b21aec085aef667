package vault_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

type policy struct {
	Version   string
	Statement []struct {
		Sid, Effect, Resource string
		Principal             map[string]string
		Action                []string
		Condition             map[string]map[string]string `json:",omitempty"`
	}
}

func policyOf(t *testing.T, spec recovery.DestinationSpec) policy {
	t.Helper()
	text, err := vault.Policy(spec, "backup")
	require.NoError(t, err)
	var p policy
	require.NoError(t, json.Unmarshal([]byte(text), &p))
	return p
}

func TestPolicy(t *testing.T) {
	p := policyOf(t, recovery.DestinationSpec{URL: "s3://backups/some/prefix"})
	require.Equal(t, "2012-10-17", p.Version)
	for _, s := range p.Statement {
		require.Equal(t, map[string]string{"AWS": "backup"}, s.Principal)
		switch s.Sid {
		case "LifeboatWritesAndReads":
			require.Equal(t, []string{"s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"}, s.Action)
			require.Equal(t, "arn:aws:s3:::backups/some/prefix/*", s.Resource)
		case "NothingIsWrittenOver":
			require.Equal(t, "Deny", s.Effect)
			require.Equal(t, map[string]map[string]string{"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}, s.Condition)
		case "NothingIsRemoved":
			require.Equal(t, "Deny", s.Effect)
			require.Subset(t, s.Action, []string{"s3:DeleteObject", "s3:DeleteObjectVersion"})
		}
	}
	p = policyOf(t, recovery.DestinationSpec{
		URL: "s3://backups", Lock: &recovery.LockSpec{Mode: "compliance", For: recovery.Duration(time.Hour)}, Classes: map[string]string{"yearly": "DEEP_ARCHIVE"},
	})
	require.Equal(t, "arn:aws:s3:::backups/*", p.Statement[0].Resource)
	require.Subset(t, p.Statement[0].Action, []string{"s3:PutObjectRetention", "s3:RestoreObject"})
	_, err := vault.Policy(recovery.DestinationSpec{Name: "disk", URL: "file:///backups"}, "backup")
	require.ErrorContains(t, err, "make policy for destination disk: only a bucket has one")
}

// TestPolicyIsEnough: an account with nothing but the policy does all that backups,
// proofs and sweeps do. The server of the test does not know the condition about
// writes, so that statement is left out.
func TestPolicyIsEnough(t *testing.T) {
	server := devserver.StartS3(t, devserver.WithVersioning())
	d := lockable(t, server).locking("compliance", time.Hour)
	p := policyOf(t, d.spec)
	kept := p.Statement[:0]
	for _, s := range p.Statement {
		if s.Condition == nil {
			kept = append(kept, s)
		}
	}
	require.Len(t, kept, 4)
	p.Statement = kept
	text, err := json.Marshal(p)
	require.NoError(t, err)
	server.User(t, "backup", "backupsecret", "user")
	server.Policy(t, "backups", string(text))
	d.cred = vault.Credentials{AccessKey: "backup", SecretKey: "backupsecret"}
	v, s, ctx := d.open(t), newSigner(t, 1), t.Context()

	require.NoError(t, v.Check(ctx))
	_, err = v.Get(ctx, "app/none")
	require.ErrorIs(t, err, recovery.ErrNotFound)
	s.commit(t, v, "app", setAt(1))
	upload(t, v, recovery.SetPrefix("app", setAt(1))+"app.1.database.sql.zst.age", noise(9<<20))
	u, err := v.Create(ctx, recovery.SetPrefix("app", setAt(2))+"app.1.dump.zst.age", 0)
	require.NoError(t, err)
	_, err = u.Write(noise(20 << 20))
	require.NoError(t, err)
	require.NoError(t, u.Abort())
	require.NoError(t, v.PutOnce(ctx, recovery.ProofKey("app", setAt(1), setAt(1).Time(), recovery.ProofRestore), s.proof(t, setAt(1), setAt(1).Time(), recovery.LevelProven)))
	entries, err := v.Catalogue(ctx, "app", s.trusted, time.Time{}, 0)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, recovery.LevelProven, entries[0].Standing.Level)
	d.begin(t, recovery.SetPrefix("app", setAt(1))+"app.3.dump.zst.age")
	swept, err := v.AbortStale(ctx, 0)
	require.NoError(t, err)
	require.Len(t, swept.Removed, 1)
	require.Empty(t, swept.Left)

	found, by := inspect(t, d)
	require.False(t, found.Bad())
	require.Equal(t, vault.Good, by["protection"].Grade)
	pruned, err := v.PruneSet(ctx, "app", setAt(1), s.tombstone(t, setAt(1)), s.trusted)
	require.NoError(t, err)
	require.Contains(t, pruned.Refused, "AccessDenied")
}
