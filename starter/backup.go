package main

import (
	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/workflows"
)

var playbookExits = []int{exitReached, exitFailed, exitUsage, exitDisproven, exitInconclusive, exitUnreachable, exitDetached}

func (c *cli) backupCommand() *cobra.Command {
	p := &playbook{name: workflows.TypeBackupAndVerify}
	due := false
	cmd := &cobra.Command{
		Use:   "backup SERVICE",
		Short: "Back a service up and prove the backup",
		Long: `Start the playbook BackupAndVerify and wait for its end: every source of the
service is dumped, sealed and stored as one recovery set, which is then read back,
restored to staging, compared with the source, and tried out by the service.

Ctrl-C ends this command, not the run.

` + exitCodes(playbookExits...),
		Example: "  starter backup where2eat\n  starter backup where2eat --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.service = args[0]
			level, err := p.asked()
			if err != nil {
				return err
			}
			return p.run(cmd.Context(), c, workflows.BackupAndVerifyInput{Service: p.service, Level: level, Due: due})
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&due, "due", false, "dump only what fell due since it was last dumped, as the schedule does")
	return cmd
}
