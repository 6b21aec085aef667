// Package sandbox sets up all that Lifeboat works with, on loopback and in one
// folder: PostgreSQL for production and for staging, an S3 server, Temporal, keys,
// a lifeboat.yaml, and the example service Where2Eat with data. The demo and the
// tests run on it; nothing of it is for production.
package sandbox

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"text/template"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/seal"
	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

// The names of what is set up.
const (
	Service  = "where2eat" // also the name of its database and its role
	Bucket   = "backups"
	Prefix   = "lifeboat" // in the bucket
	Database = "where2eat"
)

// Sandbox is a running set of servers.
type Sandbox struct {
	Dir        string // absolute; holds lifeboat.yaml, keys and the service's folder
	Production *devserver.PostgresServer
	Staging    *devserver.PostgresServer
	S3         *devserver.S3Server
	Second     *devserver.S3Server // nil: there is one destination
	Temporal   *devserver.TemporalServer
	Slack      *slacksim.Server // nil: there is none
	Config     Config
}

// Config is what lifeboat.yaml is made from.
type Config struct {
	Recipient, Trusted  string // public keys
	Identities          bool   // the private key is named
	Folder              string // keep sets in this folder instead of the S3 server
	Bucket, Endpoint    string
	SameServer          bool
	StagingFolder       string
	Tools               string // folder with pg_dump and pg_restore, empty for the default
	GiveUpAfter         string
	Fingerprint, Verify string
	Tables              string // YAML list of tables, empty for all
	Smoke               bool
	Where2Eat           string // the program

	CLI                          string // rebecca's user name where starter runs
	DrillExpires, RestoreExpires string
	SlackAPIURL, SlackChannel    string    // no Slack if the URL is empty; the tokens are SLACK_BOT_TOKEN and SLACK_APP_TOKEN
	Commands                     *Commands // nil: Where2Eat cannot be stopped, and so not be restored
	SwapCommand                  []string  // of the source app; empty: databases are renamed
	LiveURL                      string    // where the running Where2Eat answers, empty if nobody looks
	TemporalUI                   string

	Second               string // endpoint of a second destination, see AddSecond; empty: there is none
	AppEvery, NotesEvery string // cadences; empty for the default
	// Lines of YAML besides: at the top, for the first destination, and for the service.
	Extra, MainExtra, ServiceExtra string
}

// Commands stop and start Where2Eat.
type Commands struct {
	Stop, Start []string
}

//go:embed lifeboat.yaml.tmpl
var configText string

var configTemplate = template.Must(template.New("lifeboat.yaml").Funcs(template.FuncMap{"json": toJSON}).Parse(configText))

// toJSON writes a value as YAML reads it too.
func toJSON(value any) (string, error) {
	text, err := json.Marshal(value)
	return string(text), err
}

// Options choose ports (0 for free ones) and settings.
type Options struct {
	Dir                string
	Where2Eat          string // the program
	TemporalPort       int
	TemporalUIPort     int
	S3Port             int
	ProductionPort     int
	SlackAddress       string // of the stand-in for Slack, host:port; empty: there is none
	ProductionSettings map[string]string
	StagingSettings    map[string]string
	Scratch            bool // nothing need outlive a power cut
}

// Start starts the servers on what is in the folder already, or makes it. On an
// error nothing keeps running.
func Start(ctx context.Context, o Options) (_ *Sandbox, err error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("set up %s: %w", o.Dir, err)
	}
	s := &Sandbox{Dir: dir}
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	if err := s.startServers(ctx, o); err != nil {
		return nil, err
	}
	who, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("find user name: %w", err)
	}
	s.Config = Config{
		CLI: who.Username, DrillExpires: "24h", RestoreExpires: "24h", SlackChannel: "C0BACKUPS", TemporalUI: s.Temporal.UIURL,
		Identities: true, Bucket: Bucket, Endpoint: s.S3.Endpoint, StagingFolder: filepath.Join(dir, "restored"),
		GiveUpAfter: "30m", Fingerprint: "content", Verify: "afterBackup", Smoke: true, Where2Eat: o.Where2Eat,
	}
	if s.Slack != nil {
		s.Config.SlackAPIURL, s.Config.SlackChannel = s.Slack.APIURL, s.Slack.Channel
	}
	if err := s.makeKeys(); err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	if err := s.WriteConfig(); err != nil {
		return nil, err
	}
	if err := s.fill(ctx); err != nil {
		return nil, fmt.Errorf("fill Where2Eat with data: %w", err)
	}
	return s, nil
}

