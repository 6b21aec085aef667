package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/loopback"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
)

// Releases are those of a Where2Eat that its own scripts deploy: tags of a Git
// repository that the test makes from the source of this Where2Eat.
type Releases struct {
	Address string // where production answers, host:port
	Home    string // where the scripts keep releases
	Flag    string // the file that holds the feature flag

	rig    *Rig
	repo   string
	log    string            // the script's own list of its runs
	env    map[string]string // of the scripts, besides the secrets
	deploy map[string]any    // deploy in lifeboat.yaml
	source string            // of the file that says how to be broken
	made   time.Time         // the last commit
}

// databaseURL is what the scripts get by reference.
const databaseURL = "WHERE2EAT_DATABASE_URL"

// DeployReleases prepares a repository without tags, and a lifeboat.yaml that says how
// Where2Eat is deployed from it and seen to be well. Nothing is deployed yet.
func (r *Rig) DeployReleases() *Releases {
	r.t.Helper()
	home := filepath.Join(r.Dir, "deployed")
	d := &Releases{
		Address: r.reserve(), Home: home, Flag: home + ".flag", rig: r, repo: filepath.Join(r.Dir, "repo"), log: home + ".log",
		made: time.Now().Add(-24 * time.Hour),
	}
	d.env = r.goEnvironment()
	maps.Copy(d.env, map[string]string{
		"WHERE2EAT_HOME": home, "WHERE2EAT_LISTEN": d.Address, "WHERE2EAT_NOTES_PATH": r.NotesPath(),
		"WHERE2EAT_FLAG_FILE": d.Flag, "WHERE2EAT_DEPLOY_LOG": d.log,
	})
	d.deploy = map[string]any{
		"dir": d.scripts(), "repo": d.repo, "timeout": "2m",
		"current": map[string]any{"command": []string{"./deploy.sh", "--current"}},
		"deploy":  []string{"./deploy.sh", "--tag", "{tag}"},
		// Short, because no test may take minutes.
		"goodAfter": "2s", "settle": "2s",
	}
	d.copySource()
	d.Configure(func(map[string]any) {})
	r.t.Cleanup(d.stop)
	return d
}

// reserve finds an address for a server that is stopped and started.
func (r *Rig) reserve() string {
	r.t.Helper()
	port, err := loopback.Reserve()
	require.NoError(r.t, err)
	r.t.Cleanup(port.Release)
	return port.Address()
}

// goEnvironment lets scripts that know no more than HOME build with what is compiled
// already.
func (r *Rig) goEnvironment() map[string]string {
	r.t.Helper()
	out, err := exec.Command("go", "env", "-json", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", "GOTOOLCHAIN").Output()
	require.NoError(r.t, err)
	env := map[string]string{}
	require.NoError(r.t, json.Unmarshal(out, &env))
	maps.DeleteFunc(env, func(_, value string) bool { return value == "" })
	return env
}

func (d *Releases) scripts() string { return filepath.Join(d.repo, "examples", "where2eat") }

// copySource makes the repository, with what Where2Eat is built from.
func (d *Releases) copySource() {
	t := d.rig.t
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	require.NoError(t, err)
	from := strings.TrimSpace(string(root))
	require.NoError(t, os.CopyFS(d.scripts(), os.DirFS(filepath.Join(from, "examples", "where2eat"))))
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(d.repo, name), text, 0o600))
	}
	text, err := os.ReadFile(d.configSource())
	require.NoError(t, err)
	d.source = string(text)
	d.git("init", "--quiet")
}

func (d *Releases) configSource() string { return filepath.Join(d.scripts(), "config.go") }

// Tag makes a release with one commit, of that subject, more than the one before.
func (d *Releases) Tag(tag, subject string) { d.tag(tag, subject, d.source) }

// TagBroken is Tag for a release that is broken as if WHERE2EAT_BREAK said so.
func (d *Releases) TagBroken(tag, subject, broken string) {
	d.rig.t.Helper()
	const reads = `env("WHERE2EAT_BREAK")`
	require.Contains(d.rig.t, d.source, reads)
	d.tag(tag, subject, strings.Replace(d.source, reads, strconv.Quote(broken), 1))
}

