package deploy

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/process"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// gitTimeout bounds one question to Git.
const gitTimeout = time.Minute

const (
	tagPrefix = "refs/tags/"
	fullName  = 40 // characters of an object's name, at least; no ref can hide it
)

// gitTags lists the tags of the repository that lead to a commit, the one that was
// created last first.
func (h *Host) gitTags(ctx context.Context) ([]release.Tag, error) {
	// The last key counts first.
	refs, err := h.refs(ctx, tagPrefix, "--count="+strconv.Itoa(5*maxTags), "--sort=-version:refname", "--sort=-creatordate")
	if err != nil {
		return nil, err
	}
	refs = slices.DeleteFunc(refs, func(r ref) bool { return release.CheckTag(r.name) != nil })
	objects := make([]string, len(refs))
	for i, r := range refs {
		objects[i] = r.object
	}
	commits, err := h.commits(ctx, objects)
	if err != nil {
		return nil, err
	}
	var tags []release.Tag
	for i, r := range refs {
		if commits[i] != "" && len(tags) < maxTags {
			tags = append(tags, release.Tag{Tag: r.name, Commit: commits[i]})
		}
	}
	return tags, nil
}

// commitOf is the commit of a release, in full; empty if it is not in the repository.
// The commit that is known of it counts more than its tag, which may have been moved.
func (h *Host) commitOf(ctx context.Context, tag release.Tag) (string, error) {
	object := tag.Commit
	if object == "" {
		if err := release.CheckTag(tag.Tag); err != nil {
			return "", recovery.NewFault(recovery.Permanent, err, "")
		}
		refs, err := h.refs(ctx, tagPrefix+tag.Tag)
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(refs, func(r ref) bool { return r.name == tag.Tag })
		if i < 0 {
			return "", nil
		}
		object = refs[i].object
	}
	commits, err := h.commits(ctx, []string{object})
	if err != nil {
		return "", err
	}
	if len(object) < fullName && !strings.HasPrefix(commits[0], object) {
		return "", nil // a branch of that name, say
	}
	return commits[0], nil
}

// ref is a tag with what it leads to: a commit, an object that describes the tag, or
// anything else.
type ref struct {
	name, object string
}

// refs lists the tags at or below a path.
func (h *Host) refs(ctx context.Context, path string, options ...string) ([]ref, error) {
	args := append([]string{"for-each-ref", "--format=%(objectname) %(refname)"}, options...)
	out, err := h.git(ctx, "", append(args, path)...)
	if err != nil {
		return nil, err
	}
	var refs []ref
	for line := range strings.Lines(out) {
		object, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "+tagPrefix)
		if ok {
			refs = append(refs, ref{name: name, object: object})
		}
	}
	return refs, nil
}

// commits finds the commits that objects lead to, of which the names may be
// shortened. It returns as many; where there is none, or it is ambiguous, "".
func (h *Host) commits(ctx context.Context, objects []string) ([]string, error) {
	found := make([]string, len(objects))
	if len(objects) == 0 {
		return found, nil
	}
	var questions strings.Builder
	for _, object := range objects {
		if !commitForm.MatchString(object) {
			return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("read commit %q: it is none", object), "")
		}
		questions.WriteString(object + "^{commit}\n")
	}
	out, err := h.git(ctx, questions.String(), "cat-file", "--batch-check=%(objecttype) %(objectname)")
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		if commit, ok := strings.CutPrefix(line, "commit "); ok && i < len(found) {
			found[i] = commit
		}
	}
	return found, nil
}

// git asks the repository.
func (h *Host) git(ctx context.Context, input string, args ...string) (string, error) {
	limited, cancel := context.WithTimeoutCause(ctx, gitTimeout, fmt.Errorf("it took longer than %s", recovery.Duration(gitTimeout)))
	defer cancel()
	// Inside a Git hook, GIT_DIR and its like name another repository.
	env := slices.DeleteFunc(slices.Clone(h.Env), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
	out, said := &head{}, &head{}
	err := process.Run(limited, process.Command{
		Path: "git", Args: append([]string{"--no-pager", "-C", h.Spec.Repo}, args...), Env: append(env, "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C"),
		Stdin: strings.NewReader(input), Stdout: out, Stderr: said,
	})
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return "", recovery.NewFault(recovery.Permanent, fmt.Errorf("ask Git about releases: %w", err), "install git on the service's host, or use deploy.releases")
	}
	first, _, _ := strings.Cut(said.String(), "\n") // the rest is advice
	return "", recovery.NewFault(recovery.Permanent, fmt.Errorf("ask Git about releases in %s: %w: %s", h.Spec.Repo, err, clean(h.Hide(first), maxLine)),
		"deploy.repo in the config must be a Git repository that the worker's user may read")
}
