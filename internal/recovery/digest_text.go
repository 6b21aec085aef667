package recovery

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// DigestLine is a labelled line of a digest.
type DigestLine struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// Text writes the digest as a mail: what is to be done, then how each service
// stands.
func (d *Digest) Text() string {
	w := d.words()
	var b strings.Builder
	b.WriteString(d.Summary() + "\n")
	if todo := d.Tasks(); len(todo) > 0 {
		b.WriteString("\nWhat to do\n")
		for i, line := range todo {
			fmt.Fprintf(&b, "%3d. %s\n", i+1, line) // no full stop: it may end in a command
		}
	}
	for i := range d.Services {
		s := &d.Services[i]
		fmt.Fprintf(&b, "\n%s", s.Service)
		if s.Owner != "" {
			fmt.Fprintf(&b, " (%s)", oneLine(s.Owner))
		}
		b.WriteString("\n")
		for _, line := range s.lines(w) {
			fmt.Fprintf(&b, "     %s.\n", line)
		}
	}
	fmt.Fprintf(&b, "\nAs of %s (%s).\n", w.moment(d.At), w.zone)
	return b.String()
}

// Summary says it in one line.
func (d *Digest) Summary() string {
	if d.Well() {
		return fmt.Sprintf("All is well: %s, %s.", count(len(d.Services), "service"), count(len(d.Destinations), "destination"))
	}
	well := 0
	for i := range d.Services {
		if d.Services[i].Well() {
			well++
		}
	}
	return fmt.Sprintf("%s to do. %d of %s well.", things(len(d.Tasks())), well, isServices(len(d.Services)))
}

// Tasks lists what is to be done, with the service that each concerns.
func (d *Digest) Tasks() []string {
	var tasks []string
	for i := range d.Services {
		for _, line := range d.Services[i].Todo {
			tasks = append(tasks, d.Services[i].Service+": "+oneLine(line))
		}
	}
	for _, line := range slices.Concat(d.Todo, d.Problems) {
		tasks = append(tasks, oneLine(line))
	}
	return tasks
}

// Lines says how each service and destination stands, in one plain text for each.
func (d *Digest) Lines() []DigestLine {
	w := d.words()
	var lines []DigestLine
	for i := range d.Services {
		s := &d.Services[i]
		lines = append(lines, DigestLine{Label: s.Service, Value: strings.Join(s.lines(w), "\n")})
	}
	for _, dest := range d.Destinations {
		value := "holds every copy"
		switch {
		case dest.Error != "":
			value = "does not answer: " + oneLine(dest.Error)
		case dest.Behind > 0:
			value = fmt.Sprintf("%s, the oldest of %s", strings.Join(lacks(dest.Behind, dest.Bad, dest.Unread), ", "), w.moment(dest.Oldest))
		case dest.Bad+dest.Unread > 0:
			value = strings.Join(lacks(0, dest.Bad, dest.Unread), ", ")
		}
		lines = append(lines, DigestLine{Label: dest.Name, Value: value})
	}
	return lines
}

func (s *ServiceDigest) lines(w words) []string {
	if s.Trouble != "" {
		return []string{"Not known: " + oneLine(s.Trouble)}
	}
	lines := []string{s.readBackLine(), s.provenLine()}
	expected, missed := 0, 0
	for _, source := range s.Sources {
		expected, missed = expected+source.Expected, missed+source.Missed
	}
	if expected > 0 {
		lines = append(lines, fmt.Sprintf("Backups of the last day: %d of %d", expected-missed, expected))
	}
	for _, c := range s.Copies {
		if what := c.lacks(); len(what) > 0 {
			lines = append(lines, fmt.Sprintf("Copies at %s: %s", c.Destination, strings.Join(what, ", ")))
		}
	}
	return append(lines, s.drillLine(w))
}

func (s *ServiceDigest) readBackLine() string {
	m := s.ReadBack
	if m == nil {
		var none []string
		for _, source := range s.Sources {
			if source.Age == nil {
				none = append(none, source.Source)
			}
		}
		return "Newest backup that was read back: NONE of " + strings.Join(none, ", ")
	}
	of := ""
	if len(s.Sources) > 1 {
		of = " (" + s.ReadBackSource + ")"
	}
	if m.Met {
		return fmt.Sprintf("Newest backup that was read back: %s old, within the RPO of %s%s", age(m.Actual), m.Objective, of)
	}
	return fmt.Sprintf("Newest backup that was read back: %s old, the RPO of %s is MISSED by %s%s", age(m.Actual), m.Objective, age(-m.Margin()), of)
}