func (d *Releases) tag(tag, subject, source string) {
	t := d.rig.t
	t.Helper()
	require.NoError(t, os.WriteFile(d.configSource(), []byte(source), 0o600))
	d.made = d.made.Add(time.Minute) // releases are listed by their age
	d.git("add", ".")
	d.git("commit", "--quiet", "--allow-empty", "--message", subject)
	d.git("tag", tag)
}

func (d *Releases) git(args ...string) {
	t := d.rig.t
	t.Helper()
	cmd := exec.Command("git", args...)
	date := d.made.Format(time.RFC3339)
	cmd.Dir = d.repo
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date,
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@where2eat.example", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@where2eat.example")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Configure changes deploy in lifeboat.yaml.
func (d *Releases) Configure(change func(deploy map[string]any)) {
	d.rig.t.Helper()
	change(d.deploy)
	env := maps.Clone(d.env)
	env[databaseURL] = "env:" + databaseURL
	d.deploy["env"] = env
	line := func(name string, value any) string {
		text, err := json.Marshal(value) // YAML reads it too
		require.NoError(d.rig.t, err)
		return name + ": " + string(text) + "\n    "
	}
	d.rig.Configure(func(c *sandbox.Config) {
		c.ServiceExtra = line("deploy", d.deploy) +
			// A release that is not well is known to be so after a few seconds.
			line("live", map[string]any{"baseURL": "http://" + d.Address, "ready": "/ready", "timeout": "5s"}) +
			line("policies", map[string]any{"rollback": map[string]any{"approvers": []string{"oncall"}, "expires": "10m"}})
	})
}

// UseSlots deploys to two slots behind a proxy, which runs until the end of the test.
func (d *Releases) UseSlots() {
	t := d.rig.t
	t.Helper()
	d.env["WHERE2EAT_BLUE"], d.env["WHERE2EAT_GREEN"] = d.rig.reserve(), d.rig.reserve()
	d.Configure(func(deploy map[string]any) {
		deploy["current"] = map[string]any{"command": []string{"./bluegreen.sh", "--current"}}
		deploy["deploy"] = []string{"./bluegreen.sh", "--tag", "{tag}"}
		deploy["switch"], deploy["switchBack"] = []string{"./bluegreen.sh", "--switch", "older"}, []string{"./bluegreen.sh", "--switch", "newer"}
	})
	proxy := exec.Command(filepath.Join(binaries, "proxy"), "-listen", d.Address, "-follow", filepath.Join(d.Home, "active", "address"))
	proxy.Stderr = os.Stderr
	require.NoError(t, proxy.Start())
	t.Cleanup(func() {
		_ = proxy.Process.Kill()
		_ = proxy.Wait()
	})
}

// UseStaging gives the releases a staging with a database and notes of its own, and
// returns where Where2Eat answers there.
func (d *Releases) UseStaging() (address string) {
	t := d.rig.t
	t.Helper()
	const database = "where2eat_staging"
	require.NoError(t, d.rig.Staging.Exec(context.Background(), "postgres", "create database "+database))
	env := maps.Clone(d.env)
	maps.Copy(env, map[string]string{
		"WHERE2EAT_HOME": d.Home + "-staging", "WHERE2EAT_LISTEN": d.rig.reserve(), "WHERE2EAT_NOTES_PATH": filepath.Join(d.rig.Dir, "staging-notes.db"),
		"WHERE2EAT_DEPLOY_LOG": d.Home + "-staging.log",
	})
	d.rig.Env["STAGING_WHERE2EAT_URL"] = d.rig.Staging.URL(database)
	env[databaseURL] = d.rig.Env["STAGING_WHERE2EAT_URL"]
	out, err := d.command(env, filepath.Join(binaries, "where2eat"), "-migrate", "-seed").CombinedOutput()
	require.NoError(t, err, "%s", out)
	env[databaseURL] = "env:STAGING_WHERE2EAT_URL"
	d.Configure(func(deploy map[string]any) {
		deploy["staging"] = map[string]any{"env": env, "deploy": []string{"./deploy.sh", "--tag", "{tag}"}, "test": []string{"./integration.sh"}, "timeout": "2m"}
	})
	return env["WHERE2EAT_LISTEN"]
}

