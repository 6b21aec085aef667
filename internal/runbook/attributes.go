package runbook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yuin/goldmark/ast"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const (
	minute     = recovery.Duration(time.Minute)
	maxTimeout = 24 * 60 * minute
)

// knownAttributes are the attributes of each kind.
var knownAttributes = map[Kind][]string{
	KindManual:   {"name", "when"},
	KindShell:    {"name", "when", "timeout", "approve", "safe", "repeatable"},
	KindHTTP:     {"name", "when", "timeout", "status", "contains"},
	KindSQL:      {"name", "when", "timeout", "source", "expect"},
	KindPlaybook: {"name", "when"},
	KindSay:      {"name", "when", "to"},
}

// ignoredAttributes are those of Runme that mean nothing here.
var ignoredAttributes = []string{"interactive", "excludeFromRunAll"}

// info splits the info string of a block into its kind and its attributes.
func (r *reader) info(block *ast.FencedCodeBlock) (kind, attributes string) {
	if block.Info == nil {
		return "", ""
	}
	info := strings.TrimSpace(string(block.Info.Segment.Value(r.source)))
	if i := strings.IndexAny(info, " \t{"); i >= 0 {
		return info[:i], info[i:]
	}
	return info, ""
}

// attributes are the attributes of one step.
type attributes struct {
	*reader
	line   int
	values map[string]json.RawMessage
	failed map[string]bool // of which there was a problem
}

const attributesMend = `write them as JSON, such as {"name":"restart","approve":"oncall"}`

// attributes reads a step's attributes. It says whether they could be read at all.
func (r *reader) attributes(s *Step, text string) (*attributes, bool) {
	a := &attributes{reader: r, line: s.blockLine, values: map[string]json.RawMessage{}, failed: map[string]bool{}}
	if strings.TrimSpace(text) == "" {
		return a, true
	}
	names, values, err := object(text)
	if err != nil {
		r.problem(a.line, fmt.Sprintf("step %d has attributes that are not valid JSON (%v)", s.Number, err), attributesMend)
		return nil, false
	}
	a.values = values
	for i, name := range names {
		switch {
		case slices.Contains(names[:i], name):
			r.problem(a.line, fmt.Sprintf("step %d has the attribute %s twice", s.Number, quoted(name)), "keep one of the two")
		case !slices.Contains(knownAttributes[s.Kind], name) && !slices.Contains(ignoredAttributes, name):
			r.problem(a.line, fmt.Sprintf("attribute %s is not known for %s", quoted(name), s.Kind), "known there: "+strings.Join(knownAttributes[s.Kind], ", "))
		}
	}
	return a, true
}

// object reads one JSON object, with the names of its values in their order.
func object(text string) (names []string, values map[string]json.RawMessage, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	start, err := decoder.Token()
	switch {
	case err != nil:
		return nil, nil, ended(err)
	case start != json.Delim('{'):
		return nil, nil, errors.New("it is no object")
	}
	values = map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, nil, ended(err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, nil, ended(err)
		}
		text, _ := name.(string) // the name of a value always is one
		names = append(names, text)
		values[text] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, nil, ended(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("something follows its end")
	}
	return names, values, nil
}

// ended says in words that the text ends too early.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends too early")
	}
	return err
}

func (a *attributes) fail(name, message, mend string) {
	a.failed[name] = true
	a.problem(a.line, name+" "+message, mend)
}

// text returns an attribute that is a text, empty if it is not there.
func (a *attributes) text(name string) string {
	value, ok := a.values[name]
	if !ok {
		return ""
	}
	var text string
	if json.Unmarshal(value, &text) != nil || strings.TrimSpace(text) == "" {
		a.fail(name, "is not a text", fmt.Sprintf("write it as %q:%q, or leave it out", name, "…"))
		return ""
	}
	return text
}

// texts returns an attribute that is a text or a list of them.
func (a *attributes) texts(name string) []string {
	value, ok := a.values[name]
	if !ok {
		return nil
	}
	var texts []string
	if json.Unmarshal(value, &texts) != nil {
		texts = []string{""}
		_ = json.Unmarshal(value, &texts[0])
	}
	if len(texts) == 0 || slices.ContainsFunc(texts, func(text string) bool { return strings.TrimSpace(text) == "" }) {
		a.fail(name, "is neither a text nor a list of texts", fmt.Sprintf(`write it as %q:"…" or %[1]q:["…","…"], or leave it out`, name))
		return nil
	}
	return texts
}

// flag returns an attribute that is true or false, which editors for Runme write as
// texts.
func (a *attributes) flag(name string) bool {
	switch value := strings.Trim(string(a.values[name]), `"`); value {
	case "true", "false", "":
		return value == "true"
	}
	a.fail(name, "is neither true nor false", fmt.Sprintf("write %q:true, or leave it out", name))
	return false
}

// number returns an attribute that is a whole number.
func (a *attributes) number(name string, otherwise, least, most int) int {
	value, ok := a.values[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(strings.Trim(string(value), `"`))
	if err != nil || n < least || n > most {
		a.fail(name, "is not a number that it can be", fmt.Sprintf("write a whole number from %d to %d", least, most))
		return otherwise
	}
	return n
}

// duration returns an attribute that is a time.
func (a *attributes) duration(name string, otherwise recovery.Duration) recovery.Duration {
	text := a.text(name)
	if text == "" {
		return otherwise
	}
	d, err := recovery.ParseDuration(text)
	if err != nil || d > maxTimeout || d < minute/60 {
		a.fail(name, fmt.Sprintf("%s is not a time that it can be", quoted(text)), "write a number with a unit, such as 30s or 5m; from 1s to 24h")
		return otherwise
	}
	return d
}
