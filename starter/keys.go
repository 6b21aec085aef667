package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/app"
)

func (c *cli) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "See the keys, replace the one that sets are sealed for, rehearse losing all",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(c.keysListCommand(), c.keysRotateCommand(), c.keysDrillCommand())
	return cmd
}

func (c *cli) keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the keys that the config names, and their ages",
		Long: `List the keys that the config names: what each is for, when it was made, and where
its secret half is, if that is on this machine. A key older than a year is named.

When a key was made stands beside it in a file that age-keygen or starter wrote. Of a
signing or approval key it is only known when its file was written.

` + exitCodes(exitReached, exitFailed, exitUsage),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return c.listKeys() },
	}
}

func (c *cli) listKeys() error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	keys := app.Keys(cfg)
	if c.json {
		return c.printJSON(keys)
	}
	now := c.now()
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "USE\tMADE\tAGE\tSECRET HALF\tPUBLIC HALF"); err != nil {
		return err
	}
	var remarks strings.Builder
	for _, k := range keys {
		made, age := madeWords(k, now)
		secret, public := k.Secret, k.Public
		if secret == "" {
			secret = "not here"
		}
		if public == "" {
			public = "-"
		}
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.Use, made, age, secret, public); err != nil {
			return err
		}
		switch {
		case k.Error != "":
			fmt.Fprintf(&remarks, "what %s cannot be read here: %s\n", k.Use, k.Error)
		case k.Old(now) && k.Use == app.KeySeals:
			fmt.Fprintf(&remarks, "what %s is older than a year: run 'starter keys rotate'\n", k.Use)
		case k.Old(now) && k.Use != app.KeyOpens:
			fmt.Fprintf(&remarks, "what %s is older than a year: think about a new one\n", k.Use)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return c.printf("%s", remarks.String())
}

// madeWords says when a key was made, and how old it is.
func madeWords(k app.Key, now time.Time) (made, age string) {
	if k.Made.IsZero() {
		return "not known", "not known"
	}
	days := count(int(now.Sub(k.Made)/(24*time.Hour)), "day")
	made = k.Made.Format(time.DateOnly)
	if k.Before {
		return "by " + made, days + " or more"
	}
	return made, days
}

func (c *cli) keysDrillCommand() *cobra.Command {
	var kitFile string
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Rehearse the loss of all keys: open the newest sets with the recovery kit alone",
		Long: `Open the newest recovery set of every service, at each place that the recovery kit
names, with nothing but the kit: neither the config nor its key files are looked at.
Every object is read to its end and compared with the signed manifest. Nothing is
restored.

What came of it is written to each place, below drills/keys/, if the bucket's keys may
do that. The bucket's keys are found as by 'starter recover'.

Do it once a quarter, with the page that lies in the safe: typed off, or scanned.

` + exitCodes(exitReached, exitFailed, exitUsage, exitDisproven, exitUnreachable),
		Example: "  starter keys drill --kit recovery-kit.md",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.drillKeys(cmd.Context(), kitFile)
		},
	}
	cmd.Flags().StringVar(&kitFile, "kit", "", "the recovery kit (default recovery-kit.md, if it is here)")
	return cmd
}

func (c *cli) keysRotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Seal new sets for a new key; the old ones still open with the old",
		Long: `Make a new age key for sealing. It is added to the file that encryption.identities
names, where the old keys stay, so that old sets still open. In the config, its public
half takes the place of the old one; other people's recipients stay, and so does
everything else in the file. A new recovery kit, with all the keys, is written beside the config.

Either all of these files are written or none. Sets that are there already stay sealed
for the old key: whoever has that can still open them until retention removes them.

` + exitCodes(exitReached, exitFailed, exitUsage),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return c.rotateKeys() },
	}
}
