package recovery

import (
	"fmt"
	"regexp"
	"time"
)

// SetID names a recovery set. It sorts by time: 20261122T180000Z-ab12cd.
type SetID string

const setTime = "20060102T150405Z"

var setIDForm = regexp.MustCompile(`^\d{8}T\d{6}Z-[0-9a-f]{6}$`)

// NewSetID makes the id of a set begun at t; suffix is six lower-case
// hexadecimal digits.
func NewSetID(t time.Time, suffix string) SetID {
	return SetID(t.UTC().Format(setTime) + "-" + suffix)
}

// ParseSetID checks the form of an id.
func ParseSetID(s string) (SetID, error) {
	if !setIDForm.MatchString(s) {
		return "", fmt.Errorf("read set id %q: it must look like 20261122T180000Z-ab12cd", s)
	}
	if _, err := time.Parse(setTime, s[:16]); err != nil {
		return "", fmt.Errorf("read set id %q: its first part is not a time", s)
	}
	return SetID(s), nil
}

// Time returns when the set was begun, or the zero time if the id is malformed.
func (id SetID) Time() time.Time {
	if len(id) < 16 {
		return time.Time{}
	}
	t, err := time.Parse(setTime, string(id[:16]))
	if err != nil {
		return time.Time{}
	}
	return t
}
