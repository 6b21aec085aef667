package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// costResult is what `cost` prints.
type costResult struct {
	recovery.Cost
	Currency string `json:"currency"`
	// NotKnown names the destinations that did not answer, with the reason.
	NotKnown map[string]string `json:"notKnown,omitempty"`
}

func (c *cli) costCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cost SERVICE",
		Short: "Say what the sets of a service weigh, and cost in a month",
		Long: `Say what the sets of a service weigh at each destination, by the tier of retention
that keeps them and by storage class, and what that costs in a month at the prices in
the config. What lies there is read from the destinations; what requests, traffic and
hidden versions cost is left out.

` + exitCodes(exitReached, exitFailed, exitUsage, exitUnreachable),
		Example: "  starter cost where2eat\n  starter cost where2eat --json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.cost(cmd.Context(), args[0]) },
	}
}

func (c *cli) cost(ctx context.Context, service string) error {
	cfg, plan, err := c.loadPlan(service)
	if err != nil {
		return err
	}
	result := costResult{Currency: cfg.Currency, NotKnown: map[string]string{}}
	var stocks []recovery.Stock
	var first error
	for _, dest := range plan.Destinations {
		stock, err := app.StockAt(ctx, cfg, plan, dest, c.now())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			result.NotKnown[dest.Name] = err.Error()
			if first == nil {
				first = err
			}
			continue
		}
		stocks = append(stocks, stock)
	}
	if len(stocks) == 0 {
		return bucketError(first)
	}
	result.Cost = recovery.MonthlyCost(stocks)
	if c.json {
		return c.printJSON(result)
	}
	return c.printCost(service, &result)
}

func (c *cli) printCost(service string, r *costResult) error {
	for name, err := range r.NotKnown {
		c.notef("%s is left out: %s", name, err)
	}
	if len(r.Lines) == 0 {
		return c.printf("no recovery set of %s; make one: starter backup %s\n", service, service)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "DESTINATION\tKEPT AS\tCLASS\tSETS\tSIZE\tA MONTH"); err != nil {
		return err
	}
	for _, l := range r.Lines {
		price := "no price"
		if l.PerMonth != nil {
			price = amount(*l.PerMonth, r.Currency)
		}
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", l.Destination, keptAs(l), orDash(l.Class), l.Sets, recovery.Bytes(l.Bytes), price); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := c.printf("\n%s a month\n", amount(r.PerMonth, r.Currency)); err != nil || r.Unpriced == 0 {
		return err
	}
	return c.printf("%s without a price: set price, or prices, of the destination in the config\n", recovery.Bytes(r.Unpriced))
}

// keptAs says what keeps the sets of a line.
func keptAs(l recovery.CostLine) string {
	switch {
	case l.Leaving:
		return "to be removed"
	case l.Tier == "":
		return "kept by rule"
	}
	return l.Tier
}

// amount writes money; what is less than a cent is not nothing.
func amount(value float64, currency string) string {
	if value > 0 && value < 0.01 {
		return "under 0.01 " + currency
	}
	return fmt.Sprintf("%.2f %s", value, currency)
}

func orDash(text string) string {
	if strings.TrimSpace(text) == "" {
		return "-"
	}
	return text
}
