package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/deploy"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

const secret = "hunter2-hunter2"

// host is a host whose commands stand in a folder of its own.
func host(t *testing.T, spec recovery.DeploySpec) *deploy.Host {
	t.Helper()
	if spec.Dir == "" {
		spec.Dir = t.TempDir()
	}
	if spec.Timeout == 0 {
		spec.Timeout = recovery.Duration(time.Minute)
	}
	return &deploy.Host{
		Spec: &spec, Env: []string{"PATH=" + os.Getenv("PATH"), "TOKEN=" + secret},
		Hide: func(text string) string { return strings.ReplaceAll(text, secret, "***") },
	}
}

// script writes a command, and returns it as the config names it.
func script(t *testing.T, h *deploy.Host, text string) []string {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(h.Spec.Dir, "ask.sh"), []byte("#!/bin/sh\n"+text+"\n"), 0o700))
	return []string{"./ask.sh"}
}

// requireFault checks what an error means, all of what it says, and that it tells no
// secret.
func requireFault(t *testing.T, err error, kind recovery.FaultKind, text string) {
	t.Helper()
	require.ErrorContains(t, err, text)
	require.Equal(t, kind, recovery.KindOf(err), err.Error())
	require.NotContains(t, err.Error(), "hunter2")
}

func TestCurrentOfACommand(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   release.Tag
	}{
		"a tag":                  {"echo v1.2.0", release.Tag{Tag: "v1.2.0"}},
		"with its commit":        {"echo v1.2.0 1a2b3c4 of last week; echo v9", release.Tag{Tag: "v1.2.0", Commit: "1a2b3c4"}},
		"with a word":            {"echo '  v1.2.0  yesterday '", release.Tag{Tag: "v1.2.0"}},
		"of a registry":          {"printf registry.example/app:1.2@sha256-ab", release.Tag{Tag: "registry.example/app:1.2@sha256-ab"}},
		"more than is looked at": {"echo v1; head -c 3000000 /dev/zero", release.Tag{Tag: "v1"}},
		"and its arguments":      {`[ "$1$2" = 'a b;echo $(id)' ] && pwd | sed "s:.*/::" && echo v2`, release.Tag{Tag: "here"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "here")
			require.NoError(t, os.Mkdir(dir, 0o700))
			h := host(t, recovery.DeploySpec{Dir: dir})
			h.Spec.Current.Command = append(script(t, h, c.script), "a b;", "echo $(id)")
			got, err := h.Current(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.want, *got)
		})
	}
}

func TestCurrentOfACommandThatFails(t *testing.T) {
	const mend = "(its command must print the tag in its first line, and may print the commit after it)"
	for name, c := range map[string]struct {
		script string
		kind   recovery.FaultKind
		want   string
	}{
		"nothing":         {"", recovery.Permanent, "learn from deploy.current which release is deployed: read tag: there is none " + mend},
		"a blank line":    {"echo; echo v1", recovery.Permanent, "there is none " + mend},
		"an option":       {"echo -rf", recovery.Permanent, `read tag "-rf": use 1 to 200 letters, digits and . _ + : @ / -, beginning with a letter or digit, without two dots in a row ` + mend},
		"shell's letters": {"echo 'v1;id'", recovery.Permanent, `read tag "v1;id": use`},
		"a secret":        {`echo "!$TOKEN"`, recovery.Permanent, `read tag "!***": use 1 to 200`},
		"much":            {`printf '  !'; head -c 3000000 /dev/zero | tr '\0' v`, recovery.Permanent, `read tag "!` + strings.Repeat("v", 98) + `…": use 1 to 200`},
		"an exit": {
			`echo v1; echo "first" >&2; echo "no \033[31mserver for $TOKEN" >&2; echo >&2; exit 3`, recovery.Unavailable,
			"run deploy.current: ask.sh exited with status 3: no [31mserver for *** (mend deploy.current in the config, or the command)",
		},
		"a silent exit": {"exit 1", recovery.Unavailable, "run deploy.current: ask.sh exited with status 1 (mend"},
	} {
		t.Run(name, func(t *testing.T) {
			h := host(t, recovery.DeploySpec{})
			h.Spec.Current.Command = script(t, h, c.script)
			_, err := h.Current(t.Context())
			requireFault(t, err, c.kind, c.want)
		})
	}
}

