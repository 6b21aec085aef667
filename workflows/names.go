// Package workflows holds the playbooks: deterministic code that reads like the
// runbook it automates, and the contract for those who start them. One file per
// playbook; every name that others use stands in this file.
package workflows

import (
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Task queues. The split decides which machine holds which secret.
const (
	// QueueLifeboat serves workflows, and the steps that need no private key.
	QueueLifeboat = "lifeboat"
	// QueueRestore serves every step that opens sealed bytes: only its workers hold
	// the private key. All of them must see the same staging folder.
	QueueRestore = "restore"
	hostQueue    = "host/"
)

// HostQueue serves the sources that live on a certain host.
func HostQueue(host string) string { return hostQueue + host }

// Workflow types. The playbooks are what people start; each takes a short JSON
// input such as {"service":"where2eat"}.
const (
	TypeBackupAndVerify = "BackupAndVerify"
	TypeVerify          = "Verify"
	TypeRestoreDrill    = "RestoreDrill"
	TypeRestore         = "Restore"
	// Started by playbooks only; their ids are locks.
	TypeBackupService = "BackupService"
	TypeVerifySet     = "VerifySet"
	TypeChangeData    = "ChangeData"
	// Started by a run that ended while Slack did not answer.
	TypeDeliverCard = "DeliverCard"
)

// QueryStatus returns a Status: what a playbook is doing and what it waits for.
// QueryPending returns the requests that wait for a decision, as approval.Books.
const (
	QueryStatus  = "status"
	QueryPending = "pending"
)

// Decide is the signal, and the Update of the same name, that carries an
// approval.Decision. The Update answers with an approval.Answer.
const Decide = "decide"

// The values of LifeboatWaiting.
const (
	WaitingForApproval = "approval"
	WaitingForRetry    = "retry"
)

// signalChildStatus carries a child's Status to the playbook that started it.
const signalChildStatus = "child-status"

// BackupID is the lock of a service's backup: one at a time.
func BackupID(service string) string { return "backup/" + service }

// VerifyID is the lock of the verification of one copy of a set.
func VerifyID(set recovery.SetID, copyName string) string {
	return "verify/" + string(set) + "/" + copyName
}

// ChangeID is the lock of whatever changes a service's production: one at a time.
func ChangeID(service string) string { return "change/" + service }

// CardID is the delivery of the last card of a run.
func CardID(run recovery.RunRef) string { return "card/" + run.WorkflowID + "/" + run.RunID }

// PlaybookID labels a run of a playbook that a person started at stamp.
func PlaybookID(playbook, service, stamp string) string {
	return playbook + "/" + service + "/" + stamp
}

// Search attributes, all keywords. The worker registers them.
var (
	AttributeService  = temporal.NewSearchAttributeKeyKeyword("LifeboatService")
	AttributePlaybook = temporal.NewSearchAttributeKeyKeyword("LifeboatPlaybook")
	AttributeOutcome  = temporal.NewSearchAttributeKeyKeyword("LifeboatOutcome")
	AttributeWaiting  = temporal.NewSearchAttributeKeyKeyword("LifeboatWaiting")
)

// SearchAttributes lists what must be registered before a playbook runs.
func SearchAttributes() []temporal.SearchAttributeKeyKeyword {
	return []temporal.SearchAttributeKeyKeyword{AttributeService, AttributePlaybook, AttributeOutcome, AttributeWaiting}
}

// The types of the errors with which a playbook fails. The details of disproven and
// inconclusive hold the Report (of a drill, the Drill), those of untouched and
// unclear the Restoration.
const (
	ErrorBadInput     = "badInput"
	ErrorBusy         = "busy"
	ErrorFailed       = "failed"
	ErrorDisproven    = "disproven"
	ErrorInconclusive = "inconclusive"
	// ErrorNotApproved: people decided against it, or nobody decided in time.
	ErrorNotApproved = "notApproved"
	// ErrorUntouched: production could not be replaced, and is as it was.
	ErrorUntouched = "untouched"
	// ErrorUnclear: a person must look what production is.
	ErrorUnclear = "unclear"
)
