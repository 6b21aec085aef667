// Where2Eat recommends restaurants: from what you like, where you are, and where
// you have been. It keeps users, restaurants and visits in PostgreSQL, and your
// private notes on visits in a SQLite file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Set by the linker when a release is built.
var (
	release = "development"
	commit  = "unknown"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "where2eat:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, env func(string) string) error {
	flags := flag.NewFlagSet("where2eat", flag.ContinueOnError)
	migrates := flags.Bool("migrate", false, "create or update the tables, then end")
	seeds := flags.Bool("seed", false, "fill empty tables with made-up data, then end")
	broken := flags.String("break", "", "be broken on purpose: health, slow, errors, login or ranking")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := readConfig(env)
	if *broken != "" {
		c.broken = *broken
		err = errors.Join(err, checkBreak(c.broken))
	}
	if err != nil {
		return fmt.Errorf("read environment: %w", err)
	}
	stores, err := openStores(ctx, c, *migrates)
	if err != nil {
		return err
	}
	defer stores.close()
	if *migrates {
		if err := stores.migrate(ctx); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
	}
	if *seeds {
		if err := seed(ctx, stores); err != nil {
			return fmt.Errorf("seed: %w", err)
		}
	}
	if *migrates || *seeds {
		return nil
	}
	return serve(ctx, c, stores)
}

// serve answers requests until ctx ends, then finishes those that are under way.
func serve(ctx context.Context, c config, s *stores) error {
	a := newApp(c, s)
	server := &http.Server{Addr: c.listen, Handler: a.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, IdleTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	go (&mailer{app: a}).run(ctx)
	slog.Info("serving", "address", c.listen, "release", release, "drill", c.drill, "break", c.broken)
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	slog.Info("stopped")
	return nil
}
