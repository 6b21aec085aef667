package vault_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

func TestBadSpecs(t *testing.T) {
	cred := vault.Credentials{AccessKey: "thekey", SecretKey: "thesecret"}
	for name, c := range map[string]struct {
		spec recovery.DestinationSpec
		cred vault.Credentials
		want string
	}{
		"scheme":           {recovery.DestinationSpec{URL: "gs://bucket"}, cred, `read url "gs://bucket": it must be s3://bucket/prefix or file:///folder`},
		"relative folder":  {recovery.DestinationSpec{URL: "file://backups/x"}, cred, "write file:///folder, with three slashes"},
		"bucket too short": {recovery.DestinationSpec{URL: "s3://bk/x"}, cred, "a bucket's name has 3 to 63 characters"},
		"prefix":           {recovery.DestinationSpec{URL: "s3://bucket/a/../b"}, cred, "the prefix must be a plain path"},
		"query":            {recovery.DestinationSpec{URL: "s3://bucket/a?region=x"}, cred, "it must end with the prefix or folder"},
		"password":         {recovery.DestinationSpec{URL: "s3://thekey:thesecret@bucket/a"}, cred, "without a password"},
		"endpoint":         {recovery.DestinationSpec{URL: "s3://bucket/a", Endpoint: "localhost:9000"}, cred, "read endpoint: it must be http://host:port"},
		"endpoint's key":   {recovery.DestinationSpec{URL: "s3://bucket/a", Endpoint: "http://thekey:thesecret@localhost:9000"}, cred, "without a password"},
		"no key":           {recovery.DestinationSpec{URL: "s3://bucket/a"}, vault.Credentials{}, "the access key or the secret key is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			c.spec.Name = "main"
			_, err := vault.Open(t.Context(), c.spec, c.cred)
			require.ErrorContains(t, err, "open destination main: ")
			require.ErrorContains(t, err, c.want)
			require.Equal(t, recovery.Permanent, recovery.KindOf(err))
			require.NotContains(t, err.Error(), "thesecret")
		})
	}
}

// everyCall tries each way of using a vault.
func everyCall(t *testing.T, v *vault.Vault) map[string]error {
	ctx := t.Context()
	errs := map[string]error{"check": v.Check(ctx), "put": v.Put(ctx, "app/x", nil), "once": v.PutOnce(ctx, "app/x", nil)}
	_, errs["get"] = v.Get(ctx, "app/x")
	_, errs["sets"] = v.Sets(ctx, "app", nil, setAt(0).Time(), 3)
	_, errs["tried"] = v.LastTried(ctx, "app")
	_, errs["services"] = v.Services(ctx)
	_, errs["proofs"] = v.Proofs(ctx, "app", setAt(1))
	_, errs["find"] = v.FindSet(ctx, setAt(1))
	_, errs["sweep"] = v.SweepSets(ctx, "app", setAt(1), nil)
	errs["commit"] = v.CommitSet(ctx, "app", setAt(1), []byte("x"), []byte("x"))
	u, err := v.Create(ctx, "app/y", 0)
	if err == nil {
		_, err = u.Write(noise(20 << 20))
		if err == nil {
			err = u.Commit()
		}
		_ = u.Abort()
	}
	errs["upload"] = err
	return errs
}

func TestStoresThatCannotBeUsed(t *testing.T) {
	server := devserver.StartS3(t)
	good := bucket(t, server, "")
	server.User(t, "stranger", "strangersecret", "user")
	change := func(f func(d *destination)) destination { d := good; f(&d); return d }
	for name, c := range map[string]struct {
		d    destination
		code string
		mend string
	}{
		"missing bucket":  {change(func(d *destination) { d.spec.URL = "s3://nowhere/x" }), "NoSuchBucket", "(create bucket nowhere, or correct its name)"},
		"wrong key":       {change(func(d *destination) { d.cred.AccessKey = "nobody-knows-me" }), "InvalidAccessKeyId", "(correct the access key of bucket backups)"},
		"wrong secret":    {change(func(d *destination) { d.cred.SecretKey = "nobody-knows-me" }), "SignatureDoesNotMatch", "(correct the secret key of bucket backups)"},
		"no right at all": {change(func(d *destination) { d.cred = vault.Credentials{AccessKey: "stranger", SecretKey: "strangersecret"} }), "AccessDenied", "(let the access key put, get and list in bucket backups)"},
	} {
		t.Run(name, func(t *testing.T) {
			for call, err := range everyCall(t, c.d.open(t)) {
				require.Error(t, err, call)
				require.Equal(t, recovery.Permanent, recovery.KindOf(err), "%s: %v", call, err)
				require.ErrorContains(t, err, " at destination main: ", call)
				require.ErrorContains(t, err, c.code, call)
				require.ErrorContains(t, err, c.mend, call)
				require.NotErrorIs(t, err, recovery.ErrNotFound, call)
				require.NotContains(t, err.Error(), c.d.cred.SecretKey, call)
				require.NotContains(t, err.Error(), c.d.cred.AccessKey, call)
			}
		})
	}
	require.Empty(t, good.lying(t))
}

func TestFoldersThatCannotBeUsed(t *testing.T) {
	missing := folder(t)
	missing.spec.URL += "/not-made"
	for call, err := range everyCall(t, missing.open(t)) {
		require.Equal(t, recovery.Permanent, recovery.KindOf(err), "%s: %v", call, err)
		require.ErrorContains(t, err, "(create the folder /", call)
		require.NotErrorIs(t, err, recovery.ErrNotFound, call)
	}

	file := folder(t)
	require.NoError(t, os.WriteFile(filepath.Join(file.dir, "file"), nil, 0o600))
	file.spec.URL += "/file"
	require.ErrorContains(t, file.open(t).Check(t.Context()), "not a directory (create the folder /")
}

func TestFolderThatRefuses(t *testing.T) {
	d := folder(t)
	require.NoError(t, os.Chmod(d.dir, 0o555))
	errs := map[string]error{}
	asNobody(t, d.dir, func() {
		v := d.open(t)
		errs["check"] = v.Check(t.Context())
		errs["put"] = v.Put(t.Context(), "app/x", nil)
		errs["once"] = v.PutOnce(t.Context(), "app/x", nil)
		_, errs["create"] = v.Create(t.Context(), "app/x", 0)
	})
	for call, err := range errs {
		require.Equal(t, recovery.Permanent, recovery.KindOf(err), "%s: %v", call, err)
		require.ErrorContains(t, err, "permission denied (let this user read and write in the folder "+d.dir+")", call)
	}
}

// asNobody calls f without root's right to write anywhere.
func asNobody(t *testing.T, dir string, f func()) {
	if os.Getuid() != 0 {
		f()
		return
	}
	for parent := filepath.Dir(dir); parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
		require.NoError(t, os.Chmod(parent, 0o755))
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		err := unix.Setfsuid(65534)
		if err == nil {
			f()
		}
		done <- err
	}()
	require.NoError(t, <-done)
}

func TestCredentialsHideThemselves(t *testing.T) {
	cred := vault.Credentials{AccessKey: "thekey", SecretKey: "thesecret"}
	require.Equal(t, "credentials(hidden)", cred.String())
	require.Equal(t, "credentials(hidden)", cred.GoString())
}
