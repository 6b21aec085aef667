package recovery

import (
	"fmt"
	"slices"
)

// Level says how far a recovery set has climbed. The zero value is the lowest.
type Level int

// The levels, each including those before it.
const (
	LevelNone     Level = iota // nothing is known to be there
	LevelStored                // committed: the manifest names the sealed objects
	LevelReadBack              // every object was read, has its digest, and opens
	LevelRestored              // restored to staging and equal to the source
	LevelProven                // and the service started on it and passed its journey
)

var levelNames = []string{"none", "stored", "readBack", "restored", "proven"}

// String returns the name used in JSON and on the command line.
func (l Level) String() string { return nameOf(levelNames, int(l)) }

// MarshalText writes the name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a name; an unknown one is an error that lists the known.
func (l *Level) UnmarshalText(text []byte) error {
	i, err := indexOf("level", levelNames, string(text))
	*l = Level(i)
	return err
}

// Verdict says how a try to verify ended. The zero value is never the good one.
type Verdict int

// The verdicts.
const (
	Inconclusive Verdict = iota // nothing was learnt, for example the network failed
	Proven                      // what was tried holds
	Disproven                   // what was tried does not hold
)

var verdictNames = []string{"inconclusive", "proven", "disproven"}

// String returns the name used in JSON and on the command line.
func (v Verdict) String() string { return nameOf(verdictNames, int(v)) }

// MarshalText writes the name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a name; an unknown one is an error that lists the known.
func (v *Verdict) UnmarshalText(text []byte) error {
	i, err := indexOf("verdict", verdictNames, string(text))
	*v = Verdict(i)
	return err
}

// Worse returns the verdict of two tries taken together: one disproof disproves
// both, and both are proven only if each is.
func (v Verdict) Worse(other Verdict) Verdict {
	switch {
	case v == Disproven || other == Disproven:
		return Disproven
	case v == Proven && other == Proven:
		return Proven
	}
	return Inconclusive
}

func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("unknown(%d)", i)
	}
	return names[i]
}

func indexOf(what string, names []string, name string) (int, error) {
	if i := slices.Index(names, name); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("read %s %q: use one of %q", what, name, names)
}
