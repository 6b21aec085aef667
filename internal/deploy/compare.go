package deploy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

const (
	maxSubject  = 100 // characters of a commit's subject
	maxWarnings = 10
)

// Compare says what lies between the deployed release, empty if it is not known, and
// another one, and what makes it risky to go there. What cannot be learnt is said in
// words: it is no error.
func (h *Host) Compare(ctx context.Context, from, to release.Tag) (*release.Comparison, error) {
	err := release.CheckTag(to.Tag)
	if err == nil && from.Tag != "" {
		err = release.CheckTag(from.Tag)
	}
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, err, "name a release as `starter releases` lists it")
	}
	c, err := h.between(ctx, from, to)
	if err != nil {
		c = release.Comparison{Unknown: err.Error()}
	}
	if c.Warnings, err = h.warnings(ctx, from, to); err != nil {
		c.Unwarned = err.Error()
	}
	return &c, ctx.Err()
}

// between compares the commits of two releases. An error says why that cannot be done.
func (h *Host) between(ctx context.Context, from, to release.Tag) (c release.Comparison, err error) {
	switch {
	case h.Spec.Repo == "":
		return c, errors.New("deploy.repo is not in the config")
	case from.Tag == "":
		return c, errors.New("it is not known which release is deployed")
	}
	shallow, err := h.git(ctx, "", "rev-parse", "--is-shallow-repository")
	if err != nil {
		return c, err
	}
	if strings.TrimSpace(shallow) == "true" {
		return c, fmt.Errorf("the Git repository %s has not all commits: run 'git fetch --unshallow' there", h.Spec.Repo)
	}
	var ends [2]string
	for i, tag := range []release.Tag{from, to} {
		if ends[i], err = h.commitOf(ctx, tag); err != nil {
			return c, err
		}
		if ends[i] == "" {
			return c, fmt.Errorf("release %s is not in the Git repository %s", named(tag), h.Spec.Repo)
		}
	}
	givenUp, gained := ends[1]+".."+ends[0], ends[0]+".."+ends[1]
	if c.More, err = h.count(ctx, givenUp); err != nil {
		return c, err
	}
	if c.Gained, err = h.count(ctx, gained); err != nil {
		return c, err
	}
	log, err := h.git(ctx, "", "log", "--no-show-signature", "--encoding=UTF-8", "--max-count="+strconv.Itoa(release.MaxCommits), "--format=%h %s", givenUp, "--")
	for line := range strings.Lines(log) {
		commit, subject, _ := strings.Cut(line, " ")
		c.Commits = append(c.Commits, strings.TrimSpace(commit+" "+clean(subject, maxSubject)))
		c.More--
	}
	return c, err
}

// count counts the commits of a range.
func (h *Host) count(ctx context.Context, commits string) (int, error) {
	out, err := h.git(ctx, "", "rev-list", "--count", commits, "--")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(out))
}

func named(tag release.Tag) string {
	if tag.Commit == "" {
		return tag.Tag
	}
	return tag.Tag + " (commit " + tag.Commit + ")"
}

// warnings asks what makes it risky. An error says why that cannot be done.
func (h *Host) warnings(ctx context.Context, from, to release.Tag) ([]string, error) {
	if len(h.Spec.Warn) == 0 {
		return nil, errors.New("deploy.warn is not in the config")
	}
	out, err := h.run(ctx, h.Spec.Command("warn", h.Spec.Warn, from.Tag, to.Tag, to.Commit))
	if err != nil {
		return nil, err
	}
	var warnings []string
	for line := range strings.Lines(h.Hide(out)) {
		if line = clean(line, maxLine); line != "" && len(warnings) < maxWarnings {
			warnings = append(warnings, line)
		}
	}
	return warnings, nil
}
