package recovery_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestDue(t *testing.T) {
	source := func(name, every string) recovery.SourceSpec {
		return recovery.SourceSpec{Name: name, Every: cadence(t, every)}
	}
	sources := []recovery.SourceSpec{source("app", "1h"), source("files", "24h at 03:00"), source("config", "never"), source("old", "")}
	zone := location(t, "Europe/Berlin")
	now := moment(t, "2026-11-22T03:00:10+01:00")
	all := func(text string) map[string]time.Time {
		at := moment(t, text)
		return map[string]time.Time{"app": at, "files": at, "config": at, "old": at}
	}
	for name, c := range map[string]struct {
		newest map[string]time.Time
		now    time.Time
		want   []string
	}{
		"none has anything":             {nil, now, []string{"app", "files", "config", "old"}},
		"all are from before":           {all("2026-11-22T02:59:59+01:00"), now, []string{"app", "files"}},
		"just taken":                    {all("2026-11-22T03:00:00+01:00"), now, nil},
		"an hour later":                 {all("2026-11-22T03:00:10+01:00"), now.Add(time.Hour), []string{"app"}},
		"ten days later":                {all("2026-11-22T03:00:10+01:00"), now.Add(10 * day), []string{"app", "files"}},
		"a new source":                  {map[string]time.Time{"app": now, "files": now, "old": now}, now, []string{"config"}},
		"the clock was ahead back then": {all("2026-11-23T00:00:00+01:00"), now, nil},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, recovery.Due(sources, c.newest, zone, c.now))
		})
	}
	// At 03:00 in Berlin it is 02:00 in UTC: files is not due there yet.
	require.Equal(t, []string{"app"}, recovery.Due(sources, all("2026-11-22T02:59:59+01:00"), time.UTC, now))
}

func TestMissed(t *testing.T) {
	zone := location(t, "Europe/Berlin")
	at := func(text string) time.Time { return moment(t, "2026-10-"+text) }
	for name, c := range map[string]struct {
		every     string
		snapshots []time.Time
		from, now time.Time
		want      []string
	}{
		"all came, one late": {
			"6h",
			[]time.Time{at("22T00:00:05+02:00"), at("22T06:00:00+02:00"), at("22T17:59:59+02:00")},
			at("21T23:00:00+02:00"), at("22T18:05:00+02:00"), nil,
		},
		"two were missed": {
			"6h", []time.Time{at("22T18:00:00+02:00"), at("22T00:00:05+02:00")}, // in any order
			at("21T23:00:00+02:00"), at("22T23:00:00+02:00"), []string{"2026-10-22T06:00:00+02:00", "2026-10-22T12:00:00+02:00"},
		},
		"after from only": {
			"6h", nil, at("22T06:00:00+02:00"), at("22T12:30:00+02:00"), []string{"2026-10-22T12:00:00+02:00"},
		},
		"the last may still come": {
			"6h", nil, at("22T06:00:00+02:00"), at("22T12:29:59+02:00"), nil,
		},
		"clocks put back": {
			"24h at 02:30",
			[]time.Time{at("26T02:30:00+01:00")},
			at("24T12:00:00+02:00"), at("26T12:00:00+01:00"),
			[]string{"2026-10-25T02:30:00+02:00"},
		},
		"never": {"never", nil, at("01T00:00:00+02:00"), at("22T00:00:00+02:00"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var missed []string
			for _, m := range recovery.Missed(cadence(t, c.every), c.snapshots, zone, c.from, c.now, 30*time.Minute) {
				missed = append(missed, m.Format(time.RFC3339))
			}
			require.Equal(t, c.want, missed)
		})
	}
}
