package release_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// A trial takes one check each ten seconds: "+" passes, "-" fails.
func TestTrial(t *testing.T) {
	const need, grace = 30 * time.Second, 20 * time.Second
	for name, c := range map[string]struct {
		need, grace time.Duration
		checks      string
		want        recovery.Verdict // of the last check; those before are inconclusive
		reason      string
	}{
		"nothing is needed":                 {0, 0, "+", recovery.Proven, ""},
		"nothing is needed but to come up":  {0, grace, "--+", recovery.Proven, "refused 2"},
		"passes at once, and stays":         {need, grace, "++++", recovery.Proven, ""},
		"needs its time":                    {need, grace, "+++", recovery.Inconclusive, ""},
		"needs it without a break":          {need, grace, "+++-+++", recovery.Inconclusive, "refused 4"},
		"a break, then its time":            {need, grace, "+++-++++", recovery.Proven, "refused 4"},
		"one failed check does not condemn": {need, 0, "-", recovery.Inconclusive, "refused 1"},
		"nor do two":                        {need, 0, "+--", recovery.Inconclusive, "refused 3"},
		"three in a row do":                 {need, 0, "+---", recovery.Disproven, "refused 4"},
		"three from the beginning do":       {need, 0, "---", recovery.Disproven, "refused 3"},
		"not in a row":                      {need, 0, "--+--", recovery.Inconclusive, "refused 5"},
		"is given its grace":                {need, time.Minute, "------", recovery.Inconclusive, "refused 6"},
		"never up within the grace":         {need, time.Minute, "-------", recovery.Disproven, "refused 7"},
		"up at the end of the grace":        {need, time.Minute, "------++++", recovery.Proven, "refused 6"},
		"what ran before answered at first": {need, time.Minute, "+---++++", recovery.Proven, "refused 4"},
		"comes and goes":                    {need, 0, "-++-++-++--", recovery.Disproven, "it was not well for 30s without a break: refused 11"},
		"a streak that runs is let run":     {need, 0, "-++-++-++-++++", recovery.Proven, "refused 10"},
	} {
		t.Run(name, func(t *testing.T) {
			trial := release.Trial{Began: noon, Need: c.need, Grace: c.grace}
			var verdicts []recovery.Verdict
			for i, check := range c.checks {
				verdicts = append(verdicts, trial.Take(noon.Add(time.Duration(i)*10*time.Second), check == '+', fmt.Sprintf("refused %d", i+1)))
			}
			last := len(verdicts) - 1
			require.Equal(t, c.want, verdicts[last])
			for i, v := range verdicts[:last] {
				require.Equal(t, recovery.Inconclusive, v, "check %d", i+1)
			}
			require.Equal(t, c.reason, trial.Reason)
			require.Equal(t, len(c.checks), trial.Checks)
		})
	}
}

// Whoever takes the checks may have been away: one failure afterwards is one failure.
func TestTrialThatNobodyWatchedForAWhile(t *testing.T) {
	trial := release.Trial{Began: noon, Need: time.Minute}
	require.Equal(t, recovery.Inconclusive, trial.Take(noon, true, ""))
	require.Equal(t, recovery.Inconclusive, trial.Take(noon.Add(2*hour), false, "refused"))
	require.Equal(t, recovery.Inconclusive, trial.Take(noon.Add(2*hour+10*time.Second), true, ""))
	require.Equal(t, recovery.Inconclusive, trial.Take(noon.Add(3*hour), false, "refused"))
	require.Equal(t, recovery.Disproven, trial.Take(noon.Add(4*hour), false, "refused"), "the third, and it was never well for a minute")
}

func TestTrialKnowsSinceWhenItIsWell(t *testing.T) {
	trial := release.Trial{Began: noon, Need: hour}
	require.Zero(t, trial.Well())
	trial.Take(noon.Add(time.Minute), true, "")
	trial.Take(noon.Add(2*time.Minute), true, "")
	require.Equal(t, noon.Add(time.Minute), trial.Well())
	trial.Take(noon.Add(3*time.Minute), false, "refused")
	require.Zero(t, trial.Well())
}

func TestTrialIsNoEvidenceWhereNobodyWatched(t *testing.T) {
	began := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	trial := release.Trial{Began: began, Need: 20 * time.Minute}
	for _, minute := range []int{0, 5, 10} { // a quarter of what is needed, at most
		require.Equal(t, recovery.Inconclusive, trial.Take(began.Add(time.Duration(minute)*time.Minute), true, ""))
	}
	require.Equal(t, began, trial.Well())
	require.Equal(t, recovery.Inconclusive, trial.Take(began.Add(25*time.Minute), true, ""), "nobody looked for a quarter of an hour")
	require.Equal(t, began.Add(25*time.Minute), trial.Well())
}
