package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

var waitingSince = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

// requestOf is an open request that offers choices.
func requestOf(choices ...approval.Choice) *approval.Book {
	return &approval.Book{Request: approval.Request{
		ID: "run-1", Run: recovery.RunRef{WorkflowID: "Rollback/where2eat/1"}, What: "Roll back where2eat: choose how", Where: "PRODUCTION",
		RequestedBy: "sam", Policy: recovery.PolicySpec{Approvers: []string{"rebecca", "sam"}, Needed: 1},
		Asked: waitingSince, Expires: waitingSince.Add(time.Hour), Choices: choices,
	}}
}

var (
	deployV1 = approval.Choice{Key: "deploy:v1", Label: "Deploy v1", Detail: "good since Monday"}
	flagOff  = approval.Choice{Key: "flagOff", Label: "Turn the flag off"}
)

func TestDescribeRequest(t *testing.T) {
	const head = "Roll back where2eat: choose how\n  run            Rollback/where2eat/1\n  where          PRODUCTION\n" +
		"  asked by       sam\n  decided by     rebecca; 0 of 1 so far\n  expires        2026-11-22 19:00:00 UTC, in 1h\n"
	const reject = "                 starter decide Rollback/where2eat/1 reject --reason \"…\"\n"
	confirmed := requestOf(deployV1)
	confirmed.Request.Confirm = "where2eat"
	for name, test := range map[string]struct {
		book *approval.Book
		want string
	}{
		"nothing to choose": {requestOf(), "  to decide      starter decide Rollback/where2eat/1 approve\n"},
		"two choices": {
			requestOf(deployV1, flagOff),
			"  choose         deploy:v1: Deploy v1, good since Monday\n                 flagOff: Turn the flag off\n" +
				"  to decide      starter decide Rollback/where2eat/1 approve --choose deploy:v1\n" +
				"                 starter decide Rollback/where2eat/1 approve --choose flagOff\n",
		},
		"typed, too": {
			confirmed,
			"  choose         deploy:v1: Deploy v1, good since Monday\n" +
				"  to decide      starter decide Rollback/where2eat/1 approve --confirm where2eat --choose deploy:v1\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, head+test.want+reject, describeRequest(test.book, waitingSince))
		})
	}
}

func TestWhatIsApprovedMustBeOneOfTheChoices(t *testing.T) {
	for name, test := range map[string]struct {
		book   *approval.Book
		choose string
		want   string
	}{
		"nothing to choose":               {requestOf(), "", ""},
		"nothing to choose, but chosen":   {requestOf(), "flagOff", "starter: error: approve: there is nothing to choose here\nstarter: hint: leave --choose out\n"},
		"the only one":                    {requestOf(deployV1), "", ""},
		"one of two":                      {requestOf(deployV1, flagOff), "flagOff", ""},
		"none of two":                     {requestOf(deployV1, flagOff), "", "starter: error: approve: choose one of deploy:v1 (Deploy v1), flagOff (Turn the flag off)\nstarter: hint: add --choose deploy:v1\n"},
		"another than the only one":       {requestOf(flagOff), "v1", "starter: error: approve: there is no choice \"v1\": choose one of flagOff (Turn the flag off)\nstarter: hint: add --choose flagOff\n"},
		"its label, which is not its key": {requestOf(flagOff), "Turn the flag off", "starter: error: approve: there is no choice \"Turn the flag off\": choose one of flagOff (Turn the flag off)\nstarter: hint: add --choose flagOff\n"},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&decision{choose: test.choose}).checkChoice(&test.book.Request)
			var stderr bytes.Buffer
			(&cli{stderr: &stderr}).printError(err)
			require.Equal(t, test.want, stderr.String())
			if test.want != "" {
				require.Equal(t, exitUsage, codeOf(err))
			}
		})
	}
}

// What is bad usage whatever the run waits for is said before anything is asked.
func TestDecideUsage(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no such decision":   {[]string{"maybe"}, `read decision "maybe": write approve or reject`},
		"reject, unreasoned": {[]string{"reject"}, "reject: a rejection needs a reason"},
		"reject, choosing":   {[]string{"reject", "--reason", "no", "--choose", "deploy:v1"}, "reject: --choose says what is approved"},
		"snooze, choosing":   {[]string{"snooze", "--choose", "deploy:v1"}, "snooze: --choose says what is approved"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := (&cli{stdout: &stdout, stderr: &stderr}).run(t.Context(), append([]string{"decide", "Rollback/where2eat/1"}, test.args...))
			require.Equal(t, exitUsage, code)
			require.Contains(t, stderr.String(), "starter: error: "+test.want+"\n")
			require.Empty(t, stdout.String())
		})
	}
}

func TestTimelineSaysWhatWasChosen(t *testing.T) {
	args, err := converter.GetDefaultDataConverter().ToPayloads(approval.Decision{
		Verdict: approval.Approve, Choice: "deploy:v1", Claim: approval.Claim{By: "rebecca", Via: approval.ViaSlack},
	})
	require.NoError(t, err)
	require.Equal(t, "approve by rebecca (slack), who chose deploy:v1", decisionText(args))
}
