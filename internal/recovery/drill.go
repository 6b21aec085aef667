package recovery

import (
	"fmt"
	"strings"
	"time"
)

// Drill is a rehearsal of a restore: what was asked, decided and found.
type Drill struct {
	Report   Report    `json:"report"`
	Started  time.Time `json:"started"` // when the restore began, after any approval
	Ended    time.Time `json:"ended"`
	Run      RunRef    `json:"run"`
	By       string    `json:"by,omitempty"` // who asked for it
	Decided  []string  `json:"decided,omitempty"`
	Expected Duration  `json:"expected,omitempty"` // how long it was thought to take
	Document string    `json:"document,omitempty"` // key of the report in the bucket
}

// Markdown writes the report for people.
func (d *Drill) Markdown() string {
	var b strings.Builder
	r := &d.Report
	result := "PASSED"
	if !r.Reached() {
		result = "FAILED"
	}
	fmt.Fprintf(&b, "# Restore drill of %s: %s\n\n%s\n\n", r.Service, result, r.Sentence)
	fmt.Fprintf(&b, "| | |\n|---|---|\n| Set | `%s` from %s |\n| Begun | %s |\n| Ended | %s |\n", r.Set, r.Copy, stamp(d.Started), stamp(d.Ended))
	if d.By != "" {
		fmt.Fprintf(&b, "| Asked for by | %s |\n", cell(d.By))
	}
	for _, line := range d.Decided {
		fmt.Fprintf(&b, "| Decision | %s |\n", cell(line))
	}
	fmt.Fprintf(&b, "| Restore time | %s |\n| Age of the data | %s |\n", r.RTO.Sentence("RTO"), r.RPO.Sentence("RPO"))
	if d.Expected > 0 {
		fmt.Fprintf(&b, "| Expected | %s, from the restores before |\n", d.Expected)
	}
	b.WriteString("\n## What was restored\n\n| source | result | rows | read back in | restored in |\n|---|---|---|---|---|\n")
	for _, a := range r.Artefacts {
		fmt.Fprintf(&b, "| %s | %s, %s | %d | %s | %s |\n", a.Source, a.Verdict, a.Level, a.Rows, a.ReadBackTook, a.RestoreTook)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "| %s | not in the set: %s | | | |\n", f.Source, cell(f.Error))
	}
	if r.Smoke != nil {
		b.WriteString("\n## The service on the restored data\n\n")
		for _, s := range r.Smoke.Steps {
			mark := "passed"
			if !s.OK {
				mark = "FAILED: " + s.Error
			}
			fmt.Fprintf(&b, "1. %s: %s (%s)\n", s.Name, mark, s.Took)
		}
	}
	fmt.Fprintf(&b, "\nRun `%s` (`%s`), config %s.\n", d.Run.WorkflowID, d.Run.RunID, r.Config)
	return b.String()
}

// cell makes free text fit into a cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// Sentence says whether an objective was met: "2m1s: RTO 1h met, 57m59s to spare".
func (m *Measure) Sentence(objective string) string {
	switch {
	case m == nil:
		return "not measured"
	case m.Met:
		return fmt.Sprintf("%s: %s %s met, %s to spare", m.Actual, objective, m.Objective, m.Margin())
	}
	return fmt.Sprintf("%s: %s %s MISSED by %s", m.Actual, objective, m.Objective, -m.Margin())
}

// String is the commit, or the digest if there is none.
func (c ConfigRef) String() string {
	if c.Commit == "" {
		return "sha256 " + c.Digest
	}
	if c.Dirty {
		return "commit " + c.Commit + " with changes"
	}
	return "commit " + c.Commit
}