func (s *Sandbox) startServers(ctx context.Context, o Options) (err error) {
	if s.Production, err = (devserver.PostgresConfig{Dir: filepath.Join(s.Dir, "production"), Port: o.ProductionPort, Settings: o.ProductionSettings, Scratch: o.Scratch}).Start(ctx); err != nil {
		return err
	}
	if s.Staging, err = (devserver.PostgresConfig{Dir: filepath.Join(s.Dir, "staging"), Settings: o.StagingSettings, Scratch: o.Scratch}).Start(ctx); err != nil {
		return err
	}
	if s.S3, err = (devserver.S3Config{Dir: filepath.Join(s.Dir, "s3"), Port: o.S3Port}).Start(ctx); err != nil {
		return err
	}
	if err = s.S3.MakeBucket(ctx, Bucket); err != nil {
		return err
	}
	if o.SlackAddress != "" {
		if s.Slack, err = slacksim.Start(slacksim.Options{Address: o.SlackAddress}); err != nil {
			return err
		}
	}
	s.Temporal, err = devserver.TemporalConfig{Dir: filepath.Join(s.Dir, "temporal"), Port: o.TemporalPort, UIPort: o.TemporalUIPort}.Start(ctx)
	return err
}

// AddSecond starts another S3 server, which gets a copy of every set.
func (s *Sandbox) AddSecond(ctx context.Context) (err error) {
	if s.Second, err = (devserver.S3Config{Dir: filepath.Join(s.Dir, "second")}).Start(ctx); err != nil {
		return err
	}
	s.Config.Second = s.Second.Endpoint
	return s.Second.MakeBucket(ctx, Bucket)
}

// Stop stops the servers.
func (s *Sandbox) Stop() {
	if s.Slack != nil {
		_ = s.Slack.Close() // it keeps nothing
	}
	if s.Temporal != nil {
		s.Temporal.Stop()
	}
	if s.S3 != nil {
		s.S3.Stop()
	}
	if s.Second != nil {
		s.Second.Stop()
	}
	if s.Staging != nil {
		s.Staging.Stop()
	}
	if s.Production != nil {
		s.Production.Stop()
	}
}

// Env is the environment that worker, starter and the service need, by name.
func (s *Sandbox) Env() map[string]string {
	env := map[string]string{
		"LIFEBOAT_CONFIG":        s.ConfigFile(),
		"LIFEBOAT_S3_ACCESS_KEY": s.S3.AccessKey,
		"LIFEBOAT_S3_SECRET_KEY": s.S3.SecretKey,
		"STAGING_DATABASE_URL":   s.Staging.URL("postgres"),
		"TEMPORAL_ADDRESS":       s.Temporal.Address,
		"WHERE2EAT_ADMIN_URL":    s.Production.URL(Database),
		"WHERE2EAT_DATABASE_URL": s.serviceURL().String(),
		"WHERE2EAT_NOTES_PATH":   s.NotesPath(),
	}
	if s.Second != nil {
		env["SECOND_S3_ACCESS_KEY"], env["SECOND_S3_SECRET_KEY"] = s.Second.AccessKey, s.Second.SecretKey
	}
	if s.Slack != nil {
		env["SLACK_BOT_TOKEN"], env["SLACK_APP_TOKEN"] = s.Slack.BotToken, s.Slack.AppToken
	}
	return env
}

// serviceURL is the URL of the service's database as its own role, which has the
// superuser's password.
func (s *Sandbox) serviceURL() *url.URL {
	u, err := url.Parse(s.Production.URL(Database))
	if err != nil {
		return &url.URL{}
	}
	password, _ := u.User.Password()
	u.User = url.UserPassword(Service, password)
	return u
}

