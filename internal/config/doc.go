// Package config reads lifeboat.yaml and is the only reader of the environment.
//
// [Load] checks the whole file and reports all of its problems at once, each with
// line, field, value and mend. Secrets stand in the file only as references,
// env:NAME or file:PATH; [Config.Reveal] reads them, and [Config.CheckSecrets] says
// which of them cannot be read here. [Config.Plan] resolves one service into the
// secret-free plan that a run uses.
//
// The Go types of the file, with their tags, are the one description of it: the
// decoder takes names, required fields and choices from there, and so does the
// JSON Schema for editors.
package config
