package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/deploy"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// repo is a Git repository in which each commit is a minute younger than the one
// before.
type repo struct {
	t   *testing.T
	dir string
	now int
}

func newRepo(t *testing.T) *repo {
	t.Helper()
	r := &repo{t: t, dir: t.TempDir()}
	r.git("init", "--quiet")
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	command := exec.Command("git", append([]string{"-C", r.dir, "-c", "init.defaultBranch=main"}, args...)...)
	at := fmt.Sprintf("2026-11-01T10:%02d:00Z", r.now)
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "GIT_AUTHOR_DATE=" + at, "GIT_COMMITTER_DATE=" + at, "GIT_AUTHOR_NAME=Rebecca", "GIT_AUTHOR_EMAIL=r@example.com",
		"GIT_COMMITTER_NAME=Rebecca", "GIT_COMMITTER_EMAIL=r@example.com", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
	}
	out, err := command.CombinedOutput()
	require.NoError(r.t, err, string(out))
	return strings.TrimSpace(string(out))
}

// commit makes a commit, and returns its name.
func (r *repo) commit(subject string) string {
	r.t.Helper()
	r.now++
	r.git("commit", "--quiet", "--allow-empty", "--message", subject)
	return r.git("rev-parse", "HEAD")
}

func (r *repo) short(commit string) string { return r.git("rev-parse", "--short", commit) }

func (r *repo) host(t *testing.T) *deploy.Host {
	t.Helper()
	return host(t, recovery.DeploySpec{Repo: r.dir})
}

func TestTagsOfGit(t *testing.T) {
	r := newRepo(t)
	h := r.host(t)
	list := func() []release.Tag {
		t.Helper()
		tags, err := h.Tags(t.Context())
		require.NoError(t, err)
		return tags
	}
	require.Empty(t, list(), "before the first commit")

	first := r.commit("first")
	r.git("tag", "v1.9")
	r.git("tag", "v1.10")
	second := r.commit("second")
	r.git("tag", "--annotate", "--message", "it is good", "v2", first) // described a minute later
	r.git("tag", "--annotate", "--message", "described again", "team/v2", "v2")
	third := r.commit("third")
	r.git("tag", "v3")
	for _, odd := range []string{"$(id)", "v1;id", "_hidden", "a,b", strings.Repeat("v", 201)} {
		r.git("tag", odd)
	}
	r.git("update-ref", "refs/tags/--force", third)
	r.git("tag", "of-a-tree", "HEAD^{tree}")
	r.git("branch", "v4")
	want := []release.Tag{{Tag: "v3", Commit: third}, {Tag: "v2", Commit: first}, {Tag: "team/v2", Commit: first}, {Tag: "v1.10", Commit: first}, {Tag: "v1.9", Commit: first}}
	require.Equal(t, want, list())

	r.git("tag", "--force", "v3", second)
	require.Contains(t, list(), release.Tag{Tag: "v3", Commit: second}, "the tag was moved")

	r.git("pack-refs", "--all")
	require.Len(t, list(), 5, "also if they are packed")

	h.Env = append(h.Env, "GIT_DIR="+t.TempDir(), "GIT_NAMESPACE=other")
	require.Len(t, list(), 5, "inside a hook of another repository")

	for i := range 250 {
		r.git("update-ref", fmt.Sprintf("refs/tags/n%03d", i), third)
	}
	tags := list()
	require.Len(t, tags, 200)
	require.Equal(t, "n249", tags[0].Tag)
}

func TestTagsWithoutARepository(t *testing.T) {
	dir := t.TempDir()
	h := host(t, recovery.DeploySpec{Repo: filepath.Join(dir, "gone")})
	const mend = "(deploy.repo in the config must be a Git repository that the worker's user may read)"
	_, err := h.Tags(t.Context())
	requireFault(t, err, recovery.Permanent, "ask Git about releases in "+dir+"/gone: git exited with status 128: fatal: cannot change to '"+dir+"/gone': No such file or directory "+mend)

	h.Spec.Repo = dir
	_, err = h.Tags(t.Context())
	requireFault(t, err, recovery.Permanent, "fatal: not a git repository")

	t.Setenv("PATH", t.TempDir())
	_, err = h.Tags(t.Context())
	requireFault(t, err, recovery.Permanent, "(install git on the service's host, or use deploy.releases)")
}