func (d *Releases) command(env map[string]string, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = d.scripts()
	for _, name := range []string{"PATH", "HOME"} {
		cmd.Env = append(cmd.Env, name+"="+d.rig.Env[name])
	}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// ByHand runs one of the scripts in production, as a person does, and wants it to end
// well.
func (d *Releases) ByHand(script string, args ...string) {
	d.rig.t.Helper()
	env := maps.Clone(d.env)
	env[databaseURL] = d.rig.Env[databaseURL]
	delete(env, "WHERE2EAT_DEPLOY_LOG")
	out, err := d.command(env, script, args...).CombinedOutput()
	require.NoError(d.rig.t, err, "%s", out)
}

// Runs lists the tags for which Lifeboat ran deploy.sh in production, in that order.
func (d *Releases) Runs() []string {
	d.rig.t.Helper()
	text, err := os.ReadFile(d.log)
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(d.rig.t, err)
	}
	var tags []string
	for line := range strings.Lines(string(text)) {
		_, tag, ok := strings.Cut(strings.TrimSpace(line), " ")
		require.True(d.rig.t, ok, "half a line: %q", line)
		tags = append(tags, tag)
	}
	return tags
}

// Serving is the release that answers in production; empty if none does.
func (d *Releases) Serving() string { return d.ServingAt(d.Address) }

// ServingAt is the release that answers at an address.
func (d *Releases) ServingAt(address string) string {
	d.rig.t.Helper()
	answer, err := http.Get("http://" + address + "/version")
	if err != nil {
		return ""
	}
	defer func() { require.NoError(d.rig.t, answer.Body.Close()) }()
	var version struct{ Release, Commit string }
	if json.NewDecoder(answer.Body).Decode(&version) != nil {
		return ""
	}
	return version.Release
}

// Found keeps evidence that a release was seen to be well, as if it had been watched.
func (d *Releases) Found(tag string) {
	d.rig.t.Helper()
	commit, err := exec.Command("git", "-C", d.repo, "rev-parse", tag+"^{commit}").Output()
	require.NoError(d.rig.t, err)
	at := time.Now().UTC().Truncate(time.Millisecond)
	found := release.Record{
		Format: release.RecordFormat, Service: sandbox.Service, Tag: tag, Commit: strings.TrimSpace(string(commit)), Kind: release.Watched,
		Verdict: recovery.Proven, At: at, Since: at.Add(-time.Hour), For: recovery.Duration(time.Hour), Checks: 60,
	}
	signed, err := found.Encode(d.rig.signingKey())
	require.NoError(d.rig.t, err)
	require.NoError(d.rig.t, d.rig.Vault().PutOnce(context.Background(), found.Key(), signed))
}

// Known lists the releases as `starter releases --json` does: each as "TAG STANDING",
// the newest first.
func (d *Releases) Known() []string {
	t := d.rig.t
	t.Helper()
	out := d.rig.Starter("releases", sandbox.Service, "--json")
	require.Equal(t, 0, out.Code, out.Stderr)
	var overview release.Overview
	require.NoError(t, json.Unmarshal([]byte(out.Stdout), &overview), out.Stdout)
	var known []string
	for _, r := range overview.Releases {
		known = append(known, fmt.Sprintf("%s %s", r.Tag.Tag, r.Standing))
	}
	return known
}

// stop waits for deploys that are under way, and ends what they started.
func (d *Releases) stop() {
	t := d.rig.t
	var homes []string
	for _, home := range []string{d.Home, d.Home + "-staging"} {
		homes = append(homes, home, filepath.Join(home, "blue"), filepath.Join(home, "green"))
	}
	for _, home := range slices.DeleteFunc(homes, func(home string) bool { return !exists(filepath.Join(home, ".lock")) }) {
		out, err := exec.Command("flock", "--wait", "60", filepath.Join(home, ".lock"), "true").CombinedOutput()
		require.NoError(t, err, "a deploy does not end: %s", out)
		text, err := os.ReadFile(filepath.Join(home, "where2eat.pid"))
		if err != nil {
			continue // it was never started
		}
		pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
		require.NoError(t, err)
		runs := func() bool {
			program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
			return err == nil && strings.HasPrefix(program, home)
		}
		if runs() {
			require.NoError(t, syscall.Kill(pid, syscall.SIGTERM))
			require.Eventually(t, func() bool { return !runs() }, 20*time.Second, 20*time.Millisecond, "Where2Eat does not stop")
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
