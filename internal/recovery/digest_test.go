package recovery_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

var update = flag.Bool("update", false, "write the golden files anew")

// requireGolden compares text with a file of testdata; -update writes it.
func requireGolden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

// sunday is half past seven in Berlin.
var sunday = time.Date(2026, 11, 22, 6, 30, 0, 0, time.UTC)

func ago(d time.Duration) *recovery.Duration { return new(recovery.Duration(d)) }

// wellDigest is one with which nothing is wrong.
func wellDigest() *recovery.Digest {
	rto := recovery.NewMeasure(recovery.Duration(time.Hour), 2*time.Minute+time.Second)
	return &recovery.Digest{
		At: sunday, TimeZone: "Europe/Berlin", KeyDrill: new(sunday.Add(-30 * day)),
		Destinations: []recovery.DestinationDigest{{Name: "main"}, {Name: "second"}},
		Services: []recovery.ServiceDigest{{
			Service: "where2eat", Owner: "Rebecca", ReadBack: recovery.NewMeasure(recovery.Duration(time.Hour), 12*time.Minute), ReadBackSource: "app",
			ReadBackSet: "20261122T061800Z-ab12cd", ProvenAge: ago(3 * day), ProvenSet: "20261119T061800Z-ab12cd",
			Sources: []recovery.SourceDigest{
				{Source: "app", Every: recovery.Cadence{Every: "1h"}, Age: ago(12 * time.Minute), RPO: recovery.Duration(time.Hour), Met: true, Expected: 24},
				{Source: "log", Every: recovery.Cadence{Every: "24h", Hour: 3}, Age: ago(4 * time.Hour), RPO: recovery.Duration(day), Met: true, Expected: 1},
			},
			Copies:    []recovery.CopyDigest{{Destination: "main", ProvenAge: ago(3 * day)}, {Destination: "second", ProvenAge: ago(10 * day)}},
			LastDrill: &recovery.DrillDigest{At: sunday.Add(-38 * day), Set: "20261015T070000Z-ab12cd", Verdict: recovery.Proven, RTO: rto},
			NextDrill: time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC),
		}, {
			Service: "shop", Owner: "Sam", ReadBack: recovery.NewMeasure(recovery.Duration(day), 4*time.Hour), ReadBackSource: "db", ProvenAge: ago(4 * time.Hour),
			Sources:   []recovery.SourceDigest{{Source: "db", Age: ago(4 * time.Hour), RPO: recovery.Duration(day), Met: true, Expected: 1}},
			Copies:    []recovery.CopyDigest{{Destination: "main", ProvenAge: ago(4 * time.Hour)}, {Destination: "second", ProvenAge: ago(6 * day)}},
			NextDrill: time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC),
		}},
	}
}

func TestADigestOfGoodNews(t *testing.T) {
	d := wellDigest()
	require.True(t, d.Well())
	d.Conclude()
	require.True(t, d.Well(), "%v", d.Tasks())
	require.Empty(t, d.Tasks())
	require.Equal(t, "Lifeboat: all well, 2 services", d.Subject())
	require.Equal(t, "All is well: 2 services, 2 destinations.", d.Summary())
	requireGolden(t, "digest/well.txt", d.Text())
}

func TestADigestOfBadNews(t *testing.T) {
	d := wellDigest()
	d.KeyDrill = new(sunday.Add(-100 * day))
	d.Destinations[1] = recovery.DestinationDigest{Name: "second", Error: "list sets:\nconnection refused.", Since: sunday.Add(-9 * time.Hour), Behind: 6, Oldest: sunday.Add(-9 * time.Hour)}
	d.Problems = []string{"The schedules are not known: Temporal does not answer"}
	w := &d.Services[0]
	w.ReadBack = recovery.NewMeasure(recovery.Duration(time.Hour), 3*time.Hour)
	w.Sources[0].Age, w.Sources[0].Met = ago(3*time.Hour), false
	w.Sources[1].Missed, w.Sources[1].MissedTimes = 1, []time.Time{sunday.Add(-4*time.Hour - 30*time.Minute)}
	w.ProvenAge = ago(12 * day)
	w.Copies = w.Copies[:1]
	w.Failed = []recovery.FailedRun{{Playbook: "BackupAndVerify", WorkflowID: "BackupAndVerify/where2eat/scheduled", At: sunday.Add(-10 * time.Hour), Reason: "dump app: connection refused"}}
	w.LastDrill = &recovery.DrillDigest{At: sunday.Add(-38 * day), Verdict: recovery.Disproven, Sentence: "recovery set X is DISPROVEN: rows differ"}
	w.NextDrill = time.Time{}
	d.Services[1] = recovery.ServiceDigest{Service: "shop", Owner: "Sam", Trouble: "no destination answered"}
	d.Services = append(d.Services, recovery.ServiceDigest{
		Service: "young", Owner: "Sam", Sources: []recovery.SourceDigest{{Source: "db"}, {Source: "files"}},
		Copies: []recovery.CopyDigest{{Destination: "main", Behind: 1, Oldest: sunday.Add(-7 * time.Hour)}},
	})
	d.Conclude()
	require.False(t, d.Well())
	require.Equal(t, "Lifeboat: 3 of 3 services need you", d.Subject())
	requireGolden(t, "digest/bad.txt", d.Text())

	var lines strings.Builder
	for _, l := range d.Lines() {
		lines.WriteString(l.Label + " | " + l.Value + "\n")
	}
	requireGolden(t, "digest/lines.txt", lines.String())

	first := d.Text()
	d.Conclude()
	require.Equal(t, first, d.Text(), "concluding twice says the same")
}

