package release

import (
	"fmt"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// StagedWithin is how often a release should be tried on staging: a smoke deploy runs
// every week, and one of them may fall out.
const StagedWithin = recovery.Duration(14 * 24 * time.Hour)

// RollbackTried says whether a rollback went well lately, and what is known of the
// last one that did.
func RollbackTried(records []Record, now time.Time) (ok bool, text string) {
	last := newest(records, func(r *Record) bool { return r.Kind == Deployed && r.Verdict == recovery.Proven })
	if last == nil {
		return false, "no rollback is known that went well"
	}
	text = fmt.Sprintf("%s was deployed on %s", last.Tag, day(last.At))
	if last.Took > 0 {
		text += fmt.Sprintf(", and the service was well after %s", last.Took)
	}
	return within(last, now, recovery.DrilledWithin), text
}

// StagingTried says whether the newest try on staging went well, and lately.
func StagingTried(records []Record, now time.Time) (ok bool, text string) {
	last := newest(records, func(r *Record) bool { return r.Kind == Staged })
	if last == nil {
		return false, "no release was tried on staging"
	}
	words := map[recovery.Verdict]string{recovery.Proven: "worked", recovery.Disproven: "FAILED", recovery.Inconclusive: "taught nothing"}
	text = fmt.Sprintf("%s %s there on %s", last.Tag, words[last.Verdict], day(last.At))
	if last.Verdict != recovery.Proven && last.Sentence != "" {
		text += ": " + last.Sentence
	}
	return last.Verdict == recovery.Proven && within(last, now, StagedWithin), text
}

// newest is the last of the records that are asked for; nil if there is none.
func newest(records []Record, asked func(*Record) bool) (last *Record) {
	for i := range records {
		if r := &records[i]; asked(r) && (last == nil || r.At.After(last.At)) {
			last = r
		}
	}
	return last
}

func within(r *Record, now time.Time, limit recovery.Duration) bool {
	return now.Sub(r.At) <= limit.Std()
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006") }
