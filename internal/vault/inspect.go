package vault

import (
	"context"
)

// Grade says how a finding is to be taken. The zero value is none of them.
type Grade string

// The grades.
const (
	Good     Grade = "good"
	Bad      Grade = "bad"      // a person must mend it
	NotKnown Grade = "notKnown" // the server does not tell, or was not asked
)

// Finding is one thing that was looked at, or tried, at a destination.
type Finding struct {
	About    string `json:"about"` // "put", "object lock", "protection", …
	Grade    Grade  `json:"grade"`
	Sentence string `json:"sentence"`
	Mend     string `json:"mend,omitempty"` // what to do about a bad one
}

// Inspection says how well a destination keeps what it is given, from the view of
// the credentials that back up.
type Inspection struct {
	Destination string    `json:"destination"`
	Findings    []Finding `json:"findings"`
	Left        []string  `json:"left,omitempty"` // probe objects that may not be removed
}

// Bad says whether there is a bad finding.
func (i *Inspection) Bad() bool {
	for _, f := range i.Findings {
		if f.Grade == Bad {
			return true
		}
	}
	return false
}

func (i *Inspection) add(about string, grade Grade, sentence, mend string) {
	if grade == Good {
		mend = ""
	}
	i.Findings = append(i.Findings, Finding{About: about, Grade: grade, Sentence: sentence, Mend: mend})
}

// checkFolder holds the objects on which rights are tried.
const checkFolder = "lifeboat-check"

// Inspect looks at how the destination is set up, and tries on probe objects below
// "lifeboat-check/" what its credentials can do: also what they should not be able
// to. A destination that does not answer, or does not know the credentials, is an
// error; all else are findings.
func (v *Vault) Inspect(ctx context.Context) (*Inspection, error) {
	found, err := v.store.inspect(ctx)
	if err != nil {
		return nil, v.fail(err, "inspect")
	}
	found.Destination = v.name
	return found, nil
}
