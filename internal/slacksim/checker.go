package slacksim

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// checker collects what is wrong with blocks and views, in Slack's words. Every
// place is a JSON pointer.
type checker struct {
	problems []string
}

func (c *checker) problem(at, format string, args ...any) {
	c.problems = append(c.problems, "[ERROR] "+fmt.Sprintf(format, args...)+" [json-pointer:"+at+"]")
}

// length checks a string, in characters.
func (c *checker) length(at, text string, shortest, longest int) {
	switch n := utf8.RuneCountInString(text); {
	case n < shortest:
		c.problem(at, "must be more than %d characters", shortest-1)
	case n > longest:
		c.problem(at, "must be less than %d characters", longest+1)
	}
}

// optional checks a string field that may be missing.
func (c *checker) optional(at string, o object, name string, longest int) string {
	value, there := o[name]
	if !there {
		return ""
	}
	text, ok := value.(string)
	if !ok {
		c.problem(at+"/"+name, "must be a string")
		return ""
	}
	c.length(at+"/"+name, text, 0, longest)
	return text
}

// object returns a field that is an object. A missing one is a problem only if it is
// required.
func (c *checker) object(at string, o object, name string, required bool) (object, bool) {
	value, there := o[name]
	if !there || value == nil {
		if required {
			c.problem(at, "missing required field: %s", name)
		}
		return nil, false
	}
	field, ok := value.(object)
	if !ok {
		c.problem(at+"/"+name, "must be an object")
	}
	return field, ok
}

// items checks a required field that is a list of objects, not an empty one, and calls check
// for each.
func (c *checker) items(at string, o object, name string, most int, check func(at string, item object)) {
	value, there := o[name]
	list, ok := value.([]any)
	switch {
	case !there:
		c.problem(at, "missing required field: %s", name)
		return
	case !ok:
		c.problem(at+"/"+name, "must be an array")
		return
	}
	if len(list) == 0 {
		c.problem(at+"/"+name, "no fewer than 1 items allowed")
	}
	c.list(at+"/"+name, list, most, check)
}

func (c *checker) list(at string, list []any, most int, check func(at string, item object)) {
	if len(list) > most {
		c.problem(at, "no more than %d items allowed", most)
		return
	}
	for i, value := range list {
		place := fmt.Sprintf("%s/%d", at, i)
		if item, ok := value.(object); ok {
			check(place, item)
		} else {
			c.problem(place, "must be an object")
		}
	}
}

// text checks a required field that is a text object.
func (c *checker) text(at string, o object, name string, longest int, kinds ...string) {
	if field, ok := c.object(at, o, name, true); ok {
		c.textObject(at+"/"+name, field, longest, kinds...)
	}
}

// optionalText checks a field that is a text object, or missing.
func (c *checker) optionalText(at string, o object, name string, longest int, kinds ...string) {
	if field, ok := c.object(at, o, name, false); ok {
		c.textObject(at+"/"+name, field, longest, kinds...)
	}
}

// The two kinds of text.
const (
	plain    = "plain_text"
	markdown = "mrkdwn"
)

func (c *checker) textObject(at string, o object, longest int, kinds ...string) {
	if kind, _ := o["type"].(string); !slices.Contains(kinds, kind) {
		c.problem(at+"/type", "unsupported type: %s", kind)
	}
	text, ok := o["text"].(string)
	if !ok {
		c.problem(at, "missing required field: text")
		return
	}
	c.length(at+"/text", text, 1, longest)
}
