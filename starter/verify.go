package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func (c *cli) verifyCommand() *cobra.Command {
	p := &playbook{name: workflows.TypeVerify}
	var set string
	in := workflows.VerifyInput{}
	cmd := &cobra.Command{
		Use:   "verify SERVICE",
		Short: "Prove a recovery set that is there already",
		Long: `Start the playbook Verify and wait for its end: a recovery set, the newest
unless --set names one, is read back, restored to staging, compared with the source
as it was, and tried out by the service. The result is added to the verification
log in the bucket.

Ctrl-C ends this command, not the run.

` + exitCodes(playbookExits...),
		Example: "  starter verify where2eat\n  starter verify where2eat --set 20261122T180000Z-ab12cd --level readBack\n  starter verify where2eat --copy second",
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
			if in.Rotate && (set != "" || in.Copy != "") {
				return &exitError{code: exitUsage, err: errors.New("read flags: --rotate chooses the copy by itself"), hint: "leave out --set and --copy, or --rotate"}
			}
			in.Service, in.Set, in.Level = p.service, recovery.SetID(set), level
			return p.run(cmd.Context(), c, in)
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&set, "set", "", "id of the recovery set (default the newest)")
	cmd.Flags().StringVar(&in.Copy, "copy", "", "the destination to read it from (default the first that has it)")
	cmd.Flags().BoolVar(&in.Rotate, "rotate", false, "take the copy that was not restored for the longest, as the schedule does")
	return cmd
}
