package slackapp

import (
	"context"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Desk is what stands behind the door: it knows the people, and hands over what
// they decide. Its errors are shown to whoever clicked: they hold no secret.
type Desk interface {
	// Person says who a Slack user is.
	Person(slackUser string) (name string, ok bool)
	// SlackUser returns a person's Slack user id, for a mention; "" if there is none.
	SlackUser(name string) string
	// Decide hands over a decision of d.By and vouches for it. It returns within the
	// deadline of ctx, with what is known by then; the same decision may come again.
	Decide(ctx context.Context, run recovery.RunRef, d approval.Decision) (approval.Answer, error)
	// Start starts a playbook; the same Key starts it once only.
	Start(ctx context.Context, s Start) (Started, error)
	// Pending lists the requests that wait for a decision.
	Pending(ctx context.Context) ([]approval.Book, error)
	// PendingOf lists those of one run.
	PendingOf(ctx context.Context, run recovery.RunRef) ([]approval.Book, error)
	Services(ctx context.Context) ([]ServiceSummary, error)
	// Checklist answers from evidence whether a service is ready for the worst.
	Checklist(ctx context.Context, service string) ([]recovery.Item, error)
	// Sets lists what a restore of the service may choose, newest first, at most 30.
	Sets(ctx context.Context, service string) ([]SetSummary, error)
	// RunURL returns the address of the run's page in the Temporal UI, "" if there
	// is none.
	RunURL(run recovery.RunRef) string
}

// The playbooks that people start from Slack.
const (
	playbookBackup   = "BackupAndVerify"
	playbookDrill    = "RestoreDrill"
	playbookRestore  = "Restore"
	playbookRollback = "Rollback"
)

// Start asks for a run of a playbook.
type Start struct {
	Playbook string // BackupAndVerify, RestoreDrill, Restore or Rollback
	Service  string
	Set      recovery.SetID // empty: the playbook chooses
	Sources  []string       // empty: all
	Beside   bool           // restore beside production and leave it there
	To       string         // the release to roll back to, by its tag; empty: the playbook chooses
	By       string         // a person's name
	Key      string         // the same for a command or form that Slack delivers again
}

// Started is a run that was started, or had been started by the same Start.
type Started struct {
	Run   recovery.RunRef
	URL   string // of its page in the Temporal UI, "" if there is none
	Again bool
}

// ServiceSummary says how a service stands.
type ServiceSummary struct {
	Service, Owner string
	Proven         *SetSummary // newest proven set, nil if there is none
	ReadBack       *SetSummary // newest set that was read back, nil if there is none
	RPO            recovery.Duration
	ReadBackAge    recovery.Duration
	ProvenAge      recovery.Duration
	RPOMet         bool
	LastDrill      *DrillSummary // nil if there was none
	NextDrill      time.Time     // zero if none is planned
	Release        string        // what is deployed and what is known of it: "v1.2 (good)"; empty if that was not looked up
	CanRollBack    bool          // the config says how
	Todo           []string      // what somebody must do, one line each; plain text
	Trouble        string        // why some of this is not known: the bucket does not answer, …
}

// SetSummary is a recovery set in one line.
type SetSummary struct {
	Set     recovery.SetID
	Created time.Time
	Age     recovery.Duration
	Size    int64 // bytes, sealed
	Level   recovery.Level
	Verdict recovery.Verdict
	Sources []string
}

// DrillSummary says how a drill ended.
type DrillSummary struct {
	At       time.Time
	Verdict  recovery.Verdict
	RTO      *recovery.Measure // nil if it was not measured
	Sentence string
}
