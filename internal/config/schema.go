package config

import (
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// SchemaURL is where editors find the schema of this version's files.
const SchemaURL = "https://raw.githubusercontent.com/lifeboat-run/lifeboat/main/docs/lifeboat.schema.json"

// Schema returns the JSON Schema of lifeboat.yaml, for editors.
func Schema() ([]byte, error) {
	reflector := jsonschema.Reflector{
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		ExpandedStruct:             true,
		Anonymous:                  true,
		Mapper:                     textSchema,
	}
	schema := reflector.Reflect(&Config{})
	schema.ID = SchemaURL
	schema.Title = "lifeboat.yaml"
	schema.Description = "What Lifeboat backs up, where to, and how it proves it."
	text, err := json.MarshalIndent(schema, "", "  ")
	return append(text, '\n'), err
}

// cadencePattern is the form that [recovery.ParseCadence] reads.
const cadencePattern = `^(never|(1|2|3|4|6|8|12|24)h( at [0-2][0-9]:[0-5][0-9])?|weekly( on (monday|tuesday|wednesday|thursday|friday|saturday|sunday))?( at [0-2][0-9]:[0-5][0-9])?|(monthly|quarterly)( on [0-9]{1,2})?( at [0-2][0-9]:[0-5][0-9])?)$`

// textSchema describes the types that are written as text of a certain form.
func textSchema(t reflect.Type) *jsonschema.Schema {
	text := func(pattern, example string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: pattern, Examples: []any{example}}
	}
	switch t {
	case reflect.TypeFor[Reference]():
		return text("^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$", "env:NAME")
	case reflect.TypeFor[Percent]():
		return text(percentForm.String(), "99.5%")
	case reflect.TypeFor[Price]():
		return &jsonschema.Schema{Type: "number", Minimum: "0", Examples: []any{0.023}}
	case reflect.TypeFor[recovery.Cadence]():
		return text(cadencePattern, "24h at 03:00")
	case reflect.TypeFor[recovery.Duration]():
		return text(`^([0-9]+[dw]|([0-9]*\.?[0-9]+(ns|us|µs|ms|s|m|h))+)$`, "24h")
	}
	return nil
}
