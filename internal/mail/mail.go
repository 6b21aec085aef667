// Package mail hands plain text mails to a mail server over SMTP.
package mail

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// timeout is for reaching the server, and again for each mail. A server may look at
// a mail for a while before it takes it.
const timeout = 30 * time.Second

// Settings say which server takes the mails.
type Settings struct {
	Server   string // host:port
	Security string // recovery.MailStartTLS, MailTLS or MailClear
	From     string // an address, with or without a name
	User     string // empty: the server asks for none
	Password string
}

// Message is a mail of plain text.
type Message struct {
	To      []string // addresses; each gets a mail of its own
	Subject string
	Text    string
	// ID makes the Message-ID: the same for a mail that is sent again, so that whoever
	// gets it twice can tell.
	ID string
}

// Send sends m to each of its recipients. One that is refused does not keep the
// mail from the others, and is named in the error. The fault is Permanent if only a
// person can mend it, otherwise Unavailable: sent again, the mail goes to all
// recipients again, so that whoever retries gives one at a time.
func Send(ctx context.Context, s Settings, m Message) error {
	mails, err := compose(s, m)
	if err != nil {
		return err
	}
	client, err := newClient(ctx, s)
	if err != nil {
		return err
	}
	defer client.hangUp()
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return reachFault(ctx, s, err)
	}
	defer func() { _ = client.CloseWithSMTPClient(session) }() // all is said by then
	var errs []error
	for i, mail := range mails {
		// What was taken was taken, whatever the server says afterwards.
		if err := client.SendWithSMTPClient(session, mail); err != nil && !mail.IsDelivered() {
			errs = append(errs, sendFault(ctx, s, m.To[i], err))
		}
	}
	return join(errs)
}

// join makes one fault of several: Permanent only if none is worth another try.
func join(errs []error) error {
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	kind := recovery.Permanent
	for _, err := range errs {
		if recovery.KindOf(err) == recovery.Unavailable {
			kind = recovery.Unavailable
		}
	}
	return recovery.NewFault(kind, errors.Join(errs...), "")
}

// compose writes one mail for each recipient.
func compose(s Settings, m Message) ([]*gomail.Msg, error) {
	from, err := netmail.ParseAddress(s.From)
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("read the sender's address %q: %w", s.From, err), "mend mail.from in the config")
	}
	if len(m.To) == 0 {
		return nil, recovery.NewFault(recovery.Permanent, errors.New("send mail: nobody is named to get it"), "name people who have a mail address")
	}
	var mails []*gomail.Msg
	for _, address := range m.To {
		to, err := netmail.ParseAddress(address)
		if err != nil {
			return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("read the address %q: %w", address, err), mendRecipient)
		}
		mail := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
		mail.FromMailAddress(from)
		mail.ToMailAddress(to)
		mail.Subject(strings.Join(strings.Fields(m.Subject), " ")) // one line, so that it is one header
		mail.SetDate()
		mail.SetMessageIDWithValue(messageID(m.ID, from.Address))
		mail.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
		mail.SetBodyString(gomail.TypeTextPlain, m.Text)
		mails = append(mails, mail)
	}
	return mails, nil
}

// messageID makes an id that is the same for the same mail, whatever is in it.
func messageID(id, from string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16]) + "@" + from[strings.LastIndexByte(from, '@')+1:]
}

// conversation is a client whose connection ends with a context: the library's own
// waits for the server come what may.
type conversation struct {
	*gomail.Client
	hangUp func()
}

func newClient(ctx context.Context, s Settings) (*conversation, error) {
	host, text, err := net.SplitHostPort(s.Server)
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("read the mail server %q: %w", s.Server, err), "write mail.server as host:port")
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("read the mail server %q: its port is no number", s.Server), "write mail.server as host:port")
	}
	c := &conversation{hangUp: func() {}}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	options := []gomail.Option{gomail.WithPort(port), gomail.WithTimeout(timeout), gomail.WithTLSConfig(config)}
	switch s.Security {
	case recovery.MailStartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case recovery.MailTLS:
		options = append(options, gomail.WithSSL())
	case recovery.MailClear:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("read mail.security %q: it is none of starttls, tls and none", s.Security), "mend mail.security in the config")
	}
	options = append(options, gomail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
		connection, err := (&net.Dialer{}).DialContext(dialing, network, address)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
		c.hangUp = func() { stop(); _ = connection.Close() }
		if s.Security == recovery.MailTLS {
			return tls.Client(connection, config), nil
		}
		return connection, nil
	}))
	if s.User != "" {
		// None of these shows the password to anyone who listens: the last two are used
		// on an encrypted connection, or on this machine, alone.
		options = append(options, gomail.WithUsername(s.User), gomail.WithPassword(s.Password), gomail.WithOpportunisticSMTPAuth(
			gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthCramMD5, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	c.Client, err = gomail.NewClient(host, options...)
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("prepare for the mail server %s: %w", s.Server, err), "mend mail in the config")
	}
	return c, nil
}
