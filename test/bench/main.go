// The bench measures backup and restore of a real database against stock tools
// on the same machine, servers and data, and says whether Lifeboat's targets are
// met. Start it with `make bench`; it keeps its databases in .bench, so that a
// second run is quick.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const folder = ".bench"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case interrupted:
		fmt.Fprintln(os.Stderr, "bench: interrupted")
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options say what is measured.
type options struct {
	size   gigabytes   // of the database whose backup and restore are timed
	memory []gigabytes // of the databases for which the worker's memory is looked at
	rounds int
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{size: 1, memory: []gigabytes{0.1, 1, 5}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Var(&o.size, "size", "size in GB of the database whose backup and restore are timed")
	flags.Func("memory", "sizes in GB of the databases for which the worker's memory is looked at (default 0.1,1,5; 5 takes some minutes to make, once)", func(text string) error {
		o.memory = nil
		for field := range strings.SplitSeq(text, ",") {
			var size gigabytes
			if err := size.Set(field); err != nil {
				return err
			}
			o.memory = append(o.memory, size)
		}
		return nil
	})
	flags.IntVar(&o.rounds, "rounds", 5, "how often each case is timed")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.rounds < 1 {
		return o, errors.New("read arguments: there are only flags, and at least one round (see -help)")
	}
	return o, nil
}

// gigabytes is the size of a database on disk, about.
type gigabytes float64

// String implements flag.Value.
func (g *gigabytes) String() string { return strconv.FormatFloat(float64(*g), 'g', -1, 64) }

// Set implements flag.Value.
func (g *gigabytes) Set(text string) error {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || value < 0.025 || value > 1000 {
		return errors.New("write a size in GB, such as 0.1")
	}
	*g = gigabytes(value)
	return nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	b := &bench{options: o, progress: stderr, started: time.Now()}
	defer b.stop()
	if err := b.start(ctx); err != nil {
		return err
	}
	r := &result{Started: b.started.UTC(), Load: loadAverage(), Rounds: o.rounds}
	for _, measure := range []func(context.Context, *result) error{b.measureBackup, b.measureRestore, b.measureExpect, b.measureMemory} {
		if err := measure(ctx, r); err != nil {
			return err
		}
	}
	r.judge()
	if err := errors.Join(r.write(filepath.Join(folder, "result.json")), r.print(stdout)); err != nil {
		return err
	}
	if missed := r.missed(); missed > 0 {
		return fmt.Errorf("%d of %d targets missed", missed, len(r.Targets))
	}
	return nil
}
