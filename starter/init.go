package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/config"
)

func (c *cli) initCommand() *cobra.Command {
	var a answers
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a config file, its keys, and a recovery kit to print",
		Long: `init makes what a first backup needs, beside the config file: lifeboat.yaml, the
keys for sealing, signing and approvals in keys/, and recovery-kit.md, a page to print and
lock away. It asks what it must; flags answer beforehand, and without a terminal
they have to. It overwrites nothing, and makes either all of the files or none.

` + exitCodes(exitReached, exitFailed, exitUsage),
		Example: `  starter init
  starter init --service where2eat --owner rebecca --postgres env:WHERE2EAT_DATABASE_URL \
    --destination s3://backups/lifeboat --endpoint https://s3.example.com \
    --staging-folder /var/lib/lifeboat/staging`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.init(cmd.Context(), &a)
		},
	}
	for _, q := range a.questions() {
		cmd.Flags().StringVar(q.answer, q.flag, "", q.help)
	}
	return cmd
}

// initResult is what init made.
type initResult struct {
	Files     []string `json:"files"`
	Recipient string   `json:"recipient"`
	PublicKey string   `json:"publicKey"`
}

func (c *cli) init(ctx context.Context, a *answers) error {
	path := config.Path(c.configFile)
	layout := newLayout(path)
	if err := layout.free(); err != nil {
		return err
	}
	keys, err := newKeys(c.now())
	if err != nil {
		return err
	}
	text, cfg, err := c.settle(ctx, path, a, keys)
	if err != nil {
		return err
	}
	page, err := newPage(cfg, []pageKey{{Secret: keys.age.String(), Recipient: keys.recipient()}}, c.now())
	if err != nil {
		return err
	}
	kit, err := page.render()
	if err != nil {
		return err
	}
	if err := layout.write(text, kit, keys); err != nil {
		return fmt.Errorf("make files: %w", err)
	}
	return c.printInit(layout, keys)
}

// settle gets the answers that are missing and returns a config file that is good,
// and its text.
func (c *cli) settle(ctx context.Context, path string, a *answers, keys *keys) (text []byte, cfg *config.Config, err error) {
	if c.interactive {
		if err := c.askAll(ctx, a); err != nil {
			return nil, nil, err
		}
	} else if err := a.complete(); err != nil {
		return nil, nil, err
	}
	for {
		if text, err = renderConfig(a, keys); err != nil {
			return nil, nil, err
		}
		if cfg, err = config.Parse(path, text); err == nil {
			return text, cfg, nil
		}
		bad, err := a.blame(err)
		switch {
		case err != nil:
			return nil, nil, err
		case !c.interactive:
			return nil, nil, usageOf(bad)
		}
		if err := c.askAgain(ctx, a, bad); err != nil {
			return nil, nil, err
		}
	}
}

// usageOf makes one error of what is wrong with flags.
func usageOf(bad []badAnswer) error {
	lines := make([]string, len(bad))
	for i, b := range bad {
		lines[i] = "--" + b.question.flag + ": " + b.problem
	}
	return &exitError{code: exitUsage, err: errors.New(strings.Join(lines, "\n"))}
}

func (c *cli) printInit(l *layout, keys *keys) error {
	if c.json {
		return c.printJSON(initResult{Files: l.files(), Recipient: keys.recipient(), PublicKey: keys.public()})
	}
	check := "starter config check"
	if filepath.Base(l.config) != l.config {
		check += " " + l.config
	}
	return c.printf(`made %s: look through it, it explains itself
made %s: opens what is sealed
made %s: signs recovery sets
made %s: vouches for who approves what
made %s: print it, lock it away, and delete it; it holds the secret key

next: set the variables that the file refers to, then run '%s'
`, l.config, l.ageKey, l.signingKey, l.approvalKey, l.kit, check)
}
