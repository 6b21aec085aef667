package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

// indexWorkers build indexes while later tables are still being loaded.
const indexWorkers = 2

// restorer puts an archive into an empty database, straight from the stream:
// pg_restore makes the definitions from the archive's head, the rows of each table
// go to the server by COPY as they come, the table's indexes and keys are built as
// soon as it is whole, and pg_restore adds the rest from the head at the end.
//
// Like pg_restore it goes on when the server refuses something, and says so by a
// complaint. It ends with an error if the stream, the server or ctx does.
type restorer struct {
	tools       tools
	server      *server // with the database to restore to
	application string
	folder      string // private

	mu         sync.Mutex
	complaints []string
}

// run restores an archive and tells progress how many of its bytes were read.
// Nothing reads the archive after it has returned. To be stopped by ctx it needs a
// stream that ends with ctx.
func (r *restorer) run(ctx context.Context, archived io.Reader, progress func(int64)) (restored *recovery.Restored, err error) {
	counted := &countingReader{r: archived, progress: progress}
	reader, err := archive.NewReader(counted)
	if err != nil {
		return nil, err
	}
	files, err := os.MkdirTemp(r.folder, "restore-") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("keep the head of the archive: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(files)) }()
	head := filepath.Join(files, "head.dump")
	if err := os.WriteFile(head, reader.Head(), 0o600); err != nil {
		return nil, fmt.Errorf("keep the head of the archive: %w", err)
	}

	plan := planRestore(reader.Entries())
	if err := r.listed(ctx, head, plan.before); err != nil {
		return nil, err
	}
	if err := r.load(ctx, reader, plan); err != nil {
		return nil, err
	}
	if err := r.listed(ctx, head, plan.after, plan.jobs()...); err != nil {
		return nil, err
	}
	return &recovery.Restored{PlainSize: counted.n, Complaints: r.complaints}, nil
}

// listed restores entries by pg_restore.
func (r *restorer) listed(ctx context.Context, head string, ids []int, args ...string) error {
	if len(ids) == 0 {
		return nil
	}
	list := head + ".list"
	var lines strings.Builder
	for _, id := range ids {
		lines.WriteString(strconv.Itoa(id) + ";\n")
	}
	if err := os.WriteFile(list, []byte(lines.String()), 0o600); err != nil {
		return fmt.Errorf("list what to restore: %w", err)
	}
	said, err := r.tools.restore(ctx, r.server, r.application, nil, append(args, "--use-list", list, head)...)
	if err != nil {
		return err
	}
	for _, complaint := range said {
		if exhausted(codeOf(complaint)) {
			return r.server.toolFault("restore", complaint)
		}
		r.complain(complaint)
	}
	return nil
}

// load restores all data, and builds what plan has for each table beside it.
func (r *restorer) load(ctx context.Context, reader *archive.Reader, plan *restorePlan) error {
	group, ctx := errgroup.WithContext(ctx)
	builds := newBuildQueue()
	group.Go(func() error {
		defer builds.close()
		return r.session(ctx, plan, func(conn *restoreSession) error { return conn.load(reader, plan, builds) })
	})
	for range indexWorkers {
		group.Go(func() error { return r.build(ctx, plan, builds) })
	}
	return group.Wait()
}

// build builds indexes and keys until there are no more. It opens a session only
// if there is something to do.
func (r *restorer) build(ctx context.Context, plan *restorePlan, builds *buildQueue) error {
	first := builds.next(ctx)
	if first == nil {
		return context.Cause(ctx)
	}
	return r.session(ctx, plan, func(conn *restoreSession) error {
		for b := first; b != nil; b = builds.next(ctx) {
			err := conn.build(b.entry)
			builds.done(b)
			if err != nil {
				return err
			}
		}
		return context.Cause(ctx)
	})
}

// complain keeps the first complaints.
func (r *restorer) complain(complaint string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.complaints) < recovery.MaxDifferences {
		r.complaints = append(r.complaints, complaint)
	}
}
