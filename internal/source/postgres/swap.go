package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Swap puts one database in the place of another in one transaction, so that there
// is no state between, whatever is killed when. Sessions of both are closed. Clients
// see their connection closed, or are told while they connect that the database does
// not exist.
//
// Whether it is done is told by the identities: asked again, it finds so. If neither
// that nor what the job says is there, it changes nothing and says what is there.
// If sessions cannot be closed, it gives up after half a minute, or shortly before
// ctx's deadline, changes nothing, and says whose they are.
//
// Whoever reads on a standby server keeps the old database until he connects anew:
// the server knows no way to close sessions there.
//
// The new live database gets the comment and the connection limit of the one it
// replaces, whose comment then says what it is.
func (l *Live) Swap(ctx context.Context, job recovery.Swap) (*recovery.Swapped, error) {
	service, err := l.service()
	if err != nil {
		return nil, err
	}
	if err := checkSwap(job, service.config.Database); err != nil {
		return nil, err
	}
	maintenance, err := l.maintenance(ctx)
	if err != nil {
		return nil, err
	}
	r := &renamer{
		doing: "swap source " + l.Source, server: maintenance, application: l.Application,
		plan: func(ctx context.Context, conn *pgx.Conn) (*renaming, error) {
			return planSwap(ctx, maintenance, conn, job, service.config.User)
		},
	}
	return r.run(ctx)
}

// checkSwap refuses names that no plan would have.
func checkSwap(job recovery.Swap, live string) error {
	refuse := func(format string, args ...any) error {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("swap source %s: %s; nothing was changed", job.Source, fmt.Sprintf(format, args...)), "")
	}
	switch {
	case job.Live != live:
		return refuse("the service's database is %s, not %s", live, job.Live)
	case job.In == "" || job.In == job.Out:
		return refuse("it is not said what takes the place")
	case job.New == job.Live || job.Aside == job.Live || job.Aside == job.New:
		return refuse("the names are not distinct")
	case strings.HasPrefix(job.Aside, stagingPrefix):
		return refuse("what is set aside must not be called %s…, like a copy that may be dropped", stagingPrefix)
	}
	return checkName(job.Aside)
}

// checkName refuses a name that PostgreSQL would cut.
func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("name a database: %q has not 1 to %d bytes", name, maxName), "")
	}
	return nil
}

// planSwap compares what is there with what the job says. It returns nil if the
// swap was done.
func planSwap(ctx context.Context, s *server, conn *pgx.Conn, job recovery.Swap, serviceRole string) (*renaming, error) {
	doing := "swap source " + job.Source
	found, err := placesNow(ctx, s, conn, job.Live, job.New, job.Aside)
	if err != nil {
		return nil, s.fault(ctx, doing, err)
	}
	live, in, aside := found[job.Live], found[job.New], found[job.Aside]
	if live != nil && live.identity == job.In {
		return nil, nil
	}
	refuse := func(hint, why string) error {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("%s: %s; nothing was changed", doing, why), hint)
	}
	const again = "see what was changed on the server, and plan it anew"
	switch {
	case live == nil && job.Out != "":
		return nil, refuse(again, fmt.Sprintf("there is no database %s any more", job.Live))
	case live != nil && live.identity != job.Out:
		return nil, refuse(again, fmt.Sprintf("database %s is %s, which is neither what was there nor what takes its place", job.Live, live.identity))
	case in == nil:
		return nil, refuse(again, fmt.Sprintf("there is no database %s, which was to take the place", job.New))
	case in.identity != job.In:
		return nil, refuse(again, fmt.Sprintf("database %s is %s, not %s", job.New, in.identity, job.In))
	case live != nil && aside != nil:
		return nil, refuse(again, fmt.Sprintf("there is a database %s already", job.Aside))
	}
	for _, p := range []*place{live, in} {
		if p == nil {
			continue
		}
		why, err := refusals(ctx, conn, p.name, serviceRole)
		if err != nil {
			return nil, s.fault(ctx, doing, err)
		}
		if len(why) > 0 {
			return nil, refuse("", strings.TrimSuffix(why[0], "."))
		}
	}
	roles, err := rolesMadeFor(ctx, conn, in.oid)
	if err != nil {
		return nil, s.fault(ctx, doing, err)
	}
	return swapOf(job, live, in, roles, time.Now()), nil
}