// ConfigFile is the sandbox's lifeboat.yaml.
func (s *Sandbox) ConfigFile() string { return filepath.Join(s.Dir, "lifeboat.yaml") }

// KeyFile is the file of the private age key.
func (s *Sandbox) KeyFile() string { return filepath.Join(s.Dir, "keys", "age.key") }

// NotesPath is the service's SQLite file.
func (s *Sandbox) NotesPath() string { return filepath.Join(s.Dir, "service", "notes.db") }

func (s *Sandbox) approvalKeyFile() string { return filepath.Join(s.Dir, "keys", "approvals.key") }

func (s *Sandbox) signingKeyFile() string { return filepath.Join(s.Dir, "keys", "signing.key") }

// WriteConfig writes lifeboat.yaml from Config.
func (s *Sandbox) WriteConfig() (err error) {
	f, err := os.OpenFile(s.ConfigFile(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := configTemplate.Execute(f, s.Config); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	return nil
}

// makeKeys makes the keys, unless they are there from an earlier start: they open
// the sets in the bucket.
func (s *Sandbox) makeKeys() error {
	signing, err := s.signingKey()
	if errors.Is(err, fs.ErrNotExist) {
		signing, err = s.newKeys()
	}
	if err != nil {
		return err
	}
	if err := s.makeApprovalKey(); err != nil {
		return err
	}
	s.Config.Trusted = signing.Public().String()
	recipient, err := os.ReadFile(s.KeyFile() + ".pub")
	s.Config.Recipient = string(recipient)
	return err
}

func (s *Sandbox) signingKey() (recovery.SigningKey, error) {
	text, err := os.ReadFile(s.signingKeyFile())
	if err != nil {
		return recovery.SigningKey{}, err
	}
	return recovery.ParseSigningKey(string(text))
}

func (s *Sandbox) newKeys() (recovery.SigningKey, error) {
	secret, recipient, err := seal.GenerateIdentity()
	if err != nil {
		return recovery.SigningKey{}, err
	}
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return recovery.SigningKey{}, err
	}
	signing, err := recovery.NewSigningKey(seed[:])
	if err != nil {
		return recovery.SigningKey{}, err
	}
	// The signing key is written last: it says that all are there.
	return signing, errors.Join(
		os.MkdirAll(filepath.Dir(s.KeyFile()), 0o700),
		os.WriteFile(s.KeyFile(), []byte(secret+"\n"), 0o600),
		os.WriteFile(s.KeyFile()+".pub", []byte(recipient), 0o600),
		os.WriteFile(s.signingKeyFile(), []byte(signing.Reveal()+"\n"), 0o600),
	)
}

// makeApprovalKey makes the key with which doors vouch for who decided, unless it
// is there.
func (s *Sandbox) makeApprovalKey() error {
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	f, err := os.OpenFile(s.approvalKeyFile(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	_, err = f.WriteString("lifeboat-approval-key-" + base64.RawURLEncoding.EncodeToString(random[:]) + "\n")
	return errors.Join(err, f.Close())
}

// fill makes the service's database and data, unless they are there.
func (s *Sandbox) fill(ctx context.Context) error {
	password, _ := s.serviceURL().User.Password()
	sql := fmt.Sprintf(`do $$ begin
		if not exists (select from pg_roles where rolname = '%[1]s') then create role %[1]s login; end if;
	end $$; alter role %[1]s password '%[2]s'`, Service, password)
	if err := s.Production.Exec(ctx, "postgres", sql); err != nil {
		return err
	}
	if err := s.Production.Exec(ctx, Database, "select 1"); err != nil {
		if err := s.Production.Exec(ctx, "postgres", fmt.Sprintf("create database %s owner %s", Database, Service)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(s.NotesPath()), 0o700); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.Config.Where2Eat, "-migrate", "-seed")
	env := s.Env()
	cmd.Env = []string{"WHERE2EAT_DATABASE_URL=" + env["WHERE2EAT_DATABASE_URL"], "WHERE2EAT_NOTES_PATH=" + s.NotesPath()}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
