package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// DefaultFile is the file that is read when no other is named.
const DefaultFile = "lifeboat.yaml"

const (
	minute = recovery.Duration(time.Minute)
	hour   = recovery.Duration(time.Hour)
)

// maxSize bounds the file, in bytes: far above any real one.
const maxSize = 1 << 20

// Config is one lifeboat.yaml that has been read and found good, with its defaults
// filled in and its paths made absolute.
type Config struct {
	Version      int                 `yaml:"version" jsonschema:"required" jsonschema_description:"Version of the file's form: 1."`
	Temporal     Temporal            `yaml:"temporal" jsonschema_description:"Where Temporal answers. TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE in the environment win over it."`
	Worker       Worker              `yaml:"worker" jsonschema_description:"The worker itself."`
	TimeZone     string              `yaml:"timeZone" jsonschema_description:"Time zone of all times of day and of the days that retention counts, such as Europe/Berlin; UTC by default."`
	Encryption   Encryption          `yaml:"encryption" jsonschema:"required" jsonschema_description:"For whom recovery sets are sealed, and where the key to open them lies."`
	Signing      Signing             `yaml:"signing" jsonschema:"required" jsonschema_description:"Who signs recovery sets, and whose signature is believed."`
	Destinations []Destination       `yaml:"destinations" jsonschema:"required" jsonschema_description:"Where recovery sets are kept, the preferred one first; every other one gets a copy of each set."`
	Staging      Staging             `yaml:"staging" jsonschema_description:"Where sets are restored to be proven. Needed wherever sets can be opened."`
	Currency     string              `yaml:"currency" jsonschema_description:"Currency of the prices of destinations; USD by default."`
	Tools        Tools               `yaml:"tools" jsonschema_description:"Where programs are found besides PATH."`
	GiveUpAfter  recovery.Duration   `yaml:"giveUpAfter" jsonschema_description:"How long a source or destination that does not answer is tried again; 30m by default."`
	Persons      map[string]Person   `yaml:"people" jsonschema_description:"Who decides, asks, or is told, by name."`
	Groups       map[string][]string `yaml:"groups" jsonschema_description:"Names for several people."`
	Approvals    Approvals           `yaml:"approvals" jsonschema_description:"Who decides which step."`
	Slack        *Slack              `yaml:"slack" jsonschema_description:"Where cards are posted, with buttons to decide. Without it, decisions are made with starter or in the Temporal UI."`
	MailServer   *Mail               `yaml:"mail" jsonschema_description:"How mail is sent. Without it, none is."`
	Digest       *Digest             `yaml:"digest" jsonschema_description:"One message a day that says how all services stand. Without it, none is sent."`
	Runbooks     string              `yaml:"runbooks" jsonschema_description:"A folder with runbook pages of your own, NAME.md; a page there replaces the one of the same name that comes with Lifeboat. Relative to this file, or absolute."`
	Services     []Service           `yaml:"services" jsonschema:"required" jsonschema_description:"The services that are backed up."`

	file       string // as it was named
	dir        string // absolute; relative references start here
	digest     string
	references []reference
	ref        func() recovery.ConfigRef // asks Git once, for all services
}

// Temporal says where Temporal answers.
type Temporal struct {
	Address   string `yaml:"address" jsonschema_description:"host:port; 127.0.0.1:7233 by default."`
	Namespace string `yaml:"namespace" jsonschema_description:"default by default."`
	UI        string `yaml:"ui" jsonschema_description:"URL of the Temporal UI, for links; http://127.0.0.1:8233 by default if Temporal is on this machine."`
}

// Worker configures the worker itself.
type Worker struct {
	Listen string    `yaml:"listen" jsonschema_description:"host:port where /health and /ready are served; 127.0.0.1:8080 by default."`
	Ping   Reference `yaml:"ping" jsonschema_description:"URL that is pinged while the worker is ready, such as https://hc-ping.com/UUID: whoever watches it raises the alarm when the worker is gone."`
	State  string    `yaml:"state" jsonschema_description:"A private folder on each host, where the worker notes how commands ended that run at most once; .lifeboat beside this file by default. Relative to this file, or absolute."`
}

// Encryption says for whom sets are sealed, and where the key to open lies.
type Encryption struct {
	Recipients []string  `yaml:"recipients" jsonschema:"required" jsonschema_description:"Public age keys (age1…), one or more: whoever has the secret key of one can open the sets."`
	Identities Reference `yaml:"identities" jsonschema_description:"The secret age keys. Only where sets are opened; a machine that only backs up needs none."`
}

// Signing says who signs sets and whose signature is believed.
type Signing struct {
	Key     Reference `yaml:"key" jsonschema_description:"The secret signing key. Only where sets are made."`
	Trusted []string  `yaml:"trusted" jsonschema:"required" jsonschema_description:"Public signing keys (lifeboat-public-key-…), one or more: only what they signed is believed."`
}

