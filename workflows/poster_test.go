package workflows_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

func TestNothingIsPostedWithoutSlack(t *testing.T) {
	w, env := drillEnv(t, func(w *world) { w.plan.Slack = nil })
	play(t, env, w.approve(env, "drill", "kim"))
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.Zero(t, w.board.tries)
}

func TestNotesArePostedOnceAndInOrder(t *testing.T) {
	w, env := drillEnv(t)
	play(t, env, w.approve(env, "drill", "kim"))
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	var texts []string
	for i, n := range w.board.notes {
		require.Equal(t, strconv.Itoa(i+1), n.Key)
		texts = append(texts, n.Text)
	}
	require.Contains(t, texts[0], "waits for a decision")
	require.Contains(t, texts[1], "drill approved: kim by slack")
	done := w.board.last().Done
	require.Less(t, len(texts), len(done), "what waits is joined")
	thread := strings.Join(texts[1:], "\n")
	require.True(t, strings.HasPrefix(thread, strings.Join(done, "\n")+"\n"), "each finished part is told once, in order: %s", thread)
	require.Regexp(t, `\nReport: drills/where2eat/\S+$`, thread, "and the result comes last")
}

// Slack takes about one message a second: of what changes faster, only the newest
// is shown.
func TestOnlyTheNewestStateIsPosted(t *testing.T) {
	w, env := drillEnv(t, noPolicy)
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.LessOrEqual(t, len(w.board.cards), 3, "all went on in no time")
	require.Equal(t, card.Done, w.board.last().State)
}

// delivery is the id of what delivers the card of a run that has ended.
var delivery = workflows.CardID(recovery.RunRef{WorkflowID: runID(workflows.TypeRestoreDrill), RunID: "default-test-run-id"})

// slackIsBack makes Slack unreachable until then.
func (w *world) slackIsBack(then func() bool) {
	w.boardErr = func() error {
		if then() {
			return nil
		}
		return errors.New("slack.com does not answer")
	}
}

func TestRunGoesOnWithoutSlack(t *testing.T) {
	w, env := drillEnv(t)
	begun := env.Now()
	var ended time.Time
	w.slackIsBack(func() bool { return !ended.IsZero() && env.Now().After(ended.Add(time.Hour)) })
	env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		if info.WorkflowType.Name == workflows.TypeDeliverCard {
			ended = env.Now()
		}
	})
	play(t, env, w.approve(env, "drill", "kim"))
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.Less(t, ended.Sub(begun), time.Minute, "the run does not wait for Slack")
	require.NoError(t, env.GetWorkflowErrorByID(delivery), "what was left is delivered once Slack is back")
	require.Len(t, w.board.cards, 1)
	require.Equal(t, card.Done, w.board.last().State)
	require.True(t, w.board.again[0], "an earlier try may have posted it")
	require.Contains(t, w.board.notes[0].Text, "waits for a decision")
	require.Contains(t, w.board.notes[len(w.board.notes)-1].Text, "Report: ")
	for i, n := range w.board.notes {
		require.Equal(t, strconv.Itoa(i+1), n.Key)
	}
}

func TestSlackThatFailsForAWhileIsToldTheNewest(t *testing.T) {
	w, env := drillEnv(t)
	begun := env.Now()
	w.slackIsBack(func() bool { return env.Now().After(begun.Add(time.Hour)) })
	var tries int
	after(env, 59*time.Minute, func() { tries = w.board.tries })
	after(env, 2*time.Hour, func() {
		env.SignalWorkflow(workflows.Decide, w.vouched(env, pending(t, env), "kim", approval.Approve))
	})
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.Equal(t, card.Waiting, w.board.cards[0].State, "the state in between is not posted late")
	require.Equal(t, []bool{true, false}, w.board.again[:2], "only what may have been posted is looked for")
	require.Greater(t, tries, 10)
	require.Less(t, tries, 25, "less and less often")
	require.Equal(t, card.Done, w.board.last().State)
}

func TestSlackThatHangsDoesNotHoldTheRunUp(t *testing.T) {
	w, env := drillEnv(t, noPolicy)
	env.OnActivity("PostCard", anything, anything).After(50*time.Second).Return(card.Ref{}, errors.New("slack.com does not answer"))
	begun := env.Now()
	var delivering time.Time
	env.OnWorkflow(workflows.TypeDeliverCard, anything, anything).Return(nil)
	env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		if info.WorkflowType.Name == workflows.TypeDeliverCard {
			delivering = env.Now()
		}
	})
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.Equal(t, 20*time.Second, delivering.Sub(begun).Round(time.Second))
	require.Empty(t, w.board.cards)
}

func TestDeliveryIsGivenUpAfterNinetyDays(t *testing.T) {
	w, env := drillEnv(t, noPolicy)
	w.slackIsBack(func() bool { return false })
	begun := env.Now()
	_, err := drill(t, env, drillWhere2eat)
	require.NoError(t, err)
	require.ErrorContains(t, env.GetWorkflowErrorByID(delivery), "slack.com does not answer")
	require.WithinDuration(t, begun.Add(90*24*time.Hour), env.Now(), 2*time.Hour)
}
