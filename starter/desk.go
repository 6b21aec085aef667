package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
)

// desk is what commands that ask or decide something work with.
type desk struct {
	*app.Desk
	client client.Client
	as     string // flag --as
}

func (d *desk) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.as, "as", "", "who you are, a name under people in the config (default by your user name on this machine)")
}

// open reaches Temporal for a config.
func (d *desk) open(ctx context.Context, cfg *config.Config) error {
	c, err := dial(ctx, cfg)
	if err != nil {
		return err
	}
	d.client = c
	d.Desk = &app.Desk{Via: approval.ViaCLI, Client: c, Config: func() (*config.Config, error) { return cfg, nil }, Patience: patience}
	return nil
}

// patience is how long a person at a terminal waits for a run's answer.
const patience = 15 * time.Second

// who says who uses the command.
func (d *desk) who() (string, error) {
	if d.as == "" {
		return d.Operator()
	}
	return d.as, d.ActAs(d.as)
}

// start starts a playbook in the name of whoever uses the command.
func (d *desk) start(ctx context.Context, c *cli, s slackapp.Start) (client.WorkflowRun, error) {
	var err error
	if s.By, err = d.who(); err != nil {
		c.notef("%v: the run will say that nobody vouches for who asked", err)
		s.By = ""
	}
	started, err := d.Start(ctx, s)
	if err != nil {
		return nil, unreachable("start "+s.Playbook, err)
	}
	c.notef("started %s", started.Run.WorkflowID)
	if started.URL != "" {
		c.notef("  %s", started.URL)
	}
	return d.client.GetWorkflow(ctx, started.Run.WorkflowID, started.Run.RunID), nil
}
