package activities

import "context"

// Locks looks at the workflows whose ids are locks.
type Locks struct {
	Runs Runs
}

// LockInput names a lock.
type LockInput struct {
	ID string `json:"id"`
}

// IsHeld says whether the workflow of that id is running.
func (l *Locks) IsHeld(ctx context.Context, in LockInput) (bool, error) {
	held, err := l.Runs.Holds(ctx, in.ID)
	return held, classify(ctx, err)
}
