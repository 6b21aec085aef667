package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func (c *cli) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check the config file, or print its schema",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(c.configCheckCommand(), c.configSchemaCommand())
	return cmd
}

func (c *cli) configCheckCommand() *cobra.Command {
	noSecrets := false
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Report all problems of the config file at once",
		Long: `check reads the config file and reports everything that is wrong with it at once,
each with line, field, value and mend. Then it tries the secrets that the file
refers to. It shows none of them.

` + exitCodes(exitReached, exitFailed, exitUsage),
		Example: `  starter config check
  starter config check --no-secrets deploy/lifeboat.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := config.Path(c.configFile)
			if len(args) == 1 {
				path = args[0]
			}
			return c.checkConfig(path, !noSecrets)
		},
	}
	cmd.Flags().BoolVar(&noSecrets, "no-secrets", false, "do not try the secrets; for a machine that has none of them")
	return cmd
}

func (c *cli) configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the config file, for editors",
		Long: `schema prints the JSON Schema of the config file. An editor that knows it
completes and checks the file as you type.

` + exitCodes(exitReached, exitFailed, exitUsage),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			schema, err := config.Schema()
			if err != nil {
				return fmt.Errorf("make schema: %w", err)
			}
			return c.printf("%s", schema)
		},
	}
}

// checkResult is what config check found.
type checkResult struct {
	File     string           `json:"file"`
	OK       bool             `json:"ok"`
	Problems []config.Problem `json:"problems"`
	Secrets  []config.Problem `json:"secrets"` // those that do not resolve here
	Services []checkedService `json:"services"`
}

// checkedService says what a service's configuration can reach.
type checkedService struct {
	Name        string         `json:"name"`
	Owner       string         `json:"owner"`
	Sources     []string       `json:"sources"`
	Destination string         `json:"destination"`
	Backup      recovery.Level `json:"backup"` // by each backup
	Verify      recovery.Level `json:"verify"` // by a full verification
}

func (c *cli) checkConfig(path string, secrets bool) error {
	result := checkResult{File: path, Problems: []config.Problem{}, Secrets: []config.Problem{}, Services: []checkedService{}}
	cfg, err := config.Load(path)
	var problems *config.Problems
	switch {
	case errors.As(err, &problems):
		result.Problems = problems.List
	case err != nil:
		return err
	default:
		if secrets {
			result.Secrets = append(result.Secrets, cfg.CheckSecrets()...)
		}
		if result.Services, err = checkServices(cfg); err != nil {
			return err
		}
	}
	result.OK = len(result.Problems) == 0 && len(result.Secrets) == 0
	if c.json {
		if err := c.printJSON(result); err != nil {
			return err
		}
	} else if result.OK {
		return c.printChecked(cfg, result)
	}
	return checkError(result)
}

func checkServices(cfg *config.Config) ([]checkedService, error) {
	services := make([]checkedService, len(cfg.Services))
	for i, s := range cfg.Services {
		plan, err := cfg.Plan(s.Name)
		if err != nil {
			return nil, err
		}
		services[i] = checkedService{
			Name: s.Name, Owner: s.Owner, Destination: plan.Destination.Name,
			Backup: plan.Target(plan.Verify == recovery.VerifyAfterBackup),
			Verify: plan.Target(true),
		}
		for _, source := range s.Sources {
			services[i].Sources = append(services[i].Sources, source.Name)
		}
	}
	return services, nil
}

// checkError makes the error of a config that is not in order, nil for one that is.
func checkError(result checkResult) error {
	switch {
	case len(result.Problems) > 0:
		return &exitError{code: exitUsage, err: &config.Problems{File: result.File, List: result.Problems}}
	case len(result.Secrets) > 0:
		return &exitError{
			code: exitUsage,
			err:  &config.Problems{File: result.File, List: result.Secrets},
			hint: "only secrets that cannot be used here; --no-secrets leaves them out",
		}
	}
	return nil
}

func (c *cli) printChecked(cfg *config.Config, result checkResult) error {
	var b strings.Builder
	sources := 0
	for _, s := range result.Services {
		sources += len(s.Sources)
	}
	fmt.Fprintf(&b, "%s is good: %s, %s\n", result.File, count(len(result.Services), "service"), count(sources, "source"))
	for _, d := range cfg.Destinations {
		fmt.Fprintf(&b, "  destination %s: %s", d.Name, d.URL)
		if d.Endpoint != "" {
			fmt.Fprintf(&b, " at %s", d.Endpoint)
		}
		b.WriteString("\n")
	}
	for i, s := range result.Services {
		o := cfg.Services[i].Objectives
		fmt.Fprintf(&b, "  service %s (%s), RTO %s, RPO %s\n", s.Name, s.Owner, o.RTO, o.RPO)
		for _, source := range cfg.Services[i].Sources {
			fmt.Fprintf(&b, "    source %s: %s, RPO %s\n", source.Name, source.Kind, source.RPO)
		}
		fmt.Fprintf(&b, "    reaches: %s by each backup, %s by a verification%s\n", s.Backup, s.Verify, higher(s.Verify))
	}
	return c.printf("%s", b.String())
}

// higher says what would lift a service's level.
func higher(level recovery.Level) string {
	switch level {
	case recovery.LevelStored:
		return " (encryption.identities would let sets be opened and restored)"
	case recovery.LevelRestored:
		return " (smoke would let sets be proven)"
	case recovery.LevelNone, recovery.LevelReadBack, recovery.LevelProven:
	}
	return ""
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
