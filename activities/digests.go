package activities

import (
	"context"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Digests finds out how all services stand, and mails it. It needs no private key.
type Digests struct {
	Configs Configs
	Survey  Survey
	Mailer  Mailer
}

// LoadDigest returns who gets the digest.
func (d *Digests) LoadDigest(ctx context.Context) (*recovery.DigestSpec, error) {
	spec, err := d.Configs.Digest(ctx)
	return spec, classify(ctx, err)
}

// MadeDigest is a digest with its texts: they name local times, which a workflow
// cannot make.
type MadeDigest struct {
	Digest  recovery.Digest       `json:"digest"`
	Subject string                `json:"subject"`
	Summary string                `json:"summary"`
	Tasks   []string              `json:"tasks"`
	Lines   []recovery.DigestLine `json:"lines"`
	Text    string                `json:"text"` // of the mail
}

// MakeDigest looks at every bucket and at the runs of the last day.
func (d *Digests) MakeDigest(ctx context.Context) (*MadeDigest, error) {
	ctx, w := begin(ctx, "looking how all services stand")
	digest, err := d.Survey.Digest(ctx, time.Now())
	if err != nil {
		return nil, w.finish(ctx, err)
	}
	return &MadeDigest{
		Digest: *digest, Subject: digest.Subject(), Summary: digest.Summary(), Tasks: digest.Tasks(), Lines: digest.Lines(), Text: digest.Text(),
	}, w.finish(ctx, nil)
}

// SendMailInput holds a mail.
type SendMailInput struct {
	Key     string `json:"key"` // tells a mail that was sent already
	To      string `json:"to"`  // an address
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// SendMail hands a mail to the mail server.
func (d *Digests) SendMail(ctx context.Context, in SendMailInput) error {
	ctx, w := begin(ctx, "sending mail")
	return w.finish(ctx, d.Mailer.Mail(ctx, in.Key, in.To, in.Subject, in.Text))
}
