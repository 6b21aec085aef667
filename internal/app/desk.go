package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os/user"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// Desk stands behind the doors: it vouches for who uses them, and hands what they
// want to Temporal. Slack and the CLI share it.
type Desk struct {
	Via    string // which door: approval.ViaSlack or approval.ViaCLI
	Client client.Client
	// Config reads the configuration, anew for each use.
	Config func() (*config.Config, error)
	// Patience is how long a run is given to answer a decision.
	Patience time.Duration
}

// Person finds who a Slack user is.
func (d *Desk) Person(slackUser string) (string, bool) {
	return d.find(func(p recovery.Person) bool { return p.Slack == slackUser && slackUser != "" })
}

// Operator finds who runs a command on this machine.
func (d *Desk) Operator() (string, error) {
	account, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("find who you are: %w", err)
	}
	name, ok := d.find(func(p recovery.Person) bool { return p.CLI == account.Username })
	if !ok {
		return "", recovery.NewFault(recovery.Permanent, fmt.Errorf("find who you are: nobody under people in the config has cli: %s", account.Username), "add it to your entry, or say who you are with --as")
	}
	return name, nil
}

// ActAs lets whoever runs a command on this machine act as a person. It is told
// wherever that person's word is: the account stands beside the door.
func (d *Desk) ActAs(name string) error {
	account, err := user.Current()
	if err != nil {
		return fmt.Errorf("find who you are: %w", err)
	}
	if _, ok := d.find(func(p recovery.Person) bool { return p.Name == name }); !ok {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("act as %q: nobody under people in the config has that name", name), "")
	}
	if _, own := d.find(func(p recovery.Person) bool { return p.Name == name && p.CLI == account.Username }); !own {
		d.Via += ", account " + account.Username
	}
	return nil
}

func (d *Desk) find(is func(recovery.Person) bool) (string, bool) {
	cfg, err := d.Config()
	if err != nil {
		return "", false
	}
	for _, p := range cfg.People() {
		if is(p) {
			return p.Name, true
		}
	}
	return "", false
}

// SlackUser is a person's Slack user id, empty if there is none.
func (d *Desk) SlackUser(name string) string {
	cfg, err := d.Config()
	if err != nil {
		return ""
	}
	for _, p := range cfg.People() {
		if p.Name == name {
			return p.Slack
		}
	}
	return ""
}

// vouch signs a claim, if this door has the key; without it the claim is
// unverified, and policies say where that is enough.
func (d *Desk) vouch(claim approval.Claim, subject string) (approval.Claim, error) {
	cfg, err := d.Config()
	if err != nil {
		return claim, err
	}
	if cfg.Approvals.Key == "" {
		return claim, nil
	}
	key, err := cfg.ApprovalKey()
	if err != nil {
		return claim, err
	}
	return claim.Vouch([]byte(key.Reveal()), subject), nil
}

// leaveFor bounds leaving a decision for a run that does not answer now.
const leaveFor = time.Second

// Decide hands a decision to a run and returns its answer. If no worker answers in
// time, the decision is left for the run as a signal.
func (d *Desk) Decide(ctx context.Context, run recovery.RunRef, decision approval.Decision) (approval.Answer, error) {
	decision.Via, decision.At = d.Via, time.Now().UTC()
	claim, err := d.vouch(decision.Claim, decision.Subject())
	if err != nil {
		return approval.Answer{}, err
	}
	decision.Claim = claim
	answer, err := d.update(ctx, run, decision)
	if err == nil {
		return answer, nil
	}
	if ended := hasEnded(err); ended != "" {
		return approval.Answer{Text: ended}, nil
	}
	// The caller's time may be over; the decision must not be lost with it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveFor)
	defer cancel()
	err = d.Client.SignalWorkflow(ctx, run.WorkflowID, run.RunID, workflows.Decide, decision)
	if ended := hasEnded(err); ended != "" {
		return approval.Answer{Text: ended}, nil
	}
	if err != nil {
		return approval.Answer{}, fmt.Errorf("hand over the decision: %w", err)
	}
	return approval.Answer{Accepted: true, Text: "handed over; no worker answers now: it counts as soon as one does"}, nil
}

func (d *Desk) update(ctx context.Context, run recovery.RunRef, decision approval.Decision) (approval.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Patience)
	defer cancel()
	handle, err := d.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: run.WorkflowID, RunID: run.RunID, UpdateName: workflows.Decide, UpdateID: "decide-" + short(decision.Proof+decision.Subject()+decision.At.String()),
		Args: []any{decision}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	var answer approval.Answer
	if err == nil {
		err = handle.Get(ctx, &answer)
	}
	return answer, err
}

// hasEnded says so if err means that the run is over, or that there is none.
func hasEnded(err error) string {
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return "this run has ended: nothing was changed"
	}
	return ""
}

