package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func (c *cli) smokeDeployCommand() *cobra.Command {
	p := &playbook{name: workflows.TypeSmokeDeploy}
	var tag string
	cmd := &cobra.Command{
		Use:   "smoke-deploy SERVICE",
		Short: "Try a release on staging",
		Long: `Start the playbook SmokeDeploy and wait for its end: a release, the newest unless --tag
names one, is deployed to staging, and its integration tests run there. What was found
is kept in the destinations. Production is not touched.

Ctrl-C ends this command, not the run.

` + exitCodes(playbookExits...),
		Example: "  starter smoke-deploy where2eat\n  starter smoke-deploy where2eat --tag v1.3",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.service = args[0]
			return c.smokeDeploy(cmd.Context(), p, tag)
		},
	}
	cmd.Flags().StringVar(&tag, "tag", "", "tag of the release to try (default the newest)")
	cmd.Flags().BoolVar(&p.detach, "detach", false, "start the run and do not wait for its end")
	return cmd
}

func (c *cli) smokeDeploy(ctx context.Context, p *playbook, tag string) error {
	_, deploy, err := c.loadDeployed(p.service, tag)
	if err != nil {
		return err
	}
	if deploy.Staging == nil {
		return &exitError{code: exitUsage, err: fmt.Errorf("try a release of %s: the config does not say where", p.service), hint: "write deploy.staging into the config: docs/rollback.md"}
	}
	temporalClient, run, err := c.startFor(ctx, p.service, p.name, c.labelFor(p.name, p.service), workflows.ReleaseInput{Service: p.service, Tag: tag})
	if err != nil {
		return err
	}
	defer temporalClient.Close()
	if p.detach {
		return p.detached(c, run.GetID())
	}
	var staged *release.StagedRelease
	err = c.follow(ctx, &follower{client: temporalClient, run: run}, &staged)
	if staged == nil {
		return err
	}
	return cmp.Or(c.printStaged(staged), err)
}

func (c *cli) printStaged(s *release.StagedRelease) error {
	if c.json {
		return c.printJSON(s)
	}
	return c.printf("%s", describeStaged(s))
}

func describeStaged(s *release.StagedRelease) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n  release   %s\n  deployed  in %s\n", strings.ToUpper(s.Verdict.String()), s.Sentence, tagWords(s.Release), s.Deploy)
	if s.Test > 0 {
		fmt.Fprintf(&b, "  tested    in %s\n", s.Test)
	}
	if s.Verdict != recovery.Proven && s.Output != "" {
		b.WriteString("  output\n")
		for line := range strings.Lines(strings.TrimSpace(s.Output)) {
			b.WriteString("    " + strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	return b.String()
}
