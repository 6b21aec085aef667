package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/process"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/seal"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// keys are those of one run of the bench.
type keys struct {
	recipient string
	file      string // of the age key
	trusted   string
}

const (
	ageKeyFile     = "age.key"
	signingKeyFile = "signing.key"
)

func makeKeys(dir string) (keys, error) {
	secret, recipient, err := seal.GenerateIdentity()
	if err != nil {
		return keys{}, fmt.Errorf("make keys: %w", err)
	}
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails
	signing, err := recovery.NewSigningKey(seed[:])
	if err != nil {
		return keys{}, fmt.Errorf("make keys: %w", err)
	}
	k := keys{recipient: recipient, file: filepath.Join(dir, ageKeyFile), trusted: signing.Public().String()}
	return k, errors.Join(
		os.WriteFile(k.file, []byte(secret+"\n"), 0o600),
		os.WriteFile(filepath.Join(dir, signingKeyFile), []byte(signing.Reveal()+"\n"), 0o600),
	)
}

// writeConfig writes a lifeboat.yaml with a service for each database. Production
// is staging as well, as for all contenders.
func (b *bench) writeConfig() error {
	var text strings.Builder
	fmt.Fprintf(&text, `version: 1
encryption: { recipients: [%s], identities: file:%s }
signing: { key: file:%s, trusted: [%s] }
destinations:
  - { name: main, url: s3://%s/lifeboat, endpoint: %s, region: %s, pathStyle: true, accessKey: env:S3_ACCESS_KEY, secretKey: env:S3_SECRET_KEY }
staging:
  postgres: { url: env:STAGING_URL, sameServer: accepted }
  folder: restored
tools: { postgres: [%s] }
giveUpAfter: 1m # what has to be tried again is not worth timing
services:
`, b.keys.recipient, ageKeyFile, signingKeyFile, b.keys.trusted, bucket, b.s3.Endpoint, b.s3.Region, b.postgres.BinDir)
	for _, size := range b.sizes() {
		fmt.Fprintf(&text, `  - name: %s
    owner: bench
    objectives: { availability: 99%%, rto: 1h, rpo: 24h }
    sources: [{ name: app, kind: postgres, url: env:%s }]
`, size.service(), urlVariable(size))
	}
	if err := os.WriteFile(b.configFile(), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	return nil
}

func (b *bench) configFile() string { return filepath.Join(b.dir, "lifeboat.yaml") }

func urlVariable(size gigabytes) string { return strings.ToUpper(size.database()) + "_URL" }

// worker is a running worker process and a client of the server that feeds it.
type worker struct {
	client.Client
	process *process.Process
	stop    context.CancelFunc
	log     *os.File
}

// withWorker runs use with a worker of its own. The context of use ends if the
// worker does.
func (b *bench) withWorker(ctx context.Context, use func(context.Context, *worker) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w, err := b.startWorker(ctx)
	if err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	go func() {
		<-w.process.Done()
		cancel(errors.New("the worker ended by itself"))
	}()
	err = use(ctx, w)
	w.Close()
	w.stop()
	_ = w.process.Wait() // it was told to stop
	said, readErr := os.ReadFile(w.log.Name())
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		err = fmt.Errorf("%w\nthe end of the worker's log:\n%s", err, said[max(0, len(said)-3000):])
	}
	return errors.Join(err, readErr, w.log.Close())
}

func (b *bench) startWorker(ctx context.Context) (*worker, error) {
	c, err := client.DialContext(ctx, client.Options{HostPort: b.temporal.Address, Logger: app.NewTemporalLogger(zap.NewNop())})
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(b.dir, "worker-*.log")
	if err != nil {
		return nil, err
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "TEMPORAL_ADDRESS=" + b.temporal.Address,
		"S3_ACCESS_KEY=" + b.s3.AccessKey, "S3_SECRET_KEY=" + b.s3.SecretKey, "STAGING_URL=" + b.postgres.URL("postgres"),
	}
	for _, size := range b.sizes() {
		env = append(env, urlVariable(size)+"="+b.postgres.URL(size.database()))
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	p, err := process.Start(running, process.Command{
		Path: filepath.Join(b.dir, "worker"), Args: []string{"--config", b.configFile(), "--listen", "127.0.0.1:0"},
		Dir: b.dir, Env: env, Stdout: log, Stderr: log, Grace: 2 * app.StopTimeout,
	})
	if err != nil {
		stop()
		return nil, err
	}
	return &worker{Client: c, process: p, stop: stop, log: log}, nil
}

// sizes are those of all databases, each once.
func (b *bench) sizes() []gigabytes {
	all := slices.Sorted(slices.Values(append([]gigabytes{b.size}, b.memory...)))
	return slices.Compact(all)
}

// play runs a playbook to its end and reads its result.
func (w *worker) play(ctx context.Context, id, playbook string, input, result any) (client.WorkflowRun, error) {
	run, err := w.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: workflows.QueueLifeboat}, playbook, input)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", playbook, err)
	}
	if err := run.Get(ctx, result); err != nil {
		return nil, fmt.Errorf("run %s: %w", playbook, err)
	}
	return run, nil
}

// took says how long a step of a run took, from its start on the worker to its
// completion, as Temporal has recorded it.
func (w *worker) took(ctx context.Context, run client.WorkflowRun, step string) (time.Duration, error) {
	var scheduled int64
	var started time.Time
	events := w.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return 0, fmt.Errorf("read the history of %s: %w", run.GetID(), err)
		}
		if a := event.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == step {
			scheduled = event.GetEventId()
		}
		if a := event.GetActivityTaskStartedEventAttributes(); a != nil && a.GetScheduledEventId() == scheduled {
			started = event.GetEventTime().AsTime()
		}
		if a := event.GetActivityTaskCompletedEventAttributes(); a != nil && a.GetScheduledEventId() == scheduled {
			return event.GetEventTime().AsTime().Sub(started), nil
		}
	}
	return 0, fmt.Errorf("read the history of %s: the step %s did not complete", run.GetID(), step)
}

// backup makes a set and says how long the dump took, from the connection to the
// source to the last stored byte.
func (w *worker) backup(ctx context.Context, size gigabytes) (*recovery.Manifest, time.Duration, error) {
	var made workflows.BackupServiceResult
	run, err := w.play(ctx, workflows.BackupID(size.service()), workflows.TypeBackupService, workflows.BackupServiceInput{Service: size.service()}, &made)
	if err != nil {
		return nil, 0, err
	}
	if len(made.Manifest.Failures) > 0 {
		return nil, 0, fmt.Errorf("back up %s: %s", size.service(), made.Manifest.Failures[0].Error)
	}
	took, err := w.took(ctx, run, "DumpSource")
	return &made.Manifest, took, err
}

// restore restores a set, with the proof that it is equal to its source, and says
// how long the restore took, from the request for the object to the last index.
func (w *worker) restore(ctx context.Context, m *recovery.Manifest) (time.Duration, error) {
	var report recovery.Report
	input := workflows.VerifySetInput{Service: m.Service, Set: m.Set, Target: recovery.LevelRestored}
	run, err := w.play(ctx, workflows.VerifyID(m.Set, "main"), workflows.TypeVerifySet, input, &report)
	if err != nil {
		return 0, err
	}
	if !report.Reached() {
		return 0, errors.New(report.Sentence)
	}
	return w.took(ctx, run, "RestoreArtefact")
}
