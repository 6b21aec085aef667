package recovery_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// wellEvidence answers every question that can be answered with yes.
func wellEvidence() recovery.Evidence {
	d := wellDigest()
	d.Conclude()
	yes := func(text string) recovery.Finding { return recovery.Finding{Answer: recovery.Yes, Text: text} }
	return recovery.Evidence{
		Plan: &recovery.Plan{
			Service: "where2eat", Destinations: []recovery.DestinationSpec{{Name: "main"}, {Name: "second"}},
			Sources: []recovery.SourceSpec{{Name: "app", Retention: recovery.Retention{Daily: 30}}, {Name: "log", Retention: recovery.Retention{Daily: 30}}},
			Deploy:  &recovery.DeploySpec{Staging: &recovery.StagingDeploySpec{}},
		},
		Digest: d, Standing: &d.Services[0], KeyDrill: true,
		Health: yes("it answers at http://127.0.0.1:8000/ready"), Journey: yes("it passed 3 steps"), Metrics: yes("served at http://127.0.0.1:8080/metrics"),
		Drills: yes("the next on 15 January 2027"), Schedules: yes("5 schedules, no change"), Keys: yes("the oldest is 100 days old"), Switch: yes("pings of worker, backup"),
		Rollback: yes("v1.2 was deployed on 22 November 2026"), Staging: yes("v1.3 worked there on 16 November 2026"),
	}
}

func checklistText(items []recovery.Item) string {
	var b strings.Builder
	for _, i := range items {
		fmt.Fprintf(&b, "%s | %s | %s | %s | %s\n", i.Key, i.Question, i.Answer, i.Evidence, i.Next)
	}
	return b.String()
}

func TestChecklist(t *testing.T) {
	t.Run("all is well", func(t *testing.T) {
		requireGolden(t, "checklist/well.txt", checklistText(recovery.Checklist(wellEvidence())))
	})
	t.Run("nobody looked at anything", func(t *testing.T) {
		items := recovery.Checklist(recovery.Evidence{Plan: &recovery.Plan{Service: "where2eat", Sources: []recovery.SourceSpec{{Name: "app"}}}})
		requireGolden(t, "checklist/unknown.txt", checklistText(items))
		for _, item := range items {
			require.NotEqual(t, recovery.Yes, item.Answer, item.Key)
			require.NotEmpty(t, item.Next, item.Key)
		}
	})
	t.Run("nothing is well", func(t *testing.T) {
		no := recovery.Finding{Answer: recovery.No, Text: "it is not"}
		d := &recovery.Digest{At: sunday, TimeZone: "Europe/Berlin", Services: []recovery.ServiceDigest{{Service: "where2eat", Sources: []recovery.SourceDigest{{Source: "app"}}}}}
		items := recovery.Checklist(recovery.Evidence{
			Plan:   &recovery.Plan{Service: "where2eat", Destinations: []recovery.DestinationSpec{{Name: "main"}}, Sources: []recovery.SourceSpec{{Name: "app"}}},
			Digest: d, Standing: &d.Services[0], KeyDrill: true, Health: no, Journey: no, Metrics: no, Drills: no, Schedules: no, Keys: no, Switch: no, Rollback: no, Staging: no,
		})
		requireGolden(t, "checklist/bad.txt", checklistText(items))
	})
}

func TestChecklistAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		key      string
		spoil    func(e *recovery.Evidence)
		answer   recovery.Answer
		evidence string
	}{
		"RPO missed": {"readBack", func(e *recovery.Evidence) {
			e.Standing.ReadBack = recovery.NewMeasure(recovery.Duration(time.Hour), 2*time.Hour)
		}, recovery.No, "the RPO of 1h is MISSED by 60 minutes"},
		"proven long ago":    {"proven", func(e *recovery.Evidence) { e.Standing.ProvenAge = ago(9 * day) }, recovery.No, "Newest proven backup: 9 days old"},
		"never proven":       {"proven", func(e *recovery.Evidence) { e.Standing.ProvenAge = nil }, recovery.No, "Newest proven backup: NONE"},
		"no bucket":          {"copies", func(e *recovery.Evidence) { e.Standing.Trouble = "no destination answered" }, recovery.NotKnown, "no destination answered"},
		"a copy behind":      {"copies", func(e *recovery.Evidence) { e.Standing.Copies[1].Behind = 2 }, recovery.No, "second: 2 sets are not there yet"},
		"a copy that is bad": {"copies", func(e *recovery.Evidence) { e.Standing.Copies[1].Bad = 48 }, recovery.No, "proven one 3 days old; second: 48 copies are bad"},
		"a copy that was not read back": {
			"copies", func(e *recovery.Evidence) { e.Standing.Copies[1].Unread, e.Standing.Copies[1].Behind = 1, 2 }, recovery.No,
			"second: 1 copy was not read back, 2 sets are not there yet",
		},
		"a copy proven in its turn": {
			"copies", func(e *recovery.Evidence) { e.Standing.Copies[1].ProvenAge = ago(14 * day) }, recovery.Yes,
			"main: all there, the newest proven one 3 days old; second: all there, the newest proven one 14 days old",
		},
		"a copy not proven in its turn": {"copies", func(e *recovery.Evidence) { e.Standing.Copies[1].ProvenAge = ago(16 * day) }, recovery.No, "proven one 16 days old"},
		"a copy never proven":           {"copies", func(e *recovery.Evidence) { e.Standing.Copies[0].ProvenAge = nil }, recovery.No, "main: all there, none proven"},
		"a destination that is down": {
			"copies", func(e *recovery.Evidence) { e.Standing.Copies = e.Standing.Copies[:1] }, recovery.NotKnown,
			"second: not known, it did not answer",
		},
		"a destination that is down beside one behind": {"copies", func(e *recovery.Evidence) {
			e.Standing.Copies = e.Standing.Copies[:1]
			e.Standing.Copies[0].Behind = 1
		}, recovery.No, "second: not known"},
		"an old drill":        {"drill", func(e *recovery.Evidence) { e.Standing.LastDrill.At = sunday.Add(-93 * day) }, recovery.No, "Drill: 21 August 2026, it worked"},
		"a drill that failed": {"drill", func(e *recovery.Evidence) { e.Standing.LastDrill.Verdict = recovery.Disproven }, recovery.No, "it FAILED"},
		"no key drill":        {"keyDrill", func(e *recovery.Evidence) { e.Digest.KeyDrill = nil }, recovery.No, "it was never done"},
		"an old key drill":    {"keyDrill", func(e *recovery.Evidence) { e.Digest.KeyDrill = new(sunday.Add(-93 * day)) }, recovery.No, "last done on 21 August 2026"},
		"key drills not read": {"keyDrill", func(e *recovery.Evidence) { e.Digest.KeyDrill, e.KeyDrill = nil, false }, recovery.NotKnown, "did not answer"},
		"no rollback":         {"rollback", func(e *recovery.Evidence) { e.Rollback = recovery.Finding{Answer: recovery.No, Text: "none is known"} }, recovery.No, "none is known"},
		"staging failed":      {"smokeDeploy", func(e *recovery.Evidence) { e.Staging = recovery.Finding{Answer: recovery.No, Text: "v1.3 FAILED"} }, recovery.No, "v1.3 FAILED"},
		"records not read":    {"rollback", func(e *recovery.Evidence) { e.Rollback = recovery.Finding{Text: "no destination answered"} }, recovery.NotKnown, "no destination answered"},
		"no retention":        {"retention", func(e *recovery.Evidence) { e.Plan.Sources[1].Retention = recovery.Retention{} }, recovery.No, "everything is kept of log"},
	} {
		t.Run(name, func(t *testing.T) {
			e := wellEvidence()
			c.spoil(&e)
			for _, item := range recovery.Checklist(e) {
				if item.Key != c.key {
					require.Contains(t, []recovery.Answer{recovery.Yes, recovery.NotKnown}, item.Answer, item.Key)
					continue
				}
				require.Equal(t, c.answer, item.Answer, item.Evidence)
				require.Contains(t, item.Evidence, c.evidence)
				require.Equal(t, c.answer == recovery.Yes, item.Next == "", "%q", item.Next)
			}
		})
	}
}

// What to do about releases depends on what the config says of them.
func TestWhatToDoAboutReleases(t *testing.T) {
	next := func(deploy *recovery.DeploySpec) map[string]string {
		e := wellEvidence()
		e.Plan.Deploy = deploy
		e.Rollback.Answer, e.Staging.Answer = recovery.No, recovery.No
		by := map[string]string{}
		for _, item := range recovery.Checklist(e) {
			if item.Next != "" {
				by[item.Key] = item.Next
			}
		}
		delete(by, "runbooks")
		return by
	}
	require.Equal(t, map[string]string{"rollback": "write deploy into the config: docs/rollback.md"}, next(nil))
	require.Equal(t, map[string]string{"rollback": "starter rollback where2eat, in a quiet hour"}, next(&recovery.DeploySpec{}))
	require.Equal(t, map[string]string{"rollback": "starter rollback where2eat, in a quiet hour", "smokeDeploy": "starter smoke-deploy where2eat"},
		next(&recovery.DeploySpec{Staging: &recovery.StagingDeploySpec{}}))
}

// The first copy that is not as it should be says what to do.
func TestWhatToDoAboutCopies(t *testing.T) {
	for want, spoil := range map[string]func(s *recovery.ServiceDigest){
		"starter verify where2eat --set 20261122T051800Z-ab12cd --copy second": func(s *recovery.ServiceDigest) {
			s.Copies[1] = recovery.CopyDigest{Destination: "second", Bad: 1, NewestBad: "20261122T051800Z-ab12cd", Behind: 1}
		},
		"starter verify where2eat --set 20261122T051800Z-ab12cd --copy second --level readBack": func(s *recovery.ServiceDigest) {
			s.Copies[1] = recovery.CopyDigest{Destination: "second", Unread: 1, NewestUnread: "20261122T051800Z-ab12cd", Behind: 1}
		},
		"starter copy where2eat":                   func(s *recovery.ServiceDigest) { s.Copies[0].Behind, s.Copies[1].ProvenAge = 1, nil },
		"starter verify where2eat --copy second":   func(s *recovery.ServiceDigest) { s.Copies[1].ProvenAge = nil },
		"starter verify where2eat --copy main":     func(s *recovery.ServiceDigest) { s.Copies[0].ProvenAge = ago(16 * day) },
		"see why the destination does not answer;": func(s *recovery.ServiceDigest) { s.Copies = s.Copies[:1] },
	} {
		e := wellEvidence()
		spoil(e.Standing)
		for _, item := range recovery.Checklist(e) {
			if item.Key == "copies" {
				require.True(t, strings.HasPrefix(item.Next, want), item.Next)
			}
		}
	}
}

func TestAnItemReadsBack(t *testing.T) {
	item := recovery.Item{Key: "keys", Question: "Are the keys fresh?", Answer: recovery.No, Evidence: "the oldest is 400 days old", Next: "starter keys rotate"}
	data, err := json.Marshal(item)
	require.NoError(t, err)
	require.Contains(t, string(data), `"answer":"no"`)
	var again recovery.Item
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, item, again)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"answer":"maybe"}`), &again), `use one of ["notKnown" "yes" "no"]`)
}