func TestCurrentHasItsCommitFromGit(t *testing.T) {
	r := newRepo(t)
	first := r.commit("first")
	r.git("tag", "--annotate", "--message", "good", "v1")
	second := r.commit("second")
	r.git("branch", first[:8], second)      // a branch that is named like the commit
	r.git("branch", "refs/tags/v8", second) // and one like a tag
	r.git("update-ref", "refs/refs/tags/v9", second)
	r.git("tag", "group/v1")
	h := r.host(t)
	for printed, want := range map[string]release.Tag{
		"v1":                       {Tag: "v1", Commit: first},
		"v1 " + second[:10]:        {Tag: "v1", Commit: second}, // deployed before the tag was moved
		"v1 " + second:             {Tag: "v1", Commit: second},
		"v1 0123456789":            {Tag: "v1", Commit: "0123456789"},
		"hotfix " + second[:7]:     {Tag: "hotfix", Commit: second},
		"v8":                       {Tag: "v8"},
		"group":                    {Tag: "group"},
		"v9":                       {Tag: "v9"},
		"HEAD":                     {Tag: "HEAD"},
		"v1 " + first[:8]:          {Tag: "v1", Commit: first[:8]}, // Git takes that for the branch
		"v1 " + first[:9]:          {Tag: "v1", Commit: first},
		"main":                     {Tag: "main"},
		"v1:file":                  {Tag: "v1:file"},
		"v":                        {Tag: "v"},
		"v1 " + first[:8] + "-dev": {Tag: "v1", Commit: first},
	} {
		h.Spec.Current.Command = []string{"echo", printed}
		got, err := h.Current(t.Context())
		require.NoError(t, err, printed)
		require.Equal(t, want, *got, printed)
	}
	h.Spec.Repo = t.TempDir()
	h.Spec.Current.Command = []string{"echo", "v1"}
	got, err := h.Current(t.Context())
	require.NoError(t, err, "what is deployed is known without Git, too")
	require.Equal(t, release.Tag{Tag: "v1"}, *got)
}

func TestCompareCommits(t *testing.T) {
	r := newRepo(t)
	base := r.commit("base")
	r.git("tag", "v1")
	r.git("checkout", "--quiet", "-b", "fixes")
	r.commit("fix it on another line")
	r.git("tag", "v1.1")
	r.git("checkout", "--quiet", "main")
	var last string
	for i := range 12 {
		last = r.commit(fmt.Sprintf("change %d", i))
	}
	odd := r.commit("odd \x1b[31m\u202esubject\t" + strings.Repeat("ö", 120))
	r.git("tag", "--annotate", "--message", "new", "v2")
	h := r.host(t)
	compare := func(from, to release.Tag) *release.Comparison {
		t.Helper()
		c, err := h.Compare(t.Context(), from, to)
		require.NoError(t, err)
		require.Equal(t, "deploy.warn is not in the config", c.Unwarned)
		return c
	}
	v1, v2 := release.Tag{Tag: "v1"}, release.Tag{Tag: "v2"}

	c := compare(v2, v1)
	require.Empty(t, c.Unknown)
	require.Len(t, c.Commits, 10)
	require.Equal(t, r.short(odd)+" odd [31msubject "+strings.Repeat("ö", 83)+"…", c.Commits[0])
	require.Equal(t, r.short(last)+" change 11", c.Commits[1])
	require.Equal(t, 3, c.More)
	require.Zero(t, c.Gained)

	c = compare(v1, v2)
	require.Empty(t, c.Commits)
	require.Zero(t, c.More)
	require.Equal(t, 13, c.Gained, "forward")

	c = compare(v2, release.Tag{Tag: "v1.1"})
	require.Len(t, c.Commits, 10)
	require.Equal(t, 3, c.More)
	require.Equal(t, 1, c.Gained, "on another line")

	c = compare(v2, v2)
	require.Equal(t, &release.Comparison{Unwarned: c.Unwarned}, c)

	r.git("tag", "--force", "v2", base)
	require.Equal(t, 13, len(compare(release.Tag{Tag: "v2", Commit: odd}, v1).Commits)+3, "what is deployed counts, not its tag that was moved")
	require.Empty(t, compare(v2, v1).Commits)
}

