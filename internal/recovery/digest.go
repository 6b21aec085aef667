package recovery

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Digest says how everything stands, for those who answer for it.
type Digest struct {
	At           time.Time           `json:"at"`
	TimeZone     string              `json:"timeZone"` // IANA name, for the times in texts
	Services     []ServiceDigest     `json:"services"`
	Destinations []DestinationDigest `json:"destinations"`
	KeyDrill     *time.Time          `json:"keyDrill,omitempty"` // the newest key-loss drill that went well, nil if there was none
	Problems     []string            `json:"problems,omitempty"` // what else is not known or not well, one sentence each
	Todo         []string            `json:"todo,omitempty"`     // what concerns no single service; see Conclude
}

// ServiceDigest says how a service stands. Figures are of backups alone, not of the
// sets that restores make for themselves.
type ServiceDigest struct {
	Service string `json:"service"`
	Owner   string `json:"owner"`
	Trouble string `json:"trouble,omitempty"` // why some of this is not known
	// ReadBack is the age of the newest data that was read back, of the source that
	// is nearest to missing its RPO; nil if a source has none.
	ReadBack       *Measure       `json:"readBack,omitempty"`
	ReadBackSource string         `json:"readBackSource,omitempty"`
	ReadBackSet    SetID          `json:"readBackSet,omitempty"`
	ProvenAge      *Duration      `json:"provenAge,omitempty"` // of the newest proven set; nil if there is none
	ProvenSet      SetID          `json:"provenSet,omitempty"`
	Sources        []SourceDigest `json:"sources"`
	Failed         []FailedRun    `json:"failed,omitempty"` // newest first
	Copies         []CopyDigest   `json:"copies"`           // of destinations that answer, in the order of the config
	LastDrill      *DrillDigest   `json:"lastDrill,omitempty"`
	NextDrill      time.Time      `json:"nextDrill,omitzero"` // zero: none is planned
	Todo           []string       `json:"todo,omitempty"`     // see Conclude
}

// SourceDigest says how the backups of a source stand.
type SourceDigest struct {
	Source string    `json:"source"`
	Every  Cadence   `json:"every,omitzero"`
	Age    *Duration `json:"age,omitempty"` // of the newest data that was read back; nil if there is none
	Set    SetID     `json:"set,omitempty"` // that holds it
	RPO    Duration  `json:"rpo"`
	Met    bool      `json:"met"`
	// Expected backups fell due in the last day, Missed of them are not there.
	Expected    int         `json:"expected"`
	Missed      int         `json:"missed"`
	MissedTimes []time.Time `json:"missedTimes,omitempty"` // oldest first
}

// FailedRun is a run that ended badly, the newest of those that are alike.
type FailedRun struct {
	Playbook   string    `json:"playbook"`
	WorkflowID string    `json:"workflowId"`
	At         time.Time `json:"at"` // when it ended
	Reason     string    `json:"reason"`
	Alike      int       `json:"alike,omitempty"` // how many more ended alike
}

// CopyDigest says how the copies of a service's sets at a destination stand.
type CopyDigest struct {
	Destination string    `json:"destination"`
	Behind      int       `json:"behind"`          // sets that it does not hold yet
	Oldest      time.Time `json:"oldest,omitzero"` // when the oldest of them was made
	// Bad copies were disproven there or cannot be read, Unread ones lie there but were
	// not read back; see CopyList.Doubtful.
	Bad          int       `json:"bad,omitempty"`
	NewestBad    SetID     `json:"newestBad,omitempty"`
	Unread       int       `json:"unread,omitempty"`
	NewestUnread SetID     `json:"newestUnread,omitempty"`
	ProvenAge    *Duration `json:"provenAge,omitempty"` // of the newest set that was proven there; nil if there is none
}

