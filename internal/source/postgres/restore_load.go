package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

// restoreSession is a session that restores data or builds indexes.
type restoreSession struct {
	*restorer
	ctx  context.Context // of the whole session
	conn *pgconn.PgConn
}

// restoreSettings are those that pg_restore works under.
const restoreSettings = `
	SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN
		('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout');
	SET check_function_bodies = false; SET xmloption = content; SET client_min_messages = warning; SET row_security = off;
`

// stopGrace is how long the server may take to stop what it does when ctx ends.
const stopGrace = 5 * time.Second

// session opens a session for the time of do. When ctx ends, the server is asked to
// stop, because it would otherwise build a begun index to its end.
func (r *restorer) session(ctx context.Context, plan *restorePlan, do func(*restoreSession) error) error {
	server := *r.server
	server.config = server.config.Copy()
	server.config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: stopGrace}
	}
	return server.withConn(ctx, r.application, func(conn *pgx.Conn) error {
		s := &restoreSession{restorer: r, ctx: ctx, conn: conn.PgConn()}
		if err := s.exec(restoreSettings + strings.Join(plan.settings, "")); err != nil {
			return r.server.fault(ctx, "set up a session with "+r.server.title, err)
		}
		return do(s)
	})
}

func (s *restoreSession) exec(sql string) error {
	_, err := s.conn.Exec(s.ctx, sql).ReadAll()
	return err
}

// refusal makes a complaint of what the server refused, and an error of the rest:
// a server that has run out of something says nothing about the archive.
func (s *restoreSession) refusal(what string, err error) error {
	e := refused(err)
	switch {
	case s.ctx.Err() != nil:
		return fmt.Errorf("restore %s: %w", what, context.Cause(s.ctx))
	case e == nil || s.conn.IsClosed() || exhausted(e.Code):
		return s.server.fault(s.ctx, "restore "+what, err)
	}
	s.complain(fmt.Sprintf("%s: %s (SQLSTATE %s)", what, clean(e.Message), e.Code))
	return nil
}

// load restores all data of the archive.
func (s *restoreSession) load(reader *archive.Reader, plan *restorePlan, builds *buildQueue) error {
	for {
		block, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		load := plan.tables[block.Entry.ID]
		what := "data of " + qualified(block.Entry)
		if block.LargeObjects() {
			what = "large objects"
		}
		// If the server refuses it, the rest of the block is skipped.
		err = s.inTransaction(func() error {
			if block.LargeObjects() {
				return s.objects(block)
			}
			return s.rows(block, load.created)
		})
		if broken := block.Err(); broken != nil {
			return broken
		}
		if err != nil {
			if err := s.refusal(what, err); err != nil {
				return err
			}
		}
		builds.add(load)
	}
}

func qualified(e *archive.Entry) string { return pgx.Identifier{e.Namespace, e.Tag}.Sanitize() }

func (s *restoreSession) inTransaction(do func() error) error {
	if err := s.exec("BEGIN"); err != nil {
		return err
	}
	if err := do(); err != nil {
		return errors.Join(err, s.exec("ROLLBACK"))
	}
	return s.exec("COMMIT")
}

// rows copies the rows of a table. Into a table that is new in the transaction they
// are written as old rows, which nobody has to mark as such later.
func (s *restoreSession) rows(block *archive.Block, created bool) error {
	statement := block.Entry.Copy
	if from, ok := strings.CutSuffix(statement, " FROM stdin;\n"); ok && created {
		if err := s.exec("TRUNCATE ONLY " + qualified(block.Entry)); err != nil {
			return err
		}
		statement = from + " FROM stdin WITH (FREEZE)"
	}
	rows := &gate{r: block}
	defer rows.close()
	_, err := s.conn.CopyFrom(s.ctx, rows, statement)
	return err
}

// gate ends a reader for someone who may go on reading.
type gate struct {
	mu     sync.Mutex
	r      io.Reader
	closed bool
}

func (g *gate) Read(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0, io.ErrClosedPipe
	}
	return g.r.Read(p)
}

// close waits for a read that has begun.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

const (
	// writeObject makes a large object unless it is there, and writes to it.
	writeObject = `SELECT pg_catalog.lo_put(
		CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata WHERE oid = $1) THEN $1 ELSE pg_catalog.lo_create($1) END, $2, $3)`
	// objectPart is how much is written at once: a multiple of the 2 kB of a row of
	// pg_largeobject.
	objectPart = 256 << 10
)

// objects writes the large objects of a block.
func (s *restoreSession) objects(block *archive.Block) error {
	if _, err := s.conn.Prepare(s.ctx, "write_object", writeObject, nil); err != nil {
		return err
	}
	part := make([]byte, objectPart)
	for {
		oid, err := block.NextObject()
		if errors.Is(err, io.EOF) {
			return s.exec("DEALLOCATE write_object")
		}
		if err != nil {
			return err
		}
		if err := s.object(oid, block, part); err != nil {
			return fmt.Errorf("large object %d: %w", oid, err)
		}
	}
}

func (s *restoreSession) object(oid uint32, block *archive.Block, part []byte) error {
	binaryFormat := []int16{1}
	for offset := uint64(0); ; {
		n, err := io.ReadFull(block, part)
		if broken := block.Err(); broken != nil {
			return broken
		}
		last := err != nil
		if n > 0 || offset == 0 { // an empty one is to be there, too
			arguments := [][]byte{binary.BigEndian.AppendUint32(nil, oid), binary.BigEndian.AppendUint64(nil, offset), part[:n]}
			if result := s.conn.ExecPrepared(s.ctx, "write_object", arguments, binaryFormat, nil).Read(); result.Err != nil {
				return result.Err
			}
		}
		if last {
			return nil
		}
		offset += uint64(n)
	}
}

// build builds an index or key.
func (s *restoreSession) build(e *archive.Entry) error {
	what := e.Desc + " " + qualified(e)
	tablespace := "SET default_tablespace = "
	if e.Tablespace == "" {
		tablespace += "''"
	} else {
		tablespace += identifier(e.Tablespace)
	}
	err := s.exec(tablespace)
	if err != nil { // then where it can be, like pg_restore
		if err := s.refusal(what, err); err != nil {
			return err
		}
	}
	if err := s.exec(e.Defn); err != nil {
		return s.refusal(what, err)
	}
	return nil
}
