// The demo runs all of Lifeboat on loopback, with its data in .demo: it fills the
// example service Where2Eat with data, backs it up, proves the backup, and starts a
// restore drill that waits for a click in a stand-in for Slack. Start it with `make
// demo`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/lifeboat-run/lifeboat/internal/loopback"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
)

const folder = ".demo"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, os.Getenv("DEMO_ONCE") != "")
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, once bool) error {
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	slackAddress, slackErr := listenOn(8099)
	appAddress, appErr := listenOn(8090)
	workerAddress, workerErr := listenOn(8080)
	if err := errors.Join(slackErr, appErr, workerErr); err != nil {
		return err
	}
	say(out, "starting PostgreSQL (production and staging), two S3 servers, Temporal and a stand-in for Slack; data in %s/", folder)
	s, err := sandbox.Start(ctx, sandbox.Options{
		Dir: folder, Where2Eat: filepath.Join(bin, "where2eat"),
		TemporalPort: prefer(7233), TemporalUIPort: prefer(8233), S3Port: prefer(7070), ProductionPort: prefer(5433), SlackAddress: slackAddress,
	})
	if err != nil {
		return stopped(ctx, err)
	}
	defer s.Stop()
	if err := s.AddSecond(ctx); err != nil {
		return stopped(ctx, err)
	}
	s.Config.AppEvery, s.Config.NotesEvery = "1h", "24h at 03:00"
	s.Config.Extra = "digest: { every: 24h at 07:30 }          # how all services stand, in Slack"
	s.Config.ServiceExtra = "retention: { hourly: 24, daily: 30, weekly: 8, monthly: 12, yearly: 3 }"
	d := &demo{sandbox: s, bin: bin, out: out, appAddress: appAddress, workerAddress: workerAddress}
	if err := d.writeEnv(); err != nil {
		return err
	}
	say(out, "starting Where2Eat and the worker")
	programs, err := d.startPrograms(ctx)
	if err != nil {
		return stopped(ctx, err)
	}
	defer programs.stop()
	defer d.stopService()

	say(out, "backing Where2Eat up, and proving the backup:")
	if err := d.starter(ctx, "backup", sandbox.Service); err != nil || ctx.Err() != nil {
		return stopped(ctx, err)
	}
	say(out, "keeping that up by itself, as Temporal Schedules:")
	if err := d.starter(ctx, "schedules", "apply"); err != nil || ctx.Err() != nil {
		return stopped(ctx, err)
	}
	if once {
		say(out, "starting a restore drill, and approving it by a click of Sam's in Slack:")
		return stopped(ctx, d.drillOnce(ctx))
	}
	say(out, "starting a restore drill, which waits for a decision:")
	if err := d.starter(ctx, "drill", sandbox.Service, "--detach"); err != nil {
		return stopped(ctx, err)
	}
	d.goodbye()
	select {
	case <-ctx.Done():
		say(out, "stopping all of it")
		return nil
	case name := <-programs.ended:
		return fmt.Errorf("%s ended by itself: see its log in %s/", name, folder)
	}
}

// stopped turns an error that comes from Ctrl-C into a quiet end.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func say(out io.Writer, format string, args ...any) { fmt.Fprintf(out, "==> "+format+"\n", args...) }

// lock keeps a second demo out of the same folder.
func lock() (unlock func(), err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", folder, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: a demo is running here already", folder), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// prefer returns the port if it is free, and 0, for any, if it is not.
func prefer(port int) int {
	l, err := net.Listen("tcp", loopback.Port{Number: port}.Address())
	if err != nil {
		return 0
	}
	if l.Close() != nil {
		return 0
	}
	return port
}

// listenOn is host:port on loopback: the port if it is free, or any other.
func listenOn(port int) (string, error) {
	if prefer(port) != 0 {
		return loopback.Port{Number: port}.Address(), nil
	}
	free, err := loopback.Reserve()
	if err != nil {
		return "", err
	}
	return free.Address(), nil
}
