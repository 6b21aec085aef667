package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const (
	// renamePatience is how long sessions are waited for that cannot be closed.
	renamePatience = 30 * time.Second
	// renameMargin is left before the deadline of ctx, to say who is in the way.
	renameMargin = time.Second
	// renamePause lets clients through between two tries.
	renamePause = 500 * time.Millisecond
	// renameTry bounds each wait of a try, for a lock or for the end of sessions:
	// nobody can connect meanwhile.
	renameTry = 3 * time.Second
	// closePause is between two looks at the sessions to be closed.
	closePause = 2 * time.Millisecond
	// maxWakes bounds how often the renaming session is woken in a try.
	maxWakes = 10
)

// wakeChannel is where the renaming session listens. The server looks every 100 ms
// whether all sessions of a database are gone; a signal, such as that of NOTIFY,
// makes it look at once.
const wakeChannel = "lifeboat_rename"

// renaming is a transaction that renames databases.
type renaming struct {
	sql       string
	databases []uint32 // whose sessions must end
}

// renamer renames databases that are in use. One session renames: it locks a
// database, so that nobody can connect to it any more, and waits for the sessions
// that are still there. A second one closes those.
type renamer struct {
	doing       string
	server      *server // with a database that is not renamed
	application string
	// plan says what is to be renamed, nil if that was done.
	plan func(context.Context, *pgx.Conn) (*renaming, error)

	down   time.Duration
	closed map[int32]bool // by process id
	left   []string       // whose sessions the last try met last
}

// run tries until it is done.
func (r *renamer) run(ctx context.Context) (swapped *recovery.Swapped, err error) {
	r.closed = map[int32]bool{}
	until := time.Now().Add(renamePatience)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-renameMargin).Before(until) {
		until = deadline.Add(-renameMargin)
	}
	err = r.server.withConn(ctx, r.application, func(watch *pgx.Conn) error {
		return r.renaming().withConn(ctx, r.application, func(conn *pgx.Conn) error {
			if _, err := conn.Exec(ctx, "LISTEN "+wakeChannel); err != nil {
				return r.server.fault(ctx, r.doing, err)
			}
			swapped, err = r.repeat(ctx, conn, watch, until)
			return err
		})
	})
	return swapped, err
}

// renaming is for the session that renames. When ctx ends, the server is asked to
// stop, and its answer waited for: it may have been done.
func (r *renamer) renaming() *server {
	s := r.server.database(r.server.config.Database)
	maps.Copy(s.config.RuntimeParams, map[string]string{
		"statement_timeout": strconv.FormatInt(renameTry.Milliseconds(), 10), "synchronous_commit": "on",
	})
	s.config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: stopGrace}
	}
	return s
}

func (r *renamer) repeat(ctx context.Context, conn, watch *pgx.Conn, until time.Time) (*recovery.Swapped, error) {
	for {
		todo, err := r.plan(ctx, watch)
		if err != nil {
			return nil, err
		}
		if todo == nil {
			return &recovery.Swapped{Again: true}, nil
		}
		inTheWay, err := r.holders(ctx, watch, todo.databases)
		if err != nil {
			return nil, err
		}
		if len(inTheWay) == 0 {
			done, err := r.try(ctx, conn, watch, todo)
			if err != nil {
				return nil, err
			}
			if done {
				return &recovery.Swapped{Down: recovery.Duration(r.down), Closed: len(r.closed)}, nil
			}
			inTheWay = r.left
		}
		if !time.Now().Add(renamePause + renameTry).Before(until) {
			return nil, r.giveUp(inTheWay)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w", r.doing, context.Cause(ctx))
		case <-time.After(renamePause):
		}
	}
}

func (r *renamer) giveUp(inTheWay []string) error {
	if len(inTheWay) == 0 {
		inTheWay = []string{"sessions that come and go"}
	}
	return recovery.NewFault(recovery.Unavailable, fmt.Errorf("%s: the database is held by %s; nothing was changed", r.doing, strings.Join(inTheWay, ", ")),
		"end these sessions, or wait for their end")
}

// databaseLocks are the locks that sessions hold on the databases $1. Those who
// connect hold one for a moment.
const databaseLocks = `SELECT pid, objid, mode FROM pg_locks
	WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND objid = ANY($1) AND granted AND mode <> 'RowExclusiveLock'`

// sessionTitle says in SQL whose a session is; what it runs is nobody's business.
const sessionTitle = `'user ' || coalesce(a.usename, '?') || CASE WHEN a.application_name <> '' THEN ' (' || a.application_name || ')' ELSE '' END`