// What the repository's own config says of how to show commits does not count, and no
// program runs that it names.
func TestCompareCommitsInARepositoryWithAConfig(t *testing.T) {
	r := newRepo(t)
	r.commit("first")
	r.git("tag", "v1")
	asked := filepath.Join(t.TempDir(), "asked")
	signer := filepath.Join(t.TempDir(), "signer.sh")
	script := "#!/bin/sh\ncat > /dev/null\necho once >> " + asked + "\necho >&2\necho '[GNUPG:] SIG_CREATED ' >&2\necho '-----BEGIN PGP SIGNATURE-----'\n"
	require.NoError(t, os.WriteFile(signer, []byte(script), 0o700))
	for _, setting := range []string{
		"gpg.program " + signer, "commit.gpgSign true", "log.showSignature true", "color.ui always", "format.pretty fuller", "log.date raw", "log.decorate full",
	} {
		name, value, _ := strings.Cut(setting, " ")
		r.git("config", name, value)
	}
	second := r.commit("second")
	r.git("tag", "v2")
	c, err := r.host(t).Compare(t.Context(), release.Tag{Tag: "v2"}, release.Tag{Tag: "v1"})
	require.NoError(t, err)
	require.Equal(t, []string{second[:7] + " second"}, c.Commits)
	require.Zero(t, c.More)
	text, err := os.ReadFile(asked)
	require.NoError(t, err)
	require.Equal(t, "once\n", string(text), "to sign alone")
}

func TestCompareWithoutTheCommits(t *testing.T) {
	r := newRepo(t)
	r.commit("first")
	r.git("tag", "v1")
	second := r.commit("second")
	r.git("tag", "v2")
	h := r.host(t)
	v1, v2 := release.Tag{Tag: "v1"}, release.Tag{Tag: "v2"}
	unknown := func(from, to release.Tag) string {
		t.Helper()
		c, err := h.Compare(t.Context(), from, to)
		require.NoError(t, err)
		require.Equal(t, &release.Comparison{Unknown: c.Unknown, Unwarned: "deploy.warn is not in the config"}, c)
		return c.Unknown
	}
	require.Empty(t, func() string { c, _ := h.Compare(t.Context(), v2, v1); return c.Unknown }())
	require.Equal(t, "it is not known which release is deployed", unknown(release.Tag{}, v1))
	require.Equal(t, "release v9 is not in the Git repository "+r.dir, unknown(v2, release.Tag{Tag: "v9"}))
	require.Equal(t, "release v1 (commit 0123456789) is not in the Git repository "+r.dir, unknown(release.Tag{Tag: "v1", Commit: "0123456789"}, v1))
	require.Equal(t, "release main is not in the Git repository "+r.dir, unknown(v2, release.Tag{Tag: "main"}))
	require.Contains(t, unknown(release.Tag{Tag: "v2", Commit: "--all"}, v1), `read commit "--all": it is none`)

	shallow := filepath.Join(t.TempDir(), "shallow")
	r.git("clone", "--quiet", "--depth=1", "file://"+r.dir, shallow)
	h.Spec.Repo = shallow
	require.Equal(t, "the Git repository "+shallow+" has not all commits: run 'git fetch --unshallow' there", unknown(v2, release.Tag{Tag: "v2", Commit: second}))

	h.Spec.Repo = t.TempDir()
	require.Contains(t, unknown(v2, v1), "fatal: not a git repository")
}
