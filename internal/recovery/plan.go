package recovery

import (
	"fmt"
	"strings"
)

// Plan is the resolved configuration of one service. Secrets are in it only as
// references (env:NAME, file:PATH); a run uses the plan it loaded first until it
// ends, so a change of the config in between changes nothing.
type Plan struct {
	Service    string       `json:"service"`
	Owner      string       `json:"owner"`
	Host       string       `json:"host"` // serves the queue host/<host>
	Objectives Objectives   `json:"objectives"`
	Sources    []SourceSpec `json:"sources"`
	// Destination is the one that the run works with; see At. Destinations are all of
	// them, the preferred one first.
	Destination  DestinationSpec   `json:"destination"`
	Destinations []DestinationSpec `json:"destinations"`
	Encryption   EncryptionSpec    `json:"encryption"`
	Staging      StagingSpec       `json:"staging"`
	Smoke        *SmokeSpec        `json:"smoke,omitempty"`
	Live         *LiveSpec         `json:"live,omitempty"`
	Commands     CommandsSpec      `json:"commands,omitzero"`
	Deploy       *DeploySpec       `json:"deploy,omitempty"`
	UndoFor      Duration          `json:"undoFor"` // how long a restore can be undone by a button
	Verify       VerifyWhen        `json:"verify"`
	GiveUpAfter  Duration          `json:"giveUpAfter"`
	People       []Person          `json:"people,omitempty"` // sorted by name
	Approvals    ApprovalsSpec     `json:"approvals,omitzero"`
	Slack        *SlackSpec        `json:"slack,omitempty"`
	TimeZone     string            `json:"timeZone"` // IANA name, for cadences and retention
	Schedules    SchedulesSpec     `json:"schedules,omitzero"`
	KeepSafety   Duration          `json:"keepSafety"` // see PruneRules
	// Pings are references to the URLs of dead man's switches, by playbook: backup,
	// verify, drill, prune.
	Pings  map[string]string `json:"pings,omitempty"`
	Config ConfigRef         `json:"config"`
}

// SchedulesSpec says when the playbooks of a service run by themselves; backups run
// by the cadences of the sources.
type SchedulesSpec struct {
	Verify Cadence `json:"verify,omitzero"` // restore one copy of the newest set, each copy in turn
	Drill  Cadence `json:"drill,omitzero"`
	Prune  Cadence `json:"prune,omitzero"`
	// SmokeDeploy deploys the newest release to staging, and tests it there.
	SmokeDeploy Cadence `json:"smokeDeploy,omitzero"`
}

// At is the plan for a run that works with the destination of that name.
func (p *Plan) At(name string) (*Plan, error) {
	for _, d := range p.Destinations {
		if d.Name == name {
			at := *p
			at.Destination = d
			return &at, nil
		}
	}
	var known []string
	for _, d := range p.Destinations {
		known = append(known, d.Name)
	}
	return nil, NewFault(Permanent, fmt.Errorf("find destination %q: it is not in the config", name), "known: "+strings.Join(known, ", "))
}

// Others are the destinations that the run does not work with: the first ones to
// copy from, and the ones to copy to.
func (p *Plan) Others() []DestinationSpec {
	var others []DestinationSpec
	for _, d := range p.Destinations {
		if d.Name != p.Destination.Name {
			others = append(others, d)
		}
	}
	return others
}

// PruneRules are what retention makes of the service's sets.
func (p *Plan) PruneRules() PruneRules {
	rules := PruneRules{Tiers: map[string]Retention{}, TimeZone: p.TimeZone, KeepSafety: p.KeepSafety}
	for _, s := range p.Sources {
		rules.Tiers[s.Name] = s.Retention
	}
	return rules
}

// ConfigRef says which configuration a run used.
type ConfigRef struct {
	Digest string `json:"digest"`           // SHA-256 of the file
	Commit string `json:"commit,omitempty"` // of the Git repository it lies in, "" if none
	Dirty  bool   `json:"dirty,omitempty"`  // the file differs from that commit
}

// The kinds of source.
const (
	KindPostgres = "postgres"
	KindSQLite   = "sqlite"
)

