package main

import (
	"errors"
	"fmt"
	"strings"
)

// The exit codes. Any other must be taken for a failure.
const (
	exitReached      = 0   // done; the level asked for was reached
	exitFailed       = 1   // failed in a way that has no code of its own
	exitUsage        = 2   // bad usage, or a config that cannot be used
	exitDisproven    = 3   // what was tried does not hold: a recovery set, a release
	exitInconclusive = 4   // nothing was learnt about it
	exitUnreachable  = 5   // Temporal or the destination does not answer
	exitNotApproved  = 6   // people decided against it, or nobody decided in time
	exitUnhealthy    = 7   // the service is not well
	exitUnclear      = 8   // a person must look how production is
	exitDetached     = 130 // Ctrl-C: the command ended, the run goes on
)

// exitMeaning says in a command's help what a code means.
func exitMeaning(code int) string {
	switch code {
	case exitReached:
		return "done; the level asked for was reached"
	case exitUsage:
		return "bad usage, or a config that cannot be used"
	case exitDisproven:
		return "disproven: what was tried does not hold"
	case exitInconclusive:
		return "inconclusive: nothing was learnt about it"
	case exitUnreachable:
		return "Temporal or the destination does not answer"
	case exitNotApproved:
		return "not approved: rejected, refused, or not decided in time"
	case exitUnhealthy:
		return "unhealthy: the service is not well, or the remedy did not work"
	case exitUnclear:
		return "unclear: a person must look how production is"
	case exitDetached:
		return "detached by Ctrl-C: the run goes on"
	}
	return "failed otherwise"
}

// exitCodes lists codes for a command's help.
func exitCodes(codes ...int) string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, code := range codes {
		fmt.Fprintf(&b, "  %-4d %s\n", code, exitMeaning(code))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// exitError is an error that ends the program with a code of its own.
type exitError struct {
	code int
	err  error
	hint string // what to do; may be empty
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// codeOf returns the exit code that err asks for.
func codeOf(err error) int {
	if err == nil {
		return exitReached
	}
	if exit, ok := errors.AsType[*exitError](err); ok {
		return exit.code
	}
	return exitFailed
}
