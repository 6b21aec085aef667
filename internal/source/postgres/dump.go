package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/process"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

// Dump writes a custom archive of the database to w, which it never closes, and
// tells progress how many bytes have been written so far. It succeeds only if
// pg_dump did, its archive is whole, and w took all of it. First it ends what
// earlier attempts of the job left running.
func (s *Source) Dump(ctx context.Context, job recovery.DumpJob, w io.Writer, progress func(bytes int64)) (*recovery.Dump, error) {
	server, err := s.server()
	if err != nil {
		return nil, err
	}
	var f *facts
	err = server.withConn(ctx, applicationName(job), func(conn *pgx.Conn) error {
		if err := endEarlier(ctx, conn, job); err != nil {
			return server.fault(ctx, "end earlier sessions on source "+s.Name, err)
		}
		f, err = s.inspect(ctx, server, conn)
		return err
	})
	if err != nil {
		return nil, err
	}
	document, err := f.database.document()
	if err != nil {
		return nil, err
	}
	t, err := findTools(ctx, s.ToolDirs, f.major)
	if err != nil {
		return nil, err
	}
	job.Source = s.Name
	result := &recovery.Dump{
		Ext: "dump", Snapshot: f.now.UTC(), Tool: "pg_dump " + t.version, ServerVersion: f.version,
		Extensions: f.extensions, Roles: f.database.Roles,
		Companions: []recovery.Companion{{Role: recovery.RoleDatabase, Ext: "database.sql", Content: document}},
	}
	run := dumpRun{server: server, tools: t, application: applicationName(job), doing: "dump source " + s.Name, mode: s.Fingerprint}
	run.choose(f.tables, f.extensions)
	result.Fingerprint, result.PlainSize, err = run.to(ctx, w, progress)
	if err != nil {
		return nil, err
	}
	return result, nil
}

// lockWait bounds pg_dump's wait for a lock, in milliseconds: someone may be
// changing a table for hours, and a later attempt may find the moment.
const lockWait = "--lock-wait-timeout=60000"

// dumpRun is one run of pg_dump.
type dumpRun struct {
	server      *server
	tools       tools
	application string
	doing       string // for errors
	mode        recovery.FingerprintMode
	selection   []string // arguments that choose tables; none: the whole database
}

// choose limits the dump to tables, if any, and the extensions they may need.
func (d *dumpRun) choose(tables []table, extensions []recovery.Extension) {
	if len(tables) == 0 {
		return
	}
	d.selection = []string{"--strict-names"}
	for _, t := range tables {
		d.selection = append(d.selection, "--table="+t.pattern())
	}
	for _, e := range extensions {
		if d.tools.major >= 14 { // knows the option
			d.selection = append(d.selection, "--extension="+identifier(e.Name))
		}
	}
}

// to runs pg_dump and returns the fingerprint and the size of what it wrote.
// Reading, fingerprinting and writing go on side by side.
func (d *dumpRun) to(ctx context.Context, w io.Writer, progress func(int64)) (*recovery.Fingerprint, int64, error) {
	if d.mode == "" {
		d.mode = recovery.FingerprintContent
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	said := &complaints{program: "pg_dump"}
	dump, out, err := d.start(ctx, said)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = out.Close() }() // only read from

	var o outcome
	stream := newFanOut(2)
	var consumers errgroup.Group
	consumers.Go(func() error {
		o.pump = stream.pump(ctx, out)
		return nil
	})
	consumers.Go(func() error {
		if o.print, o.archive = archive.Fingerprint(stream.reader(0), d.mode); o.archive != nil && !stream.ended.Load() {
			stop(o.archive) // not a consequence of pg_dump's end
		}
		return nil
	})
	consumers.Go(func() error {
		if o.size, o.write = stream.writeTo(w, 1, progress); o.write != nil {
			stop(o.write)
		}
		return nil
	})
	_ = consumers.Wait() // they report by o
	if o.pump != nil {
		stop(o.pump)
	}
	return o.print, o.size, d.judge(said, dump.Wait(), &o)
}

// start starts pg_dump with its output in a pipe, which it returns.
func (d *dumpRun) start(ctx context.Context, said *complaints) (*process.Process, io.ReadCloser, error) {
	r, w, err := outputPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", d.doing, err)
	}
	p, err := process.Start(ctx, process.Command{
		Path:   d.tools.pgDump(),
		Args:   append([]string{"--format=custom", "--compress=0", "--no-password", lockWait}, d.selection...),
		Env:    d.server.env(d.application),
		Stdout: w, Stderr: said,
	})
	closed := w.Close()
	if err == nil {
		return p, r, closed
	}
	return nil, nil, errors.Join(fmt.Errorf("%s: %w", d.doing, err), r.Close())
}

// outcome is how the parts of a dump ended.
type outcome struct {
	print   *recovery.Fingerprint
	size    int64
	pump    error // of reading from pg_dump
	archive error // of the archive's structure
	write   error // of w
}

// judge returns the error that caused the others, or nil.
func (d *dumpRun) judge(said *complaints, end error, o *outcome) error {
	var exit *process.ExitError
	if errors.As(end, &exit) && exit.Cause == nil {
		return d.server.toolEnd(d.doing, said, end)
	}
	switch {
	case o.write != nil:
		return fmt.Errorf("%s: write: %w", d.doing, o.write)
	case o.archive != nil && end == nil:
		return fmt.Errorf("%s: pg_dump ended without an error, but what it wrote is not whole: %w", d.doing, o.archive)
	case end != nil:
		return fmt.Errorf("%s: %w", d.doing, end)
	case o.pump != nil:
		return fmt.Errorf("%s: %w", d.doing, o.pump)
	}
	return nil
}
