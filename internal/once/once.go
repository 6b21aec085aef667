//go:build unix

// Package once runs a command at most once under its key, whoever dies meanwhile.
//
// Each job has a private folder, and whoever has locked the folder (flock) may act on
// the job: nobody else looks at it or changes it. A worker that gets the lock and finds
// nothing started claims the job by the folder's nonce, and hands the lock to a
// supervisor that it starts in a session of its own. The supervisor runs the command and
// keeps the lock until it ends, so that no process id has to be trusted: a lock that is
// free says that nobody runs the job.
//
//	nonce    random; whoever claims by it is this host, however often it asks
//	job.json what the supervisor is to run
//	output   what the command and its children write
//	started  made before the command is started: whoever finds it never starts the command
//	ended    the outcome
//
// Nonce, started and ended are on the disk before anything follows from them. The
// environment of a command may hold secrets; it is handed over in memory.
//
// A supervisor outlives its worker, but not its container. A systemd unit of a worker
// needs KillMode=process, or stopping the unit stops the commands too.
package once

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// poll is how often somebody who waits for a command looks whether it has ended.
const poll = 100 * time.Millisecond

// keyForm are names of folders. Those that begin with a dot are on their way out.
var keyForm = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$`)

// Runner runs jobs of this host.
type Runner struct {
	Dir  string   // private folder of this host, shared by its workers
	Shim []string // program and arguments to which a job's folder is appended; it calls Supervise
}

// Job is a command and the key under which it runs at most once.
type Job struct {
	Key     string // letters, digits, dots, dashes and underscores, up to 200, not a dot first
	Path    string // a name without a slash is looked up on the PATH of Env
	Args    []string
	Dir     string        // where it is started; empty: the working directory of this process
	Env     []string      // the whole environment; nothing is inherited
	Timeout time.Duration // after it the command's group gets SIGTERM, and SIGKILL 10 s later
}

// Claim says who was the first to start a command, of all hosts: it returns false if
// that was somebody with another nonce. It is asked again with the same nonce if nobody
// knows what it answered.
type Claim func(ctx context.Context, nonce string) (mine bool, err error)

// Outcome says how a command ended.
type Outcome struct {
	// Known is false if nobody knows how the command ended: it was started and runs no
	// more, or somebody else has started it. Why says so.
	Known bool   `json:"known"`
	Why   string `json:"why,omitempty"`
	// Failure says how it ended badly; empty: well.
	Failure  string    `json:"failure,omitempty"`
	Output   string    `json:"output,omitempty"` // the last whole lines that it wrote, up to 4 KiB
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
}

// Run runs a job to its end, at most once under its key, however often it is asked to and
// by however many workers; all get the same outcome. If ctx ends, the command runs on,
// and whoever asks next waits for it. An error says that the outcome could not be
// learnt: asking again is safe, and useful. The first who asks decides what is run.
func (r *Runner) Run(ctx context.Context, job Job, claim Claim) (*Outcome, error) {
	if err := r.check(job); err != nil {
		return nil, err
	}
	f, err := makeFolder(r.Dir, job.Key)
	if err != nil {
		return nil, err
	}
	a := attempt{program: r.Shim, folder: f, job: job, claim: claim}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if outcome, err := a.step(ctx); outcome != nil || err != nil {
			return outcome, err
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// Knows says whether a job of that key was asked for on this host: its command may have
// been started.
func (r *Runner) Knows(key string) bool {
	_, err := os.Stat(filepath.Join(r.Dir, key))
	return keyForm.MatchString(key) && err == nil
}

func (r *Runner) check(job Job) error {
	switch {
	case !keyForm.MatchString(job.Key):
		return fmt.Errorf("check the job: %q cannot be a key: use up to 200 letters, digits, dots, dashes and underscores, not a dot first", job.Key)
	case job.Path == "":
		return errors.New("check the job: it has no command")
	case job.Timeout <= 0:
		return errors.New("check the job: it has no timeout")
	case len(r.Shim) == 0:
		return errors.New("check the job: nothing is known that could supervise it")
	}
	return nil
}

// attempt is one call of Run.
type attempt struct {
	program []string // the supervisor's
	folder  folder
	job     Job
	claim   Claim
	shim    *shim // that it started
}

// step does what can be done now: it returns the outcome if there is one, starts the
// command if nobody has, and otherwise leaves it to its supervisor.
func (a *attempt) step(ctx context.Context) (*Outcome, error) {
	lock, err := a.folder.lock()
	if lock == nil || err != nil {
		return nil, err
	}
	defer lock.Close()
	outcome, err := a.folder.outcome()
	if outcome != nil || err != nil {
		return outcome, err
	}
	if a.shim != nil {
		return nil, a.shim.failure(ctx)
	}
	return a.start(ctx, lock)
}

// start claims the job and starts its supervisor.
func (a *attempt) start(ctx context.Context, lock *os.File) (*Outcome, error) {
	nonce, err := a.folder.nonce()
	if err != nil {
		return nil, err
	}
	mine, err := a.claim(ctx, nonce)
	if err != nil {
		return nil, err
	}
	if !mine {
		return &Outcome{Why: "somebody else has started it: another host, or this one before what it knew of it was removed"}, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	a.shim, err = startShim(a.program, a.folder, a.job, lock)
	return nil, err
}
