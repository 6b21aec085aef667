// Package deploy learns about a service's releases on its host: which one is
// deployed, which there are, and what lies between two of them. It changes nothing.
//
// It asks the commands of the config, an address of the service, and Git.
package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"unicode"

	"github.com/lifeboat-run/lifeboat/internal/process"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

const (
	maxTags   = 200     // releases that are listed
	maxOutput = 1 << 20 // bytes of an answer that are looked at
	maxError  = 4096    // bytes of the last messages that are kept
)

// Host learns about the releases of one service on this host.
type Host struct {
	Spec *recovery.DeploySpec
	Env  []string // the whole environment of commands
	// Hide takes secrets out of what commands say.
	Hide func(string) string
}

// Tags lists the releases that can be deployed, the newest first, at most 200; none
// if the config does not say where they are. Those are left out whose names cannot
// be handed to commands.
func (h *Host) Tags(ctx context.Context) ([]release.Tag, error) {
	switch {
	case h.Spec.Repo != "":
		return h.gitTags(ctx)
	case len(h.Spec.Releases) == 0:
		return nil, nil
	}
	out, err := h.run(ctx, h.Spec.Command("releases", h.Spec.Releases, "", "", ""))
	if err != nil {
		return nil, err
	}
	var tags []release.Tag
	for line := range strings.Lines(out) {
		if tag, err := readTag(line); err == nil && len(tags) < maxTags {
			tags = append(tags, tag)
		}
	}
	return tags, nil
}

// commitForm is what Git names commits by, also shortened.
var commitForm = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// readTag reads "TAG [COMMIT]". What stands for the commit and is none is not taken
// for one.
func readTag(line string) (release.Tag, error) {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return release.Tag{}, errors.New("read tag: there is none")
	}
	tag := release.Tag{Tag: fields[0]}
	if len(fields) > 1 && commitForm.MatchString(fields[1]) {
		tag.Commit = fields[1]
	}
	return tag, release.CheckTag(tag.Tag)
}

// run runs a command to its end and returns what it printed. That it ended badly is
// Unavailable, for it is only asked something: to ask again may help.
func (h *Host) run(ctx context.Context, c recovery.CommandSpec) (string, error) {
	limited, cancel := context.WithTimeoutCause(ctx, c.Timeout.Std(), fmt.Errorf("it took longer than %s", c.Timeout))
	defer cancel()
	out, said := &head{}, process.NewTail(maxError)
	err := process.Run(limited, process.Command{
		Path: process.PathIn(c.Dir, c.Args[0]), Args: c.Args[1:], Dir: c.Dir, Env: h.Env, Stdout: out, Stderr: said,
	})
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	kind := recovery.Unavailable
	if unstartable(err) {
		kind = recovery.Permanent
	}
	last := clean(h.Hide(said.LastLine()), maxLine)
	if last != "" {
		last = ": " + last
	}
	return "", recovery.NewFault(kind, fmt.Errorf("run %s: %w%s", c.Name, err, last), "mend "+c.Name+" in the config, or the command")
}

// unstartable says whether a program will not start however often that is tried.
func unstartable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOEXEC) || errors.Is(err, exec.ErrNotFound)
}

const (
	maxLine = 200 // characters of a line that are kept, if it is not that of a commit
	maxTag  = 100 // and of what should be a tag
)

// clean makes of a line what is safe to show: no control characters, at most so many
// characters.
func clean(line string, limit int) string {
	line = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r): // Cf turns the direction of writing, and the like
			return -1
		}
		return r
	}, strings.ToValidUTF8(line, "\uFFFD")))
	return clip(line, limit)
}

func clip(line string, limit int) string {
	if runes := []rune(line); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return line
}

// head keeps the first maxOutput bytes that are written to it.
type head struct{ bytes.Buffer }

// Write keeps what there is room for. It never fails: who writes more is not to
// blame.
func (h *head) Write(p []byte) (int, error) {
	h.Buffer.Write(p[:min(len(p), maxOutput-h.Len())])
	return len(p), nil
}
