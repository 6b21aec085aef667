package release

import (
	"fmt"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// badAfter is how many checks must fail for a release to be bad: fewer may be the
// network's fault.
const badAfter = 3

// unwatched is how long there may be no check, or a quarter of the time that is needed,
// without a streak coming to its end: what nobody saw is no evidence.
const unwatched = 2 * time.Minute

// Trial watches the checks of a running service until they tell whether it is well.
type Trial struct {
	Began time.Time
	Need  time.Duration // how long it must pass its checks without a break
	// Grace is how long it may take to come up: until then nothing condemns it, even if
	// what ran before still answered at first.
	Grace time.Duration

	since  time.Time // of the present streak of passed checks; zero: the last one failed
	seen   time.Time // the last check
	row    int       // failures in a row
	late   int       // failures after the grace
	Checks int
	Reason string // of the last failure
}

// Take takes one check, and says whether it is known by now: proven, disproven, or
// inconclusive as long as it is not.
func (t *Trial) Take(at time.Time, ok bool, reason string) recovery.Verdict {
	t.Checks++
	if at.Sub(t.seen) > max(t.Need/4, unwatched) {
		t.since = time.Time{}
	}
	t.seen = at
	if ok {
		return t.pass(at)
	}
	return t.fail(at, reason)
}

func (t *Trial) pass(at time.Time) recovery.Verdict {
	t.row = 0
	if t.since.IsZero() {
		t.since = at
	}
	if at.Sub(t.since) >= t.Need {
		return recovery.Proven
	}
	return recovery.Inconclusive
}

func (t *Trial) fail(at time.Time, reason string) recovery.Verdict {
	t.since, t.Reason = time.Time{}, reason
	t.row++
	over := at.Sub(t.Began) - t.Grace
	if over < 0 {
		return recovery.Inconclusive
	}
	t.late++
	switch {
	case t.row >= badAfter:
		return recovery.Disproven
	case t.late >= badAfter && over > 3*t.Need: // it comes and goes
		t.Reason = fmt.Sprintf("it was not well for %s without a break: %s", recovery.Duration(t.Need), reason)
		return recovery.Disproven
	}
	return recovery.Inconclusive
}

// Well is since when it has passed its checks without a break; zero if it does not.
func (t *Trial) Well() time.Time { return t.since }
