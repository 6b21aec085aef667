package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// maxName is the longest name, in bytes, that PostgreSQL does not cut.
const maxName = 63

// applicationPrefix is what the sessions of all attempts at a dump have in common.
func applicationPrefix(job recovery.DumpJob) string {
	const attemptDigits = 4
	room := maxName - len("lifeboat/") - len(job.Set) - len("//") - attemptDigits
	return "lifeboat/" + string(job.Set) + "/" + shortened(job.Source, room) + "/"
}

// applicationName is the application_name of one attempt's sessions.
func applicationName(job recovery.DumpJob) string {
	return applicationPrefix(job) + strconv.Itoa(job.Attempt)
}

// shortened cuts a name that is longer than room and keeps it distinct.
func shortened(name string, room int) string {
	if len(name) <= room {
		return name
	}
	tail := "~" + hash(name)
	return strings.ToValidUTF8(name[:room-len(tail)], "") + tail // a character may be cut through
}

// hash is short enough for a name: 8 digits.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// endEarlier ends the sessions of this and earlier attempts of a job, as far as
// the user may: a worker that was killed does not end them. Later attempts are
// left alone, in case that it is this one that was given up.
func endEarlier(ctx context.Context, conn *pgx.Conn, job recovery.DumpJob) error {
	prefix := applicationPrefix(job)
	rows, err := conn.Query(ctx, `SELECT pid, application_name FROM pg_stat_activity WHERE starts_with(application_name, $1) AND pid <> pg_backend_pid()`, prefix)
	if err != nil {
		return err
	}
	type session struct {
		PID         int32
		Application string
	}
	sessions, err := pgx.CollectRows(rows, pgx.RowToStructByPos[session])
	if err != nil {
		return err
	}
	var ended []int32
	for _, s := range sessions {
		attempt, err := strconv.Atoi(strings.TrimPrefix(s.Application, prefix))
		if err == nil && attempt <= job.Attempt {
			ended = append(ended, s.PID)
		}
	}
	return endSessions(ctx, conn, ended)
}

// endSessionsOf ends all sessions of a database.
func endSessionsOf(ctx context.Context, conn *pgx.Conn, database string) error {
	rows, err := conn.Query(ctx, "SELECT pid FROM pg_stat_activity WHERE datname = $1", database)
	if err != nil {
		return err
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return err
	}
	return endSessions(ctx, conn, pids)
}

// endSessions ends sessions and waits a little until they are gone. One that the
// user may not end is left.
func endSessions(ctx context.Context, conn *pgx.Conn, pids []int32) error {
	for _, pid := range pids {
		if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend($1)", pid); err != nil && refused(err) == nil {
			return err
		}
	}
	const patience, pause = 5 * time.Second, 20 * time.Millisecond
	for deadline := time.Now().Add(patience); len(pids) > 0 && time.Now().Before(deadline); {
		var left int
		err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)", pids).Scan(&left)
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}
