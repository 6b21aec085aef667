package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/internal/seal"
)

// writeConfig writes a config whose destination main is described so, and returns
// what reads it.
func writeConfig(t *testing.T, main string) (files *configs, key recovery.SigningKey) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	key, err := recovery.NewSigningKey(make([]byte, 32))
	require.NoError(t, err)
	write("signing.key", key.Reveal())
	_, recipient, err := seal.GenerateIdentity()
	require.NoError(t, err)
	write("lifeboat.yaml", fmt.Sprintf(`version: 1
worker: { state: state }
encryption: { recipients: [%s] }
signing: { key: file:signing.key, trusted: [%s] }
destinations: [{ name: main, %s }]
staging: { folder: staging }
services:
  - name: where2eat
    owner: rebecca
    dir: service
    objectives: { availability: 99.5%%, rto: 1h, rpo: 24h }
    sources: [{ name: notes, kind: sqlite, path: notes.db }]
`, recipient, key.Public(), main))
	return &configs{file: filepath.Join(dir, "lifeboat.yaml")}, key
}

// service is a service of this host whose commands are scripts in its folder.
type service struct {
	t     *testing.T
	files *configs
	dir   string
	plan  *recovery.Plan
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{t: t}
	s.files, _ = writeConfig(t, `url: "file:///nowhere"`)
	s.dir = filepath.Join(filepath.Dir(s.files.file), "service")
	require.NoError(t, os.Mkdir(s.dir, 0o700))
	s.plan = &recovery.Plan{Service: "where2eat", Deploy: &recovery.DeploySpec{Dir: s.dir, Timeout: recovery.Duration(time.Minute)}}
	return s
}

// command writes a script, and returns it as a step runs it.
func (s *service) command(script string, args ...string) recovery.CommandSpec {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, "deploy.sh"), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	return s.plan.Deploy.Command("deploy", append([]string{"./deploy.sh"}, args...), "", "", "")
}

// run runs a command that nobody else has claimed.
func (s *service) run(spec recovery.CommandSpec, key string) *recovery.CommandOutcome {
	s.t.Helper()
	outcome, err := (&commands{configs: s.files}).RunOnce(s.t.Context(), s.plan, spec, key, granted)
	require.NoError(s.t, err)
	require.True(s.t, outcome.Known, outcome.Why)
	return outcome
}

func granted(context.Context, string) (bool, error) { return true, nil }

func (s *service) file(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(s.t, err)
	return string(text)
}

func TestRunOnce(t *testing.T) {
	s := newService(t)
	spec := s.command(`echo "$@" >> ran; pwd; echo deployed; echo noise >&2`, "--tag", "v1 $(id)")
	first := s.run(spec, "approval-1")
	require.Empty(t, first.Failure)
	require.Equal(t, s.dir+"\ndeployed\nnoise\n", first.Output)
	require.False(t, first.Finished.Before(first.Started))
	require.False(t, first.Started.IsZero())
	require.Equal(t, first, s.run(spec, "approval-1"), "it is told what happened")
	require.Equal(t, "--tag v1 $(id)\n", s.file("ran"))
	s.run(spec, "approval-2")
	require.Equal(t, 2, strings.Count(s.file("ran"), "\n"))
	_, err := os.Stat(filepath.Join(filepath.Dir(s.files.file), "state/once/approval-1"))
	require.NoError(t, err, "it is noted in worker.state")

	outcome, err := (&commands{configs: s.files}).RunOnce(t.Context(), s.plan, spec, "approval-3", func(context.Context, string) (bool, error) { return false, nil })
	require.NoError(t, err)
	require.False(t, outcome.Known)
	require.Contains(t, outcome.Why, "somebody else has started it")
	require.Equal(t, 2, strings.Count(s.file("ran"), "\n"))

	spec.Env = map[string]string{"TOKEN": "env:LIFEBOAT_TEST_IS_NOT_SET"}
	_, err = (&commands{configs: s.files}).RunOnce(t.Context(), s.plan, spec, "approval-1", granted)
	require.ErrorContains(t, err, "is not set in the environment")
	require.Equal(t, recovery.Unavailable, recovery.KindOf(err), "a permanent error would say that it was not started")
}