// SourceSpec describes one source of a service.
type SourceSpec struct {
	Name        string          `json:"name"`
	Kind        string          `json:"kind"`
	URL         string          `json:"url,omitempty"`    // postgres: a secret's reference
	Tables      []string        `json:"tables,omitempty"` // postgres: empty means all
	Path        string          `json:"path,omitempty"`   // sqlite: absolute
	Fingerprint FingerprintMode `json:"fingerprint"`
	RPO         Duration        `json:"rpo"` // the source's own, or the service's
	Every       Cadence         `json:"every,omitzero"`
	Retention   Retention       `json:"retention,omitzero"` // zero: everything is kept
	// Admin is a secret's reference to a URL of the same database, as a role that may
	// make and rename databases: for production restores alone; empty: URL.
	Admin string `json:"admin,omitempty"`
	// SwapCommand is run instead of renaming databases, with the URL of the restored
	// database in LIFEBOAT_NEW_DATABASE_URL: for servers that forbid renaming.
	SwapCommand []string `json:"swapCommand,omitempty"`
	// Database names another database on the same server to be dumped instead of
	// the one that URL names: what a restore has set aside.
	Database string `json:"database,omitempty"`
}

// DestinationSpec describes where recovery sets are kept.
type DestinationSpec struct {
	Name      string `json:"name"`
	URL       string `json:"url"`                // s3://bucket/prefix or file:///folder
	Endpoint  string `json:"endpoint,omitempty"` // s3: http(s)://host:port, empty for AWS
	Region    string `json:"region,omitempty"`
	PathStyle bool   `json:"pathStyle,omitempty"`
	AccessKey string `json:"accessKey,omitempty"` // a secret's reference
	SecretKey string `json:"secretKey,omitempty"` // a secret's reference
	// ServerSide asks the server to encrypt what it stores, besides the seal.
	ServerSide *ServerSideSpec `json:"serverSide,omitempty"`
	// Lock keeps each object of a set from being changed or removed for a time.
	Lock *LockSpec `json:"lock,omitempty"`
	// Class is the storage class of new objects, empty for the server's own choice;
	// Classes are those to which sets are moved once only that tier keeps them.
	Class   string            `json:"class,omitempty"`
	Classes map[string]string `json:"classes,omitempty"`
	// PruneAccessKey and PruneSecretKey are references to the credentials that may
	// remove; empty: the others.
	PruneAccessKey string `json:"pruneAccessKey,omitempty"`
	PruneSecretKey string `json:"pruneSecretKey,omitempty"`
}

// ForPruning is the destination as whoever may remove from it.
func (d DestinationSpec) ForPruning() DestinationSpec {
	if d.PruneAccessKey != "" {
		d.AccessKey, d.SecretKey = d.PruneAccessKey, d.PruneSecretKey
	}
	return d
}

// Cold says whether sets may lie in a storage class from which they must be fetched
// before they can be read.
func (d DestinationSpec) Cold() bool { return d.Class != "" || len(d.Classes) > 0 }

// ServerSideSpec says how an S3 server encrypts what it stores.
type ServerSideSpec struct {
	Algorithm string `json:"algorithm"`     // AES256 or aws:kms
	Key       string `json:"key,omitempty"` // aws:kms: the key's id
}

// LockSpec is the retention that each object gets when it is written.
type LockSpec struct {
	Mode string   `json:"mode"` // governance or compliance
	For  Duration `json:"for"`
}

// EncryptionSpec says for whom sets are sealed, and where the key to open lies.
type EncryptionSpec struct {
	Recipients []string `json:"recipients"`           // age1…
	Identities string   `json:"identities,omitempty"` // a secret's reference; empty: no worker can open sets
}

// StagingSpec says where a set is restored to be proven.
type StagingSpec struct {
	PostgresURL string `json:"postgresURL,omitempty"` // a secret's reference to a maintenance database
	Folder      string `json:"folder"`                // private folder for restored files
	SameServer  bool   `json:"sameServer,omitempty"`  // accepted: staging is production's own server
}

// SmokeSpec says how a service is started on restored data and tried out.
// In Start, Env and BaseURL, {port} stands for a free port on loopback; in Start
// and Env, {restored.SOURCE} stands for the address of the restored source: a
// connection URL or a file's path.
type SmokeSpec struct {
	Start   []string          `json:"start"`
	Dir     string            `json:"dir,omitempty"`
	Env     map[string]string `json:"env,omitempty"` // values may be references to secrets
	BaseURL string            `json:"baseURL"`
	Ready   string            `json:"ready"`   // path below BaseURL that answers 200 once the service is up
	Timeout Duration          `json:"timeout"` // for the service to come up, and for the journey
	Journey []JourneyStep     `json:"journey,omitempty"`
	Checks  []SQLCheck        `json:"checks,omitempty"`
}

