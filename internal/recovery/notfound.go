package recovery

import "errors"

// ErrNotFound is wrapped by every error that says an object is not there, while
// the destination itself answered.
var ErrNotFound = errors.New("it is not there")
