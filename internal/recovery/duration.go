package recovery

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that reads and writes as text: "90s", "30m",
// "24h", and also whole days and weeks: "7d", "2w".
type Duration time.Duration

// ParseDuration reads a positive duration.
func ParseDuration(s string) (Duration, error) {
	unit := time.Duration(0)
	switch {
	case strings.HasSuffix(s, "d"):
		unit = 24 * time.Hour
	case strings.HasSuffix(s, "w"):
		unit = 7 * 24 * time.Hour
	}
	if unit > 0 {
		n, err := strconv.Atoi(s[:len(s)-1])
		if err != nil || n <= 0 || time.Duration(n) > (1<<62)/unit {
			return 0, badDuration(s)
		}
		return Duration(time.Duration(n) * unit), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, badDuration(s)
	}
	return Duration(d), nil
}

func badDuration(s string) error {
	return fmt.Errorf("read duration %q: write a positive number with a unit, such as 90s, 30m, 24h or 7d", s)
}

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String drops the zero parts that time.Duration writes: "24h", not "24h0m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes the text form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text form; zero is written as "0s".
func (d *Duration) UnmarshalText(text []byte) error {
	if string(text) == "0s" {
		*d = 0
		return nil
	}
	v, err := ParseDuration(string(text))
	*d = v
	return err
}