// JourneyStep is one HTTP request of a journey and what its answer must be.
type JourneyStep struct {
	Name    string            `json:"name"`
	Method  string            `json:"method,omitempty"` // GET by default
	Path    string            `json:"path"`             // below the base URL
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	Status  int               `json:"status,omitempty"`   // 200 by default
	Expect  []string          `json:"contains,omitempty"` // texts the answer must hold
	Save    map[string]string `json:"save,omitempty"`     // name → dotted path in a JSON answer; later {saved.NAME}
	Timeout Duration          `json:"timeout,omitempty"`  // 10s by default
}

// LiveSpec says how the running service is seen to be well. Paths are below
// BaseURL.
type LiveSpec struct {
	BaseURL string        `json:"baseURL"`
	Ready   string        `json:"ready"`
	Timeout Duration      `json:"timeout"`
	Journey []JourneyStep `json:"journey,omitempty"`
}

// CommandsSpec holds the commands that change how the service runs. They are run
// on its host, and may be run again.
type CommandsSpec struct {
	Dir            string   `json:"dir,omitempty"`
	Stop           []string `json:"stop,omitempty"`
	Start          []string `json:"start,omitempty"`
	MaintenanceOn  []string `json:"maintenanceOn,omitempty"`
	MaintenanceOff []string `json:"maintenanceOff,omitempty"`
	Timeout        Duration `json:"timeout,omitempty"`
}

// Person is someone who decides, asks, or is told.
type Person struct {
	Name  string `json:"name"`
	Slack string `json:"slack,omitempty"` // user id: U…
	CLI   string `json:"cli,omitempty"`   // user name on the machine where starter runs
	Mail  string `json:"mail,omitempty"`
}

// ApprovalsSpec says who decides which step. A nil policy means that nobody is
// asked (Drill), or that the step is not possible (the others).
type ApprovalsSpec struct {
	// Key is a secret's reference to the key with which doors vouch for who decided.
	Key     string      `json:"key,omitempty"`
	Drill   *PolicySpec `json:"drill,omitempty"`
	Restore *PolicySpec `json:"restore,omitempty"` // replace production data
	Beside  *PolicySpec `json:"beside,omitempty"`  // restore beside production, replace nothing
	Undo    *PolicySpec `json:"undo,omitempty"`    // put back what a restore replaced
	Drop    *PolicySpec `json:"drop,omitempty"`    // remove what a restore set aside
	// Rollback deploys another release, turns a flag off, or switches back.
	Rollback *PolicySpec `json:"rollback,omitempty"`
}

// PolicySpec says who may decide a step, and until when.
type PolicySpec struct {
	Approvers []string `json:"approvers"` // names of people, sorted
	Needed    int      `json:"needed"`    // how many of them must approve
	// SelfAfter lets whoever asked for the step approve it themselves once this long
	// has passed: for one-person teams. Zero: never.
	SelfAfter Duration `json:"selfAfter,omitempty"`
	// Unverified accepts a decision sent through Temporal, where nobody vouches for
	// who sent it.
	Unverified bool     `json:"unverified,omitempty"`
	Expires    Duration `json:"expires"`
	Escalate   []string `json:"escalate,omitempty"` // people who are told when nobody decides
}

// SlackSpec says where cards are posted. The tokens stay where the worker is.
type SlackSpec struct {
	Channel string `json:"channel"` // id: C…
}

// SQLCheck is a read-only query on a restored source and the text its first
// value must equal.
type SQLCheck struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Query  string `json:"query"`
	Expect string `json:"expect"`
}

// VerifyWhen says when a set is restored to be proven.
type VerifyWhen string

// The choices. A set is read back after each backup in either case.
const (
	VerifyAfterBackup VerifyWhen = "afterBackup"
	VerifyOnSchedule  VerifyWhen = "onSchedule"
)

// Target is the level that a run of the service asks for when nothing else was
// said: the highest that its configuration can reach.
func (p *Plan) Target(full bool) Level {
	switch {
	case p.Encryption.Identities == "":
		return LevelStored
	case !full:
		return LevelReadBack
	case p.Smoke == nil:
		return LevelRestored
	}
	return LevelProven
}
