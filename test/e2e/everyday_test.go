package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/loopback"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
	"github.com/lifeboat-run/lifeboat/test/rig"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// A new installation: the schedules are applied, twice, and one of them makes a
// backup by itself, pings included; then the digest comes by mail and in Slack.
func TestEveryDayWithoutAnyone(t *testing.T) {
	t.Parallel()
	pings, url := pinged(t)
	inbox := startMailServer(t)
	r := rig.New(t, withSlack)
	r.Env["PING_BACKUP"], r.Env["PING_WORKER"] = url+"/backup", url+"/worker"
	r.Configure(func(c *sandbox.Config) {
		c.Extra = "worker: { ping: env:PING_WORKER }\nmail: { server: '" + inbox.address + "', security: none, from: lifeboat@where2eat.example }\ndigest: { mail: [oncall] }"
		c.ServiceExtra = "pings: { backup: env:PING_BACKUP }"
	})
	r.StartWorker()
	planned := r.Starter("schedules", "plan")
	require.Equal(t, 0, planned.Code, planned.Stderr)
	applied := r.Starter("schedules", "apply")
	require.Equal(t, 0, applied.Code, applied.Stderr)
	again := r.Starter("schedules", "apply")
	require.Equal(t, 0, again.Code, again.Stderr)
	require.Contains(t, again.Stdout, "no change")
	listed, err := exec.Command("temporal", "schedule", "list", "--address", r.Temporal.Address).CombinedOutput()
	require.NoError(t, err, string(listed))
	for _, id := range []string{"backup/where2eat", "verify/where2eat", "drill/where2eat", "prune/where2eat", "digest"} {
		require.Contains(t, string(listed), "lifeboat/"+id)
	}

	run := trigger(t, r, workflows.BackupScheduleID(sandbox.Service), workflows.TypeBackupAndVerify)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, r.RunStatus(run))
	require.Len(t, r.Sets(), 1)
	require.Equal(t, []string{"/backup/start", "/backup"}, pings.of("/backup"))
	r.Await("the worker does not ping", func() bool { return len(pings.of("/worker")) > 0 })

	digest := trigger(t, r, workflows.DigestScheduleID, workflows.TypeDigest)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, r.RunStatus(digest))
	mails := inbox.all()
	require.Len(t, mails, 2, "one for each of the two people")
	require.Contains(t, mails[0], "where2eat")
	require.Contains(t, mails[0], "Subject: Lifeboat needs you")
	r.Await("the digest is not in Slack", func() bool {
		for _, m := range r.Slack.Messages() {
			if strings.Contains(m.Text, "Daily digest") {
				return true
			}
		}
		return false
	})

	answers := map[string]string{}
	for _, item := range checklist(t, r) {
		answers[item.Key] = item.Answer
	}
	for _, key := range []string{"readBack", "proven", "drillsPlanned", "schedules", "deadMansSwitch"} {
		require.Equal(t, "yes", answers[key], key)
	}
	require.Equal(t, "no", answers["drill"], "none was made yet")
	require.Equal(t, "no", answers["rollback"], "none was made yet")
}

// checklist is what `check` says.
func checklist(t *testing.T, r *rig.Rig) (items []struct{ Key, Answer string }) {
	t.Helper()
	out := r.Starter("check", sandbox.Service, "--json")
	require.Equal(t, 1, out.Code, out.Stderr)
	require.NoError(t, json.Unmarshal([]byte(out.Stdout), &items))
	return items
}

// trigger starts what a schedule starts, now, and waits for its end.
func trigger(t *testing.T, r *rig.Rig, schedule, playbook string) string {
	t.Helper()
	handle := r.Client().ScheduleClient().GetHandle(t.Context(), schedule)
	require.NoError(t, handle.Trigger(t.Context(), client.ScheduleTriggerOptions{}))
	run := ""
	r.Await(schedule+" starts nothing", func() bool {
		d, err := handle.Describe(context.Background())
		if err != nil || len(d.Info.RecentActions) == 0 {
			return false
		}
		run = d.Info.RecentActions[0].StartWorkflowResult.WorkflowID
		return true
	})
	require.Contains(t, run, playbook)
	r.AwaitEnd(run)
	return run
}

// switchboard hears pings.
type switchboard struct {
	mu    sync.Mutex
	heard []string
}

func pinged(t *testing.T) (*switchboard, string) {
	t.Helper()
	s := &switchboard{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, r.URL.Path)
	}))
	t.Cleanup(server.Close)
	return s, server.URL
}

func (s *switchboard) of(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var paths []string
	for _, path := range s.heard {
		if strings.HasPrefix(path, prefix) {
			paths = append(paths, path)
		}
	}
	return paths
}

// inbox is a mail server that keeps what it takes.
type inbox struct {
	address string
	mu      sync.Mutex
	mails   []string
}

func startMailServer(t *testing.T) *inbox {
	t.Helper()
	port, err := loopback.Reserve()
	require.NoError(t, err)
	t.Cleanup(port.Release)
	box := &inbox{address: port.Address()}
	server := smtp.NewServer(box)
	server.Addr, server.Domain, server.ReadTimeout = port.Address(), "localhost", time.Minute
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.NoError(t, <-ended)
	})
	return box
}

func (b *inbox) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mails
}

// NewSession implements smtp.Backend.
func (b *inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{box: b}, nil }

type mailSession struct{ box *inbox }

func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *mailSession) Reset()                               {}
func (s *mailSession) Logout() error                        { return nil }

func (s *mailSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mails = append(s.box.mails, string(data))
	return err
}
