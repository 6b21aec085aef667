package config

import (
	"maps"
	"net"
	"net/mail"
	"slices"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func (v *validator) mailAddress(path, text string) {
	if !v.given(path) {
		return
	}
	if address, err := mail.ParseAddress(text); err != nil || address.Address != text {
		v.problem(path, "is not a mail address", "write it as rebecca@example.com")
	}
}

// mail checks how mail is sent.
func (v *validator) mail() {
	m := v.config.MailServer
	if m == nil {
		return
	}
	v.mailAddress("mail.from", m.From)
	v.pair("mail", "user", "password")
	if !v.given("mail.server") {
		return
	}
	host, port, err := net.SplitHostPort(m.Server)
	switch {
	case err != nil || host == "" || !isPort(port):
		v.problem("mail.server", "is not the address of a server", "write host:port, such as mail.example.com:587")
	case m.Security == recovery.MailClear && !isLoopback(host):
		v.problem("mail.security", "would send mail, and the password, in the clear", "write starttls or tls; none is for a server on this machine")
	}
}

// digest checks that the digest reaches somebody.
func (v *validator) digest() {
	d := v.config.Digest
	if d == nil {
		return
	}
	v.leap("digest.every", d.Every, v.config.TimeZone)
	known := slices.AppendSeq(slices.Collect(maps.Keys(v.config.Persons)), maps.Keys(v.config.Groups))
	for i, name := range d.Mail {
		path := at("digest.mail", i)
		if !v.known(path, name, known) {
			continue
		}
		for _, person := range v.config.expand([]string{name}) {
			if p, ok := v.config.Persons[person]; ok && p.Mail == "" {
				v.problem(path, "cannot be reached: "+person+" has no mail address", "write people."+person+".mail")
			}
		}
	}
	switch {
	case len(d.Mail) > 0 && v.config.MailServer == nil:
		v.problem("digest.mail", "needs a mail server", "write mail with server and from")
	case len(d.Mail) == 0 && v.config.Slack == nil:
		v.problem("digest", "reaches nobody", "write digest.mail with names of people, or slack")
	}
}
