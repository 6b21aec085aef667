package postgres

import (
	"context"
	"slices"
	"sync"

	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

// tableBuild is an index or key to be built on a table whose rows are in.
type tableBuild struct {
	table *loadPlan
	entry *archive.Entry
}

// exclusive says whether the server lets nothing else work on the table meanwhile.
func (b *tableBuild) exclusive() bool { return b.entry.Desc != "INDEX" }

// buildQueue hands builds to workers so that none of them waits for a table that
// another one has locked.
type buildQueue struct {
	mu      sync.Mutex
	waiting []*tableBuild
	running []*tableBuild
	closed  bool
	changed chan struct{} // closed and replaced at each change
}

func newBuildQueue() *buildQueue { return &buildQueue{changed: make(chan struct{})} }

// change changes the queue and wakes who waits for it.
func (q *buildQueue) change(do func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	do()
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *buildQueue) add(t *loadPlan) {
	q.change(func() {
		for _, e := range t.builds {
			q.waiting = append(q.waiting, &tableBuild{t, e})
		}
	})
}

// close says that nothing more will be added.
func (q *buildQueue) close() { q.change(func() { q.closed = true }) }

func (q *buildQueue) done(b *tableBuild) {
	q.change(func() { q.running = slices.DeleteFunc(q.running, func(r *tableBuild) bool { return r == b }) })
}

// next waits for a build that can be begun. It returns nil when the queue is closed
// and nothing waits any more, or when ctx ends.
func (q *buildQueue) next(ctx context.Context) *tableBuild {
	for {
		b, changed := q.take()
		if b != nil || changed == nil {
			return b
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// take returns what can be begun now, or else what to wait for; neither at the end.
func (q *buildQueue) take() (*tableBuild, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, b := range q.waiting {
		locked := slices.ContainsFunc(q.running, func(r *tableBuild) bool {
			return r.table == b.table && (r.exclusive() || b.exclusive())
		})
		if !locked {
			q.waiting = slices.Delete(q.waiting, i, i+1)
			q.running = append(q.running, b)
			return b, nil
		}
	}
	if q.closed && len(q.waiting) == 0 {
		return nil, nil
	}
	return nil, q.changed
}
