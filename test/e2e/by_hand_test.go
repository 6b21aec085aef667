package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The commands of RESTORE.md, read out of that file and run as they stand, bring
// the data back on a server that knows nothing of it.
func TestRestoreByHand(t *testing.T) {
	for name, backup := range map[string]func(t *testing.T, r *rig.Rig) (guide string){
		"S3":                           onS3,
		"folder":                       inAFolder,
		"a set that refers to another": referring,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, tool := range []string{"age", "zstd", "sqlite3", "rclone"} {
				_, err := exec.LookPath(tool)
				require.NoError(t, err, "run `make tools`")
			}
			r := rig.New(t)
			r.Exec(sandbox.Database, "alter database where2eat set statement_timeout to '7s'")
			text, err := os.ReadFile(backup(t, r))
			require.NoError(t, err)
			var script bytes.Buffer
			script.WriteString("set -eu\n")
			for _, block := range shellBlock.FindAllSubmatch(text, -1) {
				script.Write(block[1])
			}

			bare := devserver.StartPostgres(t)
			address, err := url.Parse(bare.URL("postgres"))
			require.NoError(t, err)
			password, _ := address.User.Password()
			dir := t.TempDir()
			cmd := exec.Command("sh", "-c", script.String())
			cmd.Dir = dir
			cmd.Env = []string{
				"PATH=" + bare.BinDir + ":" + os.Getenv("PATH"), "HOME=" + dir, "KEY=" + r.KeyFile(),
				"PGHOST=" + address.Hostname(), "PGPORT=" + address.Port(), "PGUSER=" + address.User.Username(), "PGPASSWORD=" + password,
				"AWS_ACCESS_KEY_ID=" + r.S3.AccessKey, "AWS_SECRET_ACCESS_KEY=" + r.S3.SecretKey,
			}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s\n%s", script.String(), out)
			require.Contains(t, string(out), "ok\n", "sqlite3 finds the file whole")

			const rows = "select count(*) || ' ' || md5(string_agg(v::text, '' order by v.id)) from visits v"
			require.Equal(t, r.Query(r.Production, sandbox.Database, rows), r.Query(bare.PostgresServer, "app_restored", rows))
			require.Equal(t, "7s", r.Query(bare.PostgresServer, "app_restored", "show statement_timeout"), "settings of the database come along")
			notes, err := exec.Command("sqlite3", filepath.Join(dir, "recovery", "notes.db"), "select count(*) from notes").Output()
			require.NoError(t, err)
			require.NotEqual(t, "0", strings.TrimSpace(string(notes)))
		})
	}
}

func onS3(_ *testing.T, r *rig.Rig) string {
	r.StartWorker()
	return r.ObjectFile(recovery.GuideKey(sandbox.Service, r.Backup().Set))
}

func inAFolder(_ *testing.T, r *rig.Rig) string {
	root := r.UseFolder()
	r.StartWorker()
	return filepath.Join(root, filepath.FromSlash(recovery.GuideKey(sandbox.Service, r.Backup().Set)))
}

// referring makes a set that holds app alone, and refers to an earlier one's notes.
func referring(t *testing.T, r *rig.Rig) string {
	report := backupWhatIsDue(t, r)
	return r.ObjectFile(recovery.GuideKey(sandbox.Service, report.Set))
}

// backupWhatIsDue makes a set of the notes while the database cannot be dumped, and
// then one of what is due: the database, with the notes of the first.
func backupWhatIsDue(t *testing.T, r *rig.Rig) recovery.Report {
	t.Helper()
	r.Configure(func(c *sandbox.Config) { c.AppEvery, c.NotesEvery = "24h", "never" })
	good := r.Env["WHERE2EAT_DATABASE_URL"]
	u, err := url.Parse(good)
	require.NoError(t, err)
	u.User = url.UserPassword(u.User.Username(), "wrong")
	r.Env["WHERE2EAT_DATABASE_URL"] = u.String()
	w := r.StartWorker()
	first := r.Starter("backup", sandbox.Service, "--level", "readBack")
	require.Equal(t, 3, first.Code, "%s\n%s", first.Stdout, first.Stderr) // disproven: a source is missing
	require.Zero(t, w.Stop())

	r.Env["WHERE2EAT_DATABASE_URL"] = good
	r.StartWorker()
	out := r.Starter("backup", sandbox.Service, "--due", "--json")
	require.Equal(t, 0, out.Code, out.Stderr)
	var report recovery.Report
	require.NoError(t, json.Unmarshal([]byte(out.Stdout), &report))
	require.Equal(t, recovery.LevelProven, report.Level)
	m := r.Manifest(report.Set)
	app, ok := m.Artefact("app")
	require.True(t, ok)
	require.Equal(t, report.Set, app.Set)
	notes, ok := m.Artefact("notes")
	require.True(t, ok)
	require.Less(t, notes.Set, report.Set)
	return report
}
