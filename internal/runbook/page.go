package runbook

import (
	"slices"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// The headings of level 2 that every page has.
const (
	HeadingSymptoms     = "Symptoms"
	HeadingImmediate    = "Immediate action (first 10 minutes)"
	HeadingRecovery     = "Recovery"
	HeadingMitigation   = "Mitigation"
	HeadingPostIncident = "Post-incident"
)

// Headings returns the headings of level 2 that every page has, in their order.
func Headings() []string {
	return []string{HeadingSymptoms, HeadingImmediate, HeadingRecovery, HeadingMitigation, HeadingPostIncident}
}

// Page is one runbook. Its texts are plain text, in which code stands in backticks.
type Page struct {
	Name     string    `json:"name"` // of the file, without .md
	File     string    `json:"file"` // where it was read
	Title    string    `json:"title"`
	Services []string  `json:"services,omitempty"` // that it is for; empty means all
	Alerts   []string  `json:"alerts,omitempty"`   // names of the alerts that open it
	Severity Severity  `json:"severity"`
	Text     string    `json:"text,omitempty"` // before the first heading
	Sections []Section `json:"sections"`
	Digest   string    `json:"digest"` // SHA-256 of the file, hexadecimal

	servicesLine, alertsLine int
}

// Severity says how loud an incident is.
type Severity string

// The severities.
const (
	SeverityPage  Severity = "page"  // somebody is called, and others if nobody comes
	SeverityQuiet Severity = "quiet" // the channel is told
	SeverityMail  Severity = "mail"  // mail is sent
)

// Section is one of the five parts of a page.
type Section struct {
	Heading string `json:"heading"`
	Text    string `json:"text,omitempty"` // besides the steps
	Steps   []Step `json:"steps,omitempty"`

	line int
}

// Step is one numbered item of a page.
type Step struct {
	Number int    `json:"number"` // through the whole page
	Name   string `json:"name"`
	Text   string `json:"text"` // what it does, for people
	Kind   Kind   `json:"kind"`
	// Body is what a step does, exactly: a script, an address, a query, the playbook
	// with its input, a text; empty for a manual step.
	Body    string            `json:"body,omitempty"`
	When    []Condition       `json:"when,omitempty"`    // all of which must hold
	Timeout recovery.Duration `json:"timeout,omitempty"` // sh: of one run; http and sql: for the check to hold
	Line    int               `json:"line"`

	// Of a command: who must agree (people and groups), or that nobody need to; and
	// whether it may be run again when nobody knows how it ended.
	Approve    []string `json:"approve,omitempty"`
	Safe       bool     `json:"safe,omitempty"`
	Repeatable bool     `json:"repeatable,omitempty"`
	// Of an HTTP check: the status that the address answers, and texts in its answer.
	Status   int      `json:"status,omitempty"`
	Contains []string `json:"contains,omitempty"`
	// Of an SQL check: the source that is asked, and the text of the first value of the
	// answer; empty if any answer will do.
	Source string `json:"source,omitempty"`
	Expect string `json:"expect,omitempty"`
	// Of a playbook: its name and its input, a JSON object.
	Playbook string `json:"playbook,omitempty"`
	Input    string `json:"input,omitempty"`
	// Of what is said: where.
	To To `json:"to,omitempty"`

	blockLine, bodyLine int
}

// Kind says how a step is done.
type Kind string

// The kinds of steps.
const (
	KindManual   Kind = "manual"   // by a person
	KindShell    Kind = "sh"       // a command on the service's host, by sh -euc
	KindHTTP     Kind = "http"     // a check, asked until it holds or its time is over
	KindSQL      Kind = "sql"      // as well, by a query that only reads
	KindPlaybook Kind = "playbook" // a playbook, which asks people by itself
	KindSay      Kind = "say"      // a text that a person sees, edits and sends
)

// To says where a text is sent.
type To string

// Where a text can be sent.
const (
	ToChannel To = "channel"
	ToMail    To = "mail"
	ToBoth    To = "both"
)

// Condition is that a step ended in a certain way.
type Condition struct {
	Step   string `json:"step"`
	Ending Ending `json:"ending"`
}

// Ending says how a step ended. One whose conditions did not hold was skipped.
type Ending string

// The endings.
const (
	EndingOK         Ending = "ok"
	EndingFailed     Ending = "failed"
	EndingSkipped    Ending = "skipped"
	EndingDidNotHelp Ending = "did-not-help" // of manual steps only
)

// endings returns how a step of a kind can end.
func (k Kind) endings() []Ending {
	if k == KindManual {
		return []Ending{EndingOK, EndingSkipped, EndingDidNotHelp}
	}
	return []Ending{EndingOK, EndingFailed, EndingSkipped}
}

// Holds says whether all conditions of a step hold, after steps that ended so.
func (s *Step) Holds(endings map[string]Ending) bool {
	return !slices.ContainsFunc(s.When, func(c Condition) bool { return endings[c.Step] != c.Ending })
}

// Steps returns the steps of all sections, in their order.
func (p *Page) Steps() []Step {
	var all []Step
	for _, section := range p.Sections {
		all = append(all, section.Steps...)
	}
	return all
}

// IsFor says whether a page is for a service.
func (p *Page) IsFor(service string) bool {
	return len(p.Services) == 0 || slices.Contains(p.Services, service)
}
