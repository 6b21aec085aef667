package recovery

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FingerprintMode says how much of a dump is summed up.
type FingerprintMode string

// The modes.
const (
	FingerprintContent FingerprintMode = "content" // rows counted and summed
	FingerprintCounts  FingerprintMode = "counts"  // rows counted
	FingerprintOff     FingerprintMode = "off"     // nothing
)

// Fingerprint says what a dump holds. Two dumps of equal data have equal
// fingerprints, whatever the order of their rows.
type Fingerprint struct {
	Mode        FingerprintMode `json:"mode"`
	Data        []DataSum       `json:"data"`
	Definitions []DefinitionSum `json:"definitions"`
}

// DataSum sums up the rows of one table, the values of one sequence, or all
// large objects of a database.
type DataSum struct {
	Kind   string `json:"kind"` // "table", "sequence", "large objects"
	Schema string `json:"schema,omitempty"`
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	// Sum is a 128-bit sum of the row hashes in hexadecimal, by addition, so that
	// order does not matter and equal rows do not cancel out. Empty for counts.
	Sum string `json:"sum,omitempty"`
}

// DefinitionSum sums up one definition: a table, an index, a function, a grant.
type DefinitionSum struct {
	Kind   string `json:"kind"` // in the words of the source, e.g. "INDEX"
	Schema string `json:"schema,omitempty"`
	Name   string `json:"name"`
	Owner  string `json:"owner,omitempty"`
	Text   string `json:"text"` // 128-bit hash of the definition's text, hexadecimal
}

// Rows counts the rows of all tables.
func (f *Fingerprint) Rows() int64 {
	var n int64
	for _, d := range f.Data {
		if d.Kind == "table" {
			n += d.Rows
		}
	}
	return n
}

// Sort brings the parts into the order in which they are compared and written.
func (f *Fingerprint) Sort() {
	slices.SortFunc(f.Data, func(a, b DataSum) int {
		return strings.Compare(a.key()+"\x00"+a.Sum, b.key()+"\x00"+b.Sum)
	})
	slices.SortFunc(f.Definitions, func(a, b DefinitionSum) int {
		return strings.Compare(a.key()+"\x00"+a.Owner+"\x00"+a.Text, b.key()+"\x00"+b.Owner+"\x00"+b.Text)
	})
}

// Encode writes the fingerprint as JSON, sorted: equal fingerprints are equal bytes.
func (f *Fingerprint) Encode() ([]byte, error) {
	f.Sort()
	return json.Marshal(f)
}

// DecodeFingerprint reads what Encode wrote, and wants it to have the digest that
// the manifest says. The fault is Damaged.
func DecodeFingerprint(content []byte, digest string) (*Fingerprint, error) {
	var f Fingerprint
	if err := json.Unmarshal(content, &f); err != nil {
		return nil, NewFault(Damaged, fmt.Errorf("read fingerprint: %w", err), "")
	}
	got, err := f.Digest()
	if err != nil {
		return nil, err
	}
	if got != digest {
		return nil, NewFault(Damaged, errors.New("read fingerprint: its digest is not the one in the manifest"), "")
	}
	return &f, nil
}

