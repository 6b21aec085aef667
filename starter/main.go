// Command starter is the operator's way to Lifeboat: it sets a configuration up,
// starts playbooks, and shows what they left.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

// version is set when the program is built.
var version = "development"

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &cli{
		stdin:       os.Stdin,
		stdout:      os.Stdout,
		stderr:      os.Stderr,
		interactive: term.IsTerminal(int(os.Stdin.Fd())),
		progress:    term.IsTerminal(int(os.Stderr.Fd())),
		now:         time.Now,
	}
	return c.run(ctx, os.Args[1:])
}