func TestACommandThatDoesNotStartOrEnd(t *testing.T) {
	h := host(t, recovery.DeploySpec{Current: recovery.CurrentSpec{Command: []string{"./missing.sh"}}})
	_, err := h.Current(t.Context())
	requireFault(t, err, recovery.Permanent, "run deploy.current: start missing.sh: ")

	require.NoError(t, os.WriteFile(filepath.Join(h.Spec.Dir, "plain"), []byte("echo v1\n"), 0o700))
	h.Spec.Current.Command = []string{"./plain"}
	_, err = h.Current(t.Context())
	requireFault(t, err, recovery.Permanent, "run deploy.current: start plain: ")
	require.ErrorContains(t, err, "exec format error")

	h.Spec.Current.Command = []string{"no-such-program-anywhere"}
	_, err = h.Current(t.Context())
	requireFault(t, err, recovery.Permanent, "executable file not found")

	h.Spec.Current.Command = script(t, h, "sleep 60")
	h.Spec.Timeout = recovery.Duration(50 * time.Millisecond)
	_, err = h.Current(t.Context())
	requireFault(t, err, recovery.Unavailable, "run deploy.current: ask.sh was stopped: it took longer than 50ms (mend")

	stopped, stop := context.WithCancel(t.Context())
	stop()
	_, err = h.Current(stopped)
	require.Equal(t, context.Canceled, err)
}

func TestTagsOfACommand(t *testing.T) {
	h := host(t, recovery.DeploySpec{})
	tags, err := h.Tags(t.Context())
	require.NoError(t, err)
	require.Empty(t, tags, "the config does not say")

	h.Spec.Releases = script(t, h, "printf 'v3 1a2b3c4\\n\\n--all\\nv2 old\\n$(id)\\nv1'")
	tags, err = h.Tags(t.Context())
	require.NoError(t, err)
	require.Equal(t, []release.Tag{{Tag: "v3", Commit: "1a2b3c4"}, {Tag: "v2"}, {Tag: "v1"}}, tags)

	h.Spec.Releases = script(t, h, "seq -f v%g 300")
	tags, err = h.Tags(t.Context())
	require.NoError(t, err)
	require.Len(t, tags, 200)
	require.Equal(t, "v1", tags[0].Tag)

	h.Spec.Releases = script(t, h, "exit 4")
	_, err = h.Tags(t.Context())
	requireFault(t, err, recovery.Unavailable, "run deploy.releases: ask.sh exited with status 4")
}

func TestWarnings(t *testing.T) {
	v1, v2 := release.Tag{Tag: "v1", Commit: "1a2b3c4"}, release.Tag{Tag: "v2"}
	compare := func(script []string, h *deploy.Host) *release.Comparison {
		t.Helper()
		h.Spec.Warn = script
		c, err := h.Compare(t.Context(), v2, v1)
		require.NoError(t, err)
		require.Equal(t, "deploy.repo is not in the config", c.Unknown)
		return c
	}
	h := host(t, recovery.DeploySpec{})
	require.Equal(t, "deploy.warn is not in the config", compare(nil, h).Unwarned)

	c := compare(append(script(t, h, `echo "from $1 to $2 $3"; echo; printf '\033[1mtable visits\tis %s\n' "$TOKEN"; echo noise >&2`), "{from}", "{tag}", "{commit}"), h)
	require.Equal(t, &release.Comparison{
		Unknown: "deploy.repo is not in the config", Warnings: []string{"from v2 to v1 1a2b3c4", "[1mtable visits is ***"},
	}, c)

	c = compare(script(t, h, "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do printf '%s ' $i; printf 'ö%.0s' $(seq 300); echo; done"), h)
	require.Len(t, c.Warnings, 10)
	require.Equal(t, "10 "+strings.Repeat("ö", 196)+"…", c.Warnings[9])

	c = compare(script(t, h, "echo half a list; echo 'no database' >&2; exit 2"), h)
	require.Empty(t, c.Warnings)
	require.Equal(t, "run deploy.warn: ask.sh exited with status 2: no database (mend deploy.warn in the config, or the command)", c.Unwarned)

	require.Equal(t, release.Comparison{Unknown: "deploy.repo is not in the config"}, *compare(script(t, h, "exit 0"), h), "nothing makes it risky")
}

func TestCompareRefusesOddTags(t *testing.T) {
	h := host(t, recovery.DeploySpec{})
	h.Spec.Warn = script(t, h, "touch ran")
	good := release.Tag{Tag: "v1"}
	for _, odd := range []string{"", "--force", "v1 v2", "v1\nv2", strings.Repeat("v", 201)} {
		_, err := h.Compare(t.Context(), good, release.Tag{Tag: odd})
		requireFault(t, err, recovery.Permanent, fmt.Sprintf("read tag %q", odd))
		if odd != "" {
			_, err = h.Compare(t.Context(), release.Tag{Tag: odd}, good)
			requireFault(t, err, recovery.Permanent, fmt.Sprintf("read tag %q", odd))
		}
	}
	_, err := os.Stat(filepath.Join(h.Spec.Dir, "ran"))
	require.True(t, errors.Is(err, os.ErrNotExist), "no command ran")
}
