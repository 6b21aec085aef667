package rig

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// Query returns the first value of a query as text.
func (r *Rig) Query(server *devserver.PostgresServer, database, sql string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.URL(database))
	require.NoError(r.t, err)
	defer func() { require.NoError(r.t, conn.Close(ctx)) }()
	result := conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Read()
	require.NoError(r.t, result.Err)
	require.NotEmpty(r.t, result.Rows)
	return string(result.Rows[0][0])
}

// Secrets lists what must stand in no log and no history.
func (r *Rig) Secrets() []string {
	key, err := os.ReadFile(r.KeyFile())
	require.NoError(r.t, err)
	return []string{
		r.S3.SecretKey, r.Env["WHERE2EAT_DATABASE_URL"], r.Env["WHERE2EAT_ADMIN_URL"], r.Env["STAGING_DATABASE_URL"], strings.TrimSpace(string(key)), "lifeboat-signing-key-", "lifeboat-approval-key-",
	}
}

// History returns the history of a workflow's newest run as JSON.
func (r *Rig) History(id string) string {
	r.t.Helper()
	iterator := r.Client().GetWorkflowHistory(context.Background(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var b strings.Builder
	for iterator.HasNext() {
		event, err := iterator.Next()
		require.NoError(r.t, err)
		b.WriteString(event.String())
	}
	return b.String()
}

// Manifest reads the manifest of a set from the S3 server's disk.
func (r *Rig) Manifest(set recovery.SetID) *recovery.Manifest {
	r.t.Helper()
	data, err := os.ReadFile(r.ObjectFile(recovery.ManifestKey(sandbox.Service, set)))
	require.NoError(r.t, err)
	trusted, err := recovery.ParsePublicKey(r.Config.Trusted)
	require.NoError(r.t, err)
	m, err := recovery.DecodeManifest(data, []recovery.PublicKey{trusted})
	require.NoError(r.t, err)
	return m
}

// Damage changes one byte of an object on the S3 server's disk; undo changes it
// back.
func (r *Rig) Damage(key string, at int64) (undo func()) {
	r.t.Helper()
	flip := func() {
		f, err := os.OpenFile(r.ObjectFile(key), os.O_RDWR, 0)
		require.NoError(r.t, err)
		defer func() { require.NoError(r.t, f.Close()) }()
		var b [1]byte
		_, err = f.ReadAt(b[:], at)
		require.NoError(r.t, err)
		b[0] ^= 0x20
		_, err = f.WriteAt(b[:], at)
		require.NoError(r.t, err)
	}
	flip()
	return flip
}

// OldSet commits a set at a destination that looks as if it had been made at t, as
// far as retention looks at it.
func (r *Rig) OldSet(v *vault.Vault, t time.Time) recovery.SetID {
	r.t.Helper()
	ctx := context.Background()
	set := recovery.NewSetID(t, "0000aa")
	m := &recovery.Manifest{Format: recovery.ManifestFormat, Service: sandbox.Service, Set: set, Created: t.UTC()}
	for _, source := range []string{"app", "notes"} {
		name := recovery.ObjectName(source, 1, "dump")
		upload, err := v.Create(ctx, recovery.SetPrefix(sandbox.Service, set)+name, 0)
		require.NoError(r.t, err)
		_, err = upload.Write([]byte("sealed " + source))
		require.NoError(r.t, err)
		require.NoError(r.t, upload.Commit())
		m.Artefacts = append(m.Artefacts, recovery.Artefact{Source: source, Kind: recovery.KindSQLite, Set: set, Attempt: 1, Snapshot: t.UTC(), Dump: recovery.Object{Role: recovery.RoleDump, Name: name, Size: int64(len("sealed " + source))}})
	}
	signed, err := recovery.EncodeManifest(m, r.signingKey())
	require.NoError(r.t, err)
	require.NoError(r.t, v.CommitSet(ctx, sandbox.Service, set, signed, []byte("by hand")))
	return set
}

// OldProof says of a set that it was proven at t.
func (r *Rig) OldProof(v *vault.Vault, set recovery.SetID, t time.Time) {
	r.t.Helper()
	p := &recovery.Proof{
		Format: recovery.ProofFormat, Service: sandbox.Service, Set: set, Copy: v.Name(), Kind: recovery.ProofRestore,
		Tried: recovery.LevelProven, Level: recovery.LevelProven, Verdict: recovery.Proven, Started: t.UTC(), Ended: t.UTC(),
	}
	signed, err := recovery.EncodeProof(p, r.signingKey())
	require.NoError(r.t, err)
	require.NoError(r.t, v.PutOnce(context.Background(), recovery.ProofKey(p.Service, set, t, p.Kind), signed))
}

func (r *Rig) signingKey() recovery.SigningKey {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.Dir, "keys", "signing.key"))
	require.NoError(r.t, err)
	key, err := recovery.ParseSigningKey(string(text))
	require.NoError(r.t, err)
	return key
}

