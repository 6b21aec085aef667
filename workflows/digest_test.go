package workflows_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// newMorning is a world of which ann and kim get a digest: all is well.
func newMorning() *world {
	w := newWorld()
	w.digestTo = recovery.DigestSpec{
		Mail:  []recovery.Person{{Name: "ann", Mail: "ann@example.com"}, {Name: "kim", Mail: "kim@example.com"}},
		Slack: &recovery.SlackSpec{Channel: "C1"}, TimeZone: "UTC",
	}
	w.digest = recovery.Digest{
		At: w.start, TimeZone: "UTC", Services: []recovery.ServiceDigest{{Service: "where2eat", Owner: "rebecca"}},
		Destinations: []recovery.DestinationDigest{{Name: "main"}},
	}
	return w
}

// digest runs Digest to its end.
func digest(t *testing.T, env *testsuite.TestWorkflowEnvironment, in any) (*recovery.Digest, error) {
	t.Helper()
	execute(env, workflows.TypeDigest, in)
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return nil, err
	}
	var d *recovery.Digest
	return d, env.GetWorkflowResult(&d)
}

// allWell is the subject and the first line of a mail.
const allWell = "Lifeboat: all well, 1 service: All is well: 1 service, 1 destination."

func TestDigestIsMailedAndPosted(t *testing.T) {
	w := newMorning()
	env := w.env(t)
	d, err := digest(t, env, workflows.DigestInput{})
	require.NoError(t, err)
	require.Equal(t, "where2eat", d.Services[0].Service)
	require.Equal(t, []string{"ann@example.com: " + allWell, "kim@example.com: " + allWell}, w.mailed)
	require.Len(t, w.board.cards, 1)
	c := w.board.last()
	require.Equal(t, card.Done, c.State)
	require.Equal(t, "Daily digest", c.Title)
	require.Equal(t, "All is well: 1 service, 1 destination.", c.Line)
	require.Empty(t, c.Done)
	require.Equal(t, "ended: sent", status(t, env).Doing)
}

func TestDigestOfWhatNeedsSomebody(t *testing.T) {
	w := newMorning()
	w.digest.Services[0].Todo = []string{"Prove a backup, none is yet: starter verify where2eat"}
	_, err := digest(t, w.env(t), workflows.DigestInput{})
	require.NoError(t, err, "that something is to be done is no failure of the digest")
	c := w.board.last()
	require.Equal(t, card.Failed, c.State, "it is not green")
	require.Equal(t, w.digest.Summary(), c.Line)
	require.Equal(t, w.digest.Tasks(), c.Done)
	require.NotEmpty(t, c.Done)
	require.Len(t, c.Facts, len(w.digest.Lines()))
	require.Equal(t, "ann@example.com: "+w.digest.Subject()+": "+w.digest.Summary(), w.mailed[0])
}

func TestMailThatIsRefusedKeepsNobodyElseFromTheirs(t *testing.T) {
	w := newMorning()
	w.mailErr["ann@example.com"] = []error{recovery.NewFault(recovery.Permanent, errors.New("550 no such user here"), "mend people.ann.mail")}
	_, err := digest(t, w.env(t), workflows.DigestInput{})
	_, message, _ := failure(t, err)
	require.Equal(t, "the digest was not mailed to everybody: mail ann: 550 no such user here (mend people.ann.mail)", message)
	require.Equal(t, []string{"kim@example.com: " + allWell}, w.mailed)
	require.Len(t, w.mailKeys, 2, "it is not tried again")
	require.Len(t, w.board.cards, 1)
}

func TestMailServerThatDoesNotAnswerIsTriedAgain(t *testing.T) {
	w := newMorning()
	for range 30 {
		w.mailErr["ann@example.com"] = append(w.mailErr["ann@example.com"], errors.New("421 try again later"))
	}
	env := w.env(t)
	var during workflows.Status
	after(env, 10*time.Minute, func() { during = status(t, env) })
	_, err := digest(t, env, workflows.DigestInput{})
	require.NoError(t, err)
	require.Contains(t, during.Trouble, "mail ann: 421 try again later; next try")
	require.Len(t, w.mailed, 2)
	require.Len(t, w.mailKeys, 32)
	for _, key := range w.mailKeys[:31] {
		require.Equal(t, w.mailKeys[0], key, "the same mail, lest it comes twice")
	}
	require.NotEqual(t, w.mailKeys[0], w.mailKeys[31])
}

func TestMailServerThatIsAwayAllDay(t *testing.T) {
	w := newMorning()
	for range 10000 {
		w.mailErr["ann@example.com"] = append(w.mailErr["ann@example.com"], errors.New("connection refused"))
	}
	begun := w.start
	env := w.env(t)
	_, err := digest(t, env, workflows.DigestInput{})
	_, message, _ := failure(t, err)
	require.Regexp(t, `^the digest was not mailed to everybody: mail ann: gave up after 12h.*: connection refused$`, message)
	require.Len(t, w.mailed, 1)
	require.WithinDuration(t, begun.Add(12*time.Hour), env.Now(), 5*time.Minute)
}

func TestDigestForNobodyInSpecial(t *testing.T) {
	for name, c := range map[string]struct {
		change       func(w *world)
		mails, cards int
	}{
		"no mail":  {func(w *world) { w.digestTo.Mail = nil }, 0, 1},
		"no Slack": {func(w *world) { w.digestTo.Slack = nil }, 2, 0},
		"neither":  {func(w *world) { w.digestTo = recovery.DigestSpec{TimeZone: "UTC"} }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newMorning()
			c.change(w)
			d, err := digest(t, w.env(t), workflows.DigestInput{})
			require.NoError(t, err)
			require.NotNil(t, d, "it is in the result in any case")
			require.Len(t, w.mailed, c.mails)
			require.Len(t, w.board.cards, c.cards)
		})
	}
}

func TestDigestRefusesBadInput(t *testing.T) {
	_, err := digest(t, newMorning().env(t), json.RawMessage(`{"service":"where2eat"}`))
	kind, message, _ := failure(t, err)
	require.Equal(t, workflows.ErrorBadInput, kind)
	require.Contains(t, message, `unknown field "service": give an empty JSON object: {}`)
}
