package recovery

import "time"

// PrunedSet says how removing a set from a destination went. If anything of it may
// not be removed yet, nothing was.
type PrunedSet struct {
	Removed     int       `json:"removed"` // objects, versions counted
	Freed       int64     `json:"freed"`   // sealed bytes
	LockedUntil time.Time `json:"lockedUntil,omitzero"`
	Hold        bool      `json:"hold,omitempty"`    // a legal hold is on it
	Refused     string    `json:"refused,omitempty"` // why the server does not let it be removed
	Waits       string    `json:"waits,omitempty"`   // the run that may be reading it
}

// Gone says whether the set was removed completely.
func (p *PrunedSet) Gone() bool {
	return p.LockedUntil.IsZero() && !p.Hold && p.Refused == "" && p.Waits == ""
}

// Thawing says whether a set can be read at a destination where some of it lies in
// cold storage.
type Thawing struct {
	Ready    bool     `json:"ready"`
	Class    string   `json:"class,omitempty"`    // the coldest that something lies in
	Expected Duration `json:"expected,omitempty"` // until all can be read
	Objects  int      `json:"objects,omitempty"`  // that cannot be read yet
}