func TestRunOnceEndsBadly(t *testing.T) {
	s := newService(t)
	outcome := s.run(s.command("echo no room; exit 3"), "exits")
	require.Equal(t, "it exited with status 3", outcome.Failure)
	require.Equal(t, "no room\n", outcome.Output)

	spec := s.command("")
	require.NoError(t, os.Chmod(filepath.Join(s.dir, "deploy.sh"), 0o600))
	require.Contains(t, s.run(spec, "not-executable").Failure, "permission denied")
}

func TestRunOnceCannot(t *testing.T) {
	s := newService(t)
	spec := s.command("touch ran")
	run := func(spec recovery.CommandSpec, claim func(context.Context, string) (bool, error)) error {
		t.Helper()
		_, err := (&commands{configs: s.files}).RunOnce(t.Context(), s.plan, spec, "key", claim)
		require.Error(t, err)
		return err
	}
	err := run(recovery.CommandSpec{Name: "deploy.flagOff"}, granted)
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	require.EqualError(t, err, "run deploy.flagOff of where2eat: there is none (write deploy.flagOff into the config)")

	spec.Env = map[string]string{"TOKEN": "env:LIFEBOAT_TEST_IS_NOT_SET"}
	err = run(spec, granted)
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	require.EqualError(t, err, `set TOKEN for a command: read secret: "env:LIFEBOAT_TEST_IS_NOT_SET" is not set in the environment (set LIFEBOAT_TEST_IS_NOT_SET)`)
	spec.Env = nil

	refused := recovery.NewFault(recovery.Unavailable, errors.New("main does not answer"), "")
	require.Equal(t, refused, run(spec, func(context.Context, string) (bool, error) { return false, refused }))

	state := filepath.Join(filepath.Dir(s.files.file), "state")
	require.NoError(t, os.RemoveAll(state))
	require.NoError(t, os.WriteFile(state, nil, 0o600))
	err = run(spec, granted)
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
	require.ErrorContains(t, err, "run deploy.deploy: make the folder of a job: ")
	require.ErrorContains(t, err, "not a directory (worker.state in the config must be a folder on this host that the worker's user may write)")

	_, err = os.Stat(filepath.Join(s.dir, "ran"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestJobFault(t *testing.T) {
	const mend = " (worker.state in the config must be a folder on this host that the worker's user may write)"
	for name, c := range map[string]struct {
		err  error
		kind recovery.FaultKind
		want string
	}{
		"no permission":             {&fs.PathError{Op: "open", Path: "nonce", Err: syscall.EACCES}, recovery.Permanent, "run deploy: open nonce: permission denied" + mend},
		"a disk that is read-only":  {&fs.PathError{Op: "open", Path: "nonce", Err: syscall.EROFS}, recovery.Permanent, "run deploy: open nonce: read-only file system" + mend},
		"a program being replaced":  {&fs.PathError{Op: "fork/exec", Path: "worker", Err: syscall.ENOENT}, recovery.Unavailable, "run deploy: fork/exec worker: no such file or directory"},
		"a program on no PATH":      {&exec.Error{Name: "worker", Err: exec.ErrNotFound}, recovery.Unavailable, `run deploy: exec: "worker": executable file not found in $PATH`},
		"a supervisor without room": {errors.New("no room"), recovery.Unavailable, "run deploy: no room"},
	} {
		t.Run(name, func(t *testing.T) {
			err := jobFault(t.Context(), "deploy", c.err)
			require.EqualError(t, err, c.want)
			require.Equal(t, c.kind, recovery.KindOf(err))
		})
	}
}

// A worker's secrets are not the service's.
func TestCommandsHaveNoMoreOfTheEnvironment(t *testing.T) {
	s := newService(t)
	t.Setenv("LIFEBOAT_TEST_SECRET", "of-the-worker")
	t.Setenv("GIT_DIR", "/elsewhere")
	t.Setenv("TZ", "Europe/Berlin")
	t.Setenv("LIFEBOAT_TEST_TOKEN", "revealed-token")
	spec := s.command("env > env")
	spec.Env = map[string]string{"TOKEN": "env:LIFEBOAT_TEST_TOKEN", "MODE": "quick", "TZ": "UTC"}
	s.run(spec, "key")
	var names []string
	for line := range strings.Lines(s.file("env")) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		switch name {
		case "HOME", "LANG", "USER", "PATH", "PWD", "OLDPWD", "SHLVL", "_": // the first are all that is inherited, the shell sets the others
		default:
			names = append(names, name+"="+value)
		}
	}
	require.ElementsMatch(t, []string{"TOKEN=revealed-token", "MODE=quick", "TZ=UTC"}, names)
	require.NotContains(t, s.file("env"), "of-the-worker")

	s.command("env > current; echo v1")
	s.plan.Deploy.Env = spec.Env
	s.plan.Deploy.Current.Command = []string{"./deploy.sh"}
	tag, err := (&deploys{configs: s.files}).Current(t.Context(), s.plan)
	require.NoError(t, err)
	require.Equal(t, "v1", tag.Tag)
	require.NotContains(t, s.file("current"), "of-the-worker")
	require.NotContains(t, s.file("current"), "GIT_DIR")
	require.Contains(t, s.file("current"), "TOKEN=revealed-token\n")
	require.Contains(t, s.file("current"), "TZ=UTC\n")
}

func TestOutcomesTellNoSecrets(t *testing.T) {
	s := newService(t)
	t.Setenv("LIFEBOAT_TEST_URL", "postgres://app:hunter2%2F@db/app")
	key := "-----BEGIN KEY-----\n" + strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n", 200) + "-----END KEY-----"
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(s.files.file), "deploy.key"), []byte(key), 0o600))
	spec := s.command(`echo "$KEY"; printf 'connect \033[31m%s\033[0m as hunter2/\n' "$URL"; exit 1`)
	spec.Env = map[string]string{"URL": "env:LIFEBOAT_TEST_URL", "KEY": "file:deploy.key"}
	outcome := s.run(spec, "key")
	require.NotContains(t, outcome.Output, "hunter2")
	require.NotContains(t, outcome.Output, "MIIEvQ")
	require.True(t, strings.HasSuffix(outcome.Output, "***\n***\nconnect [31m***[0m as ***\n"), outcome.Output)

	outcome = s.run(s.command("seq 1000; printf '\\377 end'"), "long")
	require.LessOrEqual(t, len(outcome.Output), 2<<10)
	require.Greater(t, len(outcome.Output), 2<<10-10)
	require.True(t, strings.HasSuffix(outcome.Output, "\n999\n1000\n\uFFFD end"), outcome.Output)
	require.Regexp(t, `^[0-9]{3}\n`, outcome.Output)

	s.plan.Deploy.Env = spec.Env
	s.command(`echo "no $URL" >&2; exit 1`)
	s.plan.Deploy.Warn = []string{"./deploy.sh"}
	c, err := (&deploys{configs: s.files}).Compare(t.Context(), s.plan, release.Tag{Tag: "v2"}, release.Tag{Tag: "v1"})
	require.NoError(t, err)
	require.Equal(t, "run deploy.warn: deploy.sh exited with status 1: no *** (mend deploy.warn in the config, or the command)", c.Unwarned)
}

func TestDeploysWithoutDeploy(t *testing.T) {
	s := newService(t)
	d := &deploys{configs: s.files}
	tags, err := d.Tags(t.Context(), s.plan)
	require.NoError(t, err)
	require.Empty(t, tags)
	s.plan.Deploy = nil
	_, currentErr := d.Current(t.Context(), s.plan)
	_, tagsErr := d.Tags(t.Context(), s.plan)
	_, compareErr := d.Compare(t.Context(), s.plan, release.Tag{Tag: "v2"}, release.Tag{Tag: "v1"})
	for _, err := range []error{currentErr, tagsErr, compareErr} {
		require.Equal(t, recovery.Permanent, recovery.KindOf(err))
		require.EqualError(t, err, "learn about releases of where2eat: nothing is known of how it is deployed (write deploy into the config)")
	}
}
