package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func (c *cli) pendingCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pending",
		Short: "List what waits for a decision",
		Long: `List the requests that wait for a person's decision, with the plan that each would
carry out.

` + exitCodes(exitReached, exitFailed, exitUsage, exitUnreachable),
		Example: "  starter pending\n  starter pending --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.pending(cmd.Context()) },
	}
}

func (c *cli) pending(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	var d desk
	if err := d.open(ctx, cfg); err != nil {
		return err
	}
	defer d.client.Close()
	books, err := d.Pending(ctx)
	if err != nil {
		return unreachable("list what waits", err)
	}
	if c.json {
		if books == nil {
			books = []approval.Book{}
		}
		return c.printJSON(books)
	}
	if len(books) == 0 {
		return c.printf("nothing waits for a decision\n")
	}
	for _, b := range books {
		if err := c.printf("%s\n", describeRequest(&b, c.now())); err != nil {
			return err
		}
	}
	return nil
}

// describeRequest writes a request with the commands that decide it.
func describeRequest(b *approval.Book, now time.Time) string {
	r := &b.Request
	var out strings.Builder
	line := func(label string, texts ...string) {
		for _, text := range texts {
			fmt.Fprintf(&out, "  %-14s %s\n", label, text)
			label = ""
		}
	}
	fmt.Fprintf(&out, "%s\n", r.What)
	line("run", r.Run.WorkflowID)
	line("where", r.Where)
	for _, f := range r.Facts {
		line(strings.ToLower(f.Label), f.Value)
	}
	asked := r.RequestedBy
	if asked == "" {
		asked = "nobody vouches for who"
	}
	line("asked by", asked)
	line("decided by", fmt.Sprintf("%s; %d of %d so far", strings.Join(r.MayApprove(), ", "), b.Approvals(), r.Needed()))
	line("expires", fmt.Sprintf("%s, in %s", stamp(r.Expires), recovery.Duration(r.Expires.Sub(now).Round(time.Minute))))
	line("choose", describeChoices(r)...)
	line("to decide", approveCommands(r)...)
	line("", "starter decide "+r.Run.WorkflowID+` reject --reason "…"`)
	if r.Snooze > 0 {
		line("", "starter decide "+r.Run.WorkflowID+" snooze, to be asked again in "+r.Snooze.String())
	}
	return out.String()
}

func describeChoices(r *approval.Request) []string {
	list := make([]string, len(r.Choices))
	for i, c := range r.Choices {
		list[i] = c.Key + ": " + c.Label
		if c.Detail != "" {
			list[i] += ", " + c.Detail
		}
	}
	return list
}

// approveCommands are the command lines that approve a request, one for each choice.
func approveCommands(r *approval.Request) []string {
	command := "starter decide " + r.Run.WorkflowID + " approve"
	if r.Confirm != "" {
		command += " --confirm " + r.Confirm
	}
	if len(r.Choices) == 0 {
		return []string{command}
	}
	commands := make([]string, len(r.Choices))
	for i, c := range r.Choices {
		commands[i] = command + " --choose " + c.Key
	}
	return commands
}

// decision is what `decide` is asked.
type decision struct {
	desk
	reason, confirm, choose string
}

// verdict reads what is decided, and checks what the flags say of it.
func (d *decision) verdict(word string) (approval.Verdict, error) {
	var verdict approval.Verdict
	err := verdict.UnmarshalText([]byte(word))
	switch {
	case err != nil || verdict == approval.Undecided:
		return verdict, &exitError{code: exitUsage, err: fmt.Errorf("read decision %q: write approve or reject", word)}
	case verdict == approval.Reject && d.reason == "":
		return verdict, &exitError{code: exitUsage, err: errors.New("reject: a rejection needs a reason"), hint: `add --reason "…"`}
	case verdict != approval.Approve && d.choose != "":
		return verdict, &exitError{code: exitUsage, err: fmt.Errorf("%s: --choose says what is approved", verdict), hint: "leave it out"}
	}
	return verdict, nil
}

