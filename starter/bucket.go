package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// examplePrincipal stands in a policy until its reader puts in who backs up.
const examplePrincipal = "arn:aws:iam::111122223333:user/lifeboat"

func (c *cli) bucketCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bucket",
		Short: "Check how safe a destination is, or print its policy",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(c.bucketCheckCommand(), c.bucketPolicyCommand())
	return cmd
}

func (c *cli) bucketCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check DESTINATION",
		Short: "Try what the destination's access key can do, and look at how the bucket is set up",
		Long: `check looks at the versioning, object lock, public access and lifecycle rules of a
bucket. It tries on probe objects below lifeboat-check/, with the access key that
backs up, what a backup needs, and what it must not be able to do: to write over an
object and to remove one. A finding is good, bad, or not known where the server does
not tell.

` + exitCodes(exitReached, exitFailed, exitUsage, exitUnreachable),
		Example: "  starter bucket check main\n  starter bucket check main --json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.checkBucket(cmd.Context(), args[0]) },
	}
}

func (c *cli) bucketPolicyCommand() *cobra.Command {
	var principal string
	cmd := &cobra.Command{
		Use:   "policy DESTINATION",
		Short: "Print the least policy of the bucket that lets Lifeboat back up",
		Long: `policy prints a bucket policy that lets one account back up and restore, and forbids
it to write over anything or to remove anything. Pruning, and moving sets to another
storage class, needs credentials of its own then: see prune in the destination's
configuration. Servers other than AWS may not know the condition of the statement
NothingIsWrittenOver: leave it out there, and rely on versioning and object lock.

` + exitCodes(exitReached, exitFailed, exitUsage),
		Example: "  starter bucket policy main --principal arn:aws:iam::111122223333:user/backup > policy.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			_, dest, err := c.destination(args[0])
			if err != nil {
				return err
			}
			policy, err := vault.Policy(dest, principal)
			if err != nil {
				return &exitError{code: exitUsage, err: err}
			}
			if principal == examplePrincipal {
				c.notef("put in who backs up, or give --principal: %s is an example", examplePrincipal)
			}
			return c.printf("%s", policy)
		},
	}
	cmd.Flags().StringVar(&principal, "principal", examplePrincipal, "ARN, or the server's own name, of the account that backs up")
	return cmd
}

// destination finds a destination of the config by its name.
func (c *cli) destination(name string) (*config.Config, recovery.DestinationSpec, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, recovery.DestinationSpec{}, err
	}
	all := cfg.DestinationSpecs()
	i := slices.IndexFunc(all, func(d recovery.DestinationSpec) bool { return d.Name == name })
	if i < 0 {
		known := make([]string, len(all))
		for i, d := range all {
			known[i] = d.Name
		}
		return nil, recovery.DestinationSpec{}, &exitError{
			code: exitUsage, err: fmt.Errorf("find destination %q: it is not in the config", name), hint: "known: " + strings.Join(known, ", "),
		}
	}
	return cfg, all[i], nil
}

func (c *cli) checkBucket(ctx context.Context, name string) error {
	cfg, dest, err := c.destination(name)
	if err != nil {
		return err
	}
	v, err := app.OpenVault(ctx, cfg, dest)
	if err != nil {
		return bucketError(err)
	}
	defer func() { _ = v.Close() }()
	found, err := v.Inspect(ctx)
	if err != nil {
		return bucketError(err)
	}
	if c.json {
		err = c.printJSON(found)
	} else {
		err = c.printInspection(dest, found)
	}
	if err != nil {
		return err
	}
	bad := 0
	for _, f := range found.Findings {
		if f.Grade == vault.Bad {
			bad++
		}
	}
	if bad > 0 {
		return &exitError{code: exitFailed, err: fmt.Errorf("check destination %s: %s to mend", name, count(bad, "thing"))}
	}
	return nil
}

func (c *cli) printInspection(dest recovery.DestinationSpec, found *vault.Inspection) error {
	var b strings.Builder
	fmt.Fprintf(&b, "destination %s: %s\n", dest.Name, dest.URL)
	for _, f := range found.Findings {
		fmt.Fprintf(&b, "  %-9s  %s: %s\n", gradeWords[f.Grade], f.About, f.Sentence)
		if f.Mend != "" {
			fmt.Fprintf(&b, "  %-9s  → %s\n", "", f.Mend)
		}
	}
	for _, key := range found.Left {
		fmt.Fprintf(&b, "left behind, since this key may not remove it: %s\n", key)
	}
	return c.printf("%s", b.String())
}

// gradeWords are the grades for people.
var gradeWords = map[vault.Grade]string{vault.Good: "good", vault.Bad: "BAD", vault.NotKnown: "not known"}
