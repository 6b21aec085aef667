package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/loopback"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// StartRun starts a playbook by the CLI, without waiting for it, and returns its
// workflow id.
func (r *Rig) StartRun(command string, args ...string) string {
	r.t.Helper()
	out := r.Starter(append([]string{command, sandbox.Service, "--detach"}, args...)...)
	require.Equal(r.t, 0, out.Code, out.Stderr)
	return strings.TrimSpace(out.Stdout)
}

// Await waits until something is so, for as long as a test may take.
func (r *Rig) Await(what string, is func() bool) {
	r.t.Helper()
	require.Eventually(r.t, is, 3*time.Minute, 100*time.Millisecond, what)
}

// AwaitPending waits until a run waits for a decision, and returns the request.
func (r *Rig) AwaitPending(run string) approval.Book {
	r.t.Helper()
	var books []approval.Book
	r.Await(run+" does not ask for a decision", func() bool {
		books = r.Pending(run)
		return len(books) == 1
	})
	return books[0]
}

// Pending lists the requests of a run that wait for a decision; none while no worker
// answers.
func (r *Rig) Pending(run string) (books []approval.Book) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	value, err := r.Client().QueryWorkflow(ctx, run, "", workflows.QueryPending)
	if err != nil || value.Get(&books) != nil {
		return nil
	}
	return books
}

// AwaitPendingOf waits until the only run of a playbook waits for a decision.
func (r *Rig) AwaitPendingOf(playbook string) approval.Book {
	r.t.Helper()
	return r.AwaitPending(r.onlyRun(playbook))
}

// onlyRun waits for the only running run of a playbook.
func (r *Rig) onlyRun(playbook string) string {
	r.t.Helper()
	id := ""
	c := r.Client()
	r.Await(playbook+" is not started", func() bool {
		listed, err := c.ListWorkflow(context.Background(), &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: "default", Query: fmt.Sprintf("WorkflowType = %q AND ExecutionStatus = 'Running'", playbook),
		})
		if err == nil && len(listed.GetExecutions()) == 1 {
			id = listed.GetExecutions()[0].GetExecution().GetWorkflowId()
		}
		return id != ""
	})
	return id
}

// AwaitBook waits until what is known of a run's open request is as wanted.
func (r *Rig) AwaitBook(run string, is func(approval.Book) bool) approval.Book {
	r.t.Helper()
	var found approval.Book
	r.Await(run+" has not heard of it", func() bool {
		found = r.AwaitPending(run)
		return is(found)
	})
	return found
}

// Status asks a run what it does; ok is false while no worker answers.
func (r *Rig) Status(run string) (status workflows.Status, ok bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	value, err := r.Client().QueryWorkflow(ctx, run, "", workflows.QueryStatus)
	return status, err == nil && value.Get(&status) == nil
}

// RunStatus is how Temporal says that a run is going.
func (r *Rig) RunStatus(run string) enums.WorkflowExecutionStatus {
	r.t.Helper()
	d, err := r.Client().DescribeWorkflowExecution(context.Background(), run, "")
	require.NoError(r.t, err)
	return d.GetWorkflowExecutionInfo().GetStatus()
}

// AwaitEnd waits until a run has ended, however it does.
func (r *Rig) AwaitEnd(run string) {
	r.t.Helper()
	r.Await(run+" does not end", func() bool { return r.RunStatus(run) != enums.WORKFLOW_EXECUTION_STATUS_RUNNING })
}

// AwaitStatus waits until a run's status is as wanted, and returns it.
func (r *Rig) AwaitStatus(run string, is func(workflows.Status) bool) workflows.Status {
	r.t.Helper()
	var status workflows.Status
	r.Await(run+" does not get there", func() bool {
		var ok bool
		status, ok = r.Status(run)
		return ok && is(status)
	})
	return status
}

// Decision reads the record of a request from the bucket.
func (r *Rig) Decision(request string) approval.Book {
	r.t.Helper()
	data, err := r.Vault().Get(context.Background(), sandbox.Service+"/decisions/"+request+".json")
	require.NoError(r.t, err)
	var document struct {
		Decision approval.Book `json:"decision"`
	}
	require.NoError(r.t, json.Unmarshal(data, &document))
	return document.Decision
}

// Serve runs Where2Eat as a service that Lifeboat may stop and start.
func (r *Rig) Serve() {
	r.t.Helper()
	port, err := loopback.Reserve() // kept: the service is stopped and started
	require.NoError(r.t, err)
	r.t.Cleanup(port.Release)
	require.NoError(r.t, r.Sandbox.Serve(port.Address()))
	require.NoError(r.t, r.WriteConfig())
	require.NoError(r.t, r.StartService(context.Background()))
	r.t.Cleanup(func() { require.NoError(r.t, r.StopService(context.Background())) })
}

// AwaitStopped waits until the service that Serve set up does not listen. That may
// last for half a second only, so it looks often, and asks no worker.
func (r *Rig) AwaitStopped() {
	r.t.Helper()
	address := strings.TrimPrefix(r.Sandbox.Config.LiveURL, "http://")
	require.Eventually(r.t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close() // it listens still
		}
		return err != nil
	}, 3*time.Minute, 5*time.Millisecond, "the service is not stopped")
}

// Databases lists production's databases, without template0.
func (r *Rig) Databases() []string {
	r.t.Helper()
	conn, err := pgx.Connect(context.Background(), r.Production.URL("postgres"))
	require.NoError(r.t, err)
	defer func() { require.NoError(r.t, conn.Close(context.Background())) }()
	rows, err := conn.Query(context.Background(), "select datname from pg_database where datname <> 'template0' order by 1")
	require.NoError(r.t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(r.t, err)
	return names
}

// Value asks a database of production for one value.
func (r *Rig) Value(database, query string) string {
	r.t.Helper()
	conn, err := pgx.Connect(context.Background(), r.Production.URL(database))
	require.NoError(r.t, err)
	defer func() { require.NoError(r.t, conn.Close(context.Background())) }()
	var value string
	require.NoError(r.t, conn.QueryRow(context.Background(), query).Scan(&value))
	return value
}

// ExecNotes changes the service's SQLite file, as another program would.
func (r *Rig) ExecNotes(sql string) {
	r.t.Helper()
	r.sqlite(sql)
}

// NotesValue asks the service's SQLite file for one value.
func (r *Rig) NotesValue(query string) string {
	r.t.Helper()
	return r.sqlite(query)
}

func (r *Rig) sqlite(sql string) string {
	r.t.Helper()
	out, err := exec.Command("sqlite3", "-cmd", ".timeout 5000", r.NotesPath(), sql).CombinedOutput()
	require.NoError(r.t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

// ServiceFiles lists the service's folder, without what SQLite keeps beside an open
// file.
func (r *Rig) ServiceFiles() []string {
	r.t.Helper()
	entries, err := os.ReadDir(filepath.Dir(r.NotesPath()))
	require.NoError(r.t, err)
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "-wal") && !strings.HasSuffix(e.Name(), "-shm") {
			names = append(names, e.Name())
		}
	}
	return names
}
