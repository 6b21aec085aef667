package e2e_test

import (
	"bytes"
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
	for name, folder := range map[string]bool{"S3": false, "folder": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, tool := range []string{"age", "zstd", "sqlite3", "rclone"} {
				_, err := exec.LookPath(tool)
				require.NoError(t, err, "run `make tools`")
			}
			r := rig.New(t)
			r.Exec(sandbox.Database, "alter database where2eat set statement_timeout to '7s'")
			guide := ""
			if folder {
				root := r.UseFolder()
				r.StartWorker()
				set := r.Backup().Set
				guide = filepath.Join(root, filepath.FromSlash(recovery.GuideKey(sandbox.Service, set)))
			} else {
				r.StartWorker()
				guide = r.ObjectFile(recovery.GuideKey(sandbox.Service, r.Backup().Set))
			}
			text, err := os.ReadFile(guide)
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
