package config

import (
	"slices"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Mail says how mail is sent.
type Mail struct {
	Server   string    `yaml:"server" jsonschema:"required" jsonschema_description:"host:port of the mail server, such as mail.example.com:587."`
	Security string    `yaml:"security" jsonschema:"enum=starttls,enum=tls,enum=none" jsonschema_description:"starttls by default (port 587), tls (port 465), or none for a server on this machine."`
	From     string    `yaml:"from" jsonschema:"required" jsonschema_description:"The sender's address, such as lifeboat@example.com."`
	User     Reference `yaml:"user" jsonschema_description:"Who logs in to the server; nobody by default."`
	Password Reference `yaml:"password" jsonschema_description:"Their password."`
}

// Digest says when the digest is sent, and to whom.
type Digest struct {
	Every recovery.Cadence `yaml:"every" jsonschema_description:"When it is sent; 24h at 07:30 by default."`
	Mail  []string         `yaml:"mail" jsonschema_description:"Who gets it by mail: names of people and groups. Where there is a slack, it is posted there as well."`
	Ping  Reference        `yaml:"ping" jsonschema_description:"URL to ping when it was sent, such as https://hc-ping.com/UUID: whoever watches it notices that no digest comes."`
}

// defaultDigest is before people begin to work.
var defaultDigest = recovery.Cadence{Every: "24h", Hour: 7, Min: 30}

// Mail returns how mail is sent, nil if none is.
func (c *Config) Mail() *recovery.MailSpec {
	m := c.MailServer
	if m == nil {
		return nil
	}
	return &recovery.MailSpec{Server: m.Server, Security: m.Security, From: m.From, User: string(m.User), Password: string(m.Password)}
}

// DigestPlan returns when the digest is sent and to whom, nil if there is none.
func (c *Config) DigestPlan() *recovery.DigestSpec {
	d := c.Digest
	if d == nil || d.Every.Never() {
		return nil
	}
	spec := &recovery.DigestSpec{Every: d.Every, Slack: c.Slack.spec(), TimeZone: c.TimeZone, Ping: string(d.Ping)}
	names := c.expand(d.Mail)
	for _, person := range c.People() {
		if slices.Contains(names, person.Name) {
			spec.Mail = append(spec.Mail, person)
		}
	}
	return spec
}
