package main

import (
	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func (c *cli) verifyCommand() *cobra.Command {
	p := &playbook{name: workflows.TypeVerify}
	var set string
	cmd := &cobra.Command{
		Use:   "verify SERVICE",
		Short: "Prove a recovery set that is there already",
		Long: `Start the playbook Verify and wait for its end: a recovery set, the newest
unless --set names one, is read back, restored to staging, compared with the source
as it was, and tried out by the service. The result is added to the verification
log in the bucket.

Ctrl-C ends this command, not the run.

` + exitCodes(playbookExits...),
		Example: "  starter verify where2eat\n  starter verify where2eat --set 20261122T180000Z-ab12cd --level readBack",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.service = args[0]
			level, err := p.asked()
			if err != nil {
				return err
			}
			if set != "" {
				if _, err := recovery.ParseSetID(set); err != nil {
					return &exitError{code: exitUsage, err: err, hint: "starter sets " + p.service + " lists the sets that are there"}
				}
			}
			return p.run(cmd.Context(), c, workflows.VerifyInput{Service: p.service, Set: recovery.SetID(set), Level: level})
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&set, "set", "", "id of the recovery set (default the newest)")
	return cmd
}
