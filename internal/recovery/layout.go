package recovery

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"
)

// The layout of a destination. Keys are relative to the destination's prefix:
//
//	<service>/sets/<set-id>/<source>.<attempt>.<ext>.zst.age   sealed objects
//	<service>/sets/<set-id>/set.json                           signed manifest, written last
//	<service>/sets/<set-id>/RESTORE.md                         how to restore by hand
//	<service>/proofs/<set-id>/<time>-<kind>.json               verification log
//	<service>/pruned/<set-id>.json                             tombstone, written before a set is removed, kept for ever
//	<service>/decisions/<request-id>.json                      what people decided; written once, before it is acted on
//	<service>/once/<key>.json                                  that a command was about to be started, and by whom
//	<service>/releases/<time>-<kind>.json                      what was found about a release; see package release
//	drills/<service>/<time>.md                                 reports of drills, for people
const (
	ManifestName = "set.json"
	GuideName    = "RESTORE.md"
)

// nameForm is the form of the names of services, sources, hosts and
// destinations: safe in object keys, file names and workflow ids.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// CheckName says whether a name may stand in keys and ids.
func CheckName(what, name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("read %s %q: use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter or digit", what, name)
	}
	return nil
}

// SetsPrefix holds all sets of a service.
func SetsPrefix(service string) string { return service + "/sets/" }

// SetPrefix holds all objects of a set.
func SetPrefix(service string, set SetID) string { return SetsPrefix(service) + string(set) + "/" }

// ManifestKey is where the manifest of a set stands.
func ManifestKey(service string, set SetID) string { return SetPrefix(service, set) + ManifestName }

// GuideKey is where the guide to restoring a set by hand stands.
func GuideKey(service string, set SetID) string { return SetPrefix(service, set) + GuideName }

// AllProofsPrefix holds the verification logs of all sets of a service.
func AllProofsPrefix(service string) string { return service + "/proofs/" }

// ProofsPrefix holds the verification log of a set.
func ProofsPrefix(service string, set SetID) string {
	return AllProofsPrefix(service) + string(set) + "/"
}

// ProofKey is where a proof begun at t stands; keys sort by time.
func ProofKey(service string, set SetID, t time.Time, kind ProofKind) string {
	return ProofsPrefix(service, set) + t.UTC().Format(proofTime) + "-" + string(kind) + ".json"
}

const proofTime = "20060102T150405.000Z"

// ReadProofKey tells from the key of a proof which set was tried, when that began, and
// how. The kind is not checked.
func ReadProofKey(key string) (set SetID, began time.Time, kind ProofKind, err error) {
	at, rest, _ := strings.Cut(path.Base(key), "-")
	name, json := strings.CutSuffix(rest, ".json")
	set, err = ParseSetID(path.Base(path.Dir(key)))
	if err == nil && json {
		began, err = time.Parse(proofTime, at)
	}
	if err != nil || !json {
		return "", time.Time{}, "", fmt.Errorf("read key %q: it is not that of a proof", key)
	}
	return set, began, ProofKind(name), nil
}

// DecisionKey is where the decision about a request stands.
func DecisionKey(service, request string) string {
	return service + "/decisions/" + request + ".json"
}

// ClaimKey is where the claim of a command that runs at most once stands.
func ClaimKey(service, key string) string { return service + "/once/" + key + ".json" }

// DrillKey is where the report of a drill begun at t stands.
func DrillKey(service string, t time.Time) string {
	return "drills/" + service + "/" + t.UTC().Format("2006-01-02T150405Z") + ".md"
}

// ObjectName names what one attempt at a source writes, e.g. "app.1.dump.zst.age".
func ObjectName(source string, attempt int, ext string) string {
	return fmt.Sprintf("%s.%d.%s.zst.age", source, attempt, ext)
}

// DumpExt is the file name extension of what a kind of source dumps.
func DumpExt(kind string) string {
	switch kind {
	case KindPostgres:
		return "dump"
	case KindSQLite:
		return "db"
	}
	return kind
}

// checkObjectName refuses a name that would lead out of the set's folder.
func checkObjectName(name string) error {
	if name == "" || name != path.Base(name) || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") {
		return fmt.Errorf("read object name %q: it must be a plain file name inside the set's folder", name)
	}
	return nil
}