// Sets lists the committed sets of the service, as the CLI sees them.
func (r *Rig) Sets() []recovery.SetID {
	r.t.Helper()
	out := r.Starter("sets", sandbox.Service, "--json")
	require.Zero(r.t, out.Code, out.Stderr)
	var lines []struct{ Set recovery.SetID }
	require.NoError(r.t, json.Unmarshal([]byte(out.Stdout), &lines))
	sets := make([]recovery.SetID, len(lines))
	for i, l := range lines {
		sets[i] = l.Set
	}
	return sets
}

// RequireClean checks that a finished run left what its manifest names, and
// nothing else: no object, no upload, no staging database, session or process,
// no temporary file.
func (r *Rig) RequireClean(set recovery.SetID) {
	r.t.Helper()
	want := []string{recovery.ManifestName, recovery.GuideName}
	for _, a := range r.Manifest(set).Artefacts {
		for _, o := range a.Objects() {
			want = append(want, o.Name)
		}
	}
	entries, err := os.ReadDir(r.ObjectFile(recovery.SetPrefix(sandbox.Service, set)))
	require.NoError(r.t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	require.ElementsMatch(r.t, want, got)
	require.Empty(r.t, r.Uploads(), "multipart uploads are left")

	require.Equal(r.t, "0", r.Query(r.Staging, "postgres", "select count(*) from pg_database where datname like 'lifeboat%'"), "staging databases are left")
	for _, server := range []*devserver.PostgresServer{r.Production, r.Staging} {
		require.Equal(r.t, "0", r.Query(server, "postgres", "select count(*) from pg_stat_activity where application_name like 'lifeboat%'"), "sessions are left")
	}
	for _, pattern := range []string{"run-*", "copies/*"} {
		left, err := filepath.Glob(filepath.Join(r.Config.StagingFolder, pattern))
		require.NoError(r.t, err)
		require.Empty(r.t, left, "temporary files are left")
	}
	require.Empty(r.t, r.Processes(), "processes are left")
}

// Uploads lists the multipart uploads that the S3 server holds unfinished.
func (r *Rig) Uploads() []string {
	r.t.Helper()
	c := r.S3.Client(r.S3.AccessKey, r.S3.SecretKey)
	bucket := sandbox.Bucket
	out, err := c.ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	require.NoError(r.t, err)
	var keys []string
	for _, u := range out.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}

// Processes lists the tools and services that a worker started and that still
// run: those that talk to this rig's servers or use its folder.
func (r *Rig) Processes() []string {
	r.t.Helper()
	out, err := exec.Command("ps", "-eo", "pid=,args=").Output()
	require.NoError(r.t, err)
	var found []string
	for line := range strings.Lines(string(out)) {
		for _, tool := range []string{"pg_dump", "pg_restore", "/where2eat"} {
			fields := strings.Fields(line)
			if len(fields) > 1 && strings.Contains(fields[1], tool) && r.owns(fields[0]) {
				found = append(found, strings.TrimSpace(line))
			}
		}
	}
	return found
}

// Supervisors lists the processes that supervise commands which run at most once.
func (r *Rig) Supervisors() (pids []int) {
	r.t.Helper()
	out, err := exec.Command("ps", "-eo", "pid=,args=").Output()
	require.NoError(r.t, err)
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) == 4 && fields[2] == "supervise" && strings.HasPrefix(fields[3], r.Dir) {
			pid, err := strconv.Atoi(fields[0])
			require.NoError(r.t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// owns says whether a process has this rig's addresses in its environment.
func (r *Rig) owns(pid string) bool {
	env, err := os.ReadFile(filepath.Join("/proc", pid, "environ"))
	if err != nil {
		return false // it has ended meanwhile
	}
	for _, server := range []*devserver.PostgresServer{r.Production, r.Staging} {
		if strings.Contains(string(env), strconv.Itoa(server.Port)) {
			return true
		}
	}
	return strings.Contains(string(env), r.Dir)
}