func TestSubjects(t *testing.T) {
	for want, spoil := range map[string]func(d *recovery.Digest){
		"Lifeboat: where2eat needs you":           func(d *recovery.Digest) { d.Services[0].ProvenAge = nil },
		"Lifeboat: where2eat and shop need you":   func(d *recovery.Digest) { d.Services[0].ProvenAge, d.Services[1].ProvenAge = nil, nil },
		"Lifeboat: second does not answer":        func(d *recovery.Digest) { d.Destinations[1].Error = "refused" },
		"Lifeboat: main and second do not answer": func(d *recovery.Digest) { d.Destinations[0].Error, d.Destinations[1].Error = "refused", "refused" },
		"Lifeboat needs you":                      func(d *recovery.Digest) { d.KeyDrill = nil },
	} {
		d := wellDigest()
		spoil(d)
		d.Conclude()
		require.Equal(t, want, d.Subject())
		require.False(t, d.Well())
	}
	require.False(t, (&recovery.Digest{}).Well(), "nothing is known of no service")
}

func TestWhatIsToBeDone(t *testing.T) {
	for want, spoil := range map[string]func(s *recovery.ServiceDigest){
		"Back up log, of which nothing has been read back: starter backup where2eat": func(s *recovery.ServiceDigest) { s.Sources[1].Age, s.ReadBack = nil, nil },
		"Back up app, the newest of which is 90 minutes old: starter backup where2eat": func(s *recovery.ServiceDigest) {
			s.Sources[0].Age, s.Sources[0].Met = ago(90*time.Minute), false
		},
		"See why app was not backed up at 01:30, 02:30, 03:30, 04:30, 05:30 and 2 times more": func(s *recovery.ServiceDigest) {
			s.Sources[0].Missed = 7
			for h := 6; h > 1; h-- {
				s.Sources[0].MissedTimes = append(s.Sources[0].MissedTimes, sunday.Add(-time.Duration(h)*time.Hour))
			}
		},
		"Prove a backup, the newest proven one is 8 days old: starter verify where2eat": func(s *recovery.ServiceDigest) { s.ProvenAge = ago(8*day + time.Hour) },
		"Prove a backup, none is yet: starter verify where2eat":                         func(s *recovery.ServiceDigest) { s.ProvenAge = nil },
		"Copy what is missing at second, where 2 sets are not there yet, the oldest of 21 November 2026 06:30: starter copy where2eat": func(s *recovery.ServiceDigest) {
			s.Copies[1].Behind, s.Copies[1].Oldest = 2, sunday.Add(-25*time.Hour)
		},
		"See why 48 copies at second are bad, the newest of 06:18: starter verify where2eat --set 20261122T051800Z-ab12cd --copy second": func(s *recovery.ServiceDigest) {
			s.Copies[1].Bad, s.Copies[1].NewestBad = 48, "20261122T051800Z-ab12cd"
		},
		"See why 1 copy at main was not read back, the newest of 06:18: starter verify where2eat --set 20261122T051800Z-ab12cd --copy main --level readBack": func(s *recovery.ServiceDigest) {
			s.Copies[0].Unread, s.Copies[0].NewestUnread = 1, "20261122T051800Z-ab12cd"
		},
		"See why Replicate failed 4 times, last at 05:30: it is not good (replicate/x/second)": func(s *recovery.ServiceDigest) {
			s.Failed = []recovery.FailedRun{{Playbook: "Replicate", WorkflowID: "replicate/x/second", At: sunday.Add(-2 * time.Hour), Reason: "it is not good", Alike: 3}}
		},
		"Rehearse a restore, it was never done and none is planned: starter drill where2eat": func(s *recovery.ServiceDigest) { s.LastDrill, s.NextDrill = nil, time.Time{} },
		"Rehearse a restore, last done on 14 August 2026: starter drill where2eat":           func(s *recovery.ServiceDigest) { s.LastDrill.At = sunday.Add(-100 * day) },
	} {
		d := wellDigest()
		spoil(&d.Services[0])
		d.Conclude()
		require.Equal(t, []string{want}, d.Services[0].Todo)
	}
}

// What catches up by itself is told, but nobody is asked to do anything for a day.
func TestCopiesThatAreOnTheirWay(t *testing.T) {
	d := wellDigest()
	d.Services[0].Copies[1].Behind, d.Services[0].Copies[1].Oldest = 2, sunday.Add(-23*time.Hour)
	d.Conclude()
	require.True(t, d.Well(), "%v", d.Tasks())
	require.Contains(t, d.Text(), "Copies at second: 2 sets are not there yet.")
}

func TestLinesOfDestinations(t *testing.T) {
	line := func(dest recovery.DestinationDigest) string {
		dest.Name = "second"
		d := &recovery.Digest{At: sunday, TimeZone: "Europe/Berlin", Destinations: []recovery.DestinationDigest{dest}}
		require.Len(t, d.Lines(), 1)
		return d.Lines()[0].Value
	}
	require.Equal(t, "holds every copy", line(recovery.DestinationDigest{}))
	require.Equal(t, "48 copies are bad, 1 copy was not read back", line(recovery.DestinationDigest{Bad: 48, Unread: 1}))
	require.Equal(t, "1 copy is bad, 2 copies were not read back, 3 sets are not there yet, the oldest of 05:30",
		line(recovery.DestinationDigest{Bad: 1, Unread: 2, Behind: 3, Oldest: sunday.Add(-2 * time.Hour)}))
}

func TestADigestReadsBack(t *testing.T) {
	d := wellDigest()
	d.Conclude()
	data, err := json.Marshal(d)
	require.NoError(t, err)
	var again recovery.Digest
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, d, &again)
	require.Contains(t, string(data), `"keyDrill":"2026-10-23T06:30:00Z"`)
}