// holdersQuery lists sessions that must end by themselves: those in the databases
// that the user may not close, and those elsewhere that have locked one. The server
// itself ends those that vacuum, which have no user.
const holdersQuery = `
	WITH held AS (` + databaseLocks + `)
	SELECT DISTINCT ` + sessionTitle + `
	FROM pg_roles me, pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
	WHERE me.rolname = current_user AND a.usesysid IS NOT NULL AND CASE
		WHEN a.datid = ANY($1) THEN NOT ` + mayClose + `
		ELSE a.pid IN (SELECT pid FROM held) END
	ORDER BY 1 LIMIT 10`

func (r *renamer) holders(ctx context.Context, watch *pgx.Conn, databases []uint32) ([]string, error) {
	rows, err := watch.Query(ctx, holdersQuery, databases)
	if err != nil {
		return nil, r.server.fault(ctx, r.doing, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return list, r.server.fault(ctx, r.doing, err)
}

// try renames once. It is not done if sessions, locks or another renamer were in
// the way.
func (r *renamer) try(ctx context.Context, conn, watch *pgx.Conn, todo *renaming) (done bool, err error) {
	r.left = nil
	begun := time.Now()
	ended := make(chan error, 1)
	go func() {
		_, err := conn.PgConn().Exec(ctx, todo.sql).ReadAll()
		ended <- err
	}()
	pid := int32(conn.PgConn().PID())
	pause := time.NewTicker(closePause)
	defer pause.Stop()
	var watchErr error
	for wakes := 0; ; {
		if watchErr == nil {
			var free bool
			free, watchErr = r.closeSessions(ctx, watch, pid, todo.databases)
			if free && wakes < maxWakes {
				_, watchErr = watch.Exec(ctx, "NOTIFY "+wakeChannel)
				wakes++
			}
		}
		select {
		case err := <-ended:
			r.down += time.Since(begun)
			switch {
			case err == nil:
				return true, nil
			case ctx.Err() != nil:
				return false, fmt.Errorf("%s: %w", r.doing, context.Cause(ctx))
			case passing(err):
				return false, nil
			}
			return false, r.server.fault(ctx, r.doing, err)
		case <-pause.C:
		}
	}
}

// passing says whether the server refused a try for what will pass, or for what a
// look at the databases explains.
func passing(err error) bool {
	e := refused(err)
	if e == nil {
		return false
	}
	switch e.Code {
	case "55006", // the database is in use
		"55P03", "57014", "40P01", // the lock was not to be had, or not in time; deadlock
		"42P04", "3D000", "55000": // another one has renamed it
		return true
	}
	return false
}

// closeQuery ends the sessions of those databases that the renaming session, $2, has
// locked, and those that keep it from that. There is one row without a process if
// there is no session.
const closeQuery = `
	WITH held AS (` + databaseLocks + `),
	locked AS (SELECT objid FROM held WHERE pid = $2 AND mode = 'AccessExclusiveLock'),
	a AS (SELECT * FROM pg_stat_activity WHERE datid IN (SELECT objid FROM locked) OR datid = ANY($1) AND pid IN (SELECT pid FROM held))
	SELECT EXISTS (SELECT FROM locked), a.pid, ` + sessionTitle + `, CASE WHEN ` + mayClose + ` THEN pg_terminate_backend(a.pid) END
	FROM pg_roles me LEFT JOIN a ON true LEFT JOIN pg_roles r ON r.oid = a.usesysid
	WHERE me.rolname = current_user`

// closeSessions closes what is there; free says that a database is locked and has no
// session any more.
func (r *renamer) closeSessions(ctx context.Context, watch *pgx.Conn, pid int32, databases []uint32) (free bool, err error) {
	rows, err := watch.Query(ctx, closeQuery, databases, pid)
	if err != nil {
		return false, err
	}
	var left []string
	var locked bool
	var session *int32
	var title string
	var closed *bool
	_, err = pgx.ForEachRow(rows, []any{&locked, &session, &title, &closed}, func() error {
		if session == nil {
			return nil
		}
		if closed != nil && *closed {
			r.closed[*session] = true
		}
		if !slices.Contains(left, title) {
			left = append(left, title)
		}
		return nil
	})
	if locked || len(left) > 0 { // or else the try has ended, and says nothing of who was there
		r.left = left
	}
	return locked && len(left) == 0, err
}
