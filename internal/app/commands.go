package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/lifeboat-run/lifeboat/internal/once"
	"github.com/lifeboat-run/lifeboat/internal/process"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const (
	// jobsKept is how long this host remembers how commands ended. No run asks later.
	jobsKept = 30 * 24 * time.Hour
	// outputShown is how many bytes of a command's last lines are shown.
	outputShown = 2 << 10
)

// commands runs commands of services on this host.
type commands struct {
	configs *configs
}

// RunOnce implements activities.Commands.
func (c *commands) RunOnce(ctx context.Context, plan *recovery.Plan, spec recovery.CommandSpec, key string, claim func(context.Context, string) (bool, error)) (*recovery.CommandOutcome, error) {
	if len(spec.Args) == 0 {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("run %s of %s: there is none", spec.Name, plan.Service), "write "+spec.Name+" into the config")
	}
	cfg, err := c.configs.load()
	if err != nil {
		return nil, err
	}
	worker, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("run %s: find this program: %w", spec.Name, err)
	}
	runner := &once.Runner{Dir: filepath.Join(cfg.StateFolder(), "once"), Shim: []string{worker, "supervise"}}
	known := runner.Knows(key)
	env, secrets, err := environment(cfg, spec.Env)
	if err != nil && known { // a permanent error would say that nothing was started
		return nil, unavailable(err)
	}
	if err != nil {
		return nil, err
	}
	_ = runner.Sweep(jobsKept) // old jobs are in nobody's way: the next one tries again
	outcome, err := runner.Run(ctx, once.Job{
		Key: key, Path: process.PathIn(spec.Dir, spec.Args[0]), Args: spec.Args[1:], Dir: spec.Dir, Env: env, Timeout: spec.Timeout.Std(),
	}, claim)
	if err != nil && known {
		return nil, fmt.Errorf("run %s: %w", spec.Name, err)
	}
	if err != nil {
		return nil, jobFault(ctx, spec.Name, err)
	}
	return &recovery.CommandOutcome{
		Known: outcome.Known, Why: outcome.Why, Failure: secrets.hide(outcome.Failure), Output: lastLines(secrets.hide(outcome.Output)),
		Started: outcome.Started, Finished: outcome.Finished,
	}, nil
}

// jobFault says what it means that it could not be learnt how a command ended.
func jobFault(ctx context.Context, name string, err error) error {
	if _, ok := errors.AsType[*recovery.Fault](err); ok || ctx.Err() != nil { // of the claim
		return err
	}
	err = fmt.Errorf("run %s: %w", name, err)
	// What is not there may be this program, which is just being replaced: it is tried again.
	for _, lasting := range []error{fs.ErrPermission, syscall.ENOTDIR, syscall.EROFS} {
		if errors.Is(err, lasting) {
			return recovery.NewFault(recovery.Permanent, err, "worker.state in the config must be a folder on this host that the worker's user may write")
		}
	}
	return err
}

// lastLines is the end of what a command wrote, without what moves a terminal's cursor.
func lastLines(output string) string {
	tail := process.NewTail(outputShown)
	_, _ = tail.Write([]byte(strings.Map(func(r rune) rune { // fails never
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(output, "\uFFFD"))))
	return tail.String()
}