func (s *ServiceDigest) provenLine() string {
	if s.ProvenAge == nil {
		return "Newest proven backup: NONE"
	}
	return "Newest proven backup: " + age(*s.ProvenAge) + " old"
}

func (s *ServiceDigest) drillLine(w words) string {
	line := "Drill: none yet"
	if d := s.LastDrill; d != nil {
		line = "Drill: " + w.day(d.At) + ", " + map[Verdict]string{Proven: "it worked", Disproven: "it FAILED", Inconclusive: "inconclusive"}[d.Verdict]
		if d.RTO != nil && d.RTO.Met {
			line += fmt.Sprintf(" in %s, within the RTO of %s", d.RTO.Actual, d.RTO.Objective)
		} else if d.RTO != nil {
			line += fmt.Sprintf(" in %s, the RTO of %s is MISSED", d.RTO.Actual, d.RTO.Objective)
		}
	}
	if s.NextDrill.IsZero() {
		return line + "; none is planned"
	}
	return line + "; the next on " + w.day(s.NextDrill)
}

// words writes times for the readers of a digest.
type words struct {
	at   time.Time
	zone *time.Location
}

func (d *Digest) words() words {
	zone, err := time.LoadLocation(d.TimeZone)
	if err != nil { // the config was checked; a reader elsewhere may not know the zone
		zone = time.UTC
	}
	return words{at: d.At, zone: zone}
}

func (w words) day(t time.Time) string { return t.In(w.zone).Format("2 January 2006") }

// moment writes the day only where it is not today's.
func (w words) moment(t time.Time) string {
	if t = t.In(w.zone); w.day(t) == w.day(w.at) && !t.Equal(w.at) {
		return t.Format("15:04")
	}
	return t.Format("2 January 2006 15:04")
}

func (w words) times(list []time.Time, all int) string {
	var named []string
	for _, t := range list[max(0, len(list)-namedMisses):] {
		named = append(named, w.moment(t))
	}
	text := "at " + strings.Join(named, ", ")
	if rest := all - len(named); rest > 0 {
		text += fmt.Sprintf(" and %s more", count(rest, "time"))
	}
	return text
}

// age writes a duration as people say it.
func age(d Duration) string {
	switch std := d.Std(); {
	case std < time.Minute:
		return "less than a minute"
	case std < 2*time.Hour:
		return count(int(std.Minutes()), "minute")
	case std < 48*time.Hour:
		return count(int(std.Hours()), "hour")
	default:
		return count(int(std.Hours()/24), "day")
	}
}

func areSets(n int) string {
	if n == 1 {
		return "1 set is"
	}
	return fmt.Sprintf("%d sets are", n)
}

func areBad(n int, at string) string {
	if n == 1 {
		return "1 copy" + at + " is bad"
	}
	return fmt.Sprintf("%d copies%s are bad", n, at)
}

func wereNotRead(n int, at string) string {
	if n == 1 {
		return "1 copy" + at + " was not read back"
	}
	return fmt.Sprintf("%d copies%s were not read back", n, at)
}

// lacks says what is not as it should be; empty if every copy is.
func (c *CopyDigest) lacks() []string { return lacks(c.Behind, c.Bad, c.Unread) }

func lacks(behind, bad, unread int) (what []string) {
	if bad > 0 {
		what = append(what, areBad(bad, ""))
	}
	if unread > 0 {
		what = append(what, wereNotRead(unread, ""))
	}
	if behind > 0 {
		what = append(what, areSets(behind)+" not there yet")
	}
	return what
}

func isServices(n int) string {
	if n == 1 {
		return "1 service is"
	}
	return fmt.Sprintf("%d services are", n)
}

func things(n int) string {
	if n == 1 {
		return "1 thing is"
	}
	return fmt.Sprintf("%d things are", n)
}

// oneLine makes one line of a text, without a full stop at its end.
func oneLine(text string) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ".")
}