// inputs of playbooks, by their names.
func input(s slackapp.Start, claim *approval.Claim) (any, error) {
	switch s.Playbook {
	case workflows.TypeBackupAndVerify:
		return workflows.BackupAndVerifyInput{Service: s.Service, Requested: claim}, nil
	case workflows.TypeRestoreDrill:
		return workflows.RestoreDrillInput{Service: s.Service, Set: s.Set, Requested: claim}, nil
	case workflows.TypeRestore:
		return workflows.RestoreInput{Service: s.Service, Set: s.Set, Sources: s.Sources, Beside: s.Beside, Requested: claim}, nil
	case workflows.TypeRollback:
		return workflows.RollbackInput{Service: s.Service, To: s.To, Requested: claim}, nil
	}
	return nil, fmt.Errorf("start playbook %q: there is no such playbook", s.Playbook)
}

// Start starts a playbook. The same key starts it once.
func (d *Desk) Start(ctx context.Context, s slackapp.Start) (slackapp.Started, error) {
	cfg, err := d.Config()
	if err != nil {
		return slackapp.Started{}, err
	}
	if _, err := cfg.Plan(s.Service); err != nil {
		return slackapp.Started{}, err
	}
	stamp := time.Now().UTC().Format("20060102T150405.000Z")
	if s.Key != "" {
		stamp = d.Via + "-" + short(s.Key)
	}
	id := workflows.PlaybookID(s.Playbook, s.Service, stamp)
	in, err := input(s, nil)
	if err != nil {
		return slackapp.Started{}, err
	}
	if s.By != "" {
		claim, err := d.vouch(approval.Claim{By: s.By, Via: d.Via, At: time.Now().UTC()}, approval.StartSubject(s.Playbook, id, in))
		if err != nil {
			return slackapp.Started{}, err
		}
		if in, err = input(s, &claim); err != nil {
			return slackapp.Started{}, err
		}
	}
	run, err := d.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.QueueLifeboat, StaticSummary: s.Playbook + " of " + s.Service,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, s.Playbook, in)
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &already):
		ref := recovery.RunRef{WorkflowID: id, RunID: already.RunId}
		return slackapp.Started{Run: ref, URL: d.RunURL(ref), Again: true}, nil
	case err != nil:
		return slackapp.Started{}, fmt.Errorf("start %s of %s: %w", s.Playbook, s.Service, err)
	}
	ref := recovery.RunRef{WorkflowID: run.GetID(), RunID: run.GetRunID()}
	return slackapp.Started{Run: ref, URL: d.RunURL(ref)}, nil
}

// maxPending bounds the runs that are asked what they wait for.
const maxPending = 50

// Pending lists the requests that wait for a decision, of all runs.
func (d *Desk) Pending(ctx context.Context) ([]approval.Book, error) {
	cfg, err := d.Config()
	if err != nil {
		return nil, err
	}
	query := fmt.Sprintf(`%s = %q AND ExecutionStatus = "Running"`, workflows.AttributeWaiting.GetName(), workflows.WaitingForApproval)
	listed, err := d.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: cfg.Namespace(), Query: query, PageSize: maxPending})
	if err != nil {
		return nil, fmt.Errorf("list what waits for a decision: %w", err)
	}
	var books []approval.Book
	var failed error
	for _, e := range listed.GetExecutions() {
		of, err := d.PendingOf(ctx, recovery.RunRef{WorkflowID: e.GetExecution().GetWorkflowId(), RunID: e.GetExecution().GetRunId()})
		if err != nil { // ended since, or it cannot be asked now: that must not hide the others
			failed = err
			continue
		}
		books = append(books, of...)
	}
	if len(books) == 0 && failed != nil && hasEnded(failed) == "" {
		return nil, failed
	}
	return books, nil
}

// PendingOf lists the requests of one run that wait for a decision.
func (d *Desk) PendingOf(ctx context.Context, run recovery.RunRef) ([]approval.Book, error) {
	value, err := d.Client.QueryWorkflow(ctx, run.WorkflowID, run.RunID, workflows.QueryPending)
	if err != nil {
		return nil, fmt.Errorf("ask %s what it waits for: %w", run.WorkflowID, err)
	}
	var books []approval.Book
	return books, value.Get(&books)
}

// RunURL is the address of a run's page in the Temporal UI, empty if the UI's own
// is not known.
func (d *Desk) RunURL(run recovery.RunRef) string {
	cfg, err := d.Config()
	if err != nil || cfg.TemporalUI() == "" {
		return ""
	}
	return cfg.TemporalUI() + "/namespaces/" + url.PathEscape(cfg.Namespace()) + "/workflows/" + url.PathEscape(run.WorkflowID) + "/" + url.PathEscape(run.RunID)
}

// short is enough of a digest to tell one text from another.
func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}
