package recovery_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestLeap(t *testing.T) {
	from := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ cadence, zone, day, clear string }{
		{"24h at 02:30", "Europe/Berlin", "2027-03-28", "24h at 03:30"},
		{"24h at 03:00", "Europe/Berlin", "", "24h at 03:00"},
		{"24h at 03:00", "Europe/Helsinki", "2027-03-28", "24h at 04:00"},
		{"24h at 02:00", "America/New_York", "2027-03-14", "24h at 03:00"},
		{"24h", "Africa/Cairo", "2027-04-30", "24h at 01:00"},
		{"weekly on sunday at 02:30", "Europe/Berlin", "2027-03-28", "weekly on sunday at 03:30"},
		{"weekly on monday at 02:30", "Europe/Berlin", "", "weekly on monday at 02:30"},
		{"monthly on 28 at 02:00", "Europe/Berlin", "2027-03-28", "monthly on 28 at 03:00"},
		{"quarterly on 15 at 02:30", "Europe/Berlin", "", "quarterly on 15 at 02:30"},
		{"12h at 02:30", "Europe/Berlin", "", "12h at 02:30"},
		{"24h at 02:30", "UTC", "", "24h at 02:30"},
		{"never", "Europe/Berlin", "", "never"},
	} {
		t.Run(c.cadence+" in "+c.zone, func(t *testing.T) {
			cadence, err := recovery.ParseCadence(c.cadence)
			require.NoError(t, err)
			zone, err := time.LoadLocation(c.zone)
			require.NoError(t, err)
			day, leapt := cadence.Leap(from, zone)
			require.Equal(t, c.day != "", leapt)
			if leapt {
				require.Equal(t, c.day, day.Format(time.DateOnly))
			}
			require.Equal(t, c.clear, cadence.Clear(from, zone).String())
		})
	}
}
