package config

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// decoder turns YAML nodes into the types of the file. Unlike the YAML library's
// own, it goes on after a problem and remembers where each field stands, so that
// later checks can point at it. What a field may be it takes from the tags:
//
//	yaml:"name"                         its name
//	jsonschema:"required,enum=a,enum=b" whether it must be there, and the choices
//	private:"true"                      its values are never shown
type decoder struct {
	problems   Problems
	fields     map[string]field
	references []reference
}

// field is where a field stands in the file.
type field struct {
	node    *yaml.Node
	private bool
}

func newDecoder(file string) *decoder {
	return &decoder{problems: Problems{File: file}, fields: map[string]field{}}
}

func (d *decoder) err() error {
	if len(d.problems.List) == 0 {
		return nil
	}
	d.problems.sort()
	return &d.problems
}

// problem reports what is wrong with a field and shows its value if it is a plain
// one. A field that is not there is pointed at by the nearest one around it.
func (d *decoder) problem(path, message, mend string) {
	p := Problem{Line: 1, Column: 1, Field: path, Message: message, Mend: mend}
	if f, ok := d.fields[path]; ok && f.node.Kind == yaml.ScalarNode && !f.private {
		p.Value = show(f.node.Value)
	}
	for at := path; at != ""; at = parent(at) {
		if f, ok := d.fields[at]; ok {
			p.Line, p.Column = f.node.Line, f.node.Column
			break
		}
	}
	d.problems.List = append(d.problems.List, p)
}

func (d *decoder) problemAt(n *yaml.Node, path, message, mend string) {
	d.problems.List = append(d.problems.List, Problem{Line: n.Line, Column: n.Column, Field: path, Message: message, Mend: mend})
}

// parent cuts the last part off a path: a.b[1] → a.b → a → "".
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func at(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// parse returns the root of the one document in data, or nil after a problem.
func (d *decoder) parse(data []byte) *yaml.Node {
	whole := func(message, mend string) *yaml.Node {
		d.problems.List = append(d.problems.List, Problem{Message: message, Mend: mend})
		return nil
	}
	if len(data) > maxSize {
		return whole("is larger than 1 MiB", "name the right file")
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return whole("is empty", "run 'starter init' in an empty folder to see what belongs there")
	} else if err != nil {
		d.syntaxProblem(err)
		return nil
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return whole("holds more than one YAML document", "keep one, and remove the line ---")
	}
	root := document.Content[0]
	if root.Tag == "!!null" {
		return whole("is empty", "run 'starter init' in an empty folder to see what belongs there")
	}
	return root
}

// syntaxProblem reports what the YAML library says. Its texts hold nothing of the
// file but names of anchors, which may be a password that begins with *.
func (d *decoder) syntaxProblem(err error) {
	p := Problem{Message: "is not valid YAML", Mend: "check the indentation and the quotes from here on"}
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			p.Line, p.Column = line, 1
		}
		if strings.Contains(m[2], "anchor") {
			p.Message, p.Mend = "uses a YAML anchor or alias", aliasMend
		} else {
			p.Message += " (" + m[2] + ")"
		}
	}
	d.problems.List = append(d.problems.List, p)
}

const aliasMend = "write the value out; put quotes around a text that begins with * or &"

// decode fills target, a pointer to a struct, from n.
func (d *decoder) decode(n *yaml.Node, target any) {
	d.value(n, reflect.ValueOf(target).Elem(), "", "")
}

// value fills v from n. Its problems do not end the decoding of its siblings.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	_, isReference := reflect.TypeAssert[Reference](v)
	private := tag.Get("private") == "true"
	d.fields[path] = field{node: n, private: private || isReference && !IsReference(n.Value)}
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.problemAt(n, path, "uses a YAML anchor or alias", aliasMend)
		return
	case n.Tag == "!!null":
		return
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path, tag)
		return
	}
	if kind := kindOf(v); n.Kind != kind {
		d.problemAt(n, path, fmt.Sprintf("is %s where %s is expected", kindName(n.Kind), kindName(kind)), kindMend(kind))
		return
	}
	switch {
	case n.Kind == yaml.ScalarNode:
		d.scalar(n, v, path, tag)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path)
	case v.Kind() == reflect.Map:
		d.texts(n, v, path, tag)
	default:
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, item := range n.Content {
			d.value(item, v.Index(i), at(path, i), tag)
			if item.Tag == "!!null" {
				d.problemAt(item, at(path, i), "is missing", "write a value, or remove the line")
			}
		}
	}
}

// kindOf says what kind of node v is written as.
func kindOf(v reflect.Value) yaml.Kind {
	_, isText := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
	switch {
	case isText:
		return yaml.ScalarNode
	case v.Kind() == reflect.Struct, v.Kind() == reflect.Map:
		return yaml.MappingNode
	case v.Kind() == reflect.Slice:
		return yaml.SequenceNode
	}
	return yaml.ScalarNode
}

