package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// rescued is what `recover` brought back.
type rescued struct {
	Service string                   `json:"service"`
	Set     recovery.SetID           `json:"set"`
	Created time.Time                `json:"created"`
	Sources []app.Rescued            `json:"sources"`
	Missing []recovery.SourceFailure `json:"missing,omitempty"` // sources that the set does not hold
	Took    recovery.Duration        `json:"took"`
}

func (c *cli) printRescued(r *rescued) error {
	if c.json {
		return c.printJSON(r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "BACK: %s, from set %s, in %s\n", r.Service, r.Set, r.Took)
	var roles []string
	for _, s := range r.Sources {
		kind := "database"
		if s.Kind == recovery.KindSQLite {
			kind = "file"
		}
		fmt.Fprintf(&b, "  %s: %s %s, data as of %s\n    %s, in %s\n", s.Source, kind, s.Where, stamp(s.Snapshot), proved(s), s.Took)
		for _, d := range s.Differences {
			fmt.Fprintf(&b, "    differs: %s\n", d)
		}
		for _, complaint := range s.Complaints {
			fmt.Fprintf(&b, "    note: %s\n", complaint)
		}
		roles = append(roles, s.Roles...)
	}
	for _, f := range r.Missing {
		fmt.Fprintf(&b, "  %s: NOT in this set: it could not be backed up\n", f.Source)
	}
	slices.Sort(roles)
	if roles = slices.Compact(roles); len(roles) > 0 {
		fmt.Fprintf(&b, "\nRoles that the server lacked were made without login and password. It needs: %s.\nGive those that must log in: ALTER ROLE … LOGIN PASSWORD '…'\n", strings.Join(roles, ", "))
	}
	b.WriteString("\nnext: point the service at the data, start it, and look at it before anyone else does\n")
	return c.printf("%s", b.String())
}

func proved(s app.Rescued) string {
	switch {
	case !s.Compared:
		return "not compared: the set does not say what the source held"
	case s.Equal:
		return fmt.Sprintf("%s, equal to the source as it was", count(int(s.Rows), "row"))
	}
	return fmt.Sprintf("%s, NOT equal to the source as it was", count(int(s.Rows), "row"))
}