// Staging is where sets are restored to be proven.
type Staging struct {
	Postgres *StagingPostgres `yaml:"postgres" jsonschema_description:"A server on which throwaway databases are made and dropped. Needed for PostgreSQL sources."`
	Folder   string           `yaml:"folder" jsonschema_description:"A private folder for restored files; relative to this file, or absolute."`
}

// StagingPostgres is the server for restored databases.
type StagingPostgres struct {
	URL        Reference `yaml:"url" jsonschema:"required" jsonschema_description:"URL of a maintenance database, as a role that may create databases and roles."`
	SameServer string    `yaml:"sameServer" jsonschema:"enum=accepted" jsonschema_description:"Write accepted if staging is production's own server, and you accept the load and the risk."`
}

// Tools says where programs are found besides PATH.
type Tools struct {
	Postgres []string `yaml:"postgres" jsonschema_description:"Folders that hold pg_dump and pg_restore."`
}

// Service is one service that is backed up.
type Service struct {
	Name       string            `yaml:"name" jsonschema:"required" jsonschema_description:"A short name; it is part of every key in the bucket, so choose it once."`
	Owner      string            `yaml:"owner" jsonschema:"required" jsonschema_description:"Who answers for the service."`
	Host       string            `yaml:"host" jsonschema_description:"The host on which its files lie; local by default."`
	Dir        string            `yaml:"dir" jsonschema_description:"Base folder for relative paths of this service. A sqlite path must stay inside it. Relative to this file, or absolute."`
	Objectives Objectives        `yaml:"objectives" jsonschema:"required" jsonschema_description:"What the owner has promised."`
	Sources    []Source          `yaml:"sources" jsonschema:"required" jsonschema_description:"What is backed up."`
	TimeZone   string            `yaml:"timeZone" jsonschema_description:"Time zone of its schedule and retention, if it has one of its own."`
	Schedule   Schedule          `yaml:"schedule" jsonschema_description:"When its playbooks run by themselves, such as 1h, 24h at 03:00, weekly on sunday at 04:00, quarterly on 15 at 09:00, or never."`
	Retention  *Retention        `yaml:"retention" jsonschema_description:"How many sets are kept. Without it, nothing is ever removed."`
	KeepSafety recovery.Duration `yaml:"keepSafety" jsonschema_description:"How long the sets are kept that a restore makes before it replaces something; 30d by default."`
	Pings      Pings             `yaml:"pings" jsonschema_description:"URLs that are pinged when a playbook starts, ends well or fails, so that silence is noticed by someone else."`
	Verify     string            `yaml:"verify" jsonschema:"enum=afterBackup,enum=onSchedule" jsonschema_description:"When a set is restored to be proven: after each backup (the default), or on a schedule of its own."`
	Smoke      *Smoke            `yaml:"smoke" jsonschema_description:"How the service is started on restored data and tried out. Without it no set is ever proven, only restored."`
	Live       *Live             `yaml:"live" jsonschema_description:"How the running service is seen to be well after a restore."`
	Commands   Commands          `yaml:"commands" jsonschema_description:"Commands that stop and start the service. Needed to restore a service with two sources."`
	Deploy     *Deploy           `yaml:"deploy" jsonschema_description:"How its releases are deployed. Without it, none can be rolled back."`
	Variables  map[string]string `yaml:"variables" jsonschema_description:"What runbook pages fill in for {NAME}, such as restart: systemctl restart where2eat. One line each. They are shown, so that no secret belongs here."`
	Undo       recovery.Duration `yaml:"undo" jsonschema_description:"How long a restore can be undone by a button; 24h by default."`
	Policies   Policies          `yaml:"policies" jsonschema_description:"Who decides which step, where it is another than under approvals."`
}

// Objectives are what a service's owner has promised.
type Objectives struct {
	Availability Percent           `yaml:"availability" jsonschema:"required" jsonschema_description:"Share of the time that the service is up, such as 99.5%."`
	RTO          recovery.Duration `yaml:"rto" jsonschema:"required" jsonschema_description:"Longest time to be back, such as 1h."`
	RPO          recovery.Duration `yaml:"rpo" jsonschema:"required" jsonschema_description:"Longest time whose data may be lost, such as 24h."`
}