func kindName(kind yaml.Kind) string {
	switch kind {
	case yaml.MappingNode:
		return "a group of fields"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

func kindMend(kind yaml.Kind) string {
	switch kind {
	case yaml.MappingNode:
		return "write its fields below it, indented, as name: value"
	case yaml.SequenceNode:
		return "write its items below it, each beginning with -"
	}
	return "write one value; put quotes around a text that begins with { or ["
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	var names, meant []string
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		if name := f.Tag.Get("yaml"); name != "" {
			names, fields[name] = append(names, name), f
		}
	}
	for key, item := range d.entries(n, path) {
		f, known := fields[key.Value]
		if !known {
			d.problemAt(key, join(path, show(key.Value)), "is not a known field", suggest(key.Value, names))
			meant = append(meant, nearest(key.Value, names))
			continue
		}
		d.value(item, v.FieldByIndex(f.Index), join(path, key.Value), f.Tag)
	}
	for _, name := range names {
		f, there := d.fields[join(path, name)]
		required := slices.Contains(rules(fields[name].Tag), "required") && !slices.Contains(meant, name)
		if required && (!there || blank(f.node)) {
			d.missing(join(path, name), fields[name].Tag)
		}
	}
}

// blank says whether nothing was written after a field's name.
func blank(n *yaml.Node) bool { return n.Value == "" && len(n.Content) == 0 || n.Tag == "!!null" }

// missing reports a required field that is not there; its description says what
// to write.
func (d *decoder) missing(path string, tag reflect.StructTag) {
	d.problem(path, "is missing", strings.TrimSuffix(tag.Get("jsonschema_description"), "."))
}

func rules(tag reflect.StructTag) []string { return strings.Split(tag.Get("jsonschema"), ",") }

// entries yields the keys and values of a mapping, without the keys that are no
// plain text or were there before.
func (d *decoder) entries(n *yaml.Node, path string) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		lines := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			line, twice := lines[key.Value]
			switch {
			case key.Kind != yaml.ScalarNode || key.Anchor != "":
				d.problemAt(key, path, "has a field whose name is not a plain text", "see the example that 'starter init' writes")
			case twice:
				d.problemAt(key, join(path, show(key.Value)), fmt.Sprintf("is there twice (first on line %d)", line), "keep one of the two")
			default:
				lines[key.Value] = key.Line
				if !yield(key, value) {
					return
				}
			}
		}
	}
}

// texts fills a map of single values.
func (d *decoder) texts(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	v.Set(reflect.MakeMap(v.Type()))
	for key, item := range d.entries(n, path) {
		text := reflect.New(v.Type().Elem()).Elem()
		d.value(item, text, join(path, key.Value), tag)
		v.SetMapIndex(reflect.ValueOf(key.Value), text)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	switch target := v.Addr().Interface().(type) {
	case *Reference:
		*target = Reference(n.Value)
		d.reference(path, n)
		return
	case *Percent:
		if !target.parse(n.Value) {
			d.problem(path, "is not a percentage", "write a number above 0, at most 100, with a percent sign, such as 99.5%")
		}
		return
	case *recovery.Duration:
		duration, err := recovery.ParseDuration(n.Value)
		if err != nil {
			d.problem(path, "is not a duration", "write a positive number with a unit, such as 90s, 30m, 24h or 7d")
		}
		*target = duration
		return
	case *recovery.Cadence:
		cadence, err := recovery.ParseCadence(n.Value)
		if err != nil {
			d.problem(path, "is not a cadence", cadenceMend(err))
		}
		*target = cadence
		return
	case *Price:
		if !target.parse(n.Value) {
			d.problem(path, "is not a price", "write a number of at least 0, such as 0.023")
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
		d.choice(n, path, tag)
	case reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if err != nil {
			d.problem(path, "is not a whole number", "write digits only")
		}
		v.SetInt(int64(i))
	case reflect.Bool:
		if n.Value != "true" && n.Value != "false" {
			d.problem(path, "is not a yes or no", "write true or false")
		}
		v.SetBool(n.Value == "true")
	}
}

// cadenceMend is the mend that an error of [recovery.ParseCadence] names, unless it
// quotes what may be a secret.
func cadenceMend(err error) string {
	if mend := errors.Unwrap(err); mend != nil && !secretForm.MatchString(mend.Error()) {
		return mend.Error()
	}
	return `write it as "24h at 03:00" or "weekly on sunday at 04:00"`
}

// choice checks a text against the choices in its tag.
func (d *decoder) choice(n *yaml.Node, path string, tag reflect.StructTag) {
	var choices []string
	for _, rule := range rules(tag) {
		if choice, ok := strings.CutPrefix(rule, "enum="); ok {
			choices = append(choices, choice)
		}
	}
	if len(choices) > 0 && !slices.Contains(choices, n.Value) {
		d.problem(path, "is not one of the choices", "write "+strings.Join(choices, " or "))
	}
}
