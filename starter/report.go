package main

import (
	"fmt"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// describe writes a report for a person: the verdict in words, then the figures.
func describe(r *recovery.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Sentence)
	for _, a := range r.Artefacts {
		fmt.Fprintf(&b, "\n  %s (%s): %s in clear, %s sealed\n", a.Source, a.Kind, recovery.Bytes(a.PlainSize), recovery.Bytes(a.Size))
		fmt.Fprintf(&b, "    %s\n    sha256 %s\n", a.Object, a.SHA256)
		if a.FingerprintEqual != nil {
			fmt.Fprintf(&b, "    restored in %s, %s\n", a.RestoreTook, equality(a))
		}
		for _, d := range a.Differences {
			fmt.Fprintf(&b, "    differs: %s\n", d)
		}
		if a.MoreDifferences > 0 {
			fmt.Fprintf(&b, "    and %d more differences\n", a.MoreDifferences)
		}
	}
	if r.Smoke != nil {
		fmt.Fprintf(&b, "\n  the service, started on the restored data:\n")
		for _, s := range r.Smoke.Steps {
			mark := "ok    "
			if !s.OK {
				mark = "FAILED"
			}
			fmt.Fprintf(&b, "    %s %s (%s)%s\n", mark, s.Name, s.Took, suffix(": ", s.Error))
		}
	}
	if r.RPO != nil {
		fmt.Fprintf(&b, "\n  data age      %s\n", measure(*r.RPO, "RPO"))
	}
	if r.RTO != nil {
		fmt.Fprintf(&b, "  restore time  %s\n", measure(*r.RTO, "RTO"))
	}
	return b.String()
}

func equality(a recovery.ArtefactReport) string {
	if *a.FingerprintEqual {
		return fmt.Sprintf("equal to the source in %d rows and all definitions", a.Rows)
	}
	return "NOT equal to the source"
}

func measure(m recovery.Measure, objective string) string {
	if m.Met {
		return fmt.Sprintf("%s, within its %s of %s", m.Actual, objective, m.Objective)
	}
	return fmt.Sprintf("%s, misses its %s of %s by %s", m.Actual, objective, m.Objective, -m.Margin())
}

func suffix(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
}
