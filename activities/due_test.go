package activities_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// The clock in a bubble begins on 2000-01-01 at 00:00 UTC.
func TestPlanSet(t *testing.T) {
	hourly, daily := recovery.Cadence{Every: "1h"}, recovery.Cadence{Every: "24h", Hour: 3}
	for name, c := range map[string]struct {
		now         time.Duration // after midnight
		app, notes  time.Duration // when they were dumped last; zero: never
		zone        string
		dump, refer []string
	}{
		"at 04:00, hourly alone":      {4 * time.Hour, 3 * time.Hour, 3 * time.Hour, "UTC", []string{"app"}, []string{"notes"}},
		"at 03:00, both":              {3 * time.Hour, 2 * time.Hour, -21 * time.Hour, "UTC", []string{"app", "notes"}, nil},
		"at 04:30, nothing":           {4*time.Hour + 30*time.Minute, 4 * time.Hour, 3 * time.Hour, "UTC", nil, []string{"app", "notes"}},
		"never dumped":                {4 * time.Hour, 0, 0, "UTC", []string{"app", "notes"}, nil},
		"one was never dumped":        {4*time.Hour + 30*time.Minute, 4 * time.Hour, 0, "UTC", []string{"notes"}, []string{"app"}},
		"what was missed is made up":  {10*time.Hour + 30*time.Minute, 4 * time.Hour, -21 * time.Hour, "UTC", []string{"app", "notes"}, nil},
		"03:00 in Berlin is at 02:00": {2 * time.Hour, time.Hour, time.Hour, "Europe/Berlin", []string{"app", "notes"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				midnight := time.Now()
				b := newBay("main")
				for source, dumped := range map[string]time.Duration{"app": c.app, "notes": c.notes} {
					if dumped != 0 {
						suffix := map[string]string{"app": "00000a", "notes": "00000b"}[source]
						b["main"].add(recovery.NewSetID(midnight.Add(dumped), suffix), source, source)
					}
				}
				time.Sleep(c.now)
				out, err := run[*activities.SetPlan](t, (&activities.Backups{Stores: b}).PlanSet, activities.PlanSetInput{
					Service: service, TimeZone: c.zone, Destination: specs("main")[0],
					Sources: []recovery.SourceSpec{{Name: "app", Every: hourly}, {Name: "notes", Every: daily}},
				})
				require.NoError(t, err)
				require.Equal(t, c.dump, out.Dump)
				var refer []string
				for _, a := range out.Refer {
					refer = append(refer, a.Source)
					require.Contains(t, b["main"].manifests, a.Set, "in whose folder its objects lie")
				}
				require.Equal(t, c.refer, refer)
			})
		})
	}
}

func TestPlanSetInAnUnknownTimeZone(t *testing.T) {
	_, err := run[*activities.SetPlan](t, (&activities.Backups{Stores: newBay("main")}).PlanSet, activities.PlanSetInput{TimeZone: "Europe/Atlantis", Destination: specs("main")[0]})
	kind, message := fails(t, err)
	require.Equal(t, activities.ErrorPermanent, kind)
	require.Equal(t, "unknown time zone Europe/Atlantis (mend timeZone in the config)", message)
}