// Digest is the SHA-256 of Encode, in hexadecimal.
func (f *Fingerprint) Digest() (string, error) {
	b, err := f.Encode()
	if err != nil {
		return "", fmt.Errorf("encode fingerprint: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func (d DataSum) key() string       { return d.Kind + "\x00" + d.Schema + "\x00" + d.Name }
func (d DefinitionSum) key() string { return d.Kind + "\x00" + d.Schema + "\x00" + d.Name }

// DifferenceKind orders differences by what they mean.
type DifferenceKind string

// The kinds of difference.
const (
	DifferentData     DifferenceKind = "data"     // rows, sequence values or large objects differ
	DifferentPresence DifferenceKind = "presence" // a table or definition is missing or extra
	DifferentText     DifferenceKind = "text"     // a definition's text or owner differs
)

// Difference names one thing in which a restored copy is not its source.
type Difference struct {
	Kind DifferenceKind `json:"kind"`
	What string         `json:"what"` // "table public.users", "INDEX public.users_pkey"
	How  string         `json:"how"`  // "3 rows in the backup, 2 restored"
}

func (d Difference) String() string { return d.What + ": " + d.How }

// AnyText says whether any of the differences is in the text of a definition.
func AnyText(diffs []Difference) bool {
	return slices.ContainsFunc(diffs, func(d Difference) bool { return d.Kind == DifferentText })
}

// OnlyText says whether there are differences, all in the text of definitions.
func OnlyText(diffs []Difference) bool {
	return len(diffs) > 0 && !slices.ContainsFunc(diffs, func(d Difference) bool { return d.Kind != DifferentText })
}

// DropReworded takes out of diffs, which Compare has found for got, the texts that
// got has in common with reworded: what one restore makes of the definitions of the
// dump itself. What still differs from that, or was not made again, stays.
func DropReworded(diffs []Difference, reworded, got *Fingerprint) []Difference {
	unexplained := map[string]bool{}
	for _, d := range Compare(&Fingerprint{Definitions: reworded.Definitions}, &Fingerprint{Definitions: got.Definitions}) {
		unexplained[d.What] = true
	}
	return slices.DeleteFunc(diffs, func(d Difference) bool { return d.Kind == DifferentText && !unexplained[d.What] })
}

// Compare lists how got (the restored copy) differs from want (the source).
// Fingerprints of different modes are compared as far as both reach.
func Compare(want, got *Fingerprint) []Difference {
	want.Sort()
	got.Sort()
	diffs := compareData(want.Data, got.Data)
	return append(diffs, compareDefinitions(want.Definitions, got.Definitions)...)
}

func compareData(want, got []DataSum) []Difference {
	var diffs []Difference
	merge(want, got, DataSum.key, func(w, g *DataSum) {
		switch {
		case g == nil:
			diffs = append(diffs, Difference{DifferentPresence, w.title(), "is in the backup, was not restored"})
		case w == nil:
			diffs = append(diffs, Difference{DifferentPresence, g.title(), "was not in the backup, is in the restored copy"})
		case w.Rows != g.Rows:
			diffs = append(diffs, Difference{DifferentData, w.title(), fmt.Sprintf("%d rows in the backup, %d restored", w.Rows, g.Rows)})
		case w.Sum != g.Sum && w.Sum != "" && g.Sum != "":
			diffs = append(diffs, Difference{DifferentData, w.title(), "holds other values than the backup"})
		}
	})
	return diffs
}

func compareDefinitions(want, got []DefinitionSum) []Difference {
	var diffs []Difference
	merge(want, got, DefinitionSum.key, func(w, g *DefinitionSum) {
		switch {
		case g == nil:
			diffs = append(diffs, Difference{DifferentPresence, w.title(), "is in the backup, was not restored"})
		case w == nil:
			diffs = append(diffs, Difference{DifferentPresence, g.title(), "was not in the backup, is in the restored copy"})
		case w.Owner != g.Owner:
			diffs = append(diffs, Difference{DifferentText, w.title(), fmt.Sprintf("owner is %s in the backup, %s restored", w.Owner, g.Owner)})
		case w.Text != g.Text:
			diffs = append(diffs, Difference{DifferentText, w.title(), "is worded differently from the backup"})
		}
	})
	return diffs
}

func (d DataSum) title() string       { return strings.TrimSpace(d.Kind + " " + qualified(d.Schema, d.Name)) }
func (d DefinitionSum) title() string { return d.Kind + " " + qualified(d.Schema, d.Name) }

func qualified(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

// merge walks two sorted slices and calls visit with the pairs of equal key, nil
// standing for "not there".
func merge[T any](a, b []T, key func(T) string, visit func(a, b *T)) {
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case j == len(b) || (i < len(a) && key(a[i]) < key(b[j])):
			visit(&a[i], nil)
			i++
		case i == len(a) || key(b[j]) < key(a[i]):
			visit(nil, &b[j])
			j++
		default:
			visit(&a[i], &b[j])
			i++
			j++
		}
	}
}
