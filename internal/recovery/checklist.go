package recovery

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Answer is what evidence says to a question. The zero value is never the good one.
type Answer int

// The answers.
const (
	NotKnown Answer = iota
	Yes
	No
)

var answerNames = []string{"notKnown", "yes", "no"}

// String returns the name used in JSON.
func (a Answer) String() string { return nameOf(answerNames, int(a)) }

// MarshalText writes the name.
func (a Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads a name; an unknown one is an error that lists the known.
func (a *Answer) UnmarshalText(text []byte) error {
	i, err := indexOf("answer", answerNames, string(text))
	*a = Answer(i)
	return err
}

// Item is one line of the checklist that says whether a service is ready for the
// worst.
type Item struct {
	Key      string `json:"key"` // stays the same, for programs
	Question string `json:"question"`
	Answer   Answer `json:"answer"`
	Evidence string `json:"evidence"`       // what the answer rests on
	Next     string `json:"next,omitempty"` // what to do; empty where the answer is yes
}

// Finding is what looking at something showed. Its zero value says that nobody
// looked.
type Finding struct {
	Answer Answer
	Text   string
}

// Evidence is what a checklist is answered from.
type Evidence struct {
	Plan     *Plan
	Digest   *Digest        // the figures; nil: not known
	Standing *ServiceDigest // the service's own; nil: not known
	// KeyDrill says whether the destination was asked for key-loss drills.
	KeyDrill bool

	Health    Finding // the running service answers
	Journey   Finding // and passes its journey
	Metrics   Finding // the worker's metrics are served
	Drills    Finding // a drill is planned in Temporal
	Schedules Finding // Temporal's schedules are those of the config
	Keys      Finding // no key in use is older than KeysWithin
	Switch    Finding // somebody else notices silence
	Rollback  Finding // a rollback went well lately
	Staging   Finding // the newest try of a release on staging went well, and lately
}

// KeysWithin is how old a key may be until it should be replaced.
const KeysWithin = Duration(365 * 24 * time.Hour)

// Checklist answers from evidence whether the service is ready.
func Checklist(e Evidence) []Item {
	p, check := e.Plan, "starter check "+e.Plan.Service
	items := []Item{
		e.Health.item("health", "Does the running service answer?", "write live.baseURL and live.ready into the config, and see that the service runs"),
		e.Journey.item("journey", "Does it pass its journey?", "write live.journey into the config, and mend what it finds"),
		e.Metrics.item("metrics", "Can Lifeboat's metrics be read?", "watch /ready of the worker meanwhile"),
	}
	items = append(items, e.backupItems()...)
	items = append(items, Finding{Text: "this version of Lifeboat has no runbooks"}.item("runbooks", "Is there a runbook for each alert?", "keep a page that says what to do, where everybody finds it"))
	items = append(items, e.releaseItems()...)
	items = append(items,
		e.drillItem(),
		e.Drills.item("drillsPlanned", "Are drills planned?", "starter schedules apply"),
		e.Schedules.item("schedules", "Does Temporal have the schedules of the config?", "starter schedules plan"),
		e.keyDrillItem(),
		e.Keys.item("keys", "Are the keys fresh?", "starter keys rotate"),
		retentionOf(p).item("retention", "Is it said how many sets are kept?", "write retention into the config: until then nothing is removed, and costs grow"),
		e.Switch.item("deadMansSwitch", "Does somebody else notice when Lifeboat is silent?", "set worker.ping and the service's pings in the config: docs/dead-mans-switch.md"),
		destinationsOf(p).item("destinations", "Are there two destinations?", "add a second destination, with another provider, to the config"),
	)
	for i := range items {
		if items[i].Answer == Yes {
			items[i].Next = ""
		}
		if items[i].Evidence == "" {
			items[i].Evidence = "nobody looked"
			items[i].Next = check
		}
	}
	return items
}

func (f Finding) item(key, question, next string) Item {
	return Item{Key: key, Question: question, Answer: f.Answer, Evidence: oneLine(f.Text), Next: next}
}

// finding is yes or no.
func finding(yes bool, format string, args ...any) Finding {
	f := Finding{Answer: No, Text: fmt.Sprintf(format, args...)}
	if yes {
		f.Answer = Yes
	}
	return f
}

// releaseItems ask for staging only where there is one.
func (e *Evidence) releaseItems() []Item {
	d, name := e.Plan.Deploy, e.Plan.Service
	next := "starter rollback " + name + ", in a quiet hour"
	if d == nil {
		next = "write deploy into the config: docs/rollback.md"
	}
	items := []Item{e.Rollback.item("rollback", "Was a rollback tried within the last 92 days?", next)}
	if d != nil && d.Staging != nil {
		items = append(items, e.Staging.item("smokeDeploy", "Was the newest release tried on staging within the last 14 days?", "starter smoke-deploy "+name))
	}
	return items
}

func (e *Evidence) backupItems() []Item {
	readBack, proven := e.backups()
	copies, next := e.copies()
	name := e.Plan.Service
	return []Item{
		readBack.item("readBack", "Was the newest backup read back, within the RPO?", "starter backup "+name),
		proven.item("proven", "Is a backup of the last 8 days proven?", "starter verify "+name),
		copies.item("copies", "Is every copy there and proven?", next),
	}
}

func (e *Evidence) backups() (readBack, proven Finding) {
	s := e.Standing
	if s == nil || s.Trouble != "" {
		return e.notRead(), e.notRead()
	}
	readBack = finding(s.ReadBack != nil && s.ReadBack.Met, "%s", s.readBackLine())
	proven = finding(s.ProvenAge != nil && *s.ProvenAge <= ProvenWithin, "%s", s.provenLine())
	return readBack, proven
}

// notRead is the answer where the sets are not known.
func (e *Evidence) notRead() Finding {
	if e.Standing == nil {
		return Finding{Text: "the sets were not read"}
	}
	return Finding{Text: e.Standing.Trouble}
}

// copies looks at each destination, and says what to do about the first that is not
// as it should be. Weekly verification takes them in turn, so that each has as many
// weeks as there are.
func (e *Evidence) copies() (f Finding, next string) {
	s := e.Standing
	if s == nil {
		return e.notRead(), "starter check " + e.Plan.Service
	}
	if s.Trouble != "" {
		return e.notRead(), seeDestination
	}
	within := ProvenWithin + Duration(7*24*time.Hour)*Duration(len(e.Plan.Destinations)-1)
	f, known := Finding{Answer: Yes}, map[string]bool{}
	var texts []string
	for _, c := range s.Copies {
		known[c.Destination] = true
		text, do := s.copyFinding(c, within)
		texts = append(texts, c.Destination+": "+text)
		if do != "" {
			f.Answer, next = No, cmp.Or(next, do)
		}
	}
	for _, d := range e.Plan.Destinations {
		if known[d.Name] {
			continue
		}
		texts = append(texts, d.Name+": not known, it did not answer")
		if f.Answer == Yes {
			f.Answer, next = NotKnown, seeDestination
		}
	}
	f.Text = strings.Join(texts, "; ")
	return f, next
}

const seeDestination = "see why the destination does not answer; when it does, missing copies are made by themselves"

// copyFinding says how the copies at a destination stand, and what to do; nothing if
// all are as they should be.
func (s *ServiceDigest) copyFinding(c CopyDigest, within Duration) (text, do string) {
	what := strings.Join(c.lacks(), ", ")
	switch {
	case c.Bad > 0:
		return what, s.readAgain(c)
	case c.Unread > 0:
		return what, s.readFirst(c)
	case c.Behind > 0:
		return what, s.copyMissing()
	case c.ProvenAge == nil:
		return "all there, none proven", "starter verify " + s.Service + " --copy " + c.Destination
	}
	text = "all there, the newest proven one " + age(*c.ProvenAge) + " old"
	if *c.ProvenAge > within {
		do = "starter verify " + s.Service + " --copy " + c.Destination
	}
	return text, do
}

func (e *Evidence) drillItem() Item {
	f := Finding{Text: "the sets were not read"}
	if s := e.Standing; s != nil && s.LastDrill != nil {
		d := s.LastDrill
		recent := Duration(e.Digest.At.Sub(d.At)) <= DrilledWithin
		f = finding(recent && d.Verdict == Proven, "%s", s.drillLine(e.Digest.words()))
	} else if s != nil && s.Trouble == "" {
		f = finding(false, "no drill is known")
	}
	return f.item("drill", "Was a restore rehearsed within the last 92 days?", "starter drill "+e.Plan.Service)
}

func (e *Evidence) keyDrillItem() Item {
	var f Finding
	switch {
	case e.Digest == nil || !e.KeyDrill:
		f.Text = "the destination that keeps the reports did not answer"
	case e.Digest.KeyDrill == nil:
		f = finding(false, "it was never done")
	default:
		at := *e.Digest.KeyDrill
		f = finding(Duration(e.Digest.At.Sub(at)) <= DrilledWithin, "last done on %s", e.Digest.words().day(at))
	}
	return f.item("keyDrill", "Did the recovery kit open a backup within the last 92 days?", "starter keys drill --kit FILE")
}

func retentionOf(p *Plan) Finding {
	var without []string
	for _, s := range p.Sources {
		if s.Retention == (Retention{}) {
			without = append(without, s.Name)
		}
	}
	if len(without) > 0 {
		return finding(false, "everything is kept of %s", strings.Join(without, ", "))
	}
	return finding(true, "for each of %s", count(len(p.Sources), "source"))
}

func destinationsOf(p *Plan) Finding {
	var names []string
	for _, d := range p.Destinations {
		names = append(names, d.Name)
	}
	return finding(len(names) > 1, "%s", strings.Join(names, ", "))
}
