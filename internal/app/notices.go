package app

import (
	"context"
	"errors"

	"github.com/lifeboat-run/lifeboat/internal/mail"
	"github.com/lifeboat-run/lifeboat/internal/ping"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// mailer sends mail by the server that the config names.
type mailer struct {
	configs *configs
}

// Mail implements activities.Mailer.
func (m *mailer) Mail(ctx context.Context, key, to, subject, text string) error {
	cfg, err := m.configs.load()
	if err != nil {
		return err
	}
	spec := cfg.Mail()
	if spec == nil {
		return recovery.NewFault(recovery.Permanent, errors.New("send mail: the config has no mail"), "write mail with server and from into the config")
	}
	settings := mail.Settings{Server: spec.Server, Security: spec.Security, From: spec.From}
	for ref, into := range map[string]*string{spec.User: &settings.User, spec.Password: &settings.Password} {
		if ref == "" {
			continue
		}
		secret, err := cfg.Reveal(ref)
		if err != nil {
			return err
		}
		*into = secret.Reveal()
	}
	return mail.Send(ctx, settings, mail.Message{To: []string{to}, Subject: subject, Text: text, ID: key})
}

// switches pings dead man's switches.
type switches struct {
	configs *configs
}

// Ping implements activities.Switches.
func (s *switches) Ping(ctx context.Context, ref, signal, text string) error {
	cfg, err := s.configs.load()
	if err != nil {
		return err
	}
	address, err := cfg.Reveal(ref)
	if err != nil {
		return err
	}
	return ping.Ping(ctx, address.Reveal(), ping.Signal(signal), text)
}