// Source is one database or file of a service.
type Source struct {
	Name        string            `yaml:"name" jsonschema:"required" jsonschema_description:"A short name; it is part of the object's name."`
	Kind        string            `yaml:"kind" jsonschema:"required,enum=postgres,enum=sqlite" jsonschema_description:"What it is."`
	URL         Reference         `yaml:"url" jsonschema_description:"postgres: the connection URL."`
	Tables      []string          `yaml:"tables" jsonschema_description:"postgres: only these tables, such as public.users; all by default."`
	Path        string            `yaml:"path" jsonschema_description:"sqlite: the database file, absolute or inside the service's dir."`
	Fingerprint string            `yaml:"fingerprint" jsonschema:"enum=content,enum=counts,enum=off" jsonschema_description:"How a restored copy is compared: by the content of rows (the default), by their count, or not at all."`
	RPO         recovery.Duration `yaml:"rpo" jsonschema_description:"The source's own RPO; the service's by default."`
	Every       recovery.Cadence  `yaml:"every" jsonschema_description:"How often it is backed up; as the service's schedule.backup by default."`
	Retention   *Retention        `yaml:"retention" jsonschema_description:"How many of its sets are kept; as the service's by default."`
	Admin       Reference         `yaml:"admin" jsonschema_description:"postgres: URL of the same database, as a role that may create and rename databases; only for production restores, and only if url's role may not."`
	SwapCommand []string          `yaml:"swapCommand" private:"true" jsonschema_description:"postgres: run instead of renaming databases, with the restored database's URL in LIFEBOAT_NEW_DATABASE_URL; for servers that forbid renaming."`
}

// Smoke says how a service is started on restored data and tried out.
type Smoke struct {
	Start   []string          `yaml:"start" private:"true" jsonschema:"required" jsonschema_description:"The command and its arguments; {port} stands for a free port, {restored.SOURCE} for the restored source's URL or path."`
	Dir     string            `yaml:"dir" jsonschema_description:"Where the command is started; the service's dir by default."`
	Env     map[string]string `yaml:"env" private:"true" jsonschema_description:"The command's whole environment besides LIFEBOAT_DRILL=1: values with placeholders as in start, or references to staging's secrets."`
	BaseURL string            `yaml:"baseURL" jsonschema:"required" jsonschema_description:"Where it then answers, such as http://127.0.0.1:{port}."`
	Ready   string            `yaml:"ready" jsonschema_description:"Path that answers 200 once the service is up, such as /ready; / by default."`
	Timeout recovery.Duration `yaml:"timeout" jsonschema_description:"For the service to come up, and again for the journey; 60s by default."`
	Journey []JourneyStep     `yaml:"journey" jsonschema:"required" jsonschema_description:"Requests that are made one after the other, each with its expectation."`
	Checks  []SQLCheck        `yaml:"checks" jsonschema_description:"Read-only queries on the restored sources."`
}

// JourneyStep is one HTTP request and what its answer must be. Its fields are
// those of [recovery.JourneyStep].
type JourneyStep struct {
	Name    string            `yaml:"name" jsonschema:"required" jsonschema_description:"What the step shows, such as log in."`
	Method  string            `yaml:"method" jsonschema:"enum=GET,enum=HEAD,enum=POST,enum=PUT,enum=PATCH,enum=DELETE" jsonschema_description:"GET by default."`
	Path    string            `yaml:"path" jsonschema:"required" jsonschema_description:"Below the base URL, beginning with /."`
	Headers map[string]string `yaml:"headers" private:"true" jsonschema_description:"Headers of the request; {saved.NAME} stands for a value that an earlier step saved."`
	Body    string            `yaml:"body" private:"true" jsonschema_description:"Body of the request."`
	Status  int               `yaml:"status" jsonschema:"minimum=100,maximum=599" jsonschema_description:"The status it must answer; 200 by default."`
	Expect  []string          `yaml:"contains" jsonschema_description:"Texts that the answer must hold."`
	Save    map[string]string `yaml:"save" jsonschema_description:"Name → dotted path in a JSON answer, for {saved.NAME} in later steps."`
	Timeout recovery.Duration `yaml:"timeout" jsonschema_description:"10s by default."`
}

// SQLCheck is a read-only query on a restored source. Its fields are those of
// [recovery.SQLCheck].
type SQLCheck struct {
	Name   string `yaml:"name" jsonschema:"required" jsonschema_description:"What the query shows."`
	Source string `yaml:"source" jsonschema:"required" jsonschema_description:"The source that is asked."`
	Query  string `yaml:"query" jsonschema:"required" jsonschema_description:"A query that only reads."`
	Expect string `yaml:"expect" jsonschema:"required" jsonschema_description:"The text that its first value must equal."`
}

// Path returns the file to read: the one that was named, else LIFEBOAT_CONFIG of
// the environment, else [DefaultFile].
func Path(named string) string {
	if named != "" {
		return named
	}
	if path := os.Getenv("LIFEBOAT_CONFIG"); path != "" {
		return path
	}
	return DefaultFile
}