// DestinationDigest says how a destination stands.
type DestinationDigest struct {
	Name   string    `json:"name"`
	Error  string    `json:"error,omitempty"`  // why it could not be read
	Since  time.Time `json:"since,omitzero"`   // of the error, if it is known
	Behind int       `json:"behind"`           // sets of all services that it does not hold yet
	Oldest time.Time `json:"oldest,omitzero"`  // when the oldest of them was made
	Bad    int       `json:"bad,omitempty"`    // copies of all services that were disproven there or cannot be read
	Unread int       `json:"unread,omitempty"` // copies of all services that were not read back there
}

// DrillDigest is how a drill ended.
type DrillDigest struct {
	At       time.Time `json:"at"`
	Set      SetID     `json:"set"`
	Verdict  Verdict   `json:"verdict"`
	Sentence string    `json:"sentence"`
	RTO      *Measure  `json:"rto,omitempty"`
}

// How old something may be until somebody must do something.
const (
	ProvenWithin   = Duration(8 * 24 * time.Hour)  // a week, and a day to do it
	DrilledWithin  = Duration(92 * 24 * time.Hour) // a quarter
	catchUpWithin  = Duration(24 * time.Hour)      // missing copies are made once a day at least
	drillGrace     = Duration(7 * 24 * time.Hour)  // to find somebody who starts it
	namedMisses    = 5                             // times of missed backups that are written out
	namedInSubject = 2                             // services
)

// Conclude works out what is to be done from all the figures.
func (d *Digest) Conclude() {
	w := d.words()
	d.Todo = nil
	for _, dest := range d.Destinations {
		if dest.Error == "" {
			continue
		}
		line := "See why destination " + dest.Name + " does not answer"
		if !dest.Since.IsZero() {
			line += " since " + w.moment(dest.Since)
		}
		d.Todo = append(d.Todo, line+": "+oneLine(dest.Error)+". When it does, missing copies are made by themselves")
	}
	for i := range d.Services {
		s := &d.Services[i]
		s.Todo = slices.Concat(s.backupTodo(w), s.provenTodo(w), s.copyTodo(w), s.drillTodo(w))
	}
	switch {
	case d.KeyDrill != nil && d.At.Sub(*d.KeyDrill) > DrilledWithin.Std():
		d.Todo = append(d.Todo, "Try that the recovery kit still opens your backups, last done on "+w.day(*d.KeyDrill)+": starter keys drill --kit FILE")
	case d.KeyDrill == nil && len(d.Todo) == 0: // else it may stand where nobody answers
		d.Todo = append(d.Todo, "Try once that the recovery kit opens your backups: starter keys drill --kit FILE")
	}
}

func (s *ServiceDigest) backupTodo(w words) (todo []string) {
	if s.Trouble != "" {
		return []string{"See why this is not known: " + s.Trouble}
	}
	for _, source := range s.Sources {
		switch {
		case source.Age == nil:
			todo = append(todo, fmt.Sprintf("Back up %s, of which nothing has been read back: starter backup %s", source.Source, s.Service))
		case !source.Met:
			todo = append(todo, fmt.Sprintf("Back up %s, the newest of which is %s old: starter backup %s", source.Source, age(*source.Age), s.Service))
		case source.Missed > 0:
			todo = append(todo, fmt.Sprintf("See why %s was not backed up %s", source.Source, w.times(source.MissedTimes, source.Missed)))
		}
	}
	for _, f := range s.Failed {
		when := "at " + w.moment(f.At)
		if f.Alike > 0 {
			when = count(f.Alike+1, "time") + ", last " + when
		}
		todo = append(todo, fmt.Sprintf("See why %s failed %s: %s (%s)", f.Playbook, when, f.Reason, f.WorkflowID))
	}
	return todo
}

func (s *ServiceDigest) provenTodo(words) []string {
	switch {
	case s.Trouble != "", s.ReadBack == nil: // something else comes first
	case s.ProvenAge == nil:
		return []string{"Prove a backup, none is yet: starter verify " + s.Service}
	case *s.ProvenAge > ProvenWithin:
		return []string{fmt.Sprintf("Prove a backup, the newest proven one is %s old: starter verify %s", age(*s.ProvenAge), s.Service)}
	}
	return nil
}

