package recovery

import "errors"

// FaultKind says what an error means for the step that met it.
type FaultKind int

// The kinds. An error that is no Fault counts as unavailable: it is tried again.
const (
	Unavailable FaultKind = iota // does not answer now; worth trying again
	Permanent                    // stays as it is until a person mends it
	Damaged                      // the stored bytes are not what was stored
)

// Fault is an error with its meaning and, where a person must act, the mend.
// Its text must hold no secret and none of the user's data.
type Fault struct {
	Kind FaultKind
	Hint string // one sentence: what to do; may be empty
	Err  error
}

// NewFault wraps err. It returns nil for a nil err.
func NewFault(kind FaultKind, err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Fault{Kind: kind, Hint: hint, Err: err}
}

func (f *Fault) Error() string {
	if f.Hint == "" {
		return f.Err.Error()
	}
	return f.Err.Error() + " (" + f.Hint + ")"
}

func (f *Fault) Unwrap() error { return f.Err }

// KindOf returns the kind of the outermost Fault in err's chain, Unavailable if
// there is none.
func KindOf(err error) FaultKind {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Kind
	}
	return Unavailable
}
