package runbook

import (
	"fmt"
	"slices"
	"strings"
)

const whenMend = `write it as "NAME ok", "NAME failed", "NAME skipped" or "NAME did-not-help"`

// condition reads one condition of a step.
func (r *reader) condition(s *Step, text string) []Condition {
	words := strings.Fields(text)
	if len(words) != 2 || !slices.Contains([]Ending{EndingOK, EndingFailed, EndingSkipped, EndingDidNotHelp}, Ending(words[1])) {
		r.problem(s.blockLine, fmt.Sprintf("when %s is no condition", quoted(text)), whenMend)
		return nil
	}
	return []Condition{{Step: words[0], Ending: Ending(words[1])}}
}

// conditions checks the names of steps, and what they wait for.
func (r *reader) conditions() {
	steps := r.page.Steps()
	earlier := map[string]Step{}
	for i, s := range steps {
		if first, twice := earlier[s.Name]; twice {
			r.problem(s.blockLine, fmt.Sprintf("name %s is there twice (first on line %d)", quoted(s.Name), first.blockLine), "give each step its own name")
			continue
		}
		sound := true
		for _, c := range s.When {
			sound = r.possible(c, &s, earlier, steps[i:]) && sound
		}
		if !sound || !r.reachable(&s, earlier) {
			s.When = nil // whoever waits for it has the same trouble
		}
		earlier[s.Name] = s
	}
}

// possible says whether a condition can hold, and reports why not.
func (r *reader) possible(c Condition, s *Step, earlier map[string]Step, later []Step) bool {
	step, known := earlier[c.Step]
	switch {
	case !known && slices.ContainsFunc(later, func(l Step) bool { return l.Name == c.Step }):
		r.problem(s.blockLine, fmt.Sprintf("step %d waits for %s, which is not before it", s.Number, quoted(c.Step)), "name an earlier step, or move the steps")
	case !known && !r.unread:
		r.problem(s.blockLine, fmt.Sprintf("step %d waits for %s, which is no step", s.Number, quoted(c.Step)), namesMend(earlier))
	case known && step.Kind != "" && !slices.Contains(step.Kind.endings(), c.Ending):
		r.problem(s.blockLine, fmt.Sprintf("step %d waits until %s ends as %s, which it cannot", s.Number, quoted(c.Step), c.Ending), fmt.Sprintf("it can end as %s", list(step.Kind.endings())))
	default:
		return known
	}
	return false
}

func namesMend(earlier map[string]Step) string {
	var names []string
	for name := range earlier {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return earlier[a].Number - earlier[b].Number })
	if len(names) == 0 {
		return "remove the condition: there is no earlier step"
	}
	return "the earlier steps are " + strings.Join(names, ", ")
}

func list(endings []Ending) string {
	texts := make([]string, len(endings))
	for i, ending := range endings {
		texts[i] = string(ending)
	}
	return strings.Join(texts, ", ")
}

// reachable says whether a step can be reached, and reports one whose conditions
// contradict each other. For a step to be
// done, those that it waits for must have ended so; and what did not end as skipped
// was done, so that its own conditions held.
func (r *reader) reachable(s *Step, earlier map[string]Step) bool {
	needed := map[string]Ending{}
	waiting := slices.Clone(s.When)
	for len(waiting) > 0 {
		c := waiting[0]
		waiting = waiting[1:]
		ending, there := needed[c.Step]
		switch {
		case there && ending != c.Ending:
			r.problem(s.blockLine, fmt.Sprintf("step %d can never be reached: %s would have to end both as %s and as %s", s.Number, quoted(c.Step), ending, c.Ending), "change what it waits for")
			return false
		case there:
			continue
		}
		needed[c.Step] = c.Ending
		if c.Ending != EndingSkipped {
			waiting = append(waiting, earlier[c.Step].When...)
		}
	}
	return true
}