// swapOf writes the swap of live, which may be nil, with in.
func swapOf(job recovery.Swap, live, in *place, roles []string, now time.Time) *renaming {
	var sql statements
	databases := []uint32{in.oid}
	comment, limit := originalComment(in.comment), in.limit
	if live != nil {
		databases = append(databases, live.oid)
		comment, limit = originalComment(live.comment), live.limit
		sql.add("ALTER DATABASE %s RENAME TO %s", identifier(job.Live), identifier(job.Aside))
	}
	sql.add("ALTER DATABASE %s RENAME TO %s", identifier(job.New), identifier(job.Live))
	sql.add("COMMENT ON DATABASE %s IS %s", identifier(job.Live), literal(comment))
	if limit != in.limit {
		sql.add("ALTER DATABASE %s CONNECTION LIMIT %d", identifier(job.Live), limit)
	}
	if live != nil {
		sql.add("COMMENT ON DATABASE %s IS %s", identifier(job.Aside), literal(asideComment(job.Live, comment, now)))
		sql.expect(job.Aside, live.oid)
	}
	sql.keepRoles(roles)
	sql.expect(job.Live, in.oid)
	return &renaming{sql: strings.Join(sql, ";\n"), databases: databases}
}

// Rename gives a database beside the live one a lasting name, and the comment that
// it had when it was backed up. It is no error if that was done already.
func (l *Live) Rename(ctx context.Context, from, to string) error {
	doing := fmt.Sprintf("rename database %s to %s", from, to)
	service, err := l.service()
	if err != nil {
		return err
	}
	refuse := func(why string) error {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("%s: %s; nothing was changed", doing, why), "")
	}
	if live := service.config.Database; from == live || to == live {
		return refuse("what is live is only swapped")
	}
	if strings.HasPrefix(to, stagingPrefix) {
		return refuse("a lasting name must not begin with " + stagingPrefix)
	}
	if err := checkName(to); err != nil {
		return err
	}
	maintenance, err := l.maintenance(ctx)
	if err != nil {
		return err
	}
	r := &renamer{
		doing: doing, server: maintenance, application: l.Application,
		plan: func(ctx context.Context, conn *pgx.Conn) (*renaming, error) {
			return planRename(ctx, maintenance, conn, doing, from, to)
		},
	}
	_, err = r.run(ctx)
	return err
}

// planRename returns nil if it was done.
func planRename(ctx context.Context, s *server, conn *pgx.Conn, doing, from, to string) (*renaming, error) {
	found, err := placesNow(ctx, s, conn, from, to)
	if err != nil {
		return nil, s.fault(ctx, doing, err)
	}
	p := found[from]
	switch {
	case p == nil && found[to] != nil:
		return nil, nil
	case p == nil:
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("%s: %w", doing, ErrNotFound), "")
	case found[to] != nil:
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("%s: there is a database of that name already; nothing was changed", doing), "")
	}
	roles, err := rolesMadeFor(ctx, conn, p.oid)
	if err != nil {
		return nil, s.fault(ctx, doing, err)
	}
	var sql statements
	sql.add("ALTER DATABASE %s RENAME TO %s", identifier(from), identifier(to))
	sql.add("COMMENT ON DATABASE %s IS %s", identifier(to), literal(originalComment(p.comment)))
	sql.keepRoles(roles)
	sql.expect(to, p.oid)
	return &renaming{sql: strings.Join(sql, ";\n"), databases: []uint32{p.oid}}, nil
}

// statements are sent at once, as one transaction: it goes on or ends as a whole,
// whatever becomes of the client meanwhile.
type statements []string

func (s *statements) add(format string, args ...any) { *s = append(*s, fmt.Sprintf(format, args...)) }

// expect ends the transaction unless that database has the name now.
func (s *statements) expect(name string, oid uint32) {
	body := fmt.Sprintf("BEGIN IF (SELECT oid FROM pg_database WHERE datname = %s) IS DISTINCT FROM %d::oid THEN RAISE object_not_in_prerequisite_state; END IF; END", literal(name), oid)
	s.add("DO LANGUAGE plpgsql %s", literal(body))
}

// keepRoles takes the mark of staging from roles that a lasting database needs.
func (s *statements) keepRoles(roles []string) {
	for _, role := range roles {
		s.add("COMMENT ON ROLE %s IS NULL", identifier(role))
	}
}

// asideText begins the comment of what was set aside; what it had as a comment
// follows in a paragraph of its own.
const asideText = "Set aside by Lifeboat"

func asideComment(live, original string, now time.Time) string {
	text := fmt.Sprintf("%s at %s, when another copy took the name %s. Nothing uses it any more.", asideText, now.UTC().Format("2006-01-02 15:04 UTC"), live)
	if original != "" {
		text += "\n\n" + original
	}
	return text
}

// originalComment is the comment that a database had before Lifeboat wrote its own.
func originalComment(comment string) string {
	var staging stagingComment
	if json.Unmarshal([]byte(comment), &staging) == nil && staging.Lifeboat != (recovery.RunRef{}) {
		return staging.Comment
	}
	if strings.HasPrefix(comment, asideText) {
		_, comment, _ = strings.Cut(comment, "\n\n")
	}
	return comment
}
