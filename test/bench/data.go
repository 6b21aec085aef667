package main

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// dataVersion is kept as a database's comment: data of another version is made
// anew.
const dataVersion = "lifeboat bench data 1"

// database names the database of a size.
func (g gigabytes) database() string { return fmt.Sprintf("bench_%dm", g.megabytes()) }

// service names the service whose only source is that database.
func (g gigabytes) service() string { return fmt.Sprintf("bench-%dm", g.megabytes()) }

func (g gigabytes) megabytes() int { return int(g*1000 + 0.5) }

// What fills 1 GB on disk: two fifths are the tables of `pgbench -i`, which
// compress a hundredfold, the rest is events, which compress as real data does.
const (
	branchesPerGB = 40
	eventsPerGB   = 400_000
)

const pgbenchTables = `
create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
create table pgbench_tellers (tid int not null, bid int, tbalance int, filler char(84)) with (fillfactor = 100);
create table pgbench_accounts (aid int not null, bid int, abalance int, filler char(84)) with (fillfactor = 100);
create table pgbench_branches (bid int not null, bbalance int, filler char(88)) with (fillfactor = 100);
insert into pgbench_branches (bid, bbalance) select g, 0 from generate_series(1, %[1]d) g;
insert into pgbench_tellers (tid, bid, tbalance) select g, (g - 1) / 10 + 1, 0 from generate_series(1, 10 * %[1]d) g;
insert into pgbench_accounts (aid, bid, abalance, filler) select g, (g - 1) / 100000 + 1, 0, '' from generate_series(1, 100000 * %[1]d) g;
alter table pgbench_branches add primary key (bid);
alter table pgbench_tellers add primary key (tid);
alter table pgbench_accounts add primary key (aid);`

const eventTables = `
create table tenants (id int primary key, name text not null, plan text not null);
insert into tenants select g, 'tenant ' || g, (array['free', 'pro', 'team', 'enterprise'])[1 + g %% 4] from generate_series(1, %d) g;
create table events (
	id bigint not null, tenant_id int not null, created_at timestamptz not null, kind text not null,
	email text not null, body text not null, payload jsonb not null);`

const eventIndexes = `
alter table events add primary key (id);
create index on events (tenant_id, created_at);
create index on events (email);
create index on events (kind, created_at);
create index on events using gin (payload jsonb_path_ops);
alter table events add foreign key (tenant_id) references tenants (id);`

// makeDatabase makes the database of a size unless it is there.
func (b *bench) makeDatabase(ctx context.Context, size gigabytes) error {
	name := size.database()
	made, err := b.queryText(ctx, "postgres", "select coalesce(shobj_description(max(oid), 'pg_database'), '') from pg_database where datname = '"+name+"'")
	if err != nil || made == dataVersion {
		return err
	}
	b.say("making a database of about %s GB, once", &size)
	for _, sql := range []string{"drop database if exists " + name, "create database " + name + " template template0"} {
		if err := b.postgres.Exec(ctx, "postgres", sql); err != nil {
			return err
		}
	}
	if err := b.postgres.Exec(ctx, name, fmt.Sprintf(eventTables, tenants)); err != nil {
		return err
	}
	fill, filling := errgroup.WithContext(ctx)
	fill.Go(func() error {
		return b.postgres.Exec(filling, name, fmt.Sprintf(pgbenchTables, int(branchesPerGB*size)))
	})
	fill.Go(func() error { return b.copyEvents(filling, name, int(eventsPerGB*size)) })
	if err := fill.Wait(); err != nil {
		return err
	}
	for _, sql := range []string{eventIndexes, "vacuum analyze", "checkpoint", "comment on database " + name + " is '" + dataVersion + "'"} {
		if err := b.postgres.Exec(ctx, name, sql); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) copyEvents(ctx context.Context, database string, count int) error {
	conn, err := pgx.Connect(ctx, b.postgres.URL(database))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeEvents(w, count)) }()
	_, err = conn.PgConn().CopyFrom(ctx, r, "copy events from stdin")
	_ = r.Close() // ends the writer if the copy failed
	return err
}

// queryText returns the first value of a query.
func (b *bench) queryText(ctx context.Context, database, sql string) (string, error) {
	conn, err := pgx.Connect(ctx, b.postgres.URL(database))
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var value string
	err = conn.QueryRow(ctx, sql).Scan(&value)
	return value, err
}
