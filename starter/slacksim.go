package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

func (c *cli) slacksimCommand() *cobra.Command {
	listen := ""
	cmd := &cobra.Command{
		Use:   "slacksim",
		Short: "Run a stand-in for Slack, to try cards and buttons without a workspace",
		Long: `slacksim runs a stand-in for Slack on this machine until Ctrl-C: a page on which
one may act as three people, and the interfaces that Lifeboat uses of Slack. It
prints what makes a worker use it: a line for lifeboat.yaml, and lines for a shell.

Nothing is kept, and the tokens are new at every start.

` + exitCodes(exitReached, exitFailed, exitUsage),
		Example: "  starter slacksim\n  starter slacksim --listen 127.0.0.1:0",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.runSlacksim(cmd.Context(), listen) },
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8099", "address on loopback to listen on; port 0 is a free one")
	return cmd
}

func (c *cli) runSlacksim(ctx context.Context, listen string) error {
	sim, err := slacksim.Start(slacksim.Options{Address: listen})
	if errors.Is(err, slacksim.ErrNotLoopback) {
		return &exitError{code: exitUsage, err: err}
	}
	if err != nil {
		return err
	}
	err = c.printSlacksim(sim)
	if err == nil {
		<-ctx.Done()
	}
	return errors.Join(err, sim.Close())
}

// printSlacksim prints where the stand-in is, and what the worker must be told.
func (c *cli) printSlacksim(sim *slacksim.Server) error {
	if c.json {
		return c.printJSON(map[string]string{"page": sim.URL, "apiURL": sim.APIURL, "botToken": sim.BotToken, "appToken": sim.AppToken, "channel": sim.Channel})
	}
	return c.printf(`# The page of the Slack stand-in, until Ctrl-C: %s
# lifeboat.yaml: slack: { channel: %s, botToken: env:SLACK_BOT_TOKEN, appToken: env:SLACK_APP_TOKEN, apiURL: %s }
export SLACK_BOT_TOKEN=%s
export SLACK_APP_TOKEN=%s
`, sim.URL, sim.Channel, sim.APIURL, sim.BotToken, sim.AppToken)
}
