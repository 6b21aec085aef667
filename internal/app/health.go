package app

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// The states that /ready reports.
const (
	stateOK       = "ok"
	stateDegraded = "degraded" // named, but playbooks go on: they retry
	stateDown     = "down"
	stateOff      = "off" // not set up
)

// Condition is the state of one thing the worker depends on.
type Condition struct {
	State string    `json:"state"`
	Since time.Time `json:"since"`
	Error string    `json:"error,omitempty"`
}

const (
	checkEvery   = 15 * time.Second
	checkTimeout = 10 * time.Second
)

// health keeps the conditions; they are looked at every checkEvery, so that a
// probe of /ready costs nothing and never hangs.
type health struct {
	configs *configs
	client  client.Client
	slack   *slackDoor // nil where this worker does not talk to Slack
	queues  []string
	log     *zap.Logger

	mu           sync.Mutex
	conditions   map[string]Condition // temporal, slack, config
	destinations map[string]Condition
}

func newHealth(c *configs, temporal client.Client, slack *slackDoor, queues []string, log *zap.Logger) *health {
	return &health{
		configs: c, client: temporal, slack: slack, queues: queues, log: log,
		conditions: map[string]Condition{}, destinations: map[string]Condition{},
	}
}

// watch looks until ctx ends.
func (h *health) watch(ctx context.Context) error {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		h.look(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// The names of the conditions that are no destinations.
const (
	nameTemporal = "temporal"
	nameConfig   = "config"
	nameSlack    = "slack"
)

func (h *health) look(ctx context.Context) {
	h.note(ctx, h.conditions, nameTemporal, stateDown, func(ctx context.Context) error {
		_, err := h.client.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	})
	cfg, err := h.configs.load()
	h.note(ctx, h.conditions, nameConfig, stateDegraded, func(context.Context) error { return err })
	if err != nil {
		return
	}
	h.lookAtSlack(ctx)
	for _, dest := range cfg.DestinationSpecs() {
		h.note(ctx, h.destinations, dest.Name, stateDegraded, func(ctx context.Context) error { return checkDestination(ctx, h.configs, dest) })
	}
}

func (h *health) lookAtSlack(ctx context.Context) {
	if h.slack == nil {
		return
	}
	h.note(ctx, h.conditions, nameSlack, stateDegraded, func(ctx context.Context) error {
		ok, err := h.slack.check(ctx)
		if !ok {
			return errSlackOff
		}
		return err
	})
}

// errSlackOff is no trouble: decisions come by the CLI and the Temporal UI.
var errSlackOff = errors.New("slack is not in the config: decisions come by starter and the Temporal UI")

func checkDestination(ctx context.Context, c *configs, dest recovery.DestinationSpec) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	v, err := OpenVault(ctx, cfg, dest)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	return v.Check(ctx)
}

// note runs a check and keeps since when its state is what it is.
func (h *health) note(ctx context.Context, in map[string]Condition, name, badState string, check func(context.Context) error) {
	checkCtx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	next := Condition{State: stateOK, Since: time.Now().UTC()}
	if err := check(checkCtx); errors.Is(err, errSlackOff) {
		next.State, next.Error = stateOff, err.Error()
	} else if err != nil {
		next.State, next.Error = badState, err.Error()
	}
	if ctx.Err() != nil {
		return // the worker stops: that says nothing
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if before := in[name]; before.State == next.State {
		next.Since = before.Since
	} else {
		h.log.Info("dependency changed", zap.String("name", name), zap.String("state", next.State), zap.String("error", next.Error))
	}
	in[name] = next
}

// silentSince is since when a destination does not answer, zero if it does.
func (h *health) silentSince(destination string) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.destinations[destination]; c.State == stateDegraded {
		return c.Since
	}
	return time.Time{}
}

// readiness is the answer of /ready.
type readiness struct {
	Ready        bool                 `json:"ready"`
	Queues       []string             `json:"queues"`
	Temporal     Condition            `json:"temporal"`
	Config       Condition            `json:"config"`
	Slack        *Condition           `json:"slack,omitempty"`
	Destinations map[string]Condition `json:"destinations"`
}

// handler serves /health (the process is alive) and /ready (Temporal decides;
// each destination is named with its state and since when).
func (h *health) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		h.answer(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		r := h.readiness()
		status := http.StatusOK
		if !r.Ready {
			status = http.StatusServiceUnavailable
		}
		h.answer(w, status, r)
	})
	return mux
}

func (h *health) readiness() readiness {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := readiness{
		Ready: h.conditions[nameTemporal].State == stateOK, Queues: h.queues,
		Temporal: h.conditions[nameTemporal], Config: h.conditions[nameConfig], Destinations: map[string]Condition{},
	}
	if c, ok := h.conditions[nameSlack]; ok {
		r.Slack = &c
	}
	maps.Copy(r.Destinations, h.destinations)
	return r
}

func (h *health) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(body); err != nil {
		h.log.Debug("answer health request", zap.Error(err))
	}
}
