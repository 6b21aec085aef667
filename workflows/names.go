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
	TypePrune           = "Prune"
	TypeDigest          = "Digest"
	TypeCatchUp         = "CatchUp"
	TypeRollback        = "Rollback"
	TypeSmokeDeploy     = "SmokeDeploy"
	TypeReleases        = "Releases"
	TypeWatchReleases   = "WatchReleases"
	// Started by playbooks only; their ids are locks.
	TypeBackupService = "BackupService"
	TypeVerifySet     = "VerifySet"
	TypeChangeData    = "ChangeData"
	TypeReplicate     = "Replicate"
	TypeChangeRelease = "ChangeRelease"
	TypeStageRelease  = "StageRelease"
	// Tells people of a destination that does not answer.
	TypeWatchDestination = "WatchDestination"
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

// signalAnswers tells a Replicate that its destination answers.
const signalAnswers = "answers"

// BackupID is the lock of a service's backup: one at a time.
func BackupID(service string) string { return "backup/" + service }

// VerifyID is the lock of the verification of one copy of a set.
func VerifyID(set recovery.SetID, copyName string) string {
	return "verify/" + string(set) + "/" + copyName
}

// ReplicateID is the lock of the copying of a set to a destination.
func ReplicateID(set recovery.SetID, destination string) string {
	return "replicate/" + string(set) + "/" + destination
}

// CatchUpID is the search for copies that a service lacks.
func CatchUpID(service string) string { return "catch-up/" + service }

// OutageID is the outage of a destination: there is one at a time.
func OutageID(destination string) string { return "outage/" + destination }

// ChangeID is the lock of whatever changes a service's production: one at a time.
func ChangeID(service string) string { return "change/" + service }

// StageID is the lock of what tries releases on a service's staging.
func StageID(service string) string { return "stage/" + service }

// CardID is the delivery of the last card of a run.
func CardID(run recovery.RunRef) string { return "card/" + run.WorkflowID + "/" + run.RunID }

// SchedulePrefix begins the ids of all schedules that Lifeboat makes.
const SchedulePrefix = "lifeboat/"

// DigestScheduleID is the schedule of the digest.
const DigestScheduleID = SchedulePrefix + "digest"

// BackupScheduleID is the schedule of a service's backups.
func BackupScheduleID(service string) string { return SchedulePrefix + "backup/" + service }

// VerifyScheduleID is the schedule on which a service's sets are proven again.
func VerifyScheduleID(service string) string { return SchedulePrefix + "verify/" + service }

// DrillScheduleID is the schedule of a service's drills.
func DrillScheduleID(service string) string { return SchedulePrefix + "drill/" + service }

// PruneScheduleID is the schedule on which what retention gives up is removed.
func PruneScheduleID(service string) string { return SchedulePrefix + "prune/" + service }

// ReleasesScheduleID is the schedule that keeps a service's releases watched.
func ReleasesScheduleID(service string) string { return SchedulePrefix + "releases/" + service }

// SmokeDeployScheduleID is the schedule on which a service's newest release is tried on
// staging.
func SmokeDeployScheduleID(service string) string { return SchedulePrefix + "smoke-deploy/" + service }

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
// inconclusive hold the Report (of a drill, the Drill; of a smoke deploy, the
// StagedRelease), those of untouched and unclear the Restoration (of a rollback, the
// Rollback), and so do those of unhealthy.
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
	// ErrorUnhealthy: the service is not well after a rollback.
	ErrorUnhealthy = "unhealthy"
	// ErrorUnclear: a person must look what production is.
	ErrorUnclear = "unclear"
)