// Load reads and checks a config file. The error is a [*Problems].
func Load(path string) (*Config, error) {
	data, err := read(path)
	if err != nil {
		// The path is named already, so only the reason is of use.
		if pathError, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathError.Err
		}
		mend := "check the path and its permissions"
		if errors.Is(err, fs.ErrNotExist) {
			mend = "run 'starter init' to make one, or name the file"
		}
		return nil, &Problems{File: path, List: []Problem{{Message: "cannot be read: " + err.Error(), Mend: mend}}}
	}
	return Parse(path, data)
}

func read(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}

// Parse checks the content of a config file that is, or will be, at path. The
// error is a [*Problems].
func Parse(path string, data []byte) (*Config, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, &Problems{File: path, List: []Problem{{Message: "cannot be found: " + err.Error(), Mend: "write an absolute path"}}}
	}
	digest := sha256.Sum256(data)
	c := &Config{file: path, dir: filepath.Dir(absolute), digest: hex.EncodeToString(digest[:])}
	c.ref = sync.OnceValue(c.findRef)
	d := newDecoder(path)
	if root := d.parse(data); root != nil {
		d.decode(root, c)
		c.setDefaults()
		(&validator{decoder: d, config: c}).validate()
		c.references = d.references
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// setDefaults fills in what may be left out.
func (c *Config) setDefaults() {
	fill(&c.Temporal.Address, "127.0.0.1:7233")
	fill(&c.Temporal.Namespace, "default")
	fill(&c.Worker.Listen, "127.0.0.1:8080")
	fill(&c.Worker.State, ".lifeboat")
	fill(&c.GiveUpAfter, 30*minute)
	fill(&c.TimeZone, "UTC")
	fill(&c.Currency, "USD")
	if c.MailServer != nil {
		fill(&c.MailServer.Security, recovery.MailStartTLS)
	}
	if c.Digest != nil {
		fill(&c.Digest.Every, defaultDigest.Clear(time.Now(), location(c.TimeZone)))
	}
	c.Approvals.Policies.setDefaults()
	for i := range c.Destinations {
		if d := &c.Destinations[i]; d.Endpoint != "" {
			fill(&d.Region, "us-east-1")
		}
	}
	for i := range c.Services {
		s := &c.Services[i]
		fill(&s.Host, "local")
		fill(&s.Verify, string(recovery.VerifyAfterBackup))
		for j := range s.Sources {
			fill(&s.Sources[j].Fingerprint, string(recovery.FingerprintContent))
			fill(&s.Sources[j].RPO, s.Objectives.RPO)
		}
		fill(&s.TimeZone, c.TimeZone)
		s.setScheduleDefaults()
		if s.Deploy != nil {
			s.Deploy.setDefaults()
		}
		fill(&s.Undo, 24*hour)
		fill(&s.Commands.Timeout, 2*minute)
		s.Policies.setDefaults()
		if s.Smoke != nil {
			fill(&s.Smoke.Ready, "/")
			fill(&s.Smoke.Timeout, minute)
			journeyDefaults(s.Smoke.Journey)
		}
		if s.Live != nil {
			s.Live.setDefaults(s.Smoke)
		}
	}
}

func journeyDefaults(steps []JourneyStep) {
	for i := range steps {
		fill(&steps[i].Method, "GET")
		fill(&steps[i].Status, 200)
		fill(&steps[i].Timeout, recovery.Duration(10*time.Second))
	}
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// File returns the path of the file, as it was named.
func (c *Config) File() string { return c.file }

// StateFolder returns the folder on this host, absolute, where the worker notes how
// commands ended that run at most once.
func (c *Config) StateFolder() string { return c.absolute(c.Worker.State) }

// RunbooksFolder returns the folder, absolute, with the user's own runbook pages;
// empty if there is none.
func (c *Config) RunbooksFolder() string {
	if c.Runbooks == "" {
		return ""
	}
	return c.absolute(c.Runbooks)
}

// TemporalAddress returns host:port of Temporal; TEMPORAL_ADDRESS wins.
func (c *Config) TemporalAddress() string {
	if address := os.Getenv("TEMPORAL_ADDRESS"); address != "" {
		return address
	}
	return c.Temporal.Address
}

// TemporalUI returns the URL of the Temporal UI, without a slash at its end; empty
// if it is not known.
func (c *Config) TemporalUI() string {
	if c.Temporal.UI != "" {
		return strings.TrimRight(c.Temporal.UI, "/")
	}
	if host, _, err := net.SplitHostPort(c.TemporalAddress()); err == nil && isLoopback(host) {
		return "http://127.0.0.1:8233"
	}
	return ""
}

func isLoopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// Namespace returns Temporal's namespace; TEMPORAL_NAMESPACE wins.
func (c *Config) Namespace() string {
	if namespace := os.Getenv("TEMPORAL_NAMESPACE"); namespace != "" {
		return namespace
	}
	return c.Temporal.Namespace
}
