package recovery_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// cadenceTexts have every form that a cadence can have.
var cadenceTexts = []string{
	"1h", "1h at 00:45", "2h", "3h at 02:59", "4h", "6h at 00:30", "8h", "12h at 11:00", "24h", "24h at 02:30",
	"weekly on sunday", "weekly on sunday at 02:30", "monthly on 1", "monthly on 28 at 23:59", "quarterly on 15 at 09:00",
}

func cadence(t *testing.T, text string) recovery.Cadence {
	t.Helper()
	c, err := recovery.ParseCadence(text)
	require.NoError(t, err)
	return c
}

func location(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	require.NoError(t, err)
	return zone
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return at
}

func TestParseCadence(t *testing.T) {
	for text, want := range map[string]recovery.Cadence{
		"":                           {},
		"  ":                         {},
		"never":                      {Every: "never"},
		"1h":                         {Every: "1h"},
		"6h at 00:30":                {Every: "6h", Min: 30},
		"24H AT 03:00":               {Every: "24h", Hour: 3},
		"weekly":                     {Every: "weekly"},
		"Weekly on Saturday":         {Every: "weekly", Day: time.Saturday},
		"weekly  on monday at 04:05": {Every: "weekly", Day: time.Monday, Hour: 4, Min: 5},
		"monthly":                    {Every: "monthly", Date: 1},
		"monthly on 28":              {Every: "monthly", Date: 28},
		"quarterly at 09:00":         {Every: "quarterly", Date: 1, Hour: 9},
		"quarterly on 15 at 23:59":   {Every: "quarterly", Date: 15, Hour: 23, Min: 59},
	} {
		require.Equal(t, want, cadence(t, text), text)
	}
	for text, want := range map[string]string{
		"5h":                           `read cadence "5h": begin with 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h, weekly, monthly, quarterly or never`,
		"24":                           `read cadence "24": begin with 1h`,
		"0h":                           `read cadence "0h": begin with 1h`,
		"at 03:00":                     `read cadence "at 03:00": begin with 1h`,
		"never at 03:00":               `read cadence "never at 03:00": write "never" alone`,
		"6h at 06:00":                  `read cadence "6h at 06:00": the time is that of the first one of the day: write one from 00:00 to 05:59`,
		"1h at 01:00":                  `write one from 00:00 to 00:59`,
		"24h at 24:00":                 `"24:00" is no time of day: write HH:MM, such as 03:00`,
		"24h at 3:00":                  `"3:00" is no time of day`,
		"24h at":                       `write it as EVERY [on DAY] [at HH:MM], such as "6h at 00:30" or "weekly on sunday at 03:00"`,
		"24h 03:00":                    `write it as EVERY`,
		"24h at 03:00 at 04:00":        `write it as EVERY`,
		"weekly on monday on tuesday":  `write it as EVERY`,
		"weekly at 03:00 on monday":    `write it as EVERY`,
		"weekly on monday at 03:00 am": `write it as EVERY`,
		"24h on sunday":                `24h has no day: leave out "on sunday"`,
		"weekly on 15":                 `"15" is no day of the week: write sunday, monday, … saturday`,
		"monthly on 29":                `"29" is no day that every month has: write 1 to 28`,
		"monthly on 0":                 `"0" is no day that every month has`,
		"quarterly on monday":          `"monday" is no day that every month has`,
	} {
		_, err := recovery.ParseCadence(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestCadenceText(t *testing.T) {
	for _, text := range append([]string{"", "never"}, cadenceTexts...) {
		require.Equal(t, text, cadence(t, text).String())
	}
	type schedules struct {
		Verify recovery.Cadence `json:"verify,omitzero"`
		Drill  recovery.Cadence `json:"drill,omitzero"`
	}
	data, err := json.Marshal(schedules{Verify: cadence(t, "weekly")})
	require.NoError(t, err)
	require.JSONEq(t, `{"verify": "weekly on sunday"}`, string(data))
	var back schedules
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, schedules{Verify: recovery.Cadence{Every: "weekly"}}, back)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"verify": "often"}`), &back), `read cadence "often": begin with`)
}

func TestCadenceCalendar(t *testing.T) {
	for text, want := range map[string]recovery.Calendar{
		"never":                     {},
		"6h at 00:30":               {Minute: 30, Hours: []int{0, 6, 12, 18}},
		"8h at 07:00":               {Hours: []int{7, 15, 23}},
		"24h at 03:05":              {Minute: 5, Hours: []int{3}},
		"weekly on friday at 04:00": {Hours: []int{4}, Weekdays: []time.Weekday{time.Friday}},
		"monthly on 15":             {Hours: []int{0}, DaysOfMonth: []int{15}},
		"quarterly on 2 at 09:00": {
			Hours: []int{9}, DaysOfMonth: []int{2},
			Months: []time.Month{time.January, time.April, time.July, time.October},
		},
	} {
		require.Equal(t, want, cadence(t, text).Calendar(), text)
	}
	require.Len(t, cadence(t, "1h").Calendar().Hours, 24)
}

func TestCadencePeriod(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"": 0, "never": 0, "1h": time.Hour, "6h at 00:30": 6 * time.Hour, "24h": day,
		"weekly": 7 * day, "monthly": 31 * day, "quarterly": 92 * day,
	} {
		require.Equal(t, want, cadence(t, text).Period().Std(), text)
	}
	require.Zero(t, recovery.Cadence{Every: "often"}.Period())
}

// TestCadenceIsDue lists all the times that are due after the first one given.
func TestCadenceIsDue(t *testing.T) {
	for name, c := range map[string]struct {
		text, zone, after string
		want              []string
	}{
		"hours of the day": {"8h at 00:30", "Asia/Kathmandu", "2026-11-21T20:00:00Z", []string{
			"2026-11-22T08:30:00+05:45", "2026-11-22T16:30:00+05:45", "2026-11-23T00:30:00+05:45",
		}},
		"each day": {"24h at 03:00", "Asia/Kathmandu", "2026-12-31T03:00:00+05:45", []string{
			"2027-01-01T03:00:00+05:45", "2027-01-02T03:00:00+05:45",
		}},
		"weeks": {"weekly on sunday at 04:00", "Europe/Berlin", "2026-10-18T03:59:00+02:00", []string{
			"2026-10-18T04:00:00+02:00", "2026-10-25T04:00:00+01:00", "2026-11-01T04:00:00+01:00",
		}},
		"months": {"monthly on 28", "Europe/Berlin", "2027-01-28T00:00:00+01:00", []string{
			"2027-02-28T00:00:00+01:00", "2027-03-28T00:00:00+01:00", "2027-04-28T00:00:00+02:00",
		}},
		"quarters": {"quarterly on 15 at 09:00", "America/New_York", "2026-10-15T09:00:00-04:00", []string{
			"2027-01-15T09:00:00-05:00", "2027-04-15T09:00:00-04:00", "2027-07-15T09:00:00-04:00",
		}},
		"a time that is leapt over": {"24h at 02:30", "America/New_York", "2026-03-07T00:00:00-05:00", []string{
			"2026-03-07T02:30:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00",
		}},
		"a time that is shown twice": {"24h at 01:30", "America/New_York", "2026-10-31T02:00:00-04:00", []string{
			"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00",
		}},
		"the week's time is leapt over": {"weekly on sunday at 02:00", "Europe/Berlin", "2026-03-23T00:00:00+01:00", []string{
			"2026-03-29T03:00:00+02:00", "2026-04-05T02:00:00+02:00",
		}},
		"hours in spring": {"1h", "America/New_York", "2026-03-08T00:30:00-05:00", []string{
			"2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00",
		}},
		"half hours in spring": {"1h at 00:30", "Europe/Berlin", "2026-03-29T01:00:00+01:00", []string{
			"2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00",
		}},
		"hours in autumn": {"1h", "Europe/Berlin", "2026-10-25T01:00:00+02:00", []string{
			"2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00", "2026-10-25T04:00:00+01:00",
		}},
		"half hours in autumn": {"1h at 00:30", "America/New_York", "2026-11-01T00:30:00-04:00", []string{
			"2026-11-01T01:30:00-04:00", "2026-11-01T02:30:00-05:00",
		}},
		"half an hour is leapt over": {"24h at 02:15", "Australia/Lord_Howe", "2026-10-03T03:00:00+10:30", []string{
			"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00",
		}},
		"half an hour is shown twice": {"24h at 01:45", "Australia/Lord_Howe", "2026-04-04T02:00:00+11:00", []string{
			"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30",
		}},
		"hours beside half an hour": {"1h", "Australia/Lord_Howe", "2026-04-05T00:00:00+11:00", []string{
			"2026-04-05T01:00:00+11:00", "2026-04-05T02:00:00+10:30", "2026-04-05T03:00:00+10:30",
		}},
		"midnight is leapt over": {"24h", "Africa/Cairo", "2026-04-23T12:00:00+02:00", []string{
			"2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00",
		}},
		"a whole day is leapt over": {"24h at 03:00", "Pacific/Apia", "2011-12-29T03:00:00-10:00", []string{
			"2011-12-31T00:00:00+14:00", "2011-12-31T03:00:00+14:00",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			due, zone, at := cadence(t, c.text), location(t, c.zone), moment(t, c.after)
			require.False(t, due.Last(at, zone).After(at))
			for _, want := range c.want {
				next := due.Next(at, zone)
				require.Equal(t, want, next.Format(time.RFC3339))
				require.Equal(t, next, due.Last(next, zone))
				at = next
			}
		})
	}
}

func TestCadenceNeverDue(t *testing.T) {
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	for _, c := range []recovery.Cadence{{}, {Every: "never"}, {Every: "often"}, {Every: "monthly", Date: 40}, {Every: "1h", Hour: 30}} {
		require.Zero(t, c.Last(now, time.UTC), c)
		require.Zero(t, c.Next(now, time.UTC), c)
	}
	require.Equal(t, now, cadence(t, "1h").Last(now, nil), "no zone is UTC")
	require.Equal(t, now.Add(time.Hour), cadence(t, "1h").Next(now, nil))
}

func TestCadenceLastAndNextAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 1))
	from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Kiritimati", "Pacific/Pago_Pago"} {
		zone := location(t, name)
		nows := []time.Time{}
		for range 100 {
			nows = append(nows, from.Add(time.Duration(random.Int64N(int64(4*365*24*time.Hour)))))
		}
		// Every quarter of an hour where clocks are changed.
		for changed := from.In(zone); changed.Before(from.AddDate(2, 0, 0)); {
			_, changed = changed.ZoneBounds()
			if changed.IsZero() {
				break
			}
			for quarter := range 24 {
				nows = append(nows, changed.Add(time.Duration(quarter-12)*15*time.Minute), changed.Add(time.Duration(quarter-12)*15*time.Minute-1))
			}
		}
		for _, text := range cadenceTexts {
			c := cadence(t, text)
			for _, now := range nows {
				last, next := c.Last(now, zone), c.Next(now, zone)
				about := []any{"%s in %s at %s: last %s, next %s", text, name, now, last, next}
				require.False(t, last.IsZero(), about...)
				require.False(t, last.After(now), about...)
				require.True(t, next.After(now), about...)
				require.Equal(t, last, c.Next(last.Add(-1), zone), about...)
				require.Equal(t, last, c.Last(next.Add(-1), zone), about...)
				require.Equal(t, next, c.Last(next, zone), about...)
				require.LessOrEqual(t, next.Sub(last), c.Period().Std()+time.Hour, about...)
			}
		}
	}
}

func FuzzParseCadence(f *testing.F) {
	for _, text := range append([]string{"", "never", "monthly on 31", "6h at 06:00", "1h on sunday", "24h at 3:00", "weekly at"}, cadenceTexts...) {
		f.Add(text)
	}
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := recovery.ParseCadence(text)
		if err != nil {
			require.Zero(t, c)
			require.ErrorContains(t, err, "read cadence ")
			return
		}
		again, err := recovery.ParseCadence(c.String())
		require.NoError(t, err)
		require.Equal(t, c, again)
		require.Equal(t, c.Never(), c.Next(now, time.UTC).IsZero())
		require.Equal(t, c.Never(), c.Last(now, time.UTC).IsZero())
	})
}