// checkChoice says why a request is not approved so: the run would refuse it, too, and
// record that.
func (d *decision) checkChoice(r *approval.Request) error {
	_, ok := r.Choose(d.choose)
	switch {
	case ok, len(r.Choices) == 0 && d.choose == "":
		return nil
	case len(r.Choices) == 0:
		return &exitError{code: exitUsage, err: errors.New("approve: there is nothing to choose here"), hint: "leave --choose out"}
	}
	why := "choose one of " + r.ListChoices()
	if d.choose != "" {
		why = fmt.Sprintf("there is no choice %q: %s", d.choose, why)
	}
	return &exitError{code: exitUsage, err: errors.New("approve: " + why), hint: "add --choose " + r.Choices[0].Key}
}

func (c *cli) decideCommand() *cobra.Command {
	d := &decision{}
	cmd := &cobra.Command{
		Use:   "decide RUN approve|reject|snooze",
		Short: "Approve, reject or put off what a run waits for",
		Long: `Approve or reject what a run waits for. RUN is the run's workflow id, as "starter
pending" lists it. What replaces data must be confirmed by --confirm and the name of
the service; a rejection needs a --reason. A drill that fell due can be snoozed. Where
there are choices, --choose says which one is approved.

The plan is shown before it is decided, and only that plan is approved.

` + exitCodes(exitReached, exitFailed, exitUsage, exitUnreachable, exitNotApproved),
		Example: "  starter decide RestoreDrill/where2eat/20261122T180000.000Z approve\n  starter decide Restore/where2eat/20261122T180000.000Z approve --confirm where2eat\n" +
			`  starter decide Restore/where2eat/20261122T180000.000Z reject --reason "wrong set"` + "\n" +
			"  starter decide Rollback/where2eat/20261122T180000.000Z approve --choose deploy:v1.2",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return c.decide(cmd.Context(), d, args[0], args[1]) },
	}
	d.flags(cmd)
	cmd.Flags().StringVar(&d.reason, "reason", "", "why; needed to reject")
	cmd.Flags().StringVar(&d.confirm, "confirm", "", "the name of the service, to confirm that its data is replaced")
	cmd.Flags().StringVar(&d.choose, "choose", "", "the key of what is approved, where there are choices")
	return cmd
}

func (c *cli) decide(ctx context.Context, d *decision, run, word string) error {
	verdict, err := d.verdict(word)
	if err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if err := d.open(ctx, cfg); err != nil {
		return err
	}
	defer d.client.Close()
	by, err := d.who()
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	books, err := d.PendingOf(ctx, recovery.RunRef{WorkflowID: run})
	if err != nil {
		return unreachable("look at the run", err)
	}
	if len(books) == 0 {
		return &exitError{code: exitNotApproved, err: fmt.Errorf("decide %s: it waits for no decision", run), hint: "starter pending lists what does"}
	}
	request := &books[0].Request
	c.notef("%s", describeRequest(&books[0], c.now()))
	if verdict == approval.Approve {
		if err := d.checkChoice(request); err != nil {
			return err
		}
	}
	answer, err := d.Decide(ctx, request.Run, approval.Decision{
		Request: request.ID, Digest: request.Digest, Verdict: verdict, Reason: d.reason, Confirm: d.confirm, Choice: d.choose, Claim: approval.Claim{By: by},
	})
	if err != nil {
		return unreachable("decide", err)
	}
	if c.json {
		if err := c.printJSON(answer); err != nil {
			return err
		}
	} else if answer.Accepted {
		return c.printf("%s\n", answer.Text)
	}
	if !answer.Accepted {
		return &exitError{code: exitNotApproved, err: errors.New(answer.Text)}
	}
	return nil
}

// deskFor is a desk that reaches no Temporal: for what the bucket alone tells.
func deskFor(cfg *config.Config) *app.Desk {
	return &app.Desk{Via: approval.ViaCLI, Config: func() (*config.Config, error) { return cfg, nil }}
}
