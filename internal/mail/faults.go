package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Parts of the library's errors that have no value of their own.
const (
	loggingIn  = "SMTP AUTH failed"
	noStartTLS = "does not support STARTTLS"
	noLogIn    = "does not support SMTP AUTH"
)

const mendRecipient = "mend the person's mail under people in the config"

// reachFault says what it means that the server could not be reached, or would not
// talk to us.
func reachFault(ctx context.Context, s Settings, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("reach the mail server %s: %w", s.Server, ctx.Err())
	}
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return refusal(s, answer.Code, strings.Contains(err.Error(), loggingIn))
	}
	hint := ""
	certificate, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case badCertificate:
		err, hint = certificate.Err, "mend mail.server, or let this machine trust whoever signed the server's certificate"
	case plain:
		err, hint = errors.New("it does not speak TLS from the start"), "write mail.security: starttls in the config, or another port"
	case strings.Contains(err.Error(), noStartTLS):
		err, hint = errors.New("it offers no STARTTLS"), "write mail.security: tls in the config, or another port"
	case strings.Contains(err.Error(), noLogIn), errors.Is(err, gomail.ErrNoSupportedAuthDiscovered), errors.Is(err, smtp.ErrUnencrypted):
		err, hint = errors.New("it offers no log-in that keeps the password safe"), "leave out mail.user, or change mail.security"
	}
	err = fmt.Errorf("reach the mail server %s: %w", s.Server, redact(s, err))
	if hint == "" {
		return err
	}
	return recovery.NewFault(recovery.Permanent, err, hint)
}

// refusal is what an answer other than the expected one means. Its words are left
// out: what a server says to a log-in may quote it.
func refusal(s Settings, code int, loggingIn bool) error {
	doing, hint := "greet", "ask whoever runs the mail server"
	if loggingIn {
		doing, hint = "log in at", "mend mail.user and mail.password in the config"
	}
	err := fmt.Errorf("%s the mail server %s: it answers %d", doing, s.Server, code)
	if code/100 != 5 {
		return err
	}
	return recovery.NewFault(recovery.Permanent, err, hint)
}

// sendFault says what it means that a mail was not taken.
func sendFault(ctx context.Context, s Settings, to string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("send mail to %s by %s: %w", to, s.Server, ctx.Err())
	}
	failure := fmt.Errorf("send mail to %s by %s: %w", to, s.Server, redact(s, err))
	answer, ok := errors.AsType[*gomail.SendError](err)
	if !ok || answer.ErrorCode()/100 != 5 {
		return failure
	}
	hint := "ask whoever runs the mail server"
	switch answer.Reason {
	case gomail.ErrSMTPMailFrom:
		hint = "mend mail.from in the config, or mail.user if the server wants a log-in"
	case gomail.ErrSMTPRcptTo:
		hint = mendRecipient
	default:
	}
	return recovery.NewFault(recovery.Permanent, failure, hint)
}

// redact takes the password out of what a server says, and makes one line of it.
func redact(s Settings, err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if s.Password != "" {
		text = strings.ReplaceAll(text, s.Password, "***")
	}
	return errors.New(text)
}
