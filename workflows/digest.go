package workflows

import (
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// DigestInput starts Digest: an empty JSON object.
type DigestInput struct {
	malformed error
}

// UnmarshalJSON keeps a wrong shape for setup to answer.
func (in *DigestInput) UnmarshalJSON(data []byte) error {
	type plain DigestInput
	in.malformed = decodeInput(data, (*plain)(in))
	return nil
}

// mailGiveUp bounds how long a mail server is tried: a digest of yesterday is of no
// use.
const mailGiveUp = 12 * time.Hour

// Digest tells people once a day how all services stand, from what lies in the
// buckets: one message in Slack and one mail.
func Digest(ctx workflow.Context, in DigestInput) (*recovery.Digest, error) {
	t, err := newTeller(ctx, TypeDigest, "")
	if err != nil {
		return nil, err
	}
	if in.malformed != nil {
		return nil, badInput("%v: give an empty JSON object: {}", in.malformed)
	}
	d := &digest{teller: t}
	err = d.run(ctx)
	d.pingEnd(ctx, map[string]string{"digest": d.spec.Ping}, "digest", err)
	if err != nil {
		t.outcome(ctx, "failed")
		return nil, plainError(err)
	}
	t.outcome(ctx, "sent")
	return &d.made.Digest, nil
}

type digest struct {
	*teller
	spec recovery.DigestSpec
	made activities.MadeDigest
}

func (d *digest) run(ctx workflow.Context) error {
	d.now(ctx, "reading the configuration")
	err := step{
		name: "read configuration", options: quick(QueueLifeboat), activity: digests.LoadDigest, giveUp: planGiveUp,
	}.run(ctx, d.teller, &d.spec)
	if err != nil {
		return err
	}
	d.ping(ctx, map[string]string{"digest": d.spec.Ping}, "digest", activities.PingStart, "")
	d.now(ctx, "looking how all services stand")
	err = step{
		name: "look how all services stand", options: long(QueueLifeboat), activity: digests.MakeDigest, giveUp: time.Hour,
	}.run(ctx, d.teller, &d.made)
	if err != nil {
		return err
	}
	if d.spec.Slack != nil {
		c := d.card(ctx)
		leaveToDeliver(ctx, CardID(c.Run), delivery{Card: c})
	}
	return d.mail(ctx)
}

func (d *digest) card(ctx workflow.Context) card.Card {
	c := d.newCard(ctx, "Daily digest", card.Done, d.made.Summary)
	c.Done = d.made.Tasks
	if !d.made.Digest.Well() {
		c.State = card.Failed
	}
	for _, line := range d.made.Lines {
		c.Facts = append(c.Facts, approval.Fact{Label: line.Label, Value: line.Value})
	}
	return c
}

// mail sends the digest to each person by itself, so that a refusal is tried again
// for one alone.
func (d *digest) mail(ctx workflow.Context) error {
	var failed []string
	for _, person := range d.spec.Mail {
		d.now(ctx, "sending mail to "+person.Name)
		key := workflow.GetInfo(ctx).OriginalRunID + "/" + person.Name
		err := step{
			name: "mail " + person.Name, options: quick(QueueLifeboat), activity: digests.SendMail, giveUp: mailGiveUp,
			input: func(int) any {
				return activities.SendMailInput{Key: key, To: person.Mail, Subject: d.made.Subject, Text: d.made.Text}
			},
		}.run(ctx, d.teller, nil)
		if temporal.IsCanceledError(err) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			failed = append(failed, reason(err))
		}
	}
	if len(failed) > 0 {
		return errors.New("the digest was not mailed to everybody: " + strings.Join(failed, "; "))
	}
	return nil
}