func (s *ServiceDigest) copyTodo(w words) (todo []string) {
	for _, c := range s.Copies {
		if c.Behind > 0 && w.at.Sub(c.Oldest) > catchUpWithin.Std() {
			todo = append(todo, fmt.Sprintf("Copy what is missing at %s, where %s not there yet, the oldest of %s: %s", c.Destination, areSets(c.Behind), w.moment(c.Oldest), s.copyMissing()))
		}
		if c.Bad > 0 {
			todo = append(todo, fmt.Sprintf("See why %s, the newest of %s: %s", areBad(c.Bad, " at "+c.Destination), w.moment(c.NewestBad.Time()), s.readAgain(c)))
		}
		if c.Unread > 0 {
			todo = append(todo, fmt.Sprintf("See why %s, the newest of %s: %s", wereNotRead(c.Unread, " at "+c.Destination), w.moment(c.NewestUnread.Time()), s.readFirst(c)))
		}
	}
	return todo
}

// copyMissing is the command that makes the copies that are missing.
func (s *ServiceDigest) copyMissing() string { return "starter copy " + s.Service }

// readAgain tries the newest bad copy again, and says what is wrong with it.
func (s *ServiceDigest) readAgain(c CopyDigest) string {
	return fmt.Sprintf("starter verify %s --set %s --copy %s", s.Service, c.NewestBad, c.Destination)
}

// readFirst reads the newest copy back that was not.
func (s *ServiceDigest) readFirst(c CopyDigest) string {
	return fmt.Sprintf("starter verify %s --set %s --copy %s --level readBack", s.Service, c.NewestUnread, c.Destination)
}

func (s *ServiceDigest) drillTodo(w words) []string {
	command := ": starter drill " + s.Service
	switch d := s.LastDrill; {
	case d == nil && s.NextDrill.IsZero() && s.Trouble == "":
		return []string{"Rehearse a restore, it was never done and none is planned" + command}
	case d == nil:
	case d.Verdict != Proven:
		return []string{"Mend what the last drill found, and repeat it: " + oneLine(d.Sentence) + command}
	case Duration(w.at.Sub(d.At)) > DrilledWithin+drillGrace:
		return []string{"Rehearse a restore, last done on " + w.day(d.At) + command}
	}
	return nil
}

// Well says whether nobody needs to do anything. It is true only once Conclude has
// found nothing to do.
func (d *Digest) Well() bool {
	for i := range d.Services {
		if !d.Services[i].Well() {
			return false
		}
	}
	return len(d.Services) > 0 && len(d.Todo) == 0 && len(d.Problems) == 0
}

// Well says whether nobody needs to do anything about the service.
func (s *ServiceDigest) Well() bool { return s.Trouble == "" && len(s.Todo) == 0 }

// Subject says it in a few words, for a mail or a title.
func (d *Digest) Subject() string {
	var need []string
	for i := range d.Services {
		if !d.Services[i].Well() {
			need = append(need, d.Services[i].Service)
		}
	}
	var down []string
	for _, dest := range d.Destinations {
		if dest.Error != "" {
			down = append(down, dest.Name)
		}
	}
	switch {
	case d.Well():
		return "Lifeboat: all well, " + count(len(d.Services), "service")
	case len(need) == 1:
		return "Lifeboat: " + need[0] + " needs you"
	case len(need) > namedInSubject:
		return fmt.Sprintf("Lifeboat: %d of %s need you", len(need), count(len(d.Services), "service"))
	case len(need) > 0:
		return "Lifeboat: " + strings.Join(need, " and ") + " need you"
	case len(down) == 1:
		return "Lifeboat: " + down[0] + " does not answer"
	case len(down) > 1:
		return "Lifeboat: " + strings.Join(down, " and ") + " do not answer"
	}
	return "Lifeboat needs you"
}
