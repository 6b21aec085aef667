// Package app is the composition root: it joins configuration, adapters,
// activities and workflows to the worker program.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/oklog/run"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.uber.org/zap"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/ping"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// StopTimeout is how long running steps get to stop when the worker is told to.
// A step that was stopped is taken up by the next worker.
const StopTimeout = 20 * time.Second

// pipelines is how many dumps, reads and restores a worker runs at once.
const pipelines = 4

// copyings is how many sets a worker copies to other destinations at once.
const copyings = 2

// Options say what a worker serves.
type Options struct {
	Config string   // path of lifeboat.yaml
	Queues []string // empty: all that this worker can serve
	Listen string   // overrides worker.listen; port 0 chooses one
	Log    *zap.Logger
}

// Run runs a worker until ctx ends or a part of it fails.
func Run(ctx context.Context, o Options) error {
	files := &configs{file: o.Config}
	cfg, err := files.load()
	if err != nil {
		return err
	}
	queues, err := chooseQueues(cfg, o.Queues)
	if err != nil {
		return err
	}
	temporal, err := client.DialContext(ctx, client.Options{
		HostPort: cfg.TemporalAddress(), Namespace: cfg.Namespace(), Logger: NewTemporalLogger(o.Log),
	})
	if err != nil {
		return fmt.Errorf("reach Temporal at %s: %w", cfg.TemporalAddress(), err)
	}
	defer temporal.Close()
	if err := registerAttributes(ctx, temporal, cfg.Namespace()); err != nil {
		return err
	}

	var group run.Group
	group.Add(run.ContextHandler(ctx))
	var slack *slackDoor
	if slices.Contains(queues, workflows.QueueLifeboat) {
		slack = newSlackDoor(files, temporal, o.Log)
		listening, stop := context.WithCancel(context.Background())
		group.Add(func() error { return slack.run(listening) }, func(error) { stop() })
	}
	health := newHealth(files, temporal, slack, queues, o.Log)
	if err := serveHealth(&group, cfg, o, health); err != nil {
		return err
	}
	beat(&group, files, health, o.Log)
	survey := &Survey{Config: files.load, Temporal: temporal, Since: health.silentSince}
	slots, copying := activities.NewSlots(pipelines), activities.NewSlots(copyings)
	for _, queue := range queues {
		addWorker(ctx, &group, temporal, queue, &steps{configs: files, runs: &runs{client: temporal}, slack: slack, survey: survey, slots: slots, copying: copying})
	}
	o.Log.Info("worker is running", zap.Strings("queues", queues), zap.String("temporal", cfg.TemporalAddress()), zap.String("namespace", cfg.Namespace()))
	err = group.Run()
	if ctx.Err() != nil {
		o.Log.Info("worker has stopped")
		return nil
	}
	return err
}

// addWorker polls one queue. Which steps it serves is what the queue means.
func addWorker(ctx context.Context, group *run.Group, temporal client.Client, queue string, steps *steps) {
	w := worker.New(temporal, queue, worker.Options{
		WorkerStopTimeout:                StopTimeout,
		DefaultHeartbeatThrottleInterval: 2 * time.Second, // progress is shown as it happens
		MaxHeartbeatThrottleInterval:     2 * time.Second,
		DisableWorkflowWorker:            queue != workflows.QueueLifeboat,
	})
	steps.register(w, queue)
	interrupt := make(chan any)
	group.Add(func() error {
		if err := w.Run(interrupt); err != nil {
			return fmt.Errorf("serve queue %s: %w", queue, err)
		}
		return ctx.Err()
	}, func(error) { close(interrupt) })
}

// steps joins adapters to activities.
type steps struct {
	configs *configs
	runs    *runs
	slack   *slackDoor // nil where the queue lifeboat is not served
	survey  *Survey
	slots   activities.Slots
	copying activities.Slots
}

func (s *steps) register(w worker.Worker, queue string) {
	stores := &stores{configs: s.configs}
	staging := &staging{configs: s.configs, runs: s.runs}
	backups := &activities.Backups{Sources: &sources{configs: s.configs}, Stores: stores, Slots: s.slots}
	restores := &activities.Restores{Stores: stores, Staging: staging, Slots: s.slots}
	changes := &activities.Changes{Lives: &lives{configs: s.configs}, Staging: staging, Services: &services{configs: s.configs}}
	switch {
	case queue == workflows.QueueLifeboat:
		workflows.Register(w)
		w.RegisterActivity(&activities.Plans{Configs: s.configs})
		w.RegisterActivity(backups)
		w.RegisterActivity(&activities.Verifications{Stores: stores})
		w.RegisterActivity(&activities.Drills{Stores: stores})
		w.RegisterActivity(&activities.Approvals{Keys: &keys{configs: s.configs}, Stores: stores})
		w.RegisterActivity(&activities.Cards{Board: s.slack})
		w.RegisterActivity(&activities.Locks{Runs: s.runs})
		w.RegisterActivity(&activities.Choices{Stores: stores})
		w.RegisterActivity(&activities.Destinations{Stores: stores})
		w.RegisterActivity(&activities.Copies{Stores: stores, Slots: s.copying})
		w.RegisterActivity(&activities.Prunes{Stores: stores, Runs: s.runs})
		w.RegisterActivity(&activities.Digests{Configs: s.configs, Survey: s.survey, Mailer: &mailer{configs: s.configs}})
		w.RegisterActivity(&activities.Pings{Switches: &switches{configs: s.configs}})
		w.RegisterActivity(&activities.Evidence{Stores: stores})
	case queue == workflows.QueueRestore:
		w.RegisterActivity(restores)
		w.RegisterActivity(changes) // production databases: the admin's URL is known here
	case strings.HasPrefix(queue, workflows.HostQueue("")):
		w.RegisterActivity(backups)
		w.RegisterActivity(restores) // opens what was handed over to this host
		w.RegisterActivity(changes)
		releases := &deploys{configs: s.configs}
		w.RegisterActivity(&activities.Releases{Deploys: releases})
		w.RegisterActivity(&activities.Hosts{Commands: &commands{configs: s.configs}, Stores: stores, Deploys: releases})
	}
}

// beatEvery is how often the worker tells its dead man's switch that it is ready.
const beatEvery = time.Minute

// beat tells a dead man's switch, if the config names one, that this worker is ready.
func beat(group *run.Group, files *configs, h *health, log *zap.Logger) {
	heart := ping.Heartbeat{
		Every: beatEvery,
		Address: func() (string, error) {
			cfg, err := files.load()
			if err != nil {
				return "", err
			}
			address, _, err := cfg.WorkerPing()
			return address.Reveal(), err
		},
		Ready:  func() bool { return h.readiness().Ready },
		Failed: func(err error) { log.Warn("ping the dead man's switch", zap.Error(err)) },
	}
	beating, stop := context.WithCancel(context.Background())
	group.Add(func() error { heart.Run(beating); return nil }, func(error) { stop() })
}

func serveHealth(group *run.Group, cfg *config.Config, o Options, h *health) error {
	address := cfg.Worker.Listen
	if o.Listen != "" {
		address = o.Listen
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serve /health on %s: %w (change worker.listen in the config, or use --listen)", address, err)
	}
	server := &http.Server{Handler: h.handler(), ReadHeaderTimeout: 5 * time.Second}
	group.Add(func() error {
		o.Log.Info("serving /health and /ready", zap.String("address", listener.Addr().String()))
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve /health: %w", err)
		}
		return nil
	}, func(error) { _ = server.Close() })

	watching, stop := context.WithCancel(context.Background())
	group.Add(func() error { return h.watch(watching) }, func(error) { stop() })
	return nil
}
