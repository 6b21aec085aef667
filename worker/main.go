// The worker runs Lifeboat's playbooks: it polls Temporal for workflows and steps.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/once"
)

// version is set by the build.
var version = "development"

// gcPercent is how much the heap may grow before garbage is collected. The heap is
// mostly the few large buffers of a stream: to look through them often costs next to
// nothing, and to let it double would be a third more memory.
const gcPercent = 30

func main() {
	debug.SetGCPercent(gcPercent)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := command(stdout)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.ExecuteContext(ctx); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(stderr, "worker: error: %v\n", err)
		return 1
	}
	return 0
}

func command(stdout io.Writer) *cobra.Command {
	var file, level string
	var o app.Options
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run Lifeboat's playbooks",
		Long: `Run Lifeboat's playbooks: poll Temporal for workflows and steps until told to stop.

On SIGTERM or Ctrl-C running steps are stopped within ` + app.StopTimeout.String() + `; the next worker takes them up again.
It serves /health (alive) and /ready (Temporal decides; each destination is named), and logs JSON to stdout.`,
		Example:       "  worker --config lifeboat.yaml\n  worker --queues lifeboat,host/web1",
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			parsed, err := zapcore.ParseLevel(level)
			if err != nil {
				return fmt.Errorf("read --log-level: %w", err)
			}
			o.Config, o.Log = config.Path(file), app.NewLogger(stdout, parsed)
			return app.Run(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "the config file (default lifeboat.yaml, or LIFEBOAT_CONFIG)")
	cmd.Flags().StringSliceVar(&o.Queues, "queues", nil, "the task queues to serve (default all that this worker can: without the private key not restore)")
	cmd.Flags().StringVar(&o.Listen, "listen", "", "where to serve /health and /ready (default worker.listen of the config)")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	cmd.AddCommand(superviseCommand())
	cmd.CompletionOptions.DisableDefaultCmd = true // there is nothing for people to complete
	return cmd
}

// superviseCommand is how the worker starts itself to watch over a command that must
// outlive it. It reads no config: its environment is the command's.
func superviseCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "supervise FOLDER",
		Short:  "Run the command of a job's folder (started by the worker itself)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(_ *cobra.Command, args []string) error { return once.Supervise(args[0]) },
	}
}
