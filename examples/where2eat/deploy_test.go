package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/loopback"
)

// tiny is a service that deploy.sh can build and start: it answers with its release.
const tiny = `package main

import (
	"fmt"
	"net/http"
	"os"
)

var release, commit string

func main() {
	fmt.Println("starting", release, commit)
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, release, " ", TEXT) })
	fmt.Println(http.ListenAndServe(os.Getenv("WHERE2EAT_LISTEN"), nil))
}
`

type deployment struct {
	t    *testing.T
	home string
	repo string
	env  []string
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{t: t, home: filepath.Join(t.TempDir(), "home"), repo: t.TempDir()}
	d.env = append(os.Environ(), "WHERE2EAT_HOME="+d.home, "WHERE2EAT_REPO="+d.repo, "WHERE2EAT_PACKAGE=.", "WHERE2EAT_LISTEN="+freeAddress(t),
		"WHERE2EAT_DEPLOY_LOG="+d.home+".log",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@t.example", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@t.example")
	d.git("init", "--quiet")
	require.NoError(t, os.WriteFile(filepath.Join(d.repo, "go.mod"), []byte("module tiny\n\ngo 1.26\n"), 0o600))
	d.release("v1", `"one"`)
	d.release("v2", `"two"`)
	d.release("v3-broken", `missing`)
	t.Cleanup(d.stop)
	return d
}

// freeAddress is an address on loopback at which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := loopback.Reserve()
	require.NoError(t, err)
	t.Cleanup(port.Release)
	return port.Address()
}

func (d *deployment) release(tag, text string) {
	d.t.Helper()
	require.NoError(d.t, os.WriteFile(filepath.Join(d.repo, "main.go"), []byte(strings.ReplaceAll(tiny, "TEXT", text)), 0o600))
	d.git("add", ".")
	d.git("commit", "--quiet", "--message", tag)
	d.git("tag", tag)
}

func (d *deployment) git(args ...string) {
	d.t.Helper()
	command := exec.CommandContext(d.t.Context(), "git", args...)
	command.Dir, command.Env = d.repo, d.env
	output, err := command.CombinedOutput()
	require.NoError(d.t, err, "%s", output)
}

func (d *deployment) run(args ...string) (string, error) {
	d.t.Helper()
	return d.script("./deploy.sh", args...)
}

func (d *deployment) script(name string, args ...string) (string, error) {
	d.t.Helper()
	command := exec.CommandContext(d.t.Context(), name, args...)
	command.Env = d.env
	output, err := command.CombinedOutput()
	return string(output), err
}

func (d *deployment) pid() int { return pidIn(d.home) }

// pidIn is the pid of the service that deploy.sh started last in a folder.
func pidIn(home string) int {
	text, err := os.ReadFile(filepath.Join(home, "where2eat.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// program returns what a process runs, or nothing if it has ended.
func program(pid int) string {
	path, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	if err != nil {
		return ""
	}
	return path
}

// stop ends the services that run in the home, in slots or not.
func (d *deployment) stop() {
	for _, home := range []string{d.home, filepath.Join(d.home, "blue"), filepath.Join(d.home, "green")} {
		d.stopIn(home)
	}
}

func (d *deployment) stopIn(home string) {
	d.t.Helper()
	pid := pidIn(home)
	if strings.HasPrefix(program(pid), home) {
		require.NoError(d.t, syscall.Kill(pid, syscall.SIGTERM))
		require.Eventually(d.t, func() bool { return program(pid) == "" }, 10*time.Second, 10*time.Millisecond)
	}
}

func TestDeploy(t *testing.T) {
	d := newDeployment(t)
	output, err := d.run("--current")
	require.Error(t, err)
	require.Contains(t, output, "deploy: nothing is deployed")

	for _, tag := range []string{"v1", "v2", "v1"} {
		before := d.pid()
		output, err = d.run("--tag", tag)
		require.NoError(t, err, output)
		require.Contains(t, output, "deployed "+tag)
		require.Equal(t, filepath.Join(d.home, "releases", tag, "where2eat"), program(d.pid()))
		require.NotEqual(t, before, d.pid())
		require.Empty(t, program(before), "the release before still runs")
		output, err = d.run("--current")
		require.NoError(t, err)
		require.Equal(t, tag+"\n", output)
	}
	log, err := os.ReadFile(filepath.Join(d.home, "where2eat.log"))
	require.NoError(t, err)
	require.Regexp(t, `(?s)starting v1 [0-9a-f]{40}.*starting v2 .*starting v1 `, string(log))
	runs, err := os.ReadFile(d.home + ".log")
	require.NoError(t, err)
	require.Regexp(t, `^(20\d\d-\d\d-\d\dT[0-9:]{8}Z v[12]\n){3}$`, string(runs), "a line for each deploy, none for --current")
}

func TestDeployRefuses(t *testing.T) {
	d := newDeployment(t)
	output, err := d.run("--tag", "v1")
	require.NoError(t, err, output)
	running := d.pid()
	for tag, want := range map[string]string{
		"v9":        "deploy: there is no release v9; there are: v1 v2 v3-broken",
		"v3-broken": "undefined: missing",
		"../v1":     "deploy: a tag has letters, digits",
		"main":      "deploy: there is no release main",
	} {
		output, err := d.run("--tag", tag)
		require.Error(t, err, tag)
		require.Contains(t, output, want)
	}
	d.git("tag", "--force", "v1", "v2")
	output, err = d.run("--tag", "v1")
	require.Error(t, err)
	require.Contains(t, output, "deploy: the tag v1 was moved")
	output, err = d.run()
	require.Error(t, err)
	require.Contains(t, output, "usage: deploy.sh --tag TAG | --current")

	output, err = d.run("--current")
	require.NoError(t, err)
	require.Equal(t, "v1\n", output)
	require.Equal(t, running, d.pid())
	require.NotEmpty(t, program(running), "the running release was stopped")
	leftOvers, err := filepath.Glob(filepath.Join(d.home, "releases", ".build-*"))
	require.NoError(t, err)
	require.Empty(t, leftOvers)
}

func TestDeployLeavesAStrangersProcessAlone(t *testing.T) {
	d := newDeployment(t)
	stranger := exec.CommandContext(t.Context(), "sleep", "600")
	require.NoError(t, stranger.Start())
	t.Cleanup(func() { _ = stranger.Process.Kill(); _ = stranger.Wait() })
	require.NoError(t, os.MkdirAll(d.home, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(d.home, "where2eat.pid"), []byte(strconv.Itoa(stranger.Process.Pid)), 0o600))
	output, err := d.run("--tag", "v1")
	require.NoError(t, err, output)
	require.Contains(t, program(stranger.Process.Pid), "sleep")
}
